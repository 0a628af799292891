"""Fields that a real API server fills in when an object is stored.

Clients rely on some of them: ``kubectl rollout status`` stops at a StatefulSet without an update strategy,
``kubectl describe`` prints probes by their defaults. Only what a client or a controller here reads is filled.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from zktui.demo import schema
from zktui.demo.objects import Object, child, children
from zktui.demo.quantities import canonical
from zktui.demo.resources import Resource

NODE_INFO = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)
NOT_READY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""Taints that the DefaultTolerationSeconds admission plugin lets a pod stand for 300 s."""


def apply_defaults(info: Resource, obj: Object) -> None:
    """Fill ``obj`` in place."""
    fill = DEFAULTS.get(info.key)
    if fill is not None:
        fill(obj)
    if info.has_status:
        schema.complete(obj.get("status"), schema.of(info).fields["status"])


def _set(target: Object, **values: object) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    pod_spec(spec)
    # What follows is added by admission plugins to pods only, not to templates.
    _set(
        spec,
        serviceAccountName="default",
        serviceAccount=spec.get("serviceAccountName") or "default",
        priority=0,
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
    )
    held = spec.setdefault("tolerations", [])
    for key in NOT_READY:
        if not any(entry.get("key") in (key, None) for entry in held):
            held.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    status = obj.setdefault("status", {})
    _set(status, phase="Pending", qosClass=qos_class(spec))
    for entry in children(status, "conditions"):
        for field in ("lastProbeTime", "lastTransitionTime"):
            entry.setdefault(field, None)
    for entry in children(status, "containerStatuses"):
        _set(entry, lastState={}, state={})


def pod_spec(spec: Object) -> None:
    """Defaults of a PodSpec, in a pod or in a template."""
    _set(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    for container in [*(children(spec, "initContainers")), *(children(spec, "containers"))]:
        _container(container)
    for volume in children(spec, "volumes"):
        for kind in ("configMap", "secret"):
            if volume.get(kind) is not None:
                _set(volume[kind], defaultMode=420)


def _container(container: Object) -> None:
    image = container.get("image", "")
    latest = image.endswith(":latest") or (":" not in image.rpartition("/")[2] and "@" not in image)
    _set(
        container,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for part in ("limits", "requests"):
        _canonical(child(container, "resources", part))
    limits, requests = container["resources"].get("limits"), container["resources"].get("requests")
    if limits:
        container["resources"]["requests"] = {**limits, **(requests or {})}
    for port in children(container, "ports"):
        _set(port, protocol="TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name):
            _set(container[name], timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            if container[name].get("httpGet"):
                _set(container[name]["httpGet"], path="/", scheme="HTTP")
    for variable in children(container, "env"):
        reference = child(variable, "valueFrom").get("fieldRef")
        if reference:
            _set(reference, apiVersion="v1")


def _canonical(amounts: Object) -> None:
    """Amounts as they are stored: 0.5 of a CPU as 500m, 1024Mi as 1Gi."""
    for name, amount in amounts.items():
        amounts[name] = canonical(str(amount))


def qos_class(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from requests and limits of cpu and memory."""
    containers = children(spec, "containers")
    resources = [child(container, "resources") for container in containers]
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    for entry in resources:
        limits, requests = child(entry, "limits"), child(entry, "requests")
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"


def _template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    pod_spec(template.setdefault("spec", {}))


def _stateful_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set(
        spec,
        replicas=1,
        podManagementPolicy="OrderedReady",
        revisionHistoryLimit=10,
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {}},
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    if spec["updateStrategy"].get("rollingUpdate") is not None:
        _set(spec["updateStrategy"]["rollingUpdate"], maxUnavailable=1, partition=0)
    _template(spec)
    for claim in children(spec, "volumeClaimTemplates"):
        _set(claim, apiVersion="v1", kind="PersistentVolumeClaim")
        _set(claim.setdefault("spec", {}), volumeMode="Filesystem")
        _canonical(child(claim, "spec", "resources", "requests"))
        _set(claim.setdefault("status", {}), phase="Pending")
    _set(obj.setdefault("status", {}), replicas=0, availableReplicas=0)


def _replica_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set(spec, replicas=1)
    _template(spec)
    _set(obj.setdefault("status", {}), replicas=0)


def _daemon_set(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    _set(spec, revisionHistoryLimit=10, updateStrategy=rolling)
    _template(spec)
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    _set(obj.setdefault("status", {}), **dict.fromkeys(counts, 0))


def _service(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    _set(
        spec,
        type="ClusterIP",
        sessionAffinity="None",
        internalTrafficPolicy="Cluster",
        ipFamilies=["IPv4"],
        ipFamilyPolicy="SingleStack",
    )
    if spec.get("clusterIP") is None:
        # The default service range; nothing listens there.
        spec["clusterIP"] = f"10.96.{1 + secrets.randbelow(254)}.{1 + secrets.randbelow(254)}"
    _set(spec, clusterIPs=[spec["clusterIP"]])
    for port in children(spec, "ports"):
        _set(port, protocol="TCP", targetPort=port.get("port"))
    _set(obj.setdefault("status", {}), loadBalancer={})


def _revision(obj: Object) -> None:
    _set(obj, revision=0)


def _secret(obj: Object) -> None:
    _set(obj, type="Opaque")


def _namespace(obj: Object) -> None:
    _set(obj.setdefault("spec", {}), finalizers=["kubernetes"])
    _set(obj.setdefault("status", {}), phase="Active")
    labels = obj["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")


def _node(obj: Object) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    _set(status, daemonEndpoints={"kubeletEndpoint": {"Port": 0}}, nodeInfo={})
    for field in NODE_INFO:
        status["nodeInfo"].setdefault(field, "")


def _claim(obj: Object) -> None:
    _set(obj.setdefault("spec", {}), volumeMode="Filesystem")
    _set(obj.setdefault("status", {}), phase="Pending")


def _volume(obj: Object) -> None:
    _set(obj.setdefault("spec", {}), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    _set(obj.setdefault("status", {}), phase="Pending")


def _budget(obj: Object) -> None:
    obj.setdefault("spec", {})
    counts = ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods")
    _set(obj.setdefault("status", {}), **dict.fromkeys(counts, 0))


NO_COUNTS = dict.fromkeys(("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"), 0)
NO_DAEMONS = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
NO_NODE: Object = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": dict.fromkeys(NODE_INFO, "")}
NO_PODS: Object = {"selector": None, "template": {"metadata": {}, "spec": {"containers": None}}}
NO_EVENT: Object = {
    **dict.fromkeys(("eventTime", "firstTimestamp", "lastTimestamp")),
    "involvedObject": {},
    "source": {},
    "reportingComponent": "",
    "reportingInstance": "",
}
EMPTY: dict[str, Object] = {
    "nodes": {"spec": {}, "status": NO_NODE},
    "namespaces": {"spec": {}, "status": {}},
    "pods": {"spec": {"containers": None}, "status": {}},
    "services": {"spec": {}, "status": {"loadBalancer": {}}},
    "events": NO_EVENT,
    "persistentvolumeclaims": {"spec": {"resources": {}}, "status": {}},
    "persistentvolumes": {"spec": {}, "status": {}},
    "statefulsets.apps": {
        "spec": {**NO_PODS, "replicas": 0, "serviceName": "", "updateStrategy": {}},
        "status": {"availableReplicas": 0, "replicas": 0},
    },
    "deployments.apps": {"spec": {**NO_PODS, "replicas": 0, "strategy": {}}, "status": {}},
    "daemonsets.apps": {"spec": {**NO_PODS, "updateStrategy": {}}, "status": dict.fromkeys(NO_DAEMONS, 0)},
    "replicasets.apps": {"spec": {**NO_PODS, "replicas": 0}, "status": {"replicas": 0}},
    "controllerrevisions.apps": {"data": None, "revision": 0},
    "poddisruptionbudgets.policy": {"spec": {}, "status": NO_COUNTS},
    "leases.coordination.k8s.io": {"spec": {}},
    "endpointslices.discovery.k8s.io": {"addressType": "", "endpoints": None, "ports": None},
    "storageclasses.storage.k8s.io": {"provisioner": ""},
}
"""What an object of a resource says when nothing is set, as in the bookmarks of a watch."""

DEFAULTS: dict[str, Callable[[Object], None]] = {
    "pods": _pod,
    "nodes": _node,
    "services": _service,
    "secrets": _secret,
    "namespaces": _namespace,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "controllerrevisions.apps": _revision,
    "statefulsets.apps": _stateful_set,
    "replicasets.apps": _replica_set,
    "daemonsets.apps": _daemon_set,
    "poddisruptionbudgets.policy": _budget,
}
