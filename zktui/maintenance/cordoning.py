"""Cordoning nodes ahead of their turn, and whose a cordon is when nobody told."""

from __future__ import annotations

from zktui.core.kube import Node
from zktui.maintenance import claim
from zktui.maintenance.annotations import on_cordon, run_of
from zktui.maintenance.effects import CordonNode
from zktui.maintenance.model import NodeRun, NodeStep
from zktui.maintenance.state import Turn


def settle_doubt(turn: Turn, seen: Node) -> None:
    """A cordon of ours was not answered, and this node is cordoned: by us, if it carries this run's id."""
    if seen.name not in turn.state.doubt or not seen.unschedulable:
        return
    turn.set(doubt=turn.state.doubt - {seen.name})
    mine = run_of(seen) == turn.run.id
    turn.set_named(seen.name, cordoned_by_us=mine)
    turn.say("note", f"{seen.name} is cordoned, {'by this run' if mine else 'by someone else'}")


def still_ahead(turn: Turn) -> bool:
    """Cordon what the plan wants cordoned before this node. True while that is not settled.

    It is a preference that a drain does not rest on: a node that is gone, replaced or cordoned by others is left so.
    """
    for name in _wanted(turn):
        later = next((n for n in turn.run.nodes if n.name == name), None)
        if later is None or later.step is not NodeStep.PENDING or name in turn.state.ahead:
            continue
        if not turn.facts.nodes.fresh(turn.now):
            turn.tell(f"{name} is to be cordoned ahead: {turn.facts.nodes.why or 'the nodes were read too long ago'}")
            return True
        seen = next((n for n in turn.facts.nodes.value or () if n.name == name and n.uid == later.uid), None)
        if seen is None:
            _settled(turn, name, f"{name} is not there any more: nothing to cordon ahead")
        elif seen.unschedulable:
            settle_doubt(turn, seen)
            _settled(turn, name)
        else:
            _send(turn, seen)
            return True
    return False


def _wanted(turn: Turn) -> tuple[str, ...]:
    if not turn.run.plan.options.cordon_ahead:
        return ()
    return next((plan.ahead for plan in turn.run.plan.nodes if plan.name == turn.node.name), ())


def _settled(turn: Turn, name: str, text: str = "") -> None:
    turn.set(ahead=turn.state.ahead | {name})
    if text:
        turn.say("note", text)


def _send(turn: Turn, seen: Node) -> None:
    if turn.now < turn.state.cordon_at or not claim.ready(turn, "cordon", seen.name):
        return
    turn.tell(f"cordoning {seen.name} ahead")
    change = CordonNode(seen, True, on_cordon(seen, turn.run.id, keep=turn.run.plan.options.keep_node))
    turn.do(change, "cordon", f"cordon ahead {seen.name}, so that no member lands there to be moved again")


def watch_ahead(turn: Turn) -> None:
    """A node cordoned ahead that is open again has been uncordoned by someone else: it is theirs until its turn."""
    if not turn.facts.nodes.fresh(turn.now):
        return
    seen = {n.name: n for n in turn.facts.nodes.value or ()}
    for later in turn.run.nodes[turn.run.current + 1 :]:
        if later.cordoned_by_us and later.name in turn.state.ahead:
            _watch(turn, later, seen.get(later.name))


def _watch(turn: Turn, later: NodeRun, seen: Node | None) -> None:
    if seen is None or seen.uid != later.uid:
        turn.set_named(later.name, cordoned_by_us=False)
        turn.say("note", f"{later.name}, cordoned ahead, is gone: nothing to uncordon")
    elif not seen.unschedulable:
        turn.set_named(later.name, cordoned_by_us=False)
        turn.say("note", f"{later.name}, cordoned ahead, was uncordoned by someone else: it stays so until its turn")
