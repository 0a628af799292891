"""The StatefulSet controller, with pods whose readiness the test decides."""

from __future__ import annotations

from typing import Any

import pytest

from zktui.demo.controllers.revisions import HASH_LABEL
from zktui.demo.controllers.statefulset import StatefulSetController
from zktui.demo.events import EventRecorder
from zktui.demo.names import now
from zktui.demo.objects import labels_of, meta
from zktui.demo.store import Store


class Set:
    """A set ``zk`` whose pods are bound and made ready by hand."""

    def __init__(self, replicas: int = 3, policy: str = "OrderedReady", **spec: Any) -> None:
        self.store = Store()
        self.store.create("namespaces", {"metadata": {"name": "default"}})
        self.controller = StatefulSetController(self.store, EventRecorder(self.store))
        template = {"metadata": {"labels": {"app": "zk"}}, "spec": {"containers": [{"name": "c", "image": "zk:1"}]}}
        body = {
            "serviceName": "zk-hs",
            "replicas": replicas,
            "podManagementPolicy": policy,
            "selector": {"matchLabels": {"app": "zk"}},
            "template": template,
            "volumeClaimTemplates": [{"metadata": {"name": "datadir"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
            **spec,
        }
        self.store.create("statefulsets.apps", {"metadata": {"name": "zk"}, "spec": body})
        self.sync()

    def sync(self) -> list[str]:
        """Reconcile until nothing changes; the names of the pods."""
        version = -1
        while version != self.store.version:
            version = self.store.version
            self.controller.reconcile()
        return [pod["metadata"]["name"] for pod in self.store.list("pods")[0]]

    def ready(self, *numbers: int, ready: bool = True) -> list[str]:
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        status = {"phase": "Running", "conditions": [condition]}
        for number in numbers:
            name = f"zk-{number}"
            if not self.pod(number)["spec"].get("nodeName"):
                self.store.change("pods", "default", name, lambda pod: pod["spec"].update(nodeName="node-1"))
            self.store.change("pods", "default", name, lambda pod: pod["status"].update(status), status=True)
        return self.sync()

    def pod(self, number: int) -> dict[str, Any]:
        return self.store.get("pods", "default", f"zk-{number}")

    def leaving(self) -> list[str]:
        return [meta(pod)["name"] for pod in self.store.list("pods")[0] if meta(pod).get("deletionTimestamp")]

    def gone(self, number: int) -> list[str]:
        self.store.remove("pods", "default", f"zk-{number}")
        return self.sync()

    def change(self, **spec: Any) -> list[str]:
        self.store.change("statefulsets.apps", "default", "zk", lambda obj: obj["spec"].update(spec))
        return self.sync()

    def image(self, image: str) -> list[str]:
        template = {"metadata": {"labels": {"app": "zk"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
        return self.change(template=template)

    @property
    def status(self) -> dict[str, Any]:
        return self.store.get("statefulsets.apps", "default", "zk")["status"]


def test_ordered_ready_makes_one_pod_after_the_other():
    members = Set()
    assert members.sync() == ["zk-0"]
    assert members.ready(0) == ["zk-0", "zk-1"]
    assert members.ready(1) == ["zk-0", "zk-1", "zk-2"]
    assert members.status["readyReplicas"] == 2
    members.ready(2)
    assert members.status["readyReplicas"] == 3
    assert members.status["currentRevision"] == members.status["updateRevision"]


def test_parallel_makes_all_at_once():
    assert Set(policy="Parallel").sync() == ["zk-0", "zk-1", "zk-2"]


def test_a_pod_has_its_identity_and_its_claim():
    members = Set(policy="Parallel")
    pod = members.pod(1)
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("zk-1", "zk-hs")
    assert labels_of(pod)["statefulset.kubernetes.io/pod-name"] == "zk-1"
    assert labels_of(pod)["apps.kubernetes.io/pod-index"] == "1"
    claim = {"name": "datadir", "persistentVolumeClaim": {"claimName": "datadir-zk-1"}}
    assert claim in pod["spec"]["volumes"]
    names = [meta(claim)["name"] for claim in members.store.list("persistentvolumeclaims", None, "app=zk")[0]]
    assert names == ["datadir-zk-0", "datadir-zk-1", "datadir-zk-2"]


def test_a_deleted_pod_comes_back_with_a_new_uid_and_the_same_claim_once_it_is_gone():
    members = Set(policy="Parallel")
    members.ready(0, 1, 2)
    uid, claims = meta(members.pod(1))["uid"], members.store.list("persistentvolumeclaims")[0]
    members.store.delete("pods", "default", "zk-1")
    members.sync()
    assert meta(members.pod(1))["uid"] == uid, "the leaving pod keeps its name"
    assert members.gone(1) == ["zk-0", "zk-1", "zk-2"]
    assert meta(members.pod(1))["uid"] != uid
    assert members.store.list("persistentvolumeclaims")[0] == claims


def test_under_ordered_ready_an_evicted_ordinal_waits_for_an_unready_lower_one():
    members = Set()
    for number in range(3):
        members.ready(number)
    members.ready(0, ready=False)
    members.store.delete("pods", "default", "zk-2")
    assert members.gone(2) == ["zk-0", "zk-1"]
    assert members.ready(0) == ["zk-0", "zk-1", "zk-2"]


def test_scaling_down_takes_the_highest_first():
    members = Set()
    for number in range(3):
        members.ready(number)
    members.change(replicas=1)
    assert members.leaving() == ["zk-2"]
    members.gone(2)
    assert members.leaving() == ["zk-1"]
    assert members.gone(1) == ["zk-0"]


def test_a_pod_counts_once_it_was_ready_for_long_enough():
    members = Set(minReadySeconds=30)
    pod = members.pod(0)
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": now()}
    status = {"phase": "Running", "conditions": [ready]}
    members.store.change("pods", "default", "zk-0", lambda pod: pod["status"].update(status), status=True)
    assert members.sync() == ["zk-0"]
    assert (members.status["readyReplicas"], members.status["availableReplicas"]) == (1, 0)
    assert 0 < (members.controller.reconcile() or 0) <= 30
    ready["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    members.store.change("pods", "default", "zk-0", lambda pod: pod["status"].update(status), status=True)
    assert members.sync() == ["zk-0", "zk-1"]
    assert members.status["availableReplicas"] == 1
    assert members.pod(0)["metadata"]["uid"] == pod["metadata"]["uid"]


KEPT: list[tuple[dict[str, str], list[list[str]], list[list[str]]]] = [
    ({}, [[], [], []], [[], []]),
    ({"whenDeleted": "Delete"}, [["zk"], ["zk"], ["zk"]], [["zk"], ["zk"]]),
    ({"whenScaled": "Delete"}, [[], [], []], [[], ["zk-2"]]),
    ({"whenDeleted": "Delete", "whenScaled": "Delete"}, [["zk"], ["zk"], ["zk"]], [["zk"], ["zk-2"]]),
]
"""A retention policy, who owns each member's claim under it, and the last two's owners when the last is to go."""


@pytest.mark.parametrize(("policy", "before", "after"), KEPT)
def test_who_takes_the_claims_along(policy: dict[str, str], before: list[list[str]], after: list[list[str]]):
    members = Set(policy="Parallel", persistentVolumeClaimRetentionPolicy=policy)
    members.ready(0, 1, 2)

    def owners(number: int) -> list[str]:
        claim = members.store.get("persistentvolumeclaims", "default", f"datadir-zk-{number}")
        return [owner["name"] for owner in meta(claim).get("ownerReferences", [])]

    assert [owners(number) for number in range(3)] == before
    members.change(replicas=2)
    assert [owners(1), owners(2)] == after
    members.change(replicas=3)
    assert owners(2) == before[2]


def test_a_rolling_update_goes_from_the_highest_down_and_waits_for_each():
    members = Set(policy="Parallel")
    members.ready(0, 1, 2)
    old = members.status["currentRevision"]
    members.image("zk:2")
    assert members.leaving() == ["zk-2"]
    assert members.status["updateRevision"] != old
    members.gone(2)
    assert members.leaving() == [], "zk-2 is not ready yet"
    members.ready(2)
    assert members.leaving() == ["zk-1"]
    members.gone(1)
    members.ready(1)
    members.gone(0)
    members.ready(0)
    assert members.leaving() == []
    assert members.status["currentRevision"] == members.status["updateRevision"] != old
    assert {labels_of(members.pod(number))[HASH_LABEL] for number in range(3)} == {members.status["updateRevision"]}


def test_under_parallel_an_update_takes_every_old_pod_that_is_not_available_at_once():
    """Kubernetes 1.37: zk-2 is the one of maxUnavailable; members that its going makes unready follow it."""
    members = Set(policy="Parallel")
    members.ready(0, 1, 2)
    members.image("zk:2")
    assert members.leaving() == ["zk-2"]
    members.ready(0, ready=False)
    assert members.leaving() == ["zk-0", "zk-2"]
    members.gone(2)
    members.ready(2)
    assert members.leaving() == ["zk-0"], "zk-1 is available and waits for its turn"


def test_under_ordered_ready_an_update_waits_for_whoever_is_not_available():
    members = Set()
    for number in range(3):
        members.ready(number)
    members.ready(0, ready=False)
    members.image("zk:2")
    assert members.leaving() == []
    members.ready(0)
    assert members.leaving() == ["zk-2"]


@pytest.mark.parametrize(("value", "taken"), [(1, 1), (2, 2), ("50%", 1), ("67%", 2), ("1%", 1), ("100%", 3)])
def test_max_unavailable_of_an_update(value: int | str, taken: int):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": value}}
    members = Set(policy="Parallel", updateStrategy=strategy)
    members.ready(0, 1, 2)
    members.image("zk:2")
    assert members.leaving() == ["zk-0", "zk-1", "zk-2"][3 - taken :]


def test_going_back_to_an_old_template_takes_its_revision_again_with_a_new_number():
    members = Set(policy="Parallel")
    members.ready(0, 1, 2)
    first = members.status["updateRevision"]
    members.image("zk:2")
    members.image("zk:1")
    assert members.status["updateRevision"] == first
    revisions = {meta(entry)["name"]: entry["revision"] for entry in members.store.list("controllerrevisions.apps")[0]}
    assert revisions[first] == 3
    assert sorted(revisions.values()) == [2, 3]


def test_under_on_delete_only_a_drain_upgrades():
    members = Set(policy="Parallel", updateStrategy={"type": "OnDelete"})
    members.ready(0, 1, 2)
    members.image("zk:2")
    assert members.leaving() == []
    members.store.delete("pods", "default", "zk-0")
    members.gone(0)
    assert members.pod(0)["spec"]["containers"][0]["image"] == "zk:2"
    assert members.pod(1)["spec"]["containers"][0]["image"] == "zk:1"


def test_below_the_partition_a_pod_comes_back_as_it_was():
    members = Set(policy="Parallel", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    members.ready(0, 1, 2)
    members.image("zk:2")
    assert members.leaving() == ["zk-2"]
    members.gone(2)
    members.ready(2)
    assert members.leaving() == []
    members.store.delete("pods", "default", "zk-0")
    members.gone(0)
    assert members.pod(0)["spec"]["containers"][0]["image"] == "zk:1"
    assert members.pod(2)["spec"]["containers"][0]["image"] == "zk:2"


def test_a_failed_pod_is_made_again():
    members = Set(policy="Parallel")
    uid = meta(members.pod(0))["uid"]
    members.store.change("pods", "default", "zk-0", lambda pod: pod["status"].update(phase="Failed"), status=True)
    members.sync()
    assert meta(members.pod(0))["uid"] != uid


def test_a_stranger_of_the_same_name_is_left_alone():
    members = Set(policy="Parallel", replicas=0)
    container = {"name": "c", "image": "x:1"}
    members.store.create("pods", {"metadata": {"name": "zk-0"}, "spec": {"containers": [container]}})
    members.change(replicas=1)
    assert "ownerReferences" not in meta(members.pod(0))


def test_a_new_set_adopts_what_another_has_left() -> None:
    found = Set()
    found.ready(0)
    found.ready(1)
    found.ready(2)
    before = [meta(found.pod(number))["uid"] for number in range(3)]
    revisions = [entry["metadata"]["name"] for entry in found.store.list("controllerrevisions.apps")[0]]
    old = found.store.get("statefulsets.apps", "default", "zk")
    found.store.delete("statefulsets.apps", "default", "zk", propagation="Orphan")
    assert [meta(found.pod(number)).get("ownerReferences") for number in range(3)] == [[], [], []]
    containers = [{"name": "c", "image": "zk:1"}]
    labels = {"app": "other"}
    stray = {"metadata": {"name": "zk-9", "namespace": "default", "labels": labels}, "spec": {"containers": containers}}
    found.store.create("pods", stray)
    found.store.create("statefulsets.apps", {"metadata": {"name": "zk"}, "spec": old["spec"]})
    found.sync()
    new = meta(found.store.get("statefulsets.apps", "default", "zk"))["uid"]
    assert new != meta(old)["uid"]
    assert [meta(found.pod(number))["uid"] for number in range(3)] == before
    assert {meta(found.pod(number))["ownerReferences"][0]["uid"] for number in range(3)} == {new}
    assert not meta(found.pod(9)).get("ownerReferences")
    assert [e["metadata"]["name"] for e in found.store.list("controllerrevisions.apps")[0]] == revisions
    status = found.store.get("statefulsets.apps", "default", "zk")["status"]
    assert (status["readyReplicas"], status["currentRevision"]) == (3, revisions[0])
