"""Small builders of facts for the tests of the model."""

from __future__ import annotations

from zktui.core.kube import Budget, Container, Owner, Pod, PodKey, PodSpec, StatefulSet
from zktui.core.labels import Selector
from zktui.core.zookeeper import (
    EnsembleConfig,
    Member,
    MemberReport,
    Mode,
    Server,
    ServerRole,
    Zxid,
)

LABELS = {"app": "zk"}


class FakeClock:
    """A clock that the test moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 1_700_000_000.0 + self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


def statefulset(name: str = "zk", image: str = "zookeeper:3.9", **changes: object) -> StatefulSet:
    fields: dict[str, object] = {
        "namespace": "default",
        "name": name,
        "uid": f"sts-{name}",
        "replicas": 3,
        "selector": Selector.of_labels(LABELS),
        "template_labels": LABELS,
        "template": PodSpec(containers=(Container("zookeeper", image),)),
    }
    return StatefulSet(**(fields | changes))  # pyright: ignore[reportArgumentType]  # fields by name


def pod(name: str = "zk-0", uid: str = "", owner: str = "sts-zk", **changes: object) -> Pod:
    fields: dict[str, object] = {
        "namespace": "default",
        "name": name,
        "uid": uid or f"uid-{name}",
        "node": "node-1",
        "phase": "Running",
        "ready": True,
        "labels": LABELS,
        "owner": Owner("StatefulSet", "zk", owner),
    }
    return Pod(**(fields | changes))  # pyright: ignore[reportArgumentType]  # fields by name


def budget(**changes: object) -> Budget:
    fields: dict[str, object] = {
        "namespace": "default",
        "name": "zk-pdb",
        "uid": "pdb",
        "selector": Selector.of_labels(LABELS),
        "max_unavailable": "1",
        "generation": 1,
        "observed_generation": 1,
        "allowed": 1,
        "current": 3,
        "desired": 2,
        "expected": 3,
    }
    return Budget(**(fields | changes))  # pyright: ignore[reportArgumentType]  # fields by name


def config(voters: int = 3, observers: int = 0) -> EnsembleConfig:
    servers = [Server(n + 1, f"zk-{n}.zk-hs.default.svc.cluster.local", ServerRole.PARTICIPANT) for n in range(voters)]
    servers += [
        Server(n + 1, f"zk-{n}.zk-hs.default.svc.cluster.local", ServerRole.OBSERVER)
        for n in range(voters, voters + observers)
    ]
    return EnsembleConfig(tuple(servers), source="test")


def report(key: PodKey, mode: Mode, zxid: int | None = 0x100000005, at: float = 1000.0) -> MemberReport:
    return MemberReport(key, at, mode, None if zxid is None else Zxid(zxid))


def members(*modes: Mode, at: float = 1000.0, zxids: tuple[int | None, ...] = ()) -> tuple[Member, ...]:
    """zk-0, zk-1, … with these modes, joined with a configuration in which all of them vote."""
    running = config(len(modes))
    found: list[Member] = []
    for number, mode in enumerate(modes):
        one = pod(f"zk-{number}")
        zxid = zxids[number] if zxids else 0x100000005
        found.append(Member(one, report(one.key, mode, zxid, at), running.server_of(one)))
    return tuple(found)
