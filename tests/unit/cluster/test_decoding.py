from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
import pytest

from zktui.cluster import decoding, wire
from zktui.cluster.quantities import epoch, micro_time, millicores, whole
from zktui.core.kube import AffinityTerm, Owner, Pod, SpreadConstraint, Taint
from zktui.core.labels import Requirement, Selector

T = TypeVar("T")
EMPTY: dict[str, Any] = {}


def decoded(body: Any, kind: type[T]) -> T:
    return msgspec.json.decode(json.dumps(body).encode(), type=kind)


def pod(**parts: Any) -> Pod:
    body: dict[str, Any] = {"metadata": {"name": "p", "namespace": "zoo", "uid": "u"}, "spec": {}, "status": {}}
    for part, content in parts.items():
        body[part] = {**body[part], **content}
    return decoding.pod(decoded(body, wire.Pod))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", 2000), ("500m", 500), ("1.5", 1500), ("1u", 1), ("100n", 1), ("0", 0), ("1k", 1_000_000), ("1e1", 10_000)],
)
def test_cpu_in_millicores_rounded_up(text: str, expected: int) -> None:
    assert millicores(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1Gi", 2**30),
        ("1G", 10**9),
        ("1.5Ki", 1536),
        ("123", 123),
        ("12E3", 12_000),
        ("2E", 2 * 10**18),
        ("500m", 1),
        ("", 0),
        ("many", 0),
        ("1Xi", 0),
        ("NaN", 0),
    ],
)
def test_amounts(text: str, expected: int) -> None:
    assert whole(text) == expected


def test_times() -> None:
    assert epoch("2026-01-01T00:00:00Z") == 1767225600.0
    assert epoch("2026-01-01T02:00:00.5+02:00") == 1767225600.5
    assert epoch("2026-01-01T00:00:00.123456789Z") == 1767225600.123456
    assert epoch(None) is epoch("") is epoch("yesterday") is None
    assert micro_time(1767225600.0) == "2026-01-01T00:00:00.000000Z"


def running(name: str = "c", ready: bool = True) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": 1, "state": {"running": {}}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"name": "c", "state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, reason: str = "", signal: int = 0) -> dict[str, Any]:
    return {"name": "e", "state": {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}}


READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Running", "containerStatuses": [running()]}, "Running"),
        ({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]}, "ContainerCreating"),
        ({"phase": "Running", "containerStatuses": [running(), waiting("CrashLoopBackOff")]}, "CrashLoopBackOff"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Succeeded", "containerStatuses": [ended(0, "Completed")]}, "Completed"),
        ({"phase": "Running", "containerStatuses": [ended(0, "Completed"), running()]}, "NotReady"),
        (
            {"phase": "Running", "containerStatuses": [ended(0, "Completed"), running()], "conditions": [READY]},
            "Running",
        ),
        ({"phase": "Failed", "containerStatuses": [ended(9, signal=9)]}, "Signal:9"),
        ({"phase": "Failed", "containerStatuses": [ended(3)]}, "ExitCode:3"),
        ({"phase": "Pending", "initContainerStatuses": [waiting("PodInitializing")]}, "Init:0/1"),
        ({"phase": "Pending", "initContainerStatuses": [ended(0), running("d")]}, "Init:1/2"),
        ({"phase": "Pending", "initContainerStatuses": [waiting("ImagePullBackOff")]}, "Init:ImagePullBackOff"),
        ({"phase": "Pending", "initContainerStatuses": [ended(1, "Error")]}, "Init:Error"),
    ],
)
def test_one_word_for_a_pod_as_kubectl_has_it(status: dict[str, Any], word: str) -> None:
    assert pod(status=status).status == word


def test_a_pod_that_fits_nowhere_says_why() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes"}
    found = pod(status={"phase": "Pending", "conditions": [scheduled]})
    assert (found.status, found.message) == ("Unschedulable", "0/4 nodes")


def test_a_dying_pod_is_terminating_since_its_deletion_was_asked_for() -> None:
    meta = {"deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}
    found = pod(metadata=meta, status={"phase": "Failed", "containerStatuses": [ended(143, "Error")]})
    assert found.deleting_since == epoch("2026-01-01T00:00:00Z")
    assert found.deletion_grace == 30
    assert (found.status, found.finished) == ("Terminating", False)


def test_identity_owner_conditions_and_counts() -> None:
    references = [{"kind": "X", "name": "x"}, {"kind": "StatefulSet", "name": "zk", "uid": "s", "controller": True}]
    target = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    statuses = [running(), running("d", False)]
    found = pod(
        metadata={"ownerReferences": references, "annotations": {"kubernetes.io/config.mirror": "h"}},
        status={"conditions": [READY, target], "containerStatuses": statuses, "podIP": "10.0.0.1"},
    )
    assert found.owner == Owner("StatefulSet", "zk", "s")
    assert (found.ready, found.ready_since) == (True, epoch("2026-01-01T00:00:00Z"))
    assert (found.containers_ready, found.restarts) == (1, 2)
    assert (found.mirror, found.disruption_target, found.ip) == (True, "EvictionByEvictionAPI", "10.0.0.1")


def requests(cpu: str, **more: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}, **more}


def test_requests_as_the_scheduler_reserves_them() -> None:
    sidecar = requests("100m", restartPolicy="Always")
    spec = {"containers": [requests("200m"), requests("300m")], "initContainers": [sidecar, requests("700m")]}
    assert pod(spec=spec).spec.cpu == 800  # the sidecar and the init container after it
    assert pod(spec={**spec, "overhead": {"cpu": "50m"}}).spec.cpu == 850
    assert pod(spec={**spec, "initContainers": [sidecar]}).spec.cpu == 600
    assert pod(spec={**spec, "resources": {"requests": {"cpu": "2"}}}).spec.cpu == 2000
    assert pod(spec=spec).spec.memory == 3 * 2**20


def test_where_a_pod_can_run() -> None:
    terms: Any = [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
        {},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]},
    ]
    anti: Any = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "zk"}}}
    spread: Any = [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}},
        {
            "maxSkew": 2,
            "topologyKey": "zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "zk"}},
            "matchLabelKeys": ["rev", "absent"],
        },
    ]
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity: Any = {
        "nodeAffinity": {required: {"nodeSelectorTerms": terms}},
        "podAntiAffinity": {required: [anti, {"topologyKey": "zone", "namespaceSelector": EMPTY}]},
    }
    spec = pod(
        metadata={"labels": {"rev": "7"}},
        spec={"affinity": affinity, "topologySpreadConstraints": spread, "tolerations": [{"key": "k", "value": "v"}]},
    ).spec
    assert spec.node_affinity == (
        (Requirement("zone", "In", ("a",)),),
        (Requirement("metadata.name", "In", ("node-1",)),),
    )
    app = Requirement("app", "In", ("zk",))
    assert spec.anti_affinity == (
        AffinityTerm("kubernetes.io/hostname", Selector((app,))),
        AffinityTerm("zone", None, every_namespace=True),
    )
    assert spec.spread == (SpreadConstraint(2, "zone", Selector((app, Requirement("rev", "In", ("7",))))),)
    assert spec.tolerations[0].tolerates(Taint("k", "NoSchedule", "v"))
    assert not spec.tolerations[0].tolerates(Taint("k", "NoSchedule", "w"))


def test_what_a_pod_keeps_its_data_on() -> None:
    volumes: Any = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-p"}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "conf", "configMap": {"name": "c"}},
    ]
    probe = {"exec": {"command": ["sh", "-c", "zk\nready 2181"]}, "periodSeconds": 5}
    container: Any = {
        "name": "c",
        "command": ["sh"],
        "args": ["-c", "run"],
        "ports": [{"name": "client", "containerPort": 2181}],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": EMPTY}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": probe,
    }
    spec = pod(spec={"volumes": volumes, "containers": [container], "terminationGracePeriodSeconds": 0}).spec
    assert spec.claims == ("data-p", "p-scratch")
    assert spec.empty_dirs == ("tmp",)
    assert spec.mounts == (("data", "/data"),)
    assert spec.grace == 0
    (only,) = spec.containers
    assert (only.command, only.ports, only.env) == (("sh", "-c", "run"), (("client", 2181),), (("A", "1"),))
    assert only.readiness == "sh -c zk ready 2181 every 5 s"


def test_nodes_budgets_and_sets() -> None:
    conditions = [{"type": "Ready", "status": "Unknown"}, {"type": "DiskPressure", "status": "True"}]
    status = {"allocatable": {"cpu": "4", "memory": "1Ki", "pods": "110"}, "conditions": conditions}
    body: Any = {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "t", "effect": "NoExecute"}]}, "status": status}
    node = decoding.node(decoded(body, wire.Node))
    assert (node.ready, node.pressures, node.cpu, node.memory, node.pod_limit) == (
        None,
        ("DiskPressure",),
        4000,
        1024,
        110,
    )
    body = {
        "metadata": {"name": "b", "namespace": "zoo", "generation": 2},
        "spec": {"maxUnavailable": 1, "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
        "status": {"observedGeneration": 1, "disruptedPods": {"zk-0": "2026-01-01T00:00:00Z"}},
    }
    budget = decoding.budget(decoded(body, wire.Budget))
    assert (budget.max_unavailable, budget.min_available, budget.is_current) == ("1", "", False)
    assert budget.selector == Selector((Requirement("a", "Exists"),))
    assert budget.disrupted == {"zk-0": 1767225600.0}
    body = {
        "metadata": {"name": "zk", "creationTimestamp": None},
        "spec": {
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
            "template": {"metadata": {"creationTimestamp": None, "labels": {"app": "zk"}}},
        },
    }
    found = decoding.statefulset(decoded(body, wire.StatefulSet))
    assert (found.replicas, found.partition, found.template_labels) == (1, 2, {"app": "zk"})


def test_a_volume_without_affinity_can_go_anywhere_and_one_of_an_empty_term_nowhere() -> None:
    free = decoding.volume(decoded({"metadata": {}, "spec": {}}, wire.Volume))
    required: Any = {"nodeAffinity": {"required": {"nodeSelectorTerms": [EMPTY]}}}
    nowhere = decoding.volume(decoded({"metadata": {}, "spec": required}, wire.Volume))
    assert free.node_affinity is None
    assert nowhere.node_affinity == ()
