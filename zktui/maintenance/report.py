"""What is told of a run afterwards: made from its journal alone, so that it can be told again at any time.

Times are wall seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zktui.core.ports import ProbeGap, ProbeSession, ProbeSummary
from zktui.maintenance.jsonvalues import number_of, objects_of, text_of, texts_of
from zktui.maintenance.model import Event, JsonValue, RunStatus
from zktui.maintenance.outages import Election, Outage, QuorumSeen, elections_in, outages_in, parts_of, quorums_of

UNATTENDED = "unattended"
"""The program was left or died, and the run is not over as far as this journal goes."""
WORDS = ("pause", "resume", "abort", "override", "note", "failed")
"""Kinds of events that are told as they are: what stopped the run, and what people said."""


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the journal."""

    wall: float
    kind: str
    text: str
    node: str = ""
    pod: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """One pod that the run evicted, and what became of a member. Times are None where it did not come to that."""

    namespace: str
    pod: str
    node: str
    """Where it was."""
    member: bool
    uid: str
    evicted: float
    gone: float | None = None
    placed_on: str = ""
    rejoined: float | None = None
    """When it was Ready, serving and caught up for the whole dwell."""
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodePart:
    """What was done with one node."""

    name: str
    cordoned: float | None = None
    drained: float | None = None
    held: float | None = None
    uncordoned: float | None = None
    verified: float | None = None


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    wall: float
    budget: str
    allowed: int
    current: int
    desired: int
    expected: int


@dataclass(frozen=True, slots=True)
class Report:
    run_id: str
    who: str
    status: str
    """done, aborted, failed, or unattended."""
    message: str
    began: float
    ended: float
    """The last line of the journal."""
    parts: int = 1
    """How many programs worked at it: more than one when it was resumed."""
    notes: tuple[str, ...] = ()
    plan: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """As planned.plan_data has put it."""
    nodes: tuple[NodePart, ...] = ()
    moves: tuple[Move, ...] = ()
    answers: tuple[Said, ...] = ()
    """Each reply of the API server to a change."""
    words: tuple[Said, ...] = ()
    budget: tuple[BudgetPoint, ...] = ()
    quorums: tuple[QuorumSeen, ...] = ()
    elections: tuple[Election, ...] = ()
    outages: tuple[Outage, ...] = ()
    probe: ProbeSummary | None = None
    readings: int = 0
    widest: float = 0.0
    """The longest time between the beginnings of two readings."""
    cordoned: tuple[str, ...] = ()
    """Still, by this run, as far as this journal goes."""

    @property
    def evicted(self) -> tuple[Move, ...]:
        """Members that were moved."""
        return tuple(move for move in self.moves if move.member)

    def outage(self, what: str) -> tuple[float, float | None]:
        """Seconds at least and at most, over all ensembles; at most None when one was not over."""
        mine = [outage for outage in self.outages if outage.what == what]
        most = [outage.at_most for outage in mine if outage.at_most is not None]
        return sum(outage.at_least for outage in mine), sum(most) if len(most) == len(mine) else None


def report(events: Sequence[Event], probe: ProbeSummary | None = None) -> Report:
    """The report of a run by its journal; of one that was resumed, all of its parts in their order.

    `probe` is newer than what the journal has, while the run is under way. Raises ValueError for no events.
    """
    if not events:
        raise ValueError("a run without a line in its journal")
    plans = [event for event in events if event.kind == "plan"]
    plan: Mapping[str, JsonValue] = plans[0].data if plans else {}
    parts = tuple(parts_of(events))
    quorums = tuple(quorums_of(parts))
    proofs = [event.data for event in events if event.kind == "proof"]
    status, message, cordoned = _end(events)
    return Report(
        run_id=text_of(plan, "run"),
        who=text_of(plan, "who"),
        status=status,
        message=message,
        began=events[0].wall,
        ended=events[-1].wall,
        parts=len(parts),
        notes=tuple(dict.fromkeys(text_of(event.data, "note") for event in events if "note" in event.data)),
        plan=plan,
        nodes=_nodes(events, texts_of(plan, "nodes")),
        moves=_moves(events, frozenset(member for each in plans for member in _members(each.data))),
        answers=tuple(_said(event) for event in events if event.kind == "reply"),
        words=tuple(_said(event) for event in events if event.kind in WORDS),
        budget=tuple(_budget(event) for event in events if event.kind == "budget"),
        quorums=quorums,
        elections=tuple(elections_in(quorums)),
        outages=tuple(sorted(outages_in(quorums), key=lambda outage: outage.wall)),
        probe=probe or _felt(proofs),
        readings=sum(int(number_of(data, "readings")) for data in proofs),
        widest=max((number_of(data, "widest") for data in proofs), default=0.0),
        cordoned=cordoned,
    )


def _said(event: Event) -> Said:
    return Said(event.wall, event.kind, event.text, event.node, event.pod)


def _end(events: Sequence[Event]) -> tuple[str, str, tuple[str, ...]]:
    """How it ended, in a word and in a sentence, and what stays cordoned. Only the newest part can have ended it."""
    for event in reversed(events):
        if "cordoned" in event.data:
            return _ENDS.get(event.kind, UNATTENDED), event.text, tuple(texts_of(event.data, "cordoned"))
        if event.kind in ("done", "failed"):
            return _ENDS[event.kind], event.text, _still_cordoned(events)
        if event.kind == "plan":
            break
    return UNATTENDED, "The program ended in the midst of it.", _still_cordoned(events)


_ENDS = {"done": RunStatus.DONE.value, "failed": RunStatus.FAILED.value, "abort": RunStatus.ABORTED.value}


def _still_cordoned(events: Sequence[Event]) -> tuple[str, ...]:
    """Of a program that was killed: what its record said when it was written last, and what it was about to cordon."""
    states = [state for event in events if isinstance(state := event.data.get("state"), dict)]
    if not states:
        return ()
    names = [text_of(node, "node") for node in objects_of(states[-1], "nodes") if node.get("cordoned") is True]
    doing = texts_of(states[-1], "doing")
    if len(doing) == 2 and doing[0] == "cordon":
        names.append(doing[1])
    return tuple(dict.fromkeys(names))


def _members(plan: Mapping[str, JsonValue]) -> Iterator[str]:
    for member in objects_of(plan, "members"):
        yield f"{text_of(member, 'namespace')}/{text_of(member, 'pod')}"


_STEPS = ("cordon", "drained", "hold", "uncordon", "verified")


def _nodes(events: Sequence[Event], planned: Sequence[str]) -> tuple[NodePart, ...]:
    at: dict[str, dict[str, float]] = {name: {} for name in planned}
    for event in events:
        name = event.node
        if event.kind in ("cordon", "uncordon"):
            # Only where it was sent; and a cordon ahead is not of the node at work.
            name = text_of(event.data, "node") if "unschedulable" in event.data else ""
        if event.kind in _STEPS and name:
            at.setdefault(name, {})[event.kind] = event.wall
    return tuple(NodePart(name, *(found.get(step) for step in _STEPS)) for name, found in at.items())


def _moves(events: Sequence[Event], members: frozenset[str]) -> tuple[Move, ...]:
    """In the order in which they were evicted; what became of a pod is told by its UID."""
    moves: dict[str, Move] = {}
    for event in events:
        uid = text_of(event.data, "was") or event.uid
        move = moves.get(uid)
        if move is None:
            if event.kind == "evict":
                namespace = text_of(event.data, "namespace")
                member = f"{namespace}/{event.pod}" in members
                moves[uid] = Move(namespace, event.pod, event.node, member, uid, event.wall)
        elif event.kind == "reply":
            moves[uid] = replace(move, answers=(*move.answers, event.text))
        elif event.kind == "gone":
            moves[uid] = replace(move, gone=event.wall)
        elif event.kind == "placed":
            moves[uid] = replace(move, placed_on=text_of(event.data, "node"))
        elif event.kind == "rejoined":
            moves[uid] = replace(move, rejoined=event.wall)
    return tuple(moves.values())


def _budget(event: Event) -> BudgetPoint:
    figures = (int(number_of(event.data, key)) for key in ("allowed", "current", "desired", "expected"))
    return BudgetPoint(event.wall, text_of(event.data, "budget"), *figures)


# --- what clients felt -----------------------------------------------------------------------------------------------


def _felt(proofs: Sequence[Mapping[str, JsonValue]]) -> ProbeSummary | None:
    """Of all parts together; None when no program has probed, or none has come to its end."""
    found = [told for data in proofs if isinstance(told := data.get("probe"), dict)]
    if not found:
        return None
    sessions = tuple(_session(each) for told in found for each in objects_of(told, "sessions"))
    by_member: dict[str, float] = {}
    for session in sessions:
        by_member[session.home] = max(session.longest_gap, by_member.get(session.home, 0.0))
    return ProbeSummary(
        sum(session.operations for session in sessions),
        sum(session.failures for session in sessions),
        max(by_member.values(), default=0.0),
        by_member,
        sessions,
        tuple(_gap(each) for told in found for each in objects_of(told, "gaps")),
    )


def _session(told: Mapping[str, JsonValue]) -> ProbeSession:
    return ProbeSession(
        text_of(told, "namespace"),
        text_of(told, "home"),
        text_of(told, "through"),
        int(number_of(told, "operations")),
        int(number_of(told, "failures")),
        number_of(told, "longest_gap"),
        int(number_of(told, "expired")),
        int(number_of(told, "writes")),
        int(number_of(told, "lost_writes")),
        text_of(told, "refused"),
    )


def _gap(told: Mapping[str, JsonValue]) -> ProbeGap:
    words = (text_of(told, key) for key in ("session", "lost", "found", "why"))
    return ProbeGap(number_of(told, "wall"), number_of(told, "seconds"), *words)
