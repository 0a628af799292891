"""What is watched wakes a run that waits. It is never decided upon: it is a reason to read, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from zktui.core.view import View
from zktui.core.zookeeper import EnsembleKey


@dataclass(frozen=True, slots=True)
class Watched:
    """The store, as far as a run needs it."""

    changes: Callable[[], AbstractAsyncContextManager[asyncio.Event]]
    """An event that is set after each change of the view; whoever waits for it clears it."""
    view: Callable[[], View]


async def listen(watched: Watched, ensembles: Collection[EnsembleKey], stir: Callable[[], None]) -> None:
    """Call `stir` whenever something that a run waits for may have come true. Until cancelled."""
    seen = _gist(watched.view(), ensembles)
    async with watched.changes() as changed:
        while True:
            await changed.wait()
            changed.clear()
            now = _gist(watched.view(), ensembles)
            if now != seen:
                seen = now
                stir()


def _gist(view: View, ensembles: Collection[EnsembleKey]) -> Hashable:
    """Of the ensembles' pods where and how they are, what their members say they are, and what budgets allow."""
    mine = [each for each in view.ensembles if each.ensemble.key in ensembles]
    members = [
        (m.pod.uid, m.pod.node, m.pod.phase, m.pod.ready, m.pod.terminating, m.pod.reason, m.report.mode)
        for each in mine
        for m in each.members
    ]
    budgets = [(b.uid, b.allowed, b.current, b.desired, b.expected) for each in mine for b in each.budgets]
    return tuple(members), tuple(budgets)
