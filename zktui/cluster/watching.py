"""List and watch of one kind, in one daemon thread, for as long as somebody reads.

The rules are the API's (kubernetes.io/docs/reference/using-api/api-concepts): list, then watch from the list's
resourceVersion; bookmarks move that version on; a version too old (410, in any of its three forms) means to list anew;
whatever ends a watch otherwise, it goes on from the last version seen.
"""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zktui.cluster.access import RENEW_PAUSE
from zktui.cluster.events import Events
from zktui.cluster.handover import Outbox
from zktui.cluster.heartbeat import Beat, Heartbeat
from zktui.cluster.resources import Resource
from zktui.cluster.transport import Stream, StreamBroken, Transport
from zktui.core.deltas import Alive, Batch, Delta, Fact, Kind, Lost, Reset
from zktui.core.ports import Answer, Refused, Unanswered

SHORT = 1.0
"""Seconds: a watch that ends sooner, having said nothing, counts as a failure, or it would spin."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds."""

    beat: Beat = field(default_factory=Beat)
    watch: int = 290
    """timeoutSeconds: the server ends each watch after this, give or take a tenth."""
    silence: float = 90.0
    """Without a byte for this long a watch is taken up anew: bookmarks come about once a minute."""
    first_pause: float = 0.25
    longest_pause: float = 5.0
    """Bounds of the back-off, before jitter."""
    denied_pause: float = 30.0
    """Between tries while it is not permitted: rights can be granted."""


class _Failed(Exception):
    """The source has to say Lost, and to try again."""

    def __init__(self, why: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.permanent = permanent
        self.retry_after = retry_after


def _failure(reply: Refused | Unanswered) -> _Failed:
    if isinstance(reply, Unanswered):
        return _Failed(reply.why)
    match reply.code:
        case 401:
            return _Failed("the API server does not accept the credentials (401)", retry_after=RENEW_PAUSE)
        case 403 | 404 | 405:
            return _Failed(f"{reply.message} ({reply.code})", permanent=True)
        case _:
            return _Failed(f"{reply.message} ({reply.code})", retry_after=reply.retry_after)


class WatchSource:
    """Fulfils `core.ports.Source` for one kind."""

    def __init__(
        self,
        transport: Transport,
        heartbeat: Heartbeat,
        kind: Kind,
        resource: Resource[Any, Fact],
        namespace: str | None,
        rhythm: Rhythm,
    ) -> None:
        self._parts = (transport, kind, resource, namespace, rhythm)
        self._heartbeat = heartbeat
        self._kind = kind

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (self._kind,)

    async def open(self) -> AsyncGenerator[Batch]:
        """Batches until it is closed (`aclose`), which ends the thread and its connection within milliseconds."""
        outbox: Outbox[Delta] = Outbox()
        watch = _Watch(outbox, *self._parts)
        watch.start()
        self._heartbeat.join(watch.beat)
        try:
            while True:
                yield tuple(await outbox.take())
        finally:
            self._heartbeat.leave(watch.beat)
            watch.close()
            outbox.close()


class _Watch:
    """The thread's side of an open source."""

    def __init__(
        self,
        outbox: Outbox[Delta],
        transport: Transport,
        kind: Kind,
        resource: Resource[Any, Fact],
        namespace: str | None,
        rhythm: Rhythm,
    ) -> None:
        self._outbox = outbox
        self._transport = transport
        self._kind = kind
        self._resource = resource
        self._path = resource.path(namespace)
        self._rhythm = rhythm
        self._closed = threading.Event()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._live = False
        self._cut = ""
        self._pause = rhythm.first_pause
        self._version = ""
        self._relisted = False

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"zktui-watch-{self._kind}", daemon=True).start()

    def close(self) -> None:
        """End the thread, from any other."""
        self._closed.set()
        self._woken.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def beat(self, at: float, why: str) -> None:
        """A heartbeat: word that the connection lives, or the end of a stream that would wait for ever."""
        if not why:
            self._woken.set()  # whoever waits for a server that was gone can try now
            if self._live:
                self._outbox.put((Alive(self._kind, at),))
            return
        with self._lock:
            said = not self._live  # whoever is not live has said Lost already, or has never had anything
            self._live = False
            if self._stream is not None:
                self._cut = why
                self._stream.close()
        if not said:
            self._outbox.put((Lost(self._kind, why, self._transport.clock.now()),))

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
            except _Failed as failed:
                self._live = False
                now = self._transport.clock.now()
                self._outbox.put((Lost(self._kind, failed.why, now, failed.permanent),))
                self._rest(failed)

    def _rest(self, failed: _Failed) -> None:
        """Wait before the next try: half a minute where it is not permitted, as long as the server asks, or by an
        exponential back-off with jitter, which a heartbeat cuts short when it finds the server well again.
        """
        if failed.permanent:
            self._closed.wait(self._rhythm.denied_pause)
        elif failed.retry_after:
            self._closed.wait(failed.retry_after * random.uniform(1, 1.2))  # noqa: S311 - jitter, not a secret
        else:
            self._woken.clear()
            if not self._closed.is_set():
                self._woken.wait(self._next_pause())

    def _next_pause(self) -> float:
        pause, self._pause = self._pause, min(self._rhythm.longest_pause, self._pause * 2)
        return pause * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret

    def _list(self) -> None:
        reply = self._transport.pages(self._path, self._resource.wire, self._resource.fact)
        if not isinstance(reply, Answer):
            raise _failure(reply)
        items, self._version = reply.value
        self._live = True
        self._outbox.put((Reset(self._kind, tuple(items), reply.at),))

    def _watch(self) -> None:
        """One watch from its opening to its end, after which it is to be called again. Raises _Failed."""
        started = self._transport.clock.now()
        stream = self._open()
        if stream is None:
            return
        if not self._live:  # taken up where it was cut: what happened meanwhile comes now, as events
            self._live = True
            self._outbox.put((Alive(self._kind, started),))
        events = Events(self._kind, self._resource, self._version)
        try:
            self._follow(stream, events)
        finally:
            with self._lock:
                self._stream = None
            stream.release()
        said_something = events.version != self._version
        self._version = events.version
        if self._cut:
            why, self._cut = self._cut, ""
            raise _Failed(why)
        if events.error is not None:
            self._judge(events.error)
        elif said_something:
            self._pause, self._relisted = self._rhythm.first_pause, False
        elif self._transport.clock.now() - started < SHORT:
            self._closed.wait(self._next_pause())

    def _open(self) -> Stream | None:
        """None when there is nothing to follow: the version is too old, or the source was closed meanwhile."""
        spread = random.uniform(0.9, 1.1)  # noqa: S311 - so that six watches are not renewed at one moment
        query = {
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": self._version,
            "timeoutSeconds": int(self._rhythm.watch * spread),
        }
        opening = self._transport.timeouts.read
        reply = self._transport.stream(self._path, query, self._rhythm.silence, opening=opening)
        if isinstance(reply, Refused):
            self._judge(reply)
            return None
        if isinstance(reply, Unanswered):
            raise _failure(reply)
        with self._lock:
            self._stream = reply
        if self._closed.is_set():
            reply.release()
            return None
        return reply

    def _follow(self, stream: Stream, events: Events) -> None:
        """Hand over what the stream says until it ends. A watch that fell silent ends too, and is taken up anew."""
        try:
            while events.error is None and (data := stream.read()):
                deltas = events.feed(data, self._transport.clock.now())
                if deltas:
                    self._outbox.put(deltas)
        except StreamBroken as broken:
            if not broken.silent:
                self._version = events.version
                raise _Failed(broken.why) from broken
        except msgspec.DecodeError as error:
            self._version = ""
            raise _Failed(f"the API server sent an event that can't be read: {error}") from error

    def _judge(self, error: Refused) -> None:
        """410 means that the version is too old: list anew, and at once only the first time. Else raises _Failed."""
        if error.code != 410:
            raise _failure(error)
        self._version = ""
        if self._relisted:
            self._closed.wait(self._next_pause())
        self._relisted = True
