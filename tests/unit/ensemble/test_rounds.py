"""Rounds through three real ZooKeeper servers on loopback, and what is left of them when they are broken off."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import OPEN_ACL_UNSAFE, make_digest_acl  # pyright: ignore[reportUnknownVariableType] - untyped

from tests.unit.ensemble.servers import LoopbackDialer, RealClock, ZooKeepers, make_ensemble, make_pod
from zktui.core.kube import PodKey
from zktui.core.ports import Answer, DialError, Refused, Unanswered
from zktui.core.rounds import Trouble
from zktui.ensemble import rounds
from zktui.ensemble.rounds import MemberRounds

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120), pytest.mark.usefixtures("no_threads_left")]

ENSEMBLE = make_ensemble()


@pytest.fixture
def written(zookeepers: ZooKeepers) -> Iterator[Any]:
    """A client of its own, to look at what is there, once every member serves; kazoo has no types."""
    clients: list[Any] = [KazooClient(f"{host}:2181") for host in zookeepers.hosts.values()]
    for each in clients:
        each.start(40)
    client, *others = clients
    for each in others:
        each.stop()
        each.close()
    yield client
    client.stop()
    client.close()


@pytest.fixture
def pods(zookeepers: ZooKeepers) -> list[Any]:
    return [make_pod(name) for name in zookeepers.hosts]


def ours(client: Any) -> list[str]:
    client.sync("/")
    return [name for name in client.get_children("/") if name.startswith("zktui")]


async def test_a_round(zookeepers: ZooKeepers, written: Any, pods: list[Any]) -> None:
    found = await MemberRounds(LoopbackDialer(zookeepers.addresses), RealClock()).play(ENSEMBLE, pods)
    assert [(w.member, w.trouble) for w in found.writes] == [(name, None) for name in zookeepers.hosts]
    zxids = {w.member: w.zxid for w in found.writes}
    assert len(set(zxids.values())) == 3
    assert [(r.member, r.writer) for r in found.reads] == [
        (reader, writer) for reader in zookeepers.hosts for writer in zookeepers.hosts if reader != writer
    ]
    for read in found.reads:
        assert (read.trouble, read.same, read.zxid) == (None, True, zxids[read.writer])
        assert read.synced > 0
        assert read.seconds > 0
    assert found.left == ()
    assert ours(written) == []


async def test_a_member_that_is_away_and_one_that_can_not_be_dialled(
    zookeepers: ZooKeepers, written: Any, pods: list[Any]
) -> None:
    dialer = LoopbackDialer(zookeepers.addresses)
    dialer.refuse = {
        "zk-1": DialError(errno.ECONNREFUSED, "connection refused"),
        "zk-2": DialError(errno.EACCES, "pods/portforward is forbidden"),
    }
    found = await MemberRounds(dialer, RealClock()).play(ENSEMBLE, pods)
    assert [w.trouble for w in found.writes] == [
        None,
        Trouble("no session: connection refused"),
        Trouble("no session: pods/portforward is forbidden", told=False),
    ]
    assert [(r.member, r.writer, r.trouble is None) for r in found.reads] == [
        ("zk-1", "zk-0", False),
        ("zk-2", "zk-0", False),
    ]
    assert ours(written) == []


async def test_a_root_that_may_not_be_written(zookeepers: ZooKeepers, written: Any, pods: list[Any]) -> None:
    written.add_auth("digest", "u:p")
    written.set_acls("/", [make_digest_acl("u", "p", all=True)])
    try:
        found = await MemberRounds(LoopbackDialer(zookeepers.addresses), RealClock()).play(ENSEMBLE, pods)
    finally:
        written.set_acls("/", OPEN_ACL_UNSAFE)
    assert {w.trouble for w in found.writes} == {Trouble("not permitted by its ACL", told=False)}
    assert (found.reads, found.left) == ((), ())


async def test_a_round_that_is_cancelled_leaves_nothing(
    zookeepers: ZooKeepers, written: Any, pods: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken off once everything is written, with each member at its first read."""
    reading = asyncio.Event()
    loop = asyncio.get_running_loop()

    def held(*_: object) -> Any:
        loop.call_soon_threadsafe(reading.set)
        time.sleep(0.2)
        raise rounds.SessionLost("held")

    monkeypatch.setattr(rounds, "Read", held)
    playing = asyncio.ensure_future(
        MemberRounds(LoopbackDialer(zookeepers.addresses), RealClock()).play(ENSEMBLE, pods)
    )
    await reading.wait()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert ours(written) == []


async def test_a_round_that_is_cancelled_before_its_sessions_stand(
    zookeepers: ZooKeepers, written: Any, pods: list[Any]
) -> None:
    dialling = asyncio.Event()
    loop = asyncio.get_running_loop()
    dialer = LoopbackDialer(zookeepers.addresses)
    dial = dialer.dial

    def slowly(pod: PodKey, port: int, timeout: float) -> Any:
        loop.call_soon_threadsafe(dialling.set)
        time.sleep(0.3)
        return dial(pod, port, timeout)

    dialer.dial = slowly
    playing = asyncio.ensure_future(MemberRounds(dialer, RealClock()).play(ENSEMBLE, pods))
    await dialling.wait()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert ours(written) == []


async def test_a_lasting_znode(zookeepers: ZooKeepers, written: Any, pods: list[Any]) -> None:
    port = MemberRounds(LoopbackDialer(zookeepers.addresses), RealClock())
    path = "/zktui-drill-test"
    made = await port.create(ENSEMBLE, pods[0], path, b"world")
    assert isinstance(made, Answer)
    assert made.value.data == b"world"
    for pod in pods:
        found = await port.find(ENSEMBLE, pod, path)
        assert isinstance(found, Answer)
        assert found.value == made.value
    again = await port.create(ENSEMBLE, pods[1], path, b"other")
    assert isinstance(again, Refused)
    assert written.get(path)[0] == b"world"
    first, second = await port.remove(ENSEMBLE, pods[2], path), await port.remove(ENSEMBLE, pods[2], path)
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert (first.value, second.value) == (True, False)
    gone = await port.find(ENSEMBLE, pods[1], path)
    assert isinstance(gone, Refused)
    assert gone.not_found


async def test_a_member_that_can_not_be_reached_was_sent_nothing(zookeepers: ZooKeepers, pods: list[Any]) -> None:
    dialer = LoopbackDialer(zookeepers.addresses)
    dialer.refuse = {"zk-0": DialError(errno.ECONNREFUSED, "connection refused")}
    reply = await MemberRounds(dialer, RealClock()).create(ENSEMBLE, pods[0], "/zktui-drill-test", b"")
    assert isinstance(reply, Unanswered)
    assert not reply.sent
