"""Leaving a node as it is now, by the operator's word: nothing more is evicted, and what we cordoned is given back."""

from __future__ import annotations

from zktui.maintenance import pods
from zktui.maintenance.model import NodeRun, NodeStep, PodStep, RunStatus
from zktui.maintenance.state import OPEN_STEPS, Turn

BEFORE_CORDON = (NodeStep.PENDING, NodeStep.CLAIM)
GIVING_BACK = (NodeStep.UNCORDON, NodeStep.REJOIN)


def skip(turn: Turn) -> None:
    """The operator skips the node at work."""
    node = turn.run.node
    if node is None:
        turn.set_run(message="No node is left to skip")
    elif node.step in GIVING_BACK:
        turn.set_run(message=f"{node.name} is being given back already")
    elif turn.state.skipping != node.name:
        turn.say("skip", f"the operator skips {node.name}: {_what_follows(node)}")
        turn.set(skipping=node.name)
        pausing = turn.run.status is RunStatus.PAUSED or turn.run.pausing
        when = " once the run is resumed" if pausing else ""
        turn.set_run(message=f"Skipping {node.name}{when}: {_what_follows(node)}")


def _what_follows(node: NodeRun) -> str:
    if node.step in BEFORE_CORDON and not node.cordoned_by_us:
        return "it stays as it is"
    return "nothing more is evicted, and it is uncordoned"


def pass_over(turn: Turn) -> bool:
    """Turn a skipped node towards its end. True when that is all there is to do with what was just read."""
    node = turn.run.node
    if node is None or node.name != turn.state.skipping:
        if turn.state.skipping:
            turn.set(skipping="")
        return False
    if node.step in BEFORE_CORDON and not node.cordoned_by_us:
        turn.step_node(NodeStep.SKIPPED, "skipped by the operator")
        turn.set_run(current=turn.run.current + 1)
        turn.set(listed=False, skipping="")
        return True
    if node.step is NodeStep.DRAIN and _still_unknown(turn):
        return True
    # A cordon whose outcome is not known yet is found out as ever: then it is the next reading's turn.
    if node.step not in (NodeStep.CORDON, *GIVING_BACK):
        turn.step_node(NodeStep.UNCORDON)
    return False


def _still_unknown(turn: Turn) -> bool:
    """Nobody else is evicted; whether one eviction was carried out may still have to be found out."""
    pods.follow_sent(turn)
    for pod in turn.node.pods:
        if pod.step in OPEN_STEPS:
            turn.set_pod(pod.pod.uid, step=PodStep.SKIPPED, gates=(), note="its node was skipped")
    return turn.state.closing is not None or any(pod.step is PodStep.EVICT for pod in turn.node.pods)
