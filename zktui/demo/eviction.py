"""``pods/eviction``: whether a budget lets a pod go, and every reply of the real handler.

Follows the behaviour of Kubernetes' eviction REST storage, in its order: pods that need no budget first, then
the number of budgets, then the unready pod, then the budget's own state, and the preconditions only at the
deletion itself, after the budget was spent.
"""

from __future__ import annotations

from zktui.demo import errors
from zktui.demo.deletion import check_preconditions
from zktui.demo.errors import ApiError
from zktui.demo.names import now
from zktui.demo.objects import Object, child, condition, is_ready, labels_of, meta, name_of, namespace_of
from zktui.demo.requests import DeleteOptions
from zktui.demo.resources import BY_KEY
from zktui.demo.selectors import matches_selector
from zktui.demo.store import Store

PDB = "poddisruptionbudgets.policy"
MAX_DISRUPTED_PODS = 2000
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
TWO_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


def evict(store: Store, namespace: str, name: str, options: DeleteOptions) -> Object:
    """Evict the pod and return the Status of success (201); every refusal is an :class:`ApiError`.

    404 no such pod; 409 a precondition does not hold; 429 with the cause DisruptionBudget; 403 a budget whose
    numbers make no sense; 500 two budgets. A dry run checks everything and changes nothing.
    """
    pod = store.get("pods", namespace, name)
    if needs_no_budget(pod):
        _mark_and_delete(store, pod, options)
        return errors.success(code=201)
    budget = _budget_of(store, pod)
    if budget is None:
        _mark_and_delete(store, pod, options)
        return errors.success(code=201)
    if not _goes_unready(pod, budget):
        _spend(store, pod, budget, dry_run=options.dry_run)
    _mark_and_delete(store, pod, options)
    return errors.success(code=201)


def needs_no_budget(pod: Object) -> bool:
    """Pending, finished and terminating pods are deleted without asking a budget."""
    phase = child(pod, "status").get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(meta(pod).get("deletionTimestamp"))


def _budget_of(store: Store, pod: Object) -> Object | None:
    """The one budget that selects the pod. An empty selector selects every pod, none selects nothing."""
    found = [
        budget
        for budget in store.list(PDB, namespace_of(pod))[0]
        if matches_selector(child(budget, "spec").get("selector"), labels_of(pod))
    ]
    if len(found) > 1:
        raise ApiError(500, "", TWO_BUDGETS)
    return found[0] if found else None


def _goes_unready(pod: Object, budget: Object) -> bool:
    """An unready pod goes without spending the budget: always, or while the others are enough."""
    if is_ready(pod):
        return False
    if child(budget, "spec").get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = child(budget, "status")
    desired = int(status.get("desiredHealthy") or 0)
    return int(status.get("currentHealthy") or 0) >= desired > 0


def _refused(cause: str, retry_after: int) -> ApiError:
    causes: list[Object] = [{"reason": "DisruptionBudget", "message": cause}]
    return errors.too_many_requests(REFUSED, retry_after, causes)


def _spend(store: Store, pod: Object, budget: Object, *, dry_run: bool) -> None:
    """Check the budget, take one disruption off it and write down the pod; raises the 429 or 403."""
    name, status = name_of(budget), child(budget, "status")
    allowed = int(status.get("disruptionsAllowed") or 0)
    if int(status.get("observedGeneration") or 0) < int(meta(budget).get("generation") or 0):
        raise _refused(f"The disruption budget {name} is still being processed by the server.", 10)
    if allowed < 0:
        raise errors.forbidden("poddisruptionbudget.policy", name, "pdb disruptions allowed is negative")
    if len(child(status, "disruptedPods")) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise errors.forbidden("poddisruptionbudget.policy", name, why)
    if allowed == 0:
        raise _refused(_closed(budget), 0)
    if dry_run:
        return

    def spend(fresh: Object) -> None:
        fresh["status"]["disruptionsAllowed"] = allowed - 1
        fresh["status"]["disruptedPods"] = {**child(status, "disruptedPods"), name_of(pod): now()}
        if allowed == 1:
            set_disruption_allowed(fresh)

    store.change(PDB, namespace_of(budget), name, spend, status=True)


def _closed(budget: Object) -> str:
    """The cause's words when the budget allows nothing."""
    name, status = name_of(budget), child(budget, "status")
    found = condition(budget, "DisruptionAllowed") or {}
    says = found.get("status") == "False" and found.get("message")
    if says and found.get("reason") == "SyncFailed":
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {says}"
    current, desired = int(status.get("currentHealthy") or 0), int(status.get("desiredHealthy") or 0)
    if current <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
    if says:
        reason = found.get("reason", "")
        return f"The disruption budget {name} does not allow evicting pods currently ({reason}): {says}"
    return f"The disruption budget {name} does not allow evicting pods currently"


def set_disruption_allowed(budget: Object) -> None:
    """Set the condition DisruptionAllowed of a budget (in place) from its disruptionsAllowed."""
    enough = int(budget["status"].get("disruptionsAllowed") or 0) > 0
    held = budget["status"].setdefault("conditions", [])
    wanted: Object = {
        "type": "DisruptionAllowed",
        "status": "True" if enough else "False",
        "reason": "SufficientPods" if enough else "InsufficientPods",
        "message": "",
        "observedGeneration": int(budget["status"].get("observedGeneration") or 0),
    }
    old = next((entry for entry in held if entry.get("type") == "DisruptionAllowed"), None)
    if old is None:
        held.append({**wanted, "lastTransitionTime": now()})
        return
    if old.get("status") != wanted["status"]:
        old["lastTransitionTime"] = now()
    old.update(wanted)


def _mark_and_delete(store: Store, pod: Object, options: DeleteOptions) -> None:
    """Give the pod the condition DisruptionTarget, then delete it; 409 where a precondition does not hold."""
    space, name = namespace_of(pod), name_of(pod)
    check_preconditions(BY_KEY["pods"], pod, options.preconditions)
    if options.dry_run:
        return
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastProbeTime": None,
        "lastTransitionTime": now(),
    }

    def mark(fresh: Object) -> None:
        conditions = fresh["status"].setdefault("conditions", [])
        if not any(entry["type"] == "DisruptionTarget" for entry in conditions):
            conditions.append(target)

    store.change("pods", space, name, mark, status=True)
    store.delete("pods", space, name, grace_seconds=options.grace_seconds, propagation=options.propagation)
