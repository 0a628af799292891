"""RFC 6455 as far as a port-forward needs it: the opening handshake, and frames in both directions.

Framing is done here because the pump reads and writes without blocking, which the client's own library does not.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import time
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from zktui.cluster import outcomes
from zktui.cluster.access import Access
from zktui.core.ports import DialError
from zktui.errors import ZktuiError

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LARGEST_HEAD = 65536
_LARGEST_FRAME = 16 * 2**20
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class BrokenFrame(Exception):
    """The peer does not follow RFC 6455."""


class FrameReader:
    """Splits what a server sends into frames."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = bytearray(data)

    def feed(self, data: bytes) -> list[tuple[int, bool, bytes]]:
        """The frames now complete, each as (opcode, whether it ends its message, payload). Raises BrokenFrame."""
        self._data += data
        found: list[tuple[int, bool, bytes]] = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> tuple[int, bool, bytes] | None:
        data = self._data
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if data[1] & 0x80 or data[0] & 0x70:
            raise BrokenFrame("a server's frames are neither masked nor extended")
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if size > _LARGEST_FRAME:
            raise BrokenFrame(f"a frame of {size} bytes")
        end = start + size
        if len(data) < end:
            return None
        frame = data[0] & 0x0F, bool(data[0] & 0x80), bytes(data[start:end])
        del data[:end]
        return frame


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole message to the server. A client has to mask (RFC 6455, 5.3)."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big")
    key = os.urandom(4)
    mask = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")
    return head + key + masked.to_bytes(size, "big")


def open_websocket(access: Access, path: str, protocol: str, timeout: float) -> tuple[socket.socket, bytes]:
    """A connected socket after the handshake, and what has come behind it already. Raises DialError in `timeout` s."""
    deadline = time.monotonic() + timeout
    sock: socket.socket | None = None
    try:
        sock = _secure(access, _connect(access, deadline), deadline)
        key = base64.b64encode(os.urandom(16)).decode()
        target = urlsplit(access.server)
        sock.sendall(_request(target.path + path, target.netloc, protocol, key, access.headers()))
        head, rest = _read_head(sock, deadline)
        status, fields = _parse(head)
        if status != 101:
            refusal = DialError(_complaint(sock, status, fields, rest, deadline))
            refusal.status = status
            raise refusal
        if fields.get("sec-websocket-accept") != _accept(key):
            raise DialError(f"{access.server} does not speak WebSocket on {path}")
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, DialError):
            raise
        if isinstance(error, ZktuiError):
            raise DialError(str(error)) from error
        if isinstance(error, OSError):
            raise DialError(outcomes.explain(outcomes.chain_of(error), access.server)) from error
        raise
    return sock, rest


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(access: Access, deadline: float) -> socket.socket:
    target = urlsplit(access.server)
    host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
    proxy = access.proxy
    if proxy is None:
        return _tcp(host, port, deadline)
    way = urlsplit(proxy)
    if way.scheme != "http":
        raise DialError(f"a port can't be reached through a {way.scheme} proxy")
    sock = _tcp(way.hostname or "", way.port or 80, deadline)
    try:
        fields = [("Host", f"{host}:{port}")]
        if way.username:
            account = f"{unquote(way.username)}:{unquote(way.password or '')}".encode()
            fields.append(("Proxy-Authorization", f"Basic {base64.b64encode(account).decode()}"))
        sock.sendall(_head(f"CONNECT {host}:{port} HTTP/1.1", fields))
        head, _ = _read_head(sock, deadline)
        if (status := _parse(head)[0]) != 200:
            raise DialError(f"the proxy {way.hostname} refuses a tunnel to {host}:{port} ({status})")
    except BaseException:
        sock.close()
        raise
    return sock


def _tcp(host: str, port: int, deadline: float) -> socket.socket:
    sock = socket.create_connection((host, port), timeout=_left(deadline))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _secure(access: Access, sock: socket.socket, deadline: float) -> socket.socket:
    context = access.tls
    if context is None:
        return sock
    try:
        sock.settimeout(_left(deadline))
        return context.wrap_socket(sock, server_hostname=access.server_name)
    except (OSError, ssl.SSLError):
        sock.close()
        raise


def _request(path: str, host: str, protocol: str, key: str, headers: Iterable[tuple[str, str]]) -> bytes:
    own = [
        ("Host", host),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", protocol),
        ("User-Agent", "zktui"),
    ]
    return _head(f"GET {path} HTTP/1.1", [*own, *headers])


def _head(first: str, fields: Iterable[tuple[str, str]]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields)]
    if any("\r" in line or "\n" in line for line in lines):
        raise DialError("a credential holds a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _read_head(sock: socket.socket, deadline: float) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        sock.settimeout(_left(deadline))
        more = sock.recv(65536)
        if not more or len(data) > _LARGEST_HEAD:
            raise ConnectionResetError
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    code = first.split(" ")[1:2]
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return (int(code[0]) if code and code[0].isdecimal() else 0), fields


def _accept(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()  # noqa: S324 - RFC 6455 says SHA-1


def _complaint(sock: socket.socket, status: int, fields: dict[str, str], body: bytes, deadline: float) -> str:
    """The Status in a refused handshake, in one line."""
    length = fields.get("content-length", "")
    wanted = min(int(length), _LARGEST_HEAD) if length.isdecimal() else 0
    with contextlib.suppress(OSError):
        while len(body) < wanted:
            sock.settimeout(_left(deadline))
            more = sock.recv(65536)
            if not more:
                break
            body += more
    return f"{outcomes.message_of(body) or 'the API server refused'} ({status})"
