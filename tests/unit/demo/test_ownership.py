"""Server-side apply on the rehearsal server: what it owns, whom it conflicts with, and what it removes."""

from __future__ import annotations

import copy
from typing import Any

import aiohttp
import pytest

from zktui.demo.errors import ApiError
from zktui.demo.ownership import APPLY, Writer, fields_of
from zktui.demo.store import Store

Object = dict[str, Any]
SETS = "statefulsets.apps"
US, FORCING = Writer("zktui", APPLY), Writer("zktui", APPLY, force=True)
SET: Object = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "zk", "labels": {"app": "zk"}},
    "spec": {
        "replicas": 3,
        "serviceName": "zk-hs",
        "selector": {"matchLabels": {"app": "zk"}},
        "template": {
            "metadata": {"labels": {"app": "zk"}},
            "spec": {
                "containers": [
                    {
                        "name": "zookeeper",
                        "image": "zookeeper:3.9",
                        "ports": [{"containerPort": 2181}],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    }
                ]
            },
        },
    },
}
CONTAINER = ".spec.template.spec.containers[name=" + '"zookeeper"]'


@pytest.fixture
def empty() -> Store:
    store = Store()
    store.create("namespaces", {"metadata": {"name": "default"}})
    return store


def changed(**container: Any) -> Object:
    config = copy.deepcopy(SET)
    config["spec"]["template"]["spec"]["containers"][0].update(container)
    return config


def apply(store: Store, config: Object, writer: Writer = US, *, dry_run: bool = False) -> Object:
    return store.apply(SETS, "default", "zk", copy.deepcopy(config), writer, dry_run=dry_run)


def managers(obj: Object) -> dict[tuple[str, str], Object]:
    return {(e["manager"], e["operation"]): e["fieldsV1"] for e in obj["metadata"]["managedFields"]}


def container(obj: Object) -> Object:
    return obj["spec"]["template"]["spec"]["containers"][0]


def test_an_apply_owns_what_it_sends_and_no_default(empty: Store) -> None:
    made = apply(empty, SET)
    assert container(made)["imagePullPolicy"] == "IfNotPresent"
    ((_, fields),) = managers(made).items()
    mine = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"zookeeper"}']
    assert mine["f:image"] == {}
    assert mine["."] == {}
    assert mine["f:ports"] == {'k:{"containerPort":2181,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}
    assert "f:imagePullPolicy" not in mine
    assert fields["f:spec"]["f:selector"] == {}, "a label selector is owned as a whole"
    assert "f:name" not in fields["f:metadata"]


def test_the_same_again_stores_nothing(empty: Store) -> None:
    made = apply(empty, SET)
    assert apply(empty, SET)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_what_is_left_out_is_removed_unless_another_owns_it(empty: Store) -> None:
    apply(empty, changed(workingDir="/x"))
    labelled = {"metadata": {"labels": {"theirs": "1"}}}
    empty.patch(
        SETS, "default", "zk", labelled, patch_type="application/merge-patch+json", writer=Writer("kubectl-label")
    )
    less = changed(env=[{"name": "B", "value": "2"}])
    after = apply(empty, less)
    assert "workingDir" not in container(after)
    assert container(after)["env"] == [{"name": "B", "value": "2"}]
    assert after["metadata"]["labels"] == {"app": "zk", "theirs": "1"}


def test_a_conflict_names_field_and_manager(empty: Store) -> None:
    apply(empty, SET)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "zookeeper", "image": "zookeeper:3.8"}]}}}}
    media = "application/strategic-merge-patch+json"
    empty.patch(SETS, "default", "zk", patch, patch_type=media, writer=Writer("kubectl-edit"))
    with pytest.raises(ApiError) as caught:
        apply(empty, SET)
    why = caught.value
    assert (why.code, why.reason) == (409, "Conflict")
    words = f'conflict with "kubectl-edit" using apps/v1: {CONTAINER}.image'
    assert why.message == f"Apply failed with 1 conflict: {words}"
    message = 'conflict with "kubectl-edit" using apps/v1'
    cause = {"reason": "FieldManagerConflict", "message": message, "field": f"{CONTAINER}.image"}
    assert why.details == {"causes": [cause]}
    assert container(empty.get(SETS, "default", "zk"))["image"] == "zookeeper:3.8"
    taken = apply(empty, SET, FORCING)
    assert container(taken)["image"] == "zookeeper:3.9"
    assert ("kubectl-edit", "Update") not in managers(taken)


def test_two_appliers_of_the_same_value_share_it(empty: Store) -> None:
    apply(empty, SET)
    both = apply(empty, SET, Writer("other", APPLY))
    assert set(managers(both)) == {("zktui", "Apply"), ("other", "Apply")}
    with pytest.raises(ApiError) as caught:
        apply(empty, {**SET, "spec": {**SET["spec"], "replicas": 5}})
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "other": .spec.replicas'


def test_several_conflicts_are_listed_by_manager(empty: Store) -> None:
    apply(empty, SET, Writer("other", APPLY))
    config = changed(image="zookeeper:3.8")
    config["spec"]["replicas"] = 5
    with pytest.raises(ApiError) as caught:
        apply(empty, config)
    listed = f"- .spec.replicas\n- {CONTAINER}.image"
    assert caught.value.message == f'Apply failed with 2 conflicts: conflicts with "other":\n{listed}'


def test_a_dry_run_stores_nothing_and_refuses_the_same(empty: Store) -> None:
    assert apply(empty, SET, dry_run=True)["spec"]["podManagementPolicy"] == "OrderedReady"
    assert empty.find(SETS, "default", "zk") is None
    apply(empty, SET, Writer("other", APPLY))
    would = apply(empty, changed(workingDir="/x"), dry_run=True)
    assert container(would)["workingDir"] == "/x"
    assert "workingDir" not in container(empty.get(SETS, "default", "zk"))
    with pytest.raises(ApiError):
        apply(empty, changed(image="zookeeper:3.8"), dry_run=True)


def test_an_update_owns_what_it_changed(empty: Store) -> None:
    made = empty.create(SETS, copy.deepcopy(SET), writer=Writer("kubectl-create"))
    ((_, fields),) = managers(made).items()
    assert fields["f:spec"]["f:podManagementPolicy"] == {}, "defaults are its creator's"
    fresh = copy.deepcopy(made)
    fresh["spec"]["replicas"] = 5
    scaled = empty.update(SETS, fresh, writer=Writer("kubectl", subresource="scale"))
    entries = {e["manager"]: e for e in scaled["metadata"]["managedFields"]}
    assert entries["kubectl"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert entries["kubectl"]["subresource"] == "scale"
    assert "f:replicas" not in entries["kubectl-create"]["fieldsV1"]["f:spec"]


def test_a_status_and_a_controller_s_own_writing_own_nothing(empty: Store) -> None:
    before = apply(empty, SET)["metadata"]["managedFields"]
    empty.change(SETS, "default", "zk", lambda obj: obj.update(status={"replicas": 3}), status=True)
    empty.change(SETS, "default", "zk", lambda obj: obj["metadata"].update(annotations={"a": "b"}))
    assert empty.get(SETS, "default", "zk")["metadata"]["managedFields"] == before


def test_items_of_lists_are_told_apart() -> None:
    paths = {".".join(path) for path in fields_of({"spec": {"ports": [{"port": 1, "name": "a"}], "command": ["x"]}})}
    item = 'f:spec.f:ports.k:{"port":1,"protocol":"TCP"}'
    assert paths == {item, f"{item}.f:port", f"{item}.f:name", "f:spec.f:command"}


async def test_over_http(http: aiohttp.ClientSession) -> None:
    path = "/api/v1/namespaces/default/configmaps/cm"
    headers = {"Content-Type": "application/apply-patch+yaml", "User-Agent": "other/1.0"}
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: '1'}\n"
    async with http.patch(path, data=body, headers=headers) as reply:
        assert reply.status == 422
    async with http.patch(f"{path}?fieldManager=us&dryRun=All", data=body, headers=headers) as reply:
        assert reply.status == 201
    async with http.get(path) as reply:
        assert reply.status == 404
    async with http.patch(f"{path}?fieldManager=us", data=body, headers=headers) as reply:
        assert reply.status == 201
    merge = {"Content-Type": "application/merge-patch+json", "User-Agent": "other/1.0"}
    async with http.patch(path, json={"data": {"a": "3"}}, headers=merge) as reply:
        assert reply.status == 200
    async with http.patch(f"{path}?fieldManager=us", data=body, headers=headers) as reply:
        refused = await reply.json()
        assert (reply.status, refused["details"]["causes"][0]["field"]) == (409, ".data.a")
        assert refused["message"] == 'Apply failed with 1 conflict: conflict with "other" using v1: .data.a'
    async with http.patch(f"{path}?fieldManager=us&force=true", data=body, headers=headers) as reply:
        assert (reply.status, (await reply.json())["data"]) == (200, {"a": "1"})
