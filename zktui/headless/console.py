"""The operator at a plain terminal: lines typed, and Ctrl-C, without ever blocking the run's event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interactive() -> bool:
    """Somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def read_line() -> str | None:
    """The next line typed, without its newline; None at the end of the input.

    The descriptor stays in blocking mode, since a terminal shares it with standard output: it is read only once the
    loop says that a whole line is there.
    """
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[bytes] = loop.create_future()
    fd = sys.stdin.fileno()

    def ready() -> None:
        loop.remove_reader(fd)
        if not typed.done():
            typed.set_result(os.read(fd, 4096))

    loop.add_reader(fd, ready)
    try:
        data = await typed
    finally:
        loop.remove_reader(fd)
    return data.decode(errors="replace").rstrip("\n") if data else None


@contextmanager
def interrupts(handler: Callable[[signal.Signals], None]) -> Generator[None]:
    """Call `handler` in the loop for Ctrl-C, a termination and a closed terminal, instead of dying in the middle."""
    loop = asyncio.get_running_loop()
    for number in INTERRUPTS:
        loop.add_signal_handler(number, handler, number)
    try:
        yield
    finally:
        for number in INTERRUPTS:
            loop.remove_signal_handler(number)
