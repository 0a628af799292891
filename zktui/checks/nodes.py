"""Chapter 10: what the loss of a node, or of a zone, would do.

Sources: Kubernetes' tutorial "Tolerating Node Failure"; core/v1 PodAntiAffinity and TopologySpreadConstraint (a term
keeps a pod away from pods that its selector matches, so one that does not match the template's labels keeps nothing
away); well-known labels kubernetes.io/hostname and topology.kubernetes.io/zone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from zktui.checks.absent import absent_voters, pod_of
from zktui.checks.inventory import Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.documents import Document, flag, objects, text
from zktui.core.kube import HOSTNAME_TOPOLOGY, AffinityTerm, Pod, Taint
from zktui.core.quorum import majority
from zktui.core.zookeeper import Mode

ZONE = "topology.kubernetes.io/zone"
OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
"""Before Kubernetes 1.17."""
_RULES = ("spec", "template", "spec", "affinity", "podAntiAffinity")


def nodes(inventory: Inventory) -> Iterable[Check]:
    yield _placement(inventory)
    yield _lost(inventory, "node", {pod.name: pod.node for pod in inventory.pods if pod.node})
    yield _zones(inventory)
    yield _anti_affinity(inventory)
    yield _spare(inventory)


def zones(inventory: Inventory) -> Mapping[str, str]:
    """Node to zone; nodes that name none are left out."""
    told = ((n, text(n, "metadata", "labels", ZONE)) for n in inventory.nodes.value or ())
    found = {text(n, "metadata", "name"): zone or text(n, "metadata", "labels", OLD_ZONE) for n, zone in told}
    return {name: zone for name, zone in found.items() if zone}


def voters(inventory: Inventory) -> tuple[Pod, ...] | None:
    """Pods whose server votes; None when the configuration is not known."""
    config = inventory.config.value
    if config is None:
        return None
    ids = {server.myid for server in config.voters}
    servers = ((pod, config.server_of(pod)) for pod in inventory.pods)
    return tuple(pod for pod, server in servers if server is not None and server.myid in ids)


def _not_serving(inventory: Inventory) -> tuple[frozenset[str], frozenset[str]]:
    """Members that say themselves that they do not serve, and those that say nothing. By pod name."""
    told = {member.pod.name: member.report.mode for member in inventory.members}
    stopped = (name for name, mode in told.items() if mode in (Mode.LOOKING, Mode.READ_ONLY))
    return frozenset(stopped), frozenset(n for n, mode in told.items() if mode in (Mode.SILENT, Mode.UNKNOWN))


def _placement(inventory: Inventory) -> Check:
    zone_of = zones(inventory)

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            others = [p.name for p in inventory.pods if p.node == pod.node and p.name != pod.name]
            place = f"{pod.node}, zone {zone_of[pod.node]}" if pod.node in zone_of else pod.node
            if not pod.node:
                yield Evidence(pod.name, Result.UNKNOWN, "it is on no node yet")
            elif others:
                yield Evidence(pod.name, Result.WARN, f"{place}, together with {', '.join(others)}")
            else:
                yield Evidence(pod.name, Result.PASS, place)

    return Check(
        "nodes.placement",
        Chapter.NODE_FAILURE,
        "Each member has a node of its own",
        tuple(seen()),
        "Members of one node go together. Anti-affinity keeps them apart from their next start on.",
        by_hand="for i in 0 1 2; do kubectl get pod zk-$i --template {{.spec.nodeName}}; echo; done",
    )


def _lost(inventory: Inventory, what: str, place: Mapping[str, str]) -> Check:
    """Which single node (or zone) would take quorum. `place` is pod name to where it is."""
    # All in one zone is how many clusters are made; all on one node is a fault.
    bad = Result.FAIL if what == "node" else Result.WARN

    def seen() -> Iterator[Evidence]:
        config, voting = inventory.config.value, voters(inventory)
        if config is None or voting is None:
            yield Evidence("", Result.UNKNOWN, inventory.config.why)
            return
        if config.hierarchical:
            yield Evidence("", Result.UNKNOWN, "groups or weights are in use: quorum is no plain majority")
            return
        total, needed = len(config.voters), majority(len(config.voters))
        elsewhere = [pod.name for pod in voting if pod.name not in place]
        absent = absent_voters(inventory)
        if elsewhere:
            yield Evidence("", Result.UNKNOWN, f"of no known {what}: {', '.join(elsewhere)}")
        elif absent.elsewhere:
            names = ", ".join(server.host for server in absent.elsewhere)
            yield Evidence(
                "", Result.UNKNOWN, f"no {'pods' if len(absent.elsewhere) > 1 else 'pod'} of this set: {names}"
            )
        stopped, silent = _not_serving(inventory)
        away = [pod_of(server.host) for server in absent.scaled_away]
        unheard = [server.host for server in absent.elsewhere]
        for name in sorted({place[pod.name] for pod in voting if pod.name in place}):
            there = [pod.name for pod in voting if place.get(pod.name) == name]
            gone = [pod.name for pod in voting if pod.name in stopped | silent and pod.name not in there]
            left = total - len(there) - len(away) - len(stopped.intersection(gone))
            gone += [*away, *unheard]
            heard = total - len(there) - len(gone)
            now = f", since {', '.join(gone)} {'does' if len(gone) == 1 else 'do'} not serve now" if gone else ""
            words = f"without {what} {name} ({', '.join(there)}) {heard} of {total} voters are left{now}"
            if left < needed:
                yield Evidence("", bad, f"{words}; {needed} are needed")
            elif heard < needed:
                # One that does not answer us may serve all the same.
                yield Evidence("", Result.UNKNOWN, f"{words}, as far as they can be heard; {needed} are needed")
            else:
                yield Evidence("", Result.PASS, f"{words}, {needed} are enough")

    return Check(
        f"nodes.single-{what}",
        Chapter.NODE_FAILURE,
        f"No single {what} takes quorum with it",
        tuple(seen()),
        f"When that {what} fails the ensemble serves nobody until it is back. Spread the voters over three {what}s.",
        by_hand="kubectl get pods -l app=zk -o wide" if what == "node" else f"kubectl get nodes -L {ZONE}",
    )


def _zones(inventory: Inventory) -> Check:
    zone_of = zones(inventory)
    if inventory.nodes.value is not None and not zone_of:
        found = Evidence("", Result.WARN, f"no node has the label {ZONE}: all of them may be one zone")
        advice = (
            "Where the nodes are of several zones, their labels let the scheduler, and this check, tell them apart."
        )
        title = "No single zone takes quorum with it"
        return Check(
            "nodes.single-zone", Chapter.NODE_FAILURE, title, (found,), advice, by_hand=f"kubectl get nodes -L {ZONE}"
        )
    return _lost(inventory, "zone", {p.name: zone_of[p.node] for p in inventory.pods if p.node in zone_of})


def _anti_affinity(inventory: Inventory) -> Check:
    sts = inventory.ensemble.statefulset
    terms = [
        t for t in sts.template.anti_affinity if t.every_namespace or not t.namespaces or sts.namespace in t.namespaces
    ]
    effective = [t for t in terms if t.selector is not None and t.selector.matches(sts.template_labels)]
    spread = [s for s in sts.template.spread if s.selector is not None and s.selector.matches(sts.template_labels)]
    by_host = [s for s in spread if s.topology_key == HOSTNAME_TOPOLOGY]
    document = inventory.statefulset.value
    if any(term.topology_key == HOSTNAME_TOPOLOGY for term in effective):
        found = Evidence("", Result.PASS, "required: no two members on one node, and one that finds none waits")
    elif effective:
        found = _by_label(inventory, sorted({term.topology_key for term in effective}))
    elif by_host:
        skew = min(s.max_skew for s in by_host)
        words = f"spread over nodes, at most {skew} apart: two on one node only where no eligible node has fewer"
        found = Evidence("", Result.PASS if skew == 1 else Result.WARN, words)
    elif terms:
        found = Evidence("", Result.FAIL, _mismatch(terms, sts.template_labels))
    elif document is None:
        found = Evidence("", Result.UNKNOWN, f"no rule is required; of preferred ones: {inventory.statefulset.why}")
    elif objects(document, *_RULES, "preferredDuringSchedulingIgnoredDuringExecution"):
        found = Evidence("", Result.WARN, "only preferred: where room is short two members share a node")
    else:
        found = Evidence("", Result.WARN, "no rule keeps members apart: where they are is chance")
    return Check(
        "nodes.anti-affinity",
        Chapter.NODE_FAILURE,
        "The scheduler has to keep members apart",
        (found,),
        "Only a required rule whose selector matches the pods' own labels guarantees it. The patch changes the "
        "template: it begins a rolling update, which asks no budget.",
        patch=(_patch(inventory),) if found.result in (Result.WARN, Result.FAIL) else (),
        by_hand="kubectl get sts zk -o jsonpath='{.spec.template.spec.affinity}'",
    )


def _by_label(inventory: Inventory, keys: Sequence[str]) -> Evidence:
    """A term says nothing of nodes that lack its label: there it keeps nothing apart."""
    named = inventory.nodes.value
    words = f"required: no two members of one {', '.join(keys)}"
    if named is None:
        return Evidence("", Result.UNKNOWN, f"{words}; whether the nodes have that label: {inventory.nodes.why}")
    bare = [text(n, "metadata", "name") for n in named if not any(text(n, "metadata", "labels", k) for k in keys)]
    if bare:
        return Evidence("", Result.WARN, f"{words}, but nothing apart on nodes without that label: {', '.join(bare)}")
    return Evidence("", Result.PASS, words)


def _mismatch(terms: Iterable[AffinityTerm], labels: Mapping[str, str]) -> str:
    wanted = "; ".join(str(term.selector) if term.selector is not None else "nothing" for term in terms)
    own = ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"required, but it keeps nothing apart: it selects {wanted}, and the members' labels are {own}"


def _patch(inventory: Inventory) -> str:
    sts = inventory.ensemble.statefulset
    labels = {r.key: r.values[0] for r in sts.selector.requirements if r.operator == "In"} if sts.selector else {}
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": HOSTNAME_TOPOLOGY}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    patch = json.dumps({"spec": {"template": {"spec": {"affinity": rule}}}}, separators=(",", ":"))
    return f"kubectl -n {sts.namespace} patch statefulset {sts.name} -p '{patch}'"


def _spare(inventory: Inventory) -> Check:
    """Is there a node for the member of one that is lost? Room and volumes are the maintenance review's."""
    taken = {pod.node for pod in inventory.pods}
    if inventory.nodes.value is None:
        found = Evidence("", Result.UNKNOWN, inventory.nodes.why)
    else:
        free = [text(n, "metadata", "name") for n in inventory.nodes.value if _takes(n, inventory)]
        free = [name for name in free if name not in taken]
        words = f"{', '.join(free)} could take one" if free else "every node that takes pods has a member already"
        found = Evidence("", Result.PASS if free else Result.WARN, words)
    return Check(
        "nodes.spare",
        Chapter.NODE_FAILURE,
        "A lost node's member finds another",
        (found,),
        "With members kept apart, the member of a lost or drained node stays Pending until the node is back: one more "
        "node lets it move.",
        by_hand="kubectl get nodes",
    )


def _takes(node: Document, inventory: Inventory) -> bool:
    ready = any(
        text(c, "type") == "Ready" and text(c, "status") == "True" for c in objects(node, "status", "conditions")
    )
    taints = (Taint(text(t, "key"), text(t, "effect"), text(t, "value")) for t in objects(node, "spec", "taints"))
    tolerated = inventory.ensemble.statefulset.template.tolerations
    barred = (t for t in taints if t.effect in ("NoSchedule", "NoExecute"))
    shut = any(not any(t.tolerates(taint) for t in tolerated) for taint in barred)
    return ready and not shut and not flag(node, "spec", "unschedulable")
