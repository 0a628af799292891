"""Plain async fakes of the ports over the simulated cluster, in virtual time: no threads, and nothing really waits."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.unit.maintenance.world import NAMESPACE, World
from zktui.core.kube import Budget, Claim, Lease, Node, Pod, PodKey, StatefulSet, Taint, Volume
from zktui.core.ports import Answer, Evicted, Refused, Reply, Unanswered
from zktui.core.quorum import judge, members_of
from zktui.core.view import EnsembleView, View
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, MemberSessions, Mode
from zktui.maintenance.desk import Desk

T = TypeVar("T")


class VirtualClock:
    """Sleepers wake in the order of their times, whenever everybody waits."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._now = 0.0
        self._serial = 0

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self.world.wall

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        self._serial += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._serial, future))
        await future

    async def until(self, done: Callable[[], bool], limit: float = 600.0) -> None:
        """Let virtual time pass until `done`; raises AssertionError when `limit` seconds of it have passed."""
        end = self._now + limit
        while not done():
            for _ in range(60):
                await asyncio.sleep(0)
            if done():
                return
            assert self._sleepers, "everybody waits for ever"
            at, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._now = max(self._now, at)
            assert self._now < end, f"not within {limit} virtual seconds"
            self.world.advance(self._now)
            future.set_result(None)


@dataclass
class FakeCluster:
    """Each request takes a moment of virtual time. `on_evict` may answer in the server's place."""

    world: World
    clock: VirtualClock
    on_evict: Callable[[PodKey], Reply[Evicted] | None] = lambda _: None
    delay: float = 0.02
    evict_delay: float = 0.05
    calls: list[str] = field(default_factory=list[str])
    denied: frozenset[str] = frozenset()

    async def _give(self, value: Callable[[], T]) -> Reply[T]:
        at = self.clock.now()
        await self.clock.sleep(self.delay)
        return Answer(value(), at)

    async def node(self, name: str) -> Reply[Node]:
        at = self.clock.now()
        await self.clock.sleep(self.delay)
        found = self.world.nodes.get(name)
        return Answer(self.world.node(found), at) if found else Refused(404, "NotFound", "not found", at)

    async def nodes(self) -> Reply[tuple[Node, ...]]:
        return await self._give(lambda: tuple(self.world.node(n) for n in self.world.nodes.values()))

    async def pod(self, namespace: str, name: str) -> Reply[Pod]:
        found = self.world.named(name)
        if found is None:
            return Refused(404, "NotFound", "not found", self.clock.now())
        return await self._give(lambda: self.world.pod(found))

    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        assert (namespace, selector) == (NAMESPACE, "app=zk"), "only the ensemble's pods are listed"
        return await self._give(lambda: tuple(self.world.pod(p) for p in self.world.members()))

    async def pods_on(self, node: str) -> Reply[tuple[Pod, ...]]:
        return await self._give(lambda: tuple(self.world.pod(p) for p in self.world.pods.values() if p.node == node))

    async def budgets(self, namespace: str) -> Reply[tuple[Budget, ...]]:
        return await self._give(lambda: (self.world.budget(),))

    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]:
        return await self._give(self.world.statefulset)

    async def statefulsets(self, namespace: str) -> Reply[tuple[StatefulSet, ...]]:
        return await self._give(lambda: (self.world.statefulset(),))

    async def claims(self, namespace: str) -> Reply[tuple[Claim, ...]]:
        return await self._give(tuple[Claim, ...])

    async def volumes(self) -> Reply[tuple[Volume, ...]]:
        return await self._give(tuple[Volume, ...])

    async def owner_exists(self, namespace: str, kind: str, api_version: str, name: str) -> Reply[bool]:
        return await self._give(lambda: True)

    async def cordon(
        self, node: Node, unschedulable: bool, annotations: Mapping[str, str | None] | None = None
    ) -> Reply[Node]:
        self.calls.append(f"{'cordon' if unschedulable else 'uncordon'} {node.name}")
        await self.clock.sleep(self.delay)
        return self.world.cordon(node, unschedulable, annotations)

    async def annotate_node(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        self.calls.append(f"annotate {node.name}")
        await self.clock.sleep(self.delay)
        return self.world.annotate(node, annotations)

    async def taint_node(self, node: Node, taint: Taint) -> Reply[Node]:
        self.calls.append(f"taint {node.name} {taint.key}")
        return await self._give(lambda: node)

    async def create_budget(self, budget: Budget) -> Reply[Budget]:
        self.calls.append(f"create budget {budget.name}")
        return await self._give(lambda: budget)

    async def delete_claim(self, claim: Claim) -> Reply[bool]:
        self.calls.append(f"delete claim {claim.name}")
        return await self._give(lambda: True)

    async def delete_pod(self, pod: PodKey) -> Reply[bool]:
        self.calls.append(f"delete pod {pod.name}")
        return await self._give(lambda: True)

    async def evict(self, pod: PodKey, grace: int | None = None) -> Reply[Evicted]:
        self.calls.append(f"evict {pod.name}")
        await self.clock.sleep(self.evict_delay)
        return self.on_evict(pod) or self.world.evict(pod)

    async def lease(self, namespace: str, name: str) -> Reply[Lease]:
        at = self.clock.now()
        await self.clock.sleep(self.delay)
        found = self.world.leases.get(namespace)
        return Answer(found, at) if found else Refused(404, "NotFound", "not found", at)

    async def create_lease(self, lease: Lease) -> Reply[Lease]:
        await self.clock.sleep(self.delay)
        return self.world.put_lease(lease, create=True)

    async def update_lease(self, lease: Lease) -> Reply[Lease]:
        await self.clock.sleep(self.delay)
        return self.world.put_lease(lease, create=False)

    async def allowed(self, verb: str, resource: str, namespace: str = "", subresource: str = "") -> Reply[bool]:
        return await self._give(lambda: f"{verb} {resource}" not in self.denied)


@dataclass
class FakeMembers:
    world: World
    clock: VirtualClock
    order: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """(when, pod) of every question asked."""

    async def poll(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> MemberReport:
        at = self.clock.now()
        self.order.append((at, pod.name))
        found = self.world.pods.get(pod.uid)
        if found is None or self.world.mode(found) is Mode.SILENT:
            await self.clock.sleep(timeout)
            return MemberReport(pod.key, at, Mode.SILENT, error="timed out")
        report = self.world.report(found)
        await self.clock.sleep(0.01)
        return MemberReport(pod.key, at, report.mode, report.zxid, source="srvr")

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        at = self.clock.now()
        await self.clock.sleep(0.01)
        return Answer(self.world.config(), at) if pods else Unanswered("no pod to ask", at)

    async def synced_read(self, ensemble: Ensemble, pod: Pod, timeout: float = 5.0) -> Reply[bool]:
        await self.clock.sleep(0.01)
        found = self.world.pods.get(pod.uid)
        return Answer(found is not None and found.joined, self.clock.now())

    async def sessions(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5) -> MemberSessions:
        await self.clock.sleep(0.01)
        return MemberSessions()


@dataclass
class Bench:
    """A world with its ports and a desk."""

    world: World
    folder: Path
    read_only: bool = False

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.world)
        self.cluster = FakeCluster(self.world, self.clock)
        self.members = FakeMembers(self.world, self.clock)
        self.desk = Desk(
            self.cluster,
            self.members,
            self.clock,
            self.view,
            state_folder=self.folder,
            holder="ann@laptop",
            read_only=self.read_only,
        )

    def view(self) -> View:
        world = self.world
        pods = tuple(world.pod(p) for p in world.members())
        reports = {p.uid: world.report(p) for p in world.members()}
        members = members_of(pods, reports, world.config())
        quorum = judge(members, world.config(), world.now)
        shown = EnsembleView(world.ensemble(), members, quorum, (world.budget(),), world.config())
        return View(1, world.now, world.wall, {}, (shown,), (), pods, (), (), {}, {})

    async def finish(self, work: Awaitable[T], limit: float = 600.0) -> T:
        """Await something while virtual time passes."""
        task = asyncio.ensure_future(work)
        await self.clock.until(task.done, limit)
        return task.result()


def bench(folder: Path, seed: int = 1, *, read_only: bool = False, ordered: bool = True, spare: int = 1) -> Bench:
    return Bench(World(random.Random(seed), ordered=ordered, spare=spare), folder, read_only)
