"""When to paint: at once for the first change, then at most about ten times a second, and never per event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from zktui.core.store import Store
from zktui.core.view import View

EVERY = 0.1
"""Seconds between two paints while changes keep coming."""
REJUDGE = 1.0
"""Seconds after which the same facts are judged again: evidence grows old by itself."""


class Painter:
    """Hands the store's newest view to its watchers; what came in between is never seen.

    A change after a quiet time is painted at once; those that follow within `EVERY` are painted together.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watchers: list[Callable[[View], None]] = []
        self._painted = asyncio.Event()
        self.view = store.view()
        """What was painted last."""
        self.revision = -1
        """The store's revision that was painted last; -1 before the first paint."""

    def watch(self, paint: Callable[[View], None]) -> Callable[[], None]:
        """Call `paint` with each view, beginning with the one that stands now. Returns the way to stop it."""
        self._watchers.append(paint)
        paint(self.view)

        def leave() -> None:
            self._watchers.remove(paint)

        return leave

    async def run(self) -> None:
        """Paint until cancelled. An error of a watcher ends it, so that it is seen."""
        async with self._store.changes() as changed:
            self.paint(self._store.view())
            while True:
                try:
                    async with asyncio.timeout(REJUDGE):
                        await changed.wait()
                except TimeoutError:
                    self.paint(self._store.refreshed())
                    continue
                changed.clear()
                self.paint(self._store.view())
                await asyncio.sleep(EVERY)

    def paint(self, view: View) -> None:
        self.view = view
        for watcher in tuple(self._watchers):
            watcher(view)
        self.revision = view.revision
        self._painted.set()
        self._painted = asyncio.Event()

    async def reached(self, revision: int) -> None:
        """Return once that revision, or a later one, has been painted."""
        while self.revision < revision:
            await self._painted.wait()
