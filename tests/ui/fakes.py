"""A session without a cluster: a real Store fed by hand, a clock the test moves, and ports that answer from memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.ui.fake_cluster import FakeCluster, FakeMembers
from zktui.checks.model import Chapter, Report
from zktui.core.deltas import Configured, Fact, Kind, Lost, Polled, Remove, Reset, Upsert
from zktui.core.kube import (
    Budget,
    Container,
    Node,
    Owner,
    Pod,
    PodKey,
    PodSpec,
    StatefulSet,
)
from zktui.core.labels import Selector
from zktui.core.logring import LogCursor, LogLine
from zktui.core.ports import LogBatch, Place, TreeError
from zktui.core.store import Store
from zktui.core.zookeeper import (
    Children,
    Ensemble,
    EnsembleConfig,
    EnsembleKey,
    MemberReport,
    Mode,
    Server,
    Stat,
    Znode,
    Zxid,
)
from zktui.maintenance.desk import Desk
from zktui.session import Session
from zktui.settings import Settings

NOW = 10_000.0
WALL = 1_790_000_000.0
"""2026-09-21T14:13:20Z."""


class FakeClock:
    """Time that only the test moves. `sleep` waits until it has been moved far enough."""

    def __init__(self) -> None:
        self.time = NOW
        self._moved = asyncio.Event()

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return WALL + self.time - NOW

    async def sleep(self, seconds: float) -> None:
        end = self.time + seconds
        while self.time < end:
            await self._moved.wait()

    def advance(self, seconds: float) -> None:
        self.time += seconds
        self._moved.set()
        self._moved = asyncio.Event()


@dataclass
class World:
    """What the cluster holds. Every method that changes it applies one batch to the store."""

    clock: FakeClock = field(default_factory=FakeClock)
    name: str = "zk"
    namespace: str = "default"

    def __post_init__(self) -> None:
        self.store = Store(self.clock)
        self.logs = FakeLogs()
        self.trees = FakeTrees(self.clock)
        self.inspector = FakeInspector()
        self.begun = 0
        """How often a front end asked for the streams to begin."""

    @property
    def key(self) -> EnsembleKey:
        return EnsembleKey(self.namespace, self.name, f"sts-{self.name}")

    def nodes(self, *names: str, **changes: object) -> None:
        self._reset(Kind.NODES, [node(name, **changes) for name in names])

    def ensemble(self, members: int = 3, leader: int | None = 1, nodes: int = 4, *, budgets: bool = True) -> None:
        """A healthy ensemble like the tutorial's: `members` voters on node-1…, one budget, `nodes` nodes.

        Without `budgets` their source has never spoken.
        """
        self.nodes(*(f"node-{n + 1}" for n in range(nodes)))
        labels = {"app": self.name}
        spec = PodSpec(containers=(Container("kubernetes-zookeeper", "registry.k8s.io/kubernetes-zookeeper:1.0"),))
        self._reset(
            Kind.STATEFULSETS,
            [
                StatefulSet(
                    self.namespace,
                    self.name,
                    self.key.uid,
                    replicas=members,
                    ready_replicas=members,
                    selector=Selector.of_labels(labels),
                    template_labels=labels,
                    template=spec,
                )
            ],
        )
        self._reset(Kind.PODS, [self.pod(n, f"node-{n % nodes + 1}") for n in range(members)])
        if budgets:
            self.budget(allowed=1, current=members, desired=members - 1, expected=members)
        self._reset(Kind.CLAIMS, [])
        self._reset(Kind.VOLUMES, [])
        hosts = [Server(n + 1, f"{self.name}-{n}.zk-hs.{self.namespace}.svc") for n in range(members)]
        config = EnsembleConfig(tuple(hosts), source="test", at=self.clock.now())
        self.store.apply((Configured(self.key, config, "", self.clock.now()),))
        self.poll(*(Mode.LEADER if n == leader else Mode.FOLLOWER for n in range(members)))

    def pod(self, number: int, node: str, uid: str = "", **changes: object) -> Pod:
        name = f"{self.name}-{number}"
        made = Pod(
            self.namespace,
            name,
            uid or f"uid-{name}",
            node=node,
            phase="Running",
            ready=True,
            ready_since=self.clock.wall() - 7000,
            containers_ready=1,
            created_at=self.clock.wall() - 7200,
            labels={"app": self.name},
            owner=Owner("StatefulSet", self.name, self.key.uid),
            ip=f"10.2.0.{number + 1}",
            spec=PodSpec(containers=(Container("kubernetes-zookeeper"),)),
        )
        return replace(made, **changes)  # pyright: ignore[reportArgumentType]  # fields by name

    def upsert(self, kind: Kind, item: Fact) -> None:
        self.store.apply((Upsert(kind, item, self.clock.now()),))

    def unschedule(self) -> None:
        """No pod is on any node."""
        pods = [m.pod for view in self.store.view().ensembles for m in view.members]
        self._reset(Kind.PODS, [replace(pod, node="") for pod in pods])

    def remove(self, kind: Kind, uid: str) -> None:
        self.store.apply((Remove(kind, uid, self.clock.now()),))

    def lost(self, kind: Kind, why: str, *, permanent: bool = False) -> None:
        self.store.apply((Lost(kind, why, self.clock.now(), permanent),))

    def budget(self, **changes: object) -> None:
        """Replace the ensemble's budget; fields by name."""
        fields: dict[str, object] = {
            "namespace": self.namespace,
            "name": f"{self.name}-pdb",
            "uid": f"pdb-{self.name}",
            "selector": Selector.of_labels({"app": self.name}),
            "max_unavailable": "1",
            "generation": 1,
            "observed_generation": 1,
            "allowed": 1,
            "current": 3,
            "desired": 2,
            "expected": 3,
        }
        self._reset(
            Kind.BUDGETS,
            [Budget(**(fields | changes))],  # pyright: ignore[reportArgumentType]  # fields by name
        )

    def poll(self, *modes: Mode, zxid: int = 0xC_0000_1F3A, errors: Mapping[int, str] | None = None) -> None:
        """One round of answers, one mode for each pod by ordinal; `errors` by ordinal make a member silent."""
        reports: list[MemberReport] = []
        pods = sorted((m.pod for v in self.store.view().ensembles for m in v.members), key=lambda p: p.name)
        for number, (pod, mode) in enumerate(zip(pods, modes, strict=False)):
            error = (errors or {}).get(number, "")
            up = mode.serving and not error
            reports.append(
                MemberReport(
                    pod.key,
                    self.clock.now(),
                    Mode.SILENT if error else mode,
                    Zxid(zxid - (2 if mode is Mode.FOLLOWER and number else 0)) if up else None,
                    "3.9.4",
                    connections=9 + 11 * number if up else None,
                    latency=(0.0, 0.2, 4.0) if up else None,
                    outstanding=0 if up else None,
                    znodes=127 if up else None,
                    source="srvr" if up else "",
                    error=error,
                )
            )
        self.store.apply((Polled(self.key, tuple(reports), self.clock.now()),))

    def session(self, state: Path, *, read_only: bool = False, desk: Desk | None = None) -> Session:
        """A Session over this world. `state` is a folder for journals (tmp_path)."""
        cluster, members = FakeCluster(self), FakeMembers(self)
        place = Place("prod-eu1", "prod-eu1", "https://127.0.0.1:6443", "ann", self.namespace)
        made = desk or Desk(
            cluster,
            members,
            self.clock,
            self.store.view,
            state_folder=state,
            holder="ann@desk",
            read_only=read_only,
        )
        settings = Settings(read_only=read_only, state=state)
        return Session(
            settings,
            place,
            self.clock,
            self.store,
            cluster,
            members,
            self.logs,
            self.trees,
            made,
            self.inspector,
            begin=self._begun,
        )

    def _begun(self) -> None:
        self.begun += 1

    def _reset(self, kind: Kind, items: Sequence[Fact]) -> None:
        self.store.apply((Reset(kind, tuple(items), self.clock.now()),))


def node(name: str, **changes: object) -> Node:
    made = Node(name, f"uid-{name}", ready=True, cpu=4000, memory=8 << 30, pod_limit=110, created_at=WALL - 86_400)
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]  # fields by name


class FakeInspector:
    """Tells the report that the test gave it, and keeps what it was asked."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self.asked: list[tuple[Chapter, ...]] = []
        self.gate = asyncio.Event()
        """Answers wait while it is cleared."""
        self.gate.set()

    async def inspect(self, ensemble: Ensemble, chapters: Collection[Chapter] = ()) -> Report:
        self.asked.append(tuple(chapters))
        await self.gate.wait()
        return self.report or Report(ensemble.namespace, ensemble.name)


class FakeLogs:
    """A LogSource that says what the test writes; streams are known by the pod's UID."""

    def __init__(self) -> None:
        self._queues: dict[str, asyncio.Queue[LogBatch]] = {}
        self.followed: list[tuple[PodKey, LogCursor | None]] = []
        """Every follow that was begun, in order."""

    def write(self, pod: PodKey, *texts: str, stamp: str = "2026-09-21T14:13:20.000000000Z") -> None:
        lines = tuple(LogLine(pod.name, pod.uid, stamp, text) for text in texts)
        self._queue(pod).put_nowait(LogBatch(lines, LogCursor(stamp, len(lines))))

    def end(self, pod: PodKey, why: str) -> None:
        self._queue(pod).put_nowait(LogBatch((), None, why))

    async def follow(
        self, pod: PodKey, container: str, *, cursor: LogCursor | None = None, tail: int = 500
    ) -> AsyncIterator[LogBatch]:
        self.followed.append((pod, cursor))
        queue = self._queue(pod)
        while True:
            batch = await queue.get()
            yield batch
            if batch.ended:
                return

    def _queue(self, pod: PodKey) -> asyncio.Queue[LogBatch]:
        return self._queues.setdefault(pod.uid, asyncio.Queue())


class FakeTrees:
    """A tree of znodes in memory: `data` by path, parents made as needed; `errors` by path raise TreeError."""

    def __init__(self, clock: FakeClock) -> None:
        self.data: dict[str, bytes] = {"/": b""}
        self.errors: dict[str, TreeError] = {}
        self.listed: list[str] = []
        """Paths whose children were asked for, in order."""
        self.gate = asyncio.Event()
        """Answers wait while it is cleared."""
        self.gate.set()
        self.through = ""
        self._clock = clock

    def put(self, path: str, data: bytes = b"") -> None:
        while path != "/":
            if path not in self.data or data:
                self.data[path] = data
            path, data = path.rpartition("/")[0] or "/", b""

    def open(self, ensemble: Ensemble, pods: Sequence[Pod]) -> FakeTree:
        self.through = pods[0].name if pods else ""
        return FakeTree(self)

    def names(self, path: str) -> tuple[str, ...]:
        prefix = path.rstrip("/") + "/"
        return tuple(
            sorted(
                p[len(prefix) :] for p in self.data if p != "/" and p.startswith(prefix) and "/" not in p[len(prefix) :]
            )
        )

    def stat_of(self, path: str) -> Stat:
        if path in self.errors:
            raise self.errors[path]
        if path not in self.data:
            raise TreeError(f"{path} does not exist", gone=True)
        at = int(WALL * 1000)
        return Stat(1, 2, at, at, data_length=len(self.data[path]), children=len(self.names(path)))


class FakeTree:
    def __init__(self, trees: FakeTrees) -> None:
        self._trees = trees
        self.closed = False

    @property
    def through(self) -> str:
        return self._trees.through

    async def children(self, path: str) -> Children:
        await self._trees.gate.wait()
        self._trees.listed.append(path)
        return Children(path, self._trees.names(path), self._trees.stat_of(path))

    async def stat(self, path: str) -> Znode:
        await self._trees.gate.wait()
        return Znode(path, b"", self._trees.stat_of(path))

    async def get(self, path: str, limit: int = 1_048_576) -> Znode:
        await self._trees.gate.wait()
        stat = self._trees.stat_of(path)
        data = self._trees.data[path]
        return Znode(path, data[:limit], stat, ("world:anyone:cdrwa",), truncated=len(data) > limit)

    async def close(self) -> None:
        self.closed = True
