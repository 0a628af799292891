"""What a fresh reading says about the run: who is gone, who is back, who leads, what the budget shows."""

from __future__ import annotations

from zktui.core.disruption import budgets_of
from zktui.core.kube import Pod
from zktui.core.quorum import caught_up
from zktui.core.zookeeper import EVIDENCE_MAX_AGE, Ensemble, Mode
from zktui.maintenance.cordoning import watch_ahead
from zktui.maintenance.exposure import watch_quorum
from zktui.maintenance.facts import Facts
from zktui.maintenance.gates import lacks
from zktui.maintenance.model import RUN_ANNOTATION, JsonValue, NodeStep, PodRun, PodStep
from zktui.maintenance.state import LEFT, Good, Turn, gone_words, node_seen, pod_seen, vanished
from zktui.maintenance.strangers import watch_foreign
from zktui.maintenance.survey import POLL_TIMEOUT

LONGEST_GAP = 5.0
"""Seconds from one answer to the next after which "without a break" can't be said any more."""
UNSCHEDULED = 5.0
"""Seconds that a successor may stay unscheduled before it counts as one that waits."""
_EMPTYING = (NodeStep.CLAIM, NodeStep.CORDON, NodeStep.DRAIN)


def observe(turn: Turn) -> None:
    """Fold the newest facts into the run. Sends nothing."""
    _watch_members(turn)
    _note_leaders(turn)
    _note_budgets(turn)
    _watch_cordon(turn)
    watch_ahead(turn)
    watch_foreign(turn)
    node = turn.run.node
    for pod in node.pods if node is not None else ():
        _follow(turn, pod)
    watch_quorum(turn)


def dwell_of(turn: Turn, ensemble: Ensemble) -> float:
    chosen = turn.run.plan.options.dwell
    return chosen if chosen is not None else ensemble.dwell


def _watch_members(turn: Turn) -> None:
    """Since when each serves and has caught up, by its own word."""
    good: dict[str, Good] = {}
    for ensemble in turn.state.ensembles:
        for pod in turn.facts.members_pods(ensemble):
            seen = _seen_good(turn, ensemble, pod, turn.state.good.get(pod.uid))
            if seen is not None:
                good[pod.uid] = seen
    turn.set(good=good)


def _seen_good(turn: Turn, ensemble: Ensemble, pod: Pod, before: Good | None) -> Good | None:
    """None: it does not serve, or not without a break.

    Its readiness may say so later than itself, by a period of the probe; but once it did, it must not take that back.
    An answer that did not come in time says nothing; the one before it is evidence for as long as any is.
    """
    report, now = turn.facts.reports.get(pod.uid), turn.now
    if pod.terminating or report is None:
        return None
    if not report.mode.serving:
        unheard = report.mode in (Mode.SILENT, Mode.UNKNOWN) and report.took >= POLL_TIMEOUT
        return before if unheard and before is not None and now - before.last <= EVIDENCE_MAX_AGE else None
    if before is not None and report.at - before.last <= LONGEST_GAP and (pod.ready or not before.ready):
        # Once caught up, a serving member keeps up: it is thrown out by its leader when it can't.
        return Good(before.since, report.at, pod.ready)
    holds = report.fresh(now) and _holds_all(turn.facts, ensemble, pod)
    return Good(now, report.at, pod.ready) if holds else None


def _holds_all(facts: Facts, ensemble: Ensemble, pod: Pod) -> bool:
    report, leader = facts.reports[pod.uid], facts.leader(ensemble)
    if leader is None:
        return False
    if report.mode in (Mode.LEADER, Mode.STANDALONE):
        return leader.pod.uid == pod.uid
    return caught_up(report, leader, synced_read=pod.uid in facts.synced)


def behind(turn: Turn) -> frozenset[str]:
    """UIDs of successors that serve, but whose zxid proves nothing: a sync through them may."""
    facts = turn.facts
    found: set[str] = set()
    for node in turn.run.nodes:
        for pod in node.pods:
            ensemble = turn.state.ensemble(pod.ensemble)
            if pod.successor is None or ensemble is None or pod.successor.uid in turn.state.good:
                continue
            report = facts.reports.get(pod.successor.uid)
            if pod.step is PodStep.PLACED and report is not None and report.serving(turn.now):
                found.add(pod.successor.uid)
    return frozenset(found)


def _note_leaders(turn: Turn) -> None:
    leaders = dict(turn.state.leaders)
    for ensemble in turn.state.ensembles:
        leader = turn.facts.leader(ensemble)
        old = leaders.get(ensemble.key)
        if leader is None or (old is not None and old.uid == leader.pod.uid):
            continue
        leaders[ensemble.key] = leader.pod
        if old is not None:
            epoch = f" in epoch {leader.zxid.epoch}" if leader.zxid is not None else ""
            turn.say("note", f"{leader.pod.name} leads {ensemble.name} now{epoch}; before, {old.name} did", leader.pod)
    turn.set(leaders=leaders)


def _note_budgets(turn: Turn) -> None:
    figures = dict(turn.state.figures)
    for ensemble in turn.state.ensembles:
        listed = turn.facts.budgets_in(ensemble.namespace).value or ()
        covering = {b.uid: b for pod in turn.facts.members_pods(ensemble) for b in budgets_of(pod, listed)}
        for uid, budget in covering.items():
            now = (budget.allowed, budget.current, budget.desired, budget.expected)
            if figures.get(uid) != now:
                figures[uid] = now
                text = f"{budget.name} allows {budget.allowed}: {budget.current} healthy, {budget.desired} needed"
                data = dict(zip(("allowed", "current", "desired", "expected"), now, strict=True))
                turn.say("budget", f"{text}, {budget.expected} expected", data={**data, "budget": budget.name})
    turn.set(figures=figures)


def _watch_cordon(turn: Turn) -> None:
    """Once someone has undone our cordon, a later one is theirs, and not ours to undo; so with a node that is gone."""
    node = turn.run.node
    if node is None or not node.cordoned_by_us:
        return
    if vanished(turn):
        turn.say("note", f"{gone_words(turn)}: nothing to uncordon")
        turn.set_node(cordoned_by_us=False, note=gone_words(turn))
        return
    seen = node_seen(turn.facts, node.name)
    if seen is None or node.step in (NodeStep.CLAIM, NodeStep.CORDON):
        return
    if seen.uid == node.uid and not seen.unschedulable:
        # Ours takes the run's id off in the same request; kubectl uncordon leaves it there.
        ours = node.step is NodeStep.UNCORDON and turn.state.cordon_tries and RUN_ANNOTATION not in seen.annotations
        who = "as this run has asked: the answer was lost" if ours else "by someone else"
        turn.say("note", f"{node.name} was uncordoned {who}")
        turn.set_node(cordoned_by_us=False)


def _follow(turn: Turn, pod: PodRun) -> None:
    node = turn.node.name
    here = turn.facts.on_node.get(node)
    mine = turn.facts.pods.get(pod.ensemble) if pod.ensemble is not None else None
    # Both lists: a pod whose labels were changed leaves the ensemble's list and still runs on the node.
    known = here is not None and here.value is not None and (not pod.member or (mine is not None and bool(mine.value)))
    seen = pod_seen(turn.facts, pod.pod.uid, node)
    if pod.step in (PodStep.PENDING, PodStep.GATE, PodStep.EVICT, PodStep.LEAVING):
        if seen is None and known:
            by_us = pod.pod.uid in turn.state.evicted
            text = f"{pod.pod.name} is gone" if by_us else f"{pod.pod.name} is gone, though not by an eviction of ours"
            turn.say("gone", text, pod.pod)
            pod = turn.set_pod(pod.pod.uid, step=PodStep.GONE, gone_at=turn.now, gates=(), note="")
        elif seen is not None and seen.terminating and pod.step is not PodStep.LEAVING:
            turn.say("note", f"{pod.pod.name} is terminating: no eviction is needed", pod.pod)
            turn.set_pod(pod.pod.uid, step=PodStep.LEAVING, gates=(), note="terminating")
    if pod.member and pod.step in LEFT and pod.step is not PodStep.REJOINED:
        _follow_successor(turn, pod)


def _follow_successor(turn: Turn, pod: PodRun) -> None:
    """The pod that its StatefulSet made again under the same name, known by its owner and another UID."""
    ensemble = turn.state.ensemble(pod.ensemble)
    if ensemble is None or turn.facts.pods[ensemble.key].value is None:
        return
    found = [p for p in turn.facts.members_pods(ensemble) if p.name == pod.pod.name and p.uid != pod.pod.uid]
    if not found:
        note = "not made again yet"
        turn.set_pod(pod.pod.uid, step=PodStep.GONE, successor=None, successor_node="", note=note)
        return
    # While one terminates under this name there can be no other.
    successor = found[0]
    if not successor.node:
        _unscheduled(turn, pod, successor)
    elif successor.node == turn.node.name and turn.node.step in _EMPTYING and not vanished(turn):
        turn.say("note", f"{successor.name} was made again on {successor.node}: it is planned anew", successor.key)
        again = PodRun(successor.key, True, PodStep.PENDING, pod.ensemble, tries=pod.tries, note="made again here")
        pods = tuple(again if p.pod == pod.pod else p for p in turn.node.pods)
        turn.set_node(pods=pods)
        turn.enter(successor.uid)
    else:
        _placed(turn, pod, successor, ensemble)


def _unscheduled(turn: Turn, pod: PodRun, successor: Pod) -> None:
    planned = turn.state.planned(pod, turn.node.name)
    expected = planned is not None and planned.landing.waits
    step = pod.step if pod.step is PodStep.WAITS else PodStep.GONE
    if expected or (successor.reason == "Unschedulable" and turn.waited(pod.pod.uid) >= UNSCHEDULED):
        step = PodStep.WAITS
    note = f"Pending{': ' + successor.message if successor.message else ''}"
    if step is PodStep.WAITS and pod.step is not PodStep.WAITS:
        turn.say("note", f"{successor.name} has nowhere to land and waits for an uncordon", successor.key)
    turn.set_pod(pod.pod.uid, step=step, successor=successor.key, successor_node="", note=note)


def _placed(turn: Turn, pod: PodRun, successor: Pod, ensemble: Ensemble) -> None:
    if pod.successor_node != successor.node or pod.successor != successor.key or pod.step is not PodStep.PLACED:
        where: dict[str, JsonValue] = {"node": successor.node, "was": pod.pod.uid}
        turn.say("placed", f"{successor.name} is placed on {successor.node}", successor.key, where)
        pod = turn.set_pod(
            pod.pod.uid, step=PodStep.PLACED, successor=successor.key, successor_node=successor.node, note=""
        )
    good, report = turn.state.good.get(successor.uid), turn.facts.reports.get(successor.uid)
    dwell, now = dwell_of(turn, ensemble), turn.now
    heard = good is not None and good.ready and report is not None and report.serving(now)
    if good is None or (now - good.since >= dwell and not heard):
        note = lacks(turn.facts, ensemble, successor, turn.now)
        turn.set_pod(pod.pod.uid, note=note)
    elif now - good.since >= dwell:
        took = f" {turn.now - pod.gone_at:.0f} s after it was gone" if pod.gone_at is not None else ""
        text = f"{successor.name} is Ready, serves and has caught up{took}"
        turn.say("rejoined", text, successor.key, {"was": pod.pod.uid})
        turn.set_pod(pod.pod.uid, step=PodStep.REJOINED, rejoined_at=turn.now, note="")
    else:
        turn.set_pod(pod.pod.uid, note=f"serves for {turn.now - good.since:.0f} s of {dwell:.0f} s")
