"""The watcher in virtual time: when it asks, what it yields, what it leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

from tests.unit.ensemble.servers import make_ensemble, make_pod
from zktui.core.deltas import Batch, Configured, Kind, Lost, Polled
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Reply, Unanswered
from zktui.core.zookeeper import (
    EVIDENCE_MAX_AGE,
    Ensemble,
    EnsembleConfig,
    MemberDetail,
    MemberReport,
    Mode,
    Server,
)
from zktui.ensemble.polling import Look
from zktui.ensemble.watcher import MemberWatcher


class VirtualClock:
    """Time that moves only in `run`."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, done))
        await done

    async def run(self, seconds: float) -> None:
        end = self.time + seconds
        await self._settle()
        while due := [s for s in self._sleepers if s[0] <= end and not s[1].done()]:
            sleeper = min(due, key=lambda s: s[0])
            self._sleepers.remove(sleeper)
            self.time = max(self.time, sleeper[0])
            sleeper[1].set_result(None)
            await self._settle()
        self.time = end

    async def _settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


CONFIG = EnsembleConfig(tuple(Server(n + 1, f"zk-{n}.zk-hs") for n in range(3)), "1", "/zookeeper/config")


class FakeMembers:
    """Answers after `takes` seconds by name; counts how many questions each member has at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.takes: dict[str, float] = {}
        self.unreached: set[str] = set()
        self.asked: list[tuple[float, str, bool]] = []
        self.at_once: dict[str, int] = {}
        self.most_at_once = 0
        self.configs: list[tuple[float, tuple[str, ...]]] = []
        self.config_reply: EnsembleConfig | None = CONFIG

    async def look(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> Look:
        asked = self.clock.now()
        self.asked.append((asked - 1000.0, pod.name, detail))
        self.at_once[pod.name] = self.at_once.get(pod.name, 0) + 1
        self.most_at_once = max(self.most_at_once, self.at_once[pod.name])
        try:
            await self.clock.sleep(self.takes.get(pod.name, 0.01))
        finally:
            self.at_once[pod.name] -= 1
        if pod.name in self.unreached:
            return Look(MemberReport(pod.key, asked, Mode.SILENT, error="the API server is slow"), reached=False)
        mode = Mode.LEADER if pod.name == "zk-2" else Mode.FOLLOWER
        told = MemberDetail(watches=7) if detail else None
        return Look(MemberReport(pod.key, asked, mode, source="srvr", detail=told), reached=True)

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        asked = self.clock.now()
        self.configs.append((asked - 1000.0, tuple(pod.name for pod in pods)))
        await self.clock.sleep(0.01)
        if self.config_reply is None:
            return Unanswered("no member tells", asked)
        return Answer(self.config_reply, asked)


class Watched:
    """A watcher on three pods, and what it said."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.members = FakeMembers(self.clock)
        self.ensemble = make_ensemble()
        self.pods = [make_pod(f"zk-{n}") for n in range(3)]
        self.watcher = MemberWatcher(self.members, self.clock, lambda: [(self.ensemble, self.pods)])
        self.batches: list[tuple[float, Batch]] = []

    async def consume(self) -> None:
        async for batch in self.watcher.open():
            self.batches.append((self.clock.now() - 1000.0, batch))

    def of(self, kind: type[Polled | Configured | Lost]) -> list[Polled | Configured | Lost]:
        return [delta for _, batch in self.batches for delta in batch if isinstance(delta, kind)]

    def times(self, name: str) -> list[float]:
        return [round(at, 2) for at, asked, _ in self.members.asked if asked == name]


@asynccontextmanager
async def watching() -> AsyncGenerator[Watched]:
    watched = Watched()
    task = asyncio.create_task(watched.consume())
    yield watched
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert {t for t in asyncio.all_tasks() if t is not asyncio.current_task()} == set()


async def test_each_member_is_asked_every_second_and_answers_come_in_one_batch() -> None:
    async with watching() as watched:
        await watched.clock.run(5.5)
    assert watched.watcher.kinds == (Kind.MEMBERS, Kind.CONFIG)
    for name in ("zk-0", "zk-1", "zk-2"):
        times = watched.times(name)
        assert len(times) in (5, 6)
        assert max(b - a for a, b in pairwise(times)) < EVIDENCE_MAX_AGE * 0.6
    polled = [delta for delta in watched.of(Polled) if isinstance(delta, Polled)]
    assert {len(delta.reports) for delta in polled} == {3}
    assert {delta.ensemble for delta in polled} == {watched.ensemble.key}


async def test_a_silent_member_holds_up_nobody_and_is_asked_one_question_at_a_time() -> None:
    async with watching() as watched:
        watched.members.takes["zk-1"] = 1.5
        await watched.clock.run(6.2)
    assert watched.members.most_at_once == 1
    assert len(watched.times("zk-0")) >= 6
    silent = watched.times("zk-1")
    assert all(1.5 <= b - a < 1.6 for a, b in pairwise(silent))


async def test_the_interval_can_be_set_while_it_runs() -> None:
    async with watching() as watched:
        await watched.clock.run(2.1)
        watched.watcher.interval = 0.5
        await watched.clock.run(3.0)
    late = [at for at in watched.times("zk-0") if at > 2.1]
    assert len(late) in (5, 6)


async def test_details_are_asked_every_five_seconds_and_carried_along() -> None:
    async with watching() as watched:
        await watched.clock.run(9.5)
    detailed = [round(at) for at, name, detail in watched.members.asked if name == "zk-0" and detail]
    assert detailed == [0, 5]
    for delta in watched.of(Polled):
        assert isinstance(delta, Polled)
        assert all(report.detail == MemberDetail(watches=7) for report in delta.reports)


async def test_the_configuration_is_read_every_15_seconds_and_when_a_pod_is_reborn() -> None:
    async with watching() as watched:
        await watched.clock.run(20.0)
        watched.pods[0] = make_pod("zk-0", uid="reborn")
        await watched.clock.run(5.0)
        told = watched.of(Configured)
    assert [round(at) for at, _ in watched.members.configs] == [0, 15, 20]
    assert watched.members.configs[-1][1] == ("zk-1", "zk-2", "zk-0")  # nothing is known of the new one yet
    assert [delta.config for delta in told if isinstance(delta, Configured)] == [CONFIG] * 3


async def test_the_leader_and_the_silent_are_asked_last_for_the_configuration() -> None:
    async with watching() as watched:
        watched.pods.reverse()
        await watched.clock.run(16.0)
    assert watched.members.configs[-1][1] == ("zk-1", "zk-0", "zk-2")


async def test_a_configuration_that_cannot_be_read_is_told_and_tried_again_soon() -> None:
    async with watching() as watched:
        watched.members.config_reply = None
        await watched.clock.run(7.0)
    assert [round(at) for at, _ in watched.members.configs] == [0, 3, 6]
    first = watched.of(Configured)[0]
    assert isinstance(first, Configured)
    assert (first.config, first.why) == (None, "no member tells")


async def test_no_way_to_any_member_is_lost_once_and_ends_with_the_first_answer() -> None:
    async with watching() as watched:
        await watched.clock.run(2.5)
        watched.members.unreached = {"zk-0", "zk-1", "zk-2"}
        watched.members.takes["zk-2"] = 0.5
        await watched.clock.run(5.0)
        lost = [delta for delta in watched.of(Lost) if isinstance(delta, Lost)]
        assert [delta.kind for delta in lost] == [Kind.MEMBERS, Kind.CONFIG]
        assert {delta.why for delta in lost} == {"the API server is slow"}
        at, last = watched.batches[-1]
        assert at < 4.2
        assert isinstance(last[0], Polled)
        assert [(report.mode, report.error) for report in last[0].reports] == [
            (Mode.UNKNOWN, "the API server is slow")
        ] * 3
        assert isinstance(last[-1], Lost)
        watched.members.unreached = set()
        await watched.clock.run(2.0)
    again = [delta for at, batch in watched.batches if at > 7.5 for delta in batch]
    assert {type(delta) for delta in again} == {Polled, Configured}


async def test_one_member_that_is_reached_makes_the_silence_of_the_others_theirs() -> None:
    async with watching() as watched:
        watched.members.unreached = {"zk-0", "zk-1"}
        await watched.clock.run(4.0)
    assert watched.of(Lost) == []
    last = watched.batches[-1][1][0]
    assert isinstance(last, Polled)
    assert {report.pod.name: report.mode for report in last.reports} == {
        "zk-0": Mode.SILENT,
        "zk-1": Mode.SILENT,
        "zk-2": Mode.LEADER,
    }


async def test_pods_that_go_are_asked_no_more() -> None:
    async with watching() as watched:
        await watched.clock.run(1.5)
        watched.pods.pop()
        await watched.clock.run(3.0)
    assert max(watched.times("zk-2")) < 1.5
    assert max(watched.times("zk-0")) > 3.0
