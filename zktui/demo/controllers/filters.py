"""The scheduler's filters: why a node can't take a pod, in the words of Kubernetes' own plugins."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from decimal import Decimal

from zktui.demo.objects import Object, child, children, labels_of, meta, name_of, namespace_of
from zktui.demo.quantities import quantity
from zktui.demo.selectors import matches_selector


def requested(pod: Object, resource: str) -> Decimal:
    """The sum of the containers' requests."""
    containers = children(pod, "spec", "containers")
    return sum((quantity(child(c, "resources", "requests").get(resource, 0)) for c in containers), Decimal(0))


@dataclass(frozen=True)
class Rejection:
    """``resolvable``: could the removal of other pods help? Else preemption isn't even tried."""

    reasons: tuple[str, ...]
    resolvable: bool


@dataclass(frozen=True)
class Placement:
    """A node with the pods on it, terminating ones included: they hold their place until they are gone."""

    node: Object
    pods: list[Object]


Domain = tuple[str, str]
"""A topology key, and a node's label of that name."""


def reject(
    pod: Object,
    place: Placement,
    places: list[Placement],
    volumes: Sequence[Object | None],
    guarded: Set[Domain],
) -> Rejection | None:
    """The first filter's objection, in the scheduler's order of plugins; None if the pod fits.

    ``volumes`` are those that its claims are bound to; None stands for one that is gone. ``guarded`` is
    :func:`guarded_from` the pod, which is the same for all nodes.
    """
    spec, node = child(pod, "spec"), place.node
    tolerations = children(spec, "tolerations")
    if child(node, "spec").get("unschedulable") and not _tolerates_cordon(tolerations):
        return Rejection(("node(s) were unschedulable",), resolvable=False)
    for taint in children(node, "spec", "taints"):
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerated(taint, tolerations):
            words = f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"
            return Rejection((words,), resolvable=False)
    if not _selected(spec, node):
        return Rejection(("node(s) didn't match Pod's node affinity/selector",), resolvable=False)
    short = _short_of(pod, place)
    if short:
        return Rejection(tuple(short), resolvable=True)
    if None in volumes:
        return Rejection(
            ("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",), resolvable=False
        )
    if not all(_selects(child(volume or {}, "spec", "nodeAffinity").get("required"), node) for volume in volumes):
        return Rejection(("node(s) didn't match PersistentVolume's node affinity",), resolvable=False)
    return _affinity(pod, place, places, guarded)


def _tolerates_cordon(tolerations: list[Object]) -> bool:
    return tolerated({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, tolerations)


def tolerated(taint: Object, tolerations: list[Object]) -> bool:
    """Does one of the tolerations match the taint?"""
    for entry in tolerations:
        if entry.get("effect") not in (None, "", taint["effect"]):
            continue
        if not entry.get("key") and entry.get("operator") == "Exists":
            return True
        if entry.get("key") == taint["key"] and (
            entry.get("operator") == "Exists" or (entry.get("value") or "") == (taint.get("value") or "")
        ):
            return True
    return False


def _selected(spec: Object, node: Object) -> bool:
    """nodeSelector, and the required node affinity: any one of its terms."""
    labels = labels_of(node)
    if any(labels.get(key) != value for key, value in child(spec, "nodeSelector").items()):
        return False
    return _selects(child(spec, "affinity", "nodeAffinity").get("requiredDuringSchedulingIgnoredDuringExecution"), node)


def _selects(selector: Object | None, node: Object) -> bool:
    """Does a ``v1.NodeSelector`` select the node? Any one of its terms is enough; an empty one selects nothing."""
    if selector is None:
        return True
    fields = {"metadata.name": name_of(node)}
    return any(
        matches_selector({"matchExpressions": children(term, "matchExpressions")}, labels_of(node))
        and matches_selector({"matchExpressions": children(term, "matchFields")}, fields)
        for term in children(selector, "nodeSelectorTerms")
        if term.get("matchExpressions") or term.get("matchFields")
    )


def _short_of(pod: Object, place: Placement) -> list[str]:
    room = child(place.node, "status", "allocatable")
    short: list[str] = []
    if len(place.pods) >= int(room.get("pods", 110)):
        short.append("Too many pods")
    for name in ("cpu", "memory"):
        wanted = requested(pod, name)
        used = sum((requested(other, name) for other in place.pods), Decimal(0))
        if wanted and used + wanted > quantity(room.get(name, 0)):
            short.append(f"Insufficient {name}")
    return short


def _required(pod: Object, kind: str) -> list[Object]:
    return children(pod, "spec", "affinity", kind, "requiredDuringSchedulingIgnoredDuringExecution")


def _matches(term: Object, owner: Object, other: Object) -> bool:
    """Does the term of ``owner`` select ``other``? Namespaces default to the owner's own."""
    spaces = children(term, "namespaces") or [namespace_of(owner)]
    return namespace_of(other) in spaces and matches_selector(term.get("labelSelector"), labels_of(other))


def guarded_from(pod: Object, places: list[Placement]) -> set[Domain]:
    """Where other pods are whose own anti-affinity keeps this one away."""
    return {
        (term["topologyKey"], labels_of(entry.node)[term["topologyKey"]])
        for entry in places
        for other in entry.pods
        for term in _required(other, "podAntiAffinity")
        if term["topologyKey"] in labels_of(entry.node)
        and meta(other)["uid"] != meta(pod)["uid"]
        and _matches(term, other, pod)
    }


def _affinity(pod: Object, place: Placement, places: list[Placement], guarded: Set[Domain]) -> Rejection | None:
    """Inter-pod (anti-)affinity over any topology key."""
    own = labels_of(place.node)

    def neighbours(key: str) -> list[Object]:
        if key not in own:
            return []
        near = [entry for entry in places if labels_of(entry.node).get(key) == own[key]]
        return [other for entry in near for other in entry.pods]

    for term in _required(pod, "podAffinity"):
        near = neighbours(term["topologyKey"])
        anywhere = [other for entry in places for other in entry.pods]
        # The first of a group that wants to be near itself may go anywhere.
        alone = _matches(term, pod, pod) and not any(_matches(term, pod, other) for other in anywhere)
        if not alone and not any(_matches(term, pod, other) for other in near):
            return Rejection(("node(s) didn't match pod affinity rules",), resolvable=False)
    for term in _required(pod, "podAntiAffinity"):
        if any(_matches(term, pod, other) for other in neighbours(term["topologyKey"])):
            return Rejection(("node(s) didn't match pod anti-affinity rules",), resolvable=True)
    if guarded & own.items():
        return Rejection(("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True)
    return None
