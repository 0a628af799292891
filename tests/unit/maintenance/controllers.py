"""Simulated controllers: StatefulSet, ReplicaSet, scheduler and disruption controller, a tick at a time.

Written from Kubernetes' behaviour: one pod is made at a time and in order where it is OrderedReady; a rolling update
asks no budget; the disruption controller may lag behind the pods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tests.unit.maintenance.servers import Servers, SimPod
from zktui.core.kube import Taint
from zktui.core.zookeeper import ordinal

EPOCH = 1_800_000_000.0
PROBE_FAILS = 3.0
"""Seconds after which a readiness probe has found that a process is frozen."""
DISRUPTED_FOR = 120.0
"""Seconds for which the disruption controller believes in a granted eviction whose pod is still there."""


@dataclass
class SimNode:
    name: str
    uid: str
    version: int = 1
    unschedulable: bool = False
    ready: bool = True
    cordoned_by_engine: bool = False
    taints: tuple[Taint, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def open(self) -> bool:
        """Whether a new pod may be put here."""
        return self.ready and not self.unschedulable and not self.taints


@dataclass
class Controllers(Servers):
    """One ensemble's StatefulSet with its budget, on nodes that are shared with whatever else runs there."""

    ordered: bool = True
    max_unavailable: int = 1
    unhealthy_policy: str = "IfHealthyBudget"
    budget_count: int = 1
    """How many budgets cover the members."""
    ready_is_serving: bool = False
    """Readiness asks for serving; else, as in the tutorial, only whether the process answers."""
    slow: float = 1.0
    """How long starts take, as a factor."""
    scatter: bool = False
    """The scheduler takes any node that fits, not the first."""
    tied: bool = False
    """Each member's volume can be mounted only on the node where it was first."""
    apart: bool = True
    """Anti-affinity keeps members on different nodes."""
    respawn: bool = False
    """The web pods have a controller that makes them again, elsewhere if need be."""
    lag: float = 0.0
    """Seconds between two looks of the disruption controller."""
    strategy: str = "RollingUpdate"
    partition: int = 0
    current_revision: str = "zk-1"
    update_revision: str = "zk-1"
    revised_at: float = -math.inf
    """When somebody changed the pods' template last."""
    scaled: int | None = None
    """spec.replicas, once somebody has changed it."""
    wall_offset: float = 0.0
    nodes: dict[str, SimNode] = field(default_factory=dict[str, SimNode])
    homes: dict[str, str] = field(default_factory=dict[str, str])
    """Member's name to the node that its volume is tied to."""
    disrupted: dict[str, float] = field(default_factory=dict[str, float])
    allowed: int = 0
    current: int = 0
    budget_version: int = 1
    generation: int = 1
    observed_generation: int = 1
    accounted_at: float = -math.inf
    serial: int = 0
    never_up: set[str] = field(default_factory=set[str])
    """Names whose next pod never starts to serve."""
    lost_webs: list[str] = field(default_factory=list[str])

    @property
    def wall(self) -> float:
        return EPOCH + self.now + self.wall_offset

    @property
    def wanted(self) -> int:
        return self.replicas if self.scaled is None else self.scaled

    def new_uid(self, kind: str) -> str:
        self.serial += 1
        return f"{kind}-{self.serial}"

    def ready(self, pod: SimPod) -> bool:
        """By ruok, as in the tutorial, long before it serves; unless readiness asks for serving."""
        if (
            pod.node not in self.nodes
            or not pod.running(self.now)
            or self.now < max(pod.run_at + 0.3, pod.unready_until)
        ):
            return False
        if pod.frozen_at + PROBE_FAILS <= self.now < pod.frozen_until:
            return False
        return pod.last_true >= self.now - 1 if self.ready_is_serving and pod.member else True

    # -- pods come and go --

    def forget(self, pod: SimPod) -> None:
        """It is gone."""
        del self.pods[pod.uid]
        if not pod.member and not pod.daemon and self.respawn:
            self.lost_webs.append(pod.name)

    def control(self) -> None:
        """One pod a tick, in order where it is OrderedReady; then the rolling update, one pod at a time."""
        by_name = {p.name: p for p in self.members()}
        for index in range(self.wanted):
            name = f"{self.name}-{index}"
            if name not in by_name:
                self.pods_add(self._successor(name, index))
                return
            if self.ordered and not self.ready(by_name[name]):
                return
        extra = [p for p in by_name.values() if ordinal(p.name) >= self.wanted and p.deleting is None]
        if extra:
            self.delete(max(extra, key=lambda p: ordinal(p.name)))
        elif self.current_revision != self.update_revision and self.strategy == "RollingUpdate":
            self._roll(list(by_name.values()))

    def revise(self) -> None:
        """Somebody changes the pods' template, as `kubectl rollout restart` does."""
        self.update_revision = f"{self.update_revision}x"
        self.revised_at = self.now

    def next_revision(self, index: int) -> str:
        """What the pod of this ordinal gets when it is made again."""
        below = self.strategy == "RollingUpdate" and index < self.partition
        return self.current_revision if below else self.update_revision

    def _successor(self, name: str, index: int) -> SimPod:
        pod = SimPod(name, self.new_uid("pod"), created=self.wall, set=self.name)
        pod.revision = self.next_revision(index)
        pod.join_delay = self.rng.uniform(0.3, 4) * self.slow
        return pod

    def _roll(self, members: list[SimPod]) -> None:
        if any(p.deleting is not None or not self.ready(p) for p in members):
            return
        old = [p for p in members if p.revision != self.update_revision and ordinal(p.name) >= self.partition]
        if old:
            self.delete(max(old, key=lambda p: ordinal(p.name)))
        elif not self.partition:
            self.current_revision = self.update_revision

    def pods_add(self, pod: SimPod) -> None:
        self.pods[pod.uid] = pod

    def delete(self, pod: SimPod) -> None:
        if pod.deleting is None:
            pod.deleting, pod.deleting_at = self.wall, self.now
            pod.gone_at = self.now + (self.rng.uniform(0.2, 2) if pod.node else 0)

    def replace_webs(self) -> None:
        """The ReplicaSets' controller and the scheduler: another name, on a node that takes pods."""
        free = [n.name for n in self.nodes.values() if n.open]
        while self.lost_webs and free:
            first = self.lost_webs.pop().split(".")[0]
            uid = self.new_uid("pod")
            self.pods_add(SimPod(f"{first}.{uid}", uid, self.rng.choice(free), member=False, run_at=self.now + 0.5))

    def schedule(self) -> None:
        for pod in self.members():
            if pod.node or pod.deleting is not None:
                continue
            taken = {p.node for p in self.members()} if self.apart else set[str]()
            fits = [n.name for n in self.nodes.values() if n.open and n.name not in taken and self._mounts(pod, n)]
            if fits:
                pod.node = self.rng.choice(fits) if self.scatter else fits[0]
                pod.run_at = self.now + self.rng.uniform(0.3, 1.5) * self.slow
                pod.up_at = pod.run_at + self.rng.uniform(0.3, 2) * self.slow
                if pod.name in self.never_up:
                    pod.up_at = math.inf

    def _mounts(self, pod: SimPod, node: SimNode) -> bool:
        return not self.tied or self.homes[pod.name] in ("", node.name)

    # -- the budget --

    def account(self) -> None:
        """The disruption controller looks at the pods and writes the budget's status."""
        if self.now < self.accounted_at + self.lag:
            return
        self.accounted_at = self.now
        alive = {p.name for p in self.members() if p.deleting is None}
        for name, at in list(self.disrupted.items()):
            if self.wall - at > DISRUPTED_FOR or name not in alive:
                self.disrupted.pop(name)
        healthy = [p for p in self.members() if self.ready(p) and p.deleting is None and p.name not in self.disrupted]
        allowed = max(0, len(healthy) - self.desired)
        figures = (allowed, len(healthy), self.generation)
        if figures != (self.allowed, self.current, self.observed_generation):
            self.allowed, self.current, self.observed_generation = figures
            self.budget_version += 1

    @property
    def desired(self) -> int:
        """Healthy pods that the budget needs."""
        return self.wanted - self.max_unavailable

    def change_budget(self, max_unavailable: int) -> None:
        """Somebody edits it; its status is that of the old specification until the controller has looked."""
        self.max_unavailable = max_unavailable
        self.generation += 1
        self.budget_version += 1
