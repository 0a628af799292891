"""Server-side apply over HTTP: who owns which field, conflicts, force, and what goes with its last owner."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from zktui.demo.store import Store

Object = dict[str, Any]
SETS = "/apis/apps/v1/namespaces/default/statefulsets"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def stateful_set(*containers: Object, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "zk"}}, "spec": {"containers": list(containers)}}
    fixed = {"serviceName": "zk-hs", "selector": {"matchLabels": {"app": "zk"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "zk"}, "spec": {**fixed, **spec}}


ZK: Object = {"name": "zookeeper", "image": "zookeeper:3.9"}
SIDE: Object = {"name": "side", "image": "side:1"}


class Client:
    """Applies and patches the StatefulSet zk."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def apply(self, config: Object, manager: str, code: int = 200, **query: str) -> Object:
        params = {"fieldManager": manager, **query}
        headers = {"Content-Type": APPLY}
        async with self.http.patch(f"{SETS}/zk", data=json.dumps(config), headers=headers, params=params) as reply:
            body = await reply.json()
            assert reply.status == code, body
            return body

    async def patch(self, body: Object, manager: str = "", path: str = "zk") -> Object:
        params = {"fieldManager": manager} if manager else {}
        headers = {"Content-Type": MERGE}
        async with self.http.patch(f"{SETS}/{path}", data=json.dumps(body), headers=headers, params=params) as reply:
            found = await reply.json()
            assert reply.status == 200, found
            return found


@pytest.fixture
def client(http: aiohttp.ClientSession) -> Client:
    return Client(http)


def owners(obj: Object) -> dict[tuple[str, str], Object]:
    """(manager, operation) to the fields that it owns."""
    found = obj["metadata"].get("managedFields", [])
    assert all(entry["apiVersion"] == "apps/v1" and entry["fieldsType"] == "FieldsV1" for entry in found)
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in found}


def containers(obj: Object) -> list[str]:
    return [one["name"] for one in obj["spec"]["template"]["spec"]["containers"]]


async def test_who_applies_owns_what_it_says_and_no_default(client: Client) -> None:
    made = await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    assert made["spec"]["podManagementPolicy"] == "OrderedReady"
    (fields,) = owners(made).values()
    assert fields == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:serviceName": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {"f:containers": {'k:{"name":"zookeeper"}': {".": {}, "f:name": {}, "f:image": {}}}},
            },
        }
    }


async def test_applying_the_same_again_changes_nothing(client: Client) -> None:
    made = await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    assert await client.apply(stateful_set(ZK, replicas=3), "deploy") == made


async def test_a_conflict_names_the_field_and_its_owner(client: Client) -> None:
    await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    scaled = await client.patch({"spec": {"replicas": 5}}, "kubectl-scale")
    assert owners(scaled)["kubectl-scale", "Update"] == {"f:spec": {"f:replicas": {}}}
    status = await client.apply(stateful_set(ZK, replicas=3), "deploy", 409)
    who = 'conflict with "kubectl-scale" using apps/v1'
    assert status["reason"] == "Conflict"
    assert status["message"] == f"Apply failed with 1 conflict: {who}: .spec.replicas"
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": who, "field": ".spec.replicas"}
    ]


async def test_force_takes_the_field_over(client: Client) -> None:
    await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    await client.patch({"spec": {"replicas": 5}}, "kubectl-scale")
    forced = await client.apply(stateful_set(ZK, replicas=3), "deploy", force="true")
    assert forced["spec"]["replicas"] == 3
    assert set(owners(forced)) == {("deploy", "Apply")}


async def test_several_conflicts_are_told_by_their_managers(client: Client) -> None:
    await client.apply(stateful_set(ZK, SIDE, replicas=3), "deploy", 201)
    changed = stateful_set({**ZK, "image": "zookeeper:3.8"}, replicas=4)
    status = await client.apply(changed, "other", 409)
    image = '.spec.template.spec.containers[name="zookeeper"].image'
    assert status["message"] == f'Apply failed with 2 conflicts: conflicts with "deploy":\n- .spec.replicas\n- {image}'


async def test_two_own_one_field_as_long_as_they_agree(client: Client) -> None:
    await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    both = await client.apply(stateful_set(ZK, replicas=3), "other")
    assert [fields["f:spec"]["f:replicas"] for fields in owners(both).values()] == [{}, {}]
    # One lets go: the other still has it.
    left = await client.apply(stateful_set(ZK), "other")
    assert left["spec"]["replicas"] == 3
    assert "f:replicas" not in owners(left)["other", "Apply"]["f:spec"]


async def test_what_its_last_owner_lets_go_is_gone(client: Client) -> None:
    await client.apply(stateful_set({**ZK, "args": ["a"]}, SIDE, replicas=3), "deploy", 201)
    left = await client.apply(stateful_set(ZK), "deploy")
    assert containers(left) == ["zookeeper"]
    assert "args" not in left["spec"]["template"]["spec"]["containers"][0]
    assert left["spec"]["replicas"] == 1, "the default again"


async def test_an_item_stays_for_whoever_owns_something_in_it(client: Client) -> None:
    await client.apply(stateful_set(ZK, SIDE), "deploy", 201)
    await client.apply(stateful_set(ZK, {**SIDE, "args": ["b"]}), "other")
    left = await client.apply(stateful_set(ZK), "deploy")
    assert containers(left) == ["zookeeper", "side"]
    gone = await client.apply(stateful_set(ZK), "other")
    assert containers(gone) == ["zookeeper"]


async def test_items_are_told_apart_by_all_their_keys(client: Client) -> None:
    ports = [{"containerPort": 2181}, {"containerPort": 2181, "protocol": "UDP"}]
    made = await client.apply(stateful_set({**ZK, "ports": ports}), "deploy", 201)
    fields = owners(made)["deploy", "Apply"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert list(fields['k:{"name":"zookeeper"}']["f:ports"]) == [
        'k:{"containerPort":2181,"protocol":"TCP"}',
        'k:{"containerPort":2181,"protocol":"UDP"}',
    ]
    twice = stateful_set({**ZK, "ports": [{"containerPort": 2181}, {"containerPort": 2181}]})
    status = await client.apply(twice, "deploy", 500)
    assert 'duplicate entries for key [containerPort=2181,protocol="TCP"]' in status["message"]


async def test_a_dry_run_keeps_nothing(client: Client, store: Store) -> None:
    shown = await client.apply(stateful_set(ZK, replicas=3), "deploy", 201, dryRun="All")
    assert shown["spec"]["podManagementPolicy"] == "OrderedReady"
    assert store.find("statefulsets.apps", "default", "zk") is None
    made = await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    shown = await client.apply(stateful_set(ZK, replicas=5), "deploy", dryRun="All")
    assert (shown["spec"]["replicas"], shown["metadata"]["generation"]) == (5, 2)
    assert store.get("statefulsets.apps", "default", "zk") == made
    await client.patch({"spec": {"replicas": 4}}, "kubectl-scale")
    await client.apply(stateful_set(ZK, replicas=5), "deploy", 409, dryRun="All")


async def test_the_status_has_owners_of_its_own(client: Client) -> None:
    await client.apply(stateful_set(ZK, replicas=3), "deploy", 201)
    told = await client.patch({"status": {"readyReplicas": 2}}, "controller", "zk/status")
    entry = next(entry for entry in told["metadata"]["managedFields"] if entry["manager"] == "controller")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:readyReplicas": {}}})
    config = {**stateful_set(ZK, replicas=3), "status": {"readyReplicas": 9}}
    assert (await client.apply(config, "deploy"))["status"]["readyReplicas"] == 2


async def test_what_was_made_without_an_account_was_before(client: Client, store: Store) -> None:
    store.create("statefulsets.apps", stateful_set(ZK, replicas=3))
    status = await client.apply(stateful_set(ZK, replicas=4), "deploy", 409)
    assert 'conflict with "before-first-apply" using apps/v1' in status["message"]


async def test_kubectl_takes_over_what_it_applied_before_and_nobody_changed(client: Client, store: Store) -> None:
    said = json.dumps(stateful_set(ZK, replicas=3))
    annotated = {"name": "zk", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": said}}
    store.create("statefulsets.apps", {**stateful_set(ZK, replicas=3), "metadata": annotated})
    await client.apply(stateful_set(ZK, replicas=4), "deploy", 409)
    taken = await client.apply(stateful_set(ZK, replicas=4), "kubectl")
    assert taken["spec"]["replicas"] == 4
    kept = json.loads(taken["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert kept["spec"]["replicas"] == 4
    # Somebody else's change is no longer what was applied.
    await client.patch({"spec": {"replicas": 5}}, "kubectl-scale")
    await client.apply(stateful_set(ZK, replicas=4), "kubectl", 409)


@pytest.mark.parametrize(
    ("change", "query", "code", "words"),
    [
        ({}, {"fieldManager": ""}, 422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value'),
        ({"metadata": {"name": "zk", "managedFields": []}}, {}, 400, "metadata.managedFields must be nil"),
        ({"metadata": {"name": "other"}}, {}, 400, "the name of the object (other) does not match"),
        ({"apiVersion": "apps/v2"}, {}, 400, "Incorrect version specified in apply patch"),
        ({"spec": {"nonsense": 1}}, {}, 500, "(default/zk; apps/v1, Kind=StatefulSet): .spec.nonsense: field not decl"),
        (
            {"spec": {"replicas": "three"}},
            {},
            400,
            "cannot unmarshal string into Go struct field StatefulSetSpec.spec.",
        ),
    ],
)
async def test_refused(client: Client, change: Object, query: dict[str, str], code: int, words: str) -> None:
    config = {**stateful_set(ZK), **change}
    status = await client.apply(config, query.get("fieldManager", "deploy"), code)
    assert words in status["message"]


async def test_force_is_for_apply_alone(http: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": MERGE}
    async with http.patch("/api/v1/nodes/node-1?force=true", data="{}", headers=headers) as reply:
        assert reply.status == 422
        assert "force: Forbidden: may not be specified for non-apply patch" in (await reply.json())["message"]


async def test_an_update_owns_what_it_changed_and_its_creator_the_defaults(client: Client) -> None:
    headers = {"User-Agent": "kubectl-create/v1"}
    async with client.http.post(SETS, json=stateful_set(ZK, replicas=3), headers=headers) as reply:
        made = await reply.json()
    assert owners(made)["kubectl-create", "Update"]["f:spec"]["f:podManagementPolicy"] == {}
    await client.patch({"spec": {"replicas": 5}}, "kubectl", "zk/scale")
    async with client.http.get(f"{SETS}/zk") as reply:
        scaled = {entry["manager"]: entry for entry in (await reply.json())["metadata"]["managedFields"]}
    assert scaled["kubectl"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert scaled["kubectl"]["subresource"] == "scale"
    assert "f:replicas" not in scaled["kubectl-create"]["fieldsV1"]["f:spec"]


async def test_a_configuration_in_yaml(http: aiohttp.ClientSession) -> None:
    path = "/api/v1/namespaces/default/configmaps/cm?fieldManager=us"
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: '1'}\n"
    async with http.patch(path, data=body, headers={"Content-Type": APPLY}) as reply:
        assert (reply.status, (await reply.json())["data"]) == (201, {"a": "1"})
    async with http.patch(path, json={"data": {"a": "3"}}, headers={"Content-Type": MERGE}) as reply:
        assert reply.status == 200, "one name, but another operation: another owner"
    async with http.patch(path, data=body, headers={"Content-Type": APPLY}) as reply:
        refused = await reply.json()
        assert refused["message"] == 'Apply failed with 1 conflict: conflict with "us" using v1: .data.a'
