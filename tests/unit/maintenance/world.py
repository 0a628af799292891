"""A small simulated cluster with a ZooKeeper ensemble: what the fakes of the ports and the random schedules share.

Written from Kubernetes' and ZooKeeper's behaviour, not from the engine: a StatefulSet controller, a scheduler with
anti-affinity, a disruption controller, the eviction handler, and an ensemble that elects, serves and falls silent.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from zktui.core.kube import (
    HOSTNAME_TOPOLOGY,
    AffinityTerm,
    Budget,
    Container,
    Lease,
    Node,
    Owner,
    Pod,
    PodKey,
    PodSpec,
    StatefulSet,
)
from zktui.core.labels import Selector
from zktui.core.ports import Answer, Cause, Evicted, Refused, Reply
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, Mode, Server, Zxid

TICK = 0.25
EPOCH = 1_800_000_000.0
NAMESPACE = "default"
LABELS = {"app": "zk"}
SELECTOR = Selector.of_labels(LABELS)
APART = AffinityTerm(HOSTNAME_TOPOLOGY, SELECTOR)
SPEC = PodSpec(containers=(Container("zk", "zookeeper:3.9"),), anti_affinity=(APART,), grace=10)


@dataclass
class SimPod:
    name: str
    uid: str
    node: str = ""
    member: bool = True
    daemon: bool = False
    created: float = 0.0
    run_at: float = math.inf
    up_at: float = math.inf
    join_delay: float = 1.0
    joined: bool = False
    frozen_until: float = -math.inf
    deleting: float | None = None
    gone_at: float = math.inf
    zxid: int = 0
    last_true: float = -math.inf
    """When it last really served."""

    def running(self, now: float) -> bool:
        return now >= self.run_at

    def up(self, now: float) -> bool:
        return now >= self.up_at and now >= self.frozen_until and self.running(now)


@dataclass
class SimNode:
    name: str
    uid: str
    version: int = 1
    unschedulable: bool = False
    ready: bool = True
    cordoned_by_engine: bool = False


@dataclass
class World:
    """Members zk-0… on node-1…; `spare` nodes without a member; a DaemonSet's pod and a web pod on each node."""

    rng: random.Random
    replicas: int = 3
    spare: int = 1
    ordered: bool = True
    max_unavailable: int = 1
    slow: float = 1.0
    """How long starts take, as a factor."""
    now: float = 0.0
    wall_offset: float = 0.0
    nodes: dict[str, SimNode] = field(default_factory=dict[str, SimNode])
    pods: dict[str, SimPod] = field(default_factory=dict[str, SimPod])
    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    leader: str = ""
    epoch: int = 1
    counter: int = 7
    lost_at: float | None = None
    elect_at: float = 0.0
    elections: int = 0
    disrupted: dict[str, float] = field(default_factory=dict[str, float])
    allowed: int = 0
    current: int = 0
    budget_version: int = 1
    serial: int = 0
    evicted: list[PodKey] = field(default_factory=list[PodKey])
    """Evictions that the server granted, members and others."""
    deleted_by_us: set[str] = field(default_factory=set[str])
    never_up: set[str] = field(default_factory=set[str])
    """Names whose next pod never starts to serve."""

    def __post_init__(self) -> None:
        for number in range(1, self.replicas + self.spare + 1):
            name = f"node-{number}"
            self.nodes[name] = SimNode(name, self._uid("node"))
            self._add(SimPod(f"daemon-{number}", self._uid("pod"), name, member=False, daemon=True, run_at=-99))
            self._add(SimPod(f"web-{number}", self._uid("pod"), name, member=False, run_at=-99))
        for index in range(self.replicas):
            pod = SimPod(f"zk-{index}", self._uid("pod"), f"node-{index + 1}", created=-999, run_at=-999, up_at=-999)
            pod.joined = True
            self._add(pod)
        self.leader = self.rng.choice(self.members()).uid
        self._write()
        self._account()

    def _uid(self, kind: str) -> str:
        self.serial += 1
        return f"{kind}-{self.serial}"

    def _add(self, pod: SimPod) -> None:
        self.pods[pod.uid] = pod

    @property
    def wall(self) -> float:
        return EPOCH + self.now + self.wall_offset

    @property
    def majority(self) -> int:
        return self.replicas // 2 + 1

    def members(self) -> list[SimPod]:
        return [p for p in self.pods.values() if p.member]

    def named(self, name: str) -> SimPod | None:
        return next((p for p in self.pods.values() if p.name == name), None)

    # -- time --

    def advance(self, to: float) -> None:
        while self.now + TICK <= to:
            self.now += TICK
            self._tick()

    def _tick(self) -> None:
        for pod in [p for p in self.pods.values() if self.now >= p.gone_at]:
            self._remove(pod)
        self._control()
        self._schedule()
        self._zookeeper()
        self._account()

    def _remove(self, pod: SimPod) -> None:
        del self.pods[pod.uid]
        if self.disrupted.get(pod.name, -1) >= 0:
            self.disrupted.pop(pod.name)

    def _control(self) -> None:
        """The StatefulSet controller: one pod a tick, in order where it is OrderedReady."""
        by_name = {p.name: p for p in self.members()}
        for index in range(self.replicas):
            name = f"zk-{index}"
            if name not in by_name:
                pod = SimPod(name, self._uid("pod"), created=self.wall)
                pod.join_delay = self.rng.uniform(0.3, 4) * self.slow
                self._add(pod)
                return
            if self.ordered and not self.ready(by_name[name]):
                return

    def _schedule(self) -> None:
        for pod in self.members():
            if pod.node or pod.deleting is not None:
                continue
            taken = {p.node for p in self.members()}
            for node in self.nodes.values():
                if node.ready and not node.unschedulable and node.name not in taken:
                    pod.node = node.name
                    pod.run_at = self.now + self.rng.uniform(0.3, 1.5) * self.slow
                    pod.up_at = pod.run_at + self.rng.uniform(0.3, 2) * self.slow
                    if pod.name in self.never_up:
                        pod.up_at = math.inf
                    break

    def ready(self, pod: SimPod) -> bool:
        """Readiness by ruok, as in the tutorial: long before it serves."""
        return pod.running(self.now) and self.now >= pod.run_at + 0.3 and pod.node in self.nodes

    # -- the ensemble --

    def _zookeeper(self) -> None:
        now = self.now
        up = [p for p in self.members() if p.up(now)]
        leader = self.pods.get(self.leader)
        if self.leader and (leader is None or not leader.up(now)):
            if self.lost_at is None:
                # A dead leader is noticed at once, a frozen one only after its followers' syncLimit.
                self.lost_at = now
                self.elect_at = now + (0.5 if leader is None else self.rng.uniform(3, 9))
            if leader is None or now >= self.elect_at:
                self._dissolve()
        elif not self.leader and len(up) >= self.majority and now >= self.elect_at:
            self._elect(up)
        elif leader is not None:
            self.lost_at = None
            self._follow(up, leader)
        if self.quorum():
            for pod in up:
                if pod.joined:
                    pod.last_true = now

    def _dissolve(self) -> None:
        self.leader, self.lost_at = "", None
        for pod in self.members():
            pod.joined = False
        self.elect_at = max(self.elect_at, self.now + 0.3)

    def _elect(self, up: list[SimPod]) -> None:
        best = max(up, key=lambda p: (p.zxid, p.name))
        self.leader = best.uid
        self.elections += 1
        self.epoch, self.counter = self.epoch + 1, 0
        best.zxid = self.epoch << 32
        for pod in up:
            pod.joined = True

    def _follow(self, up: list[SimPod], leader: SimPod) -> None:
        for pod in up:
            if not pod.joined and self.now >= max(pod.up_at, pod.frozen_until) + pod.join_delay:
                pod.joined, pod.zxid = True, leader.zxid
        if sum(p.joined for p in up) < self.majority:
            self.elect_at = self.now + 0.5
            self._dissolve()
        elif self.rng.random() < 0.4:
            self.counter += 1
            self._write()

    def _write(self) -> None:
        for pod in self.members():
            if pod.joined and pod.up(self.now):
                pod.zxid = self.epoch << 32 | self.counter

    def quorum(self) -> bool:
        leader = self.pods.get(self.leader)
        serving = [p for p in self.members() if p.joined and p.up(self.now)]
        return leader is not None and leader.up(self.now) and len(serving) >= self.majority

    def mode(self, pod: SimPod) -> Mode:
        if not pod.up(self.now):
            return Mode.SILENT
        if not pod.joined:
            return Mode.LOOKING
        return Mode.LEADER if pod.uid == self.leader else Mode.FOLLOWER

    def freeze(self, pod: SimPod, seconds: float) -> None:
        pod.frozen_until = self.now + seconds
        pod.join_delay = 1.0
        if pod.uid != self.leader:
            pod.joined = False

    # -- the budget --

    def _account(self) -> None:
        for name, at in list(self.disrupted.items()):
            if self.wall - at > 120:
                self.disrupted.pop(name)
        healthy = [p for p in self.members() if self.ready(p) and p.deleting is None and p.name not in self.disrupted]
        allowed = max(0, len(healthy) - (self.replicas - self.max_unavailable))
        if (allowed, len(healthy)) != (self.allowed, self.current):
            self.allowed, self.current = allowed, len(healthy)
            self.budget_version += 1

    # -- the API --

    def evict(self, key: PodKey) -> Reply[Evicted]:
        pod = self.named(key.name)
        if pod is None:
            return Refused(404, "NotFound", f'pods "{key.name}" not found', self.now)
        if pod.deleting is not None:
            return Answer(Evicted(), self.now, 201)
        if pod.member and pod.node and pod.running(self.now):
            refused = self._spend(pod)
            if refused is not None:
                return refused
        if pod.uid != key.uid:
            return Refused(409, "Conflict", "the UID in the precondition does not match", self.now)
        self.evicted.append(key)
        self.deleted_by_us.add(pod.uid)
        self.delete(pod)
        return Answer(Evicted(), self.now, 201)

    def _spend(self, pod: SimPod) -> Refused | None:
        desired = self.replicas - self.max_unavailable
        if not self.ready(pod) and self.current >= desired > 0:
            return None
        if self.allowed < 1:
            text = f"The disruption budget zk-pdb needs {desired} healthy pods and has {self.current} currently"
            cause = Cause("DisruptionBudget", text)
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            return Refused(429, "TooManyRequests", message, self.now, (cause,))
        self.allowed -= 1
        self.disrupted[pod.name] = self.wall
        self.budget_version += 1
        return None

    def delete(self, pod: SimPod) -> None:
        pod.deleting = self.wall
        pod.gone_at = self.now + (self.rng.uniform(0.2, 2) if pod.node else 0)

    def cordon(self, node: Node, unschedulable: bool) -> Reply[Node]:
        mine = self.nodes.get(node.name)
        if mine is None:
            return Refused(404, "NotFound", f'nodes "{node.name}" not found', self.now)
        if mine.uid != node.uid or str(mine.version) != node.resource_version:
            return Refused(409, "Conflict", "the object has been modified", self.now)
        mine.unschedulable = unschedulable
        mine.version += 1
        mine.cordoned_by_engine = unschedulable
        return Answer(self.node(mine), self.now)

    def put_lease(self, lease: Lease, *, create: bool) -> Reply[Lease]:
        old = self.leases.get(lease.namespace)
        if create and old is not None:
            return Refused(409, "AlreadyExists", "exists", self.now)
        if not create and (old is None or old.resource_version != lease.resource_version):
            return Refused(404 if old is None else 409, "Conflict", "the object has been modified", self.now)
        self.serial += 1
        kept = Lease(
            lease.namespace,
            lease.name,
            old.uid if old else self._uid("lease"),
            str(self.serial),
            lease.holder,
            lease.duration,
            lease.acquired_at,
            lease.renewed_at,
            lease.transitions,
            lease.annotations,
        )
        self.leases[lease.namespace] = kept
        return Answer(kept, self.now)

    # -- objects as the API shows them --

    def node(self, node: SimNode) -> Node:
        return Node(
            node.name,
            node.uid,
            str(node.version),
            node.unschedulable,
            node.ready,
            labels={HOSTNAME_TOPOLOGY: node.name},
            pod_limit=110,
        )

    def statefulset(self) -> StatefulSet:
        return StatefulSet(
            NAMESPACE,
            "zk",
            "sts-zk",
            replicas=self.replicas,
            ready_replicas=self.current,
            updated_replicas=self.replicas,
            current_revision="zk-1",
            update_revision="zk-1",
            pod_management="OrderedReady" if self.ordered else "Parallel",
            selector=SELECTOR,
            template_labels=LABELS,
            template=SPEC,
        )

    def ensemble(self) -> Ensemble:
        return Ensemble(self.statefulset(), "zk", tick_time=500, sync_limit=4)

    def pod(self, pod: SimPod) -> Pod:
        owner = Owner("StatefulSet", "zk", "sts-zk", "apps/v1")
        if not pod.member:
            kind = "DaemonSet" if pod.daemon else "ReplicaSet"
            owner = Owner(kind, pod.name, f"owner-{pod.name}", "apps/v1")
        running = pod.running(self.now)
        reason = "" if pod.node else "Unschedulable"
        return Pod(
            NAMESPACE,
            pod.name,
            pod.uid,
            node=pod.node,
            phase="Running" if running else "Pending",
            ready=self.ready(pod) if pod.member else True,
            ready_since=EPOCH + pod.run_at if running and pod.run_at > 0 else EPOCH - 999,
            created_at=pod.created,
            deleting_since=pod.deleting,
            labels={**LABELS, "controller-revision-hash": "zk-1"} if pod.member else {"app": "web"},
            owner=owner,
            ip=f"10.0.0.{pod.uid.partition('-')[2]}",
            reason=reason if pod.member else "",
            message="0 nodes are available" if reason and pod.member else "",
            disruption_target="EvictionByEvictionAPI" if pod.uid in self.deleted_by_us else "",
            spec=SPEC if pod.member else PodSpec(),
        )

    def budget(self) -> Budget:
        return Budget(
            NAMESPACE,
            "zk-pdb",
            "pdb",
            str(self.budget_version),
            SELECTOR,
            max_unavailable=str(self.max_unavailable),
            generation=1,
            observed_generation=1,
            allowed=self.allowed,
            current=self.current,
            desired=self.replicas - self.max_unavailable,
            expected=self.replicas,
            disrupted=dict(self.disrupted),
        )

    def config(self) -> EnsembleConfig:
        host = "zk-hs.default.svc.cluster.local"
        return EnsembleConfig(tuple(Server(n + 1, f"zk-{n}.{host}") for n in range(self.replicas)), at=self.now)

    def report(self, pod: SimPod) -> MemberReport:
        mode = self.mode(pod)
        zxid = Zxid(pod.zxid) if mode.serving else None
        return MemberReport(self.pod(pod).key, self.now, mode, zxid, "3.9.4", source="srvr")
