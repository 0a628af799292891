"""Two gates about what comes after the eviction: the member can come back, and there is a node to take it."""

from __future__ import annotations

from zktui.core.kube import Pod, StatefulSet
from zktui.core.zookeeper import Ensemble, ordinal
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.landing import landing, openings, terrain_of
from zktui.maintenance.model import Action, ActionKind, Gate, GateName, PlannedMember, Standing
from zktui.maintenance.offers import out_of_service_offer
from zktui.maintenance.selection import data_on_empty_dir


def return_gate(facts: Facts, ensemble: Ensemble, pod: Pod, now: float) -> Gate:
    """It can come back: no rolling update, no lower ordinal missing under OrderedReady, the same revision again.

    A rolling update deletes pods without asking any budget. Under OrderedReady an evicted ordinal 2 was not made again
    while ordinal 0 was unready (seen on Kubernetes 1.37).
    """
    name = GateName.RETURN
    dead = node_gate(facts, pod)
    if dead is not None:
        return dead
    read = facts.statefulset(ensemble)
    if read.value is None or not read.fresh(now):
        standing = Standing.BLOCKED if read.denied or read.absent else Standing.WAITING
        why = read.why or f"the StatefulSet was read {now - read.at:.1f} s ago: too old to decide on"
        return Gate(name, standing, why, read.at)
    owner = read.value
    if owner.is_updating:
        why = f"a rolling update is in progress ({owner.updated_replicas} of {owner.replicas} updated)"
        return Gate(name, Standing.WAITING, why, read.at, unblock=f"kubectl rollout status sts/{owner.name}")
    missing = missing_before(owner, facts.members_pods(ensemble), pod)
    if missing:
        return Gate(name, Standing.BLOCKED, missing, read.at, unblock="the lower ordinals become Ready")
    if sum(1 for p in facts.members_pods(ensemble) if not p.terminating) > owner.replicas:
        why = f"{owner.name} is being scaled to {owner.replicas}: it may not be made again"
        return Gate(name, Standing.WAITING, why, read.at)
    revision = next_revision(owner, pod)
    if pod.revision and revision and pod.revision != revision:
        why = f"this drain will also upgrade the member: revision {pod.revision}, it comes back as {revision}"
        action = Action(ActionKind.OVERRIDE, pod.name, f"type {pod.name} to upgrade it along the way")
        return Gate(name, Standing.BLOCKED, why, read.at, unblock=action.text, action=action)
    return Gate(name, Standing.OK, f"no update in progress, revision {pod.revision or 'unchanged'}", read.at)


def node_gate(facts: Facts, pod: Pod) -> Gate | None:
    """Closed while the kubelet of the pod's node is not heard: it can't end the pod. None when it is, or not known."""
    found = facts.node.get(pod.node)
    node = found.value if found is not None else None
    if node is None:
        node = next((n for n in facts.nodes.value or () if n.name == pod.node), None)
    if node is None or node.ready is True:
        return None
    why = f"{node.name} is not Ready: its kubelet can't end pods, so an eviction would never complete"
    action = out_of_service_offer(node.name)
    at = found.at if found is not None and found.value is not None else facts.nodes.at
    unblock = f"it is Ready again; or {action.text}"
    return Gate(GateName.RETURN, Standing.BLOCKED, why, at, unblock=unblock, action=action)


def missing_before(owner: StatefulSet, pods: tuple[Pod, ...], pod: Pod) -> str:
    """Under OrderedReady: which lower ordinals are not Ready, in words; empty when the pod would be made again."""
    if owner.pod_management != "OrderedReady":
        return ""
    mine = ordinal(pod.name)
    lower = {ordinal(p.name): p for p in pods if ordinal(p.name) < mine}
    # A StatefulSet may begin at another ordinal than 0: count from the lowest that is known.
    first = min((ordinal(p.name) for p in pods), default=mine) if owner.replicas <= len(pods) else 0
    unready = [f"{owner.name}-{n}" for n in range(first, mine) if n not in lower or not _up(lower[n])]
    if not unready:
        return ""
    return f"{', '.join(unready)} not Ready: under OrderedReady {pod.name} would not be made again before"


def _up(pod: Pod) -> bool:
    return pod.ready and not pod.terminating


def next_revision(owner: StatefulSet, pod: Pod) -> str:
    """The revision that the controller gives to the pod's successor: below a partition the current one."""
    if owner.update_strategy == "RollingUpdate" and ordinal(pod.name) < owner.partition:
        return owner.current_revision
    return owner.update_revision


def landing_gate(
    facts: Facts,
    ensemble: Ensemble,
    pod: Pod,
    node: str,
    planned: PlannedMember | None,
    now: float,
    *,
    stays_cordoned: bool,
) -> Gate:
    """Which nodes can take it. None: it waits for the uncordon, which is fine only as far as the plan has said so."""
    name = GateName.LANDING
    for read, what in ((facts.nodes, "nodes"), *_storage(facts, pod)):
        if not read.fresh(now):
            standing = Standing.BLOCKED if read.denied else Standing.WAITING
            why = read.why or f"{what} read {now - read.at:.1f} s ago: too old to decide on"
            return Gate(name, standing, why, read.at)
    at = facts.nodes.at
    volume = data_on_empty_dir(pod, ensemble)
    if volume:
        return _data_lost(facts, ensemble, pod, volume, now)
    found = landing(pod, terrain_of(facts, drained=node))
    if found.nodes:
        first, more = found.nodes[0], len(found.nodes) - 1
        text = f"{first} can take it" + (f", and {more} more" if more else "")
        return Gate(name, Standing.OK, text, at)
    tied = f" (its volume is tied to {node})" if found.tied else ""
    if planned is not None and planned.landing.waits and not stays_cordoned:
        return Gate(name, Standing.OK, f"nowhere to land{tied}: it waits until {node} is uncordoned, as planned", at)
    if planned is not None and planned.landing.waits:
        return Gate(
            name, Standing.OK, f"nowhere to land{tied}: it stays Pending until someone uncordons, as planned", at
        )
    cordoned = [other for other in openings(pod, facts) if other != node]
    if cordoned:
        action = Action(ActionKind.UNCORDON, cordoned[0], f"uncordon {cordoned[0]} so that {pod.name} can land there")
        why = "nowhere to land now, though the review found room"
        return Gate(name, Standing.BLOCKED, why, at, unblock=action.text, action=action)
    action = Action(ActionKind.OVERRIDE, pod.name, f"type {pod.name} to let it wait for the uncordon")
    reasons = "; ".join(f"{who}: {why}" for who, why in found.why[:3] if who != node)
    why = f"nowhere to land now{tied}: {reasons}" if reasons else f"nowhere to land now{tied}"
    return Gate(name, Standing.BLOCKED, why, at, unblock=action.text, action=action)


def _storage(facts: Facts, pod: Pod) -> tuple[tuple[Reading[object], str], ...]:
    if not pod.spec.claims:
        return ()
    claims: Reading[object] = facts.claims.get(pod.namespace) or Reading(facts.at)
    return ((claims, "claims"), (facts.volumes, "volumes"))


def _data_lost(facts: Facts, ensemble: Ensemble, pod: Pod, volume: str, now: float) -> Gate:
    """emptyDir as dataDir: the data is lost with the pod. A typed word, and only while all others serve."""
    why = f"its dataDir is the emptyDir {volume}: its data is lost with the pod, and comes back from the leader"
    name, at = GateName.LANDING, facts.nodes.at
    silent = [m.pod.name for m in facts.members(ensemble) if m.pod.uid != pod.uid and not m.report.serving(now)]
    if silent:
        unblock = f"{', '.join(silent)} serve: only while all others do"
        return Gate(name, Standing.BLOCKED, why, at, unblock=unblock, final=True)
    action = Action(ActionKind.OVERRIDE, pod.name, f"type {pod.name} to let its data go")
    return Gate(name, Standing.BLOCKED, why, at, unblock=action.text, action=action)
