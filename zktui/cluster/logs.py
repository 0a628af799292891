"""Containers' logs, followed through cuts without losing or repeating a line.

One daemon thread for each. Whether a stream's end is the log's end is for the pod to say: it is read again after each.
A waiting container is waited for; a cut is repaired without a word, as long as that does not take minutes.
"""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from zktui.cluster import wire
from zktui.cluster.handover import Outbox
from zktui.cluster.loglines import LogBlocks, since_time
from zktui.cluster.resources import PODS
from zktui.cluster.transport import Query, Stream, StreamBroken, Transport
from zktui.core.kube import PodKey
from zktui.core.logring import LogCursor, LogLine
from zktui.core.ports import LogBatch, Refused, Unanswered

READ_SIZE = 262_144
BATCHES = 64
"""Blocks that may wait for a slow reader; then the stream is left unread, and TCP holds the server back."""


@dataclass(frozen=True, slots=True)
class LogRhythm:
    """Seconds."""

    silence: float = 60.0
    """A stream that has been quiet for this long is taken up anew: it may be half open."""
    first_pause: float = 0.25
    longest_pause: float = 5.0
    patience: float = 120.0
    """Failures for this long in a row end it."""


class PodLogs:
    """Fulfils `core.ports.LogSource`."""

    def __init__(self, transport: Transport, rhythm: LogRhythm | None = None) -> None:
        self._transport = transport
        self._rhythm = rhythm or LogRhythm()

    async def follow(
        self, pod: PodKey, container: str, *, cursor: LogCursor | None = None, tail: int = 500
    ) -> AsyncGenerator[LogBatch]:
        """Closing it (`aclose`) ends the thread and its connection within milliseconds."""
        outbox: Outbox[LogBatch] = Outbox(BATCHES)
        query: Query = {"container": container, "follow": True, "timestamps": True, "tailLines": tail}
        follower = _Follower(self._transport, self._rhythm, outbox, pod, query, cursor)
        threading.Thread(target=follower.run, name=f"zktui-log-{pod.name}", daemon=True).start()
        try:
            ended = ""
            while not ended:
                batches = await outbox.take()
                ended = batches[-1].ended
                yield _merged(batches)
        finally:
            follower.close()
            outbox.close()


def _merged(batches: list[LogBatch]) -> LogBatch:
    if len(batches) == 1:
        return batches[0]
    lines = tuple(line for batch in batches for line in batch.lines)
    return LogBatch(lines, batches[-1].cursor, batches[-1].ended)


class _Over(Exception):
    """There will be no more lines; the message says why."""


class _Trouble(Exception):
    """Something that may pass; the message says what."""


class _Follower:
    """The thread's side of one followed log."""

    def __init__(
        self,
        transport: Transport,
        rhythm: LogRhythm,
        outbox: Outbox[LogBatch],
        pod: PodKey,
        query: Query,
        cursor: LogCursor | None,
    ) -> None:
        self._transport = transport
        self._rhythm = rhythm
        self._outbox = outbox
        self._pod = pod
        self._path = PODS.path(pod.namespace, pod.name)
        self._query = query
        self._container = str(query["container"])
        self._blocks = LogBlocks(pod, cursor)
        self._decode = wire.decoder(wire.Pod).decode
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._stream: Stream | None = None
        self._pause = rhythm.first_pause
        self._well_at = transport.clock.now()

    def close(self) -> None:
        """End the thread, from any other."""
        self._closed.set()
        with self._lock:
            if self._stream is not None:
                self._stream.close()

    def run(self) -> None:
        ended = ""
        while not ended and not self._closed.is_set():
            try:
                self._session()
            except _Over as over:
                ended = str(over)
            except _Trouble as trouble:
                failing = self._transport.clock.now() - self._well_at
                if failing > self._rhythm.patience:
                    ended = f"gave up after {failing:.0f} s: {trouble}"
                else:
                    self._rest()
        self._outbox.put((LogBatch((), self._blocks.cursor, ended),))

    def _rest(self) -> None:
        self._closed.wait(self._pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
        self._pause = min(self._rhythm.longest_pause, self._pause * 2)

    def _session(self) -> None:
        """One stream from its opening to its end, after which it is to be taken up again. Raises _Over or _Trouble."""
        self._look()
        self._blocks.resume()
        stream = self._open()
        if stream is None:
            return
        before = self._blocks.cursor
        try:
            ended = self._read(stream)
        finally:
            with self._lock:
                self._stream = None
            stream.release()
        if self._closed.is_set() or not ended:
            return
        # A log also ends where the way to it was closed in an orderly manner: the pod tells which it is.
        try:
            over = self._look()
        except _Over:
            self._give(self._blocks.finish())
            raise
        if over:
            self._give(self._blocks.finish())
            raise _Over(over)
        if self._blocks.cursor == before:
            self._rest()

    def _look(self) -> str:
        """Why the container is not running, or "". Raises _Over when the pod is gone, _Trouble when nobody knows."""
        reply = self._transport.get(self._path, self._decode)
        if isinstance(reply, Unanswered):
            raise _Trouble(reply.why)
        if isinstance(reply, Refused):
            raise self._judged(reply)
        pod = reply.value
        if pod.metadata.uid != self._pod.uid:
            raise _Over(f"pod {self._pod.name} is gone; another of its name has taken its place")
        if all(
            item.name != self._container for item in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ()))
        ):
            raise _Over(f"pod {self._pod.name} has no container {self._container}")
        statuses = (*(pod.status.container_statuses or ()), *(pod.status.init_container_statuses or ()))
        state = next((item.state for item in statuses if item.name == self._container), None)
        if state is None or state.running is not None:
            return ""
        if (ended := state.terminated) is not None:
            return f"container {self._container} ended ({ended.reason or 'exit'}, code {ended.exit_code})"
        waiting = state.waiting or wire.Waiting()
        return f"container {self._container} waits ({waiting.reason or 'not started'})"

    def _open(self) -> Stream | None:
        query = dict(self._query)
        if (cursor := self._blocks.cursor) is not None:
            del query["tailLines"]
            query["sinceTime"] = since_time(cursor.stamp)
        reply = self._transport.stream(self._path + "/log", query, self._rhythm.silence)
        if isinstance(reply, Unanswered):
            # The pod was read a moment ago, so the server is well: a log without a line yet has no head either.
            self._well_at = self._transport.clock.now()
            raise _Trouble(reply.why)
        if isinstance(reply, Refused):
            raise self._judged(reply)
        with self._lock:
            self._stream = reply
        if self._closed.is_set():
            reply.release()
            return None
        return reply

    def _judged(self, reply: Refused) -> Exception:
        """400 is what a container gets that has not started yet; the pod says so if it never will."""
        if reply.not_found:
            return _Over(f"pod {self._pod.name} is gone")
        if reply.forbidden:
            return _Over(f"not permitted: {reply.message}")
        if reply.code == 400:
            self._well_at = self._transport.clock.now()
        return _Trouble(f"{reply.message} ({reply.code})")

    def _read(self, stream: Stream) -> bool:
        """True when the server ended the stream, False when it fell silent. Raises _Trouble when it was cut."""
        try:
            while data := stream.read(READ_SIZE):
                self._well_at = self._transport.clock.now()
                self._pause = self._rhythm.first_pause
                self._give(self._blocks.feed(data))
        except StreamBroken as broken:
            if broken.silent:
                return False
            raise _Trouble(broken.why) from broken
        return True

    def _give(self, lines: tuple[LogLine, ...]) -> None:
        if lines:
            self._outbox.put((LogBatch(lines, self._blocks.cursor),))
