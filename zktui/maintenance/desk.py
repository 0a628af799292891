"""Where a maintenance is reviewed and begun: the one thing that front ends need of this package."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from zktui.core.ports import Clock, Cluster, Members
from zktui.core.view import View
from zktui.maintenance.engine import Engine
from zktui.maintenance.model import Options, Plan, Run


class Desk:
    """Reviews plans and begins runs, one at a time."""

    def __init__(
        self,
        cluster: Cluster,
        members: Members,
        clock: Clock,
        store_view: Callable[[], View],
        *,
        state_folder: Path,
        holder: str,
        read_only: bool,
    ) -> None:
        """`holder` is who the lease will name (user@host); journals go to `state_folder`/runs."""
        self._cluster = cluster
        self._members = members
        self._clock = clock
        self._view = store_view
        self._folder = state_folder
        self._holder = holder
        self.read_only = read_only
        self.engine: Engine | None = None
        """The run under way, or the last one."""
        self.task: asyncio.Task[Run] | None = None
        """Drives `engine`; its result is the ended run. Never cancel it: a change must not be cut off."""

    async def review(self, nodes: Sequence[str], options: Options) -> Plan:
        """Read everything fresh and plan. Changes nothing and raises nothing: refusals are STOP findings."""
        raise NotImplementedError

    def begin(self, plan: Plan) -> Engine:
        """Open the journal and start `task`. Needs a running event loop.

        Raises ReadOnlyError (read-only), PlanStopped (the review says stop), RunUnderWay, CannotBegin (no journal).
        """
        raise NotImplementedError
