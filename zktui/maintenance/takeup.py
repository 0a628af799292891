"""Taking a run up again: from its lease and its journal to the state in which the engine goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from zktui.core.discovery import discover
from zktui.core.kube import Lease, StatefulSet
from zktui.core.ports import Answer, Clock, Cluster, Members
from zktui.core.zookeeper import Ensemble, EnsembleKey
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.journal import Fate, fate_of, journals_of, path_for
from zktui.maintenance.model import LEASE_NAME, RUN_ANNOTATION, Hold, NodeRun, NodeStep, Options, RunStatus, Unfinished
from zktui.maintenance.planning import plan
from zktui.maintenance.record import Record
from zktui.maintenance.refusals import CannotBegin, NotFree, WordMissing
from zktui.maintenance.resuming import Circumstances, names_left, restore, unplanned
from zktui.maintenance.state import State
from zktui.maintenance.survey import Scope, survey
from zktui.maintenance.unfinished import Found, can_be_ended, left_cordoned


def may_be_taken(which: Unfinished, found: Found, standing: tuple[bool, float | None, str], typed: str) -> None:
    """Raises NotFree, WordMissing or CannotBegin. `found` is as just read, `which` what the person has seen."""
    free, wait, word = standing
    if found.lease.holder not in (which.holder, ""):
        raise NotFree(f"Run {found.run_id} is {found.lease.holder}'s now.", "Look again: zktui where")
    if not free and wait is None:
        raise NotFree(f"Run {found.run_id} is under way: {found.lease.holder} is alive on this machine.", "Go there.")
    if not free:
        text = f"Run {found.run_id} is {found.lease.holder}'s, and whether that is alive can't be told yet."
        raise NotFree(text, f"Watch its lease for {wait:.0f} s more.", wait)
    if word and typed != word:
        text = f"Run {found.run_id} was begun by {found.lease.holder}: to take it over, type its id."
        raise WordMissing(text, f"zktui resume --take-over {word}")


class TakeUp:
    """Reads what one run needs to be taken up, and makes its state. Changes nothing: the engine does."""

    def __init__(self, cluster: Cluster, members: Members, clock: Clock, folder: Path, holder: str) -> None:
        self._cluster = cluster
        self._members = members
        self._clock = clock
        self._folder = folder
        self._holder = holder

    async def to_resume(self, found: Found, hold: Hold | None = None) -> State:
        """The state from which the run goes on; `hold` in place of its own. Raises CannotBegin."""
        record = found.record
        if record is None:
            raise CannotBegin(found.problem, "End it with zktui abort, or by hand: zktui where")
        if record.status is RunStatus.DONE:
            raise CannotBegin(f"Run {found.run_id} is done.")
        if hold is not None:
            record = replace(record, options=replace(record.options, hold=hold))
        ensembles = await self._ensembles(record.ensembles, stubs=False)
        names = names_left(record)
        scope = Scope(ensembles, names, decide=True, select=True, permissions=True)
        facts = await survey(self._cluster, self._members, self._clock, scope)
        there = tuple(name for name in names if not facts.node[name].absent)
        fresh = plan(facts, there, record.options, facts.wall, ensembles)
        lacking = [stop for stop in fresh.stops if stop.code == "permission"]
        if lacking:
            raise CannotBegin(f"The run can't go on: {lacking[0].text}.", "Ask for a role that allows it.")
        leases = {n: r.value for n, r in facts.leases.items() if r.value is not None}
        return self._state(found, record, Circumstances(ensembles, facts, fresh, "", facts.at), leases)

    async def to_end(self, found: Found) -> State:
        """The state of a run that only gives up its lease and names what it leaves. Raises CannotBegin."""
        if not can_be_ended(found):
            raise CannotBegin(found.problem, "End it with that zktui, or by hand: zktui where")
        record = found.record or _conjectured(found, await self._keys_in(found.lease.namespace))
        ensembles = await self._ensembles(record.ensembles, stubs=True)
        now = self._clock.now()
        nodes = Reading(now, found.nodes, "" if found.nodes is not None else "nodes can't be read")
        leases = await self._leases({e.namespace for e in ensembles})
        facts = Facts(now, self._clock.wall(), nodes=nodes)
        fresh = unplanned(record.options, facts.wall)
        return self._state(found, record, Circumstances(ensembles, facts, fresh, "", now, winding_up=True), leases)

    def _state(self, found: Found, record: Record, given: Circumstances, leases: dict[str, Lease]) -> State:
        part = record.part + 1
        while path_for(self._folder, record.run_id, part).exists():
            part += 1
        mine = {n: lease for n, lease in leases.items() if lease.annotations.get(RUN_ANNOTATION) == record.run_id}
        mine[found.lease.namespace] = found.lease
        whole = replace(
            given,
            holder=f"{self._holder} ({record.run_id}.{part})",
            now=self._clock.now(),
            fate=partial(fate_of, found.events) if found.events else _nobody_knows,
            takes={n: lease.resource_version for n, lease in mine.items() if lease.resource_version},
            same_clock=bool(found.events),
            source=self._source(found, record, ending=given.winding_up),
        )
        return replace(restore(record, whole), part=part)

    def _source(self, found: Found, record: Record, *, ending: bool) -> str:
        """What the new journal begins with."""
        here = journals_of(self._folder, record.run_id)
        old = f"its journal was {here[-1].name}" if here else "its journal is elsewhere"
        whose = f"{record.who} had it, " if found.lease.holder else f"{record.who} had released it, "
        verb = "taken up to be ended" if ending else "resumed"
        return f"{verb}: run {record.run_id}; {whose}{old}"

    async def _ensembles(self, keys: Sequence[EnsembleKey], *, stubs: bool) -> tuple[Ensemble, ...]:
        """The very StatefulSets of the run, as they are now; with `stubs`, those that are gone by name only."""
        namespaces = sorted({key.namespace for key in keys})
        replies = await asyncio.gather(*(self._cluster.statefulsets(n) for n in namespaces))
        known: dict[EnsembleKey, Ensemble] = {}
        for namespace, reply in zip(namespaces, replies, strict=True):
            if isinstance(reply, Answer):
                known.update((e.key, e) for e in discover(reply.value))
            elif not stubs:
                why = getattr(reply, "message", "") or getattr(reply, "why", "")
                raise CannotBegin(f"The StatefulSets of {namespace} can't be read: {why}.", "Nothing was changed.")
        missing = [key for key in keys if key not in known]
        if missing and not stubs:
            text = f"StatefulSet {missing[0].namespace}/{missing[0].name} was deleted, or made again, meanwhile."
            raise CannotBegin(text, "There is nothing to go on with: zktui abort ends the run.")
        return tuple(known.get(key) or Ensemble(StatefulSet(*key), "") for key in keys)

    async def _keys_in(self, namespace: str) -> tuple[EnsembleKey, ...]:
        """Every ensemble there is; one without a name where there is none."""
        reply = await self._cluster.statefulsets(namespace)
        known = tuple(e.key for e in discover(reply.value)) if isinstance(reply, Answer) else ()
        return known or (EnsembleKey(namespace, "", ""),)

    async def _leases(self, namespaces: set[str]) -> dict[str, Lease]:
        names = sorted(namespaces)
        replies = await asyncio.gather(*(self._cluster.lease(name, LEASE_NAME) for name in names))
        return {n: reply.value for n, reply in zip(names, replies, strict=True) if isinstance(reply, Answer)}


def _nobody_knows(_: str) -> Fate:
    return Fate.UNKNOWN


def _conjectured(found: Found, ensembles: tuple[EnsembleKey, ...]) -> Record:
    """Of a run whose state is corrupted: what its nodes and its lease still tell."""
    names = left_cordoned(found)
    nodes = tuple(
        NodeRun(node.name, node.uid, NodeStep.STOPPED, cordoned_by_us=True)
        for node in found.nodes or ()
        if node.name in names
    )
    started = found.lease.acquired_at or 0.0
    return Record(found.run_id, found.lease.holder, started, RunStatus.RUNNING, Options(), ensembles, nodes, len(nodes))
