"""A small simulated cluster with a ZooKeeper ensemble: what the fakes of the ports and the random schedules share.

Written from Kubernetes' and ZooKeeper's behaviour, not from the engine: controllers and scheduler (controllers.py), an
ensemble that elects, serves and falls silent (servers.py), and here the API: the eviction handler, cordons, leases, and
objects as the API shows them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.unit.maintenance.controllers import EPOCH, Controllers, SimNode
from tests.unit.maintenance.servers import SimPod
from zktui.core.kube import (
    HOSTNAME_TOPOLOGY,
    AffinityTerm,
    Budget,
    Claim,
    Container,
    Lease,
    Node,
    Owner,
    Pod,
    PodKey,
    PodSpec,
    StatefulSet,
    Volume,
)
from zktui.core.labels import Requirement, Selector
from zktui.core.ports import Answer, Cause, Evicted, Refused, Reply
from zktui.core.zookeeper import Ensemble, MemberReport, Zxid
from zktui.maintenance.effects import CreateBudget, DeleteClaim, DeletePod, Mend, TaintNode

__all__ = ["EPOCH", "NAMESPACE", "SimNode", "SimPod", "World"]

TICK = 0.25
NAMESPACE = "default"
LABELS = {"app": "zk"}
SELECTOR = Selector.of_labels(LABELS)
APART = AffinityTerm(HOSTNAME_TOPOLOGY, SELECTOR)
SPEC = PodSpec(containers=(Container("zk", "zookeeper:3.9"),), anti_affinity=(APART,), grace=10)
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
BROKEN = "Cannot evict pod as it would violate the pod's disruption budget."


@dataclass
class World(Controllers):
    """Members zk-0… on node-1…; `spare` nodes without a member; a DaemonSet's pod and a web pod on each node."""

    spare: int = 1
    web_budget: int | None = None
    """How many web pods may go, as their own budget has it; None when they have none."""
    web_kind: str = "ReplicaSet"
    scratch: bool = False
    """The members' dataDir is an emptyDir."""
    beside: World | None = None
    """The cluster that this ensemble lives in, if it is not the first one there: nodes, pods and leases are its own."""
    ticked: float = 0.0
    company: list[World] = field(default_factory=list["World"])
    """Further ensembles on these nodes."""
    leases: dict[str, Lease] = field(default_factory=dict[str, Lease])
    evicted: list[PodKey] = field(default_factory=list[PodKey])
    """Evictions that the server granted, members and others."""
    deleted_by_us: set[str] = field(default_factory=set[str])
    """UIDs of pods with a DisruptionTarget condition, whoever asked for it."""

    def __post_init__(self) -> None:
        if self.beside is None:
            self._populate()
        else:
            first = self.beside
            self.nodes, self.pods, self.leases, self.evicted = first.nodes, first.pods, first.leases, first.evicted
            self.deleted_by_us = first.deleted_by_us
            first.company.append(self)
        self.current_revision = self.update_revision = f"{self.name}-1"
        for index in range(self.replicas):
            name, node = f"{self.name}-{index}", f"node-{index + 1}"
            pod = SimPod(name, self.new_uid("pod"), node, created=-999, run_at=-999, up_at=-999, set=self.name)
            pod.joined, pod.revision, pod.true_since, pod.last_true = True, self.current_revision, -999, 0.0
            if not self.apart and not self.tied:
                pod.node = self.rng.choice(sorted(self.nodes))
            self.pods_add(pod)
            self.homes[name] = pod.node
        self.leader = self.rng.choice([p for p in self.members() if self.votes(p)]).uid
        self.write()
        self.account()

    def _populate(self) -> None:
        for number in range(1, self.replicas + self.spare + 1):
            name = f"node-{number}"
            self.nodes[name] = SimNode(name, self.new_uid("node"))
            self.pods_add(SimPod(f"daemon-{number}", self.new_uid("pod"), name, member=False, daemon=True, run_at=-99))
            self.pods_add(SimPod(f"web-{number}", self.new_uid("pod"), name, member=False, run_at=-99))

    def new_uid(self, kind: str) -> str:
        return self.beside.new_uid(kind) if self.beside is not None else super().new_uid(kind)

    def named(self, name: str) -> SimPod | None:
        return next((p for p in self.pods.values() if p.name == name), None)

    def of(self, pod: SimPod) -> World:
        """The ensemble that a member belongs to; the cluster itself for any other pod."""
        return next((w for w in self.company if pod.member and w.name == pod.set), self)

    # -- time --

    def advance(self, to: float) -> None:
        """Let time pass; what happens by itself happens in ticks."""
        while self.ticked + TICK <= to:
            self.ticked += TICK
            self.now = self.ticked
            self._tick()
        for ensemble in (self, *self.company):
            ensemble.now = max(self.now, to)

    def _tick(self) -> None:
        for pod in [p for p in self.pods.values() if self.now >= p.gone_at]:
            node = self.nodes.get(pod.node)
            # A kubelet that is not heard of ends nothing; its node's taint has the pod deleted by force.
            if node is None or node.ready or OUT_OF_SERVICE in {taint.key for taint in node.taints}:
                self.forget(pod)
        if self.lost_webs:
            self.replace_webs()
        for ensemble in (self, *self.company):
            ensemble.now, ensemble.wall_offset = self.now, self.wall_offset
            ensemble.control()
            ensemble.schedule()
            ensemble.serve()
            ensemble.account()

    # -- the API --

    def evict(self, key: PodKey, *, half: bool = False) -> Reply[Evicted]:
        """`half`: the server dies between the budget and the deletion, which then never comes."""
        pod = self.named(key.name)
        if pod is None:
            return Refused(404, "NotFound", f'pods "{key.name}" not found', self.now)
        if pod.deleting is not None:
            return Answer(Evicted(), self.now, 201)
        if pod.node and pod.running(self.now) and not pod.daemon:
            refused = self.of(pod).spend(pod) if pod.member else self._spend_web()
            if refused is not None:
                return refused
        if pod.uid != key.uid:
            return Refused(409, "Conflict", "the UID in the precondition does not match", self.now)
        self.deleted_by_us.add(pod.uid)
        if not half:
            self.evicted.append(key)
            self.delete(pod)
        return Answer(Evicted(), self.now, 201)

    def spend(self, pod: SimPod) -> Refused | None:
        """What the eviction handler asks of the budget; None when it grants, and has taken one."""
        if self.budget_count > 1:
            text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            return Refused(500, "InternalError", text, self.now)
        if not self.budget_count:
            return None
        if not self.ready(pod) and (self.unhealthy_policy == "AlwaysAllow" or self.current >= self.desired > 0):
            return None
        if self.observed_generation < self.generation:
            text = "The disruption budget zk-pdb is still being processed by the server."
            return Refused(429, "TooManyRequests", BROKEN, self.now, (Cause("DisruptionBudget", text),), 10.0)
        if self.allowed < 1:
            text = f"The disruption budget zk-pdb needs {self.desired} healthy pods and has {self.current} currently"
            return Refused(429, "TooManyRequests", BROKEN, self.now, (Cause("DisruptionBudget", text),))
        self.allowed -= 1
        self.disrupted[pod.name] = self.wall
        self.budget_version += 1
        return None

    def _spend_web(self) -> Refused | None:
        """The budget of those whose pods are on the nodes as well; it is theirs to open it."""
        if self.web_budget != 0:
            return None
        text = "The disruption budget web-pdb needs 4 healthy pods and has 4 currently"
        return Refused(429, "TooManyRequests", BROKEN, self.now, (Cause("DisruptionBudget", text),), 10.0)

    def cordon(
        self, node: Node, unschedulable: bool, annotations: Mapping[str, str | None] | None = None
    ) -> Reply[Node]:
        mine = self.nodes.get(node.name)
        if mine is None:
            return Refused(404, "NotFound", f'nodes "{node.name}" not found', self.now)
        if mine.uid != node.uid or str(mine.version) != node.resource_version:
            return Refused(409, "Conflict", "the object has been modified", self.now)
        mine.unschedulable = unschedulable
        mine.cordoned_by_engine = unschedulable
        return self.annotate(node, annotations or {})

    def annotate(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        mine = self.nodes.get(node.name)
        if mine is None or mine.uid != node.uid:
            return Refused(404 if mine is None else 409, "Conflict", "another node of that name", self.now)
        mine.version += 1
        for key, value in annotations.items():
            if value is None:
                mine.annotations.pop(key, None)
            else:
                mine.annotations[key] = value
        return Answer(self.node(mine), self.now)

    def mend(self, change: Mend) -> Reply[object]:
        """What an operator has zktui do about a dead end."""
        match change:
            case TaintNode(node, taint):
                mine = self.nodes[node.name]
                mine.taints, mine.version = (*mine.taints, taint), mine.version + 1
                for pod in [p for p in self.pods.values() if p.node == mine.name and p.deleting is not None]:
                    pod.gone_at = min(pod.gone_at, self.now + 1)
            case DeletePod(key):
                pod = self.pods.get(key.uid)
                if pod is None:
                    return Refused(404, "NotFound", f'pods "{key.name}" not found', self.now)
                self.delete(pod)
            case DeleteClaim(claim):
                self.homes[claim.name.removeprefix("data-")] = ""
            case CreateBudget():
                self.budget_count = 1
        return Answer(True, self.now)

    def put_lease(self, lease: Lease, *, create: bool) -> Reply[Lease]:
        old = self.leases.get(lease.namespace)
        if create and old is not None:
            return Refused(409, "AlreadyExists", "exists", self.now)
        if not create and (old is None or old.resource_version != lease.resource_version):
            return Refused(404 if old is None else 409, "Conflict", "the object has been modified", self.now)
        version, uid = self.new_uid("version"), old.uid if old else self.new_uid("lease")
        kept = replace(lease, uid=uid, resource_version=version)
        self.leases[lease.namespace] = kept
        return Answer(kept, self.now)

    def lose_node(self, name: str, *, replaced: bool) -> None:
        """Its object is deleted, and its pods with it; `replaced`: another one registers under its name."""
        old = self.nodes.pop(name)
        for pod in [p for p in self.pods.values() if p.node == name]:
            pod.up_at = float("inf")
            pod.deleting, pod.deleting_at, pod.gone_at = self.wall, self.now, self.now + 0.5
        if replaced:
            self.nodes[name] = SimNode(name, f"{old.uid}-again", version=99)

    # -- objects as the API shows them --

    def node(self, node: SimNode) -> Node:
        return Node(
            node.name,
            node.uid,
            str(node.version),
            node.unschedulable,
            node.ready,
            labels={HOSTNAME_TOPOLOGY: node.name},
            annotations=dict(node.annotations),
            taints=node.taints,
            pod_limit=110,
        )

    def statefulset(self) -> StatefulSet:
        return StatefulSet(
            self.namespace,
            self.name,
            f"sts-{self.name}",
            replicas=self.wanted,
            ready_replicas=self.current,
            updated_replicas=sum(p.revision == self.update_revision for p in self.members()),
            current_revision=self.current_revision,
            update_revision=self.update_revision,
            pod_management="OrderedReady" if self.ordered else "Parallel",
            update_strategy=self.strategy,
            partition=self.partition,
            selector=self.selector,
            template_labels=self.labels,
            template=self.spec,
        )

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name}

    @functools.cached_property
    def selector(self) -> Selector:
        return Selector.of_labels(self.labels)

    @functools.cached_property
    def spec(self) -> PodSpec:
        """Of a member; its claim aside."""
        if self.name == "zk" and self.apart and not self.scratch:
            return SPEC
        apart = (AffinityTerm(HOSTNAME_TOPOLOGY, self.selector),) if self.apart else ()
        spec = replace(SPEC, anti_affinity=apart)
        return replace(spec, empty_dirs=("data",), mounts=(("data", "/data"),)) if self.scratch else spec

    def ensemble(self) -> Ensemble:
        return Ensemble(self.statefulset(), "zk", tick_time=500, sync_limit=4)

    def claims(self) -> tuple[Claim, ...]:
        names = self.homes if self.tied else ()
        bound = {n: f"volume-{n}" if self.homes[n] else "" for n in names}
        return tuple(Claim(self.namespace, f"data-{n}", f"claim-{n}", "", volume) for n, volume in bound.items())

    def volumes(self) -> tuple[Volume, ...]:
        """Of all ensembles here."""
        found: list[Volume] = []
        for world in (self, *self.company):
            for name, home in world.homes.items() if world.tied else ():
                if not home:
                    continue  # its claim was made anew, and binds where the pod lands
                there = ((Requirement(HOSTNAME_TOPOLOGY, "In", (home,)),),)
                found.append(Volume(f"volume-{name}", f"volume-{name}", there))
        return tuple(found)

    def pod(self, pod: SimPod) -> Pod:
        return self.of(pod)._member(pod) if pod.member else self._other(pod)

    def _other(self, pod: SimPod) -> Pod:
        kind = "DaemonSet" if pod.daemon else self.web_kind
        return Pod(
            NAMESPACE,
            pod.name,
            pod.uid,
            node=pod.node,
            phase="Running" if pod.running(self.now) else "Pending",
            ready=True,
            ready_since=EPOCH + pod.run_at if pod.run_at > 0 else EPOCH - 999,
            created_at=pod.created,
            deleting_since=pod.deleting,
            labels={"app": "daemon" if pod.daemon else "web"},
            owner=Owner(kind, pod.name, f"owner-{pod.name}", "apps/v1"),
            ip=f"10.0.0.{pod.uid.partition('-')[2]}",
            disruption_target="EvictionByEvictionAPI" if pod.uid in self.deleted_by_us else "",
        )

    def _member(self, pod: SimPod) -> Pod:
        running = pod.running(self.now)
        spec = self.spec
        return Pod(
            self.namespace,
            pod.name,
            pod.uid,
            node=pod.node,
            phase="Running" if running else "Pending",
            ready=self.ready(pod),
            ready_since=EPOCH + pod.run_at if running and pod.run_at > 0 else EPOCH - 999,
            created_at=pod.created,
            deleting_since=pod.deleting,
            labels={**self.labels, "controller-revision-hash": pod.revision},
            owner=Owner("StatefulSet", self.name, f"sts-{self.name}", "apps/v1"),
            ip=f"10.0.0.{pod.uid.partition('-')[2]}",
            reason="" if pod.node else "Unschedulable",
            message="" if pod.node else "0 nodes are available",
            disruption_target="EvictionByEvictionAPI" if pod.uid in self.deleted_by_us else "",
            spec=replace(spec, claims=(f"data-{pod.name}",)) if self.tied else spec,
        )

    def budget(self) -> Budget:
        return Budget(
            self.namespace,
            f"{self.name}-pdb",
            f"pdb-{self.name}",
            str(self.budget_version),
            self.selector,
            max_unavailable=str(self.max_unavailable),
            unhealthy_policy=self.unhealthy_policy,
            generation=self.generation,
            observed_generation=self.observed_generation,
            allowed=self.allowed,
            current=self.current,
            desired=self.desired,
            expected=self.wanted,
            disrupted=dict(self.disrupted),
        )

    def budgets(self) -> tuple[Budget, ...]:
        """Those of this ensemble's namespace."""
        one = self.budget()
        mine = tuple(replace(one, name=f"{one.name}{'' if n == 0 else n}") for n in range(self.budget_count))
        if self.web_budget is None:
            return mine
        webs = Selector.of_labels({"app": "web"})
        theirs = Budget(
            NAMESPACE, "web-pdb", "web-pdb", f"w{self.web_budget}", webs, generation=1, current=4, desired=4
        )
        return (*mine, replace(theirs, observed_generation=1, allowed=self.web_budget, current=4, expected=4))

    def report(self, pod: SimPod) -> MemberReport:
        mode = self.mode(pod)
        zxid = Zxid(pod.zxid) if mode.serving else None
        key = PodKey(self.namespace, pod.name, pod.uid)
        detail = self.detail(pod) if mode.serving else None
        return MemberReport(key, self.now, mode, zxid, "3.9.4", source="srvr", detail=detail)
