"""The machine's state, and the turn in which one input changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zktui.core.kube import Lease, Node, Pod, PodKey
from zktui.core.zookeeper import Ensemble, EnsembleConfig, EnsembleKey
from zktui.maintenance.effects import (
    AnnotateNode,
    Change,
    CordonNode,
    CreateLease,
    Effect,
    EvictPod,
    Mend,
    Record,
    Survey,
    UpdateLease,
    Wake,
)
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import (
    Action,
    Event,
    GateName,
    JsonValue,
    NodeRun,
    NodeStep,
    PlannedMember,
    PodRun,
    PodStep,
    Run,
    RunStatus,
)
from zktui.maintenance.survey import Scope

LIVE = 0.5
"""Seconds between two readings while something is expected."""
BRISK = 0.2
"""Seconds between two readings while a member is on its way: each of them is time without it."""
BRISK_FOR = 60.0
"""Seconds in one step of its way after which that is LIVE again: it takes long, whatever is the matter."""
IDLE = 2.0
"""Seconds between two readings in Hold and while paused."""

Intent = tuple[str, str]
"""A change that is about to be sent: (what, of what), such as ("evict", UID) or ("cordon", node)."""

OPEN_STEPS = (PodStep.PENDING, PodStep.GATE)
LEFT = (PodStep.GONE, PodStep.PLACED, PodStep.REJOINED, PodStep.WAITS)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one reading showed of an ensemble's quorum."""

    health: str
    serving: int
    leader: str
    reading: tuple[float, float]
    """Monotonic seconds between which the members were asked."""


@dataclass(frozen=True, slots=True)
class Good:
    """A member that serves and has caught up, seen so without a break. Monotonic seconds."""

    since: float
    last: float
    """When the question was put to which it answered last."""
    ready: bool
    """It was also Ready then."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything a decision depends on beside its input. `run` is what readers see."""

    run: Run
    ensembles: tuple[Ensemble, ...]
    holder: str
    """This run's name on the lease: unique to it."""
    facts: Facts | None = None
    scope: Scope | None = None
    """What `facts` were asked for."""
    busy: Effect | None = None
    """The reading or the change that is under way; at most one."""
    leases: Mapping[str, Lease] = field(default_factory=dict[str, Lease])
    """By namespace: ours, as the server last gave it."""
    renewed: Mapping[str, float] = field(default_factory=dict[str, float])
    """By namespace: when the last renewal was asked for."""
    intent: Intent | None = None
    """The change that is about to be sent: its Lease says so before."""
    written: str = ""
    """The lasting part of the record as the Lease has it; empty while that is not known."""
    writing: str = ""
    """The same of the record that is on its way."""
    started_wall: float = 0.0
    """When the run was begun, in wall seconds; 0 before the first reading."""
    part: int = 1
    """How many times the run was taken up, the first time included."""
    taken_up: str = ""
    """What is said in place of the plan when this run is a resumed one."""
    takes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Namespace to the resourceVersion of a Lease that may be taken from its holder, who was judged gone."""
    winding_up: bool = False
    """The run was taken up only to end it."""
    skipping: str = ""
    """The node that the operator skipped, until it is given back."""
    held: frozenset[str] = frozenset()
    """Namespaces whose lease this run has had."""
    lease_at: float = float("-inf")
    """No lease is asked for before this moment: the last try was refused or lost."""
    others_lease: Mapping[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    """Namespace to (resourceVersion, since when it is seen unchanged) of a lease that another holds."""
    good: Mapping[str, Good] = field(default_factory=dict[str, Good])
    """By pod UID."""
    entered: Mapping[str, float] = field(default_factory=dict[str, float])
    """Pod UID, or node name, to when its present wait began: what Options.timeout counts from."""
    overrides: frozenset[tuple[str, GateName]] = frozenset()
    evicted: frozenset[str] = frozenset()
    """UIDs whose eviction has been sent."""
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Pod UID to (the server's words, the budget's resourceVersion when it said them)."""
    listed: bool = False
    """The pods of the node at work have been sorted after its cordon."""
    adrift: frozenset[str] = frozenset()
    """Namespaces whose lease was written last without success: whose it is, a reading tells."""
    last_looks: int = 0
    """How often a run that ends has read whether a lease is still to be released."""
    doubt: frozenset[str] = frozenset()
    """Nodes whose cordon by us was sent and not answered: the node's own annotation says whose it is."""
    ahead: frozenset[str] = frozenset()
    """Nodes whose cordon ahead of their turn is settled, whether we made it or nothing was to do."""
    cordoned_before: frozenset[str] | None = None
    """Nodes that were cordoned when the run first looked; None before that."""
    foreign: frozenset[str] = frozenset()
    """Nodes that others have cordoned since, and that are cordoned now."""
    asked: tuple[Action, str] | None = None
    """What the operator has asked for among the offers, with what was typed; prepared from the next reading."""
    acting: tuple[Mend, ...] = ()
    """What is left to do of it, in its order."""
    cordon_tries: int = 0
    cordon_at: float = float("-inf")
    """No cordon or uncordon is sent before this moment: the last one was refused."""
    paused_for: frozenset[str] = frozenset()
    """What others do or announce, in words, for which the run has paused once, or which it has told."""
    leaders: Mapping[EnsembleKey, PodKey] = field(default_factory=dict[EnsembleKey, PodKey])
    figures: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict[str, tuple[int, int, int, int]])
    """Budget UID to its figures when the journal told them last."""
    configs: Mapping[EnsembleKey, EnsembleConfig] = field(default_factory=dict[EnsembleKey, EnsembleConfig])
    """The running configurations as last read: for what is shown and reported, never for a decision."""
    seen: Mapping[EnsembleKey, Seen] = field(default_factory=dict[EnsembleKey, Seen])
    uncordon_also: str = ""
    """A node outside this run that the operator told, by its typed name, to uncordon."""
    closing: RunStatus | None = None
    """The end that the run is coming to while it releases its leases."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where leases are needed."""
        return tuple(sorted({e.namespace for e in self.ensembles}))

    @property
    def home(self) -> str:
        """The namespace whose Lease has the state of this run."""
        return self.namespaces[0] if self.namespaces else ""

    def wall_of(self, at: float) -> float:
        """The wall time of a moment, by the last reading; 0 before the first one."""
        return self.facts.wall + (at - self.facts.at) if self.facts is not None else 0.0

    def with_nodes(self, nodes: tuple[NodeRun, ...]) -> State:
        return replace(self, run=replace(self.run, nodes=nodes))

    def ensemble(self, key: EnsembleKey | None) -> Ensemble | None:
        return next((e for e in self.ensembles if e.key == key), None)

    def planned(self, pod: PodRun, node: str) -> PlannedMember | None:
        """What the review said of this member on this node."""
        for plan in self.run.plan.nodes:
            if plan.name == node:
                return next(
                    (m for m in plan.members if m.pod.name == pod.pod.name and m.ensemble == pod.ensemble), None
                )
        return None


@dataclass(slots=True)
class Turn:
    """One input's work: the state as it becomes, and the effects in the order in which they must happen."""

    state: State
    now: float
    effects: list[Effect] = field(default_factory=list[Effect])

    @property
    def run(self) -> Run:
        return self.state.run

    @property
    def facts(self) -> Facts:
        assert self.state.facts is not None, "only called once something was read"
        return self.state.facts

    @property
    def node(self) -> NodeRun:
        node = self.run.node
        assert node is not None, "only called while a node is at work"
        return node

    @property
    def wall(self) -> float:
        """Seconds since the epoch as of now, by the last reading."""
        return self.state.wall_of(self.now)

    def set(self, **fields: Any) -> None:  # Any: checked by the dataclass that it goes to
        self.state = replace(self.state, **fields)

    def set_run(self, **fields: Any) -> None:
        self.set(run=replace(self.run, **fields))

    def set_node(self, **fields: Any) -> None:
        """Change the node at work."""
        self._put(replace(self.node, **fields))

    def set_named(self, name: str, **fields: Any) -> None:
        """Change any node of the run."""
        self.set_run(nodes=tuple(replace(n, **fields) if n.name == name else n for n in self.run.nodes))

    def _put(self, node: NodeRun) -> None:
        nodes = list(self.run.nodes)
        nodes[self.run.current] = node
        self.set_run(nodes=tuple(nodes))

    def step_node(self, step: NodeStep, note: str = "") -> None:
        """Enter a step, and keep how long the last one took."""
        node = self.node
        took = node.took
        if node.since is not None and node.step is not NodeStep.PENDING:
            took = (*took, (node.step, self.now - node.since))
        self._put(replace(node, step=step, since=self.now, took=took, note=note))
        self.enter(node.name)

    def set_pod(self, uid: str, **fields: Any) -> PodRun:
        """Change a pod of the node at work, known by the UID that it was planned with; entering a step is timed."""
        node = self.node
        old = next(pod for pod in node.pods if pod.pod.uid == uid)
        new = replace(old, **fields)
        self._put(replace(node, pods=tuple(new if pod is old else pod for pod in node.pods)))
        retried = {old.step, new.step} == {PodStep.GATE, PodStep.EVICT}
        if new.step is not old.step and not retried:
            self.enter(uid)
        return new

    def enter(self, name: str) -> None:
        self.set(entered={**self.state.entered, name: self.now})

    def waited(self, name: str) -> float:
        return self.now - self.state.entered.get(name, self.now)

    def say(self, kind: str, text: str, pod: PodKey | None = None, data: Mapping[str, JsonValue] | None = None) -> None:
        """A line of the journal about the node at work."""
        node = self.run.node
        self.effects.append(
            Record(
                Event(
                    0,
                    0.0,
                    kind,
                    text,
                    node.name if node is not None else "",
                    pod.name if pod is not None else "",
                    pod.uid if pod is not None else "",
                    data or {},
                )
            )
        )

    def do(
        self,
        change: Change,
        kind: str,
        text: str,
        pod: PodKey | None = None,
        data: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Announce a change in the journal, then make it. Nothing else may be under way."""
        assert self.state.busy is None, "one change at a time"
        self.say(kind, text, pod, {**_data(change), **(data or {})})
        self.set(busy=change)
        if not isinstance(change, CreateLease | UpdateLease):
            self.set_run(in_flight=text)
        self.effects.append(change)

    def survey(self, scope: Scope) -> None:
        assert self.state.busy is None, "one thing at a time"
        effect = Survey(scope)
        self.set(busy=effect)
        self.effects.append(effect)

    def wake(self, seconds: float) -> None:
        self.effects.append(Wake(self.now + seconds))

    def tell(self, message: str) -> None:
        if message != self.run.message:
            self.set_run(message=message)


def _data(change: Change) -> dict[str, JsonValue]:
    if isinstance(change, EvictPod):
        return {"namespace": change.pod.namespace, "uid": change.pod.uid, "grace": change.grace}
    if isinstance(change, CreateLease | UpdateLease):
        lease = change.lease
        return {"namespace": lease.namespace, "holder": lease.holder, "resourceVersion": lease.resource_version}
    if isinstance(change, CordonNode):
        return {"node": change.node.name, "uid": change.node.uid, "unschedulable": change.unschedulable}
    if isinstance(change, AnnotateNode):
        return {"node": change.node.name, "uid": change.node.uid, "annotations": dict(change.annotations)}
    return {}


def pod_seen(facts: Facts, uid: str, node: str) -> Pod | None:
    """A pod as just read, by UID, among the ensembles' pods and those on the node."""
    listed = [*facts.pods.values()]
    if node in facts.on_node:
        listed.append(facts.on_node[node])
    return next((pod for group in listed for pod in group.value or () if pod.uid == uid), None)


def vanished(turn: Turn) -> bool:
    """Whether the node we planned for is no more: deleted, or another under its name. Either is never touched."""
    node = turn.node
    read = turn.facts.node.get(node.name)
    if read is None or (read.value is None and not read.absent):
        return False
    return read.absent or (read.value is not None and read.value.uid != node.uid)


def gone_words(turn: Turn) -> str:
    node = turn.node
    other = node_seen(turn.facts, node.name) is not None
    return f"{node.name} is another node of the same name now" if other else f"{node.name} was deleted"


def node_seen(facts: Facts, name: str) -> Node | None:
    read = facts.node.get(name)
    return read.value if read is not None else None
