"""What zktui can do about a dead end when it is asked to: never by itself, and only while it helps and harms nobody.

Each is prepared from fresh facts, or refused in words. Sources: "Non-graceful node shutdown" and "Specifying a
Disruption Budget" of the Kubernetes documentation; a claim is made again by its StatefulSet with the pod.
"""

from __future__ import annotations

from collections.abc import Sequence

from zktui.core.disruption import budgets_of
from zktui.core.kube import Budget, Claim, Lease, Pod, Taint
from zktui.core.quorum import Health
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.effects import CreateBudget, DeleteClaim, DeletePod, Mend, TaintNode
from zktui.maintenance.facts import Facts
from zktui.maintenance.landing import fits_volume
from zktui.maintenance.model import POWERED_OFF, Action, ActionKind

OUT_OF_SERVICE = Taint("node.kubernetes.io/out-of-service", "NoExecute", "nodeshutdown")


class NotNow(Exception):
    """Why it is not done: one clause for people."""


def changes_for(
    action: Action, typed: str, facts: Facts, ensembles: Sequence[Ensemble], now: float, holder: str = ""
) -> tuple[Mend, ...]:
    """The changes that carry it out, in their order. Raises NotNow. `holder` is this run's own name on the lease."""
    if typed != action.typed:
        raise NotNow(f"type “{action.typed}”")
    for reading in facts.leases.values():
        lease = reading.value
        if lease is not None and lease.holder not in ("", holder) and not lease.expired(facts.wall):
            raise NotNow(f"{_where(lease)} is held by {lease.holder}")
    match action.kind:
        case ActionKind.OUT_OF_SERVICE:
            return _out_of_service(action.target, facts)
        case ActionKind.DISCARD_MEMBER:
            return _discard(action.target, facts, ensembles, now)
        case ActionKind.CREATE_BUDGET:
            return _budget(action.target, facts, ensembles)
        case _:
            raise NotNow(f"{action.kind} is for a run's own command")


def _where(lease: Lease) -> str:
    return f"the lease {lease.namespace}/{lease.name}"


def _out_of_service(name: str, facts: Facts) -> tuple[Mend, ...]:
    """With this taint the pods of a node that is not Ready are deleted by force, and their volumes detached."""
    if not facts.nodes.value:
        raise NotNow(facts.nodes.why or "there are no nodes")
    node = next((n for n in facts.nodes.value if n.name == name), None)
    if node is None:
        raise NotNow(f"{name} does not exist any more")
    if node.ready is True:
        raise NotNow(f"{name} is Ready: it is in service")
    if any(taint.key == OUT_OF_SERVICE.key for taint in node.taints):
        raise NotNow(f"{name} is out of service already")
    return (TaintNode(node, OUT_OF_SERVICE),)


def out_of_service_offer(name: str) -> Action:
    text = f"once {name} is powered off: type “{POWERED_OFF}” to take it out of service, so that its pods are let go"
    return Action(ActionKind.OUT_OF_SERVICE, name, text, POWERED_OFF)


def stranded(pod: Pod, facts: Facts) -> tuple[Claim, ...]:
    """Claims of a pod that waits whose volumes fit no node that there is; empty also when that is not known."""
    listed = facts.claims.get(pod.namespace)
    if pod.node or pod.terminating or not facts.nodes.value or listed is None or facts.volumes.value is None:
        return ()
    volumes = {volume.name: volume for volume in facts.volumes.value}
    found: list[Claim] = []
    for claim in listed.value or ():
        volume = volumes.get(claim.volume)
        if volume is None or claim.name not in pod.spec.claims:
            continue
        if not any(fits_volume(volume, node) for node in facts.nodes.value):
            found.append(claim)
    return tuple(found)


def discard_offer(pod: Pod, facts: Facts) -> Action | None:
    """For a member that waits for a node that is gone for good; None for any other."""
    claims = stranded(pod, facts)
    if not claims:
        return None
    names = ", ".join(claim.name for claim in claims)
    text = f"type {pod.name} to delete {names} and the pod: it comes back empty, and copies its data from the leader"
    return Action(ActionKind.DISCARD_MEMBER, f"{pod.namespace}/{pod.name}", text, pod.name)


def _discard(target: str, facts: Facts, ensembles: Sequence[Ensemble], now: float) -> tuple[Mend, ...]:
    """Its data is given up: only while all others serve."""
    for ensemble in ensembles:
        for pod in facts.members_pods(ensemble):
            if f"{pod.namespace}/{pod.name}" == target:
                claims = stranded(pod, facts)
                if not claims:
                    raise NotNow(f"no volume of {pod.name} is tied to a node that is gone")
                _others_serve(pod, facts, ensemble, now)
                return (*(DeleteClaim(claim) for claim in claims), DeletePod(pod.key))
    raise NotNow(f"{target} is not a member of any ensemble here")


def _others_serve(pod: Pod, facts: Facts, ensemble: Ensemble, now: float) -> None:
    others = [m for m in facts.members(ensemble) if m.pod.uid != pod.uid]
    silent = [m.pod.name for m in others if m.pod.terminating or not m.report.serving(now)]
    if silent:
        raise NotNow(f"{', '.join(silent)}: not serving, and only while all others serve is {pod.name}'s data given up")
    quorum = facts.quorum(ensemble, now)
    if quorum.health is not Health.QUORUM or quorum.serving < quorum.voters - 1:
        raise NotNow(f"{quorum.why or quorum.phrase()}, and only while all others serve is {pod.name}'s data given up")


def _budget(target: str, facts: Facts, ensembles: Sequence[Ensemble]) -> tuple[Mend, ...]:
    ensemble = next((e for e in ensembles if f"{e.namespace}/{e.name}" == target), None)
    if ensemble is None:
        raise NotNow(f"{target} is not an ensemble here")
    listed = facts.budgets_in(ensemble.namespace)
    if listed.value is None:
        raise NotNow(listed.why)
    covering = {b.name for pod in facts.members_pods(ensemble) for b in budgets_of(pod, listed.value)}
    if covering:
        raise NotNow(f"{', '.join(sorted(covering))} covers it already")
    selector = ensemble.statefulset.selector
    if selector is None or not selector.requirements:
        raise NotNow(f"{target} has no selector that a budget could use")
    return (
        CreateBudget(Budget(ensemble.namespace, f"{ensemble.name}-pdb", "", selector=selector, max_unavailable="1")),
    )


def words(change: Mend) -> str:
    """What is about to be done, for the journal."""
    match change:
        case TaintNode(node, taint):
            return f"taint {node.name} with {taint.key}={taint.value}:{taint.effect}"
        case CreateBudget(budget):
            return f"create the budget {budget.namespace}/{budget.name} with maxUnavailable {budget.max_unavailable}"
        case DeleteClaim(claim):
            return f"delete claim {claim.namespace}/{claim.name} (uid {claim.uid[:8]}), whose node is gone"
        case DeletePod(pod):
            return f"delete pod {pod.namespace}/{pod.name} (uid {pod.uid[:8]}), so that it comes back with a new claim"
