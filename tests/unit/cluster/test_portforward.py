from __future__ import annotations

import asyncio
import resource
import socket
import threading
import time
from collections.abc import Callable

import pytest
from aiohttp import WSMsgType, web

from tests.unit.cluster.apiserver import ApiServer, refusal, stall
from zktui.cluster.connect import Connection
from zktui.cluster.websocket import BINARY, FrameReader
from zktui.core.kube import PodKey
from zktui.core.ports import DialError

Open = Callable[..., Connection]
KEY = PodKey("zoo", "zk-0", "uid-0")
PATH = "/api/v1/namespaces/zoo/pods/zk-0/portforward"


async def accept(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
    await ws.prepare(request)
    port = int(request.query["ports"]).to_bytes(2, "little")
    await ws.send_bytes(b"\0" + port)
    await ws.send_bytes(b"\1" + port)
    return ws


async def echo(request: web.Request) -> web.StreamResponse:
    ws = await accept(request)
    async for message in ws:
        if message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
    return ws


def dialled(connection: Connection) -> socket.socket:
    sock = connection.dialer.dial(KEY, 2181, 2.0)
    sock.settimeout(5)
    return sock


def read_all(sock: socket.socket) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


def test_bytes_go_both_ways(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, echo)
    data = bytes(range(256)) * 8192  # 2 MiB: more than any buffer on the way
    with dialled(open_to()) as sock:
        writer = threading.Thread(target=sock.sendall, args=(data,))
        writer.start()
        found = b""
        while len(found) < len(data):
            found += sock.recv(65536)
        writer.join()
    assert found == data
    assert server.seen[0].headers["Authorization"] == "Bearer secret"


def test_a_reply_comes_after_the_caller_has_closed_its_writing_half(server: ApiServer, open_to: Open) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        ws = await accept(request)
        asked = (await ws.receive_bytes())[1:]
        await ws.send_bytes(b"\0reply to " + asked)
        await ws.close()
        return ws

    server.on("GET", PATH, answer)
    with dialled(open_to()) as sock:
        sock.sendall(b"srvr")
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b"reply to srvr"


@pytest.mark.parametrize("data", [b"", b"half"])
def test_a_lost_websocket_is_an_end_and_an_error_where_no_data_came(
    server: ApiServer, open_to: Open, data: bytes
) -> None:
    async def lose(request: web.Request) -> web.StreamResponse:
        ws = await accept(request)
        await ws.send_bytes(b"\0" + data)
        await asyncio.sleep(0.05)  # or what was written would be lost with the connection
        assert request.transport is not None
        request.transport.abort()
        return ws

    server.on("GET", PATH, lose)
    with dialled(open_to()) as sock:
        if data:
            assert read_all(sock) == data
        else:
            with pytest.raises(DialError, match="without a word"):
                sock.recv(100)


def test_an_error_of_the_kubelet_is_told_where_data_was_expected(server: ApiServer, open_to: Open) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        ws = await accept(request)
        await ws.send_bytes(b"\1error forwarding port 2181: connection refused\n")
        await asyncio.sleep(3600)
        return ws

    server.on("GET", PATH, refuse)
    with (
        dialled(open_to()) as sock,
        pytest.raises(DialError, match=r"^error forwarding port 2181: connection refused$"),
    ):
        sock.recv(100)


def test_what_the_api_server_says_when_it_refuses(server: ApiServer, open_to: Open) -> None:
    async def forbidden(_: web.Request) -> web.StreamResponse:
        return refusal(403, "Forbidden", "pods/portforward is forbidden")

    server.on("GET", PATH, forbidden)
    with pytest.raises(DialError, match=r"pods/portforward is forbidden \(403\)"):
        open_to().dialer.dial(KEY, 2181, 2.0)


def test_a_dial_keeps_its_time(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, stall)
    started = time.monotonic()
    with pytest.raises(DialError, match="in time"):
        open_to().dialer.dial(KEY, 2181, 0.3)
    assert time.monotonic() - started < 2


def test_nobody_listens(server: ApiServer, open_to: Open) -> None:
    connection = open_to()
    server.stop()
    with pytest.raises(DialError, match="refuses connections"):
        connection.dialer.dial(KEY, 2181, 1.0)


def test_closing_the_dialer_ends_its_connections(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, echo)
    connection = open_to()
    with dialled(connection) as sock:
        connection.dialer.close()
        assert read_all(sock) == b""
    with pytest.raises(DialError):
        connection.dialer.dial(KEY, 2181, 1.0)


def test_the_callers_close_reaches_the_server(server: ApiServer, open_to: Open) -> None:
    ended = threading.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        ws = await accept(request)
        async for _ in ws:
            pass
        ended.set()
        return ws

    server.on("GET", PATH, handler)
    dialled(open_to()).close()
    assert ended.wait(5)


def test_descriptors_beyond_select_are_served(server: ApiServer, open_to: Open) -> None:
    server.on("GET", PATH, echo)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("this machine allows no descriptor above 1024")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    held = [socket.socket() for _ in range(1100)]
    try:
        with dialled(open_to()) as sock:
            assert sock.fileno() > 1024
            sock.sendall(b"ruok")
            assert sock.recv(4) == b"ruok"
    finally:
        for item in held:
            item.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_frames_come_in_any_pieces() -> None:
    whole = b"\x82\x03abc" + b"\x82\x7e\x01\x00" + b"z" * 256
    reader = FrameReader()
    found = [frame for byte in whole for frame in reader.feed(bytes((byte,)))]
    assert found == [(BINARY, True, b"abc"), (BINARY, True, b"z" * 256)]
