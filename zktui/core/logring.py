"""A bounded, merged log: it keeps the newest lines and counts what it dropped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple


class LogLine(NamedTuple):
    """One line of a container's log. `text` is raw: sanitise it where it is painted."""

    pod: str
    uid: str
    stamp: str
    """RFC 3339 time with nanoseconds as the kubelet gave it; empty for a marker of zktui's own."""
    text: str
    marker: bool = False
    """A line that zktui put in: a pod was reborn, the stream was cut, lines were dropped."""


@dataclass(frozen=True, slots=True)
class LogCursor:
    """Where a stream stood: resume from `stamp`, dropping the `seen` lines that carry that very stamp."""

    stamp: str
    seen: int = 1


class LogRing:
    """At most `capacity` lines. `first` is the number of the oldest line kept, counting from 0 for ever."""

    def __init__(self, capacity: int = 100_000) -> None:
        if capacity < 1:
            raise ValueError("a log ring keeps at least one line")
        self._lines: deque[LogLine] = deque(maxlen=capacity)
        self._total = 0

    def extend(self, lines: Iterable[LogLine]) -> int:
        """Append lines; returns how many old ones were dropped for them."""
        before = self.dropped
        for line in lines:
            self._lines.append(line)
            self._total += 1
        return self.dropped - before

    def clear(self) -> None:
        self._lines.clear()
        self._total = 0

    @property
    def total(self) -> int:
        """Lines ever appended."""
        return self._total

    @property
    def dropped(self) -> int:
        return self._total - len(self._lines)

    @property
    def first(self) -> int:
        return self.dropped

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, number: int) -> LogLine:
        """The line of that number, counting from 0 for ever. Raises IndexError when it was dropped or is to come."""
        index = number - self.dropped
        if index < 0:
            raise IndexError(number)
        return self._lines[index]

    def since(self, number: int) -> Iterator[tuple[int, LogLine]]:
        """Numbered lines from `number` on, or from the oldest one kept."""
        start = max(number, self.dropped)
        skip = start - self.dropped
        return zip(range(start, self._total), islice(self._lines, skip, None), strict=False)

    def find(self, wanted: Callable[[LogLine], bool], since: int = 0) -> list[int]:
        """Numbers of the kept lines for which `wanted` holds, oldest first."""
        return [number for number, line in self.since(since) if wanted(line)]
