"""SPDY/3.1 as kubectl speaks it for ports and, before 1.30, for commands: streams over one connection of bytes.

The server's side, and as much of the protocol as such clients use: streams that they open, data, half-closing, resets
and pings. There is no flow control, as there is none in the library (moby/spdystream) that kubectl is built with.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from zktui.demo.errors import ApiError

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY, HEADERS = 1, 2, 3, 6, 7, 8
FIN = 1
CHUNK = 16 * 1024
CONTROL = 0x8003
"""The first two bytes of a control frame: the control bit and version 3."""

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8"
    "charset=iso-8859-1,utf-,*,enq=0."
)


def _sized(text: str) -> bytes:
    return struct.pack(">I", len(text)) + text.encode()


DICTIONARY = b"".join(_sized(name.replace("_", " ")) for name in _NAMES.split()) + _REST.encode()
"""What headers are compressed with (SPDY draft 3, section 2.6.10.1)."""

Write = Callable[[bytes], Awaitable[None]]


class Malformed(Exception):
    """The peer does not speak SPDY/3.1."""


class Stream:
    """One stream that the client has opened, with its headers by lower-case name."""

    def __init__(self, connection: Connection, number: int, headers: dict[str, str]) -> None:
        self.headers = headers
        self.number = number
        self._connection = connection
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._closed = False

    def put(self, data: bytes | None) -> None:
        """Data from the client; None at its end."""
        self._incoming.put_nowait(data)

    async def chunks(self) -> AsyncIterator[bytes]:
        """What the client sends, until it closes its side."""
        while (data := await self._incoming.get()) is not None:
            yield data

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            await self._connection.send_data(self.number, data[start : start + CHUNK])

    async def close(self) -> None:
        """Nothing more comes from here."""
        if not self._closed:
            self._closed = True
            await self._connection.send_data(self.number, b"", fin=True)


class Connection:
    """The frames of one connection. Feed it bytes with :meth:`feed`; take streams from ``opened``.

    ``opened`` gives None once the connection has ended.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._buffer = bytearray()
        self._streams: dict[int, Stream] = {}
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self.opened: asyncio.Queue[Stream | None] = asyncio.Queue()

    async def feed(self, data: bytes) -> None:
        """Take in what has come. Raises :class:`Malformed`."""
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second, length = struct.unpack(">HHI", self._buffer[:8])
            flags, size = length >> 24, length & 0xFFFFFF
            if len(self._buffer) < 8 + size:
                return
            body = bytes(self._buffer[8 : 8 + size])
            del self._buffer[: 8 + size]
            if first == CONTROL:
                await self._control(second, flags, body)
            elif first & 0x8000:
                raise Malformed(f"version {first & 0x7FFF} of SPDY")
            else:
                self._data(first << 16 | second, flags, body)

    def end(self) -> None:
        """The connection is gone: so are all streams."""
        for stream in self._streams.values():
            stream.put(None)
        self.opened.put_nowait(None)

    async def _control(self, kind: int, flags: int, body: bytes) -> None:
        if kind == SYN_STREAM:
            number = struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF
            stream = self._streams[number] = Stream(self, number, self._headers(body[10:]))
            await self._reply(number)
            if flags & FIN:
                stream.put(None)
            self.opened.put_nowait(stream)
        elif kind == RST_STREAM:
            stream = self._streams.pop(struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF, None)
            if stream is not None:
                stream.put(None)
        elif kind == PING:
            await self._send_control(PING, body)
        elif kind == GOAWAY:
            self.opened.put_nowait(None)
        elif kind == HEADERS:
            self._headers(body[4:])  # read, since all headers share one compression

    def _data(self, number: int, flags: int, body: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        if body:
            stream.put(body)
        if flags & FIN:
            stream.put(None)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block)
            (count,), at, words = struct.unpack(">I", plain[:4]), 4, list[str]()
            for _ in range(2 * count):
                size = struct.unpack(">I", plain[at : at + 4])[0]
                words.append(plain[at + 4 : at + 4 + size].decode())
                at += 4 + size
        except (zlib.error, struct.error, UnicodeDecodeError) as why:
            raise Malformed(f"headers: {why}") from why
        return {name.lower(): value for name, value in zip(words[::2], words[1::2], strict=True)}

    async def _reply(self, number: int) -> None:
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        await self._send_control(SYN_REPLY, struct.pack(">I", number) + block)

    async def _send_control(self, kind: int, body: bytes) -> None:
        await self._write(struct.pack(">HHI", CONTROL, kind, len(body)) + body)

    async def send_data(self, number: int, data: bytes, *, fin: bool = False) -> None:
        """A data frame."""
        await self._write(struct.pack(">II", number, (FIN if fin else 0) << 24 | len(data)) + data)


class Taken(asyncio.Protocol):
    """A connection of HTTP that was taken over after its upgrade."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._former = transport.get_protocol()
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self._incoming.put_nowait(data)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming.put_nowait(b"")
        self._writable.set()
        self._former.connection_lost(exc)

    def eof_received(self) -> bool:
        self._incoming.put_nowait(b"")
        return False

    async def read(self) -> bytes:
        """What has come; nothing at the end."""
        return await self._incoming.get()

    async def write(self, data: bytes) -> None:
        """Raises ConnectionResetError when the client is gone."""
        await self._writable.wait()
        if self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)

    def close(self) -> None:
        """Send what is left, and close."""
        if not self._transport.is_closing():
            self._transport.close()


async def take_over(request: web.Request, *protocols: str) -> Taken:
    """Answer a request for SPDY with 101, and have its connection. 403 where no protocol of the client's fits."""
    offered = [
        one.strip() for line in request.headers.getall("X-Stream-Protocol-Version", []) for one in line.split(",")
    ]
    chosen = next((name for name in protocols if name in offered), "")
    if offered and not chosen:
        raise ApiError(403, "", f"unable to upgrade: unable to negotiate protocol: client supports {offered}")
    if request.transport is None:
        raise ConnectionResetError("the client is gone")
    taken = Taken(request.transport)
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
    lines += [f"X-Stream-Protocol-Version: {chosen}"] if chosen else []
    await taken.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    return taken


async def pump(connection: Connection, read: Callable[[], Awaitable[bytes]]) -> None:
    """Feed a connection until its bytes end."""
    with contextlib.suppress(ConnectionResetError, Malformed):
        while data := await read():
            await connection.feed(data)
    connection.end()
