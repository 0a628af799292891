"""The one thing that front ends need of this package: look at an ensemble, and judge what was seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from zktui.checks.gather import Ports, gather
from zktui.checks.model import Chapter, Report
from zktui.checks.rules import judge
from zktui.core.zookeeper import Ensemble


class Inspects(Protocol):
    async def inspect(self, ensemble: Ensemble, chapters: Collection[Chapter] = ()) -> Report:
        """Look now. Never raises: what can't be told is UNKNOWN with its reason."""
        ...


class Inspector:
    """Gathers and judges. Changes nothing, save for what a chapter says of itself (sanity writes and cleans up)."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def inspect(self, ensemble: Ensemble, chapters: Collection[Chapter] = ()) -> Report:
        return judge(await gather(ensemble, self._ports), chapters)
