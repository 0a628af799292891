"""From a thread to the event loop in batches: one wake-up for each flush, not for each item."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """What one thread has for one reader on a loop. Bounded: a writer waits while `limit` items wait to be taken."""

    def __init__(self, limit: int = 0) -> None:
        """For the running loop. A `limit` of 0 is none."""
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._room = threading.Condition()
        self._limit = limit
        self._items: list[T] = []
        self._signalled = False
        self._closed = False

    def put(self, items: Iterable[T]) -> bool:
        """Add items, from any thread. False when the reader has gone, and nothing more is wanted."""
        with self._room:
            self._room.wait_for(lambda: self._closed or not self._limit or len(self._items) < self._limit)
            if self._closed:
                return False
            self._items.extend(items)
            wake = not self._signalled
            self._signalled = True
        if wake:
            # A loop that has been closed reads no more; the reader's own end closes this box.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._filled.set)
        return True

    async def take(self) -> list[T]:
        """Everything that waits, at least one item."""
        await self._filled.wait()
        self._filled.clear()
        with self._room:
            items, self._items = self._items, []
            self._signalled = False
            self._room.notify_all()
        return items

    def close(self) -> None:
        """Let a waiting writer go."""
        with self._room:
            self._closed = True
            self._room.notify_all()
