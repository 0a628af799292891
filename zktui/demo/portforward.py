"""``pods/portforward``: over a WebSocket in the v4 channel protocol, as the Python client speaks it, and over SPDY.

In the channels, for the n-th port, 2n carries data and 2n+1 errors; the first message on each is the port as two
bytes, low byte first. Behind each port is one TCP connection, opened at once. When the pod closes a connection its
channel has no way to say so: the WebSocket is closed when all have ended, which is a second late, as with containerd
(its sandbox_portforward_linux.go): once one direction is done it gives the other that long.

kubectl opens a pair of SPDY streams, for data and for errors, for each connection that it accepts; SPDY itself runs
within the messages of a WebSocket, or, as before kubectl 1.31, on the bare connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from zktui.demo import spdy
from zktui.demo.errors import bad_request
from zktui.demo.objects import Object
from zktui.demo.podlogs import check_host
from zktui.demo.requests import RequestInfo
from zktui.demo.runtime import PodRuntime

PROTOCOL = "v4.channel.k8s.io"
BARE = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{BARE}"
NO_PORT = 'query parameter "port" is required'
"""The kubelet's own answer, which is no Status."""
CHUNK = 64 * 1024
OTHER_DIRECTION_SECONDS = 1.0
"""For a client that says nothing more and stays; it has no way to close its direction alone."""


def wanted_ports(request: web.Request) -> list[int]:
    """The ports of the query (repeated, or joined by commas); 400 for what is no port."""
    texts = [text for value in request.query.getall("ports", []) for text in value.split(",")]
    ports = [int(text) if text.isdigit() else 0 for text in texts]
    if not all(0 < port < 65536 for port in ports):
        raise bad_request(f"unable to parse {','.join(texts)!r} as ports")
    return ports


class _Forward:
    """One port: its channels, and the connection once it is open."""

    def __init__(self, socket: web.WebSocketResponse, place: int, port: int) -> None:
        self._socket = socket
        self._data, self._error = bytes([place * 2]), bytes([place * 2 + 1])
        self._port = port
        self._input: asyncio.Queue[bytes] = asyncio.Queue()

    async def announce(self) -> None:
        number = self._port.to_bytes(2, "little")
        await self._socket.send_bytes(self._data + number)
        await self._socket.send_bytes(self._error + number)

    def put(self, data: bytes) -> None:
        self._input.put_nowait(data)

    async def run(self, info: RequestInfo, pod: Object, runtime: PodRuntime) -> None:
        """Connect and copy both ways until one is done, and the other or its time is; a failure is told at the end."""
        try:
            reader, writer = await runtime.dial(info.namespace, info.name, self._port)
        except OSError as why:
            await self._fail(pod, _refused(self._port, why))
            return
        copying = {asyncio.create_task(self._from_pod(reader)), asyncio.create_task(self._to_pod(writer))}
        try:
            ended, going = await asyncio.wait(copying, return_when=asyncio.FIRST_COMPLETED)
            if going:
                ended |= (await asyncio.wait(going, timeout=OTHER_DIRECTION_SECONDS))[0]
            if why := next(filter(None, (task.result() for task in ended)), ""):
                await self._fail(pod, why)
        finally:
            writer.close()  # before any wait: this task may be cancelled in there
            for task in copying:
                task.cancel()
            await asyncio.wait(copying)

    async def _from_pod(self, reader: asyncio.StreamReader) -> str:
        """Copy until the pod closes. Why it could not go on; empty when it closed in order."""
        try:
            while data := await reader.read(CHUNK):
                await self._socket.send_bytes(self._data + data)
        except OSError as why:
            return str(why)
        return ""

    async def _to_pod(self, writer: asyncio.StreamWriter) -> str:
        """Copy until the pod can't be written to; why."""
        try:
            while True:
                writer.write(await self._input.get())
                await writer.drain()
        except OSError as why:
            return str(why)

    async def _fail(self, pod: Object, why: str) -> None:
        if not self._socket.closed:
            await self._socket.send_bytes(self._error + _failure(pod, self._port, why))


def _refused(port: int, why: OSError) -> str:
    words = (os.strerror(why.errno) if why.errno else str(why)).lower()
    dialled = f"dial tcp4 127.0.0.1:{port}: connect: {words}"
    return f"failed to connect to localhost:{port} inside namespace, IPv4: {dialled}"


def _failure(pod: Object, port: int, why: str) -> bytes:
    return f"error forwarding port {port} to pod {pod['metadata']['uid']}, uid : {why}".encode()


async def serve_portforward(
    request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime
) -> web.StreamResponse:
    """Join the WebSocket to the pod's ports until either side is done."""
    check_host(pod)
    offered = {text.strip() for text in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
    upgrade = request.headers.get("Upgrade", "").lower()
    if upgrade == "spdy/3.1":
        return await _serve_bare(request, info, pod, runtime)
    if upgrade == "websocket" and TUNNEL in offered:
        return await _serve_tunnel(request, info, pod, runtime)
    if upgrade != "websocket" or PROTOCOL not in offered:
        raise bad_request(f"only streaming with the subprotocols {PROTOCOL} and {TUNNEL} is served")
    ports = wanted_ports(request)
    if not ports:
        return web.Response(status=400, text=NO_PORT)
    socket = web.WebSocketResponse(protocols=(PROTOCOL,))
    await socket.prepare(request)
    forwards = [_Forward(socket, place, port) for place, port in enumerate(ports)]
    for forward in forwards:
        await forward.announce()
    tasks = {asyncio.create_task(forward.run(info, pod, runtime)) for forward in forwards}
    reader = asyncio.create_task(_read(socket, forwards))
    try:
        waiting = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait({reader, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*tasks, reader):
            task.cancel()
        await asyncio.wait({*tasks, reader})
    if not socket.closed:
        await socket.close()
    return socket


async def _read(socket: web.WebSocketResponse, forwards: list[_Forward]) -> None:
    async for message in socket:
        if message.type != WSMsgType.BINARY or not message.data:
            continue
        data: bytes = message.data
        channel = data[0]
        if channel % 2 == 0 and channel // 2 < len(forwards):
            forwards[channel // 2].put(data[1:])


# -- SPDY ----------------------------------------------------------------------------------------------


async def _serve_tunnel(
    request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime
) -> web.StreamResponse:
    """SPDY within a WebSocket."""
    socket = web.WebSocketResponse(protocols=(TUNNEL,))
    await socket.prepare(request)

    async def read() -> bytes:
        while (message := await socket.receive()).type == WSMsgType.BINARY:
            if message.data:  # an empty message is not the end
                return message.data
        return b""

    await _Pairs(info, pod, runtime).serve(spdy.Connection(socket.send_bytes), read)
    if not socket.closed:
        await socket.close()
    return socket


async def _serve_bare(request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime) -> web.StreamResponse:
    """SPDY on the connection itself."""
    taken = await spdy.take_over(request, BARE)
    try:
        await _Pairs(info, pod, runtime).serve(spdy.Connection(taken.write), taken.read)
    finally:
        taken.close()
    return web.Response()


class _Pairs:
    """The streams of one SPDY connection: one for errors and one for data, of one request id."""

    def __init__(self, info: RequestInfo, pod: Object, runtime: PodRuntime) -> None:
        self._info, self._pod, self._runtime = info, pod, runtime
        self._errors: dict[str, spdy.Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, connection: spdy.Connection, read: Callable[[], Awaitable[bytes]]) -> None:
        """Until the client is gone."""
        feeding = asyncio.create_task(spdy.pump(connection, read))
        try:
            while (stream := await connection.opened.get()) is not None:
                request = stream.headers.get("requestid", "")
                if stream.headers.get("streamtype") == "error":
                    self._errors[request] = stream
                    continue
                task = asyncio.create_task(self._forward(stream, self._errors.pop(request, None)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in (*self._tasks, feeding):
                task.cancel()
            await asyncio.wait({*self._tasks, feeding})

    async def _forward(self, data: spdy.Stream, error: spdy.Stream | None) -> None:
        port = int(data.headers.get("port", "0"))
        why = ""
        # Who is gone needs no answer.
        with contextlib.suppress(ConnectionResetError):
            try:
                reader, writer = await self._runtime.dial(self._info.namespace, self._info.name, port)
            except OSError as refused:
                why = _refused(port, refused)
            else:
                await _copy(data, reader, writer)
            if error is not None:
                if why:
                    await error.write(_failure(self._pod, port, why))
                await error.close()
            await data.close()


async def _copy(data: spdy.Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Both ways, until the pod closes; a client that closes its side may still read."""

    async def to_pod() -> None:
        async for chunk in data.chunks():
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    sending = asyncio.create_task(to_pod())
    try:
        while chunk := await reader.read(CHUNK):
            await data.write(chunk)
    except OSError:
        pass  # the pod's side was reset: as good as closed
    finally:
        writer.close()
        sending.cancel()
        await asyncio.wait({sending})
        if not sending.cancelled():
            sending.exception()  # a pod that takes no more is told by its closing
