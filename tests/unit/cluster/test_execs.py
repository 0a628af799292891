"""Commands in containers, against a server that speaks `pods/exec` well and badly."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from tests.unit.cluster.apiserver import ApiServer, Handler, refusal, stall
from zktui.cluster.connect import Connection
from zktui.core.kube import PodKey
from zktui.core.ports import Answer, Executed, Refused, Reply, Unanswered

Open = Callable[..., Connection]
POD = PodKey("zoo", "zk-0", "uid-0")
PATH = "/api/v1/namespaces/zoo/pods/zk-0/exec"
SUCCESS: dict[str, Any] = {"metadata": {}, "status": "Success"}


def ended_with(code: int) -> dict[str, Any]:
    """As the kubelet tells an exit code other than 0."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def saying(*messages: tuple[int, bytes], status: object = SUCCESS, protocol: str = "v5.channel.k8s.io") -> Handler:
    """(channel, bytes) in this order, and then how it ended; None for a close without a word."""

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=[protocol])
        await ws.prepare(request)
        for channel, data in messages:
            await ws.send_bytes(bytes([channel]) + data)
        if status is not None:
            await ws.send_bytes(b"\x03" + (status if isinstance(status, bytes) else json.dumps(status).encode()))
        await ws.close()
        return ws

    return handler


async def run(connection: Connection, *command: str, **options: Any) -> Reply[Executed]:
    return await connection.executor.run(POD, "server", command or ("hostname",), **options)


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_both_outputs_and_what_was_asked(server: ApiServer, open_to: Open, protocol: str) -> None:
    server.on("GET", PATH, saying((1, b""), (1, b"zk-"), (2, b"careful\n"), (1, b"0\n"), protocol=protocol))
    reply = await run(open_to(), "cat", "/a b&c")
    assert isinstance(reply, Answer)
    assert reply.value == Executed("zk-0\n", "careful\n", 0, cut=False)
    (request,) = server.seen
    assert list(request.query.items()) == [
        ("container", "server"),
        ("stdout", "true"),
        ("stderr", "true"),
        ("command", "cat"),
        ("command", "/a b&c"),
    ]
    assert request.headers["Authorization"] == "Bearer secret"


async def test_an_exit_code_is_an_answer(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, saying((2, b"cat: /x: No such file or directory\n"), status=ended_with(1)))
    reply = await run(open_to(), "cat", "/x")
    assert isinstance(reply, Answer)
    assert (reply.value.code, reply.value.out) == (1, "")
    assert reply.value.err == "cat: /x: No such file or directory\n"


async def test_a_program_that_is_not_there_is_a_refusal(server: ApiServer, open_to: Open) -> None:
    said = {"status": "Failure", "code": 500, "reason": "InternalError", "message": 'exec: "x": not found in $PATH'}
    server.on("GET", PATH, saying(status=said))
    reply = await run(open_to(), "x")
    assert isinstance(reply, Refused)
    assert (reply.code, reply.message) == (500, 'exec: "x": not found in $PATH')


@pytest.mark.parametrize(("code", "reason"), [(403, "Forbidden"), (404, "NotFound")])
async def test_a_handshake_that_is_refused_keeps_its_status(
    server: ApiServer, open_to: Open, code: int, reason: str
) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return refusal(code, reason, "pods/exec: no")

    server.on("GET", PATH, handler)
    reply = await run(open_to())
    assert isinstance(reply, Refused)
    assert reply.code == code
    assert "pods/exec: no" in reply.message


async def test_more_than_the_limit_is_cut_and_said(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, saying((1, b"x" * 700), (1, b"y" * 700), (2, b"whole")))
    reply = await run(open_to(), limit=1000)
    assert isinstance(reply, Answer)
    assert (reply.value.out, reply.value.err) == ("x" * 700 + "y" * 300, "whole")
    assert reply.value.cut


async def test_output_of_the_limits_length_is_whole(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, saying((1, b"x" * 1000)))
    reply = await run(open_to(), limit=1000)
    assert isinstance(reply, Answer)
    assert (len(reply.value.out), reply.value.cut) == (1000, False)


async def test_bytes_that_are_no_text_are_replaced(server: ApiServer, open_to: Open) -> None:
    # A letter that two messages share is whole; what is no UTF-8 is not lost silently.
    server.on("GET", PATH, saying((1, b"\xc3"), (1, b"\xa9\xff")))
    reply = await run(open_to())
    assert isinstance(reply, Answer)
    assert reply.value.out == "é\ufffd"


async def test_a_close_without_a_status_is_no_answer(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, saying((1, b"half"), status=None))
    reply = await run(open_to())
    assert isinstance(reply, Unanswered)
    assert reply.sent
    assert "without saying how" in reply.why


async def test_a_status_that_cant_be_read_is_no_answer(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, saying(status=b"{nonsense"))
    reply = await run(open_to())
    assert isinstance(reply, Unanswered)
    assert "can't be read" in reply.why


async def test_a_connection_that_is_cut_is_no_answer(server: ApiServer, open_to: Open) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["v5.channel.k8s.io"])
        await ws.prepare(request)
        await ws.send_bytes(b"\x01half")
        await asyncio.sleep(0.05)  # or what was written would be lost with the connection
        assert request.transport is not None
        request.transport.abort()
        return ws

    server.on("GET", PATH, handler)
    reply = await run(open_to())
    assert isinstance(reply, Unanswered)
    assert "cut" in reply.why


@pytest.mark.parametrize("greets", [False, True], ids=["no handshake", "no end"])
async def test_the_time_is_kept(server: ApiServer, open_to: Open, greets: bool) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["v5.channel.k8s.io"])
        await ws.prepare(request)
        return await stall(request)

    server.on("GET", PATH, hang if greets else stall)
    started = time.monotonic()
    reply = await run(open_to(), timeout=0.4)
    assert isinstance(reply, Unanswered)
    assert time.monotonic() - started < 5
    assert reply.sent is greets
    if greets:
        assert "did not end within 0.4 s" in reply.why


async def test_a_ping_is_answered(server: ApiServer, open_to: Open) -> None:
    ponged: list[bytes] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=["v5.channel.k8s.io"], autoping=False)
        await ws.prepare(request)
        await ws.ping(b"there?")
        message = await ws.receive(5)
        ponged.append(message.data)
        await ws.send_bytes(b"\x03" + json.dumps(SUCCESS).encode())
        await ws.close()
        return ws

    server.on("GET", PATH, handler)
    assert isinstance(await run(open_to()), Answer)
    assert ponged == [b"there?"]


async def test_many_at_once_do_not_mix(server: ApiServer, open_to: Open) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        word = request.query.getall("command")[-1].encode()
        return await saying((1, word[:1]), (1, word[1:]))(request)

    server.on("GET", PATH, handler)
    connection = open_to()
    words = [f"word-{n}" for n in range(24)]
    replies = await asyncio.gather(*(run(connection, "echo", word) for word in words))
    assert [r.value.out for r in replies if isinstance(r, Answer)] == words
