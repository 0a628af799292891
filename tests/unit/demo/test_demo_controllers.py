"""Budgets, endpoints, claims, nodes and garbage."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zktui.demo.controllers.base import Controller
from zktui.demo.controllers.claims import ClaimController
from zktui.demo.controllers.disruption import DisruptionController, scaled
from zktui.demo.controllers.endpoints import EndpointsController
from zktui.demo.controllers.garbage import GarbageCollector
from zktui.demo.controllers.nodes import NodeController, create_node
from zktui.demo.errors import forbidden
from zktui.demo.events import EventRecorder
from zktui.demo.network import Network, published_names
from zktui.demo.objects import is_ready, meta
from zktui.demo.store import Store

BUDGETS = "poddisruptionbudgets.policy"


@pytest.fixture
def store() -> Store:
    made = Store()
    for name in ("default", "kube-node-lease"):
        made.create("namespaces", {"metadata": {"name": name}})
    return made


@pytest.fixture
def events(store: Store) -> EventRecorder:
    return EventRecorder(store)


def stateful_set(store: Store, replicas: int = 3) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "zk"}}, "spec": {"containers": [{"name": "c", "image": "zk:1"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "zk"}}, "template": template}
    return store.create("statefulsets.apps", {"metadata": {"name": "zk"}, "spec": spec})


def pod(store: Store, name: str, *, ready: bool = True, owner: dict[str, Any] | None = None, ip: str = "") -> None:
    if store.find("nodes", "", "node-1") is None:
        store.create("nodes", {"metadata": {"name": "node-1"}})
    metadata: dict[str, Any] = {"name": name, "labels": {"app": "zk"}}
    if owner is not None:
        reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "zk", "uid": meta(owner)["uid"]}
        metadata["ownerReferences"] = [{**reference, "controller": True}]
    status: dict[str, Any] = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    if ip:
        status["podIP"] = ip
    spec = {
        "nodeName": "node-1",
        "hostname": name,
        "subdomain": "zk-hs",
        "containers": [{"name": "c", "image": "zk:1"}],
    }
    store.create("pods", {"metadata": metadata, "spec": spec, "status": status})


def budget(store: Store, **spec: Any) -> None:
    body = {"selector": {"matchLabels": {"app": "zk"}}, **spec}
    store.create(BUDGETS, {"metadata": {"name": "zk-pdb"}, "spec": body})


def figures(store: Store) -> tuple[int, int, int, int]:
    """(expected, desired, healthy, allowed)"""
    status = store.get(BUDGETS, "default", "zk-pdb")["status"]
    assert status["observedGeneration"] == store.get(BUDGETS, "default", "zk-pdb")["metadata"]["generation"]
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    return tuple(status[name] for name in names)  # type: ignore[return-value] # four names above


# -- budgets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "unready", "expected"),
    [
        ({"maxUnavailable": 1}, 0, (3, 2, 3, 1)),
        ({"maxUnavailable": 1}, 1, (3, 2, 2, 0)),
        ({"maxUnavailable": 1}, 2, (3, 2, 1, 0)),
        ({"maxUnavailable": 5}, 0, (3, 0, 3, 3)),
        ({"maxUnavailable": "34%"}, 0, (3, 1, 3, 2)),
        ({"maxUnavailable": "33%"}, 0, (3, 2, 3, 1)),
        ({"minAvailable": 2}, 0, (3, 2, 3, 1)),
        ({"minAvailable": "50%"}, 0, (3, 2, 3, 1)),
        ({"minAvailable": "67%"}, 0, (3, 3, 3, 0)),
    ],
)
def test_the_budgets_arithmetic(
    store: Store, events: EventRecorder, spec: dict[str, Any], unready: int, expected: tuple[int, ...]
):
    owner = stateful_set(store)
    for number in range(3):
        pod(store, f"zk-{number}", ready=number >= unready, owner=owner)
    budget(store, **spec)
    DisruptionController(store, events).reconcile()
    assert figures(store) == expected


def test_max_unavailable_counts_from_the_scale_and_not_from_the_pods_there_are(store: Store, events: EventRecorder):
    owner = stateful_set(store)
    pod(store, "zk-0", owner=owner)
    pod(store, "zk-1", owner=owner)
    budget(store, maxUnavailable=1)
    DisruptionController(store, events).reconcile()
    assert figures(store) == (3, 2, 2, 0)


def test_a_leaving_pod_is_not_healthy(store: Store, events: EventRecorder):
    owner = stateful_set(store)
    for number in range(3):
        pod(store, f"zk-{number}", owner=owner)
    budget(store, maxUnavailable=1)
    store.delete("pods", "default", "zk-1")
    DisruptionController(store, events).reconcile()
    assert figures(store) == (3, 2, 2, 0)


def test_an_allowed_eviction_counts_until_its_pod_leaves_or_two_minutes_are_over(store: Store, events: EventRecorder):
    owner = stateful_set(store)
    for number in range(3):
        pod(store, f"zk-{number}", owner=owner)
    budget(store, maxUnavailable=1)
    controller = DisruptionController(store, events)

    def disrupt(seconds_ago: float) -> None:
        stamp = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
        change = {"disruptedPods": {"zk-2": stamp}}
        store.change(BUDGETS, "default", "zk-pdb", lambda obj: obj["status"].update(change), status=True)

    disrupt(5)
    again = controller.reconcile()
    assert figures(store) == (3, 2, 2, 0)
    assert again is not None and 110 < again <= 116
    disrupt(121)
    assert controller.reconcile() is None
    assert figures(store) == (3, 2, 3, 1)
    assert "disruptedPods" not in store.get(BUDGETS, "default", "zk-pdb")["status"]
    assert store.list("events", field_selector="reason=NotDeleted")[0]
    disrupt(5)
    store.delete("pods", "default", "zk-2")
    controller.reconcile()
    assert "disruptedPods" not in store.get(BUDGETS, "default", "zk-pdb")["status"]
    assert figures(store) == (3, 2, 2, 0)


def test_a_budget_over_nothing_allows_nothing(store: Store, events: EventRecorder):
    budget(store, maxUnavailable=1)
    DisruptionController(store, events).reconcile()
    assert figures(store) == (0, 0, 0, 0)


def test_a_budget_whose_scale_is_unknown_allows_nothing_and_stays_behind(store: Store, events: EventRecorder):
    pod(store, "zk-0", owner={"metadata": {"uid": "of-another-set"}})
    budget(store, minAvailable=0)
    controller = DisruptionController(store, events)
    controller.reconcile()
    assert figures(store) == (1, 0, 1, 1)
    spec = {"minAvailable": None, "maxUnavailable": 1}
    store.change(BUDGETS, "default", "zk-pdb", lambda obj: obj["spec"].update(spec))
    controller.reconcile()
    controller.reconcile()
    found = store.get(BUDGETS, "default", "zk-pdb")
    assert (found["status"]["currentHealthy"], found["status"]["disruptionsAllowed"]) == (1, 0)
    assert (found["metadata"]["generation"], found["status"]["observedGeneration"]) == (2, 1)
    (said,) = found["status"]["conditions"]
    assert (said["status"], said["reason"]) == ("False", "SyncFailed")
    assert said["message"] == 'found no controllers for pod "zk-0"'


@pytest.mark.parametrize(("value", "total", "expected"), [(2, 3, 2), ("50%", 3, 2), ("100%", 3, 3), ("1%", 3, 1)])
def test_percentages_round_up(value: Any, total: int, expected: int):
    assert scaled(value, total) == expected


# -- endpoints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("publish", "names"), [(True, ["zk-0", "zk-1"]), (False, ["zk-0"])])
def test_a_headless_service_publishes_ready_pods_or_all(
    store: Store, events: EventRecorder, publish: bool, names: list[str]
):
    spec = {
        "clusterIP": "None",
        "selector": {"app": "zk"},
        "publishNotReadyAddresses": publish,
        "ports": [{"port": 2888}],
    }
    store.create("services", {"metadata": {"name": "zk-hs"}, "spec": spec})
    pod(store, "zk-0", ip="127.9.1.2")
    pod(store, "zk-1", ip="127.9.2.2", ready=False)
    pod(store, "zk-2")
    EndpointsController(store, events).reconcile()
    own = {name for _, name in published_names(store)} - {"zk-hs.default.svc.cluster.local"}
    assert own == {f"{name}.zk-hs.default.svc.cluster.local" for name in names}
    subsets = store.get("endpoints", "default", "zk-hs")["subsets"][0]
    assert [entry["hostname"] for entry in subsets["addresses"]] == names
    store.delete("pods", "default", "zk-0", grace_seconds=0)
    EndpointsController(store, events).reconcile()
    assert "zk-0.zk-hs.default.svc.cluster.local" not in {name for _, name in published_names(store)}


def test_a_service_s_port_may_be_called_by_its_name_in_the_pod(store: Store, events: EventRecorder):
    ports = [{"port": 80, "name": "web", "targetPort": "client"}, {"port": 81, "name": "lost", "targetPort": "nowhere"}]
    spec = {"clusterIP": "None", "selector": {"app": "zk"}, "ports": ports}
    store.create("services", {"metadata": {"name": "zk-cs"}, "spec": spec})
    container = {"name": "c", "image": "zk:1", "ports": [{"name": "client", "containerPort": 2181}]}
    body = {"metadata": {"name": "zk-0", "labels": {"app": "zk"}}, "spec": {"containers": [container]}}
    store.create("pods", {**body, "status": {"phase": "Running", "podIP": "127.9.1.2"}})
    EndpointsController(store, events).reconcile()
    published = store.list("endpointslices.discovery.k8s.io")[0][0]["ports"]
    assert published == [{"name": "web", "port": 2181, "protocol": "TCP"}]


# -- claims ------------------------------------------------------------------------------------------------


def test_a_claim_gets_a_disk_keeps_it_while_in_use_and_takes_it_along(
    store: Store, events: EventRecorder, tmp_path: Path
):
    controller = ClaimController(store, events, tmp_path)
    requests = {"requests": {"storage": "10Gi"}}
    body = {"accessModes": ["ReadWriteOnce"], "resources": requests}
    store.create("persistentvolumeclaims", {"metadata": {"name": "datadir-zk-0"}, "spec": body})
    controller.reconcile()
    claim = store.get("persistentvolumeclaims", "default", "datadir-zk-0")
    volume = store.get("persistentvolumes", "", claim["spec"]["volumeName"])
    disk = Path(volume["spec"]["hostPath"]["path"])
    assert claim["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "10Gi"}}
    assert disk.is_dir() and disk.is_relative_to(tmp_path)
    store.delete("persistentvolumes", "", volume["metadata"]["name"])
    controller.reconcile()
    kept = store.get("persistentvolumes", "", volume["metadata"]["name"])
    assert "deletionTimestamp" in kept["metadata"], "it goes with its claim and not before"
    assert disk.is_dir()
    uses = [{"name": "d", "persistentVolumeClaim": {"claimName": "datadir-zk-0"}}]
    containers = [{"name": "c", "image": "x:1"}]
    store.create("pods", {"metadata": {"name": "p"}, "spec": {"containers": containers, "volumes": uses}})
    store.delete("persistentvolumeclaims", "default", "datadir-zk-0")
    controller.reconcile()
    assert store.find("persistentvolumeclaims", "default", "datadir-zk-0") is not None
    store.delete("pods", "default", "p")
    controller.reconcile()
    assert store.find("persistentvolumeclaims", "default", "datadir-zk-0") is None
    assert store.list("persistentvolumes")[0] == []
    assert not disk.exists()


# -- nodes, garbage ----------------------------------------------------------------------------------------


def test_a_cordon_becomes_a_taint_and_its_end_takes_it_away(store: Store, events: EventRecorder, tmp_path: Path):
    network = Network(tmp_path)
    try:
        create_node(store, network, 1, "v1.37.2")
    finally:
        network.close()
    controller = NodeController(store, events)
    controller.reconcile()
    assert is_ready(store.get("nodes", "", "node-1"))
    assert store.get("leases.coordination.k8s.io", "kube-node-lease", "node-1")["spec"]["holderIdentity"] == "node-1"
    store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=True))
    controller.reconcile()
    taints = store.get("nodes", "", "node-1")["spec"]["taints"]
    assert [(taint["key"], taint["effect"]) for taint in taints] == [("node.kubernetes.io/unschedulable", "NoSchedule")]
    store.change("nodes", "", "node-1", lambda node: node["spec"].pop("unschedulable"))
    controller.reconcile()
    assert "taints" not in store.get("nodes", "", "node-1")["spec"]


def test_what_nobody_owns_any_more_goes_and_the_rest_stays(store: Store, events: EventRecorder):
    owner = stateful_set(store)
    pod(store, "owned", owner=owner)
    pod(store, "free")
    collector = GarbageCollector(store, events)
    collector.reconcile()
    assert len(store.list("pods")[0]) == 2
    store.delete("statefulsets.apps", "default", "zk")
    collector.reconcile()
    assert meta(store.get("pods", "default", "owned")).get("deletionTimestamp")
    assert not meta(store.get("pods", "default", "free")).get("deletionTimestamp")


def test_pods_of_a_deleted_node_go_at_once(store: Store, events: EventRecorder):
    pod(store, "p")
    collector = GarbageCollector(store, events)
    collector.reconcile()
    assert store.find("pods", "default", "p") is not None
    store.delete("nodes", "", "node-1")
    collector.reconcile()
    assert store.find("pods", "default", "p") is None


def test_a_new_owner_of_the_same_name_is_not_the_owner(store: Store, events: EventRecorder):
    pod(store, "owned", owner=stateful_set(store))
    store.delete("statefulsets.apps", "default", "zk")
    stateful_set(store)
    GarbageCollector(store, events).reconcile()
    assert meta(store.get("pods", "default", "owned")).get("deletionTimestamp")


def test_every_namespace_has_its_service_account_and_a_deleted_one_takes_its_objects_along(
    store: Store, events: EventRecorder
):
    store.create("namespaces", {"metadata": {"name": "other"}})
    store.create("configmaps", {"metadata": {"name": "c", "namespace": "other"}})
    collector = GarbageCollector(store, events)
    collector.reconcile()
    assert store.find("serviceaccounts", "other", "default") is not None
    store.delete("namespaces", "", "other")
    assert store.get("namespaces", "", "other")["status"]["phase"] == "Terminating"
    collector.reconcile()
    assert store.list("configmaps", "other")[0] == []
    collector.reconcile()
    assert store.find("namespaces", "", "other") is None


# -- the loop, events --------------------------------------------------------------------------------------


async def test_a_controller_looks_again_after_a_change_and_survives_a_refusal(store: Store, events: EventRecorder):
    looks: list[int] = []
    looked = asyncio.Event()

    class Watcher(Controller):
        watches = frozenset({"configmaps"})

        def reconcile(self) -> float | None:
            looks.append(len(self.store.list("configmaps")[0]))
            looked.set()
            if len(looks) == 1:
                raise forbidden("configmaps", "c", "no")
            return None

    task = asyncio.ensure_future(Watcher(store, events).run())
    async with asyncio.timeout(5):
        await looked.wait()
        looked.clear()
        store.create("configmaps", {"metadata": {"name": "c"}})
        await looked.wait()
    task.cancel()
    assert looks[:2] == [0, 1]


def test_the_same_words_are_one_event_with_a_count(store: Store, events: EventRecorder):
    pod(store, "zk-0")
    about = store.get("pods", "default", "zk-0")
    for _ in range(3):
        events.record(about, "Warning", "Unhealthy", "no", component="kubelet", host="node-1")
    found = store.list("events", field_selector="involvedObject.name=zk-0")[0]
    assert [entry["count"] for entry in found] == [3]
