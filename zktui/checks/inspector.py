"""The one thing that front ends need of this package: look at an ensemble, and judge what was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Protocol

from zktui.checks.foresight import Reviewing, foresee
from zktui.checks.gather import Ports, gather
from zktui.checks.inventory import Known
from zktui.checks.model import Chapter, Report
from zktui.checks.rules import judge
from zktui.core.zookeeper import Ensemble


class Inspects(Protocol):
    async def inspect(self, ensemble: Ensemble, chapters: Collection[Chapter] = ()) -> Report:
        """Look now, at these chapters (at all when none is named). Never raises: what can't be told is UNKNOWN with its
        reason, and what was not done is named in `Report.skipped`.

        Nothing is changed, but where SANITY is among the named ones: its round writes a znode through each member and
        deletes it again.
        """
        ...


class Inspector:
    def __init__(self, ports: Ports, desk: Reviewing, *, read_only: bool = False) -> None:
        """`read_only`: no round is played, whatever is named."""
        self._ports = ports
        self._desk = desk
        self._read_only = read_only

    async def inspect(self, ensemble: Ensemble, chapters: Collection[Chapter] = ()) -> Report:
        writes = Chapter.SANITY in chapters and not self._read_only
        inventory = await gather(ensemble, self._ports, writes=writes)
        if not chapters or Chapter.MAINTENANCE in chapters:
            # After the rest: its evidence is judged by its own age, and members that are busy answer late.
            seen = await foresee(self._desk, inventory.pods)
            why = "" if seen is not None else "no member is known to be on a node"
            inventory = replace(inventory, foresight=Known(seen, why))
        # With thousands of nodes it takes tens of milliseconds, in which a screen would stand still.
        return await asyncio.to_thread(judge, inventory, chapters)
