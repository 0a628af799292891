"""``pods/exec`` over a WebSocket (the v5 and v4 channel protocols) and over SPDY, as kubectl spoke before 1.30.

Over SPDY each channel is a stream that the client opens. Over a WebSocket each binary message starts with its
channel: 0 stdin, 1 stdout, 2 stderr, 3 the Status at the end, 4 the size of the terminal; in v5 also 255, which
closes the channel named by the next byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Protocol

from aiohttp import WSMsgType, web

from zktui.demo import spdy
from zktui.demo.errors import bad_request
from zktui.demo.objects import Object
from zktui.demo.podlogs import check_host, container_of
from zktui.demo.requests import RequestInfo
from zktui.demo.runtime import CannotStart, ExecProcess, PodRuntime

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
SPDY_PROTOCOLS = ("v4.channel.k8s.io",)
STREAMS = {STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr", ERROR: "error"}
SPDY_SECONDS = 30.0
"""For a client to open its streams."""

HEAD_START = 0.1
"""Seconds before the first message. kubectl 1.30 to 1.33 reads before its streams are made and drops what comes for
them (kubernetes/kubernetes#131189); a real container takes about as long to start a command."""


class _Stdin:
    """What the client types, as an async iterator that ends when it closes its side."""

    def __init__(self) -> None:
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(self, chunk: bytes | None) -> None:
        self._chunks.put_nowait(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk


def exit_status(code: int) -> Object:
    """The Status on the error channel when the command has ended."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure(why: str) -> Object:
    """The Status on the error channel when the command could not be started: no exit code."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {why}",
        "reason": "InternalError",
        "details": {"causes": [{"message": why}]},
        "code": 500,
    }


class _Channels(Protocol):
    """The way to a client, whatever it speaks."""

    async def send(self, channel: int, data: bytes) -> None: ...

    async def read(self, stdin: _Stdin | None) -> None:
        """Until the client goes away: what it types, and the closing of that."""
        ...

    async def close(self) -> None: ...


class _Socket:
    """Channels in the messages of a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send_bytes(bytes([channel]) + data)

    async def read(self, stdin: _Stdin | None) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data or stdin is None:
                continue
            data: bytes = message.data.encode() if isinstance(message.data, str) else message.data
            if data[0] == STDIN:
                stdin.put(data[1:])
            elif data[0] == CLOSE and data[1:2] == bytes([STDIN]):
                stdin.put(None)

    async def close(self) -> None:
        await self._socket.close()


class _Streams:
    """Channels as SPDY streams. :meth:`opened` waits for those that the client announces in its query."""

    def __init__(self, taken: spdy.Taken) -> None:
        self._taken = taken
        self._connection = spdy.Connection(taken.write)
        self._pumping = asyncio.create_task(spdy.pump(self._connection, taken.read))
        self._streams: dict[str, spdy.Stream] = {}

    async def opened(self, kinds: set[str]) -> bool:
        """False when the client went away before."""
        while not kinds <= self._streams.keys():
            stream = await self._connection.opened.get()
            if stream is None:
                return False
            self._streams[stream.headers.get("streamtype", "")] = stream
        return True

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._streams.get(STREAMS[channel])
        if stream is not None:
            await stream.write(data)

    async def read(self, stdin: _Stdin | None) -> None:
        if stdin is not None:
            async for chunk in self._streams["stdin"].chunks():
                stdin.put(chunk)
            stdin.put(None)
        await asyncio.wait({self._pumping})

    async def close(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            for stream in self._streams.values():
                await stream.close()
        self._pumping.cancel()
        await asyncio.wait({self._pumping})
        self._taken.close()


async def _connect(request: web.Request, info: RequestInfo) -> tuple[web.StreamResponse, _Channels]:
    if request.headers.get("Upgrade", "").lower() != "spdy/3.1":
        socket = web.WebSocketResponse(protocols=PROTOCOLS)
        await socket.prepare(request)
        await asyncio.sleep(HEAD_START)
        return socket, _Socket(socket)
    streams = _Streams(await spdy.take_over(request, *SPDY_PROTOCOLS))
    kinds = {kind for kind in ("stdin", "stdout", "stderr") if info.flag(kind)} | {"error"}
    async with asyncio.timeout(SPDY_SECONDS):
        if not await streams.opened(kinds - ({"stderr"} if info.flag("tty") else set())):
            raise ConnectionResetError("the client is gone")
    return web.Response(), streams


async def serve_exec(request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime) -> web.StreamResponse:
    """Run the command and join it to the client; it is killed when the client goes away."""
    command = request.query.getall("command", [])
    if not command:
        raise bad_request("you must specify at least one command for the container")
    container = container_of(pod, info.query.get("container", ""))
    check_host(pod)
    if request.headers.get("Upgrade", "").lower() not in ("websocket", "spdy/3.1"):
        raise bad_request("Upgrade request required")
    stdin = _Stdin() if info.flag("stdin") else None
    try:
        process = await runtime.exec(
            info.namespace, info.name, container, command, aiter(stdin) if stdin is not None else None
        )
    except CannotStart as why:
        response, channels = await _connect(request, info)
        # The kubelet says so of the runtime, and the API server of the kubelet.
        status = failure(f"Internal error occurred: error executing command in container: {why}")
        await channels.send(ERROR, json.dumps(status).encode())
        await channels.close()
        return response
    try:
        response, channels = await _connect(request, info)
        await _join(channels, process, stdin, merged=info.flag("tty"))
    finally:
        process.kill()
    return response


async def _join(channels: _Channels, process: ExecProcess, stdin: _Stdin | None, *, merged: bool) -> None:
    reader = asyncio.create_task(channels.read(stdin))
    writer = asyncio.create_task(_write(channels, process, merged=merged))
    try:
        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        if writer.done():
            writer.result()
            await channels.send(ERROR, json.dumps(exit_status(await process.wait())).encode())
            # The client answers the close frame; without the reader out of the way nobody would read that.
            reader.cancel()
            await asyncio.wait({reader})
            await channels.close()
    except ConnectionResetError:
        pass  # the client is gone: what is left to do is below
    finally:
        for task in (reader, writer):
            task.cancel()
        await asyncio.wait({reader, writer})


async def _write(channels: _Channels, process: ExecProcess, *, merged: bool) -> None:
    """stdout and stderr until both end; a terminal knows only stdout."""

    async def pump(channel: int, chunks: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in chunks:
                await channels.send(channel, chunk)
        except ConnectionResetError:
            pass  # the client is gone; the reader sees that too

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pump(STDOUT, process.stdout))
        tasks.create_task(pump(STDOUT if merged else STDERR, process.stderr))
