"""Pods that only seem to run, so that a program can be tried on a big cluster without one.

They have an owner, a node, a Ready status and no process: nothing can be typed in them, and they have no logs. Drained
or deleted they go at once, and nobody makes them anew. Beyond the nodes that have addresses of their own, nodes carry a
taint, so that whatever needs a process runs elsewhere.
"""

from __future__ import annotations

from zktui.demo.defaults import apply_defaults
from zktui.demo.names import now
from zktui.demo.network import ADDRESSED
from zktui.demo.objects import Object, meta
from zktui.demo.pod_conditions import READY_TYPES
from zktui.demo.resources import BY_KEY
from zktui.demo.store import Store, thaw

NAMESPACE = "sleeping"
OWNER = "sleep"
LABELS = {"app": "sleep"}
TAINT = {"key": "zktui.demo/sleeping", "effect": "NoSchedule"}


def is_asleep(pod: Object) -> bool:
    """Is that one of these pods?"""
    return meta(pod).get("namespace") == NAMESPACE and meta(pod).get("labels") == LABELS


def put_to_sleep(store: Store, nodes: int, count: int) -> None:
    """``count`` such pods, evenly on the nodes without an address, or on all ``nodes`` where every node has one."""
    store.create("namespaces", {"metadata": {"name": NAMESPACE}})
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [_container()], "tolerations": [_toleration()]}}
    spec = {"replicas": count, "selector": {"matchLabels": LABELS}, "template": template}
    body = {"metadata": {"name": OWNER, "namespace": NAMESPACE}, "spec": spec}
    owner = store.create("replicasets.apps", {**body, "status": {"replicas": count, "readyReplicas": count}})
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": OWNER,
        "uid": meta(owner)["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    model = _model(template["spec"], reference)
    first = ADDRESSED + 1 if nodes > ADDRESSED else 1
    for place in range(count):
        number = first + place % (nodes - first + 1)
        name = f"{OWNER}-{place:05}"
        metadata = {**meta(model), "name": name, "uid": f"5ee90000-0000-4000-8000-{place:012}"}
        store.load("pods", {**model, "metadata": metadata, "spec": {**model["spec"], "nodeName": f"node-{number}"}})


def _container() -> Object:
    return {"name": "sleep", "image": "zookeeper:3.9", "command": ["sleep", "86400"]}


def _toleration() -> Object:
    return {"key": TAINT["key"], "operator": "Exists"}


def _model(spec: Object, owner: Object) -> Object:
    """What all of them share: objects of the store are never changed in place."""
    stamp = now()
    pod: Object = {"kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": thaw(spec)}
    apply_defaults(BY_KEY["pods"], pod)
    pod["metadata"] = {
        "namespace": NAMESPACE,
        "labels": LABELS,
        "ownerReferences": [owner],
        "creationTimestamp": stamp,
        "generation": 1,
        "generateName": f"{OWNER}-",
    }
    status = {
        "name": "sleep",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "image": "zookeeper:3.9",
        "imageID": "rehearsal://zookeeper:3.9",
        "state": {"running": {"startedAt": stamp}},
        "lastState": {},
    }
    pod["status"] = {
        "phase": "Running",
        "qosClass": "BestEffort",
        "startTime": stamp,
        "conditions": [
            {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp} for kind in READY_TYPES
        ],
        "containerStatuses": [status],
    }
    return pod
