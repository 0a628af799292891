"""A fault of zktui's own: one line on the terminal that says what and where the rest is, never a traceback there."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zktui import __version__
from zktui.core.text import printable

MOST = 200
"""Characters of an error's own words that stand in the line."""


def tell(error: BaseException, state: Path) -> None:
    """Keep the error with its traceback in a file of its own in the folder `state`, and say so on standard error.

    The file is the user's alone (0600), since an error may quote what a server said. It holds no values of variables,
    which may be credentials. A folder that can't be written is told in the same line.
    """
    words = printable(f"{type(error).__name__}: {error}")
    if len(words) > MOST:
        words = words[:MOST] + "…"
    sys.stderr.write(f"zktui: a fault of zktui's own: {words.removesuffix(': ')}. {_kept(error, state)}\n")
    sys.stderr.flush()


def _kept(error: BaseException, state: Path) -> str:
    """Write it down; returns the sentence that says where."""
    now = datetime.now(UTC)
    head = f"zktui {__version__}, Python {sys.version}, {sys.platform}, {now.isoformat()}\n\n"
    path = state / f"fault-{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}.txt"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(head + "".join(traceback.format_exception(error)))
    except OSError as refused:
        return f"Its details could not be kept in {printable(str(state))}: {refused.strerror}."
    return f"Its details: {printable(str(path))}"


class Faults:
    """The faults of one run of the program. Each is told once, in their order."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._untold: list[BaseException] = []
        self.any = False
        """There was one: the program may not end as if all was well."""

    def add(self, error: BaseException) -> None:
        self.any = True
        self._untold.append(error)

    def tell(self) -> None:
        """Say what has not been said yet. Not to be called while a screen stands on the terminal."""
        while self._untold:
            tell(self._untold.pop(0), self._state)

    def listen(self, then: Callable[[], object] | None = None) -> None:
        """From now on take what the running loop hears of failed callbacks, and of tasks that nobody awaits.

        `then` is called after each. What asyncio says of its transports is left to asyncio: a peer that went away is
        no fault.
        """

        def said(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
            error = context.get("exception")
            if not isinstance(error, Exception) or "transport" in context:
                loop.default_exception_handler(dict(context))
                return
            self.add(error)
            if then is not None:
                then()

        asyncio.get_running_loop().set_exception_handler(said)
