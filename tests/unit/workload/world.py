"""A StatefulSet with its controller in virtual time: pods that take a while, and servers that answer for them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tests.unit.core.facts import config, pod, statefulset
from zktui.core.documents import Document
from zktui.core.kube import Lease, Pod, PodKey, StatefulSet
from zktui.core.ports import Answer, Cluster, Evicted, Members, Objects, Refused, Reply, Unanswered, Where
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, Mode, Zxid
from zktui.workload.reading import Ports

OLD, NEW = "zk-old", "zk-new"
GONE, READY = 2.0, 5.0
"""Seconds after which a deleted pod is another one, and after which that one serves."""


@dataclass
class Server:
    uid: str
    revision: str
    since: float = -1000.0
    dying_at: float | None = None
    broken: bool = False


@dataclass
class World:
    """`strategy` and `partition` are the StatefulSet's; `patches` what it was sent, in order."""

    strategy: str = "RollingUpdate"
    partition: int | None = 0
    """None: its strategy has no `rollingUpdate`."""
    leader: str = "zk-2"
    epoch: int = 1
    time: float = 1000.0
    generation: int = 1
    newest: str = OLD
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    beside: dict[str, int] = field(default_factory=dict[str, int])
    """What else the strategy's `rollingUpdate` has."""
    patches: list[Any] = field(default_factory=list[Any])
    evicted: list[str] = field(default_factory=list[str])
    born: list[str] = field(default_factory=list[str])
    """Members in the order in which they were made anew."""
    hooks: list[Callable[[World], object]] = field(default_factory=list[Callable[["World"], object]])
    """Called at each tick."""
    lease: Lease | None = None
    on_evict: list[Refused] = field(default_factory=list[Refused])
    on_patch: list[Refused | Unanswered] = field(default_factory=list["Refused | Unanswered"])
    carried_out: bool = True
    """Whether a patch whose answer is lost was carried out."""
    comes_back: bool = True

    def __post_init__(self) -> None:
        self.servers = {f"zk-{n}": Server(f"uid-{n}", OLD) for n in range(3)}

    # -- time and controller

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_700_000_000.0 + self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        for hook in self.hooks:
            hook(self)
        self._reconcile()

    def _reconcile(self) -> None:
        for name, server in self.servers.items():
            if server.dying_at is not None and self.time >= server.dying_at + GONE:
                self.servers[name] = Server(f"{server.uid}'", self.newest, self.time, broken=not self.comes_back)
                self.born.append(name)
                if name == self.leader:
                    self.leader = next(n for n in self.servers if n != name and self.serves(n))
                    self.epoch += 1
        if self.strategy == "RollingUpdate" and all(self.serves(name) for name in self.servers):
            for number in (2, 1, 0):
                server = self.servers[f"zk-{number}"]
                if server.revision != self.newest and number >= (self.partition or 0):
                    server.dying_at = self.time
                    break

    def serves(self, name: str) -> bool:
        server = self.servers[name]
        return not server.broken and server.dying_at is None and self.time - server.since >= READY

    # -- what the API server tells

    def sts(self) -> StatefulSet:
        updated = sum(s.revision == self.newest for s in self.servers.values())
        return statefulset(
            generation=self.generation,
            observed_generation=self.generation,
            update_revision=self.newest,
            current_revision=OLD,
            updated_replicas=updated,
            ready_replicas=3,
            update_strategy=self.strategy,
            partition=self.partition or 0,
        )

    def pods(self) -> tuple[Pod, ...]:
        made: list[Pod] = []
        for name, server in self.servers.items():
            labels = {"app": "zk", "controller-revision-hash": server.revision}
            dying = None if server.dying_at is None else self.wall()
            made.append(pod(name, server.uid, labels=labels, ready=self.serves(name), deleting_since=dying))
        return tuple(made)

    def document(self) -> Document:
        has = self.strategy == "RollingUpdate" and self.partition is not None
        rolling = {"rollingUpdate": {"partition": self.partition, **self.beside}} if has else {}
        spec = {"replicas": 3, "updateStrategy": {"type": self.strategy, **rolling}}
        metadata = {"name": "zk", "generation": self.generation, "annotations": {**self.annotations}}
        return {"metadata": metadata, "spec": spec}

    def change(self, patch: Any) -> None:
        self.patches.append(copy.deepcopy(patch))
        for key, value in patch.get("metadata", {}).get("annotations", {}).items():
            if value is None:
                self.annotations.pop(key, None)
            else:
                self.annotations[key] = value
        spec = patch.get("spec", {})
        if "updateStrategy" in spec:
            rolling = spec["updateStrategy"]["rollingUpdate"]
            if rolling is None:
                self.partition, self.beside = None, {}
            else:  # as the server fills in what is not there
                self.partition = rolling["partition"] or 0
                self.beside.setdefault("maxUnavailable", 1)
        if "template" in spec:
            self.newest = NEW
            self.generation += 1

    @property
    def partitions(self) -> list[int | None]:
        """What the partition was set to, in order; None: `rollingUpdate` was taken away."""
        found = [p["spec"]["updateStrategy"]["rollingUpdate"] for p in self.patches if "spec" in p]
        return cast("list[int | None]", [rolling["partition"] if rolling else None for rolling in found])

    def ensemble(self) -> Ensemble:
        return Ensemble(self.sts(), "zookeeper")

    def ports(self) -> Ports:
        return Ports(cast(Cluster, _Cluster(self)), cast(Members, _Members(self)), cast(Objects, _Objects(self)), self)


@dataclass
class _Cluster:
    world: World

    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]:
        return Answer(self.world.sts(), self.world.time)

    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        return Answer(self.world.pods(), self.world.time)

    async def lease(self, namespace: str, name: str) -> Reply[Lease]:
        if self.world.lease is None:
            return Refused(404, "NotFound", "not found", self.world.time)
        return Answer(self.world.lease, self.world.time)

    async def evict(self, key: PodKey, grace: int | None = None) -> Reply[Evicted]:
        if self.world.on_evict:
            return self.world.on_evict.pop(0)
        assert self.world.servers[key.name].uid == key.uid, "an eviction names the very pod"
        self.world.evicted.append(key.name)
        self.world.servers[key.name].dying_at = self.world.time
        return Answer(Evicted(), self.world.time)


@dataclass
class _Members:
    world: World

    async def poll(self, ensemble: Ensemble, one: Pod, timeout: float = 1.5) -> MemberReport:
        world = self.world
        if not world.serves(one.name):
            return MemberReport(one.key, world.time, Mode.SILENT, error="refused")
        mode = Mode.LEADER if one.name == world.leader else Mode.FOLLOWER
        return MemberReport(one.key, world.time, mode, Zxid(world.epoch << 32 | 5))

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        return Answer(config(3), self.world.time)

    async def synced_read(self, ensemble: Ensemble, one: Pod, timeout: float = 5.0) -> Reply[bool]:
        return Answer(self.world.serves(one.name), self.world.time)


@dataclass
class _Objects:
    world: World

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]:
        return Answer(self.world.document(), self.world.time)

    async def patch(
        self, where: Where, namespace: str, name: str, patch: Document | Sequence[Document]
    ) -> Reply[Document]:
        if self.world.on_patch:
            lost = self.world.on_patch.pop(0)
            if isinstance(lost, Unanswered) and self.world.carried_out:
                self.world.change(patch)
            return lost
        self.world.change(patch)
        return Answer(self.world.document(), self.world.time)
