"""Budgets: how many pods may be disrupted now. The arithmetic of Kubernetes' disruption controller."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from zktui.demo.controllers.base import Controller, controller_of
from zktui.demo.names import now, parse_time
from zktui.demo.objects import Object, child, condition, is_ready, labels_of, meta, name_of, namespace_of
from zktui.demo.resources import BY_KIND
from zktui.demo.selectors import matches_selector

BUDGETS = "poddisruptionbudgets.policy"
EXPIRY = timedelta(minutes=2)
"""How long an allowed eviction counts against the budget while its pod is not seen to go (DeletionTimeout)."""
SCALED = {"StatefulSet": "statefulsets.apps", "ReplicaSet": "replicasets.apps"}


def scaled(value: Any, total: int) -> int:
    """A number, or a percentage of ``total`` rounded up, as Kubernetes rounds both fields of a budget."""
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * total / 100)
    return int(value)


class NoController(Exception):
    """The scale that a budget is relative to can't be found; the message is Kubernetes'."""


class DisruptionController(Controller):
    """Keeps ``status`` of every PodDisruptionBudget."""

    watches: ClassVar[frozenset[str]] = frozenset({BUDGETS, "pods", *SCALED.values()})

    def reconcile(self) -> float | None:
        due: list[float] = []
        for budget in self.store.list(BUDGETS)[0]:
            again = self._reconcile(budget)
            if again is not None:
                due.append(again)
        return min(due, default=None)

    def _reconcile(self, budget: Object) -> float | None:
        spec = child(budget, "spec")
        pods = [
            pod
            for pod in self.store.list("pods", namespace_of(budget))[0]
            if matches_selector(spec.get("selector"), labels_of(pod))
        ]
        try:
            expected, desired = self._wanted(spec, pods)
        except NoController as why:
            self._fail(budget, str(why))
            return None
        held, again = self._disrupted(budget, pods)
        healthy = sum(1 for pod in pods if is_ready(pod) and not _leaving(pod) and name_of(pod) not in held)
        allowed = max(healthy - desired, 0) if expected > 0 else 0
        generation = int(meta(budget).get("generation", 1))
        status: Object = {
            "observedGeneration": generation,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "disruptionsAllowed": allowed,
            "conditions": [_condition(budget, "SufficientPods" if allowed else "InsufficientPods", "", generation)],
        }
        if held:
            status["disruptedPods"] = held
        self.set_status(BUDGETS, budget, status)
        return again

    def _fail(self, budget: Object, why: str) -> None:
        """Allow nothing, and leave the rest as it was: observedGeneration stays behind a changed budget."""
        words = f"Failed to calculate the number of expected pods: {why}"
        self.events.record(budget, "Warning", "CalculateExpectedPodCountFailed", words, component="controllermanager")
        seen = int(child(budget, "status").get("observedGeneration") or 0)
        failed = _condition(budget, "SyncFailed", why, seen)
        status = {**child(budget, "status"), "disruptionsAllowed": 0, "conditions": [failed]}
        self.set_status(BUDGETS, budget, status)

    def _wanted(self, spec: Object, pods: list[Object]) -> tuple[int, int]:
        """(expectedPods, desiredHealthy): relative to the controllers' scale, unless minAvailable is a number.

        Raises :class:`NoController`.
        """
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if most is not None:
            expected = self._scale(pods)
            return expected, max(expected - scaled(most, expected), 0)
        if isinstance(least, str):
            expected = self._scale(pods)
            return expected, scaled(least, expected)
        return len(pods), int(least or 0)

    def _scale(self, pods: list[Object]) -> int:
        """The sum of the replicas of all controllers of these pods; pods that have no owner don't count.

        Raises :class:`NoController` for an owner that is gone or that can't be scaled.
        """
        total, seen = 0, set[str]()
        for pod in pods:
            owner = controller_of(pod)
            if owner is None or owner["uid"] in seen:
                continue
            seen.add(owner["uid"])
            resource = SCALED.get(owner["kind"])
            info = BY_KIND.get((owner["apiVersion"], owner["kind"]))
            if info is not None and info.subresource("scale") is None:
                raise NoController(f"{info.key} does not implement the scale subresource")
            found = self.store.find(resource, namespace_of(pod), owner["name"]) if resource else None
            if found is None or meta(found)["uid"] != owner["uid"]:
                raise NoController(f'found no controllers for pod "{name_of(pod)}"')
            total += int(child(found, "spec").get("replicas", 1))
        return total

    def _disrupted(self, budget: Object, pods: list[Object]) -> tuple[dict[str, str], float | None]:
        """Evictions that were allowed and whose pods don't leave yet, and seconds until the next expires."""
        present = {name_of(pod): pod for pod in pods}
        held: dict[str, str] = {}
        left: list[float] = []
        for name, stamp in child(budget, "status", "disruptedPods").items():
            pod = present.get(name)
            if pod is None or _leaving(pod):
                continue
            remaining = (parse_time(stamp) + EXPIRY - datetime.now(UTC)).total_seconds()
            if remaining > 0:
                held[name] = stamp
                left.append(remaining)
            else:
                words = "Pod was expected by PDB to be deleted but it wasn't"
                self.events.record(pod, "Warning", "NotDeleted", words, component="controllermanager")
        return held, min(left, default=None)


def _leaving(pod: Object) -> bool:
    return bool(meta(pod).get("deletionTimestamp"))


def _condition(budget: Object, reason: str, message: str, generation: int) -> Object:
    """The condition DisruptionAllowed, with the time of its last change."""
    status = "True" if reason == "SufficientPods" else "False"
    old = condition(budget, "DisruptionAllowed")
    same = old is not None and old.get("status") == status
    return {
        "type": "DisruptionAllowed",
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": old["lastTransitionTime"] if old is not None and same else now(),
    }
