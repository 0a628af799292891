"""Random schedules: the machine driven straight from a heap, with no asyncio, against the simulated cluster.

One seed is one schedule. Every promise of the machine is checked as it goes; a broken one raises AssertionError.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tests.unit.maintenance.world import EPOCH, NAMESPACE, SimNode, SimPod, World
from zktui.core.ports import Answer, Cause, Evicted, Refused, Reply, Unanswered
from zktui.maintenance.effects import (
    Begin,
    Change,
    CordonNode,
    CreateLease,
    Effect,
    EvictPod,
    Input,
    Record,
    Replied,
    Survey,
    Surveyed,
    Told,
    Unrecorded,
    UpdateLease,
    Wake,
    Woken,
)
from zktui.maintenance.facts import Facts, OwnerKey, Reading
from zktui.maintenance.machine import begin, step
from zktui.maintenance.model import Command, CommandKind, Hold, HoldKind, NodeStep, Options, Plan, RunStatus
from zktui.maintenance.planning import plan
from zktui.maintenance.survey import Scope

HOLDER = "ann@laptop (run-1)"
SLACK = 3.0
"""Seconds: evidence holds 2 s, and a tick of the world and the decision's own moment come on top."""


def read(world: World, scope: Scope, broken: frozenset[str] = frozenset()) -> Facts:
    """What a survey would have found at this very moment; `broken` names the readings that fail."""

    def reading(name: str, value: Any) -> Reading[Any]:
        if name in broken:
            return Reading(world.now, None, f"{name}: timed out")
        return Reading(world.now, value, "")

    pods = [world.pod(p) for p in world.pods.values()]
    members = tuple(p for p in pods if p.owner is not None and p.owner.uid == "sts-zk")
    ensemble = world.ensemble()
    facts = Facts(
        world.now,
        world.wall,
        pods={ensemble.key: reading("pods", members)},
        budgets={NAMESPACE: reading("budgets", (world.budget(),))},
        reports={p.uid: world.report(p) for p in world.members() if p.running(world.now)},
        node={name: _node(world, name, broken) for name in scope.nodes},
        on_node={name: reading("on_node", tuple(p for p in pods if p.node == name)) for name in scope.nodes},
    )
    if scope.decide:
        lease = world.leases.get(NAMESPACE)
        facts = replace(
            facts,
            statefulsets={NAMESPACE: reading("statefulsets", (world.statefulset(),))},
            configs={ensemble.key: reading("config", world.config())},
            nodes=reading("nodes", tuple(world.node(n) for n in world.nodes.values())),
            claims={NAMESPACE: reading("claims", ())},
            volumes=reading("volumes", ()),
            leases={NAMESPACE: reading("lease", lease) if lease else Reading(world.now, absent=True)},
            on_node={n: reading("on_node", tuple(p for p in pods if p.node == n)) for n in world.nodes},
        )
    if scope.select:
        owners = {OwnerKey(NAMESPACE, "DaemonSet", p.name): p for p in world.pods.values() if p.daemon}
        facts = replace(facts, owners={key: Reading(world.now, True, "") for key in owners})
    return facts


def _node(world: World, name: str, broken: frozenset[str]) -> Reading[Any]:
    if "node" in broken:
        return Reading(world.now, None, "timed out")
    node = world.nodes.get(name)
    return Reading(world.now, world.node(node), "") if node else Reading(world.now, absent=True)


@dataclass
class Faults:
    """How often what goes wrong, as probabilities; `events` is how many things happen to the cluster itself."""

    refuse: float = 0.0
    lose: float = 0.0
    slow: float = 0.0
    unread: float = 0.0
    journal: float = 0.0
    events: int = 0
    kinds: tuple[str, ...] = (
        "freeze",
        "freeze-leader",
        "crash",
        "delete",
        "never-up",
        "not-ready",
        "node-gone",
        "node-replaced",
        "cordon-other",
        "uncordon-ours",
        "thief",
        "clock",
        "pause",
    )


@dataclass
class Schedule:
    """One run of the machine from Begin to its end, or to the horizon and then an abort."""

    seed: int
    faults: Faults = field(default_factory=Faults)
    nodes: int = 2
    horizon: float = 90.0
    options: Options = field(
        default_factory=lambda: Options(ignore_daemonsets=True, hold=Hold(HoldKind.SECONDS, 1.0), dwell=2.0)
    )
    replicas: int = 3
    ordered: bool | None = None
    log: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        ordered = self.rng.random() < 0.5 if self.ordered is None else self.ordered
        self.world = World(self.rng, self.replicas, ordered=ordered)
        self.heap: list[tuple[float, int, Input | str | tuple[Change, float]]] = []
        self.serial = 0
        self.now = 0.0
        self.wake: int | None = None
        self.unknown: set[str] = set()
        """UIDs whose eviction was not answered and that were not read since."""
        self.granted: set[str] = set()
        self.bared: dict[str, float] = {}
        self.thief_at: float | None = None
        scope = Scope((self.world.ensemble(),), tuple(self.world.nodes), decide=True, select=True)
        names = self.rng.sample(sorted(self.world.nodes), self.nodes)
        facts = read(self.world, scope)
        self.plan: Plan = plan(facts, names, self.options, EPOCH, (self.world.ensemble(),))
        assert self.plan.go, self.plan.stops
        self.state = begin("run-1", self.plan, (self.world.ensemble(),), HOLDER)

    def push(self, at: float, item: Input | str | tuple[Change, float]) -> int:
        self.serial += 1
        heapq.heappush(self.heap, (at, self.serial, item))
        return self.serial

    def play(self) -> Self:
        for _ in range(self.faults.events):
            self.push(self.rng.uniform(0, self.horizon * 0.6), self.rng.choice(self.faults.kinds))
        self.feed(Begin())
        aborted = False
        while self.heap and not self.state.run.status.ended:
            at, serial, item = heapq.heappop(self.heap)
            if isinstance(item, Woken) and serial != self.wake:
                continue
            self.now = max(self.now, at)
            self.world.advance(self.now)
            if isinstance(item, str):
                self.happen(item)
            elif isinstance(item, tuple):
                self.act_late(*item)
            else:
                self.feed(item)
            if self.now > self.horizon and not aborted:
                aborted = True
                self.feed(Told(Command(CommandKind.ABORT)))
                assert self.state.run.aborting or self.state.closing or self.state.run.status.ended
            assert self.now < self.horizon + 120, f"no end: {self.state.run.message}"
        assert self.state.run.status.ended, self.state.run.message
        self.check_end()
        return self

    def feed(self, event: Input) -> None:
        if isinstance(event, Surveyed) and event.facts.pods[self.world.ensemble().key].value is not None:
            self.unknown.clear()
        self.state, effects = step(self.state, event, self.now)
        recorded = False
        for effect in effects:
            if isinstance(effect, Record):
                self.log.append(f"{self.now:8.2f} {effect.event.kind:9} {effect.event.text}")
                if self.rng.random() < self.faults.journal:
                    self.feed(Unrecorded("The disk is full."))
                    return
                recorded = True
                continue
            self.start(effect, recorded)
            recorded = False

    def start(self, effect: Effect, recorded: bool) -> None:
        rng = self.rng
        match effect:
            case Wake(at):
                self.wake = self.push(at, Woken())
            case Survey(scope):
                broken: set[str] = set()
                if rng.random() < self.faults.unread:
                    names = ("pods", "budgets", "config", "nodes", "node", "lease", "on_node", "statefulsets")
                    broken = set(rng.sample(names, rng.randint(1, 3)))
                took = rng.uniform(1, 4) if rng.random() < self.faults.slow else rng.uniform(0.02, 0.3)
                self.push(self.now + took, Surveyed(read(self.world, scope, frozenset(broken))))
            case Record():
                pass
            case _:
                assert recorded, f"{effect} was not in the journal before"
                self.judge_change(effect)
                self.send(effect)

    def judge_change(self, change: Change) -> None:
        """What may never be sent."""
        alone = self.thief_at is None or self.now - self.thief_at <= SLACK
        assert alone or isinstance(change, UpdateLease), f"{change} without the lease"
        if isinstance(change, EvictPod):
            uid = change.pod.uid
            assert uid not in self.unknown, f"{change.pod.name} evicted again blindly"
            assert uid not in self.granted, f"{change.pod.name} evicted again after 201"
            assert change.pod.name in self.planned(), f"{change.pod.name} was not planned"
        elif isinstance(change, CordonNode) and not change.unschedulable:
            mine = self.world.nodes.get(change.node.name)
            if mine is not None and mine.uid == change.node.uid and mine.version == int(change.node.resource_version):
                assert mine.cordoned_by_engine, f"{mine.name} was not cordoned by this run"

    def planned(self) -> set[str]:
        names = {m.pod.name for m in self.plan.nodes[0].members} | {f"zk-{n}" for n in range(self.replicas)}
        return names | {o.pod.name for node in self.plan.nodes for o in node.others if o.verdict == "evict"}

    def send(self, change: Change) -> None:
        rng, faults = self.rng, self.faults
        delay = rng.uniform(0.5, 3) if rng.random() < faults.slow else rng.uniform(0.01, 0.2)
        back = self.now + delay
        chance = rng.random()
        reply: Reply[Any]
        if chance < faults.refuse:
            reply = self.refusal(change)
        elif chance < faults.refuse + faults.lose:
            match rng.randrange(4):
                case 0:
                    reply = Unanswered("connection refused", self.now, sent=False)
                case 1:
                    reply = Unanswered("timed out", self.now)
                case 2:
                    self.act(change, self.now)
                    reply = Unanswered("connection reset", self.now)
                case _:
                    reply = Unanswered("timed out", self.now)
                    self.push(back + rng.uniform(0.05, 1.5), (change, self.now))
        else:
            reply = self.act(change, self.now)
        if isinstance(change, EvictPod):
            if isinstance(reply, Unanswered) and reply.sent:
                self.unknown.add(change.pod.uid)
            elif isinstance(reply, Answer):
                self.granted.add(change.pod.uid)
        self.push(back, Replied(change, reply))

    def refusal(self, change: Change) -> Refused:
        choices = [
            Refused(500, "InternalError", "etcdserver: leader changed", self.now),
            Refused(503, "ServiceUnavailable", "apiserver is shutting down", self.now),
            Refused(429, "TooManyRequests", "too many requests", self.now, retry_after=1.0),
        ]
        if isinstance(change, EvictPod):
            words = 'admission webhook "keeper.example" denied the request: not now'
            choices += [
                Refused(403, "Forbidden", words, self.now),
                Refused(403, "Forbidden", "forbidden", self.now, (Cause("NamespaceTerminating", "is terminating"),)),
                Refused(409, "Conflict", "the object has been modified", self.now),
            ]
            if self.rng.random() < 0.1:
                choices.append(Refused(403, "Forbidden", 'cannot create resource "pods/eviction"', self.now))
        return self.rng.choice(choices)

    def act_late(self, change: Change, decided: float) -> None:
        self.act(change, decided)

    def act(self, change: Change, decided: float) -> Reply[Any]:
        """The server carries it out now."""
        world = self.world
        match change:
            case EvictPod(pod):
                safe = self.others_serving(pod.uid, decided)
                reply: Reply[Evicted] = world.evict(pod)
                went = isinstance(reply, Answer) and bool(world.evicted) and world.evicted[-1] == pod
                if went and pod.name.startswith("zk-"):
                    assert safe >= world.majority, f"{pod.name} went, and only {safe} others served"
                return reply
            case CordonNode(node, flag, annotations):
                return world.cordon(node, flag, annotations)
            case CreateLease(lease):
                return world.put_lease(lease, create=True)
            case UpdateLease(lease):
                return world.put_lease(lease, create=False)

    def others_serving(self, uid: str, decided: float) -> int:
        """Voters other than this pod that really served within the age that evidence may have."""
        since = decided - SLACK
        pods = [p for p in self.world.members() if p.uid != uid and p.last_true >= since]
        return sum(1 for p in pods if p.deleting is None or p.deleting - self.world.wall_offset - EPOCH >= since)

    # -- what happens to the cluster --

    def happen(self, kind: str) -> None:
        rng, world = self.rng, self.world
        self.log.append(f"{self.now:8.2f} -- {kind}")
        members = [p for p in world.members() if p.deleting is None and p.node]
        victim: SimPod | None = rng.choice(members) if members else None
        node = world.nodes[rng.choice(sorted(world.nodes))]
        match kind:
            case "freeze" if victim:
                world.freeze(victim, rng.uniform(1, 15))
            case "freeze-leader" if world.leader in world.pods:
                world.freeze(world.pods[world.leader], rng.uniform(1, 15))
            case "crash" if victim:
                victim.joined, victim.up_at = False, self.now + rng.uniform(1, 5)
            case "delete" if victim:
                world.delete(victim)
            case "never-up":
                world.never_up.add(f"zk-{rng.randrange(world.replicas)}")
            case "not-ready":
                node.ready = False
            case "node-gone" | "node-replaced":
                self.lose_node(node.name, replaced=kind == "node-replaced")
            case "cordon-other" if not node.unschedulable and not self.in_doubt(node):
                node.unschedulable = True
                node.cordoned_by_engine = False
                node.version += 1
            case "uncordon-ours" if node.unschedulable:
                self.bared[node.name] = self.now
                node.unschedulable = node.cordoned_by_engine = False
                node.version += 1
            case "thief":
                self.steal()
            case "clock":
                world.wall_offset += rng.uniform(-100, 100)
            case "pause":
                self.feed(Told(Command(CommandKind.PAUSE)))
                assert self.state.run.status is not RunStatus.RUNNING or self.state.run.pausing or self.state.closing
                self.push(self.now + rng.uniform(0.1, 5), "resume")
            case "resume":
                self.feed(Told(Command(CommandKind.RESUME)))
            case _:
                pass

    def in_doubt(self, node: SimNode) -> bool:
        """Whose cordon it was could not be told: ours is unanswered, or one came and went between two readings."""
        at = self.state.run.node
        asking = at is not None and at.name == node.name and at.step in (NodeStep.CLAIM, NodeStep.CORDON)
        return asking or self.now - self.bared.get(node.name, -99) < 5

    def lose_node(self, name: str, *, replaced: bool) -> None:
        world = self.world
        old = world.nodes.pop(name)
        for pod in [p for p in world.pods.values() if p.node == name]:
            pod.up_at = float("inf")
            pod.deleting, pod.gone_at = world.wall, self.now + 0.5
        if replaced:
            fresh = replace(
                old, uid=f"{old.uid}-again", version=99, unschedulable=False, cordoned_by_engine=False, annotations={}
            )
            world.nodes[name] = fresh

    def steal(self) -> None:
        """Another operator takes the lease by force."""
        old = self.world.leases.get(NAMESPACE)
        if old is not None and old.holder:
            self.thief_at = self.now
            self.world.leases[NAMESPACE] = replace(old, holder="bob", resource_version=f"{old.resource_version}x")

    def check_end(self) -> None:
        run = self.state.run
        left = {n.name for n in self.world.nodes.values() if n.cordoned_by_engine and n.unschedulable}
        assert left <= set(run.cordoned), f"{left} stays cordoned, {run.cordoned} is named"
        if run.cordoned:
            assert all(name in run.message for name in run.cordoned), run.message
        assert not run.in_flight
