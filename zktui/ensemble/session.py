"""One kazoo session through one pod. It never reconnects: who holds it decides where to go next.

kazoo retries by itself, looks names up, and takes seconds to close; here each session is one connection through the
Dialer, and closing one is a matter of the background.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NoAuthError,
    NoNodeError,
    SessionExpiredError,
)
from kazoo.handlers.threading import KazooTimeoutError, SequentialThreadingHandler
from kazoo.protocol.states import KeeperState
from kazoo.retry import KazooRetry

from zktui.core.kube import PodKey
from zktui.core.ports import Dialer
from zktui.core.zookeeper import Stat

SESSION_TIMEOUT = 15.0
"""Seconds asked for. kazoo sends no heartbeat while it reads a reply: 12 MB over a slow line must fit in."""

_log = logging.getLogger("kazoo")
# kazoo warns of each lost connection, and a logger without a handler prints warnings over the screen.
_log.addHandler(logging.NullHandler())
_log.propagate = False

_LOST = (ConnectionLoss, ConnectionClosedError, SessionExpiredError, AuthFailedError)
_TICK = 0.01
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class SessionLost(Exception):
    """There is no session (any more), or it gave no answer in time. The message is one line for people."""


class SessionExpired(SessionLost):
    """The session that was to be taken up again is no more."""


class Refusal(Exception):
    """The server answered with an error, and the session stands. `gone`: no such znode; `closed`: not permitted."""

    def __init__(self, reason: str, *, gone: bool = False, closed: bool = False) -> None:
        super().__init__(reason)
        self.gone = gone
        self.closed = closed


SessionId = tuple[int, bytes]
"""A session's id and password: by these it can be taken up again through another member before it expires."""


class Pending(Protocol[T_co]):
    """kazoo's IAsyncResult, as far as it is used here."""

    def get(self, block: bool = True, timeout: float | None = None) -> T_co: ...


class RawStat(Protocol):
    """kazoo's ZnodeStat (its `ephemeralOwner` is the session's id, 0 for none)."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeralOwner: int  # noqa: N815 - kazoo's name
    dataLength: int  # noqa: N815
    numChildren: int  # noqa: N815
    pzxid: int


class RawId(Protocol):
    scheme: str
    id: str


class RawAcl(Protocol):
    perms: int
    id: RawId


class Client(Protocol):
    """The calls of KazooClient that are used; kazoo has no types of its own.

    `create_async`, `set_async` and `delete_async` write: only the probe and rounds send them, to znodes of their own.
    """

    @property
    def connected(self) -> bool: ...
    @property
    def client_id(self) -> SessionId | None: ...
    @property
    def client_state(self) -> str: ...
    def get_async(self, path: str) -> Pending[tuple[bytes, RawStat]]: ...
    def exists_async(self, path: str) -> Pending[RawStat | None]: ...
    def get_children_async(
        self, path: str, watch: None = None, include_data: bool = False
    ) -> Pending[tuple[list[str], RawStat]]: ...
    def get_acls_async(self, path: str) -> Pending[tuple[list[RawAcl], RawStat]]: ...
    def sync_async(self, path: str) -> Pending[str]: ...
    def create_async(self, path: str, value: bytes, *, ephemeral: bool) -> Pending[str]: ...
    def set_async(self, path: str, value: bytes) -> Pending[RawStat]: ...
    def delete_async(self, path: str) -> Pending[bool]: ...
    def start_async(self) -> threading.Event: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Handler(SequentialThreadingHandler):
    """kazoo's threads and sockets: the one connection is dialled, and no thread prints or outlives the program."""

    def __init__(self, dialer: Dialer, pod: PodKey, port: int, timeout: float) -> None:
        super().__init__()
        self._dial = dialer.dial
        self._pod, self._port, self._timeout = pod, port, timeout
        self.sock: socket.socket | None = None
        self.failure = ""
        """Why dialling failed."""

    def create_connection(self, *_args: object, **_options: object) -> socket.socket:
        try:
            self.sock = self._dial(self._pod, self._port, self._timeout)
        except OSError as error:
            self.failure = error.strerror or str(error) or "it can't be reached"
            raise
        return self.sock

    def spawn(self, func: Callable[..., object], *args: object, **kwargs: object) -> threading.Thread:
        def run() -> None:
            try:
                func(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - an uncaught one would be printed over the screen
                _log.debug("kazoo's thread ended: %r", error)

        thread = threading.Thread(target=run, name=f"zk-{self._pod.name}", daemon=True)
        thread.start()
        return thread

    def start(self) -> None:
        super().start()
        atexit.unregister(self.stop)  # it would join threads at exit, and these are daemons for a reason

    @property
    def over(self) -> bool:
        """The connection was tried, and there is none now."""
        return bool(self.failure) or (self.sock is not None and self.sock.fileno() < 0)


class Session:
    """A session through `pod`. All of it blocks and is for worker threads; `close` returns within `patience`."""

    def __init__(self, dialer: Dialer, pod: PodKey, port: int, *, keep: bool = False) -> None:
        """`keep`: where the connection fails, no goodbye is said, so that the session can be taken up elsewhere."""
        self.pod = pod
        self._dialer = dialer
        self._port = port
        self._keep = keep
        self._handler: Handler | None = None
        self._client: Client | None = None
        self._closed = False
        self._ending: threading.Thread | None = None
        self._lock = threading.Lock()
        self.id: SessionId | None = None
        """Once it is open."""

    def open(self, timeout: float, resume: SessionId | None = None) -> None:
        """Connect, as a new session or as the one that is to be taken up again.

        Raises SessionLost after at most `timeout` seconds, and SessionExpired when there is nothing to take up.
        """
        handler = Handler(self._dialer, self.pod, self._port, timeout)
        # The address is never used: the handler dials. As a number it needs no DNS.
        make = cast("Callable[..., Client]", KazooClient)
        # Of a session that can't be taken up kazoo says so only while it waits to try anew; by then it is ended here.
        retry: Any = KazooRetry(max_tries=2, delay=0.3, interrupt=self._over) if resume else KazooRetry(max_tries=1)
        client = make(
            f"127.0.0.1:{self._port}",
            timeout=SESSION_TIMEOUT,
            client_id=resume,
            handler=handler,
            connection_retry=retry,
            randomize_hosts=False,
        )
        self._handler, self._client = handler, client
        live = client.start_async()
        deadline = time.monotonic() + timeout
        while not live.wait(_TICK):
            if handler.over or time.monotonic() > deadline or self._closed:
                why = handler.failure or ("it takes no sessions" if handler.over else f"no session in {timeout:g} s")
                expired = client.client_state == KeeperState.EXPIRED_SESSION
                # A new one whose server was slow to say so can't be taken up: nobody knows its id.
                self.close(goodbye=not self._keep or resume is None)
                raise SessionExpired("the session has expired") if expired else SessionLost(why)
        self.id = client.client_id

    def _over(self) -> bool:
        return self._closed

    @property
    def alive(self) -> bool:
        return self._client is not None and not self._closed and self._client.connected

    def call(self, request: Callable[[Client], Pending[T]], timeout: float) -> T:
        """Send one request and await its answer. Raises Refusal, and SessionLost (the session is then closed)."""
        return self.answer(self.send(request), timeout)

    def send(self, request: Callable[[Client], Pending[T]]) -> Pending[T]:
        """Send a request without waiting; requests of one session are answered in order. Raises SessionLost."""
        if self._client is None or self._closed:
            raise SessionLost("the session is closed")
        return request(self._client)

    def answer(self, pending: Pending[T], timeout: float) -> T:
        """Await the answer to what was sent. Raises as `call` does."""
        try:
            return pending.get(timeout=timeout)
        except NoNodeError:
            raise Refusal("it is gone", gone=True) from None
        except NoAuthError:
            raise Refusal("not permitted by its ACL", closed=True) from None
        except KazooTimeoutError:
            self.close(goodbye=not self._keep)
            raise SessionLost(f"no answer in {timeout:g} s") from None
        except _LOST:
            self.close(goodbye=not self._keep)
            raise SessionLost("the connection was lost") from None
        except KazooException as error:
            raise Refusal(f"ZooKeeper answered {type(error).__name__}") from error

    def close(self, patience: float = 0.0, *, goodbye: bool = True) -> None:
        """End the session in the background; wait for that at most `patience` seconds. Can be called twice.

        Without `goodbye` only the connection ends: the server keeps the session until it expires or is taken up again.
        """
        with self._lock:
            self._closed = True
            if self._ending is None and self._client is not None and self._handler is not None:
                what = (self._client, self._handler, goodbye)
                self._ending = threading.Thread(target=_end, args=what, name=f"zk-{self.pod.name}-end", daemon=True)
                self._ending.start()
            ending = self._ending
        if ending is not None and patience > 0:
            ending.join(patience)


def _end(client: Client, handler: Handler, goodbye: bool) -> None:
    """Say goodbye for half a second, then cut the connection, and free what kazoo holds."""
    if not goodbye:
        _cut(handler)
    cut = threading.Timer(0.5, _cut, (handler,))
    cut.daemon = True
    cut.start()
    # Whatever kazoo finds wrong with a connection that is being thrown away is of no interest.
    with contextlib.suppress(KazooException, OSError, AttributeError):
        client.stop()
    cut.cancel()
    _cut(handler)
    with contextlib.suppress(Exception):  # kazoo raises a bare one when its thread still dials
        client.close()


def _cut(handler: Handler) -> None:
    if handler.sock is not None:
        with contextlib.suppress(OSError):
            handler.sock.shutdown(socket.SHUT_RDWR)


def stat_of(raw: RawStat) -> Stat:
    return Stat(
        raw.czxid,
        raw.mzxid,
        raw.ctime,
        raw.mtime,
        raw.version,
        raw.cversion,
        raw.aversion,
        raw.ephemeralOwner,
        raw.dataLength,
        raw.numChildren,
        raw.pzxid,
    )
