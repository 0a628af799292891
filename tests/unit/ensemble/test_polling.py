"""Asking single members: what becomes of answers, silence, and failures that are not the member's."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.unit.ensemble.servers import LoopbackDialer, RealClock, Scripted, left_behind, make_ensemble, make_pod
from zktui.core.kube import Pod
from zktui.core.ports import Answer, DialError, Unanswered
from zktui.core.zookeeper import Mode
from zktui.ensemble import polling
from zktui.ensemble.polling import PodMembers

REPLIES = Path(__file__).parent / "replies"
Make = Callable[[Callable[[bytes, socket.socket], bytes | None]], Scripted]
Replies = dict[bytes, str]


def saying(replies: Replies) -> Callable[[bytes, socket.socket], bytes | None]:
    """Closes a connection on which a session is asked for, as a server without quorum does."""

    def reply(word: bytes, _sock: socket.socket) -> bytes | None:
        text = replies.get(word)
        return text.encode() if text is not None else None

    return reply


def recorded(name: str) -> str:
    return (REPLIES / f"{name}.txt").read_text()


def closed(word: str) -> str:
    return f"{word} is not executed because it is not in the whitelist.\n"


@pytest.fixture
async def dialer() -> LoopbackDialer:
    return LoopbackDialer({})


@pytest.fixture
async def members(dialer: LoopbackDialer) -> AsyncIterator[PodMembers]:
    before = set(threading.enumerate())
    members = PodMembers(dialer, RealClock())
    yield members
    members.close(1.0)
    assert [name for name in left_behind(before) if name.startswith("zk-")] == []


async def test_srvr_alone_makes_a_whole_report(members: PodMembers, dialer: LoopbackDialer, scripted: Make) -> None:
    server = scripted(saying({b"srvr": recorded("srvr-3.9.4-leader"), b"mntr": closed("mntr")}))
    dialer.addresses["zk-0"] = server.address
    before = time.monotonic()
    report = await members.poll(make_ensemble(), make_pod("zk-0"))
    assert before <= report.at <= time.monotonic() - report.took
    assert (report.mode, report.source, report.error, report.detail) == (Mode.LEADER, "srvr", "", None)
    assert (report.version, report.connections, report.outstanding, report.znodes) == ("3.9.4", 1, 0, 5)
    assert str(report.zxid) == "1:00000000"


async def test_mntr_that_is_closed_is_not_asked_again(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    server = scripted(saying({b"srvr": recorded("srvr-3.9.4-leader"), b"mntr": closed("mntr")}))
    dialer.addresses["zk-0"] = server.address
    for _ in range(3):
        await members.poll(make_ensemble(), make_pod("zk-0"))
    assert server.asked == [b"srvr", b"mntr", b"srvr", b"srvr"]
    await members.poll(make_ensemble(), make_pod("zk-0", uid="reborn"))
    assert server.asked[-1] == b"mntr"


async def test_mntr_adds_details_and_its_silence_takes_nothing_away(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    replies = {b"srvr": recorded("srvr-3.9.4-leader"), b"mntr": recorded("mntr-3.9.4-leader")}
    dialer.addresses["zk-0"] = scripted(saying(replies)).address
    report = await members.poll(make_ensemble(), make_pod("zk-0"))
    assert report.detail is not None
    assert report.detail.synced_followers == 2
    assert (await members.look(make_ensemble(), make_pod("zk-0"), detail=False)).report.detail is None

    def mute_mntr(word: bytes, sock: socket.socket) -> bytes | None:
        if word == b"mntr":
            sock.recv(1)
        return replies[b"srvr"].encode() if word == b"srvr" else None

    dialer.addresses["zk-1"] = scripted(mute_mntr).address
    report = await members.poll(make_ensemble(), make_pod("zk-1"), timeout=0.4)
    assert (report.mode, report.detail) == (Mode.LEADER, None)
    assert report.took < 0.4


async def test_where_only_mntr_is_open_the_role_comes_from_it(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    replies = {b"srvr": closed("srvr"), b"mntr": recorded("mntr-3.9.4-follower")}
    dialer.addresses["zk-0"] = scripted(saying(replies)).address
    report, _ = await members.look(make_ensemble(), make_pod("zk-0"), detail=False)
    assert (report.mode, report.source, report.version, report.zxid) == (Mode.FOLLOWER, "mntr", "3.9.4", None)
    dialer.addresses["zk-1"] = scripted(saying({b"srvr": closed("srvr"), b"mntr": closed("mntr")})).address
    report = await members.poll(make_ensemble(), make_pod("zk-1"))
    assert (report.mode, report.source) == (Mode.UNKNOWN, "srvr")
    assert "not in the whitelist" in report.error


def _hold(word: bytes, sock: socket.socket) -> bytes | None:
    while sock.recv(1024):
        pass
    return None


async def test_silence_is_a_report_with_its_reason(members: PodMembers, dialer: LoopbackDialer, scripted: Make) -> None:
    gone = scripted(_hold)
    gone.close()
    dialer.addresses |= {"zk-0": scripted(_hold).address, "zk-1": gone.address}
    dialer.addresses["zk-2"] = scripted(lambda word, sock: None).address
    reports = [await members.poll(make_ensemble(), make_pod(f"zk-{n}"), timeout=0.3) for n in range(3)]
    assert [report.mode for report in reports] == [Mode.SILENT] * 3
    assert [report.error for report in reports] == [
        "no answer in 0.3 s",
        "connection refused",
        "the connection was closed without an answer",
    ]
    assert 0.29 < reports[0].took < 1.5


async def test_what_is_not_the_members_fault_does_not_make_it_silent(
    members: PodMembers, dialer: LoopbackDialer
) -> None:
    dialer.refuse["zk-0"] = DialError("not permitted: create pods/portforward in default")
    report, reached = await members.look(make_ensemble(), make_pod("zk-0"))
    assert (report.mode, report.source, reached) == (Mode.UNKNOWN, "", False)
    assert report.error == "not permitted: create pods/portforward in default"
    slow = DialError("the API server did not answer")
    slow.__cause__ = TimeoutError()
    dialer.refuse["zk-0"] = slow
    report, reached = await members.look(make_ensemble(), make_pod("zk-0"))
    assert (report.mode, reached) == (Mode.SILENT, False)
    dialer.refuse["zk-0"] = DialError(errno.ECONNREFUSED, "connection refused")
    report, reached = await members.look(make_ensemble(), make_pod("zk-0"))
    assert (report.mode, reached) == (Mode.SILENT, True)


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (make_pod("zk-0", node=""), "the pod is not scheduled"),
        (make_pod("zk-0", phase="Pending"), "the pod is pending"),
        (make_pod("zk-0", phase="Failed"), "the pod has failed"),
    ],
)
async def test_a_pod_without_a_server_is_not_dialled(
    members: PodMembers, dialer: LoopbackDialer, pod: Pod, why: str
) -> None:
    report = await members.poll(make_ensemble(), pod)
    assert (report.mode, report.error) == (Mode.SILENT, why)
    config = await members.config(make_ensemble(), [pod])
    synced = await members.synced_read(make_ensemble(), pod)
    assert isinstance(config, Unanswered)
    assert isinstance(synced, Unanswered)
    assert not config.sent
    assert not synced.sent
    assert dialer.dialled == []


async def test_many_silent_members_are_asked_side_by_side(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    hold = scripted(_hold)
    dialer.addresses |= {f"zk-{n}": hold.address for n in range(12)}
    began = time.monotonic()
    polls = (members.poll(make_ensemble(), make_pod(f"zk-{n}"), timeout=0.5) for n in range(12))
    reports = await asyncio.gather(*polls)
    assert {report.mode for report in reports} == {Mode.SILENT}
    assert time.monotonic() - began < 2.0


async def test_configuration_from_conf_where_no_session_can_be_had(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    dialer.addresses["zk-0"] = scripted(saying({b"conf": closed("conf")})).address
    own_line = recorded("conf-3.9.4").replace("server.1=127.7.90.1", "server.1=0.0.0.0")
    dialer.addresses["zk-1"] = scripted(saying({b"conf": own_line})).address
    pods = [make_pod("zk-0"), make_pod("zk-1")]
    reply = await members.config(make_ensemble(), pods)
    assert isinstance(reply, Answer)
    assert (reply.value.source, len(reply.value.voters), reply.value.at) == ("conf", 3, reply.at)
    assert reply.value.server_of(pods[1]) == reply.value.servers[0]
    assert reply.value.servers[0].host == "zk-1"


async def test_conf_has_time_of_its_own_when_all_sessions_hang(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a frozen leader: followers answer `conf`, through a kubelet not at once, and finish no session."""
    monkeypatch.setattr(polling, "CONFIG_TIMEOUT", 2.0)

    def hang(word: bytes, sock: socket.socket) -> bytes | None:
        if word != b"conf":
            return _hold(word, sock)
        time.sleep(0.2)  # the way there
        return recorded("conf-3.9.4").encode()

    dialer.addresses = {"zk-0": scripted(_hold).address, "zk-1": scripted(hang).address, "zk-2": scripted(hang).address}
    reply = await members.config(make_ensemble(), [make_pod(f"zk-{n}") for n in range(3)])
    assert isinstance(reply, Answer), reply
    assert (reply.value.source, len(reply.value.voters)) == ("conf", 3)


async def test_no_configuration_says_why_of_each_member(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    dialer.addresses["zk-0"] = scripted(saying({b"conf": recorded("conf-3.4.14")})).address
    dialer.refuse["zk-1"] = DialError(errno.ECONNREFUSED, "connection refused")
    reply = await members.config(make_ensemble(), [make_pod("zk-0"), make_pod("zk-1")])
    assert isinstance(reply, Unanswered)
    assert reply.why == "zk-0: it takes no sessions; zk-1: connection refused"


async def test_a_synced_read_of_a_member_without_quorum_is_not_answered(
    members: PodMembers, dialer: LoopbackDialer, scripted: Make
) -> None:
    dialer.addresses |= {"zk-0": scripted(saying({})).address, "zk-1": scripted(_hold).address}
    refused = await members.synced_read(make_ensemble(), make_pod("zk-0"))
    silent = await members.synced_read(make_ensemble(), make_pod("zk-1"), timeout=0.5)
    assert isinstance(refused, Unanswered)
    assert isinstance(silent, Unanswered)
    assert (refused.why, silent.why) == ("it takes no sessions", "no session in 0.5 s")


async def test_after_close_nothing_is_asked_and_nothing_raised(dialer: LoopbackDialer) -> None:
    members = PodMembers(dialer, RealClock())
    members.close()
    members.close()
    assert (await members.poll(make_ensemble(), make_pod("zk-0"))).mode is Mode.UNKNOWN
    assert isinstance(await members.config(make_ensemble(), [make_pod("zk-0")]), Unanswered)
    assert isinstance(await members.synced_read(make_ensemble(), make_pod("zk-0")), Unanswered)
    assert dialer.dialled == []
