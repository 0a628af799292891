"""A small pool of daemon threads for calls that block.

Not asyncio's default pool: streams and calls that share it make each other wait, and its threads hold up the exit.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Threads:
    """At most `size` daemon threads, started when there is work for them."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._free = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """Call `work` in a thread; what it raises is raised here. Raises RuntimeError after `close`.

        A caller that is cancelled stops waiting; the work itself goes on to its end.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            if self._free <= 0 and len(self._threads) < self._size:
                thread = threading.Thread(target=self._serve, name=f"{self._name}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._free -= 1  # below zero: the threads that end their work next are already spoken for
            self._work.put(partial(_carry, loop, outcome, work))
        return await outcome

    def close(self, patience: float = 0.0) -> None:
        """Let each thread end after what it does now; wait for them at most `patience` seconds in all."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = list(self._threads)
        for _ in threads:
            self._work.put(None)
        deadline = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            with self._lock:
                self._free += 1


async def aside(work: Callable[[], None], timeout: float) -> None:
    """Call `work` in a daemon thread of its own, and wait for it at most `timeout` seconds; what it raises is lost."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[None] = loop.create_future()
    threading.Thread(target=_carry, args=(loop, outcome, work), name="zk-aside", daemon=True).start()
    await asyncio.wait({outcome}, timeout=timeout)
    if outcome.done():
        outcome.exception()  # looked at, so that asyncio does not print it
    else:
        outcome.cancel()


def _carry(loop: asyncio.AbstractEventLoop, outcome: asyncio.Future[T], work: Callable[[], T]) -> None:
    try:
        settle = partial(_give, outcome, work())
    except Exception as error:  # noqa: BLE001 - carried over to the one who awaits
        settle = partial(_fail, outcome, error)
    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        _log.debug("an answer came after the loop was closed")


def _give(outcome: asyncio.Future[T], value: T) -> None:
    if not outcome.done():  # it is when the caller was cancelled
        outcome.set_result(value)


def _fail(outcome: asyncio.Future[T], error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(error)
