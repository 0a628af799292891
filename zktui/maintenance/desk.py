"""Where a maintenance is reviewed and begun: the one thing that front ends need of this package."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from zktui.core.ports import Clock, Cluster, Members
from zktui.core.view import View
from zktui.core.zookeeper import Ensemble, EnsembleKey, Mode
from zktui.maintenance.choosing import choose_nodes
from zktui.maintenance.engine import Engine
from zktui.maintenance.facts import Facts
from zktui.maintenance.journal import FileJournal, JournalError
from zktui.maintenance.machine import begin
from zktui.maintenance.model import Options, Plan, Run
from zktui.maintenance.planning import plan
from zktui.maintenance.refusals import CannotBegin, PlanStopped, ReadOnlyError, RunUnderWay, Unacknowledged
from zktui.maintenance.survey import Scope, ensembles_in, survey


class Desk:
    """Reviews plans and begins runs, one at a time."""

    def __init__(
        self,
        cluster: Cluster,
        members: Members,
        clock: Clock,
        store_view: Callable[[], View],
        *,
        state_folder: Path,
        holder: str,
        read_only: bool,
    ) -> None:
        """`holder` is who the lease will name (user@host); journals go to `state_folder`/runs."""
        self._cluster = cluster
        self._members = members
        self._clock = clock
        self._view = store_view
        self._folder = state_folder
        self._holder = holder
        self._reviewed: dict[EnsembleKey, Ensemble] = {}
        self.read_only = read_only
        self.engine: Engine | None = None
        """The run under way, or the last one."""
        self.task: asyncio.Task[Run] | None = None
        """Drives `engine`; its result is the ended run. Never cancel it: a change must not be cut off."""

    async def review(self, nodes: Sequence[str], options: Options) -> Plan:
        """Read everything fresh and plan. Changes nothing and raises nothing: refusals are STOP findings."""
        names = tuple(dict.fromkeys(nodes))
        view = self._view()
        shown = {e.key: e.ensemble for e in view.ensembles}
        leaders = frozenset(m.pod.uid for e in view.ensembles for m in e.members if m.role is Mode.LEADER)
        first = await survey(self._cluster, self._members, self._clock, Scope((), names, select=True))
        # Whatever the view was narrowed to, an ensemble with a member on one of these nodes is part of the plan.
        known = {**shown, **{e.key: e for e in ensembles_in(first) if _on_nodes(e, first)}}
        scope = Scope(tuple(known.values()), names, decide=True, select=True, permissions=True, leaders=leaders)
        facts = await survey(self._cluster, self._members, self._clock, scope)
        ensembles = tuple(_renewed(ensemble, facts) for ensemble in known.values())
        self._reviewed.update((e.key, e) for e in ensembles)
        return plan(facts, names, options, facts.wall, ensembles)

    async def nodes_for(self, selector: str = "", *, ensemble_nodes: bool = False) -> tuple[str, ...]:
        """Nodes with these labels (kubectl's grammar), and those that carry a known ensemble. Raises NoNodes."""
        known = tuple(e.ensemble for e in self._view().ensembles)
        return await choose_nodes(self._cluster, known, selector, ensemble_nodes=ensemble_nodes)

    def begin(self, plan: Plan) -> Engine:
        """Open the journal and start `task`. Needs a running event loop.

        Raises ReadOnlyError (read-only), PlanStopped (the review says stop), Unacknowledged (a finding was not
        accepted), RunUnderWay, CannotBegin (no journal).
        """
        if self.read_only:
            raise ReadOnlyError("zktui is read-only here: nothing was changed.", "Start it without --read-only.")
        if not plan.go:
            stop = plan.stops[0]
            raise PlanStopped(f"The review says stop: {stop.text}.", stop.unblock)
        if plan.unacknowledged:
            asked = plan.unacknowledged[0]
            raise Unacknowledged(f"To be accepted first: {asked.text}.", f"--acknowledge {asked.code}")
        if self.engine is not None and not self.engine.run.status.ended:
            raise RunUnderWay("A run is under way: one at a time.", "Abort it, or wait for its end.")
        ensembles = [self._reviewed[key] for key in plan.ensembles if key in self._reviewed]
        if len(ensembles) < len(plan.ensembles):
            raise CannotBegin("The plan was not reviewed here: nothing was changed.", "Review it again.")
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock.wall()))
        run_id = f"{stamp}-{secrets.token_hex(2)}"
        try:
            journal = FileJournal(self._folder / "runs" / f"{run_id}.jsonl")
        except JournalError as error:
            raise CannotBegin(str(error), "A run needs its journal: make room or name another state folder.") from error
        state = begin(run_id, plan, ensembles, f"{self._holder} ({run_id})")
        self.engine = Engine(state, self._cluster, self._members, self._clock, journal)
        self.task = asyncio.get_running_loop().create_task(self.engine.drive())
        self.task.add_done_callback(lambda _: journal.close())
        return self.engine


def _on_nodes(ensemble: Ensemble, facts: Facts) -> bool:
    return any(ensemble.owns(pod) for listed in facts.on_node.values() for pod in listed.value or ())


def _renewed(ensemble: Ensemble, facts: Facts) -> Ensemble:
    """The ensemble with its StatefulSet as just read."""
    fresh = facts.statefulset(ensemble).value
    return ensemble if fresh is None else replace(ensemble, statefulset=fresh)
