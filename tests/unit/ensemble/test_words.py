"""Replies recorded from ZooKeeper 3.4.14, 3.5.10, 3.6.4 and 3.9.4 (three voters, one observer), and broken ones."""

from __future__ import annotations

import queue
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.ensemble.servers import LoopbackDialer, Scripted, make_pod
from zktui.core.kube import PodKey
from zktui.core.ports import DialError
from zktui.core.zookeeper import MemberDetail, Mode, Server, ServerRole
from zktui.ensemble.words import (
    NoAnswer,
    Unreadable,
    ask,
    closed,
    parse_conf,
    parse_config,
    parse_cons,
    parse_dump,
    parse_mntr,
    parse_server,
    parse_srvr,
    printable,
    told_all,
)

REPLIES = Path(__file__).parent / "replies"
RELEASES = ("3.4.14", "3.5.10", "3.6.4", "3.9.4")
Make = Callable[[Callable[[bytes, socket.socket], bytes | None]], Scripted]


def reply(name: str) -> str:
    return (REPLIES / f"{name}.txt").read_text()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("mode", [Mode.LEADER, Mode.FOLLOWER, Mode.OBSERVER])
def test_srvr_of_each_release_and_role(release: str, mode: Mode) -> None:
    status = parse_srvr(reply(f"srvr-{release}-{mode}"))
    assert (status.mode, status.version, status.error) == (mode, release, "")
    assert (status.connections, status.outstanding, status.latency) == (1, 0, (0.0, 0.0, 0.0))
    assert status.znodes == (4 if release == "3.4.14" else 5)
    assert status.zxid is not None
    assert status.zxid.epoch == (1 if mode is Mode.LEADER else 0)


def test_srvr_of_a_standalone_server() -> None:
    assert parse_srvr(reply("srvr-3.9.4-standalone")).mode is Mode.STANDALONE


def test_latency_with_a_fraction_and_a_read_only_server() -> None:
    text = reply("srvr-3.9.4-follower").replace("0/0.0/0", "0/1.2345/67").replace("Mode: follower", "Mode: read-only")
    status = parse_srvr(text)
    assert status.latency == (0.0, 1.2345, 67.0)
    assert status.mode is Mode.READ_ONLY
    assert not status.mode.serving


def test_a_server_without_quorum_is_looking() -> None:
    status = parse_srvr("This ZooKeeper instance is not currently serving requests\n")
    assert (status.mode, status.error) == (Mode.LOOKING, "")


def test_a_closed_word_is_unknown_with_the_servers_reason() -> None:
    sentence = "srvr is not executed because it is not in the whitelist."
    status = parse_srvr(sentence + "\n")
    assert (status.mode, status.error) == (Mode.UNKNOWN, sentence)
    assert closed(sentence)
    assert not closed(reply("srvr-3.9.4-follower"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "it said: HTTP/1.1 400 Bad Request"),
        ("\x1b[2Jhello", "it said: \N{REPLACEMENT CHARACTER}[2Jhello"),
        ("Zookeeper version: 4.0.0\nMode: emperor\n", "its mode is emperor"),
        ("Zxid: 0xzz\nLatency min/avg/max: a/b\nConnections: many", "it said: Zxid: 0xzz"),
    ],
)
def test_other_words_are_unknown_and_say_what_was_said(text: str, why: str) -> None:
    status = parse_srvr(text)
    assert status.mode is Mode.UNKNOWN
    assert status.error.startswith(why)
    assert (status.zxid, status.latency, status.connections) == (None, None, None)


@pytest.mark.parametrize(("release", "learners"), [("3.4.14", 3), ("3.5.10", 3), ("3.6.4", 3), ("3.9.4", 3)])
def test_mntr_of_each_releases_leader(release: str, learners: int) -> None:
    monitor = parse_mntr(reply(f"mntr-{release}-leader"))
    assert monitor is not None
    assert (monitor.mode, monitor.version) == (Mode.LEADER, release)
    assert (monitor.detail.synced_followers, monitor.detail.learners, monitor.detail.pending_syncs) == (2, learners, 0)
    assert monitor.detail.peer_state == ("leading - broadcast" if release in ("3.6.4", "3.9.4") else "")
    assert monitor.detail.data_bytes is not None


def test_mntr_with_floats_and_of_a_follower() -> None:
    text = reply("mntr-3.9.4-leader").replace("zk_synced_followers\t2", "zk_synced_followers\t2.0")
    assert "2.0" in text
    monitor = parse_mntr(text)
    assert monitor is not None
    assert monitor.detail.synced_followers == 2
    follower = parse_mntr(reply("mntr-3.9.4-follower"))
    assert follower is not None
    assert follower.detail == MemberDetail(
        peer_state="following - broadcast", watches=0, ephemerals=0, data_bytes=218, open_files=41
    )


def test_mntr_closed_or_not_serving_is_none() -> None:
    assert parse_mntr("mntr is not executed because it is not in the whitelist.\n") is None
    assert parse_mntr("This ZooKeeper instance is not currently serving requests\n") is None


@pytest.mark.parametrize("release", ["3.5.10", "3.6.4", "3.9.4"])
def test_conf_tells_the_membership(release: str) -> None:
    conf = parse_conf(reply(f"conf-{release}"))
    assert conf is not None
    assert conf.config is not None
    assert (conf.server_id, conf.min_session_timeout, conf.config.version) == (1, 4000, "0")
    assert [server.myid for server in conf.config.voters] == [1, 2, 3]
    assert conf.config.servers[3].role is ServerRole.OBSERVER


@pytest.mark.parametrize(("name", "myid"), [("conf-3.4.14", 1), ("conf-3.9.4-standalone", 0)])
def test_conf_without_a_membership(name: str, myid: int) -> None:
    conf = parse_conf(reply(name))
    assert conf is not None
    assert (conf.server_id, conf.config) == (myid, None)


def test_a_conf_that_is_cut_is_not_taken_for_a_smaller_ensemble() -> None:
    whole = reply("conf-3.9.4")
    with pytest.raises(Unreadable, match="cut"):
        parse_conf(whole[: whole.index("server.3")])
    assert parse_conf("conf is not executed because it is not in the whitelist.") is None


def test_the_config_znode() -> None:
    config = parse_config(reply("config-3.9.4"))
    assert len(config.servers) == 4
    assert len(config.voters) == 3
    assert not config.hierarchical
    assert parse_config("").servers == ()


@pytest.mark.parametrize(
    ("line", "server"),
    [
        ("zk-0.zk-hs:2888:3888", Server(1, "zk-0.zk-hs")),
        ("zk-0:2888:3888;2181", Server(1, "zk-0", client_port=2181)),
        ("zk-0:2888:3888:observer;0.0.0.0:2182", Server(1, "zk-0", ServerRole.OBSERVER, 2182)),
        ("[fd00::1]:2888:3888:participant;[::]:2181", Server(1, "fd00::1", client_port=2181)),
        ("net1:2888:3888|net2:2889:3889:observer;2181", Server(1, "net1", ServerRole.OBSERVER, 2181)),
        ("zk-0:2888", Server(1, "zk-0")),
    ],
)
def test_the_forms_of_a_servers_line(line: str, server: Server) -> None:
    assert parse_server(1, line) == server


@pytest.mark.parametrize("line", ["", "zk-0", "fd00::1:2888:3888", "zk-0:2888:3888:king", "zk-0:x:y", "a:1:2|b"])
def test_a_servers_line_that_is_not_understood_is_an_error(line: str) -> None:
    with pytest.raises(Unreadable, match=r"server\.7"):
        parse_config(f"server.1=zk-0:2888:3888\nserver.7={line}\nversion=0")


def test_groups_and_weights() -> None:
    text = (
        "".join(f"server.{n}=zk-{n}:2888:3888\n" for n in (1, 2, 3)) + "group.1=1:2\ngroup.2=3\nweight.2=0\nversion=1f"
    )
    config = parse_config(text)
    assert [(s.group, s.weight) for s in config.servers] == [(1, 1), (1, 0), (2, 1)]
    assert config.hierarchical
    assert config.version == "1f"
    with pytest.raises(Unreadable):
        parse_config("server.x=zk-0:2888:3888")
    with pytest.raises(Unreadable):
        parse_config("weight.1=heavy")


def test_printable_is_one_short_line() -> None:
    assert printable("a\n\tb \x1b]0;x\x07") == "a b \N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER}"
    assert printable("x" * 100) == "x" * 79 + "…"


def test_a_reply_longer_than_one_read_is_whole(scripted: Make) -> None:
    text = reply("mntr-3.9.4-leader")
    assert len(text) > 8192

    def slowly(word: bytes, sock: socket.socket) -> bytes | None:
        for start in range(0, len(text), 700):
            sock.sendall(text[start : start + 700].encode())
        return None

    server = scripted(slowly)
    dialer = LoopbackDialer({"zk-0": server.address})
    assert ask(dialer, make_pod("zk-0").key, 2181, "mntr", 5) == text
    assert server.asked == [b"mntr"]


@pytest.mark.parametrize(
    "reply",
    [
        *(path.read_text() for path in sorted(REPLIES.glob("srvr-*.txt"))),
        "This ZooKeeper instance is not currently serving requests\n",
        "srvr is not executed because it is not in the whitelist.\n",
    ],
)
def test_a_whole_reply_is_not_waited_upon(scripted: Make, reply: str) -> None:
    """Through a kubelet the end of a forwarded connection is heard a second late, when the evidence has grown old."""

    def say_and_hold(word: bytes, sock: socket.socket) -> bytes | None:
        head, tail = reply[: len(reply) // 2], reply[len(reply) // 2 :]
        sock.sendall(head.encode())
        sock.sendall(tail.encode())
        return _hold(word, sock)

    dialer = LoopbackDialer({"zk-0": scripted(say_and_hold).address})
    assert ask(dialer, make_pod("zk-0").key, 2181, "srvr", 5) in (reply, reply[: len(reply) // 2])


@pytest.mark.parametrize(("word", "recorded"), [("mntr", "mntr-3.9.4-leader.txt"), ("conf", "conf-3.9.4.txt")])
def test_a_reply_without_a_known_end_ends_when_it_falls_silent(scripted: Make, word: str, recorded: str) -> None:
    text = (REPLIES / recorded).read_text()

    def say_and_hold(word: bytes, sock: socket.socket) -> bytes | None:
        sock.sendall(text.encode())
        return _hold(word, sock)

    began = time.monotonic()
    dialer = LoopbackDialer({"zk-0": scripted(say_and_hold).address})
    assert ask(dialer, make_pod("zk-0").key, 2181, word, 20) == text
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("recorded", ["mntr-3.6.4-leader", "mntr-3.9.4-leader", "mntr-3.9.4-follower"])
def test_mntr_ends_once_all_that_is_wanted_has_come(scripted: Make, recorded: str) -> None:
    """Else each question for it would last until it has been silent for long enough."""
    text = reply(recorded)

    def say_and_hold(word: bytes, sock: socket.socket) -> bytes | None:
        for start in range(0, len(text), 300):  # each part is cut somewhere in a line
            sock.sendall(text[start : start + 300].encode())
        return _hold(word, sock)

    dialer = LoopbackDialer({"zk-0": scripted(say_and_hold).address})
    told = ask(dialer, make_pod("zk-0").key, 2181, "mntr", 20, told_all)
    assert text.startswith(f"{told}\n")
    assert parse_mntr(told) == parse_mntr(text)


@pytest.mark.parametrize("enough", [told_all, None])
def test_a_server_can_say_all_of_a_reply_that_nobody_waits_for(
    scripted: Make, enough: Callable[[str], bool] | None
) -> None:
    """A client that closes while a server sends makes it log an error with a stack trace, each time it is asked."""
    text = reply("mntr-3.9.4-leader")
    sent: queue.Queue[OSError | None] = queue.Queue()

    def say_more(word: bytes, sock: socket.socket) -> bytes | None:
        sock.sendall(text.encode())
        time.sleep(0.5)  # by now the asker has what it wants
        try:
            for _ in range(8):
                sock.sendall(text.encode())
                time.sleep(0.02)  # a reset would be seen by the next part
        except OSError as error:
            sent.put(error)
        else:
            sent.put(None)
        return None

    dialer = LoopbackDialer({"zk-0": scripted(say_more).address})
    assert parse_mntr(ask(dialer, make_pod("zk-0").key, 2181, "mntr", 20, enough)) == parse_mntr(text)
    assert sent.get(timeout=10) is None


def test_all_is_told_only_with_what_a_leader_alone_tells() -> None:
    lines = reply("mntr-3.9.4-leader").splitlines()
    last = next(number for number, line in enumerate(lines) if line.startswith("zk_learners"))
    assert not told_all("\n".join(lines[:last]))
    assert told_all("\n".join(lines[: last + 1]))
    assert not told_all(reply("mntr-3.4.14-leader")), "older releases are waited for: they tell less"


def _hold(word: bytes, sock: socket.socket) -> bytes | None:
    sock.recv(1)  # until the other side gives up
    return None


def _begin(word: bytes, sock: socket.socket) -> bytes | None:
    sock.sendall(b"Zookeeper version: 3.9")
    return _hold(word, sock)


@pytest.mark.parametrize(("behave", "why"), [(_hold, "no answer in 0.2 s"), (_begin, "only 22 bytes of an answer in")])
def test_silence_ends_at_the_deadline(
    scripted: Make, behave: Callable[[bytes, socket.socket], bytes | None], why: str
) -> None:
    dialer = LoopbackDialer({"zk-0": scripted(behave).address})
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=why):
        ask(dialer, make_pod("zk-0").key, 2181, "srvr", 0.2)
    assert 0.19 < time.monotonic() - began < 1.5


def test_a_trickle_does_not_extend_the_deadline(scripted: Make) -> None:
    def trickle(word: bytes, sock: socket.socket) -> bytes | None:
        while True:
            sock.sendall(b".")  # ends with the connection
            time.sleep(0.01)

    dialer = LoopbackDialer({"zk-0": scripted(trickle).address})
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"in 0\.3 s"):
        ask(dialer, make_pod("zk-0").key, 2181, "srvr", 0.3)
    assert time.monotonic() - began < 1.5


def test_an_endless_reply_and_an_empty_one(scripted: Make) -> None:
    def flood(word: bytes, sock: socket.socket) -> bytes | None:
        while True:
            sock.sendall(b"x" * 65536)

    dialer = LoopbackDialer({"zk-0": scripted(flood).address, "zk-1": scripted(lambda word, sock: None).address})
    with pytest.raises(NoAnswer, match="does not end"):
        ask(dialer, make_pod("zk-0").key, 2181, "srvr", 10)
    with pytest.raises(NoAnswer, match="closed without an answer"):
        ask(dialer, make_pod("zk-1").key, 2181, "srvr", 5)


def test_nobody_there_is_the_dialers_error(scripted: Make) -> None:
    server = scripted(lambda word, sock: None)
    server.close()
    with pytest.raises(DialError, match="connection refused"):
        ask(LoopbackDialer({"zk-0": server.address}), make_pod("zk-0").key, 2181, "srvr", 1)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("failed to connect to localhost:2181, IPv4: dial tcp4 127.0.0.1:2181: connect: connection refused", "refused"),
        ("the pod's sandbox is\ngone", "the pod's sandbox is gone"),
    ],
)
def test_what_a_forwarded_port_says_comes_with_the_reply(told: str, why: str) -> None:
    near, far = socket.socketpair()

    class Forwarded(socket.socket):
        def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
            raise DialError(told)

    class Forwarding:
        def dial(self, pod: PodKey, port: int, timeout: float) -> socket.socket:
            return Forwarded(fileno=near.detach())

    with far, pytest.raises(NoAnswer, match=why) as error:
        ask(Forwarding(), make_pod("zk-0").key, 2181, "srvr", 1)
    assert "localhost" not in str(error.value)


CONS = """\
 /10.0.0.7:51234[1](queued=0,recved=42,sent=42,sid=0x10000a2f4b30000,lop=PING,est=1700000000000,to=30000,lcxid=0x1)
 /10.0.0.8:40000[1](queued=0,recved=4,sent=4,sid=0x10000A2F4B30001,lop=SESS,est=1700000000000,to=4000)
 /127.0.0.1:37234[0](queued=0,recved=1,sent=0)

"""
DUMP = """\
SessionTracker dump:
Session Sets (1)/(1):
1 expire at Thu Jan 01 00:00:00 UTC 1970:
\t0x10000a2f4b30000
ephemeral nodes dump:
Sessions with Ephemerals (2):
0x10000a2f4b30000:
\t/a
\t/b
0x20000a2f4b30009:
\t/c
Connections dump:
Connections Sets (1)/(1):
1 expire at Thu Jan 01 00:00:00 UTC 1970:
\tip: /10.0.0.7:51234 sessionId: 0x10000a2f4b30000
"""


def test_cons_tells_each_sessions_timeout() -> None:
    assert parse_cons(CONS) == {"0x10000a2f4b30000": 30000, "0x10000a2f4b30001": 4000}
    assert parse_cons("cons is not executed because it is not in the whitelist.\n") == {}


def test_dump_tells_how_many_ephemerals_a_session_has() -> None:
    assert parse_dump(DUMP) == {"0x10000a2f4b30000": 2, "0x20000a2f4b30009": 1}
    assert parse_dump("") == {}
