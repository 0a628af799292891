"""The nodes: made at the start, kept Ready by heartbeats, tainted when they are cordoned."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any, ClassVar

from zktui.demo.controllers.base import Controller
from zktui.demo.events import EventRecorder
from zktui.demo.kubelet import NODE_NUMBER
from zktui.demo.names import now, now_micro, parse_time
from zktui.demo.network import ADDRESSED, Network
from zktui.demo.objects import Object, child, children, condition, meta, name_of
from zktui.demo.sleeping import TAINT
from zktui.demo.store import Store, thaw

LEASES = "leases.coordination.k8s.io"
LEASE_NAMESPACE = "kube-node-lease"
RENEWED, REPORTED = 10.0, 300.0
"""Seconds between the renewals of a node's Lease, and between reports of its conditions: the kubelet's."""
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def create_node(store: Store, network: Network, number: int, version: str) -> None:
    """Make ``node-N``, as its kubelet registers it. ``version`` is the kubelet's, such as v1.34.0."""
    name = f"node-{number}"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "topology.kubernetes.io/region": "rehearsal",
        "topology.kubernetes.io/zone": f"rehearsal-{'abc'[(number - 1) % 3]}",
        NODE_NUMBER: str(number),
    }
    stamp = now()
    capacity = {"cpu": "4", "memory": "4Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    status: Object = {
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": network.node_ip(number)},
            {"type": "Hostname", "address": name},
        ],
        "conditions": [
            {"type": kind, "status": value, "reason": reason, "message": words, "lastHeartbeatTime": stamp}
            | {"lastTransitionTime": stamp}
            for kind, value, reason, words in CONDITIONS
        ],
        "nodeInfo": {
            "architecture": machine,
            "bootID": "",
            "containerRuntimeVersion": "rehearsal://1",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": version,
            "machineID": name,
            "operatingSystem": "linux",
            "osImage": "zktui rehearsal cluster",
            "systemUUID": name,
        },
    }
    cidr = network.node_cidr(number)
    spec: Object = {"podCIDR": cidr, "podCIDRs": [cidr]}
    if number > ADDRESSED:
        spec["taints"] = [TAINT]
    store.create("nodes", {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": status})


class NodeController(Controller):
    """Heartbeats in place of each node's kubelet, and the node lifecycle controller's taint for a cordon."""

    watches: ClassVar[frozenset[str]] = frozenset({"nodes"})

    def __init__(self, store: Store, events: EventRecorder, stopped: set[str] | None = None) -> None:
        """``stopped`` holds the names of nodes whose kubelet is silent."""
        super().__init__(store, events)
        self._stopped = stopped if stopped is not None else set[str]()

    def reconcile(self) -> float | None:
        for node in self.store.list("nodes")[0]:
            self._taint(node)
            if name_of(node) not in self._stopped:
                self._renew(node)
                self._report(self.store.get("nodes", "", name_of(node)))
        return RENEWED / 2

    def _taint(self, node: Object) -> None:
        cordoned = bool(child(node, "spec").get("unschedulable"))
        taints: list[Any] = children(node, "spec", "taints")
        if cordoned == any(taint["key"] == UNSCHEDULABLE for taint in taints):
            return
        kept = [taint for taint in taints if taint["key"] != UNSCHEDULABLE]
        if cordoned:
            kept.append({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": now()})
        fresh = thaw(node)
        fresh["spec"]["taints"] = kept
        if not kept:
            del fresh["spec"]["taints"]
        self.store.update("nodes", fresh)
        words = f"Node {name_of(node)} status is now: Node{'Not' if cordoned else ''}Schedulable"
        reason = f"Node{'Not' if cordoned else ''}Schedulable"
        self.events.record(node, "Normal", reason, words, component="kubelet", host=name_of(node))

    def _renew(self, node: Object) -> None:
        name = name_of(node)
        held = self.store.find(LEASES, LEASE_NAMESPACE, name)
        if held is None:
            owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": meta(node)["uid"]}
            metadata = {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
            spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now_micro()}
            self.store.create(LEASES, {"metadata": metadata, "spec": spec})
        elif _older(child(held, "spec").get("renewTime"), RENEWED):
            fresh = thaw(held)
            fresh["spec"] = {**child(held, "spec"), "renewTime": now_micro()}
            self.store.update(LEASES, fresh)

    def _report(self, node: Object) -> None:
        ready = condition(node, "Ready")
        if ready is not None and _older(ready.get("lastHeartbeatTime"), REPORTED):
            status = thaw(child(node, "status"))
            for entry in status["conditions"]:
                entry["lastHeartbeatTime"] = now()
            self.set_status("nodes", node, status)


def _older(stamp: str | None, seconds: float) -> bool:
    return not stamp or (datetime.now(UTC) - parse_time(stamp)).total_seconds() >= seconds
