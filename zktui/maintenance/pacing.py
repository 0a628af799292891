"""When to read next, where nothing was entered that needs a reading at once."""

from __future__ import annotations

from collections.abc import Iterator

from zktui.maintenance.model import HoldKind, NodeStep, PodRun, PodStep, RunStatus
from zktui.maintenance.observe import dwell_of
from zktui.maintenance.state import BRISK, BRISK_FOR, IDLE, LIVE, Turn

SOONEST = 0.05
"""Seconds: what was due by now is read for after this much."""
_ON_ITS_WAY = (PodStep.LEAVING, PodStep.GONE, PodStep.PLACED)


def pace(turn: Turn) -> float:
    """Seconds until the next reading: often while a member is away, and when a wait is over that is only time."""
    if turn.run.status is RunStatus.PAUSED:
        return IDLE
    return max(SOONEST, min(_dues(turn)))


def _dues(turn: Turn) -> Iterator[float]:
    node = turn.run.node
    if node is not None and node.step is NodeStep.HOLD:
        yield IDLE
        hold = turn.run.plan.options.hold
        if hold.kind is HoldKind.SECONDS and node.since is not None:
            yield node.since + hold.seconds - turn.now
        return
    yield LIVE
    for pod in node.pods if node is not None else ():
        if pod.member:
            yield from _due(turn, pod)
    for gate in turn.run.gates:
        if gate.progress is not None and not gate.open:
            done, whole = gate.progress
            yield whole - done


def _due(turn: Turn, pod: PodRun) -> Iterator[float]:
    """Of a member of the node at work."""
    good = turn.state.good.get(pod.successor.uid) if pod.successor is not None else None
    ensemble = turn.state.ensemble(pod.ensemble)
    waits = pod.step is PodStep.WAITS and turn.node.step is NodeStep.REJOIN
    if pod.step not in _ON_ITS_WAY and not waits:
        return
    if good is not None and ensemble is not None:
        left = good.since + dwell_of(turn, ensemble) - turn.now
        yield left if left > 0 else BRISK
    elif turn.waited(pod.pod.uid) < BRISK_FOR:
        yield BRISK
