"""Time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time. `now` is monotonic seconds for ages and deadlines, `wall` seconds since the epoch for people."""

    def now(self) -> float: ...
    def wall(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
