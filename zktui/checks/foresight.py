"""What the maintenance engine would say, asked beside everything else: its own review, of all nodes and of each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from zktui.core.kube import Pod
from zktui.core.store import natural
from zktui.maintenance.model import GateName, Options, Plan, Standing

OPTIONS = Options(ignore_daemonsets=True)
"""As the tutorial drains, but without the two of its options that lose something."""
AT_ONCE = 2
"""Reviews at one time: each asks every member."""


TRIES = 3


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
    """None when no member is on a node. Raises nothing.

    One answer that comes late makes a member silent, and a review is asked for again: what is said is what stays so.
    """
    names = sorted({pod.node for pod in pods if pod.node and not pod.finished}, key=natural)
    if not names:
        return None
    room = asyncio.Semaphore(AT_ONCE)

    async def review(*nodes: str) -> Plan:
        async with room:
            return await desk.review(nodes, OPTIONS)

    seen: Foresight | None = None
    for _ in range(TRIES):
        whole, *alone = await asyncio.gather(review(*names), *(review(name) for name in names))
        seen = Foresight(whole, dict(zip(names, alone, strict=True)))
        if not any(_may_pass(plan) for plan in (whole, *alone)):
            break
    return seen


def _may_pass(plan: Plan) -> bool:
    """It rests on who answered just now."""
    if any(finding.code in ("no-quorum", "quorum-unknown", "degraded") for finding in plan.findings):
        return True
    gates = (gate for node in plan.nodes for member in node.members for gate in member.gates)
    return any(gate.standing is Standing.WAITING and gate.name is not GateName.ALONE for gate in gates)
