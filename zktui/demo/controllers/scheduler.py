"""Gives pods to nodes, or says in the scheduler's words why none will do."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import ClassVar

from zktui.demo.controllers.base import Controller
from zktui.demo.controllers.claims import CLASS
from zktui.demo.controllers.filters import Placement, Rejection, guarded_from, reject, requested
from zktui.demo.names import now
from zktui.demo.objects import Object, child, children, condition, meta, name_of, namespace_of
from zktui.demo.store import thaw

NAME = "default-scheduler"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


class Scheduler(Controller):
    """Binds pending pods to the fitting node with the fewest pods, the least cpu, the first name."""

    watches: ClassVar[frozenset[str]] = frozenset({"pods", "nodes", "persistentvolumeclaims", "persistentvolumes"})

    def reconcile(self) -> float | None:
        for pod in self.store.list("pods", field_selector="spec.nodeName=")[0]:
            waiting = child(pod, "status").get("phase") == "Pending" and not meta(pod).get("deletionTimestamp")
            if (
                waiting
                and child(pod, "spec").get("schedulerName") == NAME
                and not children(pod, "spec", "schedulingGates")
            ):
                self._schedule(pod)
        return None

    def _schedule(self, pod: Object) -> None:
        nodes = self.store.list("nodes")[0]
        claim = self._missing_claim(pod)
        if claim is not None:
            if claim:
                self._unschedulable(pod, f"0/{len(nodes)} nodes are available: {claim}.")
            return
        bound: dict[str, list[Object]] = {name_of(node): [] for node in nodes}
        for other in self.store.list("pods")[0]:
            node = child(other, "spec").get("nodeName")
            if node in bound and child(other, "status").get("phase") not in ("Succeeded", "Failed"):
                bound[node].append(other)
        places = [Placement(node, bound[name_of(node)]) for node in nodes]
        volumes, guarded = self._volumes(pod), guarded_from(pod, places)
        rejections: list[Rejection] = []
        fitting: list[Placement] = []
        for place in places:
            why = reject(pod, place, places, volumes, guarded)
            if why is None:
                fitting.append(place)
            else:
                rejections.append(why)
        if fitting:
            self._bind(pod, min(fitting, key=_load))
        else:
            self._unschedulable(pod, explain(len(nodes), rejections))

    def _missing_claim(self, pod: Object) -> str | None:
        """None when all claims are bound; words for one that isn't there; "" for one that will be bound soon."""
        for name, claim in self._claims(pod):
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if meta(claim).get("deletionTimestamp"):
                return f'persistentvolumeclaim "{name}" is being deleted'
            if child(claim, "status").get("phase") != "Bound":
                known = child(claim, "spec").get("storageClassName") in (None, CLASS)
                return "" if known else "pod has unbound immediate PersistentVolumeClaims"
        return None

    def _claims(self, pod: Object) -> list[tuple[str, Object | None]]:
        """The names of the pod's claims, and those that there are."""
        sources = [child(volume, "persistentVolumeClaim") for volume in children(pod, "spec", "volumes")]
        names = [source["claimName"] for source in sources if source]
        return [(name, self.store.find("persistentvolumeclaims", namespace_of(pod), name)) for name in names]

    def _volumes(self, pod: Object) -> list[Object | None]:
        """What its claims are bound to; None for a volume that is gone."""
        names = [child(claim or {}, "spec").get("volumeName") for _, claim in self._claims(pod)]
        return [self.store.find("persistentvolumes", "", name) for name in names if name]

    def _bind(self, pod: Object, place: Placement) -> None:
        node = name_of(place.node)
        fresh = thaw(pod)
        fresh["spec"]["nodeName"] = node
        stored = thaw(self.store.update("pods", fresh))
        kept = [entry for entry in children(stored, "status", "conditions") if entry["type"] != "PodScheduled"]
        kept.append({"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now()})
        self.set_status("pods", stored, {**child(stored, "status"), "conditions": kept})
        words = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        self.events.record(pod, "Normal", "Scheduled", words, component=NAME)

    def _unschedulable(self, pod: Object, words: str) -> None:
        old = condition(pod, "PodScheduled")
        if old is not None and old.get("message") == words:
            return
        changed = old["lastTransitionTime"] if old is not None and old["status"] == "False" else now()
        entry = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        kept = [entry for entry in children(pod, "status", "conditions") if entry["type"] != "PodScheduled"]
        kept.append({**entry, "lastProbeTime": None, "lastTransitionTime": changed})
        self.set_status("pods", pod, {**child(pod, "status"), "conditions": kept})
        self.events.record(pod, "Warning", "FailedScheduling", words, component=NAME)


def _load(place: Placement) -> tuple[int, Decimal, str]:
    used = sum((requested(pod, "cpu") for pod in place.pods), Decimal(0))
    return len(place.pods), used, name_of(place.node)


def explain(total: int, rejections: list[Rejection]) -> str:
    """The message of the scheduler's FitError, with what preemption says to it."""
    if not total:
        return "no nodes available to schedule pods"
    reasons = Counter(reason for entry in rejections for reason in entry.reasons)
    preemption = Counter(NO_VICTIMS if entry.resolvable else NOT_HELPFUL for entry in rejections)
    return (
        f"0/{total} nodes are available: {_histogram(reasons)}. "
        f"preemption: 0/{total} nodes are available: {_histogram(preemption)}."
    )


def _histogram(counts: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
