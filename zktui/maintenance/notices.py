"""What a run writes on the objects that it touches, so that `kubectl describe` shows it to whoever looks there."""

from __future__ import annotations

from collections.abc import Iterator

from zktui.core.ports import Notice
from zktui.maintenance.model import NodeRun, NodeStep
from zktui.maintenance.state import State, node_seen

CORDONED = "ZktuiCordoned"
DRAINED = "ZktuiDrained"
UNCORDONED = "ZktuiUncordoned"
VERIFIED = "ZktuiVerified"
STOPPED = "ZktuiStopped"
"""A warning: the run has ended, and the node stays cordoned."""
EMPTY = (NodeStep.DRAINED, NodeStep.HOLD, NodeStep.LEFT_CORDONED)
"""Steps of a node that has been drained; a single step of the run may pass the first of them."""


def notices(before: State, after: State) -> tuple[Notice, ...]:
    """What has become known from one state of a run to the next."""
    old = {node.name: node for node in before.run.nodes}
    told = _Told(before, after)
    found = [notice for node in after.run.nodes for notice in told.of_node(old.get(node.name, node), node)]
    if after.run.status.ended and not before.run.status.ended:
        words = f"run {after.run.id} has ended ({after.run.status.value}) and leaves it cordoned"
        left = (n for n in after.run.nodes if n.cordoned_by_us and n.step is not NodeStep.LEFT_CORDONED)
        found += [_on_node(node, STOPPED, words, warning=True) for node in left]
    return tuple(found)


class _Told:
    def __init__(self, before: State, after: State) -> None:
        self._before = before
        self._after = after
        self._run = f"run {after.run.id}"

    def of_node(self, old: NodeRun, new: NodeRun) -> Iterator[Notice]:
        members = [pod for pod in new.pods if pod.member]
        names = ", ".join(pod.pod.name for pod in members)
        if _ours(self._after, new) and not _ours(self._before, old):
            yield _on_node(new, CORDONED, f"cordoned for maintenance by {self._after.holder}")
        if new.step in EMPTY and old.step not in EMPTY:
            yield _on_node(new, DRAINED, f"drained by {self._run}" + (f"; {names} had to leave" if names else ""))
            yield from _on_sets(new, DRAINED, f"{names} had to leave node {new.name}, by {self._run}")
        if _ours(self._before, old) and not new.cordoned_by_us and self._given_back(old, new):
            yield _on_node(new, UNCORDONED, f"uncordoned by {self._run}, which had cordoned it")
        if new.step is NodeStep.VERIFIED and old.step is not NodeStep.VERIFIED:
            where = ", ".join(f"{pod.pod.name} on {pod.successor_node}" for pod in members if pod.successor_node)
            serving = f"every member that had to leave serves again: {where}" if where else "no member had to leave"
            yield _on_node(new, VERIFIED, f"{serving} ({self._run})")
            yield from _on_sets(new, VERIFIED, f"Ready, serving and caught up: {where} ({self._run})")

    def _given_back(self, old: NodeRun, new: NodeRun) -> bool:
        """It was uncordoned by the run itself, and not by others; and it is there."""
        steps = (NodeStep.UNCORDON, NodeStep.REJOIN)
        seen = node_seen(self._after.facts, new.name) if self._after.facts is not None else None
        return (old.step in steps or new.step in steps) and seen is not None and seen.uid == new.uid


def _ours(state: State, node: NodeRun) -> bool:
    """Cordoned by this run, and that is known."""
    return node.cordoned_by_us and node.name not in state.doubt


def _on_node(node: NodeRun, reason: str, message: str, *, warning: bool = False) -> Notice:
    return Notice("v1", "Node", "", node.name, node.uid, reason, message, warning)


def _on_sets(node: NodeRun, reason: str, message: str) -> Iterator[Notice]:
    """On each StatefulSet that had a member there."""
    keys = dict.fromkeys(pod.ensemble for pod in node.pods if pod.member and pod.ensemble is not None)
    for key in keys:
        yield Notice("apps/v1", "StatefulSet", key.namespace, key.name, key.uid, reason, message)
