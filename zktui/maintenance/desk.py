"""Where a maintenance is reviewed and begun: the one thing that front ends need of this package."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from zktui.core.ports import Announcer, Clock, Cluster, Members, Probe
from zktui.core.view import View
from zktui.core.zookeeper import Ensemble, EnsembleKey, Mode
from zktui.maintenance.acting import act
from zktui.maintenance.alarm import Watched
from zktui.maintenance.choosing import choose_nodes
from zktui.maintenance.claim import unfinished_in
from zktui.maintenance.engine import Engine
from zktui.maintenance.facts import Facts
from zktui.maintenance.journal import FileJournal, JournalError, path_for
from zktui.maintenance.machine import begin
from zktui.maintenance.model import Action, Finding, Hold, Level, Options, Plan, Run, Unfinished
from zktui.maintenance.planning import plan
from zktui.maintenance.record import too_large
from zktui.maintenance.refusals import CannotBegin, PlanStopped, ReadOnlyError, RunUnderWay, Unacknowledged
from zktui.maintenance.state import State
from zktui.maintenance.survey import Scope, ensembles_in, survey
from zktui.maintenance.takeup import TakeUp, may_be_taken
from zktui.maintenance.unfinished import Found, Lookout, describe, matters


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
        witness: Callable[[bool], Probe] | None = None,
        announcer: Announcer | None = None,
        store_changes: Callable[[], AbstractAsyncContextManager[asyncio.Event]] | None = None,
    ) -> None:
        """`holder` is who the lease will name (user@host); journals go to `state_folder`/runs.

        `witness` makes a run's probe, which also writes when it is given True; `announcer` writes Events. With
        `store_changes`, an event that is set after each change of the view, a run that waits is woken by it.
        """
        self._cluster = cluster
        self._members = members
        self._clock = clock
        self._view = store_view
        self._folder = state_folder
        self._holder = holder
        self._witness = witness
        self._announcer = announcer
        self._watched = Watched(store_changes, store_view) if store_changes is not None else None
        self._reviewed: dict[EnsembleKey, Ensemble] = {}
        self._lookout = Lookout(cluster, clock, state_folder, holder)
        self._take_up = TakeUp(cluster, members, clock, state_folder, holder)
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
        scope = Scope(
            tuple(known.values()), names, decide=True, select=True, permissions=True, sessions=True, leaders=leaders
        )
        facts = await survey(self._cluster, self._members, self._clock, scope)
        ensembles = tuple(_renewed(ensemble, facts) for ensemble in known.values())
        self._reviewed.update((e.key, e) for e in ensembles)
        reviewed = plan(facts, names, options, facts.wall, ensembles)
        return replace(reviewed, findings=(*self._unfinished_here(facts, reviewed), *reviewed.findings))

    def _unfinished_here(self, facts: Facts, plan: Plan) -> Iterator[Finding]:
        """Two runs would undo each other: the one that is on a lease comes first."""
        own = self.engine.run.id if self.engine is not None else ""
        for namespace in sorted({key.namespace for key in plan.ensembles}):
            lease = facts.leases[namespace].value if namespace in facts.leases else None
            text = unfinished_in(lease, own) if lease is not None else ""
            if text:
                yield Finding(Level.STOP, text, "zktui where", "unfinished")

    async def nodes_for(
        self, selector: str = "", *, ensemble_nodes: bool = False, ensemble: EnsembleKey | None = None
    ) -> tuple[str, ...]:
        """Nodes with these labels (kubectl's grammar), and those that carry a known ensemble. Raises NoNodes.

        Those are the nodes with a member now, and any that will have to take one since no other can; of every known
        ensemble, or of the one that is named.
        """
        known = tuple(e.ensemble for e in self._view().ensembles if ensemble in (None, e.key))
        return await choose_nodes(
            self._cluster, self._members, self._clock, known, selector, ensemble_nodes=ensemble_nodes
        )

    def begin(self, plan: Plan, note: str = "") -> Engine:
        """Open the journal and start `task`. Needs a running event loop. `note` is for whoever reads of the run.

        Raises ReadOnlyError (read-only), PlanStopped (the review says stop), Unacknowledged (a finding was not
        accepted), RunUnderWay, CannotBegin (no journal, or a plan that is too large).
        """
        self._may_change()
        if not plan.go:
            stop = plan.stops[0]
            raise PlanStopped(f"The review says stop: {stop.text}.", stop.unblock)
        if plan.unacknowledged:
            asked = plan.unacknowledged[0]
            raise Unacknowledged(f"To be accepted first: {asked.text}.", f"--acknowledge {asked.code}")
        ensembles = [self._reviewed[key] for key in plan.ensembles if key in self._reviewed]
        if len(ensembles) < len(plan.ensembles):
            raise CannotBegin("The plan was not reviewed here: nothing was changed.", "Review it again.")
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock.wall()))
        run_id = f"{stamp}-{secrets.token_hex(2)}"
        state = begin(run_id, plan, ensembles, f"{self._holder} ({run_id})", note)
        large = too_large(state)
        if large:
            raise CannotBegin(f"The plan is too large: {large}. Nothing was changed.", "Take fewer nodes at a time.")
        return self._start(state)

    async def unfinished(self) -> tuple[Unfinished, ...]:
        """Runs that are not over, or ended and left something cordoned: by the leases of every known ensemble, and by
        the journals in our own state folder. The run under way here is not among them. Raises nothing.

        Called again and again it finds out when a lease has expired: only then is another's run `free`.
        """
        selectors = {e.key: str(e.ensemble.statefulset.selector or "") for e in self._view().ensembles}
        found = await self._lookout.look({key.namespace for key in selectors})
        shown = [each for each in found if matters(each) and not self._under_way(each.run_id)]
        return tuple(describe(each, self._lookout.standing(each), selectors) for each in shown)

    async def resume(self, which: Unfinished, typed: str = "", *, hold: Hold | None = None) -> Engine:
        """Take the run up and go on from where it stands. `typed` must be its word, where it has one; `hold` takes
        the place of the run's own.

        Raises as `begin` does, NotFree (somebody may be at it), WordMissing, CannotBegin (see `Unfinished.refused`).
        """
        return self._start(await self._take_up.to_resume(await self._taken(which, typed), hold))

    async def abandon(self, which: Unfinished, typed: str = "") -> Engine:
        """Take the run up only to end it: its lease is given up, nothing is uncordoned, what is cordoned is named.

        Raises as `resume` does.
        """
        return self._start(await self._take_up.to_end(await self._taken(which, typed)))

    async def act(self, action: Action, typed: str = "") -> str:
        """Do what a finding offers, outside of a run: read afresh, with each change in a journal before it is sent.

        What was done, in one sentence. Raises ReadOnlyError, RunUnderWay, and CannotBegin when it is not done.
        """
        self._may_change()
        known = tuple(e.ensemble for e in self._view().ensembles)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(self._clock.wall()))
        path = self._folder / "acts" / f"{stamp}-{secrets.token_hex(2)}.jsonl"
        try:
            journal = FileJournal(path)
        except JournalError as error:
            raise CannotBegin(str(error), "Nothing is done without a journal: make room.") from error
        try:
            return await act(self._cluster, self._members, self._clock, journal, known, action, typed)
        finally:
            journal.close()

    async def leave(self) -> None:
        """Leave the run under way unattended: a change on its way is awaited, no other is begun. It can be resumed."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait({self.task})

    async def _taken(self, which: Unfinished, typed: str) -> Found:
        self._may_change()
        found = await self._lookout.look({which.namespace})
        mine = next((each for each in found if each.run_id == which.run_id), None)
        if mine is None:
            raise CannotBegin(f"Run {which.run_id} is not there any more.", "Look again: zktui where")
        may_be_taken(which, mine, self._lookout.standing(mine), typed)
        return mine

    def _under_way(self, run_id: str) -> bool:
        engine = self.engine
        return engine is not None and engine.run.id == run_id and self.task is not None and not self.task.done()

    def _may_change(self) -> None:
        if self.read_only:
            raise ReadOnlyError("zktui is read-only here: nothing was changed.", "Start it without --read-only.")
        if self.engine is not None and self._under_way(self.engine.run.id):
            raise RunUnderWay("A run is under way: one at a time.", "Abort it, or wait for its end.")

    def _start(self, state: State) -> Engine:
        self._may_change()  # once more: something may have begun while the run was being read
        try:
            journal = FileJournal(path_for(self._folder, state.run.id, state.part))
        except JournalError as error:
            raise CannotBegin(str(error), "A run needs its journal: make room or name another state folder.") from error
        options = state.run.plan.options
        probed = options.probe and not state.winding_up
        self.engine = Engine(
            state,
            self._cluster,
            self._members,
            self._clock,
            journal,
            witness=self._witness(options.probe_writes) if self._witness is not None and probed else None,
            announcer=self._announcer,
            watched=self._watched,
        )
        self.task = asyncio.get_running_loop().create_task(self.engine.drive())
        self.task.add_done_callback(lambda _: journal.close())
        return self.engine


def _on_nodes(ensemble: Ensemble, facts: Facts) -> bool:
    return any(ensemble.owns(pod) for listed in facts.on_node.values() for pod in listed.value or ())


def _renewed(ensemble: Ensemble, facts: Facts) -> Ensemble:
    """The ensemble with its StatefulSet as just read."""
    fresh = facts.statefulset(ensemble).value
    return ensemble if fresh is None else replace(ensemble, statefulset=fresh)
