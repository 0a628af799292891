"""Three real ZooKeeper servers on loopback: what each port says of them while they are frozen, killed and back."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl  # pyright: ignore[reportUnknownVariableType] - untyped

from tests.unit.ensemble.servers import LoopbackDialer, RealClock, ZooKeepers, left_behind, make_ensemble, make_pod
from zktui.core.deltas import Polled
from zktui.core.kube import Pod
from zktui.core.ports import Answer, TreeError, Unanswered
from zktui.core.quorum import Health, judge, members_of
from zktui.core.zookeeper import MemberReport, Mode
from zktui.ensemble.polling import PodMembers
from zktui.ensemble.probe import SessionProbe
from zktui.ensemble.tree import SessionTree, SessionTrees
from zktui.ensemble.watcher import MemberWatcher

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

ENSEMBLE = make_ensemble()
Modes = dict[str, Mode]


class Live:
    """The servers with a PodMembers on them."""

    def __init__(self, servers: ZooKeepers) -> None:
        self.servers = servers
        self.dialer = LoopbackDialer(servers.addresses)
        self.members = PodMembers(self.dialer, RealClock())
        self.pods = [make_pod(name) for name in servers.hosts]

    def pod(self, name: str) -> Pod:
        return next(pod for pod in self.pods if pod.name == name)

    async def poll(self, timeout: float = 1.0) -> dict[str, MemberReport]:
        polls = (self.members.poll(ENSEMBLE, pod, timeout) for pod in self.pods)
        return {report.pod.name: report for report in await asyncio.gather(*polls)}

    async def until(self, wanted: Callable[[Modes], bool], timeout: float = 40.0) -> dict[str, MemberReport]:
        deadline = time.monotonic() + timeout
        while True:
            reports = await self.poll()
            if wanted({name: report.mode for name, report in reports.items()}):
                return reports
            assert time.monotonic() < deadline, reports
            await asyncio.sleep(0.1)

    async def all_serving(self) -> str:
        """Wait for one leader and two followers; the leader's name."""
        whole = [Mode.FOLLOWER, Mode.FOLLOWER, Mode.LEADER]
        reports = await self.until(lambda modes: sorted(modes.values()) == whole)
        return next(name for name, report in reports.items() if report.mode is Mode.LEADER)


@pytest.fixture
async def live(zookeepers: ZooKeepers) -> AsyncIterator[Live]:
    before = set(threading.enumerate())
    live = Live(zookeepers)
    await live.all_serving()
    yield live
    live.members.close(1.0)
    assert [name for name in left_behind(before) if name.startswith("zk-")] == []


@pytest.fixture
def written(zookeepers: ZooKeepers) -> Iterator[Any]:
    """A client that writes, through zk-0; kazoo has no types."""
    client: Any = KazooClient(f"{zookeepers.hosts['zk-0']}:2181")
    client.start(20)
    yield client
    client.stop()
    client.close()


async def test_configuration_by_a_session_that_is_kept(live: Live) -> None:
    first = await live.members.config(ENSEMBLE, live.pods)
    assert isinstance(first, Answer)
    assert (first.value.source, first.value.at) == ("/zookeeper/config", first.at)
    assert [server.host for server in first.value.voters] == list(live.servers.hosts.values())
    before = await live.poll()
    dialled = len(live.dialer.dialled)
    again = await live.members.config(ENSEMBLE, live.pods)
    assert isinstance(again, Answer)
    assert again.value.servers == first.value.servers
    assert len(live.dialer.dialled) == dialled
    after = await live.poll()
    assert {name: report.zxid for name, report in after.items()} == {n: report.zxid for n, report in before.items()}


async def test_a_synced_read_succeeds_through_every_member(live: Live) -> None:
    for pod in live.pods:
        reply = await live.members.synced_read(ENSEMBLE, pod)
        assert isinstance(reply, Answer)
        assert reply.value is True


async def test_a_root_that_may_not_be_read_is_no_reason_to_doubt_a_member(live: Live, written: Any) -> None:
    written.add_auth("digest", "u:p")
    written.set_acls("/", [make_digest_acl("u", "p", all=True)])
    try:
        assert isinstance(await live.members.synced_read(ENSEMBLE, live.pods[1]), Answer)
    finally:
        written.set_acls("/", OPEN_ACL_UNSAFE)


async def test_a_frozen_leader_is_silent_while_followers_still_follow(live: Live) -> None:
    leader = await live.all_serving()
    config = await live.members.config(ENSEMBLE, live.pods)
    assert isinstance(config, Answer)
    live.servers.freeze(leader)
    try:
        reports = await live.poll()
        frozen = reports[leader]
        assert (frozen.mode, frozen.error) == (Mode.SILENT, "no answer in 1 s")
        assert sorted(report.mode for report in reports.values()) == [Mode.FOLLOWER, Mode.FOLLOWER, Mode.SILENT]
        by_uid = {report.pod.uid: report for report in reports.values()}
        pods = [_at(pod, live.servers.hosts[pod.name]) for pod in live.pods]
        verdict = judge(members_of(pods, by_uid, config.value), config.value, time.monotonic())
        assert (verdict.health, verdict.why) == (Health.NO_QUORUM, "no member leads")
        silent = await live.members.synced_read(ENSEMBLE, live.pod(leader), timeout=1.0)
        assert isinstance(silent, Unanswered)
        moved = await live.members.config(ENSEMBLE, [live.pod(leader), *live.pods])
        assert time.monotonic() - moved.at < 5.6
    finally:
        live.servers.thaw(leader)
    await live.all_serving()


def _at(pod: Pod, ip: str) -> Pod:
    return replace(pod, ip=ip)


async def test_a_killed_member_is_refused_and_comes_back(live: Live) -> None:
    leader = await live.all_serving()
    victim = next(name for name in ("zk-1", "zk-2") if name != leader)
    live.servers.kill(victim)
    report = (await live.poll())[victim]
    assert (report.mode, report.error) == (Mode.SILENT, "connection refused")
    refused = await live.members.synced_read(ENSEMBLE, live.pod(victim))
    assert isinstance(refused, Unanswered)
    assert refused.why == "connection refused"
    live.servers.start(victim)
    await live.all_serving()
    assert isinstance(await live.members.synced_read(ENSEMBLE, live.pod(victim)), Answer)


async def test_the_watcher_follows_an_election(live: Live) -> None:
    leader = await live.all_serving()
    watcher = MemberWatcher(live.members, RealClock(), lambda: [(ENSEMBLE, live.pods)], interval=0.3)
    seen = set[tuple[str, Mode]]()
    killed = False
    batches = watcher.open()
    deadline = time.monotonic() + 40
    async for batch in batches:
        for delta in batch:
            if isinstance(delta, Polled):
                seen.update((report.pod.name, report.mode) for report in delta.reports)
        if not killed and (leader, Mode.LEADER) in seen:
            live.servers.kill(leader)
            killed = True
            seen.clear()
        if killed and (leader, Mode.SILENT) in seen and any(mode is Mode.LEADER for _, mode in seen):
            break
        assert time.monotonic() < deadline, seen
    await batches.aclose()
    live.servers.start(leader)
    await live.all_serving()


@pytest.fixture
async def tree(live: Live) -> AsyncIterator[SessionTree]:
    tree = SessionTrees(live.dialer).open(ENSEMBLE, live.pods)
    yield tree
    await tree.close()


async def test_the_tree_reads_data_stat_and_acl(live: Live, tree: SessionTree, written: Any) -> None:
    base = f"/reads-{time.monotonic_ns()}"
    written.create(f"{base}/b", b"0123456789", makepath=True)
    written.create(f"{base}/a", b"x", ephemeral=True)
    written.create(f"{base}/secret", b"s", acl=[make_digest_acl("nobody", "x", all=True)])
    assert tree.through == ""
    children = await tree.children(base)
    assert (children.names, children.stat.children) == (("a", "b", "secret"), 3)
    assert tree.through == "zk-0"
    znode = await tree.get(f"{base}/b", limit=4)
    assert (znode.data, znode.truncated, znode.stat.data_length) == (b"0123", True, 10)
    assert znode.acl == ("world:anyone:cdrwa",)
    assert (await tree.get(f"{base}/b", limit=10)).truncated is False
    ephemeral = await tree.stat(f"{base}/a")
    assert (ephemeral.data, ephemeral.stat.ephemeral_owner) == (b"", written.client_id[0])
    with pytest.raises(TreeError, match="not permitted by its ACL") as refused:
        await tree.get(f"{base}/secret")
    assert refused.value.gone is False
    with pytest.raises(TreeError, match="not permitted"):
        await tree.children(f"{base}/secret")
    for read in (tree.get, tree.stat, tree.children):
        with pytest.raises(TreeError, match="it is gone") as gone:
            await read(f"{base}/none")
        assert gone.value.gone is True


async def test_the_tree_goes_on_through_another_member(live: Live) -> None:
    leader = await live.all_serving()
    first, second = [name for name in live.servers.hosts if name != leader][::-1]
    tree = SessionTrees(live.dialer).open(ENSEMBLE, [live.pod(first), live.pod(second)])
    assert "zookeeper" in (await tree.children("/")).names
    assert tree.through == first
    live.servers.kill(first)
    assert "zookeeper" in (await tree.children("/")).names
    assert tree.through == second
    await tree.close()
    assert tree.through == ""
    with pytest.raises(TreeError, match="closed"):
        await tree.children("/")
    none = SessionTrees(live.dialer).open(ENSEMBLE, [live.pod(first)])
    with pytest.raises(TreeError, match=f"no member serves \\({first}: connection refused\\)"):
        await none.children("/")
    await none.close()
    live.servers.start(first)
    await live.all_serving()


async def test_a_frozen_member_holds_up_neither_the_tree_nor_its_end(live: Live) -> None:
    leader = await live.all_serving()
    first, second = [name for name in live.servers.hosts if name != leader][::-1]
    tree = SessionTrees(live.dialer).open(ENSEMBLE, [live.pod(first), live.pod(second)])
    stuck = SessionTrees(live.dialer).open(ENSEMBLE, [live.pod(first)])
    await tree.children("/")
    await stuck.children("/")
    live.servers.freeze(first)
    try:
        began = time.monotonic()
        await tree.stat("/")
        assert (tree.through, time.monotonic() - began < 9) == (second, True)
        began = time.monotonic()
        await stuck.close()
        await tree.close()
        assert time.monotonic() - began < 1.9
    finally:
        live.servers.thaw(first)
    await live.all_serving()


@pytest.mark.timeout(180)
async def test_a_hundred_thousand_children(live: Live, tree: SessionTree, written: Any) -> None:
    base = f"/many-{time.monotonic_ns()}"
    written.create(base, b"")
    count = 100_000
    names = [f"n{(i * 7919) % count:06d}" for i in range(count)]
    for start in range(0, count, 2000):
        transaction = written.transaction()
        for name in names[start : start + 2000]:
            transaction.create(f"{base}/{name}", b"")
        assert len(transaction.commit()) == 2000
    children = await tree.children(base)
    assert len(children.names) == children.stat.children == count
    assert list(children.names) == sorted(names)


async def test_the_probe_feels_a_member_going_away_and_nothing_else(live: Live) -> None:
    leader = await live.all_serving()
    victim = next(name for name in ("zk-1", "zk-2") if name != leader)
    probe = SessionProbe(live.dialer, RealClock())
    probe.start(ENSEMBLE, live.pods)
    await _until(lambda: probe.summary().operations > 30)
    calm = probe.summary()
    assert (calm.failures, set(calm.by_member)) == (0, set(live.servers.hosts))
    assert calm.longest_gap < 1.0
    live.servers.kill(victim)
    await _until(lambda: probe.summary().failures > 0)
    at = probe.summary().operations
    await _until(lambda: probe.summary().operations > at + 30)
    began = time.monotonic()
    felt = await probe.stop()
    assert time.monotonic() - began < 1.2
    assert 1 <= felt.failures <= 5
    assert max(felt.by_member, key=lambda name: felt.by_member[name]) == victim
    assert felt.longest_gap == felt.by_member[victim] < 3.0
    live.servers.start(victim)
    await live.all_serving()


async def _until(true: Callable[[], bool], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_nothing_is_left_behind_and_nothing_printed(live: Live, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    files = _open_files()
    tree = SessionTrees(live.dialer).open(ENSEMBLE, live.pods)
    probe = SessionProbe(live.dialer, RealClock())
    members = PodMembers(live.dialer, RealClock())
    probe.start(ENSEMBLE, live.pods)
    await tree.children("/")
    await members.config(ENSEMBLE, live.pods)
    for pod in live.pods:
        await members.synced_read(ENSEMBLE, pod)
    logging.getLogger("kazoo.client").warning("a connection is lost, says kazoo")
    assert len(set(threading.enumerate()) - before) > 5
    await tree.close()
    await probe.stop()
    members.close(1.0)
    assert left_behind(before) == []
    assert _open_files() <= files
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


async def test_sessions_are_told_with_their_timeouts_and_their_ephemerals(live: Live) -> None:
    """By real servers' own words: conf, cons and dump."""
    client: Any = KazooClient(f"{live.servers.hosts['zk-1']}:2181", timeout=7.0)
    client.start(timeout=20)
    try:
        for number in range(3):
            client.create(f"/temporary-{number}", b"", ephemeral=True)
        told = await live.members.sessions(ENSEMBLE, live.pod("zk-1"), 5.0)
        assert told.min_timeout == 1000, "2 x tickTime of 500 ms"
        assert told.shortest == client._session_timeout  # what was negotiated, in milliseconds
        assert told.ephemerals == 3
        other = await live.members.sessions(ENSEMBLE, live.pod("zk-2"), 5.0)
        assert other.ephemerals == 0, "those are of sessions through another member"
    finally:
        client.stop()
        client.close()
