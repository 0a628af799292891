"""The pods of a node as the run is to move them, sorted anew when it comes to the node and again after the cordon.

Like kubectl drain, which lists after it has cordoned: a pod may have come since the review, an evicted one from another
node for instance. What the review did not name is told before it goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import NodeRun, PodRun, PodStep, PodVerdict, Verdict
from zktui.maintenance.selection import select
from zktui.maintenance.state import State
from zktui.maintenance.survey import ensembles_in


@dataclass(frozen=True, slots=True)
class Listing:
    pods: tuple[PodRun, ...] = ()
    """Others first, members last."""
    news: tuple[str, ...] = ()
    problem: str = ""
    """Why there is no list; `refused`: a person has to act; `final`: only a new review helps."""
    refused: bool = False
    final: bool = False


def list_pods(state: State, facts: Facts, node: NodeRun) -> Listing:
    """The node's pods with what the run has already done to them kept."""
    listed = facts.on_node.get(node.name)
    if listed is None or listed.value is None:
        return Listing(problem=f"pods on {node.name} are not known: {listed.why if listed else 'not read'}")
    selected = select(facts, node.name, state.ensembles, state.run.plan.options)
    strangers = {e.key for e in ensembles_in(facts)} - {e.key for e in state.ensembles}
    for pod, verdict in selected.others:
        if pod.owner is not None and any(key.uid == pod.owner.uid for key in strangers):
            why = f"{pod.name} on {node.name} is a member of an ensemble that the review did not know: review again"
            return Listing(problem=why, final=True)
        unknown = pod.owner is not None and pod.owner.kind == "StatefulSet" and verdict.verdict is Verdict.EVICT
        sets = facts.statefulsets.get(pod.namespace)
        if unknown and (sets is None or sets.value is None):
            why = sets.why if sets is not None else "not read"
            return Listing(problem=f"whether {pod.name} belongs to an ensemble is not known: {why}")
    refused = [v for _, v in selected.others if v.verdict is Verdict.REFUSE]
    refused += [v for _, _, v in selected.members if v.verdict is Verdict.REFUSE]
    if refused:
        why = refused[0].findings[0] if refused[0].findings else None
        text = f"{refused[0].pod.name} on {node.name} can't be evicted: {why.text if why else 'refused'}"
        # What could not be read this time may be the next: only what a person can change is for a person.
        unread = why is not None and why.code == "daemonset-unknown"
        return Listing(problem=text, refused=not unread or any(owner.denied for owner in facts.owners.values()))
    old = {pod.pod.uid: pod for pod in node.pods}
    others = [_other(old, verdict) for _, verdict in sorted(selected.others, key=lambda item: item[0].key)]
    members = [_member(old, e.key, verdict) for e, _, verdict in selected.members]
    now = {pod.pod.uid for pod in (*others, *members)}
    left = [pod for pod in node.pods if pod.pod.uid not in now]  # gone meanwhile: what became of it is still followed
    pods = (*(p for p in left if not p.member), *others, *(p for p in left if p.member), *members)
    return Listing(tuple(pods), _news(state, node, (*others, *members), old))


def _other(old: dict[str, PodRun], verdict: PodVerdict) -> PodRun:
    return old.get(verdict.pod.uid) or _fresh(PodRun(verdict.pod, member=False), verdict)


def _member(old: dict[str, PodRun], ensemble: EnsembleKey, verdict: PodVerdict) -> PodRun:
    return old.get(verdict.pod.uid) or _fresh(PodRun(verdict.pod, True, ensemble=ensemble), verdict)


def _fresh(pod: PodRun, verdict: PodVerdict) -> PodRun:
    if verdict.verdict is Verdict.STAY:
        return replace(pod, step=PodStep.STAYS, note=verdict.findings[0].text if verdict.findings else "")
    return pod


def _news(state: State, node: NodeRun, pods: tuple[PodRun, ...], old: dict[str, PodRun]) -> tuple[str, ...]:
    """Pods that the review did not name, told once."""
    plan = next((p for p in state.run.plan.nodes if p.name == node.name), None)
    named = {m.pod.uid for m in plan.members} | {o.pod.uid for o in plan.others} if plan is not None else set[str]()
    fresh = [p for p in pods if p.pod.uid not in named and p.pod.uid not in old and p.step is not PodStep.STAYS]
    return tuple(f"{p.pod.name} came to {node.name} since the review: it will be evicted too" for p in fresh)
