"""What a plan is made of: options, findings, landings, gates, steps, and the offers in them. All immutable.

Times named `at` and `since` are monotonic seconds of the program's clock; `wall` is seconds since the epoch.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from zktui.core.kube import PodKey
from zktui.core.zookeeper import EnsembleKey, Mode


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
