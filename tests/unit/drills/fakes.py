"""The simulated ensemble of the maintenance's tests with what drills need beside it, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.unit.maintenance.fakes import FakeCluster, FakeMembers, VirtualClock
from tests.unit.maintenance.world import World
from zktui.core.documents import Document
from zktui.core.kube import Owner, Pod, PodKey, StatefulSet
from zktui.core.ports import Answer, Executed, Place, Refused, Reply, Unanswered, Where
from zktui.core.rounds import Found, Round
from zktui.core.zookeeper import Ensemble, Zxid
from zktui.drills.desk import Drills
from zktui.drills.model import DrillPorts
from zktui.maintenance.model import Event

PS = (
    "UID          PID    PPID  C STIME TTY          TIME CMD\n"
    "zookeep+       1       0  1 20:00 ?        00:00:09 java "
    "org.apache.zookeeper.server.quorum.QuorumPeerMain zoo.cfg\n"
)
PLACE = Place("prod", "prod", "https://prod:6443", "ann", "default")
FIRST = "sts-zk"


@dataclass
class DrillCluster(FakeCluster):
    """Its StatefulSet can be deleted: `owner` is the UID of the one that is there, empty while none is."""

    owner: str = FIRST
    claims_of_pods: tuple[str, ...] = ("datadir",)

    def _owned(self, pod: Pod) -> Pod:
        owner = Owner("StatefulSet", "zk", self.owner) if self.owner else None
        return replace(pod, owner=owner, spec=replace(pod.spec, claims=self.claims_of_pods))

    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        reply = await super().pods(namespace, selector)
        return replace(reply, value=tuple(map(self._owned, reply.value))) if isinstance(reply, Answer) else reply

    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]:
        if not self.owner:
            return Refused(404, "NotFound", "not found", self.clock.now())
        reply = await super().statefulset(namespace, name)
        return replace(reply, value=replace(reply.value, uid=self.owner)) if isinstance(reply, Answer) else reply

    async def statefulsets(self, namespace: str) -> Reply[tuple[StatefulSet, ...]]:
        one = await self.statefulset(namespace, "zk")
        return Answer((one.value,), one.at) if isinstance(one, Answer) else Answer((), one.at)


@dataclass
class FakeObjects:
    cluster: DrillCluster
    restarts: dict[str, int] = field(default_factory=dict[str, int])
    """By pod UID."""
    spec: dict[str, Any] = field(default_factory=lambda: {"replicas": 3})
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    changes: list[str] = field(default_factory=list[str])
    bodies: list[Document] = field(default_factory=list[Document])
    on_delete: Callable[[], Reply[Document] | None] = lambda: None
    on_create: Callable[[], Reply[Document] | None] = lambda: None

    def document(self) -> dict[str, Any]:
        server = {"name": "zk", "namespace": "default", "uid": self.cluster.owner, "resourceVersion": "7"}
        return {"metadata": {**server, **self.metadata}, "spec": self.spec, "status": {"replicas": 3}}

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]:
        at = self.cluster.clock.now()
        await self.cluster.clock.sleep(0.02)
        if where.plural == "pods":
            return Answer(self._pod(name), at)
        if not self.cluster.owner:
            return Refused(404, "NotFound", "not found", at)
        return Answer(self.document(), at)

    def _pod(self, name: str) -> dict[str, Any]:
        world = self.cluster.world
        pod = world.named(name)
        assert pod is not None
        times = self.restarts.get(pod.uid, 0)
        ended: dict[str, Any] = {"terminated": {"exitCode": 143, "reason": "Error"}}
        up = world.now >= pod.unready_until
        state: dict[str, Any] = {"running": {}} if up else ended
        status: dict[str, Any] = {"name": "zk", "restartCount": times if up else max(0, times - 1), "state": state}
        status |= {"containerID": f"c-{times}", "lastState": ended if times else {}}
        ready = {"type": "Ready", "status": str(world.ready(pod))}
        return {"metadata": {"uid": pod.uid}, "status": {"containerStatuses": [status], "conditions": [ready]}}

    async def list(self, where: Where, namespace: str = "", selector: str = "") -> Reply[tuple[Document, ...]]:
        raise AssertionError("drills list nothing")

    async def apply(
        self, where: Where, document: Document, *, force: bool = False, dry: bool = False
    ) -> Reply[Document]:
        self.changes.append("apply")
        return await self._made(document)

    async def patch(
        self, where: Where, namespace: str, name: str, patch: Document | Sequence[Document]
    ) -> Reply[Document]:
        raise AssertionError("drills patch nothing")

    async def create(self, where: Where, document: Document) -> Reply[Document]:
        self.changes.append("create")
        return await self._made(document)

    async def _made(self, document: Document) -> Reply[Document]:
        at = self.cluster.clock.now()
        await self.cluster.clock.sleep(0.02)
        self.bodies.append(document)
        if (reply := self.on_create()) is not None:
            return reply
        if self.cluster.owner:
            return Refused(409, "AlreadyExists", "exists", at)
        self.cluster.owner = f"sts-{len(self.changes)}"
        return Answer(self.document(), at, 201)

    async def delete(
        self, where: Where, namespace: str, name: str, *, uid: str, orphan: bool = False
    ) -> Reply[Document]:
        at = self.cluster.clock.now()
        self.changes.append(f"delete{' orphan' if orphan else ''}")
        await self.cluster.clock.sleep(0.02)
        if (reply := self.on_delete()) is not None:
            return reply
        if uid != self.cluster.owner:
            return Refused(409, "Conflict", "another uid", at)
        self.cluster.owner = ""
        for pod in () if orphan else self.cluster.world.members():
            self.cluster.world.delete(pod)
        return Answer({}, at)


@dataclass
class FakeExecutor:
    objects: FakeObjects
    away: float = 8.0
    """Seconds until an ended server serves again; infinite: it does not come back."""
    listing: str = PS
    slow: float = 0.0
    """Seconds from the end of a server until the command that ended it returns."""
    ran: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    on_kill: Callable[[], Reply[Executed] | None] = lambda: None

    async def run(
        self, pod: PodKey, container: str, command: Sequence[str], *, timeout: float = 10.0, limit: int = 262_144
    ) -> Reply[Executed]:
        clock = self.objects.cluster.clock
        at = clock.now()
        self.ran.append((pod.name, *command))
        await clock.sleep(0.05)
        if command[0] == "ps":
            return Answer(Executed(self.listing), at)
        assert command[0] == "kill"
        if (reply := self.on_kill()) is not None:
            return reply
        found = self.objects.cluster.world.pods[pod.uid]
        self.objects.cluster.world.crash(found, self.away)
        self.objects.restarts[pod.uid] = self.objects.restarts.get(pod.uid, 0) + 1
        await clock.sleep(self.slow)
        return Unanswered("the connection to the container was cut", at)


@dataclass
class FakeRounds:
    """What was written stands in `znodes`, with the number of its transaction; `lost` members do not have it."""

    clock: VirtualClock
    znodes: dict[str, Found] = field(default_factory=dict[str, Found])
    lost: frozenset[str] = frozenset()
    refuse: str = ""

    async def play(self, ensemble: Ensemble, pods: Sequence[Pod], timeout: float = 10.0) -> Round:
        raise AssertionError("drills play no rounds")

    async def create(self, ensemble: Ensemble, pod: Pod, path: str, data: bytes, timeout: float = 10.0) -> Reply[Found]:
        await self.clock.sleep(0.02)
        if self.refuse:
            return Refused(403, "", self.refuse, self.clock.now())
        self.znodes[path] = Found(data, Zxid(0x100000007))
        return Answer(self.znodes[path], self.clock.now())

    async def find(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[Found]:
        await self.clock.sleep(0.02)
        if path not in self.znodes or pod.name in self.lost:
            return Refused(404, "", "it is gone", self.clock.now())
        return Answer(self.znodes[path], self.clock.now())

    async def remove(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[bool]:
        await self.clock.sleep(0.02)
        return Answer(self.znodes.pop(path, None) is not None, self.clock.now())


class DrillBench:
    """A world with its ports and a desk of drills. Three members, of which one leads."""

    def __init__(self, folder: Path, *, read_only: bool = False, seed: int = 1) -> None:
        self.world = World(random.Random(seed), ordered=False)
        self.folder = folder
        self.clock = VirtualClock(self.world)
        self.cluster = DrillCluster(self.world, self.clock)
        self.members = FakeMembers(self.world, self.clock)
        self.objects = FakeObjects(self.cluster)
        self.executor = FakeExecutor(self.objects)
        self.rounds = FakeRounds(self.clock)
        ports = DrillPorts(self.cluster, self.members, self.objects, self.executor, self.rounds, self.clock)
        self.drills = Drills(ports, state_folder=folder, holder="ann@laptop/1", place=PLACE, read_only=read_only)
        self.events: list[Event] = []

    @property
    def leader(self) -> str:
        return self.world.pods[self.world.leader].name

    @property
    def follower(self) -> str:
        return next(p.name for p in self.world.members() if p.uid != self.world.leader)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    async def finish(self, work: Any, limit: float = 900.0) -> Any:
        """Await something while virtual time passes."""
        import asyncio

        task = asyncio.ensure_future(work)
        await self.clock.until(task.done, limit)
        return task.result()
