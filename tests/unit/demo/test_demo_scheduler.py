"""Where pods go, and the scheduler's words when they can't."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from zktui.demo.controllers import filters
from zktui.demo.controllers.filters import tolerated
from zktui.demo.controllers.scheduler import Scheduler
from zktui.demo.events import EventRecorder
from zktui.demo.objects import Object, condition
from zktui.demo.quantities import quantity
from zktui.demo.store import Store

APART = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchLabels": {"app": "zk"}}, "topologyKey": "kubernetes.io/hostname"}
        ]
    }
}


class Cluster:
    def __init__(self, nodes: int = 4) -> None:
        self.store = Store()
        self.store.create("namespaces", {"metadata": {"name": "default"}})
        for number in range(1, nodes + 1):
            self.node(f"node-{number}")
        self.scheduler = Scheduler(self.store, EventRecorder(self.store))

    def node(self, name: str) -> None:
        status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"}}
        labels = {"kubernetes.io/hostname": name, "disk": "ssd" if name == "node-2" else "hdd"}
        self.store.create("nodes", {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": status})

    def pod(self, name: str, labels: dict[str, str] | None = None, cpu: str = "0.5", **spec: Any) -> None:
        container = {"name": "c", "image": "pause:1", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}
        body = {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [container], **spec}}
        self.store.create("pods", body)

    def member(self, number: int) -> None:
        self.pod(f"zk-{number}", {"app": "zk"}, affinity=APART)

    def cordon(self, name: str) -> None:
        self.store.change("nodes", "", name, lambda node: node["spec"].update(unschedulable=True))

    def place(self, name: str) -> str | None:
        self.scheduler.reconcile()
        return self.store.get("pods", "default", name)["spec"].get("nodeName")

    def why(self, name: str) -> str:
        found = condition(self.store.get("pods", "default", name), "PodScheduled")
        assert found is not None and found["status"] == "False" and found["reason"] == "Unschedulable"
        return found["message"]


def test_members_spread_and_leave_the_last_node_free():
    cluster = Cluster()
    for number in range(3):
        cluster.member(number)
    assert [cluster.place(f"zk-{number}") for number in range(3)] == ["node-1", "node-2", "node-3"]
    event = cluster.store.list("events", field_selector="reason=Scheduled")[0][0]
    assert event["message"] == "Successfully assigned default/zk-0 to node-1"


def test_pods_without_wishes_go_where_there_are_fewest():
    cluster = Cluster(nodes=2)
    cluster.pod("a")
    cluster.pod("b", cpu="1")
    assert [cluster.place(name) for name in "ab"] == ["node-1", "node-2"]
    cluster.pod("c")
    assert cluster.place("c") == "node-1", "as many pods on both, but less cpu in use"


def test_a_member_with_nowhere_to_go_waits_with_the_schedulers_words_and_goes_when_there_is_room():
    cluster = Cluster()
    for number in range(3):
        cluster.member(number)
    cluster.scheduler.reconcile()
    cluster.cordon("node-4")
    cluster.member(3)
    assert cluster.place("zk-3") is None
    assert cluster.why("zk-3") == (
        "0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) didn't match pod anti-affinity rules. "
        "preemption: 0/4 nodes are available: 1 Preemption is not helpful for scheduling, "
        "3 No preemption victims found for incoming pod."
    )
    cluster.store.change("nodes", "", "node-4", lambda node: node["spec"].pop("unschedulable"))
    assert cluster.place("zk-3") == "node-4"
    scheduled = condition(cluster.store.get("pods", "default", "zk-3"), "PodScheduled")
    assert scheduled is not None and scheduled["status"] == "True" and "message" not in scheduled


def test_a_failure_is_told_once_and_not_at_every_look():
    cluster = Cluster(nodes=1)
    cluster.cordon("node-1")
    cluster.member(0)
    cluster.scheduler.reconcile()
    version = cluster.store.version
    cluster.scheduler.reconcile()
    assert cluster.store.version == version


def test_a_leaving_pod_holds_its_node_until_it_is_gone():
    cluster = Cluster(nodes=1)
    cluster.member(0)
    assert cluster.place("zk-0") == "node-1"
    cluster.store.delete("pods", "default", "zk-0")
    cluster.member(1)
    assert cluster.place("zk-1") is None
    cluster.store.remove("pods", "default", "zk-0")
    assert cluster.place("zk-1") == "node-1"


def test_an_existing_pods_anti_affinity_counts_too():
    cluster = Cluster(nodes=1)
    cluster.member(0)
    cluster.scheduler.reconcile()
    cluster.pod("stranger", {"app": "zk"})
    assert cluster.place("stranger") is None
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules" in cluster.why("stranger")


def test_each_pod_that_runs_is_asked_once_whom_it_keeps_away_however_many_nodes(monkeypatch: pytest.MonkeyPatch):
    """With 1,000 nodes and 10,000 pods the API server would stand still for seconds otherwise."""
    cluster = Cluster(nodes=20)
    for number in range(10):
        cluster.pod(f"other-{number}", nodeName="node-1")
    asked: list[str] = []

    def required(pod: Object, kind: str) -> list[Object]:
        asked.append(pod["metadata"]["name"])
        return []

    monkeypatch.setattr(filters, "_required", required)
    cluster.pod("zk-0")
    assert cluster.place("zk-0") == "node-10"
    assert {asked.count(f"other-{number}") for number in range(10)} == {1}


def test_requests_taints_and_selectors_are_heeded():
    cluster = Cluster(nodes=2)
    cluster.pod("big", cpu="5")
    assert cluster.place("big") is None
    assert cluster.why("big").startswith("0/2 nodes are available: 2 Insufficient cpu. ")
    cluster.pod("picky", nodeSelector={"disk": "ssd"})
    assert cluster.place("picky") == "node-2"
    cluster.pod("lost", nodeSelector={"disk": "tape"})
    assert cluster.place("lost") is None
    assert "2 node(s) didn't match Pod's node affinity/selector" in cluster.why("lost")
    taint = {"key": "maintenance", "effect": "NoSchedule"}
    for name in ("node-1", "node-2"):
        cluster.store.change("nodes", "", name, lambda node: node["spec"].update(taints=[taint]))
    cluster.pod("shy")
    assert cluster.place("shy") is None
    assert "2 node(s) had untolerated taint {maintenance: }" in cluster.why("shy")
    cluster.pod("brave", tolerations=[{"key": "maintenance", "operator": "Exists"}])
    assert cluster.place("brave") == "node-1"


def test_a_pod_waits_for_its_claim():
    cluster = Cluster(nodes=1)
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "datadir"}}
    cluster.pod("zk-0", volumes=[claim])
    assert cluster.place("zk-0") is None
    assert cluster.why("zk-0") == '0/1 nodes are available: persistentvolumeclaim "datadir" not found.'
    cluster.store.create("persistentvolumeclaims", {"metadata": {"name": "datadir"}, "spec": {}})
    assert cluster.place("zk-0") is None
    cluster.store.change(
        "persistentvolumeclaims", "default", "datadir", lambda obj: obj["status"].update(phase="Bound"), status=True
    )
    assert cluster.place("zk-0") == "node-1"


def on_nodes(*names: str) -> Any:
    """A node selector for these names."""
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(names)}
    return {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}


def test_a_pod_goes_where_its_volume_can_be_reached():
    cluster = Cluster()
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "datadir"}}
    body = {"metadata": {"name": "datadir"}, "spec": {"volumeName": "local"}, "status": {"phase": "Bound"}}
    cluster.store.create("persistentvolumeclaims", body)
    cluster.pod("zk-0", volumes=[claim])
    assert cluster.place("zk-0") is None
    assert cluster.why("zk-0") == (
        "0/4 nodes are available: 4 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s). "
        "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    cluster.cordon("node-3")
    affinity = {"nodeAffinity": {"required": on_nodes("node-3")}}
    cluster.store.create("persistentvolumes", {"metadata": {"name": "local"}, "spec": affinity})
    assert cluster.place("zk-0") is None
    assert cluster.why("zk-0") == (
        "0/4 nodes are available: 1 node(s) were unschedulable, 3 node(s) didn't match PersistentVolume's node "
        "affinity. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )
    cluster.store.change("nodes", "", "node-3", lambda node: node["spec"].pop("unschedulable"))
    assert cluster.place("zk-0") == "node-3"


TERMS: list[tuple[list[dict[str, Any]], str | None]] = [
    ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-4"]}]}], "node-4"),
    ([{}], None),
    ([{}, *on_nodes("node-2")["nodeSelectorTerms"]], "node-2"),
    ([{"matchExpressions": [{"key": "disk", "operator": "Gt", "values": ["1"]}]}], None),
    ([{"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["1"]}]}], "node-3"),
    ([{"matchExpressions": [{"key": "size", "operator": "Lt", "values": ["1"]}]}], None),
]


@pytest.mark.parametrize(("terms", "node"), TERMS)
def test_any_term_of_a_node_selector_is_enough_and_an_empty_one_selects_nothing(terms: Any, node: str | None):
    cluster = Cluster()
    cluster.store.change("nodes", "", "node-3", lambda found: found["metadata"]["labels"].update(size="3"))
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    cluster.pod("zk-0", affinity={"nodeAffinity": required})
    assert cluster.place("zk-0") == node


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", "0.5"), ("500m", "0.5"), ("1Gi", str(2**30)), ("2k", "2000"), (3, "3")]
)
def test_quantities(text: str, value: str):
    assert quantity(text) == Decimal(value)


def test_tolerations():
    taint = {"key": "a", "value": "1", "effect": "NoExecute"}
    assert tolerated(taint, [{"operator": "Exists"}])
    assert tolerated(taint, [{"key": "a", "value": "1"}])
    assert not tolerated(taint, [{"key": "a", "value": "2"}])
    assert not tolerated(taint, [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}])
