"""Disruptions by others: taints of autoscalers and drainers, and pods that somebody else has condemned."""

from __future__ import annotations

from zktui.core.kube import Node
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts

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
            found.append(f"{name} carries the taint {keys[0]}")
    return tuple(found)


def _node(facts: Facts, name: str) -> Node | None:
    read = facts.node.get(name)
    if read is not None and read.value is not None:
        return read.value
    return next((node for node in facts.nodes.value or () if node.name == name), None)
