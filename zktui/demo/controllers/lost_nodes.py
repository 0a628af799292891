"""Nodes whose kubelet says nothing any more: Unknown, tainted, and after a while without their pods."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from zktui.demo.controllers.base import Controller
from zktui.demo.controllers.nodes import LEASE_NAMESPACE, LEASES
from zktui.demo.names import now, parse_time
from zktui.demo.objects import Object, child, children, condition, is_ready, meta, name_of, namespace_of
from zktui.demo.store import thaw

GRACE = 50.0
"""Seconds without a renewed Lease until a node is Unknown (--node-monitor-grace-period since Kubernetes 1.32)."""
LOOK = 5.0
"""Seconds between two looks (--node-monitor-period)."""
UNREACHABLE = "node.kubernetes.io/unreachable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
SILENT = "Kubelet stopped posting node status."


class LostNodeController(Controller):
    """The node lifecycle controller, taint eviction, and the pod garbage collector for nodes out of service."""

    watches: ClassVar[frozenset[str]] = frozenset({"nodes"})

    def reconcile(self) -> float | None:
        due = LOOK
        for node in self.store.list("nodes")[0]:
            silent = self._silence(node)
            unknown = _is_unknown(node)
            if silent is not None and silent >= GRACE and not unknown:
                self._lose(node)
            elif silent is not None and silent < GRACE and unknown:
                self._find(node)
            if any(taint["effect"] == "NoExecute" for taint in children(node, "spec", "taints")):
                due = min(due, self._evict(self.store.get("nodes", "", name_of(node))))
        return due

    def _silence(self, node: Object) -> float | None:
        """Seconds since its kubelet renewed the Lease; None before there is one."""
        lease = self.store.find(LEASES, LEASE_NAMESPACE, name_of(node))
        renewed = child(lease or {}, "spec").get("renewTime")
        return _age(renewed) if renewed else None

    def _lose(self, node: Object) -> None:
        status = thaw(child(node, "status"))
        for entry in children(status, "conditions"):
            entry.update(status="Unknown", reason="NodeStatusUnknown", message=SILENT, lastTransitionTime=now())
        self.set_status("nodes", node, status)

        def taint(fresh: Object) -> None:
            effects = ("NoSchedule", "NoExecute")
            added = [{"key": UNREACHABLE, "effect": effect, "timeAdded": now()} for effect in effects]
            fresh["spec"]["taints"] = [*_others(fresh), *added]

        self.store.change("nodes", "", name_of(node), taint)
        words = f"Node {name_of(node)} status is now: NodeNotReady"
        self.events.record(node, "Normal", "NodeNotReady", words, component="node-controller")
        for pod in self._pods(node):
            if is_ready(pod):
                conditions = [
                    {**one, "status": "False", "lastTransitionTime": now()} if one["type"] == "Ready" else one
                    for one in children(pod, "status", "conditions")
                ]
                self.set_status("pods", pod, {**child(pod, "status"), "conditions": conditions})

    def _find(self, node: Object) -> None:
        """Its kubelet is back, and says itself how it is."""
        status = thaw(child(node, "status"))
        for entry in children(status, "conditions"):
            good = entry["type"] == "Ready"
            words = {"reason": "KubeletReady", "message": "kubelet is posting ready status"} if good else {}
            entry.update(status="True" if good else "False", lastHeartbeatTime=now(), lastTransitionTime=now(), **words)
        self.set_status("nodes", node, status)

        def clean(fresh: Object) -> None:
            fresh["spec"]["taints"] = _others(fresh)
            if not fresh["spec"]["taints"]:
                del fresh["spec"]["taints"]

        self.store.change("nodes", "", name_of(node), clean)

    def _evict(self, node: Object) -> float:
        """Delete the pods that don't tolerate the node's taints any longer; seconds until the next is due."""
        due = LOOK
        gone = any(taint["key"] == OUT_OF_SERVICE for taint in children(node, "spec", "taints"))
        for pod in self._pods(node):
            left = min((_left(pod, taint) for taint in children(node, "spec", "taints")), default=1e9)
            if meta(pod).get("deletionTimestamp") is None and left <= 0:
                words = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
                self.events.record(pod, "Normal", "TaintManagerEviction", words, component="taint-eviction-controller")
                self.store.delete("pods", namespace_of(pod), name_of(pod))
            if gone and not is_ready(node) and left <= 0:
                self.store.delete("pods", namespace_of(pod), name_of(pod), grace_seconds=0)
            due = min(due, max(left, 0.1))
        return due

    def _pods(self, node: Object) -> list[Object]:
        return self.store.list("pods", None, "", f"spec.nodeName={name_of(node)}")[0]


def _others(node: Object) -> list[Any]:
    return [taint for taint in children(node, "spec", "taints") if taint["key"] != UNREACHABLE]


def _is_unknown(node: Object) -> bool:
    ready = condition(node, "Ready")
    return ready is not None and ready["status"] == "Unknown" and ready.get("message") == SILENT


def _left(pod: Object, taint: Object) -> float:
    """Seconds that the pod may stay under that taint."""
    if taint["effect"] != "NoExecute":
        return 1e9
    spared = 0.0
    for toleration in children(pod, "spec", "tolerations"):
        key = toleration.get("key")
        same = toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")
        if toleration.get("effect") in (None, "", "NoExecute") and (not key or (key == taint["key"] and same)):
            seconds = toleration.get("tolerationSeconds")
            spared = 1e9 if seconds is None else max(spared, float(seconds))
    return spared - (_age(taint["timeAdded"]) if taint.get("timeAdded") else 0.0)


def _age(stamp: str) -> float:
    return (datetime.now(UTC) - parse_time(stamp)).total_seconds()
