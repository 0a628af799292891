"""Draining the node at work: others first, members last, each eviction sent once and its outcome found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from zktui.core.disruption import Allowance, budgets_of, judge_eviction
from zktui.core.kube import Pod
from zktui.core.ports import Evicted, Reply
from zktui.core.zookeeper import Mode, ServerRole
from zktui.maintenance import claim
from zktui.maintenance.effects import EvictPod
from zktui.maintenance.ending import fail
from zktui.maintenance.gates import Asked, Moved, judge
from zktui.maintenance.model import Gate, GateName, HoldKind, PodRun, PodStep, Standing
from zktui.maintenance.offers import out_of_service_offer
from zktui.maintenance.replies import Judged, Outcome, judge_reply
from zktui.maintenance.returning import node_gate
from zktui.maintenance.selection import overdue
from zktui.maintenance.state import OPEN_STEPS, Turn, node_seen, pod_seen

GRACE_MARGIN = 30.0
"""Seconds beyond its grace after which a terminating pod is overdue."""
ENDS = (PodStep.GONE, PodStep.PLACED, PodStep.REJOINED, PodStep.WAITS, PodStep.SKIPPED, PodStep.STAYS)


def work(turn: Turn) -> bool:
    """Do the next thing for the pods of this node. True when every pod that had to go is gone."""
    if not follow_sent(turn):
        return False
    others = [p for p in turn.node.pods if not p.member and p.step not in ENDS]
    if others:
        _next_other(turn, others)
        return False
    members = [p for p in turn.node.pods if p.member and p.step not in ENDS]
    if any(p.step in (PodStep.EVICT, PodStep.LEAVING) for p in members):
        return False
    if members:
        _next_member(turn, members)
        return False
    return True


def first_to_go(turn: Turn) -> PodRun | None:
    """Whom `work` would take first if nothing kept it from going."""
    others = [p for p in turn.node.pods if not p.member and p.step in OPEN_STEPS]
    return next(iter(others or in_order(turn, [p for p in turn.node.pods if p.member])), None)


def follow_sent(turn: Turn) -> bool:
    """Find out what became of evictions that were sent. Sends nothing. False when the run comes to its end by it."""
    for pod in turn.node.pods:
        if pod.step is PodStep.EVICT:
            _find_out(turn, pod)
        elif pod.step is PodStep.LEAVING:
            _watch_leaving(turn, pod)
        if turn.state.closing is not None:
            return False
    return True


def in_order(turn: Turn, members: list[PodRun]) -> list[PodRun]:
    """Who goes first: those that can land, then the leader last. A preference, made anew before each step."""

    def goes(pod: PodRun) -> tuple[bool, bool, bool, str]:
        report = turn.facts.reports.get(pod.pod.uid)
        planned = turn.state.planned(pod, turn.node.name)
        ensemble = turn.state.ensemble(pod.ensemble)
        members = turn.facts.members(ensemble) if ensemble is not None else ()
        server = next((m.server for m in members if m.pod.uid == pod.pod.uid), None)
        voter = server is None or server.role is ServerRole.PARTICIPANT
        waits = planned is not None and planned.landing.waits
        return (waits, report is not None and report.mode is Mode.LEADER, voter, pod.pod.name)

    return sorted((p for p in members if p.step in OPEN_STEPS), key=goes)


def judge_member(turn: Turn, pod: PodRun) -> tuple[Gate, ...]:
    """The gates before this member, with since when each is closed and what a typed word has opened."""
    ensemble = turn.state.ensemble(pod.ensemble)
    assert ensemble is not None, "members belong to the plan's ensembles"
    run, node = turn.run, turn.node
    moved: dict[tuple[str, str], Moved] = {}
    for other in (p for n in run.nodes for p in n.pods if p.member and p.ensemble is not None):
        if other.step in (PodStep.LEAVING, *ENDS[:4]) and other.pod.name != pod.pod.name and other.ensemble:
            successor = other.successor.uid if other.successor is not None else ""
            key = (other.ensemble.uid, other.pod.name)
            moved[key] = Moved(other.pod.name, other.ensemble.uid, other.step, successor)
    asked = Asked(
        ensemble,
        pod.pod,
        node.name,
        run.plan.options,
        turn.state.holder,
        turn.state.leases,
        turn.state.planned(pod, node.name),
        tuple(moved.values()),
        {uid: good.since for uid, good in turn.state.good.items()},
        turn.state.evicted,
        turn.state.refused.get(pod.pod.uid, ("", "")),
        stays_cordoned=run.plan.options.hold.kind is HoldKind.LEAVE and run.current == len(run.nodes) - 1,
    )
    since: Mapping[GateName, float | None] = {gate.name: gate.since for gate in pod.gates}
    return tuple(_carry(turn, pod, gate, since.get(gate.name)) for gate in judge(turn.facts, asked, turn.now))


def _carry(turn: Turn, pod: PodRun, gate: Gate, since: float | None) -> Gate:
    if gate.standing is Standing.OK:
        return gate
    typed = (pod.pod.uid, gate.name) in turn.state.overrides and not gate.final
    return replace(gate, since=since if since is not None else turn.now, overridden=typed)


def show_gates(turn: Turn, pod: PodRun) -> bool:
    """Judge a member's gates and put them into the run. True when all are open."""
    gates = judge_member(turn, pod)
    closed = [gate for gate in gates if not gate.open]
    note = closed[0].evidence if closed else ""
    before = {gate.name for gate in pod.gates if gate.standing is Standing.BLOCKED}
    for gate in closed:
        if gate.standing is Standing.BLOCKED and gate.name not in before:
            turn.say("gate", f"{pod.pod.name}: {gate.name} is blocked: {gate.evidence}", pod.pod)
    turn.set_pod(pod.pod.uid, step=PodStep.GATE, gates=gates, note=note)
    if closed:
        turn.tell(f"{pod.pod.name} waits for {closed[0].name}: {closed[0].evidence}")
        _give_up(turn, pod, f"{pod.pod.name} waited for {closed[0].name}")
    return not closed


def may_begin(turn: Turn) -> bool:
    """Whether some member of the node may go, so that the node may be cordoned; true for a node without members."""
    members = in_order(turn, [p for p in turn.node.pods if p.member])
    return not members or _choose(turn, members) is not None


def _choose(turn: Turn, ordered: list[PodRun]) -> PodRun | None:
    """The first whose gates are all open: a blocked follower does not keep another from going.

    If there is none, the first one's gates are shown, since it is the one to wait for.
    """
    able = [pod for pod in ordered if all(gate.open for gate in judge_member(turn, pod)) and _may_try(turn, pod)]
    shown = (able or ordered)[0]
    for other in ordered:
        if other.pod != shown.pod and other.step is PodStep.GATE:
            turn.set_pod(other.pod.uid, step=PodStep.PENDING, gates=(), note="")
    return shown if show_gates(turn, shown) and able else None


def _next_member(turn: Turn, members: list[PodRun]) -> None:
    ordered = in_order(turn, members)
    chosen = _choose(turn, ordered)
    if chosen is not None:
        if claim.ready(turn, "evict", chosen.pod.uid):
            _evict(turn, chosen)
    elif all(gate.open for pod in turn.node.pods if pod.pod == ordered[0].pod for gate in pod.gates):
        turn.tell(f"{ordered[0].pod.name} was refused and is tried again soon: {ordered[0].last_reply}")
        _give_up(turn, ordered[0], f"{ordered[0].pod.name} was refused")


def _budget_version(turn: Turn, pod: Pod) -> str:
    mine = budgets_of(pod, turn.facts.budgets_in(pod.namespace).value or ())
    return mine[0].resource_version if mine else ""


def _may_try(turn: Turn, pod: PodRun) -> bool:
    """After a refusal: once its wait is over, or at once when the budget has changed."""
    if pod.retry_at is None or turn.now >= pod.retry_at:
        return True
    seen = pod_seen(turn.facts, pod.pod.uid, turn.node.name)
    words, version = turn.state.refused.get(pod.pod.uid, ("", ""))
    return seen is not None and bool(words and version) and _budget_version(turn, seen) != version


def _next_other(turn: Turn, others: list[PodRun]) -> None:
    """One eviction at a time; a pod whose budget is closed does not keep the next from going."""
    for pod in others:
        if pod.step not in OPEN_STEPS or not _may_try(turn, pod):
            continue
        seen = pod_seen(turn.facts, pod.pod.uid, turn.node.name)
        if seen is None:
            continue
        gate = _other_gate(turn, seen)
        if gate is not None:
            turn.set_pod(pod.pod.uid, step=PodStep.GATE, gates=(gate,), note=gate.evidence)
            continue
        if claim.ready(turn, "evict", pod.pod.uid):
            _evict(turn, pod)
        return
    waiting = next((p for p in turn.node.pods if not p.member and p.step not in ENDS), others[0])
    turn.tell(f"{waiting.pod.name} has to go first: {waiting.note or waiting.last_reply or 'it is leaving'}")
    for pod in others:
        if pod.step in OPEN_STEPS:
            _give_up(turn, pod, f"{pod.pod.name} could not be evicted")


def _other_gate(turn: Turn, pod: Pod) -> Gate | None:
    """Its node's kubelet, and its budget as far as it could be read; where it could not, the server judges."""
    dead = node_gate(turn.facts, pod)
    if dead is not None:
        return replace(dead, since=turn.now)
    listed = turn.facts.budgets_in(pod.namespace)
    if not listed.fresh(turn.now):
        return None
    verdict = judge_eviction(pod, listed.value or ())
    if verdict.allowance is Allowance.YES:
        return None
    standing = Standing.BLOCKED if verdict.allowance is Allowance.REFUSED else Standing.WAITING
    return Gate(GateName.BUDGET, standing, verdict.why, listed.at, since=turn.now)


def _evict(turn: Turn, pod: PodRun) -> None:
    grace = turn.run.plan.options.grace_period
    turn.set(evicted=turn.state.evicted | {pod.pod.uid})
    turn.set_pod(pod.pod.uid, step=PodStep.EVICT, tries=pod.tries + 1, retry_at=None, note="eviction sent")
    turn.tell(f"evicting {pod.pod.name}")
    turn.do(EvictPod(pod.pod, grace), "evict", f"evict {pod.pod.name} (uid {pod.pod.uid[:8]})", pod.pod)


def on_reply(turn: Turn, change: EvictPod, reply: Reply[Evicted]) -> None:
    """The table of replies. Nothing is sent here: the next reading comes first."""
    pod = next((p for p in turn.node.pods if p.pod == change.pod), None)
    if pod is None:
        return
    judged = judge_reply(reply, pod.tries)
    turn.say("reply", f"evict {pod.pod.name}: {judged.words}", pod.pod, {"outcome": judged.outcome.value})
    match judged.outcome:
        case Outcome.GRANTED:
            turn.set_pod(
                pod.pod.uid,
                step=PodStep.LEAVING,
                gates=(),
                evicted_at=turn.now,
                last_reply=judged.words,
                note="terminating",
            )
        case Outcome.UNKNOWN | Outcome.GONE:
            note = "outcome unknown: reading before anything else"
            turn.set_pod(pod.pod.uid, last_reply=judged.words, retry_at=turn.now + judged.wait, note=note)
        case Outcome.FORBIDDEN:
            turn.set_pod(pod.pod.uid, step=PodStep.GATE, last_reply=judged.words)
            turn.set(evicted=turn.state.evicted - {pod.pod.uid})
            fail(turn, f"{pod.pod.name} was not evicted: {judged.words}")
        case _:
            _refused(turn, pod, judged)


def _refused(turn: Turn, pod: PodRun, judged: Judged) -> None:
    """Back to its gates, with the server's words, until the wait is over or the budget has changed."""
    seen = pod_seen(turn.facts, pod.pod.uid, turn.node.name)
    version = _budget_version(turn, seen) if seen is not None else ""
    if judged.outcome in (Outcome.THROTTLED, Outcome.NOT_SENT, Outcome.HELD):
        version = ""  # not the budget's word: its change does not end the wait
    turn.set(
        evicted=turn.state.evicted - {pod.pod.uid},
        refused={**turn.state.refused, pod.pod.uid: (judged.words, version)},
    )
    turn.set_pod(
        pod.pod.uid,
        step=PodStep.GATE,
        gates=(),
        last_reply=judged.words,
        retry_at=turn.now + judged.wait,
        note=judged.words,
    )


def _find_out(turn: Turn, pod: PodRun) -> None:
    """An eviction whose outcome nobody told, and the pod is still there, not terminating: was it carried out?

    It may still arrive, or be granted with the deletion yet to come: the server notes the pod's name in the budget's
    disruptedPods before it deletes, and forgets it after two minutes.
    """
    seen = pod_seen(turn.facts, pod.pod.uid, turn.node.name)
    if seen is None or (pod.retry_at is not None and turn.now < pod.retry_at):
        return
    listed = turn.facts.budgets_in(pod.pod.namespace)
    if not listed.fresh(turn.now):
        return
    granted = [b for b in budgets_of(seen, listed.value or ()) if seen.name in b.disrupted]
    if granted:
        turn.set_pod(pod.pod.uid, note=f"{granted[0].name} counts it as being disrupted: the deletion may still come")
        return
    # Its UID stays among those sent: a server that died with its work half done has marked the pod in our name.
    turn.say("note", f"{pod.pod.name} was not evicted after all: it is judged anew", pod.pod)
    turn.set_pod(pod.pod.uid, step=PodStep.GATE, gates=(), note="")


def _watch_leaving(turn: Turn, pod: PodRun) -> None:
    seen = pod_seen(turn.facts, pod.pod.uid, turn.node.name)
    grace = turn.run.plan.options.grace_period
    allowed = (grace if grace is not None else (seen.spec.grace if seen is not None else 30)) + GRACE_MARGIN
    waited = turn.waited(pod.pod.uid)
    turn.tell(f"{pod.pod.name} terminates")
    late = overdue(seen, turn.run.plan.options, turn.wall) if seen is not None and not pod.member else None
    if late is not None:
        turn.say("note", f"{pod.pod.name}: {late.text}", pod.pod)
        turn.set_pod(pod.pod.uid, step=PodStep.SKIPPED, gates=(), note=late.text)
        return
    if waited > allowed:
        node = node_seen(turn.facts, turn.node.name)
        dead = node is not None and node.ready is not True
        alive = f"{turn.node.name} is not Ready" if dead else "is its node alive?"
        why = f"{pod.pod.name} terminates for {waited:.0f} s, and had {allowed - GRACE_MARGIN:.0f} s: {alive}"
        since = next((gate.since for gate in pod.gates), None) or turn.now
        action = out_of_service_offer(turn.node.name) if dead else None
        unblock = action.text if action else f"kubectl describe pod {pod.pod.name}: zktui never deletes by force"
        gate = Gate(GateName.RETURN, Standing.BLOCKED, why, turn.facts.at, unblock=unblock, action=action, since=since)
        turn.set_pod(pod.pod.uid, gates=(gate,), note=why)
        turn.tell(why)
    _give_up(turn, pod, f"{pod.pod.name} did not leave")


def _give_up(turn: Turn, pod: PodRun, what: str) -> None:
    limit = turn.run.plan.options.timeout
    if limit > 0 and turn.waited(pod.pod.uid) > limit:
        fail(turn, f"{what} for longer than --timeout {limit:.0f} s")
