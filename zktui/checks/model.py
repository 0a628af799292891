"""What a check is. All immutable; judged by pure functions over an `Inventory`, so that each rule is tested alone."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from zktui.checks.inventory import Inventory


class Chapter(enum.IntEnum):
    """The tutorial's chapters, in its order; the numbers are those of the README's table."""

    DEPLOY = 1
    IDENTITY = 2
    DISCOVERY = 3
    SANITY = 4
    STORAGE = 5
    CONFIGURATION = 6
    LOGGING = 7
    PROCESS = 8
    PROCESS_FAILURE = 9
    NODE_FAILURE = 10
    MAINTENANCE = 11

    @property
    def title(self) -> str:
        return _TITLES[self]


_TITLES = {
    Chapter.DEPLOY: "Deploy",
    Chapter.IDENTITY: "Identity",
    Chapter.DISCOVERY: "Discovery",
    Chapter.SANITY: "Sanity",
    Chapter.STORAGE: "Durable storage",
    Chapter.CONFIGURATION: "Consistent configuration",
    Chapter.LOGGING: "Logging",
    Chapter.PROCESS: "Managing the process",
    Chapter.PROCESS_FAILURE: "Process failure",
    Chapter.NODE_FAILURE: "Node failure",
    Chapter.MAINTENANCE: "Maintenance",
}


class Result(enum.StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict
    WARN = "warn"
    """It works, and will hurt one day; the advice says how to mend it."""
    FAIL = "fail"
    UNKNOWN = "unknown"
    """It could not be told, and the evidence says why. Never taken for a pass."""

    @property
    def rank(self) -> int:
        """The higher, the worse: of several members' results the worst is the check's. Unknown is worse than a warning,
        since a failure may hide behind it."""
        return ("pass", "warn", "unknown", "fail").index(self.value)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one member, or (member empty) of the ensemble as a whole."""

    member: str
    result: Result
    text: str
    """One line: the value that was found, and against what it was held."""


@dataclass(frozen=True, slots=True)
class Check:
    code: str
    """Stable, for programs: `identity.myid`, `discovery.publish-not-ready`."""
    chapter: Chapter
    title: str
    evidence: tuple[Evidence, ...]
    advice: str = ""
    """What its absence costs and what mends it, in a sentence or two; empty for a pass."""
    patch: tuple[str, ...] = ()
    """Exact kubectl lines that mend it, where there are such."""
    by_hand: str = ""
    """The tutorial's own command for this check."""

    @property
    def result(self) -> Result:
        return max((e.result for e in self.evidence), key=lambda r: r.rank, default=Result.UNKNOWN)


Rule = Callable[[Inventory], Iterable[Check]]
"""Judges one subject of one chapter. Pure."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that was not made, and is therefore neither passed nor failed."""

    code: str
    chapter: Chapter
    title: str
    why: str
    """Why not, and what makes it: one sentence."""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one ensemble, in the order of the chapters."""

    namespace: str
    name: str
    checks: tuple[Check, ...] = field(default_factory=tuple)
    skipped: tuple[Skipped, ...] = ()
    """Checks of these chapters that were not made; they count for nothing in `result`."""

    @property
    def result(self) -> Result:
        return max((c.result for c in self.checks), key=lambda r: r.rank, default=Result.UNKNOWN)

    def of(self, chapter: Chapter) -> tuple[Check, ...]:
        return tuple(c for c in self.checks if c.chapter is chapter)

    def skipped_of(self, chapter: Chapter) -> tuple[Skipped, ...]:
        return tuple(s for s in self.skipped if s.chapter is chapter)
