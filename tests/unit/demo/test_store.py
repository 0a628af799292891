"""The store: versions, generations, conflicts, deletion with grace, history and past states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from zktui.demo.errors import ApiError
from zktui.demo.history import Change
from zktui.demo.store import Store, thaw

Object = dict[str, Any]
STATEFUL_SETS = "statefulsets.apps"


def stateful_set(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "zk"}}, "spec": {"containers": [{"name": "a", "image": "b:1"}]}}
    selector = {"matchLabels": {"app": "zk"}}
    return {"metadata": {"name": "zk"}, "spec": {"selector": selector, "template": template, **spec}}


def test_create_fills_what_the_server_sets(store: Store) -> None:
    made = store.create(STATEFUL_SETS, stateful_set())
    assert made["metadata"]["generation"] == 1
    assert made["metadata"]["namespace"] == "default"
    assert len(made["metadata"]["uid"]) == 36
    assert made["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "partition": 0},
    }
    assert made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert made["metadata"]["resourceVersion"] == str(store.version)


def test_what_goes_in_is_copied(store: Store) -> None:
    given = stateful_set()
    store.create(STATEFUL_SETS, given)
    given["spec"]["replicas"] = 99
    assert store.get(STATEFUL_SETS, "default", "zk")["spec"]["replicas"] == 1


def test_generate_name_and_duplicates(store: Store, make_member: Callable[..., Object]) -> None:
    pod = make_member("zk-9")
    pod["metadata"].update(generateName="zk-")
    del pod["metadata"]["name"]
    first, second = store.create("pods", pod), store.create("pods", pod)
    assert first["metadata"]["name"].startswith("zk-")
    assert first["metadata"]["name"] != second["metadata"]["name"]
    with pytest.raises(ApiError, match='pods "zk-0" already exists') as caught:
        store.create("pods", make_member("zk-0"))
    assert caught.value.code == 409


def test_unknown_namespace_is_refused(store: Store, make_member: Callable[..., Object]) -> None:
    pod = make_member("zk-9")
    pod["metadata"]["namespace"] = "nowhere"
    with pytest.raises(ApiError, match='namespaces "nowhere" not found'):
        store.create("pods", pod)


def test_generation_grows_with_the_spec_only(store: Store) -> None:
    made = store.create(STATEFUL_SETS, stateful_set())
    labelled = thaw(made)
    labelled["metadata"]["labels"] = {"a": "b"}
    labelled = store.update(STATEFUL_SETS, labelled)
    assert labelled["metadata"]["generation"] == 1
    scaled = thaw(labelled)
    scaled["spec"]["replicas"] = 3
    scaled = store.update(STATEFUL_SETS, scaled)
    assert scaled["metadata"]["generation"] == 2
    reported = thaw(scaled)
    reported["status"]["readyReplicas"] = 3
    reported["spec"]["replicas"] = 7
    reported = store.update_status(STATEFUL_SETS, reported)
    assert reported["metadata"]["generation"] == 2
    assert reported["spec"]["replicas"] == 3
    assert reported["status"]["readyReplicas"] == 3


def test_update_leaves_the_status_alone(store: Store) -> None:
    pod = thaw(store.get("pods", "default", "zk-0"))
    pod["status"] = {"phase": "Failed"}
    pod["metadata"]["annotations"] = {"a": "b"}
    assert store.update("pods", pod)["status"]["phase"] == "Running"


def test_stale_update_conflicts(store: Store) -> None:
    old = thaw(store.get("pods", "default", "zk-0"))
    store.change("pods", "default", "zk-0", lambda pod: pod["metadata"]["labels"].update(a="b"))
    old["metadata"]["labels"]["a"] = "c"
    with pytest.raises(ApiError) as caught:
        store.update("pods", old)
    assert caught.value.code == 409
    assert caught.value.message == (
        'Operation cannot be fulfilled on pods "zk-0": the object has been modified; please apply your changes '
        "to the latest version and try again"
    )
    del old["metadata"]["resourceVersion"]
    assert store.update("pods", old)["metadata"]["labels"]["a"] == "c"


def test_update_that_changes_nothing_is_no_change(store: Store) -> None:
    before = store.version
    store.update("pods", thaw(store.get("pods", "default", "zk-0")))
    assert store.version == before


def test_fixed_fields(store: Store) -> None:
    store.create(STATEFUL_SETS, stateful_set())
    with pytest.raises(ApiError, match="field is immutable") as caught:
        store.change(STATEFUL_SETS, "default", "zk", lambda found: found["spec"].update(serviceName="other"))
    assert (caught.value.code, (caught.value.details or {})["causes"][0]["field"]) == (422, "spec.serviceName")
    with pytest.raises(ApiError, match="pod updates may not change fields other than"):
        store.change("pods", "default", "zk-0", lambda pod: pod["spec"].update(nodeName="node-4"))


def test_a_pod_without_a_node_can_be_bound(store: Store, make_member: Callable[..., Object]) -> None:
    store.create("pods", make_member("zk-9", ""))
    bound = store.change("pods", "default", "zk-9", lambda pod: pod["spec"].update(nodeName="node-4"))
    assert bound["spec"]["nodeName"] == "node-4"


def test_a_pod_on_a_node_stays_until_its_kubelet_removes_it(store: Store) -> None:
    pod = store.get("pods", "default", "zk-0")
    dying, gone = store.delete("pods", "default", "zk-0")
    assert not gone
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
    assert dying["metadata"]["generation"] == pod["metadata"]["generation"] + 1
    version = store.version
    assert store.delete("pods", "default", "zk-0") == (dying, False)
    assert store.delete("pods", "default", "zk-0", grace_seconds=60) == (dying, False)
    assert store.version == version
    shorter, _ = store.delete("pods", "default", "zk-0", grace_seconds=5)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter["metadata"]["deletionTimestamp"] < dying["metadata"]["deletionTimestamp"]
    store.remove("pods", "default", "zk-0", "another-uid")
    assert store.find("pods", "default", "zk-0") is not None
    store.remove("pods", "default", "zk-0", pod["metadata"]["uid"])
    assert store.find("pods", "default", "zk-0") is None


@pytest.mark.parametrize(("node", "phase"), [("", "Pending"), ("node-4", "Failed"), ("node-4", "Succeeded")])
def test_unscheduled_and_finished_pods_go_at_once(
    store: Store, make_member: Callable[..., Object], node: str, phase: str
) -> None:
    store.create("pods", make_member("zk-9", node, phase=phase))
    assert store.delete("pods", "default", "zk-9")[1]
    assert store.find("pods", "default", "zk-9") is None


def test_force_deletion_needs_no_kubelet(store: Store) -> None:
    assert store.delete("pods", "default", "zk-0", grace_seconds=0)[1]
    assert store.find("pods", "default", "zk-0") is None


def test_finalizers_hold_an_object(store: Store) -> None:
    made = stateful_set()
    made["metadata"]["finalizers"] = ["example.com/wait"]
    store.create(STATEFUL_SETS, made)
    assert not store.delete(STATEFUL_SETS, "default", "zk")[1]
    store.change(STATEFUL_SETS, "default", "zk", lambda found: found["metadata"].pop("finalizers"))
    assert store.find(STATEFUL_SETS, "default", "zk") is None


def own(store: Store, pod: str) -> None:
    owner = store.get(STATEFUL_SETS, "default", "zk")["metadata"]
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "zk", "uid": owner["uid"], "controller": True}
    store.change("pods", "default", pod, lambda found: found["metadata"].update(ownerReferences=[reference]))


def test_orphans_lose_their_owner(store: Store) -> None:
    store.create(STATEFUL_SETS, stateful_set())
    own(store, "zk-0")
    assert store.delete(STATEFUL_SETS, "default", "zk", propagation="Orphan")[1]
    assert store.get("pods", "default", "zk-0")["metadata"]["ownerReferences"] == []


def test_foreground_deletion_waits_for_the_dependents(store: Store) -> None:
    store.create(STATEFUL_SETS, stateful_set())
    own(store, "zk-0")
    assert not store.delete(STATEFUL_SETS, "default", "zk", propagation="Foreground")[1]
    assert "deletionTimestamp" in store.get("pods", "default", "zk-0")["metadata"]
    assert "deletionTimestamp" in store.get(STATEFUL_SETS, "default", "zk")["metadata"]
    store.remove("pods", "default", "zk-0")
    assert store.find(STATEFUL_SETS, "default", "zk") is None


def test_the_past_can_be_listed_until_it_is_compacted(store: Store) -> None:
    then = store.version
    store.delete("pods", "default", "zk-0", grace_seconds=0)
    store.change("pods", "default", "zk-1", lambda pod: pod["metadata"]["labels"].update(a="b"))
    now = [pod["metadata"]["name"] for pod in store.list("pods")[0]]
    past, version = store.list("pods", at=then)
    assert now == ["zk-1", "zk-2"]
    assert [pod["metadata"]["name"] for pod in past] == ["zk-0", "zk-1", "zk-2"]
    assert past[1]["metadata"]["labels"] == {"app": "zk"}
    assert version == str(then)
    store.history.compact()
    with pytest.raises(ApiError, match="resourceVersion for the provided list is too old") as caught:
        store.list("pods", at=then)
    assert (caught.value.code, caught.value.reason) == (410, "Expired")


def test_selectors_in_lists(store: Store) -> None:
    def names(label_selector: str = "", field_selector: str = "") -> list[str]:
        return [pod["metadata"]["name"] for pod in store.list("pods", None, label_selector, field_selector)[0]]

    assert names(label_selector="app in (zk, other),!missing") == ["zk-0", "zk-1", "zk-2"]
    assert names(label_selector="app!=zk") == []
    store.change("pods", "default", "zk-1", lambda pod: pod["metadata"]["labels"].update(tier="5"))
    assert names(label_selector="tier>4") == names(label_selector="tier < 6,app") == ["zk-1"]
    assert names(label_selector="tier>5") == names(label_selector="app>1") == []
    assert names(field_selector="spec.nodeName=node-2,status.phase!=Failed") == ["zk-1"]
    with pytest.raises(ApiError, match=r"field label not supported: spec\.hostIP"):
        names(field_selector="spec.hostIP=1")


async def test_subscription_sees_every_change_in_order(store: Store) -> None:
    seen: list[Change] = []
    since = store.version

    async def read() -> None:
        async for change in store.subscribe("pods", "default", since):
            seen.append(change)
            if len(seen) == 4:
                return

    store.change("pods", "default", "zk-0", lambda pod: pod["metadata"]["labels"].update(a="1"))
    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=True))
    store.change("pods", "default", "zk-0", lambda pod: pod["metadata"]["labels"].update(a="2"))
    store.delete("pods", "default", "zk-0", grace_seconds=0)
    await asyncio.wait_for(task, 5)
    assert [change.type for change in seen] == ["MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]
    assert [change.version for change in seen] == sorted(change.version for change in seen)
    assert seen[2].obj["metadata"]["deletionGracePeriodSeconds"] == 0
    assert seen[3].obj["metadata"]["resourceVersion"] == str(store.version)


async def test_subscription_from_a_lost_version(make_member: Callable[..., Object]) -> None:
    store = Store(history=2)
    store.create("namespaces", {"metadata": {"name": "default"}})
    for number in range(4):
        store.create("pods", make_member(f"zk-{number}"))
    with pytest.raises(ApiError, match=r"too old resource version: 1 \(4\)"):
        await anext(store.subscribe("pods", since_rv=1))
    # The version just before the oldest change that is kept is still good; so is the present one.
    assert [change.version for change in store.history.after(store.history.oldest)] == [5, 6]
    store.history.compact()
    assert store.history.after(store.version) == []


def test_callbacks_are_told_until_they_leave(store: Store) -> None:
    told: list[tuple[str, str]] = []
    leave = store.on_change(lambda kind, resource, _obj: told.append((kind, resource)))
    store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=True))
    leave()
    store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=False))
    assert told == [("MODIFIED", "nodes")]


def test_dry_run_stores_nothing(store: Store, make_member: Callable[..., Object]) -> None:
    before = store.version
    store.create("pods", make_member("zk-9"), dry_run=True)
    store.delete("pods", "default", "zk-0", grace_seconds=0, dry_run=True)
    patch = {"metadata": {"labels": {"a": "b"}}}
    merge = "application/merge-patch+json"
    patched = store.patch("pods", "default", "zk-0", patch, patch_type=merge, dry_run=True)
    assert patched["metadata"]["labels"]["a"] == "b"
    assert store.version == before
    assert len(store.list("pods")[0]) == 3
