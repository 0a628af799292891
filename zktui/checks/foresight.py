"""What the maintenance engine would say, asked beside everything else: its own review, of all nodes and of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zktui.core.kube import Pod
from zktui.core.store import natural
from zktui.maintenance.model import Options, Plan

OPTIONS = Options(ignore_daemonsets=True)
"""As the tutorial drains, but without the two of its options that lose something."""
AT_ONCE = 2
"""Reviews at one time: each asks every member."""


class Reviewing(Protocol):
    async def review(self, nodes: Sequence[str], options: Options) -> Plan:
        """As `Desk.review`: reads everything fresh, changes nothing, raises nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Foresight:
    """Plans for the nodes that carry members, as they would be made now."""

    whole: Plan
    """Of all of them, one after another: the order, and where members land in it."""
    alone: Mapping[str, Plan]
    """By node, of that one alone: whether it could be drained now."""


async def foresee(desk: Reviewing, pods: Iterable[Pod]) -> Foresight | None:
    """None when no member is on a node. Raises nothing."""
    names = sorted({pod.node for pod in pods if pod.node and not pod.finished}, key=natural)
    if not names:
        return None
    room = asyncio.Semaphore(AT_ONCE)

    async def review(*nodes: str) -> Plan:
        async with room:
            return await desk.review(nodes, OPTIONS)

    whole, *alone = await asyncio.gather(review(*names), *(review(name) for name in names))
    return Foresight(whole, dict(zip(names, alone, strict=True)))
