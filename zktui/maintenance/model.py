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
from zktui.core.zookeeper import EnsembleKey, Mode

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


class HoldKind(enum.StrEnum):
    ASK = "ask"
    """Hold until the operator says uncordon."""
    SECONDS = "seconds"
    """Hold for so long, then uncordon."""
    LEAVE = "leave"
    """Leave the node cordoned, as kubectl drain does, and say so. Only for the last node of a plan."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What happens once a node is drained and the operator may work on it."""

    kind: HoldKind = HoldKind.ASK
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Options:
    """kubectl drain's options under their own names, and zktui's."""

    grace_period: int | None = None
    """Seconds for each pod to terminate; None uses the pod's own."""
    timeout: float = 0.0
    """Seconds for which one pod may take to leave, or a gate to open, before the run fails; 0 means no limit."""
    delete_emptydir_data: bool = False
    ignore_daemonsets: bool = False
    force: bool = False
    """Also evict pods that no controller will make again."""
    pod_selector: str = ""
    skip_wait_for_delete_timeout: int = 0
    """Seconds after whose deletionTimestamp a terminating pod is no longer waited for; 0 waits for all."""
    accept_outage: bool = False
    """For ensembles of one or two voters: any eviction is an outage."""
    spare: int | None = None
    """Voters to keep beyond a majority; None means 1 with five or more voters, else 0."""
    dwell: float | None = None
    """Seconds a returned member must serve before the next may go; None means syncLimit x tickTime."""
    hold: Hold = field(default_factory=Hold)
    cordon_ahead: bool = True
    """Cordon nodes still to be drained ahead, where there is room elsewhere, so that no member lands there."""
    keep_node: bool = False
    """Ask autoscalers, by their own annotations, to leave a node alone while this run has it cordoned."""
    probe: bool = True
    """Keep a client session at each member while the run is under way, to tell what clients feel."""
    probe_writes: bool = False
    """Have those sessions write too, each to an ephemeral znode of its own in the root."""
    acknowledged: frozenset[str] = frozenset()
    """Codes of the findings that were read and accepted, among those that ask for it."""


class Level(enum.StrEnum):
    INFO = "info"
    WARN = "warn"
    """The run can go; the person should know."""
    STOP = "stop"
    """The run can't start, or this pod can't go, as things are and with these options."""


class ActionKind(enum.StrEnum):
    UNCORDON = "uncordon"
    OVERRIDE = "override"
    ABORT = "abort"
    CREATE_BUDGET = "create-budget"
    """Make a PodDisruptionBudget with maxUnavailable 1 for the ensemble `target` (namespace/name)."""
    OUT_OF_SERVICE = "out-of-service"
    """Taint the dead node `target` so that its pods are let go; only for one that is powered off."""
    DISCARD_MEMBER = "discard-member"
    """Delete the claims of the pod `target` (namespace/name), tied to a node that is gone for good, and the pod."""


POWERED_OFF = "powered off"
"""What must be typed before a node is declared out of service."""


@dataclass(frozen=True, slots=True)
class Action:
    """The one thing that would open a gate or settle a finding, which the wizard offers on a key."""

    kind: ActionKind
    target: str
    text: str
    typed: str = ""
    """What the operator must type before it is done; empty when a key is enough."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a review says. `unblock` is what would change it: an option, a command, an act."""

    level: Level
    text: str
    unblock: str = ""
    code: str = ""
    """A stable word for programs: daemonset, emptydir, unmanaged, no-landing, two-budgets, …"""
    acknowledge: bool = False
    """A run may begin only once the person has accepted this very code (Options.acknowledged)."""
    action: Action | None = None
    """What zktui could do about it when it is asked to."""


class Verdict(enum.StrEnum):
    EVICT = "evict"
    STAY = "stay"
    """Not ours to move: mirror, DaemonSet, finished long ago."""
    REFUSE = "refuse"
    """Would be evicted, but a rule forbids it with these options."""


@dataclass(frozen=True, slots=True)
class PodVerdict:
    """What a drain would do with one pod, by kubectl drain's own filters, with every finding kept."""

    pod: PodKey
    verdict: Verdict
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Landing:
    """Which nodes could take a member, while this plan's step runs; none means that it waits for the uncordon."""

    nodes: tuple[str, ...]
    why: tuple[tuple[str, str], ...] = ()
    """(node, why it can't), for every node that can't."""
    tied: bool = False
    """Its volume is tied to the node that is drained: it can land only there."""

    @property
    def waits(self) -> bool:
        return not self.nodes


@dataclass(frozen=True, slots=True)
class PlannedMember:
    ensemble: EnsembleKey
    pod: PodKey
    mode: Mode
    """As it was at review; the order is made anew before each step."""
    voter: bool
    landing: Landing
    allowed_before: int | None = None
    """disruptionsAllowed as simulated right before its eviction; None when no budget covers it."""
    findings: tuple[Finding, ...] = ()
    connections: int | None = None
    """Client connections that will be cut, as its own `srvr` counts them; None where that was not told."""
    watches: int | None = None
    """Watches set through it (`mntr`); None where mntr is closed."""
    ephemerals: int | None = None
    """Ephemeral znodes of the sessions through it (`cons` and `dump`), else of the whole ensemble (`mntr`): they are
    lost only if a session does not find another member within its timeout. None where all of these are closed."""
    gates: tuple[Gate, ...] = ()
    """Its gates as of the review: most of them will look otherwise when its turn comes."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    name: str
    uid: str
    was_cordoned: bool
    """Cordoned by someone else before we came: it is never uncordoned by us."""
    members: tuple[PlannedMember, ...]
    others: tuple[PodVerdict, ...]
    findings: tuple[Finding, ...] = ()
    ahead: tuple[str, ...] = ()
    """Nodes still to be drained that are cordoned right before this one, so that none of its members lands there."""

    @property
    def carries_leader(self) -> bool:
        return any(member.mode is Mode.LEADER for member in self.members)


class PlanAct(enum.StrEnum):
    CORDON_AHEAD = "cordon-ahead"
    CORDON = "cordon"
    EVICT = "evict"
    RETURN = "return"
    """The member moved last serves again."""
    HOLD = "hold"
    UNCORDON = "uncordon"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of the run as simulated. Figures are of the budget, and of the ensemble, of the pod that moves."""

    node: str
    """For `return`: where it is expected to serve again."""
    act: PlanAct
    pod: str = ""
    namespace: str = ""
    member: bool = False
    ensemble: EnsembleKey | None = None
    allowed_before: int | None = None
    allowed_after: int | None = None
    """disruptionsAllowed right before and after; None when no budget covers the pod, or the step moves none."""
    serving: int | None = None
    """Voters of the ensemble that serve after it; None for pods that are no members and for steps that move none."""
    majority: int | None = None
    waits: bool = False
    """The budget allows none as things are: the run would wait here until it does."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Nodes in the order in which they will be drained."""

    ensembles: tuple[EnsembleKey, ...]
    nodes: tuple[NodePlan, ...]
    options: Options
    findings: tuple[Finding, ...]
    wall: float
    evictions: int
    """Evictions of members that this order needs."""
    elections: int
    """Elections that this order needs: 1 when a leader has to move, else 0, for each ensemble."""
    reasons: tuple[str, ...] = ()
    """Why this order, in words."""
    steps: tuple[PlanStep, ...] = ()
    """The whole run on paper, with what the budget will allow at each step."""
    saves: str = ""
    """Evictions and elections saved against the order in which the nodes were given; empty when there are none."""
    gap: float = 0.0
    """Seconds that a client of a moved member is expected to feel; 0 when no member moves."""
    session_timeout: float | None = None
    """Seconds: the shortest session timeout that is known to be possible; None when no member moves."""

    @property
    def ahead(self) -> tuple[str, ...]:
        """Nodes that are cordoned before their own turn."""
        return tuple(dict.fromkeys(name for node in self.nodes for name in node.ahead))

    @property
    def unacknowledged(self) -> tuple[Finding, ...]:
        """Findings that have to be accepted before a run may begin, and are not; each code once."""
        asked = {f.code: f for f in self.every_finding() if f.acknowledge and f.code not in self.options.acknowledged}
        return tuple(asked.values())

    @property
    def go(self) -> bool:
        """Nothing in the review says stop."""
        return not self.stops

    @property
    def stops(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.every_finding() if finding.level is Level.STOP)

    @property
    def would_wait(self) -> bool:
        """A run could begin, and would stand before its first gate until something else has changed."""
        return any(finding.code == "degraded" for finding in self.findings)

    def every_finding(self) -> tuple[Finding, ...]:
        found = list(self.findings)
        for node in self.nodes:
            found += node.findings
            for member in node.members:
                found += member.findings
            for other in node.others:
                found += other.findings
        return tuple(found)


class GateName(enum.StrEnum):
    BUDGET = "budget"
    QUORUM = "quorum"
    RETURN = "return"
    """It can come back."""
    LANDING = "landing"
    SETTLED = "settled"
    ALONE = "alone"


class Standing(enum.StrEnum):
    OK = "ok"
    WAITING = "waiting"
    """Closed, and expected to open by itself."""
    BLOCKED = "blocked"
    """Closed until somebody does something."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition before one pod may go, with what it rests on."""

    name: GateName
    standing: Standing
    evidence: str
    at: float
    """When its evidence was asked for; its age is now - at."""
    unblock: str = ""
    action: Action | None = None
    progress: tuple[float, float] | None = None
    """Seconds done and needed, where the gate waits for time to pass."""
    since: float | None = None
    """Since when it has been closed without a break; None while it is ok."""
    overridden: bool = False
    final: bool = False
    """No typed word opens it."""

    @property
    def open(self) -> bool:
        return self.standing is Standing.OK or self.overridden


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
