"""The real clock."""

from __future__ import annotations

import asyncio
import time


class SystemClock:
    """Monotonic and wall time of this machine; see `ports.Clock`."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
