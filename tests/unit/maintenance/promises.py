"""The promises of a run, judged from outside: by what the simulated cluster really was, not by what the machine says.

A broken one raises AssertionError with what was promised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.unit.maintenance.controllers import SimNode
from tests.unit.maintenance.servers import SimPod
from tests.unit.maintenance.world import TICK, World
from zktui.core.ports import Answer, Refused, Reply, Unanswered
from zktui.core.zookeeper import EVIDENCE_MAX_AGE, ordinal
from zktui.maintenance.claim import RENEWED_LATELY
from zktui.maintenance.effects import (
    Begin,
    Change,
    CordonNode,
    CreateLease,
    EvictPod,
    Input,
    Record,
    Replied,
    Survey,
    Surveyed,
    Told,
    Unrecorded,
    UpdateLease,
)
from zktui.maintenance.model import (
    RUN_ANNOTATION,
    STATE_ANNOTATION,
    Command,
    CommandKind,
    GateName,
    HoldKind,
    NodeStep,
    RunStatus,
)
from zktui.maintenance.record import Record as Kept
from zktui.maintenance.record import from_record
from zktui.maintenance.state import State

if TYPE_CHECKING:
    from tests.unit.maintenance.operators import Operator

WINDOW = EVIDENCE_MAX_AGE + 2 * TICK
"""Seconds: what was true within them before a decision may have been seen; the world moves in ticks."""
LEASE = (CreateLease, UpdateLease)
AWAY_WORDS = "Not back yet"


@dataclass
class Orders:
    """What the operator was told by persons, and what it may do because of it."""

    paused: bool = False
    aborted: bool = False
    words: set[tuple[str, GateName]] = field(default_factory=set[tuple[str, GateName]])
    """(pod's name, gate) that were typed right."""
    nodes: set[str] = field(default_factory=set[str])
    """Nodes that a person has told it to uncordon."""


@dataclass
class Judge:
    """Watches every operator in one world."""

    world: World
    orders: dict[str, Orders] = field(default_factory=dict[str, Orders])
    """By run."""
    granted: set[str] = field(default_factory=set[str])
    """UIDs whose eviction was answered with 201."""
    unread: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """(run, UID) to when its eviction was left unanswered, until a later reading."""
    moved: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict[tuple[str, str], dict[str, str]])
    """(run, StatefulSet) to {name: UID} of the members that this run has evicted."""
    cordons: dict[str, str] = field(default_factory=dict[str, str])
    """Node UID to the run whose cordon it has."""
    bared: dict[str, float] = field(default_factory=dict[str, float])
    """Node to when a person uncordoned it last."""
    robbed: dict[str, float] = field(default_factory=dict[str, float])
    """Namespace to when its lease was taken by force."""
    seen: dict[tuple[str, str], tuple[float, bool]] = field(default_factory=dict[tuple[str, str], tuple[float, bool]])
    """(run, node) to (when asked, whether it was cordoned with the UID of the plan) as last read."""
    touched: dict[tuple[str, str], float] = field(default_factory=dict[tuple[str, str], float])
    """(run, node) to when the last cordon or uncordon of it was answered, or left unanswered."""
    doubtful: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """(run, node) with a cordon or uncordon that was left without a certain answer: it may arrive later than others."""
    died: list[Operator] = field(default_factory=list["Operator"])
    """Those whose process was killed: what they have sent may still arrive."""
    on_step: Callable[[Operator, State, Input], None] = lambda op, before, event: None

    @property
    def now(self) -> float:
        return self.world.now

    def told(self, op: Operator) -> Orders:
        return self.orders.setdefault(op.run_id, Orders())

    # -- inputs --

    def stepped(self, op: Operator, before: State, event: Input) -> None:
        """After each step of the machine."""
        match event:
            case Told(command):
                self._commanded(op, before, command)
            case Surveyed():
                self._read(op, event)
            case Replied() | Begin() | Unrecorded() | _:
                pass
        run = op.state.run
        flying = op.state.busy is not None and not isinstance(op.state.busy, Survey | CreateLease | UpdateLease)
        assert bool(run.in_flight) == flying, f"in flight is {run.in_flight!r}, under way is {op.state.busy}"
        self.on_step(op, before, event)

    def _commanded(self, op: Operator, before: State, command: Command) -> None:
        run, told = op.state.run, self.told(op)
        going = before.closing is None and not before.run.status.ended
        match command.kind:
            case CommandKind.PAUSE:
                told.paused = told.paused or going
                stopped = run.status is not RunStatus.RUNNING or run.pausing or op.state.closing is not None
                assert stopped, "a pause was not acknowledged at once"
            case CommandKind.RESUME:
                told.paused = False
            case CommandKind.ABORT:
                told.aborted = told.aborted or going
                assert run.aborting or op.state.closing or run.status.ended, "an abort was not acknowledged at once"
            case CommandKind.OVERRIDE if command.gate is not None:
                told.words.add((command.typed, command.gate))
            case CommandKind.UNCORDON if command.node and command.typed == command.node:
                told.nodes.add(command.node)
            case _:
                pass

    def _read(self, op: Operator, event: Surveyed) -> None:
        facts = event.facts
        for key, since in list(self.unread.items()):
            listed = [*facts.pods.values(), *facts.on_node.values()]
            if key[0] == op.run_id and any(r.value is not None and r.at >= since + op.base for r in listed):
                del self.unread[key]
        if op.state.closing is not None:
            return  # its last words are said: it only looks whether a lease is still to be released
        planned = {node.name: node.uid for node in op.state.run.nodes}
        readings = {**{n.name: (facts.nodes.at, n) for n in facts.nodes.value or ()}}
        for name, reading in facts.node.items():
            if reading.absent:
                self.seen[op.run_id, name] = (reading.at - op.base, False)
            elif reading.value is not None:
                readings[name] = (reading.at, reading.value)
        for name, (at, node) in readings.items():
            self.seen[op.run_id, name] = (at - op.base, node.unschedulable and node.uid == planned.get(name))

    def orphaned(self, dead: Operator, record: Kept | None) -> None:
        """A killed run that nobody can take up: what it has cordoned is named by the node itself, or in its lease."""
        for name in self.left_by(dead.run_id):
            node = self.world.nodes[name]
            named = record is not None and any(n.name == name and n.cordoned_by_us for n in record.nodes)
            assert node.annotations.get(RUN_ANNOTATION) == dead.run_id or named, f"{name} stays cordoned unnamed"

    def taken_up(self, heir: Operator) -> None:
        """A person has taken the run up: what was told to the one before is over."""
        told = self.told(heir)
        told.paused = told.aborted = False

    def left_by(self, run_id: str) -> set[str]:
        return {n.name for n in self.world.nodes.values() if self.cordoned_by(n) == run_id}

    def goes_on(self, op: Operator) -> None:
        """After everything that a step has asked for was begun: something must follow."""
        state = op.state
        if op.over:
            return
        assert state.busy is not None or op.awake is not None, f"nothing follows: {state.run.message}"
        assert isinstance(state.busy, Survey) or state.busy is op.sent, "a change is under way that was not sent"

    # -- changes --

    def before(self, op: Operator, change: Change, record: Record | None) -> None:
        """What may never be sent."""
        assert op.sent is None, f"{change} while {op.sent} is not answered"
        assert record is not None, f"{change} was not in the journal before"
        event = record.event
        if isinstance(change, EvictPod):
            assert (event.kind, event.uid, event.data["uid"]) == ("evict", change.pod.uid, change.pod.uid), event
        elif isinstance(change, CordonNode):
            kind = "cordon" if change.unschedulable else "uncordon"
            assert (event.kind, event.data["node"], event.data["uid"]) == (kind, change.node.name, change.node.uid)
        if isinstance(change, LEASE):
            return
        self._may_change(op, change)
        if isinstance(change, EvictPod):
            self._may_evict(op, change)
        elif isinstance(change, CordonNode) and change.unschedulable:
            self._may_cordon(op, change)
        elif isinstance(change, CordonNode):
            self._may_uncordon(op, change)

    def _may_change(self, op: Operator, change: Change) -> None:
        told = self.told(op)
        assert not told.paused, f"{change} while paused"
        assert not told.aborted, f"{change} after an abort"
        assert op.state.closing is None, f"{change} while it ends"
        for namespace in op.state.namespaces:
            lease = self.world.leases.get(namespace)
            robbed = self.now - self.robbed.get(namespace, -99) <= RENEWED_LATELY + WINDOW
            mine = lease is not None and lease.holder == op.holder
            assert mine or robbed, f"{change} without the lease of {namespace}"
        home = self.world.leases.get(op.state.home)
        if home is not None and home.holder == op.holder and isinstance(change, EvictPod | CordonNode):
            doing = from_record(home.annotations[STATE_ANNOTATION]).intent
            whom = change.pod.uid if isinstance(change, EvictPod) else change.node.name
            assert doing is not None and doing[1] == whom, f"the lease says {doing} before {change}"

    def _may_cordon(self, op: Operator, change: CordonNode) -> None:
        names = {node.name for node in op.plan.nodes}
        assert change.node.name in names, f"{change.node.name} is not of the plan"

    def _may_uncordon(self, op: Operator, change: CordonNode) -> None:
        node = self.world.nodes.get(change.node.name)
        asked = change.node.name in self.told(op).nodes
        if node is None or not node.unschedulable or node.uid != change.node.uid or asked:
            return
        stale = str(node.version) != change.node.resource_version  # the server refuses it: somebody else was faster
        assert stale or self.cordoned_by(node) == op.run_id, f"{node.name} was not cordoned by this run"

    def _may_evict(self, op: Operator, change: EvictPod) -> None:
        uid, name = change.pod.uid, change.pod.name
        assert (op.run_id, uid) not in self.unread, f"{name} evicted again blindly"
        assert uid not in self.granted, f"{name} evicted again after 201"
        late = any(dead.run_id == op.run_id and uid in dead.on_wire for dead in self.died)
        assert not late, f"{name} evicted again, and what was sent before the death may still arrive"
        pod = self.world.pods.get(uid)
        known = {m.pod.uid for n in op.plan.nodes for m in n.members}
        known |= {o.pod.uid for n in op.plan.nodes for o in n.others if o.verdict == "evict"}
        named = any(event.uid == uid or name in event.text for event in op.journal[:-1])
        assert uid in known or named, f"{name} was neither planned nor told before"
        if pod is None:
            return
        at_work = op.state.run.node
        assert at_work is not None and pod.node == at_work.name, f"{name} is on {pod.node}, not on the node at work"
        assert not pod.daemon, f"{name} is a DaemonSet's"
        assert pod.deleting is None or self.now - pod.deleting_at <= WINDOW, f"{name} was terminating already"
        node = self.world.nodes.get(pod.node)
        lately = self.now - self.bared.get(pod.node, -99) <= WINDOW
        assert node is None or node.unschedulable or lately, f"{name} leaves {pod.node}, which is not cordoned"
        if pod.member:
            self._quorum_stays(op, pod)
            self._others_are_back(op, pod)
            self._comes_back(op, pod)

    def _typed(self, op: Operator, pod: SimPod, gate: GateName) -> bool:
        return (pod.name, gate) in self.told(op).words

    def _quorum_stays(self, op: Operator, pod: SimPod) -> None:
        world, options = self.world.of(pod), op.plan.options
        if self._typed(op, pod, GateName.QUORUM) or (world.voters <= 2 and options.accept_outage):
            return
        assert world.voters > 2, f"{pod.name} of {world.voters} voters goes, and no outage was accepted"
        spare = options.spare if options.spare is not None else (1 if world.voters >= 5 else 0)
        costs = world.votes(pod) and pod.true_since < self.now - WINDOW
        need = world.majority + (spare if costs else 0)
        others = [p for p in world.members() if p.uid != pod.uid and world.votes(p) and self._served(p)]
        assert len(others) >= need, f"{pod.name} goes, and only {len(others)} other voters serve; {need} are needed"

    def _served(self, pod: SimPod) -> bool:
        """Whether it really served, and was not on its way out, within the age that evidence may have."""
        since = self.now - WINDOW
        return pod.last_true >= since and (pod.deleting is None or pod.deleting_at >= since)

    def _others_are_back(self, op: Operator, pod: SimPod) -> None:
        if self._typed(op, pod, GateName.SETTLED):
            return
        world = self.world.of(pod)
        for name, uid in self.moved.get((op.run_id, pod.set), {}).items():
            if name != pod.name:
                back = self.back_since(world, name, uid)
                dwell = op.plan.options.dwell if op.plan.options.dwell is not None else world.ensemble().dwell
                served = f"serves since {back}" if back is not None else "is not back"
                assert back is not None and back <= self.now - dwell + TICK, f"{pod.name} goes, and {name} {served}"

    def back_since(self, world: World, name: str, uid: str) -> float | None:
        """When a successor of the pod served for the first time; None while there was none."""
        later = (at for other, (called, at) in world.served.items() if called == name and _born(other) > _born(uid))
        return min(later, default=None)

    def _comes_back(self, op: Operator, pod: SimPod) -> None:
        world = self.world.of(pod)
        if self._typed(op, pod, GateName.RETURN) or self.now - world.revised_at <= WINDOW:
            return
        all_there = len(world.members()) == world.wanted
        assert not (all_there and world.statefulset().is_updating), f"{pod.name} goes in a rolling update"
        again = world.next_revision(ordinal(pod.name))
        assert pod.revision == again, f"{pod.name} goes as {pod.revision} and comes back as {again}"

    def answered(self, op: Operator, change: Change, reply: Reply[object]) -> None:
        """The outcome as the operator hears it."""
        vague = (isinstance(reply, Unanswered) and reply.sent) or (isinstance(reply, Refused) and reply.code >= 500)
        if isinstance(change, EvictPod):
            if vague:
                self.unread[op.run_id, change.pod.uid] = self.now
            elif isinstance(reply, Answer):
                self.granted.add(change.pod.uid)
        elif isinstance(change, CordonNode):
            key = (op.run_id, change.node.name)
            self.touched[key] = self.now
            if vague:
                self.doubtful.add(key)
            elif isinstance(reply, Answer):
                self.doubtful.discard(key)

    def done(self, op: Operator, change: Change) -> None:
        """The server has carried it out, whether anybody hears of it or not."""
        if isinstance(change, EvictPod):
            pod = self.world.pods[change.pod.uid]
            if pod.member:
                self.moved.setdefault((op.run_id, pod.set), {})[pod.name] = pod.uid
        elif isinstance(change, CordonNode):
            if change.unschedulable:
                self.cordons[change.node.uid] = op.run_id
            else:
                self.cordons.pop(change.node.uid, None)

    # -- the end --

    def cordoned_by(self, node: SimNode) -> str:
        """The run whose cordon the node has; empty when it has none, or a person's."""
        return self.cordons.get(node.uid, "") if node.unschedulable and node.cordoned_by_engine else ""

    def ended(self, op: Operator) -> None:
        """What is said at the end is true, and nothing is left unsaid."""
        run = op.state.run
        assert run.status.ended and not run.in_flight
        left = self.left_by(op.run_id)
        named = left if "where this run goes on" in run.message else set(run.cordoned)
        assert left <= named, f"{left} stays cordoned, {run.cordoned} is named"
        assert all(name in run.message for name in run.cordoned), run.message
        for name in set(run.cordoned) - left:
            asked, cordoned = self.seen.get((op.run_id, name), (-1.0, True))
            certain = (op.run_id, name) not in self.doubtful and asked > self.touched.get((op.run_id, name), -1.0)
            assert cordoned or not certain, f"{name} is named as cordoned, though it was read and was not"
        self._away(op)
        leases = [lease for lease in self.world.leases.values() if lease.holder == op.holder]
        assert not leases or op.release_failed, "a lease was not released"

    def _away(self, op: Operator) -> None:
        run = op.state.run
        left = any(node.step is NodeStep.LEFT_CORDONED for node in run.nodes)
        for (run_id, which), names in self.moved.items():
            if run_id != op.run_id:
                continue
            world = next(w for w in (self.world, *self.world.company) if w.name == which)
            for name, uid in names.items():
                if self.back_since(world, name, uid) is not None:
                    continue
                waits = left and op.plan.options.hold.kind is HoldKind.LEAVE
                assert run.status is not RunStatus.DONE or waits, f"done, and {name} is not back"
                assert name in run.message.partition(AWAY_WORDS)[2], f"{name} is not back, and not named: {run.message}"


def _born(uid: str) -> int:
    return int(uid.rpartition("-")[2])
