"""What a maintenance is made of: options, plan, gates, the state of a run, commands and journal events.

All immutable. Times named `at` and `since` are monotonic seconds of the program's clock; `wall` is seconds since the
epoch. The words for steps are those of the design: Review, Claim, Cordon, Gate, Evict, Gone, Placed, Rejoined, Drained,
Hold, Uncordon, Rejoin, Verified; and Paused, Aborted, Failed, Blocked.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from zktui.core.kube import PodKey
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.plan_model import (
    POWERED_OFF,
    Action,
    ActionKind,
    Finding,
    Gate,
    GateName,
    Hold,
    HoldKind,
    Landing,
    Level,
    NodePlan,
    Options,
    Plan,
    PlanAct,
    PlannedMember,
    PlanStep,
    PodVerdict,
    Standing,
    Verdict,
)

__all__ = [
    "HOME_ANNOTATION",
    "KEPT_ANNOTATION",
    "LEASE_NAME",
    "POWERED_OFF",
    "RUN_ANNOTATION",
    "STATE_ANNOTATION",
    "Action",
    "ActionKind",
    "BudgetSample",
    "Command",
    "CommandKind",
    "Event",
    "Finding",
    "Gate",
    "GateName",
    "Hold",
    "HoldKind",
    "JsonValue",
    "Landing",
    "Level",
    "NodePlan",
    "NodeRun",
    "NodeStep",
    "Options",
    "Plan",
    "PlanAct",
    "PlanStep",
    "PlannedMember",
    "PodRun",
    "PodStep",
    "PodVerdict",
    "Run",
    "RunStatus",
    "Standing",
    "Unfinished",
    "Verdict",
]

LEASE_NAME = "zktui-maintenance"
"""Name of the Lease, in the namespace of each ensemble that a run touches, that keeps two runs apart."""

RUN_ANNOTATION = "zktui/run"
"""On the Lease, and on nodes that a run has cordoned: the run's id."""
STATE_ANNOTATION = "zktui/state"
"""On the Lease of a run's first namespace: all of it that a reading can't tell again, as JSON (see `record`)."""
HOME_ANNOTATION = "zktui/home"
"""On the Leases of its other namespaces: which one has the state."""

KEPT_ANNOTATION = "zktui/kept"
"""On a node that autoscalers are asked to spare: their annotations as they were before, as JSON."""

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]


class RunStatus(enum.StrEnum):
    READY = "ready"
    """Planned, not begun."""
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    ABORTED = "aborted"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (RunStatus.DONE, RunStatus.ABORTED, RunStatus.FAILED)


class NodeStep(enum.StrEnum):
    PENDING = "pending"
    CLAIM = "claim"
    """Taking the lease and passing the first gate; nothing has been changed yet."""
    CORDON = "cordon"
    DRAIN = "drain"
    DRAINED = "drained"
    """Every pod that had to go is gone; members that landed elsewhere are verified before Hold."""
    HOLD = "hold"
    UNCORDON = "uncordon"
    REJOIN = "rejoin"
    """Waiting for the members that had nowhere to land before the uncordon."""
    VERIFIED = "verified"
    LEFT_CORDONED = "left-cordoned"
    SKIPPED = "skipped"
    STOPPED = "stopped"


class PodStep(enum.StrEnum):
    PENDING = "pending"
    GATE = "gate"
    EVICT = "evict"
    """An eviction is on its way, or its outcome is being found out."""
    LEAVING = "leaving"
    """Granted; the pod terminates."""
    GONE = "gone"
    PLACED = "placed"
    """Its successor is bound to a node."""
    REJOINED = "rejoined"
    """Its successor is Ready, serves and has caught up; for others than members: gone is the end."""
    WAITS = "waits"
    """Nowhere to land before the uncordon."""
    SKIPPED = "skipped"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class PodRun:
    pod: PodKey
    member: bool
    step: PodStep = PodStep.PENDING
    ensemble: EnsembleKey | None = None
    gates: tuple[Gate, ...] = ()
    successor: PodKey | None = None
    successor_node: str = ""
    evicted_at: float | None = None
    gone_at: float | None = None
    rejoined_at: float | None = None
    tries: int = 0
    last_reply: str = ""
    """The server's last word about this pod's eviction."""
    retry_at: float | None = None
    note: str = ""
    """What it is waiting for, in one phrase."""


@dataclass(frozen=True, slots=True)
class NodeRun:
    name: str
    uid: str
    step: NodeStep = NodeStep.PENDING
    pods: tuple[PodRun, ...] = ()
    """Others first, members last, in the order in which they go."""
    cordoned_by_us: bool = False
    since: float | None = None
    """When this step was entered."""
    took: tuple[tuple[NodeStep, float], ...] = ()
    """Seconds spent in each step that is over."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """The whole state of a run: what the engine steps, what a reader paints."""

    id: str
    plan: Plan
    status: RunStatus = RunStatus.READY
    nodes: tuple[NodeRun, ...] = ()
    current: int = 0
    """Index of the node at work."""
    started_at: float | None = None
    ended_at: float | None = None
    message: str = ""
    """What it is doing or why it stopped, in one sentence."""
    in_flight: str = ""
    """A change that has been sent and not answered, in words; empty when there is none."""
    pausing: bool = False
    aborting: bool = False
    note: str = ""
    """What the operator wrote down, for whoever reads of this run."""
    exposed_since: float | None = None
    """Since when fewer than all voters serve because of this run; None while they all do."""
    spare: int | None = None
    """How many more voters may be lost before quorum is; below 0 when there is none, None when it is not known."""

    @property
    def node(self) -> NodeRun | None:
        return self.nodes[self.current] if self.current < len(self.nodes) else None

    @property
    def cordoned(self) -> tuple[str, ...]:
        """Nodes that this run has cordoned and not uncordoned."""
        return tuple(node.name for node in self.nodes if node.cordoned_by_us)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates before the pod that is to go next, or why one that was granted does not leave; else empty."""
        node = self.node
        if node is None:
            return ()
        judged = (PodStep.GATE, PodStep.LEAVING, PodStep.WAITS)
        return next((pod.gates for pod in node.pods if pod.step in judged and pod.gates), ())

    @property
    def blocked(self) -> tuple[Gate, ...]:
        return tuple(gate for gate in self.gates if gate.standing is Standing.BLOCKED and not gate.overridden)


class CommandKind(enum.StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    UNCORDON = "uncordon"
    """The operator is done with the node in Hold."""
    OVERRIDE = "override"
    SKIP = "skip"
    """Leave the node at work as it is now. One that was not begun is passed over; on one that we cordoned nothing more
    is evicted, it is uncordoned, members on their way are awaited, and the next node follows."""
    NOTE = "note"
    """Write `text` down, for whoever looks at this run."""
    ACT = "act"
    """Carry out an Action that is on offer: OUT_OF_SERVICE, DISCARD_MEMBER."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the operator tells a run. `gate` and `typed` (the pod's name) only for OVERRIDE."""

    kind: CommandKind
    gate: GateName | None = None
    typed: str = ""
    node: str = ""
    """Only for UNCORDON: the node an Action names; empty means the node in Hold."""
    action: Action | None = None
    """Only for ACT; `typed` must be the action's own word."""
    text: str = ""
    """Only for NOTE; empty takes the note away."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that is not over, or that ended and left something cordoned, as its Lease tells. Times are wall seconds."""

    run_id: str
    namespace: str
    """Where its state is."""
    holder: str
    """Who holds it by its Lease; empty when it was released."""
    started: float
    renewed: float
    """When the holder renewed the Lease last, by the holder's own clock."""
    status: RunStatus
    message: str
    nodes: tuple[NodeRun, ...]
    cordoned: tuple[str, ...]
    """Nodes that the run has cordoned and that are cordoned still."""
    away: tuple[str, ...]
    """Names of members that it has moved and that are not known to be back."""
    note: str
    options: Options
    free: bool
    """It may be taken now: it was released, or its process is known to be dead, or its Lease has expired."""
    wait: float | None
    """Seconds until it will be free if nobody renews it; None when that can't be told: its process is alive."""
    word: str
    """What must be typed to take it, the run's id; empty when it was released, or was ours and its process is dead."""
    next_step: str
    """What a resumed run would do next, in one sentence."""
    by_hand: tuple[str, ...]
    """The kubectl lines that finish it by hand."""
    refused: str = ""
    """Why it can't be resumed; empty when it can."""
    here: bool = False
    """Its journal is in our own state folder."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal. Appended before the effect that it announces is carried out."""

    seq: int
    wall: float
    kind: str
    """plan, claim, renew, release, gate, cordon, evict, reply, gone, placed, rejoined, drained, hold, uncordon,
    verified, budget, quorum, pause, resume, abort, override, failed, done, proof, note. `renew` keeps the lease and
    says nothing new: a reader may leave it out."""
    text: str
    """One line for people."""
    node: str = ""
    pod: str = ""
    uid: str = ""
    data: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class BudgetSample:
    """A budget's figures as read at one moment of a run; `at` is monotonic, when it was asked for."""

    at: float
    allowed: int
    current: int
    desired: int
    expected: int
    budget: str = ""
    """`namespace/name`."""
