"""StatefulSets: ordinals, claims, ordered and parallel management, rolling updates.

The order of decisions is that of Kubernetes' ``updateStatefulSet``: replicas from the lowest ordinal up, then
those too many from the highest down, then the rolling update from the highest down. With OrderedReady each
step waits for the one before it.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import ClassVar

from zktui.demo.controllers.adoption import adopt
from zktui.demo.controllers.base import Controller, controller_of
from zktui.demo.controllers.retention import own_claims
from zktui.demo.controllers.revisions import HASH_LABEL, REVISIONS, sync_revisions, template_of, truncate
from zktui.demo.names import ordinal, parse_time
from zktui.demo.objects import Object, child, children, condition, is_ready, labels_of, meta, name_of, namespace_of
from zktui.demo.selectors import matches_selector

SETS = "statefulsets.apps"
NAME = "statefulset-controller"


class StatefulSetController(Controller):
    """Keeps pods, claims, revisions and status of every StatefulSet."""

    watches: ClassVar[frozenset[str]] = frozenset({SETS, "pods", REVISIONS})

    def reconcile(self) -> float | None:
        sets = [one for one in self.store.list(SETS)[0] if not meta(one).get("deletionTimestamp")]
        return min(filter(None, [_Sync(self, one).run() for one in sets]), default=None)


class _Sync:
    """One look at one set."""

    def __init__(self, controller: Controller, stateful_set: Object) -> None:
        self._store, self._controller, self._set = controller.store, controller, stateful_set
        self._spec, self._name = child(stateful_set, "spec"), name_of(stateful_set)
        self._space = namespace_of(stateful_set)
        self._ordered = self._spec.get("podManagementPolicy") != "Parallel"
        self._start = int(child(self._spec, "ordinals").get("start") or 0)
        self._owner: Object = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": self._name,
            "uid": meta(stateful_set)["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        adopt(self._store, stateful_set, self._owner)
        self._current, self._update = sync_revisions(self._store, stateful_set, self._owner)

    def run(self) -> float | None:
        """Act, then write the status; seconds until a Ready pod becomes available, if one has yet to."""
        own_claims(self._store, self._set, self._owner, self._pods(), self._wanted())
        if self._replicas() and self._condemned():
            self._roll()
        self._write_status()
        waits = [self._unavailable_for(pod) for pod in self._pods().values() if is_ready(pod)]
        return min(filter(None, waits), default=None)

    def _unavailable_for(self, pod: Object) -> float:
        """Seconds until the pod, Ready now, has been so for minReadySeconds."""
        found = condition(pod, "Ready") or {}
        since = parse_time(found["lastTransitionTime"]) if found.get("lastTransitionTime") else None
        passed = (datetime.now(UTC) - since).total_seconds() if since else 0.0
        return max(0.0, float(self._spec.get("minReadySeconds") or 0) - passed)

    def _available(self, pod: Object) -> bool:
        return is_ready(pod) and not _leaving(pod) and not self._unavailable_for(pod)

    def _pods(self) -> dict[int, Object]:
        """The set's pods by ordinal, as they are now."""
        found: dict[int, Object] = {}
        for pod in self._store.list("pods", self._space)[0]:
            owner = controller_of(pod)
            number = ordinal(self._name, name_of(pod))
            ours = owner is not None and owner["uid"] == self._owner["uid"] and number >= 0
            if ours and matches_selector(self._spec.get("selector"), labels_of(pod)):
                found[number] = pod
        return found

    def _wanted(self) -> range:
        return range(self._start, self._start + int(self._spec.get("replicas", 1)))

    # -- replicas ----------------------------------------------------------------------------------------

    def _replicas(self) -> bool:
        """Make what is missing; False when the rest has to wait."""
        pods, going_on = self._pods(), True
        for number in self._wanted():
            pod = pods.get(number)
            if pod is not None and not _leaving(pod) and child(pod, "status").get("phase") in ("Failed", "Succeeded"):
                self._delete(pod)
                pod = None
            if pod is None:
                pod = self._create(number)
            if self._ordered and (pod is None or not self._available(pod)):
                return False
            going_on = going_on and pod is not None
        return going_on

    def _create(self, number: int) -> Object | None:
        name = f"{self._name}-{number}"
        taken = self._store.find("pods", self._space, name)
        if taken is not None:
            return None  # a pod of that name that is not ours, or that has not gone yet
        self._make_claims(name)
        pod = self._store.create("pods", self._new_pod(number))
        self._event("SuccessfulCreate", f"Create Pod {name} in StatefulSet {self._name} successful")
        return pod

    def _new_pod(self, number: int) -> Object:
        """A pod of the revision that its ordinal is due: below the partition the current one, else the new."""
        partition = int(child(self._spec, "updateStrategy", "rollingUpdate").get("partition") or 0)
        revision = self._current if number < self._start + partition else self._update
        template, name = template_of(revision), f"{self._name}-{number}"
        metadata, spec = child(template, "metadata"), copy.deepcopy(template["spec"])
        labels = {
            **child(metadata, "labels"),
            "apps.kubernetes.io/pod-index": str(number),
            HASH_LABEL: name_of(revision),
            "statefulset.kubernetes.io/pod-name": name,
        }
        spec["hostname"], spec["subdomain"] = name, self._spec.get("serviceName", "")
        claims = {entry["metadata"]["name"] for entry in children(self._spec, "volumeClaimTemplates")}
        volumes = [
            {"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}"}} for claim in sorted(claims)
        ]
        spec["volumes"] = volumes + [entry for entry in children(spec, "volumes") if entry["name"] not in claims]
        own: Object = {"name": name, "namespace": self._space, "labels": labels, "ownerReferences": [self._owner]}
        own["generateName"] = f"{self._name}-"
        if child(metadata, "annotations"):
            own["annotations"] = child(metadata, "annotations")
        return {"metadata": own, "spec": spec}

    def _make_claims(self, pod: str) -> None:
        for template in children(self._spec, "volumeClaimTemplates"):
            name = f"{template['metadata']['name']}-{pod}"
            if self._store.find("persistentvolumeclaims", self._space, name) is not None:
                continue
            labels = {**child(template, "metadata", "labels"), **child(self._spec, "selector", "matchLabels")}
            metadata = {"name": name, "namespace": self._space, "labels": labels}
            self._store.create(
                "persistentvolumeclaims", {"metadata": metadata, "spec": copy.deepcopy(template["spec"])}
            )
            self._event("SuccessfulCreate", f"Create Claim {name} Pod {pod} in StatefulSet {self._name} success")

    # -- too many ----------------------------------------------------------------------------------------

    def _condemned(self) -> bool:
        """Delete what is beyond the replicas, from the highest; False when the rest has to wait."""
        pods = self._pods()
        surplus = sorted((number for number in pods if number not in self._wanted()), reverse=True)
        for number in surplus:
            pod = pods[number]
            if not _leaving(pod):
                unready = [other for other in pods if other < number and not is_ready(pods[other])]
                if self._ordered and unready and is_ready(pod):
                    return False
                self._delete(pod)
            if self._ordered:
                return False
        return not surplus or not self._ordered

    # -- rolling update ------------------------------------------------------------------------------------

    def _roll(self) -> None:
        """Delete pods of an old revision, from the highest, as long as no more than maxUnavailable are away.

        Under Parallel, Kubernetes 1.37 deletes every pod of an old revision that is not available anyway, at once
        and whatever maxUnavailable says: an election that leaves members unready for a moment is enough for that.
        """
        strategy = child(self._spec, "updateStrategy")
        if strategy.get("type") == "OnDelete":
            return
        rolling = child(strategy, "rollingUpdate")
        pods = [pod for number, pod in sorted(self._pods().items(), reverse=True) if number in self._wanted()]
        lowest = self._start + int(rolling.get("partition") or 0)
        old = [pod for pod in pods if self._is_old(pod) and not _leaving(pod)]
        targets = [pod for pod in old if ordinal(self._name, name_of(pod)) >= lowest]
        away = len(self._wanted()) - sum(1 for pod in pods if self._available(pod))
        left = _max_unavailable(rolling, len(self._wanted())) - away
        if self._ordered:
            for pod in targets[: max(left, 0)]:
                self._delete(pod)
            return
        if left <= 0 and all(self._available(pod) for pod in old):
            return
        for pod in targets:
            if not self._available(pod):
                self._delete(pod)
        for pod in [pod for pod in targets if self._available(pod)][: max(left, 0)]:
            self._delete(pod)

    def _is_old(self, pod: Object) -> bool:
        return labels_of(pod).get(HASH_LABEL) != name_of(self._update)

    def _delete(self, pod: Object) -> None:
        self._store.delete("pods", self._space, name_of(pod), preconditions={"uid": meta(pod)["uid"]})
        self._event("SuccessfulDelete", f"Delete Pod {name_of(pod)} in StatefulSet {self._name} successful")

    def _event(self, reason: str, words: str) -> None:
        self._controller.events.record(self._set, "Normal", reason, words, component=NAME)

    # -- status ------------------------------------------------------------------------------------------

    def _write_status(self) -> None:
        pods = list(self._pods().values())
        alive = [pod for pod in pods if not _leaving(pod)]
        ready = sum(1 for pod in pods if is_ready(pod))
        updated = sum(1 for pod in alive if labels_of(pod).get(HASH_LABEL) == name_of(self._update))
        current = sum(1 for pod in alive if labels_of(pod).get(HASH_LABEL) == name_of(self._current))
        revision = name_of(self._current)
        wanted = int(self._spec.get("replicas", 1))
        done = updated == len(pods) == ready == wanted
        if done and child(self._spec, "updateStrategy").get("type") == "RollingUpdate":
            revision, current = name_of(self._update), updated
        status: Object = {
            "observedGeneration": meta(self._set)["generation"],
            "replicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": sum(1 for pod in pods if is_ready(pod) and not self._unavailable_for(pod)),
            "currentReplicas": current,
            "updatedReplicas": updated,
            "currentRevision": revision,
            "updateRevision": name_of(self._update),
            "collisionCount": 0,
        }
        self._controller.set_status(SETS, self._set, status)
        live = {labels_of(pod).get(HASH_LABEL, "") for pod in pods} | {revision, name_of(self._update)}
        truncate(self._store, self._set, live)


def _max_unavailable(rolling: Object, replicas: int) -> int:
    """One unless the strategy says otherwise; a percentage is rounded down, and never to zero."""
    value = rolling.get("maxUnavailable")
    if isinstance(value, str) and value.endswith("%"):
        value = replicas * int(value[:-1]) // 100
    return max(int(value), 1) if value is not None else 1


def _leaving(pod: Object) -> bool:
    return bool(meta(pod).get("deletionTimestamp"))
