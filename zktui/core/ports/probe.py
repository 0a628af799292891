"""What clients feel: sessions beside a maintenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zktui.core.kube import Pod
from zktui.core.zookeeper import Ensemble


@dataclass(frozen=True, slots=True)
class ProbeGap:
    """A stretch without an answer that one session of the probe has felt."""

    wall: float
    """When the last operation before it had succeeded, in seconds since the epoch."""
    seconds: float
    """Until the next that succeeded."""
    session: str
    """Pod name of the member at which the session began."""
    lost: str
    """Pod name of the member that it talked to before."""
    found: str
    """Pod name of the member that answered after it; empty while none has."""
    why: str
    """What the first operation that failed has said."""


@dataclass(frozen=True, slots=True)
class ProbeSession:
    """One session of the probe."""

    namespace: str
    home: str
    """Pod name of the member at which it began."""
    through: str
    """Pod name of the member that it talks to; empty while it talks to none."""
    operations: int
    failures: int
    longest_gap: float
    expired: int
    """How often the ensemble had given the session up before it could be taken up again."""
    writes: int = 0
    """Writes that were acknowledged."""
    lost_writes: int = 0
    """Writes that were acknowledged, and not there any more after a reconnect."""
    refused: str = ""
    """Why it may not write; empty when it may, or was not asked to."""


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """What client sessions felt: one session for each member, reading (and when asked writing) all the while."""

    operations: int = 0
    failures: int = 0
    longest_gap: float = 0.0
    """Seconds between two successful operations of the session that fared worst."""
    by_member: Mapping[str, float] = field(default_factory=dict[str, float])
    """Pod name to that session's longest gap in seconds."""
    sessions: tuple[ProbeSession, ...] = ()
    """By namespace and pod name."""
    gaps: tuple[ProbeGap, ...] = ()
    """Those of more than 0.3 s, oldest first, with those that last; bounded."""


class Probe(Protocol):
    """Client sessions beside a maintenance. Nothing here raises or waits for a network."""

    def start(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None:
        """Begin for an ensemble; called again, it tells the pods as they are now, and counting goes on."""
        ...

    def summary(self) -> ProbeSummary: ...

    async def stop(self) -> ProbeSummary:
        """End all sessions in at most a second; what was felt until then."""
        ...
