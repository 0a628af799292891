"""The engine: carries out what the machine asks for, and tells it what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from zktui.core.zookeeper import Member
from zktui.maintenance.journal import Journal
from zktui.maintenance.model import BudgetSample, Command, Run


class Engine:
    """One run. Used from one event loop; readers come and go, the run does not depend on them."""

    @property
    def run(self) -> Run:
        """The newest snapshot."""
        raise NotImplementedError

    @property
    def journal(self) -> Journal:
        raise NotImplementedError

    @property
    def timeline(self) -> tuple[BudgetSample, ...]:
        """The budget's figures as the run went, oldest first; bounded."""
        raise NotImplementedError

    @property
    def members(self) -> tuple[Member, ...]:
        """Members of the plan's ensembles as last read."""
        raise NotImplementedError

    def command(self, command: Command) -> None:
        """Acknowledged in `run` before this returns. A command that can't be followed is told in `run.message`."""
        raise NotImplementedError

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[asyncio.Event]:
        """An event that is set after each change of `run`, `journal`, `timeline` or `members`; the reader clears it."""
        yield asyncio.Event()

    async def drive(self) -> Run:
        """Carry the run to its end and return it. Called again meanwhile, it waits for the same end."""
        raise NotImplementedError
