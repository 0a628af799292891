"""Follows the logs of an ensemble's pods and hands them over merged, a batch at a time. No Textual in here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from zktui.core.kube import Pod
from zktui.core.logring import LogCursor, LogLine
from zktui.core.ports import Clock, LogSource
from zktui.core.tasks import begin
from zktui.core.zookeeper import Ensemble

Deliver = Callable[[list[LogLine]], None]

TAIL = 2_000
"""Lines of its past that a stream begins with: many of them tell of no more than polls."""
GATHER = 0.1
"""Seconds for which lines are gathered and merged before they are handed over."""
FIRST = 1.0
"""Seconds at most for which the first streams wait for each other, so that their pasts are merged."""
SETTLE = 0.5
"""Seconds between a stream's end and what is said of it: the watch often tells the reason a moment later."""
BACKOFF = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds more before it is opened again, by the number of times in a row that it ended without a line."""
LINGER = 30.0
"""Seconds for which the stream of a pod that is gone may go on: a dead node's never ends by itself."""


def sort_key(stamp: str) -> str:
    """Orders RFC 3339 stamps in UTC, with any number of digits of a second, as text: `…:20Z` before `…:20.5Z`."""
    return stamp.removesuffix("Z")


@dataclass(slots=True)
class _Stream:
    pod: Pod
    task: asyncio.Task[None] | None = None
    waiting: list[tuple[str, LogLine]] = field(default_factory=list[tuple[str, LogLine]])
    key: str = ""
    """The newest sort key seen: a pod's own lines keep their order also when its node's clock was set back."""
    gone_at: float | None = None
    """When the pod left the ensemble: what its server still has to say is read, but it is not opened again."""
    spoke: bool = False
    """It has given something, or it has ended: others need not wait for it."""
    done: bool = False

    def add(self, line: LogLine) -> None:
        self.key = max(self.key, sort_key(line.stamp))
        self.waiting.append((self.key, line))

    def mark(self, text: str) -> None:
        self.add(LogLine(self.pod.name, self.pod.uid, "", text, marker=True))


class LogFeed:
    """One stream for each running pod, by UID: a pod that was reborn gets a new one by itself.

    A stream that ends is resumed where it stood, with a growing delay, and a marker says why it ended.
    """

    def __init__(self, logs: LogSource, clock: Clock, deliver: Deliver) -> None:
        self._logs = logs
        self._clock = clock
        self._deliver = deliver
        self._streams: dict[str, _Stream] = {}
        self._born: dict[str, str] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._hold_until = 0.0
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def following(self) -> frozenset[str]:
        """UIDs of the pods whose streams are open or about to be."""
        return frozenset(uid for uid, stream in self._streams.items() if stream.gone_at is None)

    def watch(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None:
        """Follow these pods from now on, as far as their containers have started. Cheap when nothing changed."""
        present = {pod.uid: pod for pod in pods}
        for uid, stream in self._streams.items():
            pod = present.get(uid)
            if pod is None:
                self._let_go(stream)
                continue
            if pod.restarts > stream.pod.restarts:
                stream.mark(f"the container of {pod.name} was restarted, {pod.restarts} times so far")
                self._schedule()
            stream.pod = pod
        started = [pod for pod in pods if pod.uid not in self._streams and _has_log(pod)]
        if started and not self._streams:
            self._hold_until = asyncio.get_running_loop().time() + FIRST
        for pod in started:
            self._start(ensemble, pod)

    def stop(self) -> None:
        """End every stream and forget what was not handed over."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        for stream in self._streams.values():
            if stream.task is not None:
                stream.task.cancel()
        self._streams.clear()
        self._born.clear()

    async def close(self) -> None:
        """As `stop`, and wait until the streams have ended."""
        self.stop()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _start(self, ensemble: Ensemble, pod: Pod) -> None:
        stream = self._streams[pod.uid] = _Stream(pod)
        before = self._born.get(pod.name)
        if before is not None and before != pod.uid:
            stream.key = max(other.key for other in self._streams.values())
            stream.mark(f"{pod.name} was born again on {pod.node or 'no node yet'} (uid {pod.uid[:8]})")
            self._schedule()
        self._born[pod.name] = pod.uid
        task = begin(self._follow(ensemble.container, stream), f"log {pod.name}")
        stream.task = task
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _let_go(self, stream: _Stream) -> None:
        now = self._clock.now()
        if stream.gone_at is None:
            stream.gone_at = now
        elif now - stream.gone_at > LINGER and stream.task is not None:
            stream.task.cancel()
            stream.done = True
            self._schedule()

    async def _follow(self, container: str, stream: _Stream) -> None:
        cursor: LogCursor | None = None
        said, failures = "", 0
        while stream.gone_at is None:
            why, lines = "", 0
            async for batch in self._logs.follow(stream.pod.key, container, cursor=cursor, tail=TAIL):
                cursor = batch.cursor or cursor
                lines += len(batch.lines)
                why = batch.ended or why
                for line in batch.lines:
                    stream.add(line)
                self._heard(stream)
            await self._clock.sleep(SETTLE)
            failures = 0 if lines else failures + 1
            words = _ended(stream, why)
            if lines or words != said:
                stream.mark(words)
                said = words
            self._heard(stream)
            await self._clock.sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
        stream.done = True
        self._schedule()

    def _heard(self, stream: _Stream) -> None:
        stream.spoke = True
        self._schedule()

    def _schedule(self) -> None:
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(GATHER, self._hand_over)

    def _hand_over(self) -> None:
        loop = asyncio.get_running_loop()
        self._flush = None
        if loop.time() < self._hold_until and not all(stream.spoke for stream in self._streams.values()):
            self._schedule()
            return
        self._hold_until = 0.0
        merged: list[tuple[str, LogLine]] = []
        for stream in self._streams.values():
            merged += stream.waiting
            stream.waiting = []
        self._streams = {uid: stream for uid, stream in self._streams.items() if not stream.done}
        # Each stream's keys never fall, and the sort is stable: this is a merge.
        merged.sort(key=lambda item: item[0])
        if merged:
            self._deliver([line for _, line in merged])


def _has_log(pod: Pod) -> bool:
    """Until its containers have started the kubelet answers 400 (ContainerCreating, PodInitializing)."""
    return pod.phase not in ("", "Pending", "Unknown") or pod.restarts > 0


def _ended(stream: _Stream, why: str) -> str:
    name = stream.pod.name
    if stream.gone_at is not None or stream.pod.terminating:
        return f"{name} has stopped"
    return f"the stream was cut: {why}" if why else "the stream ended"
