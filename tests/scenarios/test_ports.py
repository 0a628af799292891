"""The ways to a member's ports: the API server's port-forward, as zktui and as kubectl use it."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Generator

import pytest

from tests.scenarios.play import needs_kubectl, whole
from tests.scenarios.stage import Stage, eventually
from zktui.cluster.connect import Connection, connect
from zktui.core.kube import PodKey
from zktui.core.ports import DialError


@pytest.fixture
def connection(stage: Stage) -> Generator[Connection]:
    opened = connect(str(stage.kubeconfig))
    yield opened
    opened.close()


def ask(sock: socket.socket, word: bytes) -> bytes:
    """A four-letter word's answer: all that comes until the server closes."""
    sock.settimeout(10.0)
    sock.sendall(word)
    said = b""
    while part := sock.recv(4096):
        said += part
    return said


def test_every_members_port(stage: Stage, connection: Connection) -> None:
    for member in whole(stage)["members"]:
        with connection.dialer.dial(PodKey("default", member["pod"], member["uid"]), 2181, 10.0) as sock:
            assert ask(sock, b"ruok") == b"imok"
        with connection.dialer.dial(PodKey("default", member["pod"], member["uid"]), 2181, 10.0) as sock:
            assert f"Mode: {member['role']}".encode() in ask(sock, b"srvr").splitlines()


def test_many_at_once(stage: Stage, connection: Connection) -> None:
    member = whole(stage)["members"][0]
    pod = PodKey("default", member["pod"], member["uid"])
    opened = [connection.dialer.dial(pod, 2181, 10.0) for _ in range(8)]
    try:
        assert [ask(sock, b"ruok") for sock in reversed(opened)] == [b"imok"] * 8
    finally:
        for sock in opened:
            sock.close()


def test_a_large_answer(stage: Stage, connection: Connection) -> None:
    """mntr tells some 17 kB, in several messages of the forwarded stream."""
    member = whole(stage)["members"][0]
    with connection.dialer.dial(PodKey("default", member["pod"], member["uid"]), 2181, 10.0) as sock:
        said = ask(sock, b"mntr").decode()
    assert len(said) > 8000
    assert said.startswith("zk_version\t3.9.")
    assert said.endswith("\n")


def test_a_port_that_nobody_listens_on(stage: Stage, connection: Connection) -> None:
    """Told as an error, or as an end without a byte: never as an answer."""
    member = whole(stage)["members"][0]
    try:
        with connection.dialer.dial(PodKey("default", member["pod"], member["uid"]), 2999, 10.0) as sock:
            said = ask(sock, b"ruok")
    except (DialError, ConnectionError):
        return
    assert said == b""


def test_a_pod_that_is_not_there(stage: Stage, connection: Connection) -> None:
    whole(stage)
    with pytest.raises(DialError, match="zk-7"):
        connection.dialer.dial(PodKey("default", "zk-7", ""), 2181, 10.0)


def test_port_forward_by_kubectl(stage: Stage) -> None:
    needs_kubectl()
    whole(stage)
    environment = dict(stage.environment())
    process = subprocess.Popen(
        ["kubectl", "port-forward", "pod/zk-0", ":2181"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+) -> 2181", process.stdout.readline())
        assert found is not None

        def answer() -> bytes | None:
            with socket.create_connection(("127.0.0.1", int(found[1])), 5.0) as sock:
                return ask(sock, b"ruok")

        assert eventually("an answer through kubectl", answer, 10.0) == b"imok"
    finally:
        process.terminate()
        process.communicate(timeout=10)
