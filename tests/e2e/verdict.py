"""What a series of looks at an ensemble amounts to: majority, leader, elections, evictions. Pure, no I/O.

A look asks every member at the same moment what its `srvr` says. What a look found is taken to hold until the next one,
so a figure in seconds is as sharp as the looks are far apart (0.1 s), and silence counts against the ensemble.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

LEADING = ("leader", "standalone")
SERVING = (*LEADING, "follower", "observer")
"""Modes in which a server answers clients; `read-only` and silence are not among them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one member said. `mode` is empty when it said nothing, or that it serves nobody."""

    uid: str
    """The pod's."""
    mode: str = ""
    epoch: int | None = None
    """The high half of the zxid that it saw last."""

    @property
    def serves(self) -> bool:
        return self.mode in SERVING


@dataclass(frozen=True, slots=True)
class Look:
    """All members at one moment (monotonic seconds, when they were asked), by the names of their pods."""

    at: float
    members: Mapping[str, Answer]

    @property
    def serving(self) -> int:
        return sum(answer.serves for answer in self.members.values())

    @property
    def leaders(self) -> tuple[str, ...]:
        return tuple(name for name, answer in self.members.items() if answer.mode in LEADING)


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch without a majority, or without a leader, or without both."""

    begins: float
    """Seconds since the first look."""
    seconds: float
    below_majority: float
    without_leader: float
    serving_before: int
    """How many members served right before it."""
    epochs: int
    """By how much the epoch was greater right after it than before: elections that it held."""


@dataclass(frozen=True, slots=True)
class Writes:
    """What an ordinary client wrote meanwhile."""

    acknowledged: int
    unanswered: int
    """Those that ended with an error: they may have happened or not, and nobody was promised anything."""
    longest_gap: float
    """Most seconds from one acknowledged write to the next."""
    gap_begins: float
    lost: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Member to the acknowledged writes that it does not have after a sync."""
    unchecked: tuple[str, ...] = ()
    """Members through which nothing could be read at the end."""

    @property
    def kept(self) -> bool:
        """Every member was asked, and has all that was acknowledged."""
        return not self.unchecked and not any(self.lost.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    began: float
    """Monotonic, the first look; all other times count from it."""
    seconds: float
    looks: int
    most_late: float
    """Most seconds between two looks: the judge's own blindness."""
    members: int
    below_majority: float
    without_leader: float
    two_leaders: float
    elections: int
    """By how much the epoch grew. An attempt that failed counts as well."""
    leaders: tuple[str, ...]
    """Each leader seen, in order."""
    evictions: tuple[str, ...]
    """Names of pods that were replaced, once for each new UID."""
    episodes: tuple[Episode, ...]
    whole_since: float | None
    """Since when every member has served without a break; None when not all do at the end."""
    writes: Writes

    def document(self) -> dict[str, Any]:
        return asdict(self)


def judge(looks: Sequence[Look], members: int, writes: Writes) -> Verdict:
    """The verdict on these looks, of which there must be two, at an ensemble of that many voters."""
    began, ended = looks[0].at, looks[-1].at
    spans = [(look, following.at - look.at) for look, following in itertools.pairwise(looks)]
    epochs = [epoch for look in looks for epoch in _epochs(look)]
    return Verdict(
        began=began,
        seconds=ended - began,
        looks=len(looks),
        most_late=max(span for _, span in spans),
        members=members,
        below_majority=sum(span for look, span in spans if _below(look, members)),
        without_leader=sum(span for look, span in spans if not look.leaders),
        two_leaders=sum(span for look, span in spans if len(look.leaders) > 1),
        elections=max(epochs) - epochs[0] if epochs else 0,
        leaders=_leaders(looks),
        evictions=_replaced(looks),
        episodes=tuple(_episodes(looks, members)),
        whole_since=_whole_since(looks, members),
        writes=writes,
    )


def _below(look: Look, members: int) -> bool:
    return look.serving <= members // 2


def _epochs(look: Look) -> list[int]:
    """Of those who serve. The greatest one known to anybody is the ensemble's."""
    known = [answer.epoch for answer in look.members.values() if answer.serves and answer.epoch is not None]
    return [max(known)] if known else []


def _leaders(looks: Sequence[Look]) -> tuple[str, ...]:
    """A leader that is replaced by a pod of the same name is another one."""
    found: list[tuple[str, str]] = []
    for look in looks:
        for name in look.leaders:
            this = (name, look.members[name].uid)
            if not found or found[-1] != this:
                found.append(this)
    return tuple(name for name, _ in found)


def _replaced(looks: Sequence[Look]) -> tuple[str, ...]:
    known: dict[str, str] = {}
    found: list[str] = []
    for look in looks:
        for name, answer in look.members.items():
            if known.setdefault(name, answer.uid) != answer.uid:
                found.append(name)
            known[name] = answer.uid
    return tuple(found)


def _episodes(looks: Sequence[Look], members: int) -> list[Episode]:
    """One that has not ended by the last look ends there."""
    found: list[Episode] = []
    at = 0
    while at < len(looks):
        if not _troubled(looks[at], members):
            at += 1
            continue
        end = next((i for i in range(at, len(looks)) if not _troubled(looks[i], members)), len(looks) - 1)
        found.append(_episode(looks, at, end, members))
        at = end + 1
    return found


def _troubled(look: Look, members: int) -> bool:
    return _below(look, members) or not look.leaders


def _episode(looks: Sequence[Look], first: int, end: int, members: int) -> Episode:
    """From look number `first` until look number `end`, the first that is well again."""
    spans = [(looks[i], looks[i + 1].at - looks[i].at) for i in range(first, end)]
    before = [epoch for look in looks[:first] for epoch in _epochs(look)]
    # A leader that has just won may not say its new epoch in its first answer.
    after = [epoch for look in looks[first:] if look.at <= looks[end].at + 1.0 for epoch in _epochs(look)]
    return Episode(
        begins=looks[first].at - looks[0].at,
        seconds=looks[end].at - looks[first].at,
        below_majority=sum(span for look, span in spans if _below(look, members)),
        without_leader=sum(span for look, span in spans if not look.leaders),
        serving_before=looks[first - 1].serving if first else 0,
        epochs=max(after) - max(before) if before and after else 0,
    )


def _whole_since(looks: Sequence[Look], members: int) -> float | None:
    since: float | None = None
    for look in reversed(looks):
        if look.serving < members:
            break
        since = look.at
    return None if since is None else since - looks[0].at
