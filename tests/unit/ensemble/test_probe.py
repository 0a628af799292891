"""The probe's sessions on three real ZooKeeper servers: what they feel, what they cost, and what they leave behind."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_acl  # pyright: ignore[reportUnknownVariableType] - untyped

from tests.unit.ensemble.servers import LoopbackDialer, RealClock, ZooKeepers, make_ensemble, make_pod
from zktui.core.kube import Pod
from zktui.core.ports import DialError
from zktui.core.zookeeper import Mode
from zktui.ensemble.polling import PodMembers
from zktui.ensemble.probe import SessionProbe

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

ENSEMBLE = make_ensemble()


class Bench:
    """The servers, and a probe on them."""

    def __init__(self, servers: ZooKeepers) -> None:
        self.servers = servers
        self.dialer = LoopbackDialer(servers.addresses)
        self.pods = [make_pod(name) for name in servers.hosts]
        self.probes: list[SessionProbe] = []

    def probe(self, *, writes: bool = False) -> SessionProbe:
        self.probes.append(SessionProbe(self.dialer, RealClock(), writes=writes))
        self.probes[-1].start(ENSEMBLE, self.pods)
        return self.probes[-1]

    def tell(self, probe: SessionProbe, **phases: str) -> None:
        """Tell the probe pods of these phases, by name with underscores."""
        told: list[Pod] = [replace(p, phase=phases.get(p.name.replace("-", "_"), p.phase)) for p in self.pods]
        probe.start(ENSEMBLE, told)

    async def leader(self) -> str:
        """The leader's name once all three serve."""
        members = PodMembers(LoopbackDialer(self.servers.addresses), RealClock())
        deadline = time.monotonic() + 40
        try:
            while True:
                reports = await asyncio.gather(*(members.poll(ENSEMBLE, pod, 1.0) for pod in self.pods))
                if sorted(r.mode for r in reports) == [Mode.FOLLOWER, Mode.FOLLOWER, Mode.LEADER]:
                    return next(r.pod.name for r in reports if r.mode is Mode.LEADER)
                assert time.monotonic() < deadline, reports
                await asyncio.sleep(0.1)
        finally:
            members.close(1.0)

    async def follower(self) -> str:
        leader = await self.leader()
        return next(name for name in self.servers.hosts if name != leader)

    def lines(self) -> int:
        """What all servers together have logged up to now, as far as they would with their usual configuration."""
        levels = (b" INFO ", b" WARN ", b" ERROR ")
        written = [line for log in self.servers.logs for line in log.read_bytes().splitlines()]
        return sum(any(level in line[:80] for level in levels) for line in written)


@pytest.fixture
async def bench(zookeepers: ZooKeepers) -> AsyncIterator[Bench]:
    bench = Bench(zookeepers)
    await bench.leader()
    yield bench
    for probe in bench.probes:
        await probe.stop()
    for name, process in zookeepers.processes.items():
        if process.poll() is not None:
            zookeepers.start(name)


@pytest.fixture
def client(zookeepers: ZooKeepers) -> Iterator[Any]:
    """An ordinary client of all three; kazoo has no types."""
    client: Any = KazooClient(",".join(f"{host}:2181" for host in zookeepers.hosts.values()))
    client.start(20)
    yield client
    client.stop()
    client.close()


async def until(what: str, true: Callable[[], bool], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


async def calm(probe: SessionProbe, reads: int = 30) -> None:
    """Wait until every session has had so many more answers."""
    before = {s.home: s.operations - s.failures for s in probe.summary().sessions}

    def answered() -> bool:
        now = probe.summary().sessions
        return len(now) == 3 and all(s.through and s.operations - s.failures >= before[s.home] + reads for s in now)

    await until("answers in every session", answered)


async def test_one_session_at_each_member_for_which_a_server_logs_nothing(bench: Bench) -> None:
    probe = bench.probe()
    await calm(probe)
    logged, cpu, began = bench.lines(), time.process_time(), time.monotonic()
    await calm(probe, 20)
    assert logged > 0
    assert bench.lines() == logged
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    assert share < 0.10, f"{share:.1%} of a processor for three sessions"
    felt = probe.summary()
    assert [(s.home, s.through) for s in felt.sessions] == [(name, name) for name in sorted(bench.servers.hosts)]
    assert (felt.failures, felt.longest_gap < 2.0) == (0, True)


async def test_a_session_whose_member_dies_is_taken_up_again_elsewhere(bench: Bench) -> None:
    victim = await bench.follower()
    probe = bench.probe()
    await calm(probe)
    bench.servers.kill(victim)
    bench.tell(probe, **{victim.replace("-", "_"): "Pending"})
    await until("it noticed", lambda: probe.summary().failures > 0)
    await calm(probe)
    felt = {s.home: s for s in (await probe.stop()).sessions}
    assert felt[victim].through not in ("", victim)
    assert felt[victim].expired == 0, "the same session goes on"
    assert felt[victim].failures >= 1
    assert all(felt[name].failures == 0 for name in felt.keys() - {victim}), "the others have felt nothing"


async def test_an_election_is_a_gap_in_every_session(bench: Bench) -> None:
    leader = await bench.leader()
    probe = bench.probe(writes=True)
    await calm(probe)
    dialled = len(bench.dialer.dialled)
    bench.servers.kill(leader)
    bench.tell(probe, **{leader.replace("-", "_"): "Pending"})
    await until("it was felt", lambda: all(s.failures for s in probe.summary().sessions))
    await calm(probe)
    felt = await probe.stop()
    assert all(session.failures for session in felt.sessions)
    assert felt.longest_gap == max(felt.by_member.values())
    assert felt.gaps, "an election is noted"
    longest = max(felt.gaps, key=lambda gap: gap.seconds)
    assert abs(longest.seconds - felt.longest_gap) < 0.001
    assert longest.found not in ("", leader)
    assert abs(longest.wall - time.time()) < 60
    assert {s.lost_writes for s in felt.sessions} == {0}
    # Pauses grow with the outage: of a second and a half at most some six tries, not fifteen.
    assert len(bench.dialer.dialled) - dialled <= 3 * (4 + 4 * felt.longest_gap)


async def test_writes_are_acknowledged_found_again_and_cleaned_up(bench: Bench, client: Any) -> None:
    victim = await bench.follower()
    probe = bench.probe(writes=True)
    await until("writes", lambda: all(s.writes > 3 for s in probe.summary().sessions))
    mine = [name for name in client.get_children("/") if name.startswith("zktui-probe-")]
    assert sorted(name.rpartition("-zk-")[2] for name in mine) == ["0", "1", "2"]
    before = {s.home: s.writes for s in probe.summary().sessions}
    bench.servers.kill(victim)
    bench.tell(probe, **{victim.replace("-", "_"): "Pending"})
    await until("more writes", lambda: all(s.writes > before[s.home] + 3 for s in probe.summary().sessions))
    assert sorted(name for name in client.get_children("/") if name.startswith("zktui-probe-")) == sorted(mine)
    felt = await probe.stop()
    assert {(s.expired, s.lost_writes, s.refused) for s in felt.sessions} == {(0, 0, "")}

    def gone() -> bool:
        return not [name for name in client.get_children("/") if name.startswith("zktui-probe-")]

    await until("its znodes to be gone", gone)


async def test_whoever_stops_it_may_end_at_once(bench: Bench, client: Any) -> None:
    """The servers have taken the goodbyes by then: a program that ends would cut those on their way, and the sessions
    and their znodes would stay until they expire."""
    probe = bench.probe(writes=True)
    await until("writes", lambda: all(s.writes > 1 for s in probe.summary().sessions))
    told = await probe.stop()
    on_its_way = [thread.name for thread in threading.enumerate() if thread.name.endswith("-end")]
    assert on_its_way == []
    client.sync("/")
    assert not [name for name in client.get_children("/") if name.startswith("zktui-probe-")]
    assert probe.summary() == told, "what nobody reads any more is no gap that grows"


async def test_a_root_that_may_not_be_written_is_told_and_reads_go_on(bench: Bench, client: Any) -> None:
    client.set_acls("/", [make_acl("world", "anyone", read=True, admin=True)])
    try:
        probe = bench.probe(writes=True)
        await calm(probe)
        felt = await probe.stop()
        assert {(s.writes, s.refused) for s in felt.sessions} == {(0, "not permitted by its ACL")}
        assert felt.failures == 0
    finally:
        client.set_acls("/", OPEN_ACL_UNSAFE)


async def test_a_write_that_was_lost_would_be_noticed(bench: Bench, client: Any) -> None:
    victim = await bench.follower()
    probe = bench.probe(writes=True)
    await until("writes", lambda: all(s.writes > 3 for s in probe.summary().sessions))
    (mine,) = [n for n in client.get_children("/") if n.startswith("zktui-probe-") and n.endswith(victim)]
    bench.servers.kill(victim)
    # As if the ensemble had forgotten what it acknowledged.
    client.retry(client.set, f"/{mine}", b"1")  # it may have been a client of the victim
    bench.tell(probe, **{victim.replace("-", "_"): "Pending"})
    await until("it to be noticed", lambda: any(s.lost_writes for s in probe.summary().sessions))
    (told,) = [s for s in (await probe.stop()).sessions if s.lost_writes]
    assert told.home == victim
    assert told.lost_writes >= 2


async def test_a_frozen_member_costs_its_session_a_second(bench: Bench) -> None:
    victim = await bench.follower()
    probe = bench.probe()
    await calm(probe)
    bench.servers.freeze(victim)
    try:
        await until("it to be felt", lambda: probe.summary().by_member[victim] > 1.0)
        await calm(probe, 10)
        felt = {s.home: s for s in probe.summary().sessions}
        assert felt[victim].through not in ("", victim)
        assert felt[victim].expired == 0
        assert 1.0 <= felt[victim].longest_gap < 5.0
    finally:
        bench.servers.thaw(victim)
    await bench.leader()
    await calm(probe, 10)
    assert {s.expired for s in probe.summary().sessions} == {0}, "what the thawed member says ends no session"


async def test_a_session_that_has_expired_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zktui.ensemble.session.SESSION_TIMEOUT", 1.0)
    victim = await bench.follower()
    probe = bench.probe(writes=True)
    await until("writes", lambda: all(s.writes > 1 for s in probe.summary().sessions))
    for name in bench.servers.hosts:
        bench.dialer.refuse[name] = DialError(errno.ECONNREFUSED, "connection refused")
    bench.servers.kill(victim)
    await until("a gap that lasts", lambda: probe.summary().by_member[victim] > 4.0)
    (lasting,) = [gap for gap in probe.summary().gaps if not gap.found]
    assert (lasting.session, lasting.lost) == (victim, victim), "a gap that lasts is told while it does"
    bench.dialer.refuse.clear()
    bench.tell(probe, **{victim.replace("-", "_"): "Pending"})
    await calm(probe, 10)
    felt = {s.home: s for s in (await probe.stop()).sessions}
    assert felt[victim].expired == 1
    assert {s.lost_writes for s in felt.values()} == {0}, "its znode went with it, and is not a lost write"


async def test_after_the_end_nothing_begins(bench: Bench) -> None:
    probe = bench.probe()
    await calm(probe, 5)
    began = time.monotonic()
    felt = await probe.stop()
    assert time.monotonic() - began < 1.5
    probe.start(ENSEMBLE, bench.pods)
    await asyncio.sleep(0.3)
    assert probe.summary().operations <= felt.operations + 3
