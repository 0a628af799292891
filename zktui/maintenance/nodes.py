"""What each step of the node at work waits for, and does. Called with fresh facts and nothing under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from zktui.core.kube import Node
from zktui.core.ports import Answer, Refused, Reply, Unanswered
from zktui.core.zookeeper import Mode
from zktui.maintenance import claim, cordoning, pods
from zktui.maintenance.annotations import Annotations, on_cordon, on_uncordon, run_of
from zktui.maintenance.effects import AnnotateNode, CordonNode
from zktui.maintenance.ending import fail
from zktui.maintenance.listing import Listing, list_pods
from zktui.maintenance.model import (
    RUN_ANNOTATION,
    Gate,
    GateName,
    HoldKind,
    NodeStep,
    PodRun,
    PodStep,
    RunStatus,
    Standing,
)
from zktui.maintenance.offers import discard_offer
from zktui.maintenance.replies import perhaps_done
from zktui.maintenance.state import OPEN_STEPS, Turn, gone_words, node_seen, pod_seen, vanished

CORDON_TRIES = 5
AWAY = (PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)


def work(turn: Turn, *, claimed: bool) -> None:
    """One step of the node at work. `claimed`: every lease is ours; without it only what needs none is done."""
    step = turn.node.step
    if step in (NodeStep.PENDING, NodeStep.CLAIM):
        _claim(turn, claimed=claimed)
    elif claimed or step in (NodeStep.HOLD, NodeStep.REJOIN, NodeStep.DRAINED):
        _STEPS[step](turn)


def _nothing_to_drain(turn: Turn) -> None:
    """The members that went down with the node are awaited all the same: the next node's gates rest on them."""
    turn.set_node(cordoned_by_us=False)
    turn.say("note", f"{gone_words(turn)}: nothing to drain")
    if any(p.member and p.step in AWAY for p in turn.node.pods):
        turn.step_node(NodeStep.REJOIN, gone_words(turn))
    else:
        turn.step_node(NodeStep.SKIPPED, gone_words(turn))
        next_node(turn)


def _claim(turn: Turn, *, claimed: bool) -> None:
    """Nothing has been changed yet: sort the pods, hold the leases, and pass the first gate."""
    if _leader_last(turn):
        return  # another node is next, of which nothing was read
    if turn.node.step is NodeStep.PENDING:
        turn.set(listed=False, cordon_tries=0, cordon_at=turn.now)
        turn.step_node(NodeStep.CLAIM)
        turn.say("claim", f"{turn.node.name} is next")
    if not _prepared(turn):
        return
    node = turn.node
    if not pods.may_begin(turn):
        return
    seen = node_seen(turn.facts, node.name)
    if not claimed or seen is None or cordoning.still_ahead(turn):
        return
    if seen.unschedulable:
        _cordoned_already(turn, seen)
    elif turn.now >= turn.state.cordon_at and claim.ready(turn, "cordon", node.name):
        turn.step_node(NodeStep.CORDON)
        turn.tell(f"cordoning {node.name}")
        put = on_cordon(seen, turn.run.id, keep=turn.run.plan.options.keep_node)
        turn.do(CordonNode(seen, True, put), "cordon", f"cordon {node.name}")


def _cordoned_already(turn: Turn, seen: Node) -> None:
    cordoning.settle_doubt(turn, seen)
    if not turn.node.cordoned_by_us:
        whose = run_of(seen)
        by = f"run {whose}" if whose else "someone else"
        turn.say("note", f"{seen.name} is cordoned already, by {by}: it stays so when we are done")
    _enter_drain(turn)


def _prepared(turn: Turn) -> bool:
    """The node is there and Ready, and its pods are sorted. False while that is not known or not so."""
    node = turn.node
    read = turn.facts.node.get(node.name)
    if read is None or turn.state.scope is None or not turn.state.scope.select:
        return False
    if vanished(turn):
        _nothing_to_drain(turn)
        return False
    if read.value is None or not read.fresh(turn.now):
        turn.tell(f"{node.name}: {read.why or 'read too long ago'}")
        return False
    if read.value.ready is not True:
        fail(turn, f"{node.name} is not Ready: its kubelet can't end pods, so an eviction would never complete")
        return False
    return _listed(turn)


def announce(turn: Turn) -> None:
    """The node was just cordoned: let the Lease say who is to go first, so that one reading decides on it."""
    node = turn.run.node
    if node is not None and node.step is NodeStep.DRAIN and turn.state.busy is None:
        first = pods.first_to_go(turn)
        if first is not None:
            claim.ready(turn, "evict", first.pod.uid)


def _listed(turn: Turn) -> bool:
    found = list_pods(turn.state, turn.facts, turn.node)
    if found.problem:
        if found.final:
            fail(turn, found.problem)
        elif found.refused and turn.run.status is RunStatus.RUNNING:
            pause(turn, found.problem)
        else:
            turn.tell(found.problem)
        return False
    _announce(turn, found)
    turn.set_node(pods=found.pods)
    return True


def _announce(turn: Turn, found: Listing) -> None:
    for text in found.news:
        turn.say("note", text)


def _leader_last(turn: Turn) -> bool:
    """Of the nodes still to come those without a leader go first. True when another one than before is next.

    The leader may have moved since the review, or since this node's turn came, or was not heard then. A node from which
    something has gone already keeps its turn.
    """
    run, facts, node = turn.run, turn.facts, turn.node
    if any(pod.step not in (*OPEN_STEPS, PodStep.STAYS, PodStep.SKIPPED) for pod in node.pods):
        return False
    leaders = {p.node for e in turn.state.ensembles for p in facts.members_pods(e) if _leads(turn, p.uid)}
    # Those that were planned first because they are empty stay first: sorting is stable.
    rest = sorted(run.nodes[run.current :], key=lambda each: each.name in leaders)
    if rest == list(run.nodes[run.current :]):
        return False
    another = rest[0].name != node.name
    if another:
        rest = [replace(each, step=NodeStep.PENDING, pods=()) if each.name == node.name else each for each in rest]
    turn.set_run(nodes=(*run.nodes[: run.current], *rest))
    if not another:
        return False
    turn.say("note", f"{rest[0].name} goes before {node.name}, where the leader is now")
    return True


def _leads(turn: Turn, uid: str) -> bool:
    report = turn.facts.reports.get(uid)
    return report is not None and report.mode is Mode.LEADER and report.fresh(turn.now)


def _cordon(turn: Turn) -> None:
    """The answer to our cordon was lost or late: what does the node itself say?"""
    read = turn.facts.node.get(turn.node.name)
    if vanished(turn):
        _nothing_to_drain(turn)
    elif read is not None and read.value is not None:
        if read.value.unschedulable:
            _cordoned_already(turn, read.value)
        else:
            turn.step_node(NodeStep.CLAIM)


def on_cordoned(turn: Turn, change: CordonNode, reply: Reply[Node]) -> None:
    """Both ways. A refusal that reading again can't mend ends the run."""
    node, verb = change.node.name, "cordon" if change.unschedulable else "uncordon"
    ours = turn.run.node is not None and turn.node.name == node
    ahead = change.unschedulable and not ours
    match reply:
        case Answer():
            turn.say("reply", f"{verb} {node}: done")
            turn.set(doubt=turn.state.doubt - {node}, foreign=turn.state.foreign - {node})
            if ahead:
                turn.set(ahead=turn.state.ahead | {node}, cordon_tries=0)
                turn.set_named(node, cordoned_by_us=True)
            elif not ours:
                turn.set(uncordon_also="")
                turn.set_named(node, cordoned_by_us=False)
            elif change.unschedulable:
                turn.set_node(cordoned_by_us=True)
                _enter_drain(turn)
            else:
                turn.set_node(cordoned_by_us=False)
                _after_uncordon(turn)
            return
        case Unanswered(why=why):
            turn.say("reply", f"{verb} {node}: no answer ({why}); reading what came of it")
        case Refused(code=code, message=message):
            turn.say("reply", f"{verb} {node}: {code}, {message}")
            if code not in (404, 409, 429) and code < 500:
                fail(turn, f"{node} could not be {verb}ed: {message}")
                return
    unknown = perhaps_done(reply)
    if unknown and change.unschedulable:
        # Named as ours until we know better: nothing may stay cordoned unnamed.
        turn.set_named(node, cordoned_by_us=True)
        turn.set(doubt=turn.state.doubt | {node})
    tries = turn.state.cordon_tries + 1
    turn.set(cordon_tries=tries, cordon_at=turn.now + 0.5 * 2.0**tries)
    if not ours and not ahead:
        turn.set(uncordon_also="")
    if tries >= CORDON_TRIES:
        fail(turn, f"{node} could not be {verb}ed in {tries} tries")
    elif ours and change.unschedulable and not unknown:
        turn.step_node(NodeStep.CLAIM)


def on_annotated(turn: Turn, change: AnnotateNode, reply: Reply[Node]) -> None:
    """Our annotations were asked to go from a node that is not ours to uncordon: tried once, and told."""
    node = change.node.name
    match reply:
        case Answer():
            words = "done"
        case Refused(code=code, message=message):
            words = f"{code}, {message}"
        case Unanswered(why=why):
            words = f"no answer ({why})"
    turn.say("reply", f"annotations of {node}: {words}")
    if turn.run.node is not None and turn.node.name == node:
        turn.set_node(cordoned_by_us=False)
        _after_uncordon(turn)


def _enter_drain(turn: Turn) -> None:
    """The gates that let the cordon pass are judged anew when the first member's turn comes."""
    for pod in turn.node.pods:
        if pod.step is PodStep.GATE:
            turn.set_pod(pod.pod.uid, step=PodStep.PENDING, gates=(), note="")
    turn.step_node(NodeStep.DRAIN)
    turn.set(listed=False)


def _drain(turn: Turn) -> None:
    node = turn.node
    if vanished(turn):
        _let_be(turn)
    read = turn.facts.node.get(node.name)
    if read is None or not read.fresh(turn.now):
        # Its cordon may be gone: what is evicted could come back to it.
        turn.tell(f"{node.name}: {read.why if read is not None and read.why else 'read too long ago'}")
        return
    seen = node_seen(turn.facts, node.name)
    if seen is not None and not seen.unschedulable and seen.uid == node.uid:
        turn.step_node(NodeStep.CLAIM)
        pause(turn, f"someone uncordoned {node.name} while it was drained: resume to cordon it again")
        return
    if not turn.state.listed and not vanished(turn):
        if turn.state.scope is None or not turn.state.scope.select or not _listed(turn):
            return
        turn.set(listed=True)
    if pods.work(turn):
        turn.step_node(NodeStep.DRAINED)
        turn.say("drained", f"{node.name} is drained")
        _drained(turn)


def _let_be(turn: Turn) -> None:
    """What still runs under the name of a node that vanished is not ours to evict."""
    for pod in turn.node.pods:
        if pod.step in OPEN_STEPS:
            turn.say("note", f"{pod.pod.name} is left alone: {gone_words(turn)}", pod.pod)
            turn.set_pod(pod.pod.uid, step=PodStep.SKIPPED, gates=(), note=gone_words(turn))


def _drained(turn: Turn) -> None:
    """Members that landed elsewhere are verified before Hold; those that wait for the uncordon are not waited for."""
    away = [p for p in turn.node.pods if p.member and p.step in (PodStep.GONE, PodStep.PLACED)]
    if away:
        _wait_for(turn, away)
        return
    last = turn.run.current == len(turn.run.nodes) - 1
    if last and turn.run.plan.options.hold.kind is HoldKind.LEAVE:
        turn.step_node(NodeStep.LEFT_CORDONED)
        turn.say("drained", f"{turn.node.name} stays cordoned, as asked")
        next_node(turn)
        return
    turn.step_node(NodeStep.HOLD, exposure(turn))
    turn.say("hold", turn.node.note if vanished(turn) else f"{turn.node.name} is yours: {turn.node.note}")
    _hold(turn)


def exposure(turn: Turn) -> str:
    """What an operator in Hold should know."""
    waits = [p.pod.name for p in turn.node.pods if p.step is PodStep.WAITS]
    if vanished(turn):
        also = f"; {', '.join(waits)} waits for another node" if waits else ""
        return f"{gone_words(turn)}: nothing is there to hold{also}"
    words = "cordoned and empty, it is a candidate for removal by an autoscaler"
    if turn.run.plan.options.keep_node and turn.node.cordoned_by_us:
        words = "autoscalers are asked to spare it while it is cordoned"
    return f"{', '.join(waits)} waits for its uncordon; {words}" if waits else words


def _hold(turn: Turn) -> None:
    hold = turn.run.plan.options.hold
    node = turn.node
    held = turn.now - (node.since if node.since is not None else turn.now)
    if hold.kind is HoldKind.SECONDS and held >= hold.seconds:
        turn.step_node(NodeStep.UNCORDON)
        _uncordon(turn)
        return
    left = f", {hold.seconds - held:.0f} s more" if hold.kind is HoldKind.SECONDS else " until you uncordon it"
    turn.tell(f"{node.name} is held{left}: {exposure(turn)}")


def _uncordon(turn: Turn) -> None:
    """Only what we cordoned, and only that very node."""
    node = turn.node
    read = turn.facts.node.get(node.name)
    if vanished(turn):
        turn.set_node(cordoned_by_us=False)
        turn.say("uncordon", f"{gone_words(turn)}: nothing to uncordon")
        _after_uncordon(turn)
    elif read is None or read.value is None or not read.fresh(turn.now):
        turn.tell(f"{node.name}: {read.why if read is not None else 'not read'}")
    elif not node.cordoned_by_us or not read.value.unschedulable:
        _nothing_to_undo(turn, read.value)
    elif turn.now >= turn.state.cordon_at and claim.ready(turn, "uncordon", node.name):
        turn.tell(f"uncordoning {node.name}")
        change = CordonNode(read.value, False, on_uncordon(read.value))
        turn.do(change, "uncordon", f"uncordon {node.name}")


def _nothing_to_undo(turn: Turn, seen: Node) -> None:
    """But our annotations, which kubectl uncordon leaves there; the cordon stays as others have made it."""
    mine = seen.annotations.get(RUN_ANNOTATION) == turn.run.id
    off: Annotations = on_uncordon(seen) if mine else {}
    if not off:
        turn.set_node(cordoned_by_us=False)
        words = "nothing to undo, its cordon is someone else's" if seen.unschedulable else "it is open already"
        turn.say("uncordon", f"{seen.name}: {words}")
        _after_uncordon(turn)
    elif turn.now >= turn.state.cordon_at and claim.ready(turn, "uncordon", seen.name):
        text = f"{seen.name} was uncordoned by someone else: take our annotations off"
        turn.do(AnnotateNode(seen, off), "note", text)


def _after_uncordon(turn: Turn) -> None:
    turn.set(cordon_tries=0, cordon_at=turn.now)
    turn.step_node(NodeStep.REJOIN)
    if not _away(turn):
        _rejoin(turn)  # whoever had to come back was seen to before


def _away(turn: Turn) -> list[PodRun]:
    return [p for p in turn.node.pods if p.member and p.step in AWAY]


def _rejoin(turn: Turn) -> None:
    away = _away(turn)
    if away:
        _wait_for(turn, away)
        return
    if turn.state.skipping == turn.node.name:
        turn.say("note", f"{turn.node.name} was skipped, and every member that had to go serves again")
        turn.step_node(NodeStep.SKIPPED, "skipped by the operator")
        next_node(turn)
        return
    turn.step_node(NodeStep.VERIFIED)
    turn.say("verified", f"{turn.node.name} is done: every member that was there serves again")
    next_node(turn)


def _wait_for(turn: Turn, away: list[PodRun]) -> None:
    pod = away[0]
    where = f" on {pod.successor_node}" if pod.successor_node else ""
    turn.tell(f"{pod.pod.name}{where}: {pod.note or 'coming back'}")
    _offer_to_discard(turn, pod)
    limit = turn.run.plan.options.timeout
    if limit > 0 and turn.waited(pod.pod.uid) > limit:
        fail(turn, f"{pod.pod.name} did not come back for longer than --timeout {limit:.0f} s")


def _offer_to_discard(turn: Turn, pod: PodRun) -> None:
    """It waits, and the node that its volume is tied to is gone for good: only its data can be given up."""
    seen = pod_seen(turn.facts, pod.successor.uid, turn.node.name) if pod.successor is not None else None
    action = discard_offer(seen, turn.facts) if seen is not None else None
    gates: tuple[Gate, ...] = ()
    if action is not None:
        since = next((gate.since for gate in pod.gates), None) or turn.now
        why = f"{pod.pod.name} waits for a volume that is tied to a node that does not exist any more"
        at = turn.facts.volumes.at
        gates = (Gate(GateName.LANDING, Standing.BLOCKED, why, at, unblock=action.text, action=action, since=since),)
    if gates != pod.gates:
        turn.set_pod(pod.pod.uid, gates=gates)


def next_node(turn: Turn) -> None:
    turn.set_run(current=turn.run.current + 1)
    turn.set(listed=False)


def pause(turn: Turn, why: str) -> None:
    """The run pauses by itself and says why; only the operator resumes it."""
    turn.say("pause", why)
    turn.set_run(status=RunStatus.PAUSED, message=f"Paused: {why}")


_STEPS: dict[NodeStep, Callable[[Turn], None]] = {
    NodeStep.CORDON: _cordon,
    NodeStep.DRAIN: _drain,
    NodeStep.DRAINED: _drained,
    NodeStep.HOLD: _hold,
    NodeStep.UNCORDON: _uncordon,
    NodeStep.REJOIN: _rejoin,
}
