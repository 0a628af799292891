"""The server's side of ``kubectl get``: objects as rows of a ``meta.k8s.io/v1`` Table.

A column is (name, priority, cell); columns of priority 1 are those of ``-o wide``. Names, order and contents
are those of Kubernetes' own printers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zktui.demo.errors import bad_request
from zktui.demo.objects import Object, child, children, labels_of, meta
from zktui.demo.podstatus import container_statuses, pod_restarts, pod_status, readiness_gates
from zktui.demo.quantities import age
from zktui.demo.resources import Resource

Cell = Callable[[Object], Any]
Column = tuple[str, int, Cell]
NONE = "<none>"
UNSET = "<unset>"
UNKNOWN = "<unknown>"


def table(
    resource: Resource,
    objects: list[Object],
    metadata: Object,
    *,
    include: str = "Metadata",
    header: bool = True,
) -> Object:
    """A Table of the objects; ``metadata`` is a list's or an object's, ``include`` as :func:`included` gives it."""
    columns = COLUMNS.get(resource.key, DEFAULT)
    kept = {key: metadata[key] for key in ("resourceVersion", "continue", "remainingItemCount") if key in metadata}
    rows = [{"cells": [cell(obj) for _, _, cell in columns], **_row_object(obj, include)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": kept,
        "columnDefinitions": [_definition(resource, *column[:2]) for column in columns] if header else None,
        "rows": rows,
    }


def included(query: Mapping[str, str]) -> str:
    """The query's includeObject: None, Metadata or Object; 400 for anything else."""
    wanted = query.get("includeObject") or "Metadata"
    if wanted not in ("None", "Metadata", "Object"):
        words = f"includeObject: Invalid value: \"{wanted}\": must be 'Metadata', 'Object', 'None', or empty"
        raise bad_request(f"Unable to convert to Table as requested: {words}")
    return wanted


def _definition(resource: Resource, name: str, priority: int) -> Object:
    kind = "integer" if name in INTEGERS.get(resource.key, ()) else "string"
    shown = "name" if name == "Name" else ""
    return {"name": name, "type": kind, "format": shown, "description": "", "priority": priority}


def _row_object(obj: Object, include: str) -> Object:
    if include == "None":
        return {"object": None}
    return {"object": obj if include == "Object" else partial_metadata(obj)}


def partial_metadata(obj: Object) -> Object:
    """The object's metadata alone, as ``PartialObjectMetadata``."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


# -- cells ---------------------------------------------------------------------------------------------


def _name(obj: Object) -> str:
    return obj["metadata"].get("name", "")


def _age(obj: Object) -> str:
    return age(meta(obj).get("creationTimestamp"))


def _at(*path: str, default: Any = "") -> Cell:
    """The value at that path."""

    def cell(obj: Object) -> Any:
        value = child(obj, *path[:-1]).get(path[-1])
        return default if value in (None, "") else value

    return cell


def selector_text(selector: Object) -> str:
    """A LabelSelector, or a plain map of labels, as text."""
    structured = "matchLabels" in selector or "matchExpressions" in selector
    labels = child(selector, "matchLabels") if structured else selector
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    for rule in children(selector, "matchExpressions"):
        values = ",".join(rule.get("values") or [])
        text = {
            "In": f"{rule['key']} in ({values})",
            "NotIn": f"{rule['key']} notin ({values})",
            "Exists": rule["key"],
            "DoesNotExist": f"!{rule['key']}",
        }
        terms.append(text.get(rule["operator"], rule["key"]))
    return ",".join(terms) or NONE


def _selector(obj: Object) -> str:
    return selector_text(child(obj, "spec", "selector"))


def _containers(obj: Object) -> list[Object]:
    return children(obj, "spec", "template", "spec", "containers")


def _container_names(obj: Object) -> str:
    return ",".join(container["name"] for container in _containers(obj))


def _images(obj: Object) -> str:
    return ",".join(container.get("image", "") for container in _containers(obj))


def _counts(ready: str, wanted: Cell) -> Cell:
    return lambda obj: f"{child(obj, 'status').get(ready) or 0}/{wanted(obj)}"


_replicas = _at("spec", "replicas", default=0)


def _pod_ready(obj: Object) -> str:
    statuses = container_statuses(obj)
    return f"{sum(bool(entry.get('ready')) for entry in statuses)}/{len(children(obj, 'spec', 'containers'))}"


def _node_status(obj: Object) -> str:
    ready = [entry for entry in children(obj, "status", "conditions") if entry.get("type") == "Ready"]
    words = [("Ready" if entry.get("status") == "True" else "NotReady") for entry in ready] or ["Unknown"]
    if child(obj, "spec").get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in labels_of(obj) if key.startswith(prefix))
    return ",".join(roles) or NONE


def _address(kind: str) -> Cell:
    def cell(obj: Object) -> str:
        found = (entry["address"] for entry in children(obj, "status", "addresses") if entry["type"] == kind)
        return next(found, NONE)

    return cell


def _budget_bound(field: str) -> Cell:
    return lambda obj: str(child(obj, "spec").get(field, "N/A"))


def _service_ports(obj: Object) -> str:
    ports = [f"{port['port']}/{port.get('protocol', 'TCP')}" for port in children(obj, "spec", "ports")]
    return ",".join(ports) or NONE


def _claim_status(obj: Object) -> str:
    return "Terminating" if meta(obj).get("deletionTimestamp") else child(obj, "status").get("phase", "")


def _claim_capacity(obj: Object) -> str:
    return child(obj, "status", "capacity").get("storage", "")


_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _modes(obj: Object) -> str:
    held = children(obj, "status", "accessModes") or children(obj, "spec", "accessModes")
    return ",".join(_MODES.get(mode, str(mode)) for mode in held)


def _claim_of(obj: Object) -> str:
    claim = child(obj, "spec", "claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _last_seen(obj: Object) -> str:
    series = child(obj, "series")
    last = series.get("lastObservedTime") or obj.get("lastTimestamp") or obj.get("eventTime")
    return age(last or meta(obj).get("creationTimestamp"))


def _involved(obj: Object) -> str:
    target = child(obj, "involvedObject")
    return "/".join(filter(None, [target.get("kind", "").lower(), target.get("name", "")]))


def _event_source(obj: Object) -> str:
    source = child(obj, "source")
    return ", ".join(filter(None, [source.get("component", ""), source.get("host", "")]))


def _endpoints(obj: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in children(obj, "subsets")
        for port in children(subset, "ports")
        for address in children(subset, "addresses")
    ]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or NONE


def _slice_ports(obj: Object) -> str:
    return ",".join(str(port.get("port")) for port in children(obj, "ports")) or UNSET


def _slice_addresses(obj: Object) -> str:
    found = [address for entry in children(obj, "endpoints") for address in children(entry, "addresses")]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or UNSET


def _controller(obj: Object) -> str:
    owners: list[Object] = [entry for entry in children(obj, "metadata", "ownerReferences") if entry.get("controller")]
    if not owners:
        return NONE
    group, slash, _ = str(owners[0]["apiVersion"]).partition("/")
    kind = str(owners[0]["kind"]).lower() + (f".{group}" if slash else "")
    return f"{kind}/{owners[0]['name']}"


NAME: Column = ("Name", 0, _name)
AGE: Column = ("Age", 0, _age)
DEFAULT: list[Column] = [NAME, ("Created At", 0, _at("metadata", "creationTimestamp"))]
WORKLOAD: list[Column] = [("Containers", 1, _container_names), ("Images", 1, _images)]
SELECTOR: Column = ("Selector", 1, _selector)

INTEGERS = {
    "daemonsets.apps": ("Desired", "Current", "Ready", "Up-to-date", "Available"),
    "replicasets.apps": ("Desired", "Current", "Ready"),
    "poddisruptionbudgets.policy": ("Allowed Disruptions",),
}
"""Columns that are said to hold numbers. Others may hold some all the same."""

COLUMNS: dict[str, list[Column]] = {
    "pods": [
        NAME,
        ("Ready", 0, _pod_ready),
        ("Status", 0, pod_status),
        ("Restarts", 0, pod_restarts),
        AGE,
        ("IP", 1, _at("status", "podIP", default=NONE)),
        ("Node", 1, _at("spec", "nodeName", default=NONE)),
        ("Nominated Node", 1, _at("status", "nominatedNodeName", default=NONE)),
        ("Readiness Gates", 1, readiness_gates),
    ],
    "nodes": [
        NAME,
        ("Status", 0, _node_status),
        ("Roles", 0, _node_roles),
        AGE,
        ("Version", 0, _at("status", "nodeInfo", "kubeletVersion")),
        ("Internal-IP", 1, _address("InternalIP")),
        ("External-IP", 1, _address("ExternalIP")),
        ("OS-Image", 1, _at("status", "nodeInfo", "osImage", default=UNKNOWN)),
        ("Kernel-Version", 1, _at("status", "nodeInfo", "kernelVersion", default=UNKNOWN)),
        ("Container-Runtime", 1, _at("status", "nodeInfo", "containerRuntimeVersion", default=UNKNOWN)),
    ],
    "namespaces": [NAME, ("Status", 0, _at("status", "phase")), AGE],
    "services": [
        NAME,
        ("Type", 0, _at("spec", "type")),
        ("Cluster-IP", 0, _at("spec", "clusterIP", default=NONE)),
        ("External-IP", 0, lambda obj: NONE if child(obj, "spec").get("type") else UNKNOWN),
        ("Port(s)", 0, _service_ports),
        AGE,
        SELECTOR,
    ],
    "endpoints": [NAME, ("Endpoints", 0, _endpoints), AGE],
    "events": [
        ("Last Seen", 0, _last_seen),
        ("Type", 0, _at("type")),
        ("Reason", 0, _at("reason")),
        ("Object", 0, _involved),
        ("Subobject", 1, _at("involvedObject", "fieldPath")),
        ("Source", 1, _event_source),
        ("Message", 0, lambda obj: str(obj.get("message", "")).strip()),
        ("First Seen", 1, lambda obj: age(obj.get("firstTimestamp") or obj.get("eventTime"))),
        ("Count", 1, lambda obj: obj.get("count", 1)),
        ("Name", 1, _name),
    ],
    "configmaps": [NAME, ("Data", 0, lambda obj: len(child(obj, "data")) + len(child(obj, "binaryData"))), AGE],
    "secrets": [
        NAME,
        ("Type", 0, _at("type")),
        ("Data", 0, lambda obj: len(child(obj, "data"))),
        AGE,
    ],
    "serviceaccounts": [NAME, AGE],
    "persistentvolumeclaims": [
        NAME,
        ("Status", 0, _claim_status),
        ("Volume", 0, _at("spec", "volumeName")),
        ("Capacity", 0, _claim_capacity),
        ("Access Modes", 0, _modes),
        ("StorageClass", 0, _at("spec", "storageClassName")),
        ("VolumeAttributesClass", 0, lambda _: UNSET),
        AGE,
        ("VolumeMode", 1, _at("spec", "volumeMode", default=UNSET)),
    ],
    "persistentvolumes": [
        NAME,
        ("Capacity", 0, _at("spec", "capacity", "storage", default="0")),
        ("Access Modes", 0, _modes),
        ("Reclaim Policy", 0, _at("spec", "persistentVolumeReclaimPolicy")),
        ("Status", 0, _claim_status),
        ("Claim", 0, _claim_of),
        ("StorageClass", 0, _at("spec", "storageClassName")),
        ("VolumeAttributesClass", 0, lambda _: UNSET),
        ("Reason", 0, _at("status", "reason")),
        AGE,
        ("VolumeMode", 1, _at("spec", "volumeMode", default=UNSET)),
    ],
    "statefulsets.apps": [NAME, ("Ready", 0, _counts("readyReplicas", _replicas)), AGE, *WORKLOAD],
    "deployments.apps": [
        NAME,
        ("Ready", 0, _counts("readyReplicas", _replicas)),
        ("Up-to-date", 0, _at("status", "updatedReplicas", default=0)),
        ("Available", 0, _at("status", "availableReplicas", default=0)),
        AGE,
        *WORKLOAD,
        ("Selector", 1, lambda obj: _selector(obj) if child(obj, "spec").get("selector") else ""),
    ],
    "replicasets.apps": [
        NAME,
        ("Desired", 0, _replicas),
        ("Current", 0, _at("status", "replicas", default=0)),
        ("Ready", 0, _at("status", "readyReplicas", default=0)),
        AGE,
        *WORKLOAD,
        SELECTOR,
    ],
    "daemonsets.apps": [
        NAME,
        ("Desired", 0, _at("status", "desiredNumberScheduled", default=0)),
        ("Current", 0, _at("status", "currentNumberScheduled", default=0)),
        ("Ready", 0, _at("status", "numberReady", default=0)),
        ("Up-to-date", 0, _at("status", "updatedNumberScheduled", default=0)),
        ("Available", 0, _at("status", "numberAvailable", default=0)),
        ("Node Selector", 0, lambda obj: selector_text(child(obj, "spec", "template", "spec", "nodeSelector"))),
        AGE,
        *WORKLOAD,
        SELECTOR,
    ],
    "controllerrevisions.apps": [
        NAME,
        ("Controller", 0, _controller),
        ("Revision", 0, _at("revision", default=0)),
        AGE,
    ],
    "poddisruptionbudgets.policy": [
        NAME,
        ("Min Available", 0, _budget_bound("minAvailable")),
        ("Max Unavailable", 0, _budget_bound("maxUnavailable")),
        ("Allowed Disruptions", 0, _at("status", "disruptionsAllowed", default=0)),
        AGE,
    ],
    "leases.coordination.k8s.io": [NAME, ("Holder", 0, _at("spec", "holderIdentity")), AGE],
    "endpointslices.discovery.k8s.io": [
        NAME,
        ("AddressType", 0, _at("addressType")),
        ("Ports", 0, _slice_ports),
        ("Endpoints", 0, _slice_addresses),
        AGE,
    ],
    "storageclasses.storage.k8s.io": [
        NAME,
        ("Provisioner", 0, _at("provisioner")),
        ("ReclaimPolicy", 0, _at("reclaimPolicy", default="Delete")),
        ("VolumeBindingMode", 0, _at("volumeBindingMode", default="Immediate")),
        ("AllowVolumeExpansion", 0, lambda obj: bool(obj.get("allowVolumeExpansion"))),
        AGE,
    ],
}
