"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Monotonic and wall time of this machine; see `ports.Clock`.

    `now` goes on while the machine is suspended. Linux' CLOCK_MONOTONIC, which is Python's, stands still then: what
    was read before a lid was closed, and a lease that others have taken since, would seem to be seconds old after it.
    """

    _now = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    """Elsewhere (macOS, the BSDs) CLOCK_MONOTONIC goes on, and it is `time.monotonic` that stands still."""

    def now(self) -> float:
        return time.clock_gettime(self._now)

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
