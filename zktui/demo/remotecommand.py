"""``pods/exec`` over a WebSocket: Kubernetes' v5 and v4 channel protocols.

Each binary message starts with its channel: 0 stdin, 1 stdout, 2 stderr, 3 the Status at the end, 4 the size
of the terminal; in v5 also 255, which closes the channel named by the next byte.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, web

from zktui.demo.errors import bad_request
from zktui.demo.objects import Object
from zktui.demo.podlogs import check_host, container_of
from zktui.demo.requests import RequestInfo
from zktui.demo.runtime import CannotStart, ExecProcess, PodRuntime

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
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


async def serve_exec(request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime) -> web.StreamResponse:
    """Run the command and join it to the WebSocket; it is killed when the client goes away."""
    command = request.query.getall("command", [])
    if not command:
        raise bad_request("you must specify at least one command for the container")
    container = container_of(pod, info.query.get("container", ""))
    check_host(pod)
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")
    stdin = _Stdin() if info.flag("stdin") else None
    socket = web.WebSocketResponse(protocols=PROTOCOLS)
    try:
        process = await runtime.exec(
            info.namespace, info.name, container, command, aiter(stdin) if stdin is not None else None
        )
    except CannotStart as why:
        await socket.prepare(request)
        await asyncio.sleep(HEAD_START)
        # The kubelet says so of the runtime, and the API server of the kubelet.
        status = failure(f"Internal error occurred: error executing command in container: {why}")
        await socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
        await socket.close()
        return socket
    await socket.prepare(request)
    await asyncio.sleep(HEAD_START)
    reader = asyncio.create_task(_read(socket, stdin))
    writer = asyncio.create_task(_write(socket, process, merged=info.flag("tty")))
    try:
        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        if writer.done():
            writer.result()
            await socket.send_bytes(bytes([ERROR]) + json.dumps(exit_status(await process.wait())).encode())
            # The client answers the close frame; without the reader out of the way nobody would read that.
            reader.cancel()
            await asyncio.wait({reader})
            await socket.close()
    except ConnectionResetError:
        pass  # the client is gone: what is left to do is below
    finally:
        process.kill()
        for task in (reader, writer):
            task.cancel()
        await asyncio.wait({reader, writer})
    return socket


async def _read(socket: web.WebSocketResponse, stdin: _Stdin | None) -> None:
    """Until the client goes away: its stdin, and (v5) the closing of it."""
    async for message in socket:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
            continue
        data: bytes = message.data.encode() if isinstance(message.data, str) else message.data
        if stdin is None:
            continue
        if data[0] == STDIN:
            stdin.put(data[1:])
        elif data[0] == CLOSE and data[1:2] == bytes([STDIN]):
            stdin.put(None)


async def _write(socket: web.WebSocketResponse, process: ExecProcess, *, merged: bool) -> None:
    """stdout and stderr until both end; a terminal knows only stdout."""

    async def pump(channel: int, chunks: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in chunks:
                await socket.send_bytes(bytes([channel]) + chunk)
        except ConnectionResetError:
            pass  # the client is gone; the reader sees that too

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pump(STDOUT, process.stdout))
        tasks.create_task(pump(STDOUT if merged else STDERR, process.stderr))
