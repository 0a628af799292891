"""One question every few seconds on behalf of all watches: a connection that is half open says nothing by itself.

A watch may be quiet for a minute (bookmarks come about that often), and TCP keepalive proves only the first hop's
kernel. So one cheap request is asked of the server, shared by all streams: the network, the proxies on the way and the
server's own health (`/livez`, which includes its storage) are proven at each beat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from zktui.cluster.transport import Transport
from zktui.core.ports import Refused

Listener = Callable[[float, str], None]
"""Called from the heartbeat's thread with when it was asked (monotonic seconds), and why it failed, or ""."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Seconds between questions, and seconds for an answer. Silence is noticed after interval + 2 x timeout at most."""

    interval: float = 2.0
    timeout: float = 2.0


class Heartbeat:
    """Beats while anybody listens."""

    PATH = "/livez"

    def __init__(self, transport: Transport, beat: Beat) -> None:
        self._transport = transport
        self._beat = beat
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def join(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = (*self._listeners, listener)
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="zktui-heartbeat", daemon=True
                )
                self._thread.start()

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(item for item in self._listeners if item != listener)
            if not self._listeners:
                self._end()

    def close(self) -> None:
        with self._lock:
            self._listeners = ()
            self._end()

    def _end(self) -> None:
        self._stop.set()
        self._thread = None

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._beat.interval):
            at = self._transport.clock.now()
            # A single slow answer is not an outage: two in a row are.
            why = self._ask() and self._ask()
            for listener in self._listeners:
                listener(at, why)

    def _ask(self) -> str:
        failed = self._transport.probe(self.PATH, self._beat.timeout)
        if failed is None:
            return ""
        if isinstance(failed, Refused):
            # Any reply but a failure proves the server: it may hide /livez, or not know it.
            return f"the API server is not well (HTTP {failed.code} on {self.PATH})" if failed.code >= 500 else ""
        return failed.why
