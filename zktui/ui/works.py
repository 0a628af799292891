"""What changes an ensemble beside the maintenance: prepared, asked for, and carried out whatever screen is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from zktui.core.tasks import begin
from zktui.ui.widgets.page import Row

Tell = Callable[[float, str], None]
"""Seconds since the epoch, and what is told then; the words may be raw."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was read before the question."""

    rows: tuple[Row, ...]
    """How it is, and what would be changed."""
    obstacles: tuple[str, ...] = ()
    """What stands in the way."""
    word: str = ""
    """To be typed; empty where a key is enough."""
    may_begin: bool = True
    """False: there is nothing to be done, or no word goes past the obstacles."""
    only_told: bool = False
    """Nothing was ever to be done: it is there to be read."""


@dataclass(frozen=True, slots=True)
class Ending:
    done: bool
    text: str


class Work(Protocol):
    """One thing to do, made for one screen."""

    @property
    def title(self) -> str: ...

    @property
    def verb(self) -> str:
        """For the question's key: `restart`."""
        ...

    @property
    def stoppable(self) -> bool:
        """It can be ended in the midst of it, after what is in flight."""
        ...

    async def prepare(self) -> Prepared:
        """Read everything fresh. Changes and raises nothing."""
        ...

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        """After `prepare`. Raises nothing; never cancelled."""
        ...

    def stop(self) -> None: ...


@dataclass
class Doing:
    """A work that goes on, or is over."""

    work: Work
    lines: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    ending: Ending | None = None


class Works:
    """One at a time. A work is nobody's screen: it goes on while another one is open."""

    def __init__(self, ended: Callable[[Doing], object] = lambda _: None) -> None:
        """`ended` is told of each one that is over."""
        self._ended = ended
        self.now: Doing | None = None
        """The one under way, or the last one."""
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> Doing | None:
        return self.now if self.now is not None and self.now.ending is None else None

    def begin(self, work: Work, typed: str) -> Doing | None:
        """None when another one is under way."""
        if self.under_way is not None:
            return None
        self.now = doing = Doing(work)

        async def carry_out() -> None:
            doing.ending = await work.carry_out(typed, lambda wall, text: doing.lines.append((wall, text)))
            self._ended(doing)

        self._task = begin(carry_out(), f"work: {work.title}")
        return doing

    async def finish(self) -> None:
        """End what is under way after what is in flight, and wait for it."""
        doing = self.under_way
        if doing is not None and self._task is not None:
            doing.work.stop()
            await asyncio.wait({self._task})
