"""What drills are made of: their ports, what a review has found, and what came of a drill. All values are immutable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zktui.checks.processes import Process
from zktui.core.documents import Document
from zktui.core.kube import Pod
from zktui.core.ports import Clock, Cluster, Executor, Members, Objects, Rounds
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.model import Event, Gate, Standing

Tell = Callable[[Event], None]
"""Given each event of a drill once it stands in its journal."""


@dataclass(frozen=True, slots=True)
class DrillPorts:
    """What drills ask, and change."""

    cluster: Cluster
    members: Members
    objects: Objects
    executor: Executor
    rounds: Rounds
    clock: Clock


@dataclass(frozen=True, slots=True)
class ProcessReview:
    """Whether one member's server could be ended now."""

    ensemble: Ensemble
    member: str
    pod: Pod | None
    leads: bool
    gates: tuple[Gate, ...]
    process: Process | None
    """The server in its container."""
    refusals: tuple[str, ...] = ()
    """Why it can't be done, whatever the gates say."""

    @property
    def waits(self) -> tuple[Gate, ...]:
        """Gates that may open by themselves."""
        return tuple(gate for gate in self.gates if gate.standing is Standing.WAITING)

    @property
    def blocked(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if gate.standing is Standing.BLOCKED)

    @property
    def go(self) -> bool:
        """It may be begun; gates that wait are waited for."""
        return not self.refusals and not self.blocked

    @property
    def word(self) -> str:
        """What has to be typed."""
        return self.member


@dataclass(frozen=True, slots=True)
class ProcessOutcome:
    """What followed. Times are seconds since the server was told to end; None for what was not seen."""

    member: str
    led: bool
    journal: Path
    exit: str = ""
    """How the process ended, in the kubelet's words."""
    stopped: float | None = None
    """It gave no answer any more."""
    elected: float | None = None
    """Another member led; None also where none had to."""
    restarted: float | None = None
    """The kubelet had started it again."""
    ready: float | None = None
    rejoined: float | None = None
    """It served, and had caught up with its leader."""
    leader: str = ""
    """Who leads at the end; empty when nobody does."""
    below: float = 0.0
    """Seconds during which fewer than a majority served, or nobody led."""
    why: str = ""
    """What went wrong, in one sentence; empty when nothing did."""

    @property
    def well(self) -> bool:
        return self.rejoined is not None and not self.why


@dataclass(frozen=True, slots=True)
class StorageReview:
    """Whether the StatefulSet could be deleted and applied again now."""

    ensemble: Ensemble
    orphan: bool
    """Its pods stay (`--cascade=orphan`); else every member goes at once, and that is an outage."""
    document: Document | None
    """The StatefulSet as the server tells it."""
    pods: tuple[Pod, ...] = ()
    refusals: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What one should know before."""

    @property
    def go(self) -> bool:
        return not self.refusals

    @property
    def word(self) -> str:
        return self.ensemble.name


@dataclass(frozen=True, slots=True)
class StorageOutcome:
    """What followed. Times are seconds since the deletion was sent; None for what was not seen."""

    name: str
    folder: Path
    """Where the drill's manifest, its way back by hand, and its journal are."""
    gone: float | None = None
    """The StatefulSet (and where they went with it, the last of its pods) was gone."""
    applied: float | None = None
    whole: float | None = None
    """Every member served again."""
    found: tuple[str, ...] = ()
    """Pod names of the members that had what was written before."""
    missing: tuple[str, ...] = ()
    """Those that had not, each with why."""
    looked: bool = True
    """False: nothing was left to be found, since nothing was deleted, or it had been found before. `found` then names
    the members that serve."""
    why: str = ""
    """What went wrong, in one sentence; empty when nothing did."""

    @property
    def well(self) -> bool:
        return bool(self.found) and not self.missing and not self.why
