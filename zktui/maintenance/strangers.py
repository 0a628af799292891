"""Disruptions by others: their taints, their cordons, and pods that somebody else has condemned."""

from __future__ import annotations

from collections.abc import Iterable

from zktui.core.kube import Node
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import NodeStep
from zktui.maintenance.state import Turn

DISRUPTION_TAINTS = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        "node.kubernetes.io/out-of-service",
        "node.cloudprovider.kubernetes.io/shutdown",
        "cloud.google.com/impending-node-termination",
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/scheduled-maintenance",
        "weave.works/kured-node-reboot",
    }
)
"""Taint keys by which other programs announce that they take a node away."""


CANDIDATE_TAINTS = frozenset({"DeletionCandidateOfClusterAutoscaler"})
"""Taint keys by which they announce that they may do so later: it is told, and pauses nobody."""


def candidates(facts: Facts, nodes: Iterable[str]) -> tuple[str, ...]:
    """Of these nodes the ones that somebody may take away later, in words."""
    found: list[str] = []
    for name in sorted(set(nodes)):
        node = _node(facts, name)
        keys = sorted({t.key for t in node.taints} & CANDIDATE_TAINTS) if node is not None else []
        found += [f"{taint_words(name, key)}: an autoscaler may remove it" for key in keys]
    return tuple(found)


def strangers(facts: Facts, ensemble: Ensemble, evicted: frozenset[str]) -> tuple[str, ...]:
    """What others are doing to this ensemble, in words; pods in `evicted` (UIDs) are ours."""
    found: list[str] = []
    pods = facts.members_pods(ensemble)
    for pod in pods:
        if pod.disruption_target and pod.uid not in evicted:
            found.append(f"{pod.name} is being disrupted by someone else ({pod.disruption_target})")
    homes = {pod.node for pod in pods if pod.node} | set(facts.node)
    for name in sorted(homes):
        node = _node(facts, name)
        keys = sorted({t.key for t in node.taints} & DISRUPTION_TAINTS) if node is not None else []
        if keys:
            found.append(taint_words(name, keys[0]))
    return tuple(found)


def taint_words(node: str, key: str) -> str:
    return f"{node} carries the taint {key}"


def _node(facts: Facts, name: str) -> Node | None:
    read = facts.node.get(name)
    if read is not None and read.value is not None:
        return read.value
    return next((node for node in facts.nodes.value or () if node.name == name), None)


def watch_foreign(turn: Turn) -> None:
    """Keep which nodes others have cordoned since the run began. Those that concern nobody here are only noted."""
    _note_candidates(turn)
    listed = turn.facts.nodes
    if not listed.fresh(turn.now) or turn.state.closing is not None:
        return
    mine = {n.name for n in turn.run.nodes if n.cordoned_by_us} | turn.state.doubt
    now = frozenset(n.name for n in listed.value or () if n.unschedulable and n.name not in mine)
    before = turn.state.cordoned_before
    if before is None:
        turn.set(cordoned_before=now)
        return
    foreign = now - before
    for name in sorted(foreign - turn.state.foreign):
        turn.say("note", foreign_words(name))
    # One that was open in between and is cordoned again counts as new.
    turn.set(foreign=foreign, cordoned_before=before & now)


def _note_candidates(turn: Turn) -> None:
    homes = {pod.node for e in turn.state.ensembles for pod in turn.facts.members_pods(e)}
    for text in candidates(turn.facts, homes | {n.name for n in turn.run.nodes[turn.run.current :]}):
        if text not in turn.state.paused_for:
            turn.set(paused_for=turn.state.paused_for | {text})
            turn.say("note", text)


def foreign_words(name: str) -> str:
    return f"{name} was cordoned by someone else while this run is under way"


def foreign_drains(turn: Turn) -> tuple[str, ...]:
    """Cordons by others of nodes that are still to be drained, or that carry a member: another drain may begin."""
    drained = (NodeStep.DRAINED, NodeStep.HOLD, NodeStep.UNCORDON, NodeStep.REJOIN)
    rest = {n.name for n in turn.run.nodes[turn.run.current :] if n.step not in drained}
    homes = {pod.node for e in turn.state.ensembles for pod in turn.facts.members_pods(e)}
    return tuple(foreign_words(name) for name in sorted(turn.state.foreign & (rest | homes)))
