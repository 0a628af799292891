"""Which nodes can take a pod: the scheduler's required rules, applied to what was read.

Source: the filters of kube-scheduler's default profile (NodeUnschedulable, NodeName, TaintToleration, NodeAffinity,
InterPodAffinity, PodTopologySpread, NodeResourcesFit, VolumeBinding) as of 1.31 and later. Preferences are left out:
they choose among these nodes and never add one. What is unknown counts as no.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from zktui.core.kube import AffinityTerm, Node, Pod, SpreadConstraint, Taint, Volume
from zktui.core.labels import Requirement
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Landing

UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Terrain:
    """Nodes and what is on them, as one decision sees them."""

    nodes: Mapping[str, Node]
    pods: tuple[Pod, ...]
    """Bound pods that take up room; the ones on the drained node and the finished are left out."""
    known: frozenset[str]
    """Nodes whose pods were all read."""
    volumes: Mapping[tuple[str, str], Volume | None] = field(default_factory=dict[tuple[str, str], "Volume | None"])
    """(namespace, claim) to its volume; None when the claim is not bound yet and can be bound anywhere."""
    drained: str = ""
    uncordoned: frozenset[str] = frozenset()
    """Nodes taken as if they had been uncordoned."""


def terrain_of(facts: Facts, *, drained: str = "", uncordoned: frozenset[str] = frozenset()) -> Terrain:
    """The node `drained` counts as gone with all its pods."""
    nodes = {node.name: node for node in facts.nodes.value or ()}
    pods = tuple(p for p in facts.bound_pods() if not p.finished and p.node != drained)
    known = frozenset(name for name, listed in facts.on_node.items() if listed.value is not None)
    by_name = {volume.name: volume for volume in facts.volumes.value or ()}
    volumes: dict[tuple[str, str], Volume | None] = {}
    for namespace, claims in facts.claims.items():
        for claim in claims.value or ():
            if not claim.volume or claim.volume in by_name:
                volumes[namespace, claim.name] = by_name.get(claim.volume)
    return Terrain(nodes, pods, known, volumes, drained, uncordoned)


def landing(pod: Pod, terrain: Terrain) -> Landing:
    """Where the pod's successor can go. The pod itself takes up no room: it will be gone."""
    fits: list[str] = []
    why: list[tuple[str, str]] = []
    for node in terrain.nodes.values():
        reason = unfit(pod, node, terrain) or no_room(pod, node, terrain)
        if reason:
            why.append((node.name, reason))
        else:
            fits.append(node.name)
    homes = [n.name for n in terrain.nodes.values() if not _volume(pod, n, terrain)]
    return Landing(tuple(fits), tuple(why), tied=bool(terrain.drained) and homes == [terrain.drained])


def candidates(pods: Iterable[Pod], terrain: Terrain, limit: int) -> tuple[str, ...]:
    """Nodes that may take one of the pods by all rules but room, at most `limit`: whose own pods are worth reading."""
    wanted = list(pods)
    names = (n.name for n in terrain.nodes.values() if any(not unfit(p, n, terrain) for p in wanted))
    return tuple(name for name, _ in zip(names, range(limit), strict=False))


def openings(pod: Pod, facts: Facts) -> tuple[str, ...]:
    """Cordoned nodes on which a pod that waits could run if that one node were uncordoned."""
    nodes = facts.nodes.value or ()
    found: list[str] = []
    for node in nodes:
        if node.unschedulable:
            terrain = terrain_of(facts, uncordoned=frozenset({node.name}))
            if not unfit(pod, node, terrain):
                found.append(node.name)
    return tuple(found)


def unfit(pod: Pod, node: Node, terrain: Terrain) -> str:
    """Why the node can't take the pod however empty it is; empty when it can."""
    return (
        _state(pod, node, terrain)
        or _taints(pod, node, terrain)
        or _selected(pod, node)
        or _anti_affinity(pod, node, terrain)
        or _affinity(pod, node, terrain)
        or _spread(pod, node, terrain)
        or _volume(pod, node, terrain)
    )


def _state(pod: Pod, node: Node, terrain: Terrain) -> str:
    if node.name == terrain.drained:
        return "it is the node that is drained"
    if node.ready is not True:
        return "not Ready"
    tolerated = any(toleration.tolerates(UNSCHEDULABLE) for toleration in pod.spec.tolerations)
    if node.unschedulable and not tolerated and node.name not in terrain.uncordoned:
        return "cordoned"
    return ""


def _taints(pod: Pod, node: Node, terrain: Terrain) -> str:
    for taint in node.taints:
        if taint.effect not in ("NoSchedule", "NoExecute"):
            continue
        if taint.key == UNSCHEDULABLE.key and (node.unschedulable or node.name in terrain.uncordoned):
            continue  # the cordon itself, judged above
        if not any(toleration.tolerates(taint) for toleration in pod.spec.tolerations):
            return f"taint {taint.key} is not tolerated"
    return ""


def _matches(terms: tuple[tuple[Requirement, ...], ...] | None, node: Node) -> bool:
    """Terms are alternatives; an empty term matches nothing (core/v1 NodeSelectorTerm)."""
    if terms is None:
        return True
    return any(term and all(requirement.matches(node.labels) for requirement in term) for term in terms)


def _selected(pod: Pod, node: Node) -> str:
    if any(node.labels.get(key) != value for key, value in pod.spec.node_selector.items()):
        return "its labels do not match the pod's node selector"
    return "" if _matches(pod.spec.node_affinity, node) else "its labels do not match the pod's node affinity"


def _reaches(term: AffinityTerm, owner: Pod, other: Pod) -> bool:
    """Whether the term of `owner` selects `other`. A null selector selects nothing."""
    if not term.every_namespace and other.namespace not in (term.namespaces or (owner.namespace,)):
        return False
    return term.selector is not None and term.selector.matches(other.labels)


def _neighbours(key: str, node: Node, pod: Pod, terrain: Terrain) -> Iterable[Pod]:
    """Other pods in the node's domain of a topology key; none when the node lacks the key."""
    value = node.labels.get(key)
    if value is None:
        return
    for other in terrain.pods:
        if other.uid != pod.uid:
            home = terrain.nodes.get(other.node)
            if home is not None and home.labels.get(key) == value:
                yield other


def _anti_affinity(pod: Pod, node: Node, terrain: Terrain) -> str:
    """Required anti-affinity both ways: the pod's own rules, and those of the pods that are there."""
    for term in pod.spec.anti_affinity:
        for other in _neighbours(term.topology_key, node, pod, terrain):
            if _reaches(term, pod, other):
                where = "" if other.node == node.name else f" on {other.node}"
                return f"{other.name} is there{where}, and anti-affinity keeps them apart"
    for other in terrain.pods:
        if other.uid == pod.uid:
            continue
        home = terrain.nodes.get(other.node)
        for term in other.spec.anti_affinity:
            value = node.labels.get(term.topology_key)
            near = home is not None and value is not None and home.labels.get(term.topology_key) == value
            if near and _reaches(term, other, pod):
                return f"{other.name}'s anti-affinity keeps the pod away"
    return ""


def _affinity(pod: Pod, node: Node, terrain: Terrain) -> str:
    for term in pod.spec.affinity:
        if any(_reaches(term, pod, other) for other in _neighbours(term.topology_key, node, pod, terrain)):
            continue
        anywhere = any(_reaches(term, pod, other) for other in terrain.pods if other.uid != pod.uid)
        # The first of a group that attracts itself may go anywhere that has the key.
        if not anywhere and _reaches(term, pod, pod) and term.topology_key in node.labels:
            continue
        return "a pod that it must run beside is not there"
    return ""


def _spread(pod: Pod, node: Node, terrain: Terrain) -> str:
    return next((why for c in pod.spec.spread if (why := _skew(c, pod, node, terrain))), "")


def _skew(constraint: SpreadConstraint, pod: Pod, node: Node, terrain: Terrain) -> str:
    """nodeTaintsPolicy is Ignore by default, so a cordoned node is still a domain, and an empty one raises the skew."""
    key = constraint.topology_key
    if key not in node.labels:
        return f"it has no label {key} to spread over"
    counts: Counter[str] = Counter()
    for home in terrain.nodes.values():
        if key in home.labels and not _selected(pod, home):
            counts[home.labels[key]] += 0
    for other in terrain.pods:
        home = terrain.nodes.get(other.node)
        if home is None or other.uid == pod.uid or other.terminating or other.namespace != pod.namespace:
            continue
        if home.labels.get(key) in counts and constraint.selector and constraint.selector.matches(other.labels):
            counts[home.labels[key]] += 1
    least = min(counts.values(), default=0)
    own = 1 if constraint.selector and constraint.selector.matches(pod.labels) else 0
    if counts[node.labels[key]] + own - least > constraint.max_skew:
        return f"topology spread over {key}: more than {constraint.max_skew} apart"
    return ""


def _volume(pod: Pod, node: Node, terrain: Terrain) -> str:
    for claim in pod.spec.claims:
        if (pod.namespace, claim) not in terrain.volumes:
            return f"where claim {claim} is stored is not known"
        volume = terrain.volumes[pod.namespace, claim]
        if volume is not None and not fits_volume(volume, node):
            return f"volume {volume.name} can't be mounted there"
    return ""


def fits_volume(volume: Volume, node: Node) -> bool:
    """Whether the volume can be mounted on this node (VolumeBinding)."""
    return _matches(volume.node_affinity, node)


def no_room(pod: Pod, node: Node, terrain: Terrain) -> str:
    """Requests against allocatable, as NodeResourcesFit; an allocatable of 0 is one that the node does not tell."""
    if node.name not in terrain.known:
        return "its pods were not looked at"
    there = [p for p in terrain.pods if p.node == node.name and p.uid != pod.uid]
    if node.pod_limit and len(there) + 1 > node.pod_limit:
        return f"it has its {node.pod_limit} pods"
    cpu = sum(p.spec.cpu for p in there)
    if node.cpu and pod.spec.cpu and cpu + pod.spec.cpu > node.cpu:
        return f"CPU: {pod.spec.cpu}m asked, {max(0, node.cpu - cpu)}m free"
    memory = sum(p.spec.memory for p in there)
    if node.memory and pod.spec.memory and memory + pod.spec.memory > node.memory:
        mebi = 1024 * 1024
        return f"memory: {pod.spec.memory // mebi} Mi asked, {max(0, node.memory - memory) // mebi} Mi free"
    return ""
