"""A wire between a program and the API server, on which chosen requests and answers come to grief."""

from __future__ import annotations

import json
import re
import select
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from zktui.cluster.access import Access

REPLY_LOST = "reply lost"
"""Passed on and carried out; the connection breaks before the answer comes back."""
LOST = "lost"
"""The connection breaks before the request is passed on."""
THROTTLED = "throttled"
"""Refused on the way as an API server does that has too much to do: 429, Retry-After, and a text that is no Status."""
RETRY_AFTER = 2
BUSY = b"Too many requests, please try again later.\n"
BLOCK = 65536


@dataclass
class Between:
    """Listens on loopback, in the clear; `kubeconfig` leads there, and on to the server as the same user.

    Requests are known by "METHOD /path?query". Each rule of `fates` is used once, for the first that it matches.
    """

    server_kubeconfig: Path
    kubeconfig: Path
    fates: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """(regular expression, what becomes of it), in their order."""
    asked: list[str] = field(default_factory=list[str])
    """Every request that has come, in its order, with what became of it in brackets."""
    before: Callable[[str, bytes], None] | None = None
    """Told of each request and its body before it is passed on, whatever becomes of it."""

    def __enter__(self) -> Between:
        self._access = Access.of(str(self.server_kubeconfig), None, None)
        self._access.prepare()
        self._lock = threading.Lock()
        self._open = set[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        config: Any = yaml.safe_load(self.server_kubeconfig.read_text())
        for cluster in config["clusters"]:
            cluster["cluster"] = {"server": f"http://127.0.0.1:{self._listener.getsockname()[1]}"}
        self.kubeconfig.write_text(json.dumps(config))
        self.kubeconfig.chmod(0o600)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for end in left:
            _cut(end)
        self._access.close()

    def came(self, pattern: str) -> list[str]:
        """The requests so far that match."""
        return [line for line in self.asked if re.search(pattern, line)]

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with suppress(OSError), near, self._dial() as far:  # either side may break off at any time
            with self._lock:
                self._open |= {near, far}
            try:
                _Wire(self, near, far).run()
            finally:
                with self._lock:
                    self._open -= {near, far}
                _cut(near)
                _cut(far)

    def _dial(self) -> socket.socket:
        to = urlsplit(self._access.server)
        plain = socket.create_connection((to.hostname or "", to.port or (443 if to.scheme == "https" else 80)))
        tls = self._access.tls
        return tls.wrap_socket(plain, server_hostname=self._access.server_name) if tls is not None else plain

    def fate_of(self, line: str) -> str:
        """What becomes of this request."""
        with self._lock:
            found = next((each for each in self.fates if re.search(each[0], line)), None)
            if found is not None:
                self.fates.remove(found)
            self.asked.append(f"{line} [{found[1]}]" if found is not None else line)
        return found[1] if found is not None else ""


@dataclass
class _Wire:
    """One connection. HTTP/1.1 without pipelining: what comes after a request and its body is the next one.

    One thread for both directions: two that read from and write to one TLS connection at once can make it hang.
    """

    between: Between
    near: socket.socket
    far: socket.socket
    cut_answer: bool = False
    upgraded: bool = False

    def run(self) -> None:
        kept = b""
        while True:
            ready = self._ready()
            if self.far in ready and not self._answered():
                return
            if self.near not in ready:
                continue
            more = self.near.recv(BLOCK)
            if not more:
                return
            kept += more
            while not self.upgraded and (found := _request(kept)) is not None:
                head, body, kept = found
                if not self._request_came(head, body):
                    return
            if self.upgraded:
                self.far.sendall(kept)
                kept = b""

    def _ready(self) -> list[socket.socket]:
        if isinstance(self.far, ssl.SSLSocket) and self.far.pending():
            return [self.far]
        return select.select([self.near, self.far], [], [])[0]

    def _request_came(self, head: bytes, body: bytes) -> bool:
        """False when the connection is at its end."""
        text = head.decode("latin-1")
        line = " ".join(text.split("\r\n", 1)[0].split()[:2])
        if self.between.before is not None:
            self.between.before(line, body)
        self.upgraded = re.search(r"(?im)^upgrade:", text) is not None
        return self._passed_on(line, head + body)

    def _passed_on(self, line: str, request: bytes) -> bool:
        """False when the connection is at its end."""
        fate = self.between.fate_of(line)
        if fate == LOST:
            return False
        if fate == THROTTLED:
            head = f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {RETRY_AFTER}\r\nContent-Length: {len(BUSY)}\r\n"
            self.near.sendall(f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n".encode() + BUSY)
            return True
        self.cut_answer = fate == REPLY_LOST
        self.far.sendall(request)
        return True

    def _answered(self) -> bool:
        """Pass on what the server says. False at its end, and where its answer is to be lost."""
        self.far.settimeout(0)
        try:
            data = self.far.recv(BLOCK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # a part of TLS's own, such as a session ticket
        finally:
            self.far.settimeout(None)
        if not data or self.cut_answer:
            return False
        self.near.sendall(data)
        return True


def _request(kept: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Head and body of the first request, and what comes after them; None while it is not all there."""
    head, end, rest = kept.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    size = int(length[1]) if length is not None else 0
    return (head + end, rest[:size], rest[size:]) if end and len(rest) >= size else None


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
