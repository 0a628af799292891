"""Logs, exec and port-forward as raw HTTP and WebSocket clients meet them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from zktui.demo import portforward
from zktui.demo.store import Store

POD = "/api/v1/namespaces/default/pods/zk-0"


async def get_text(http: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with http.get(path) as reply:
        return reply.status, await reply.text()


async def test_logs_and_their_options(http: aiohttp.ClientSession, runtime: Any) -> None:
    assert (await get_text(http, f"{POD}/log?tailLines=2"))[1] == "line 98\nline 99\n"
    assert (await get_text(http, f"{POD}/log?tailLines=0"))[1] == ""
    assert (await get_text(http, f"{POD}/log?limitBytes=10"))[1] == "line 0\nlin"
    path = f"{POD}/log?sinceTime=2026-01-01T00%3A00%3A00.5Z&timestamps=true&container=zookeeper"
    assert (await get_text(http, path))[0] == 200
    options = runtime.asked[-1]
    assert (options.since, options.timestamps, options.container) == (1767225600.5, True, "zookeeper")


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("container=other", 400, "container other is not valid for pod zk-0"),
        ("previous=true", 400, "previous terminated container"),
        ("tailLines=-1", 422, "must be greater than or equal to 0"),
        ("sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z", 422, "at most one of"),
        ("tailLines=x", 400, "invalid syntax"),
    ],
)
async def test_logs_that_are_refused(http: aiohttp.ClientSession, query: str, code: int, words: str) -> None:
    status, text = await get_text(http, f"{POD}/log?{query}")
    assert status == code
    assert words in text


async def test_logs_of_a_pod_without_a_node(http: aiohttp.ClientSession, store: Store, make_member: Any) -> None:
    store.create("pods", make_member("zk-9"))
    assert await get_text(http, POD.replace("zk-0", "zk-9") + "/log") == (204, "")


async def test_following_a_log_until_the_reader_leaves(http: aiohttp.ClientSession, runtime: Any) -> None:
    async with http.get(f"{POD}/log?follow=true&tailLines=1") as reply:
        assert await asyncio.wait_for(reply.content.readline(), 5) == b"line 99\n"
        runtime.more.put_nowait(b"more\n")
        assert await asyncio.wait_for(reply.content.readline(), 5) == b"more\n"
        assert not runtime.closed.is_set()
    await asyncio.wait_for(runtime.closed.wait(), 5)


async def run(
    http: aiohttp.ClientSession, query: str, stdin: bytes | None = None, protocol: str = "v5.channel.k8s.io"
) -> dict[int, bytes]:
    """What each channel of an exec said until the server closed it."""
    said: dict[int, bytes] = {}
    async with http.ws_connect(f"{POD}/exec?stdout=true&stderr=true&{query}", protocols=(protocol,)) as socket:
        assert socket.protocol == protocol
        if stdin is not None:
            await socket.send_bytes(b"\x00" + stdin)
            await socket.send_bytes(bytes([255, 0]))
        async for message in socket:
            data: bytes = message.data
            said[data[0]] = said.get(data[0], b"") + data[1:]
    return said


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_exec(http: aiohttp.ClientSession, protocol: str) -> None:
    said = await run(http, "command=echo&command=a&command=b", protocol=protocol)
    assert said[1] == b"a b\n"
    assert json.loads(said[3]) == {"metadata": {}, "status": "Success"}


async def test_exec_keeps_the_streams_and_the_exit_code(http: aiohttp.ClientSession) -> None:
    said = await run(http, "command=both")
    assert (said[1], said[2]) == (b"out\n", b"err\n")
    status = json.loads(said[3])
    assert (status["status"], status["reason"]) == ("Failure", "NonZeroExitCode")
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_exec_stdin_ends_when_its_channel_is_closed(http: aiohttp.ClientSession) -> None:
    said = await run(http, "command=cat&stdin=true", b"typed")
    assert said[1] == b"typed"


async def test_exec_that_is_refused(http: aiohttp.ClientSession) -> None:
    for query, words in (("stdout=true", "at least one command"), ("command=x&container=other", "is not valid")):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(f"{POD}/exec?{query}")
        assert caught.value.status == 400
        assert words in (await get_text(http, f"{POD}/exec?{query}"))[1]
    assert "Upgrade request required" in (await get_text(http, f"{POD}/exec?command=x"))[1]


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """A TCP server that sends each line back in capitals, and closes after ``bye``."""
    done: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.add(asyncio.current_task())
        while (line := await reader.readline()) and line != b"bye\n":
            writer.write(line.upper())
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await asyncio.wait_for(asyncio.gather(*filter(None, done)), 5)


async def receive(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    message = await asyncio.wait_for(socket.receive(), 5)
    assert message.type == aiohttp.WSMsgType.BINARY, message
    return message.data


async def test_port_forward(http: aiohttp.ClientSession, echo: int) -> None:
    number = echo.to_bytes(2, "little")
    async with http.ws_connect(f"{POD}/portforward?ports={echo}", protocols=("v4.channel.k8s.io",)) as socket:
        assert await receive(socket) == b"\x00" + number
        assert await receive(socket) == b"\x01" + number
        await socket.send_bytes(b"\x00srvr\n")
        assert await receive(socket) == b"\x00SRVR\n"
        await socket.send_bytes(b"\x00bye\n")
        assert (await asyncio.wait_for(socket.receive(), 5)).type == aiohttp.WSMsgType.CLOSE


async def test_the_pods_end_is_heard_when_the_clients_side_had_its_time(
    http: aiohttp.ClientSession, echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As through a kubelet, where what is still said in that second is still sent on."""
    monkeypatch.setattr(portforward, "OTHER_DIRECTION_SECONDS", 0.4)
    async with http.ws_connect(f"{POD}/portforward?ports={echo}", protocols=("v4.channel.k8s.io",)) as socket:
        assert [(await receive(socket))[0] for _ in range(2)] == [0, 1]
        asked = asyncio.get_running_loop().time()
        await socket.send_bytes(b"\x00last\nbye\n")
        assert await receive(socket) == b"\x00LAST\n"
        assert asyncio.get_running_loop().time() - asked < 0.4
        assert (await asyncio.wait_for(socket.receive(), 5)).type == aiohttp.WSMsgType.CLOSE
        assert asyncio.get_running_loop().time() - asked >= 0.4


async def test_a_client_that_leaves_ends_the_pods_connection_at_once(
    http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portforward, "OTHER_DIRECTION_SECONDS", 60.0)
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with http.ws_connect(f"{POD}/portforward?ports={port}", protocols=("v4.channel.k8s.io",)) as socket:
        assert [(await receive(socket))[0] for _ in range(2)] == [0, 1]
    await asyncio.wait_for(ended.wait(), 5)
    server.close()


async def test_two_ports_have_their_own_channels(http: aiohttp.ClientSession, echo: int) -> None:
    query = f"ports={echo}&ports={echo}"
    async with http.ws_connect(f"{POD}/portforward?{query}", protocols=("v4.channel.k8s.io",)) as socket:
        assert [(await receive(socket))[0] for _ in range(4)] == [0, 1, 2, 3]
        await socket.send_bytes(b"\x02second\n")
        assert await receive(socket) == b"\x02SECOND\n"


async def test_a_closed_port_is_told_on_the_error_channel(http: aiohttp.ClientSession, unused_port: int) -> None:
    path = f"{POD}/portforward?ports={unused_port}"
    async with http.ws_connect(path, protocols=("v4.channel.k8s.io",)) as socket:
        assert [(await receive(socket))[0] for _ in range(2)] == [0, 1]
        error = await receive(socket)
        assert error.startswith(b"\x01error forwarding port " + str(unused_port).encode())
        assert (await asyncio.wait_for(socket.receive(), 5)).type == aiohttp.WSMsgType.CLOSE


@pytest.fixture
async def unused_port() -> int:
    """A port where nothing listens (any more)."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.parametrize("query", ["", "ports=x", "ports=70000"])
async def test_port_forward_that_is_refused(http: aiohttp.ClientSession, query: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(f"{POD}/portforward?{query}", protocols=("v4.channel.k8s.io",))
    assert caught.value.status == 400
