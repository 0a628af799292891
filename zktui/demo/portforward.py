"""``pods/portforward`` over a WebSocket in the v4 channel protocol, as the Python client speaks it.

For the n-th port, channel 2n carries data and channel 2n+1 errors; the first message on each is the port as
two bytes, low byte first. Behind each port is one TCP connection, opened at once. When the pod closes a
connection its channel has no way to say so: the WebSocket is closed when all have ended, which is a second late, as
with containerd (its sandbox_portforward_linux.go): once one direction is done it gives the other that long.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import WSMsgType, web

from zktui.demo.errors import bad_request
from zktui.demo.objects import Object
from zktui.demo.podlogs import check_host
from zktui.demo.requests import RequestInfo
from zktui.demo.runtime import PodRuntime

PROTOCOL = "v4.channel.k8s.io"
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
            words = (os.strerror(why.errno) if why.errno else str(why)).lower()
            dialled = f"dial tcp4 127.0.0.1:{self._port}: connect: {words}"
            await self._fail(pod, f"failed to connect to localhost:{self._port} inside namespace, IPv4: {dialled}")
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
        uid = pod["metadata"]["uid"]
        text = f"error forwarding port {self._port} to pod {uid}, uid : {why}"
        if not self._socket.closed:
            await self._socket.send_bytes(self._error + text.encode())


async def serve_portforward(
    request: web.Request, info: RequestInfo, pod: Object, runtime: PodRuntime
) -> web.StreamResponse:
    """Join the WebSocket to the pod's ports until either side is done."""
    check_host(pod)
    offered = {text.strip() for text in request.headers.get("Sec-WebSocket-Protocol", "").split(",")}
    if request.headers.get("Upgrade", "").lower() != "websocket" or PROTOCOL not in offered:
        raise bad_request(f"only WebSocket streaming with the subprotocol {PROTOCOL} is served")
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
