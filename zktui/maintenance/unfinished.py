"""Finding runs that are not over, by their leases; and runs that ended and left something cordoned.

Whether one may be taken is judged by the rule of client-go's leader election: its lease was seen unchanged for its
whole duration by our own clock. Or at once, when the run's own journal is in our state folder, was written on this
machine, and nobody holds its lock any more: then its process is gone.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zktui.core.kube import Lease, Node
from zktui.core.ports import Answer, Clock, Cluster, Refused
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.annotations import run_of, undo_by_hand
from zktui.maintenance.claim import LEASE_SECONDS
from zktui.maintenance.journal import (
    JournalError,
    is_written,
    journals,
    journals_of,
    last_holder,
    last_state,
    part_of,
    read,
)
from zktui.maintenance.model import (
    HOME_ANNOTATION,
    LEASE_NAME,
    RUN_ANNOTATION,
    STATE_ANNOTATION,
    Event,
    NodeRun,
    NodeStep,
    Options,
    RunStatus,
    Unfinished,
)
from zktui.maintenance.record import Record, RecordError, from_record
from zktui.maintenance.resuming import is_ours, members_away, names_left, next_step

REMEMBERED = 5
"""Runs, the newest ones, whose journals are looked through for namespaces and for states whose lease is gone."""


@dataclass(frozen=True, slots=True)
class Found:
    """A run on its lease, and what of it is here."""

    lease: Lease
    """Without a version when it has been deleted, and the state is the journal's."""
    run_id: str
    record: Record | None
    problem: str
    """Why there is no record."""
    nodes: tuple[Node, ...] | None
    """All nodes of the cluster as just read; None when they could not be."""
    events: tuple[Event, ...] = ()
    """The run's own journal, all its parts, when what wrote the lease last was written here; else empty."""
    gone: bool = False
    """Its process was on this machine, and is no more."""
    alive: bool = False
    """Its process is on this machine, or that can't be told."""


class Lookout:
    """Looks at leases again and again: only so can it tell that one is not renewed."""

    def __init__(self, cluster: Cluster, clock: Clock, folder: Path, holder: str) -> None:
        self._cluster = cluster
        self._clock = clock
        self._folder = folder
        self._machine = machine_of(holder)
        self._seen: dict[str, tuple[str, float]] = {}
        """Namespace to (resourceVersion of its lease, since when it is seen unchanged)."""
        self._read: dict[Path, tuple[int, tuple[Event, ...]]] = {}
        """Journal to (its size, what was in it): they only grow."""

    async def look(self, namespaces: Iterable[str]) -> tuple[Found, ...]:
        """Every run of zktui on the leases of these namespaces, and on those of runs whose journals are here."""
        local = self._local()
        wanted = {*namespaces, *(n for events in local.values() for n in _namespaces(events))}
        leases = await self._leases(wanted)
        homes = {lease.annotations.get(HOME_ANNOTATION, "") for lease in leases.values() if lease is not None}
        leases |= await self._leases(homes - wanted - {""})
        nodes = await self._cluster.nodes()
        seen = tuple(nodes.value) if isinstance(nodes, Answer) else None
        found = [self._found(lease, local, seen) for lease in leases.values() if _is_home(lease)]
        known = {each.run_id for each in found}
        orphans = (_orphan(run, events, leases, seen) for run, events in local.items() if run not in known)
        return (*found, *(each for each in orphans if each is not None))

    async def _leases(self, namespaces: Iterable[str]) -> dict[str, Lease | None]:
        """By namespace; None where there is none. One that can't be read is left out."""
        names = sorted(namespaces)
        replies = await asyncio.gather(*(self._cluster.lease(name, LEASE_NAME) for name in names))
        found: dict[str, Lease | None] = {}
        for name, reply in zip(names, replies, strict=True):
            if isinstance(reply, Answer):
                found[name] = reply.value
                version, _ = self._seen.get(name, ("", 0.0))
                if version != reply.value.resource_version:
                    self._seen[name] = (reply.value.resource_version, self._clock.now())
            elif isinstance(reply, Refused) and reply.not_found:
                found[name] = None
        return found

    def _local(self) -> dict[str, tuple[Event, ...]]:
        """The newest runs of our own state folder, with all they have written; foreign files are left out."""
        parts = [part for path in journals(self._folder) if (part := part_of(path)) is not None]
        newest = list(dict.fromkeys(run for run, _ in reversed(parts)))[:REMEMBERED]
        found: dict[str, tuple[Event, ...]] = {}
        for run in newest:
            try:
                found[run] = tuple(e for path in journals_of(self._folder, run) for e in self._events(path))
            except (JournalError, OSError):
                continue
        return found

    def _events(self, path: Path) -> tuple[Event, ...]:
        size = path.stat().st_size
        if self._read.get(path, (-1, ()))[0] != size:
            self._read[path] = (size, read(path))
        return self._read[path][1]

    def _found(self, lease: Lease | None, local: dict[str, tuple[Event, ...]], nodes: tuple[Node, ...] | None) -> Found:
        assert lease is not None, "a home is a lease that is there"
        run_id = lease.annotations[RUN_ANNOTATION]
        record, problem = _parsed(lease.annotations[STATE_ANNOTATION])
        events = local.get(run_id, ())
        if record is None and not problem.startswith(_NEWER) and events:
            # What an annotation has lost, the journal of the same holder still has.
            holder, text = last_state(events)
            record, problem = _parsed(text) if holder == lease.holder else (None, problem)
        writer = record.who if record is not None else lease.holder
        if last_holder(events) != writer:
            events = ()
        paths = journals_of(self._folder, run_id) if events and machine_of(writer) == self._machine else ()
        alive = any(is_written(path) for path in paths)
        return Found(lease, run_id, record, problem, nodes, events, gone=bool(paths) and not alive, alive=alive)

    def standing(self, found: Found) -> tuple[bool, float | None, str]:
        """(may be taken, seconds until then, what must be typed) of a run found by `look`."""
        lease = found.lease
        if not lease.holder or not lease.resource_version or found.gone:
            return True, 0.0, ""
        if found.alive:
            return False, None, found.run_id
        version, since = self._seen.get(lease.namespace, ("", self._clock.now()))
        unchanged = self._clock.now() - since if version == lease.resource_version else 0.0
        left = max(0.0, (lease.duration or LEASE_SECONDS) - unchanged)
        return left <= 0, left, found.run_id


_NEWER = "The state of the run can't be used: it was written by a newer"


def machine_of(holder: str) -> str:
    """`host` of `user@host/pid (run)`, as `wiring.holder` makes it; all of it when it is made otherwise."""
    return holder.partition(" ")[0].partition("@")[2].rpartition("/")[0] or holder.partition(" ")[0]


def _is_home(lease: Lease | None) -> bool:
    return lease is not None and RUN_ANNOTATION in lease.annotations and STATE_ANNOTATION in lease.annotations


def _parsed(text: str) -> tuple[Record | None, str]:
    try:
        return from_record(text), ""
    except RecordError as error:
        return None, str(error)


def _namespaces(events: Sequence[Event]) -> set[str]:
    return {str(e.data["namespace"]) for e in events if e.kind == "claim" and "namespace" in e.data}


def _orphan(
    run: str, events: tuple[Event, ...], leases: dict[str, Lease | None], nodes: tuple[Node, ...] | None
) -> Found | None:
    """A run whose lease somebody has deleted, by its journal; only if it is of this very cluster."""
    _, text = last_state(events)
    record, problem = _parsed(text) if text else (None, "")
    homes = [n for n in _namespaces(events) if n in leases and leases[n] is None]
    if record is None or nodes is None or not homes:
        return None
    if not {n.uid for n in record.nodes} & {n.uid for n in nodes}:
        return None
    lease = Lease(min(homes), LEASE_NAME, renewed_at=events[-1].wall)
    return Found(lease, run, record, problem, nodes, events, gone=True)


# --- in words ---------------------------------------------------------------------------------------------------------


def left_cordoned(found: Found) -> tuple[str, ...]:
    """Nodes that the run has cordoned and that are cordoned still, by its own id on them."""
    if found.record is None:
        return tuple(node.name for node in found.nodes or () if run_of(node) == found.run_id)
    ours = [n.name for n in found.record.nodes if is_ours(found.record, n, found.nodes)]
    return tuple(ours)


def matters(found: Found) -> bool:
    """Not over; or failed or aborted, and something is still cordoned."""
    if found.record is None:
        return bool(found.lease.holder or left_cordoned(found))
    status = found.record.status
    return not status.ended or (status is not RunStatus.DONE and bool(left_cordoned(found)))


def describe(found: Found, standing: tuple[bool, float | None, str], selectors: dict[EnsembleKey, str]) -> Unfinished:
    """What a person has to know. `selectors` are those of the ensembles that are known, for kubectl's -l."""
    record, lease = found.record, found.lease
    free, wait, word = standing
    cordoned = left_cordoned(found)
    nodes = record.nodes if record is not None else ()
    nodes = tuple(replace(n, cordoned_by_us=n.name in cordoned) for n in nodes)
    return Unfinished(
        run_id=found.run_id,
        namespace=lease.namespace,
        holder=lease.holder,
        started=record.started if record is not None else lease.acquired_at or 0.0,
        renewed=lease.renewed_at or 0.0,
        status=record.status if record is not None else RunStatus.RUNNING,
        message=record.message if record is not None else found.problem,
        nodes=nodes,
        cordoned=cordoned,
        away=members_away(record) if record is not None else (),
        note=record.note if record is not None else "",
        options=record.options if record is not None else Options(),
        free=free,
        wait=wait,
        word=word,
        next_step=next_step(record) if record is not None else "",
        by_hand=by_hand(found, nodes, cordoned, selectors),
        refused=_refused(found),
        here=bool(found.events),
    )


def _refused(found: Found) -> str:
    if found.record is None:
        return f"{found.problem} End it with zktui abort, or by hand."
    if found.record.status is RunStatus.DONE:
        return "It is done."
    return ""


def can_be_ended(found: Found) -> bool:
    """Whether its state may be written anew: a newer program's is left to that program."""
    return found.record is not None or not found.problem.startswith(_NEWER)


def by_hand(
    found: Found, nodes: Sequence[NodeRun], cordoned: Sequence[str], selectors: dict[EnsembleKey, str]
) -> tuple[str, ...]:
    """kubectl's lines to look, to undo what was cordoned, and to give up the lease; then what was not begun."""
    record = found.record
    lines: list[str] = []
    for key in record.ensembles if record is not None else ():
        selector = shlex.quote(selectors[key]) if selectors.get(key) else ""
        what = f"get pods -l {selector} -o wide" if selector else f"get statefulset {shlex.quote(key.name)}"
        lines.append(f"kubectl -n {shlex.quote(key.namespace)} {what}")
    keep = record is not None and record.options.keep_node
    lines += undo_by_hand((shlex.quote(name) for name in cordoned), keep=keep)
    if found.lease.resource_version:
        lines.append(f"kubectl -n {shlex.quote(found.lease.namespace)} delete lease {LEASE_NAME}")
    left = names_left(record) if record is not None else ()
    untouched = [n.name for n in nodes if n.name in left and n.step in (NodeStep.PENDING, NodeStep.CLAIM)]
    return (*lines, *(f"# not begun: {shlex.quote(name)}" for name in untouched))
