"""Who served while a run went on, by its journal: elections, and how long an ensemble was without its quorum.

That is known only as exactly as was looked: an outage lasted at least from the first reading that showed it to the last
one, and at most from the last good one before it to the first good one after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from zktui.core.quorum import Health, majority
from zktui.maintenance.jsonvalues import number_of, pair_of, text_of
from zktui.maintenance.model import Event

BELOW = "below majority"
LEADERLESS = "without a leader"
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class QuorumSeen:
    """Who served, from one reading to the next that showed something else."""

    wall: float
    ensemble: str
    health: str
    serving: int
    voters: int
    leader: str
    epoch: int | None
    reading: tuple[float, float]
    """Monotonic seconds of the program that read."""
    before: tuple[float, float] | None
    part: int


@dataclass(frozen=True, slots=True)
class Election:
    wall: float
    ensemble: str
    leader: str
    before: str
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of readings that showed an ensemble below majority, without a leader, or not at all."""

    wall: float
    ensemble: str
    what: str
    at_least: float
    """Seconds."""
    at_most: float | None
    """None: it was not over when its program's journal ends."""
    over: bool = True
    """A later reading shows the end of it; that of another program tells no time, by clocks that are never compared."""


def most_in_words(outages: Sequence[Outage], lasted: str) -> str:
    """How long they lasted at most, together; `lasted` where one was not over when the last journal ended."""
    known = [outage.at_most for outage in outages if outage.at_most is not None]
    if len(known) == len(outages):
        return f"{sum(known):.1f} s at most"
    return "over when the run was taken up again" if all(outage.over for outage in outages) else lasted


def parts_of(events: Sequence[Event]) -> Iterator[list[Event]]:
    """The journals of the programs that worked at it: each numbers its lines from 1, and has a clock of its own."""
    part: list[Event] = []
    for event in events:
        if part and event.seq <= part[-1].seq:
            yield part
            part = []
        part.append(event)
    yield part


def quorums_of(parts: Sequence[Sequence[Event]]) -> Iterator[QuorumSeen]:
    for number, part in enumerate(parts, 1):
        for event in part:
            reading = pair_of(event.data, "reading")
            if event.kind == "quorum" and reading is not None:
                yield QuorumSeen(
                    event.wall,
                    text_of(event.data, "ensemble"),
                    text_of(event.data, "health"),
                    int(number_of(event.data, "serving")),
                    int(number_of(event.data, "voters")),
                    text_of(event.data, "leader"),
                    int(number_of(event.data, "epoch")) if event.data.get("epoch") is not None else None,
                    reading,
                    pair_of(event.data, "before"),
                    number,
                )


def elections_in(quorums: Sequence[QuorumSeen]) -> Iterator[Election]:
    """Another leader than the last one seen, or the same in a later epoch."""
    last: dict[str, QuorumSeen] = {}
    for now in quorums:
        before = last.get(now.ensemble)
        if before is not None and _elected(before, now):
            yield Election(now.wall, now.ensemble, now.leader, before.leader, now.epoch)
        if now.leader:
            last[now.ensemble] = now


def _elected(before: QuorumSeen, now: QuorumSeen) -> bool:
    later = before.epoch is not None and now.epoch is not None and now.epoch > before.epoch
    return bool(before.leader and now.leader) and (before.leader != now.leader or later)


def outages_in(standings: Sequence[QuorumSeen]) -> Iterator[Outage]:
    """Each stretch, ensemble by ensemble. One in which a program ended is over if the next one saw so."""

    def key(standing: QuorumSeen) -> tuple[str, int]:
        return (standing.ensemble, standing.part)

    for (ensemble, part), group in groupby(sorted(standings, key=key), key):
        mine = list(group)
        later = [s for s in standings if s.ensemble == ensemble and s.part > part]
        for what, bad in _BAD.items():
            over = any(not bad(s) and (what == UNKNOWN or s.health != Health.UNKNOWN) for s in later)
            yield from _stretches(what, bad, mine, over=over)


_BAD: dict[str, Callable[[QuorumSeen], bool]] = {
    BELOW: lambda s: s.health != Health.UNKNOWN and s.serving < majority(s.voters),
    LEADERLESS: lambda s: s.health != Health.UNKNOWN and not s.leader,
    UNKNOWN: lambda s: s.health == Health.UNKNOWN,
}


def _stretches(
    what: str, bad: Callable[[QuorumSeen], bool], quorums: Sequence[QuorumSeen], *, over: bool
) -> Iterator[Outage]:
    """By the moments of the readings: a reading takes a while itself, and what it showed was so at some time in it.

    What is not known does not end a stretch. `over`: another program saw that the last one had ended. `led`: the last
    reading with a leader whose end was not told yet; `lost`: the last one before nobody led.
    """
    first: QuorumSeen | None = None
    last_bad: tuple[float, float] | None = None
    led: QuorumSeen | None = None
    lost: tuple[float, float] | None = None
    for now in quorums:
        hidden = what != UNKNOWN and now.health == Health.UNKNOWN
        if bad(now):
            first, last_bad = first or now, None
        elif first is not None:
            last_bad = last_bad or now.before or first.reading
            if not hidden:
                at_least, at_most = _least(first, last_bad), now.reading[1] - _began(first)
                yield Outage(first.wall, first.ensemble, what, at_least, at_most)
                first, led = None, None
        elif what != UNKNOWN and led is not None and _elected(led, now) and (since := lost or now.before) is not None:
            # It passed between two readings: while members elect, none of them serves. A reading may have come between
            # in which nobody led any more, and the others did not know yet.
            yield Outage(now.wall, now.ensemble, what, 0.0, now.reading[1] - since[0])
        if now.leader:
            led, lost = now, None
        elif led is not None and lost is None:
            lost = now.before
    if first is not None:
        at_least = _least(first, last_bad or quorums[-1].reading)
        yield Outage(first.wall, first.ensemble, what, at_least, None, over=over)


def _began(first: QuorumSeen) -> float:
    """Since when it may have been so: since the last good reading."""
    return first.before[0] if first.before is not None else first.reading[0]


def _least(first: QuorumSeen, last_bad: tuple[float, float]) -> float:
    return max(0.0, last_bad[0] - first.reading[1])
