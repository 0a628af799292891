"""The way to a pod's port: `pods/portforward` over a WebSocket, one thread pumping for all connections.

The protocol is v4.channel.k8s.io (kubelet's and API server's portforward): each binary message begins with a channel
number, 0 for data and 1 for an error's text; the first message on each channel holds the port, in two bytes. There is
no half-close. The caller gets one end of a socket pair.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zktui.cluster.access import Access
from zktui.cluster.resources import PODS
from zktui.cluster.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    BrokenFrame,
    FrameReader,
    frame,
    open_websocket,
)
from zktui.core.kube import PodKey
from zktui.core.ports import DialError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
BLOCK = 65536
HIGH_WATER = 4 * BLOCK
"""Bytes that may wait for a slow side before the other is left unread."""


@dataclass(slots=True)
class _Fate:
    """Why a connection ended before a byte of data had come; empty when data came, or nobody said."""

    why: str = ""


class ForwardedSocket(socket.socket):
    """The caller's end. Where the port could not be reached at all, `recv` raises DialError, not an end of file."""

    fate: _Fate

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        data = super().recv(bufsize, flags)
        if not data and bufsize and self.fate.why:
            raise DialError(self.fate.why)
        return data

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        count = super().recv_into(buffer, nbytes, flags)
        if not count and self.fate.why:
            raise DialError(self.fate.why)
        return count


class PortForward:
    """Fulfils `core.ports.Dialer`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._pump = _Pump()

    def dial(self, pod: PodKey, port: int, timeout: float) -> ForwardedSocket:
        """Connected to the pod's side, which may still find that nothing listens on the port: then `recv` raises."""
        path = f"{PODS.path(pod.namespace, pod.name)}/portforward?ports={port}"
        remote, early = open_websocket(self._access, path, PROTOCOL, timeout)
        near, far = socket.socketpair()
        fate = _Fate()
        remote.setblocking(False)
        far.setblocking(False)
        if not self._pump.add(_Link(remote, far, fate), early):
            near.close()
            raise DialError("zktui is closing its connections")
        caller = ForwardedSocket(fileno=near.detach())
        caller.fate = fate
        return caller

    def close(self) -> None:
        """End all connections and the pump."""
        self._pump.close()


@dataclass(slots=True, eq=False)
class _Link:
    remote: socket.socket
    local: socket.socket
    fate: _Fate
    reader: FrameReader = field(default_factory=FrameReader)
    to_local: bytearray = field(default_factory=bytearray)
    to_remote: bytearray = field(default_factory=bytearray)
    channel: int = -1
    """Of the message that is being continued."""
    announced: set[int] = field(default_factory=set[int])
    """Channels whose first message, the port, has come."""
    had_data: bool = False
    remote_ended: bool = False
    local_ended: bool = False
    dead: bool = False

    def serve(self) -> None:
        """Move what can be moved now; sets `dead` when there is nothing left to do."""
        self._from_remote()
        self._flush_local()
        self._from_local()
        self._flush_remote()
        if self.remote_ended and not self.to_local:
            self.dead = True

    def wants(self) -> tuple[int, int]:
        """Selector events to wait for, of the remote and of the local socket."""
        remote = selectors.EVENT_READ if len(self.to_local) < HIGH_WATER and not self.remote_ended else 0
        local = selectors.EVENT_READ if len(self.to_remote) < HIGH_WATER and not self.local_ended else 0
        return (
            remote | (selectors.EVENT_WRITE if self.to_remote else 0),
            local | (selectors.EVENT_WRITE if self.to_local else 0),
        )

    def take(self, data: bytes) -> None:
        """Bytes from the WebSocket."""
        try:
            frames = self.reader.feed(data)
        except BrokenFrame as error:
            self._end(f"the API server broke the WebSocket protocol: {error}")
            return
        for opcode, last, payload in frames:
            if opcode == BINARY:
                self.channel = payload[0] if payload else -1
                self._message(payload[1:])
            elif opcode == CONTINUATION:
                self._message(payload)
            elif opcode == PING:
                self.to_remote += frame(PONG, payload)
            elif opcode == CLOSE:
                self._end("")
            if last and opcode in (BINARY, CONTINUATION):
                self.channel = -1

    def _message(self, data: bytes) -> None:
        if self.channel in (DATA, ERROR) and self.channel not in self.announced:
            self.announced.add(self.channel)
            data = data[2:]
        if self.channel == DATA and data:
            self.to_local += data
            self.had_data = True
        elif self.channel == ERROR and data:
            self._end(" ".join(data.decode("utf-8", "replace").split()))

    def _end(self, why: str) -> None:
        self.remote_ended = True
        if why and not self.had_data and not self.fate.why:
            self.fate.why = why

    def _from_remote(self) -> None:
        # Until it would block: bytes that TLS has already decrypted wake no selector.
        while not self.remote_ended and len(self.to_local) < HIGH_WATER:
            try:
                data = self.remote.recv(BLOCK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._end(f"the connection to the API server was cut ({error.strerror or error})")
                return
            if not data:
                self._end("the API server closed the connection without a word")
                return
            self.take(data)

    def _from_local(self) -> None:
        while not self.local_ended and len(self.to_remote) < HIGH_WATER:
            try:
                data = self.local.recv(BLOCK - 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self.to_remote += frame(BINARY, bytes((DATA,)) + data)
            else:
                self.local_ended = True
                # Only its writing half may be closed: then it still waits for a reply.
                if _hung_up(self.local):
                    self._flush_remote()
                    self.dead = True

    def _flush_local(self) -> None:
        try:
            while self.to_local:
                del self.to_local[: self.local.send(self.to_local)]
        except BlockingIOError:
            return
        except OSError:
            self.dead = True

    def _flush_remote(self) -> None:
        try:
            while self.to_remote and not self.remote_ended:
                del self.to_remote[: self.remote.send(self.to_remote)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._end(f"the connection to the API server was cut ({error.strerror or error})")

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.remote.send(frame(CLOSE, b""))
        for sock in (self.remote, self.local):
            with contextlib.suppress(OSError):
                sock.close()


class _Pump:
    """The thread that serves all links; started with the first of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: deque[tuple[_Link, bytes]] = deque()
        self._waker: socket.socket | None = None
        self._closed = False

    def add(self, link: _Link, early: bytes) -> bool:
        """False, and the link is closed, when the pump is."""
        with self._lock:
            if self._closed:
                link.close()
                return False
            self._new.append((link, early))
            if self._waker is None:
                self._waker, wakened = socket.socketpair()
                self._waker.setblocking(False)
                wakened.setblocking(False)
                threading.Thread(target=self._run, args=(wakened,), name="zktui-portforward", daemon=True).start()
            self._wake()
        return True

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._wake()

    def _wake(self) -> None:
        if self._waker is not None:
            with contextlib.suppress(OSError):  # full: it will wake anyway
                self._waker.send(b"\0")

    def _run(self, wakened: socket.socket) -> None:
        selector = selectors.DefaultSelector()
        selector.register(wakened, selectors.EVENT_READ)
        links: set[_Link] = set()
        while not self._closed:
            ready: set[_Link] = set()
            for key, _ in selector.select():
                if key.data is None:
                    with contextlib.suppress(BlockingIOError):
                        wakened.recv(4096)
                else:
                    ready.add(key.data)
            while self._new:
                link, early = self._new.popleft()
                link.take(early)
                links.add(link)
                ready.add(link)
            for link in ready:
                link.serve()
                _watch(selector, link)
                if link.dead:
                    links.discard(link)
                    link.close()
        for link in (*links, *(link for link, _ in self._new)):
            link.close()
        selector.close()
        wakened.close()
        with self._lock:
            if self._waker is not None:
                self._waker.close()


def _watch(selector: selectors.BaseSelector, link: _Link) -> None:
    for sock, wanted in zip((link.remote, link.local), (0, 0) if link.dead else link.wants(), strict=True):
        known = selector.get_map().get(sock)
        if known is None and wanted:
            selector.register(sock, wanted, link)
        elif known is not None and not wanted:
            selector.unregister(sock)
        elif known is not None and known.events != wanted:
            selector.modify(sock, wanted, link)


def _hung_up(sock: socket.socket) -> bool:
    """The other end of the pair is closed in both directions."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
