"""What a container wrote, kept in a bounded file with the time of each line, as a kubelet keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from zktui.demo.runtime import LogOptions

LIMIT = 8 << 20
"""Bytes of one file; when it is full it becomes the older of the two that are kept."""


def rfc3339_nano(nanoseconds: int) -> str:
    """A Unix time in nanoseconds as the kubelet writes it; all nine digits, so that texts sort as times."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:09d}Z"


class ContainerLog:
    """The log of one run of a container. Lines get ever later times, also when the clock is set back."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path, self._older, self._limit = path, path.with_suffix(".older"), limit
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._latest = 0
        self._turns = 0
        self._closed = False
        self._news = asyncio.Event()

    def append(self, line: bytes) -> None:
        """Add one line, given without its end; it is lost where the disk is full, as on a node."""
        self._latest = max(time.time_ns(), self._latest + 1)
        if self._size > self._limit:
            self._file.close()
            self._path.replace(self._older)
            self._file, self._size = self._path.open("wb", buffering=0), 0
            self._turns += 1
        entry = rfc3339_nano(self._latest).encode() + b" " + line + b"\n"
        with contextlib.suppress(OSError):
            self._size += self._file.write(entry)
        self._wake()

    def close(self) -> None:
        """The container has ended: whoever follows gets the rest and then the end."""
        if not self._closed:
            self._closed = True
            self._file.close()
            self._wake()

    def delete(self) -> None:
        """Remove the files."""
        self.close()
        self._path.unlink(missing_ok=True)
        self._older.unlink(missing_ok=True)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _stored(self) -> Iterator[bytes]:
        """All entries written until now, however long the reader takes."""
        older = self._older.read_bytes() if self._older.exists() else b""
        current = self._path.read_bytes() if self._path.exists() else b""
        return chain(io.BytesIO(older), io.BytesIO(current))

    async def read(self, options: LogOptions) -> AsyncIterator[bytes]:
        """The chosen lines with their ends; ``tail`` counts among those that ``since`` lets through."""
        left = options.limit_bytes
        async for entry in self._chosen(options):
            stamp, _, line = entry.partition(b" ")
            shown = stamp + b" " + line if options.timestamps else line
            if left is not None:
                shown = shown[:left]
                left -= len(shown)
            if shown:
                yield shown
            if left == 0:
                return

    async def _chosen(self, options: LogOptions) -> AsyncIterator[bytes]:
        turns, place = self._turns, self._size
        entries = self._stored()
        if options.since is not None:
            earliest = rfc3339_nano(int(options.since * 1e9)).encode()
            entries = (entry for entry in entries if entry[: len(earliest)] >= earliest)
        for entry in entries if options.tail is None else deque(entries, maxlen=options.tail):
            yield entry
        while options.follow:
            if self._turns != turns:
                # What was written to the older file since we looked; all of it if we missed a whole file.
                rest = self._older.read_bytes()[place if self._turns == turns + 1 else 0 :]
                turns, place = self._turns, 0
                for entry in io.BytesIO(rest):
                    yield entry
                continue
            news = self._news
            if place < self._size:
                with self._path.open("rb") as file:
                    file.seek(place)
                    fresh = file.read(self._size - place)
                place += len(fresh)
                for entry in io.BytesIO(fresh):
                    yield entry
            elif self._closed:
                return
            else:
                await news.wait()
