"""The API over HTTPS: authentication, discovery, lists, writes, deletions, reviews, and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from zktui.demo.errors import ApiError
from zktui.demo.requests import RequestInfo
from zktui.demo.server import ApiServer
from zktui.demo.store import Store

Object = dict[str, Any]
Call = Callable[..., Awaitable[tuple[int, Object]]]
PODS = "/api/v1/namespaces/default/pods"
SETS = "/apis/apps/v1/namespaces/default/statefulsets"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
STRATEGIC = "application/strategic-merge-patch+json"


def names(body: Object) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


def stateful_set(name: str = "zk") -> Object:
    template = {"metadata": {"labels": {"app": "zk"}}, "spec": {"containers": [{"name": "a", "image": "b:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "zk"}}, "template": template},
    }


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic eDp5"}])
async def test_nobody_may_ask_only_what_is_public(server: ApiServer, header: dict[str, str]) -> None:
    connector = aiohttp.TCPConnector(ssl=server.certificate.client_context())
    async with (
        aiohttp.ClientSession(server.url, connector=connector, headers=header) as session,
        session.get(PODS) as reply,
        session.get("/readyz") as health,
    ):
        assert reply.status == 403
        assert 'User "system:anonymous" cannot list resource "pods"' in (await reply.json())["message"]
        assert health.status == 200


async def test_a_wrong_token(server: ApiServer) -> None:
    header = {"Authorization": "Bearer wrong"}
    connector = aiohttp.TCPConnector(ssl=server.certificate.client_context())
    async with (
        aiohttp.ClientSession(server.url, connector=connector, headers=header) as session,
        session.get(PODS) as reply,
        session.get("/readyz") as health,
    ):
        assert reply.status == 401
        assert await reply.json() == {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "Unauthorized",
            "reason": "Unauthorized",
            "code": 401,
        }
        # Health is told to anybody, but not to one who comes with a wrong token.
        assert health.status == 401


async def test_the_certificate_is_trusted_by_name_only(server: ApiServer, http: aiohttp.ClientSession) -> None:
    async with http.get(server.url.replace("127.0.0.1", "localhost") + "/version") as reply:
        assert (await reply.json())["gitVersion"].startswith("v1.37")
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        async with aiohttp.ClientSession() as stranger, stranger.get(server.url + "/version"):
            pass


async def test_legacy_discovery(call: Call) -> None:
    _, core = await call("GET", "/api/v1")
    eviction = next(entry for entry in core["resources"] if entry["name"] == "pods/eviction")
    assert (eviction["kind"], eviction["group"], eviction["version"]) == ("Eviction", "policy", "v1")
    _, groups = await call("GET", "/apis")
    assert {group["name"] for group in groups["groups"]} >= {"apps", "policy", "coordination.k8s.io"}
    _, policy = await call("GET", "/apis/policy/v1")
    assert policy["resources"][0]["shortNames"] == ["pdb"]


async def test_aggregated_discovery(http: aiohttp.ClientSession) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    async with http.get("/apis", headers={"Accept": accept}) as reply:
        assert "as=APIGroupDiscoveryList" in reply.headers["Content-Type"]
        items = (await reply.json())["items"]
    apps = next(item for item in items if item["metadata"]["name"] == "apps")
    sets = next(entry for entry in apps["versions"][0]["resources"] if entry["resource"] == "statefulsets")
    assert sets["scope"] == "Namespaced"
    assert {sub["subresource"] for sub in sets["subresources"]} == {"scale", "status"}


async def test_openapi_names_what_a_patch_takes(call: Call) -> None:
    _, index = await call("GET", "/openapi/v3")
    assert "apis/apps/v1" in index["paths"]
    _, document = await call("GET", "/openapi/v3/apis/apps/v1")
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}


async def test_what_is_not_served(http: aiohttp.ClientSession, call: Call) -> None:
    async with http.get("/apis/batch/v1/jobs") as reply:
        assert (reply.status, await reply.text()) == (404, "404 page not found\n")
    code, body = await call("POST", "/api/v1/pods", {"kind": "Pod"})
    assert (code, body["reason"]) == (405, "MethodNotAllowed")
    code, body = await call("GET", f"{PODS}/zk-0", Accept="application/xml")
    assert (code, body["reason"]) == (406, "NotAcceptable")


async def test_lists_in_pages_stay_consistent(call: Call, store: Store) -> None:
    _, first = await call("GET", f"{PODS}?limit=2")
    assert names(first) == ["zk-0", "zk-1"]
    assert first["metadata"]["remainingItemCount"] == 1
    store.delete("pods", "default", "zk-2", grace_seconds=0)
    _, second = await call("GET", f"{PODS}?limit=2&continue={first['metadata']['continue']}")
    assert names(second) == ["zk-2"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


async def test_an_old_continue_token_comes_with_a_fresh_one(call: Call, store: Store) -> None:
    _, first = await call("GET", f"{PODS}?limit=2")
    store.delete("pods", "default", "zk-2", grace_seconds=0)
    store.history.compact()
    code, refused = await call("GET", f"{PODS}?limit=2&continue={first['metadata']['continue']}")
    assert (code, refused["reason"]) == (410, "Expired")
    assert refused["message"].startswith("The provided continue parameter is too old")
    code, rest = await call("GET", f"{PODS}?limit=2&continue={refused['metadata']['continue']}")
    assert (code, names(rest)) == (200, [])


async def test_an_exact_list_of_the_past(call: Call, store: Store) -> None:
    then = store.version
    store.delete("pods", "default", "zk-2", grace_seconds=0)
    exact = f"{PODS}?resourceVersionMatch=Exact&resourceVersion={then}"
    assert names((await call("GET", exact))[1]) == ["zk-0", "zk-1", "zk-2"]
    store.history.compact()
    code, body = await call("GET", exact)
    assert (code, body["reason"]) == (410, "Expired")


async def test_a_version_from_the_future(call: Call, store: Store) -> None:
    code, body = await call("GET", f"{PODS}?resourceVersion={store.version + 10}")
    assert (code, body["reason"]) == (504, "Timeout")
    assert body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_selectors(call: Call) -> None:
    path = "/api/v1/pods?labelSelector=app%3Dzk&fieldSelector=spec.nodeName%3Dnode-2"
    assert names((await call("GET", path))[1]) == ["zk-1"]
    code, body = await call("GET", f"{PODS}?fieldSelector=spec.hostIP%3D1")
    assert (code, body["message"]) == (400, "field label not supported: spec.hostIP")
    code, body = await call("GET", f"{PODS}?labelSelector=%3D%3D")
    assert (code, body["reason"]) == (400, "BadRequest")


async def test_a_table(call: Call, store: Store) -> None:
    store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=True))
    _, table = await call("GET", "/api/v1/nodes", Accept=TABLE)
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]][:2] == ["Name", "Status"]
    assert table["rows"][0]["cells"][:3] == ["node-1", "Ready,SchedulingDisabled", "<none>"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    _, single = await call("GET", f"{PODS}/zk-0?includeObject=Object", Accept=TABLE)
    assert single["rows"][0]["cells"][:4] == ["zk-0", "1/1", "Running", "0"]
    assert single["rows"][0]["object"]["kind"] == "Pod"


async def test_metadata_only(call: Call) -> None:
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    _, body = await call("GET", PODS, Accept=accept)
    assert body["kind"] == "PartialObjectMetadataList"
    assert set(body["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_create_update_conflict_delete(call: Call) -> None:
    code, made = await call("POST", SETS, stateful_set() | {"status": {"replicas": 9}})
    assert (code, made["status"]["replicas"]) == (201, 0)
    code, again = await call("POST", SETS, stateful_set())
    assert (code, again["reason"]) == (409, "AlreadyExists")
    assert again["details"] == {"name": "zk", "group": "apps", "kind": "statefulsets"}
    changed = made | {"spec": made["spec"] | {"replicas": 5}}
    code, updated = await call("PUT", f"{SETS}/zk", changed)
    assert (code, updated["metadata"]["generation"]) == (200, 2)
    code, stale = await call("PUT", f"{SETS}/zk", changed | {"spec": made["spec"] | {"replicas": 6}})
    assert (code, stale["reason"]) == (409, "Conflict")
    code, gone = await call("DELETE", f"{SETS}/zk")
    assert (code, gone["status"], gone["details"]["uid"]) == (200, "Success", made["metadata"]["uid"])


async def test_a_body_that_does_not_fit_the_url(call: Call) -> None:
    code, body = await call("POST", SETS, stateful_set() | {"kind": "Deployment"})
    assert (code, body["reason"]) == (400, "BadRequest")
    other = stateful_set()
    other["metadata"]["namespace"] = "kube-system"
    code, body = await call("POST", SETS, other)
    assert (code, body["message"]) == (
        400,
        "the namespace of the provided object does not match the namespace sent on the request",
    )


@pytest.mark.parametrize(("field", "value"), [("spec", "x"), ("metadata", []), ("status", 1)])
async def test_a_part_of_the_wrong_shape(
    http: aiohttp.ClientSession, call: Call, store: Store, field: str, value: Any
) -> None:
    code, body = await call("POST", SETS, stateful_set() | {field: value})
    assert (code, body["reason"]) == (400, "BadRequest")
    before = store.version
    headers = {"Content-Type": "application/merge-patch+json"}
    async with http.patch(f"{PODS}/zk-0", json={field: value}, headers=headers) as reply:
        assert reply.status == 400
    assert store.version == before


async def test_namespaces_that_stay(call: Call) -> None:
    code, body = await call("DELETE", "/api/v1/namespaces/default")
    assert (code, body["message"]) == (403, 'namespaces "default" is forbidden: this namespace may not be deleted')


async def test_an_invalid_object(call: Call) -> None:
    code, body = await call("POST", SETS, stateful_set("Not_A_Name"))
    assert (code, body["reason"]) == (422, "Invalid")
    assert body["message"].startswith('StatefulSet.apps "Not_A_Name" is invalid: metadata.name: Invalid value')
    assert body["details"]["causes"][0]["field"] == "metadata.name"


async def test_cordon_as_kubectl_sends_it(http: aiohttp.ClientSession, store: Store) -> None:
    async def patch(body: str) -> Object:
        headers = {"Content-Type": STRATEGIC}
        async with http.patch("/api/v1/nodes/node-1", data=body, headers=headers) as reply:
            assert reply.status == 200
            return (await reply.json())["spec"]

    assert (await patch('{"spec":{"unschedulable":true}}'))["unschedulable"] is True
    assert "unschedulable" not in await patch('{"spec":{"unschedulable":null}}')
    taint = '{"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}}'
    await patch(taint)
    # Taints are a list without keys: replaced as a whole.
    assert [one["key"] for one in (await patch(taint.replace('"a"', '"b"')))["taints"]] == ["b"]


async def test_patches_of_other_kinds(http: aiohttp.ClientSession) -> None:
    async def patch(media: str, body: str) -> tuple[int, Object]:
        async with http.patch(f"{PODS}/zk-0", data=body, headers={"Content-Type": media}) as reply:
            return reply.status, await reply.json()

    code, pod = await patch("application/merge-patch+json", '{"metadata":{"labels":{"app":null,"x":"y"}}}')
    assert (code, pod["metadata"]["labels"]) == (200, {"x": "y"})
    operation = '[{"op":"test","path":"/metadata/labels/x","value":"y"},{"op":"remove","path":"/metadata/labels/x"}]'
    code, pod = await patch("application/json-patch+json", operation)
    assert (code, pod["metadata"]["labels"]) == (200, {})
    code, refused = await patch("application/json-patch+json", operation)
    assert (code, refused["reason"]) == (422, "Invalid")
    code, refused = await patch("text/plain", "{}")
    assert (code, refused["reason"]) == (415, "UnsupportedMediaType")


async def test_apply_makes_or_merges(http: aiohttp.ClientSession) -> None:
    path = "/api/v1/namespaces/default/configmaps/cm?fieldManager=test"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {a: '1'}\n"
    async with http.patch(path, data=body, headers=headers) as reply:
        assert reply.status == 201
    async with http.patch(path, data=body.replace("'1'", "'2'"), headers=headers) as reply:
        assert (reply.status, (await reply.json())["data"]) == (200, {"a": "2"})


async def test_a_lease_is_renewed_only_by_who_has_read_it(call: Call) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    body = {"kind": "Lease", "metadata": {"name": "run"}, "spec": {"holderIdentity": "a"}}
    code, lease = await call("POST", path, body)
    assert code == 201
    mine = lease | {"spec": {"holderIdentity": "a", "renewTime": "2026-01-01T00:00:00.000000Z"}}
    theirs = lease | {"spec": {"holderIdentity": "b"}}
    assert (await call("PUT", f"{path}/run", mine))[0] == 200
    code, refused = await call("PUT", f"{path}/run", theirs)
    assert (code, refused["reason"]) == (409, "Conflict")


async def test_a_pod_s_deletion_answers_with_the_pod(call: Call, store: Store) -> None:
    uid = store.get("pods", "default", "zk-0")["metadata"]["uid"]
    code, refused = await call("DELETE", f"{PODS}/zk-0", {"preconditions": {"uid": "other"}})
    assert (code, refused["reason"]) == (409, "Conflict")
    code, pod = await call("DELETE", f"{PODS}/zk-0", {"preconditions": {"uid": uid}, "gracePeriodSeconds": 5})
    assert (code, pod["kind"], pod["metadata"]["deletionGracePeriodSeconds"]) == (200, "Pod", 5)
    code, refused = await call("DELETE", f"{PODS}/zk-0?propagationPolicy=Sideways")
    assert (code, refused["reason"]) == (422, "Invalid")


async def test_delete_collection(call: Call, store: Store) -> None:
    code, body = await call("DELETE", f"{PODS}?fieldSelector=spec.nodeName%3Dnode-1&gracePeriodSeconds=0")
    assert (code, names(body)) == (200, ["zk-0"])
    assert len(store.list("pods")[0]) == 2


async def test_scale(call: Call, http: aiohttp.ClientSession) -> None:
    await call("POST", SETS, stateful_set())
    _, scale = await call("GET", f"{SETS}/zk/scale")
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["selector"]) == ("Scale", 3, "app=zk")
    code, scale = await call("PUT", f"{SETS}/zk/scale", scale | {"spec": {"replicas": 5}})
    assert (code, scale["spec"]["replicas"]) == (200, 5)
    headers = {"Content-Type": "application/merge-patch+json"}
    async with http.patch(f"{SETS}/zk/scale", data='{"spec":{"replicas":4}}', headers=headers) as reply:
        assert (await reply.json())["spec"]["replicas"] == 4
    assert (await call("GET", f"{SETS}/zk"))[1]["spec"]["replicas"] == 4


async def test_reviews_tell_what_is_denied(call: Call, server: ApiServer) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    async def may(verb: str, resource: str, subresource: str = "") -> bool:
        wanted = {"verb": verb, "resource": resource, "subresource": subresource, "namespace": "default"}
        code, body = await call("POST", path, {"spec": {"resourceAttributes": wanted}})
        assert code == 201
        return body["status"]["allowed"]

    assert await may("create", "pods", "eviction")
    server.deny("create", "pods/eviction")
    server.deny("*", "nodes")
    assert not await may("create", "pods", "eviction")
    assert not await may("patch", "nodes")
    assert await may("delete", "pods")
    code, body = await call("GET", "/api/v1/nodes/node-1")
    assert code == 403
    assert body["message"] == (
        'nodes "node-1" is forbidden: User "zktui-demo" cannot get resource "nodes" in API group "" at the '
        "cluster scope"
    )
    code, body = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert body["status"]["userInfo"]["username"] == "zktui-demo"


async def test_a_server_in_trouble(call: Call, server: ApiServer) -> None:
    async def trouble(info: RequestInfo, request: web.Request) -> None:
        if info.resource.plural == "nodes":
            raise ApiError(503, "ServiceUnavailable", "apiserver is shutting down")
        assert request.transport is not None
        request.transport.abort()

    server.intercept.append(trouble)
    assert (await call("GET", "/api/v1/nodes"))[0] == 503
    with pytest.raises(aiohttp.ClientConnectionError):
        await call("GET", PODS)
    server.intercept.clear()
    assert (await call("GET", PODS))[0] == 200


async def test_an_audit_hears_what_was_carried_out_and_a_reply_can_get_lost(call: Call, server: ApiServer) -> None:
    heard: list[tuple[str, str, int]] = []

    async def overhear(info: RequestInfo, request: web.Request, code: int) -> None:
        heard.append((info.verb, info.name, code))
        if info.verb == "create":
            assert request.transport is not None
            request.transport.abort()

    server.overhear.append(overhear)
    with pytest.raises(aiohttp.ClientConnectionError):
        await call("POST", "/api/v1/namespaces", {"metadata": {"name": "lost"}})
    assert (await call("GET", "/api/v1/namespaces/lost"))[0] == 200, "its reply was lost, and it was carried out"
    assert (await call("GET", "/api/v1/namespaces/never"))[0] == 404
    assert heard == [("create", "", 201), ("get", "lost", 200), ("get", "never", 404)]


async def test_two_servers_side_by_side_and_stopping_twice(server: ApiServer, store: Store, runtime: Any) -> None:
    other = ApiServer(store, runtime)
    await other.start()
    assert other.url != server.url
    assert other.token != server.token
    url = other.url
    await other.stop()
    await other.stop()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
