"""Tasks that nobody awaits, and that still may not fail unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def begin(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """As `asyncio.create_task`, for work whose end nobody awaits: an error is told to the loop's exception handler.

    asyncio tells of it by itself only once the task is collected, which is never while somebody holds it.
    """
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    if task.cancelled() or (error := task.exception()) is None:
        return
    said = f"{task.get_name()} failed"
    task.get_loop().call_exception_handler({"message": said, "exception": error, "task": task})
