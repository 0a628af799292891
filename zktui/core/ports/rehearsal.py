"""What can be broken in a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Breakage:
    """One thing that can be broken, or made whole again, in a rehearsal; `target` may be empty."""

    name: str
    target: str
    words: str


class Breaker(Protocol):
    """What can be broken in a rehearsal cluster. No other cluster has one."""

    async def choices(self) -> tuple[tuple[Breakage, ...], str]:
        """What there is to break now, and in words what is broken. Raises ZktuiError when it does not answer."""
        ...

    async def carry_out(self, choice: Breakage) -> str:
        """Break it, or mend it; returns what was done. Raises ZktuiError for a refusal."""
        ...
