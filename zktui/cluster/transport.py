"""HTTP to the API server: single calls with an outcome that is a value, paged lists, and streams that can be closed.

All of it blocks and is called from threads. urllib3's own retries are off: a change is sent exactly once, and a read
at most twice (again after a 401 with renewed credentials, or on a fresh connection when a kept one proved dead).
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import urllib3
from urllib3 import exceptions as http

from zktui.cluster import outcomes, wire
from zktui.cluster.access import Access
from zktui.core.ports import Answer, Clock, Refused, Reply, Unanswered
from zktui.errors import ZktuiError

T = TypeVar("T")
W = TypeVar("W", bound=wire.Object)
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
PAGE = 500
"""Objects in a page of a list, as kubectl and client-go ask for."""
RELISTS = 3
"""Times that a list starts anew because its continue token had expired under it."""

Query = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect: float = 5.0
    read: float = 10.0
    """Silence while waiting for a reply to a question."""
    change: float = 35.0
    """Silence after a change: an API server gives its admission webhooks up to 30 s."""


class StreamBroken(Exception):
    """A stream ended other than by its server's will; the message says how. `silent`: nothing came in time."""

    def __init__(self, why: str, *, silent: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.silent = silent


class Stream:
    """A reply's body as it comes. `close` may be called from any thread; it wakes the reader within milliseconds."""

    def __init__(self, response: urllib3.BaseHTTPResponse, server: str) -> None:
        self._response = response
        self._server = server
        self._closed = threading.Event()

    def read(self, limit: int = 65536) -> bytes:
        """What has come, at least one byte; b"" when the server ended it or `close` was called.

        Raises StreamBroken.
        """
        try:
            return self._response.read1(limit, decode_content=False)
        except (http.HTTPError, OSError, ValueError, AttributeError) as error:
            # Besides real cuts: http.client stumbles over its own socket when that is shut under it.
            if self._closed.is_set():
                return b""
            silent = isinstance(error, http.ReadTimeoutError)
            raise StreamBroken(outcomes.explain(outcomes.chain_of(error), self._server), silent=silent) from error

    def close(self) -> None:
        """Wake the reader. The flag comes first: what the reader then sees looks like a cut."""
        self._closed.set()
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            self._response.shutdown()

    def release(self) -> None:
        """Close the connection. Only for the thread that reads."""
        self._closed.set()
        with contextlib.suppress(OSError, http.HTTPError):
            self._response.close()


class Transport:
    """Requests to one API server. Thread-safe."""

    def __init__(self, access: Access, clock: Clock, timeouts: Timeouts | None = None) -> None:
        self.access = access
        self.clock = clock
        self.timeouts = timeouts or Timeouts()

    def get(self, path: str, decode: Callable[[bytes], T], query: Query | None = None) -> Reply[T]:
        limits = urllib3.Timeout(connect=self.timeouts.connect, read=self.timeouts.read)
        return self._ask(path, decode, query, limits)

    def probe(self, path: str, timeout: float) -> Refused | Unanswered | None:
        """None when the server answered well within `timeout` seconds."""
        reply = self._ask(path, bytes, None, urllib3.Timeout(connect=timeout, read=timeout))
        return None if isinstance(reply, Answer) else reply

    def change(
        self,
        method: str,
        path: str,
        body: object,
        decode: Callable[[bytes], T],
        content_type: str = JSON,
        query: Query | None = None,
    ) -> Reply[T]:
        """Send a change, exactly once. A reply that can't be read is Unanswered: something was done."""
        limits = urllib3.Timeout(connect=self.timeouts.connect, read=self.timeouts.change)
        at = self.clock.now()
        try:
            response = self._send(
                method, path, query, limits, body=json.dumps(body).encode(), content_type=content_type
            )
            data = response.data
        except (http.HTTPError, OSError) as error:
            return outcomes.unanswered(error, at, self.access.server)
        except ZktuiError as error:
            return Unanswered(str(error), at, sent=False)
        if response.status == 401:
            self.access.renew()
        return self._judge(response, data, decode, at, change=True)

    def pages(
        self, path: str, kind: type[W], fact: Callable[[W], T], query: Query | None = None
    ) -> Reply[tuple[list[T], str]]:
        """A whole list with its resourceVersion, read (quorum reads) and turned into facts page by page.

        When the continue token expires on the way (410), all is read again: a list of two moments is none.
        """
        decode = wire.decoder(wire.Page[kind]).decode
        started = self.clock.now()
        reply: Reply[wire.Page[W]] = Unanswered("never asked", started, sent=False)
        for _ in range(RELISTS):
            items: list[T] = []
            asked: dict[str, str | int | bool] = {**(query or {}), "limit": PAGE}
            while isinstance(reply := self.get(path, decode, asked), Answer):
                items.extend(map(fact, reply.value.items or ()))
                if not (token := reply.value.metadata.continue_):
                    return Answer((items, reply.value.metadata.resource_version), started)
                asked["continue"] = token
            if not (isinstance(reply, Refused) and reply.code == 410 and "continue" in asked):
                return reply
        return reply

    def stream(
        self, path: str, query: Query, silence: float, *, opening: float | None = None
    ) -> Stream | Refused | Unanswered:
        """Open a stream whose reader gives up after `silence` seconds without a byte.

        `opening` bounds the wait for the reply's head where the server sends that at once, as it does for a watch; a
        log's head comes with its first line.
        """
        at = self.clock.now()
        limits = urllib3.Timeout(connect=self.timeouts.connect, read=silence if opening is None else opening)
        try:
            response = self._twice("GET", path, query, limits)
            if response.status == 200:
                _allow_silence(response, silence)
                return Stream(response, self.access.server)
            data = response.data
        except (http.HTTPError, OSError) as error:
            return outcomes.unanswered(error, at, self.access.server)
        except ZktuiError as error:
            return Unanswered(str(error), at, sent=False)
        verdict = outcomes.refused(response.status, response.headers, data, at, change=False)
        response.release_conn()
        return verdict

    def _ask(self, path: str, decode: Callable[[bytes], T], query: Query | None, limits: urllib3.Timeout) -> Reply[T]:
        at = self.clock.now()
        try:
            response = self._twice("GET", path, query, limits)
            data = response.data
            response.release_conn()
        except (http.HTTPError, OSError) as error:
            return outcomes.unanswered(error, at, self.access.server)
        except ZktuiError as error:
            return Unanswered(str(error), at, sent=False)
        return self._judge(response, data, decode, at, change=False)

    def _twice(self, method: str, path: str, query: Query | None, limits: urllib3.Timeout) -> urllib3.BaseHTTPResponse:
        """A read may be repeated: once when a kept connection was dead, once when the credentials had expired."""
        try:
            response = self._send(method, path, query, limits)
        except http.ProtocolError:
            response = self._send(method, path, query, limits)
        if response.status == 401 and self.access.renew():
            response.drain_conn()
            response = self._send(method, path, query, limits)
        return response

    def _send(
        self,
        method: str,
        path: str,
        query: Query | None,
        limits: urllib3.Timeout,
        *,
        body: bytes | None = None,
        content_type: str = "",
    ) -> urllib3.BaseHTTPResponse:
        headers = urllib3.HTTPHeaderDict({"Accept": JSON, "User-Agent": "zktui"})
        for name, value in self.access.headers():
            headers.add(name, value)
        if body is not None:
            headers["Content-Type"] = content_type
        elif query is not None and "limit" in query:
            headers["Accept-Encoding"] = "gzip"  # lists shrink tenfold; the server leaves small replies plain
        url = self.access.server + path + ("?" + urlencode(_spelled(query)) if query else "")
        return self.access.pool.request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=limits,
            preload_content=False,
            retries=False,
            redirect=False,
        )

    def _judge(
        self, response: urllib3.BaseHTTPResponse, data: bytes, decode: Callable[[bytes], T], at: float, *, change: bool
    ) -> Reply[T]:
        if response.status >= 300:
            return outcomes.refused(response.status, response.headers, data, at, change=change)
        try:
            value = decode(data)
        except msgspec.DecodeError as error:
            return Unanswered(f"{self.access.server} sent a reply that can't be read: {error}", at)
        return Answer(value, at, response.status, outcomes.warnings(response.headers))


def _allow_silence(response: urllib3.BaseHTTPResponse, seconds: float) -> None:
    """From here on each read may take so long. The socket keeps the timeout of its request otherwise."""
    sock = getattr(response.connection, "sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def path_of(*segments: Any) -> str:
    """A request path; each segment is quoted, so that a name never changes what is asked for."""
    return "/" + "/".join(quote(str(segment), safe="") for segment in segments)


def _spelled(query: Query) -> dict[str, str]:
    return {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in query.items()}
