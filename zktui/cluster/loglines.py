"""A followed log's bytes as lines, and how far they have been read.

Each line begins with the kubelet's time (`timestamps=true`), RFC 3339 with nanoseconds. A resumed log is asked for from
the cursor's second on, since sinceTime knows whole seconds only, and what had been seen is dropped here.
"""

from __future__ import annotations

from zktui.cluster.quantities import epoch
from zktui.core.kube import PodKey
from zktui.core.logring import LogCursor, LogLine


class LogBlocks:
    """Turns a log's bytes into lines, in blocks, and keeps the cursor."""

    def __init__(self, pod: PodKey, cursor: LogCursor | None) -> None:
        self.cursor = cursor
        self._pod = pod.name
        self._uid = pod.uid
        self._tail: list[bytes] = []
        self._after = cursor
        self._skip = cursor.seen if cursor is not None else 0

    def resume(self) -> None:
        """A new stream begins, which may repeat lines up to the cursor. An unfinished line is told again whole."""
        self._tail.clear()
        self._after = self.cursor
        self._skip = self.cursor.seen if self.cursor is not None else 0

    def feed(self, data: bytes) -> tuple[LogLine, ...]:
        end = data.rfind(b"\n")
        if end < 0:
            self._tail.append(data)
            return ()
        block = b"".join((*self._tail, data[:end]))
        self._tail = [data[end + 1 :]]
        return self._lines(block)

    def finish(self) -> tuple[LogLine, ...]:
        """The last line, when the log ended without a newline."""
        block = b"".join(self._tail)
        self._tail.clear()
        return self._lines(block) if block else ()

    def _lines(self, block: bytes) -> tuple[LogLine, ...]:
        pod, uid = self._pod, self._uid
        lines: list[LogLine] = []
        for raw in block.decode("utf-8", "replace").split("\n"):
            stamp, _, text = raw.partition(" ")
            # A complaint of the kubelet's own comes without a time.
            lines.append(LogLine(pod, uid, stamp, text) if stamp[10:11] == "T" else LogLine(pod, uid, "", raw))
        if self._after is not None:
            lines = self._unseen(lines, self._after)
        self._advance(lines)
        return tuple(lines)

    def _unseen(self, lines: list[LogLine], after: LogCursor) -> list[LogLine]:
        """Without the lines before the cursor, and without as many at its very stamp as had been seen."""
        limit = _instant(after.stamp)
        for number, line in enumerate(lines):
            here = _instant(line.stamp)
            if here is None or limit is None or here < limit:
                continue
            if here == limit and self._skip > 0:
                self._skip -= 1
                continue
            self._after = None
            return lines[number:]
        return []

    def _advance(self, lines: list[LogLine]) -> None:
        last = next((line.stamp for line in reversed(lines) if line.stamp), None)
        if last is None:
            return
        seen = 0
        for line in reversed(lines):
            if line.stamp and line.stamp != last:
                break
            seen += line.stamp == last
        else:
            if self.cursor is not None and self.cursor.stamp == last:
                seen += self.cursor.seen
        self.cursor = LogCursor(last, seen)


def since_time(stamp: str) -> str:
    """A stamp as sinceTime takes it: without its fraction of a second."""
    head, dot, fraction = stamp.partition(".")
    return head + fraction.lstrip("0123456789") if dot else head


def _instant(stamp: str) -> tuple[float, int] | None:
    """Whole seconds and nanoseconds: one float can't hold both."""
    seconds = epoch(since_time(stamp))
    _, _, fraction = stamp.partition(".")
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    return None if seconds is None else (seconds, int(digits.ljust(9, "0")[:9]))
