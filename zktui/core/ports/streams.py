"""What flows in while the program runs: facts of the cluster, and lines of logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from zktui.core.deltas import Batch, Kind
from zktui.core.kube import PodKey
from zktui.core.logring import LogCursor, LogLine


class Source(Protocol):
    """A stream of facts. Batches until it is closed; it reconnects by itself, says Lost when cut, and never raises."""

    @property
    def kinds(self) -> tuple[Kind, ...]: ...

    def open(self) -> AsyncIterator[Batch]: ...


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines of one pod in the order written, and where to resume. `ended` says why the stream is over, if it is."""

    lines: tuple[LogLine, ...]
    cursor: LogCursor | None
    ended: str = ""


class LogSource(Protocol):
    def follow(
        self, pod: PodKey, container: str, *, cursor: LogCursor | None = None, tail: int = 500
    ) -> AsyncIterator[LogBatch]:
        """Follow one container's log until it ends; never raises. With a cursor it resumes without repeating."""
        ...
