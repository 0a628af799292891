"""Objects as documents: paths, patches and preconditions as they go over the wire, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from tests.unit.cluster.apiserver import ApiServer, always, cut, in_turn, node, page, refusal
from zktui.cluster.connect import Connection
from zktui.core.ports import Answer, Refused, Unanswered, Where

Open = Callable[..., Connection]
SETS = Where("/apis/apps/v1", "statefulsets")
NODES = Where("/api/v1", "nodes", namespaced=False)
PATH = "/apis/apps/v1/namespaces/zoo/statefulsets"
ZK = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "zk", "namespace": "zoo"}}


async def test_one_object_whole(server: ApiServer, open_to: Open) -> None:
    server.on("GET", f"{PATH}/zk", always({**ZK, "future": {"field": [1, None, True]}}))
    reply = await open_to().objects.read(SETS, "zoo", "zk")
    assert isinstance(reply, Answer)
    assert reply.value == {**ZK, "future": {"field": [1, None, True]}}


async def test_what_is_not_there(open_to: Open) -> None:
    reply = await open_to().objects.read(SETS, "zoo", "zk")
    assert isinstance(reply, Refused)
    assert reply.code == 404


async def test_what_is_no_object_is_no_answer(server: ApiServer, open_to: Open) -> None:
    server.on("GET", f"{PATH}/zk", always(["no", "object"]))
    assert not isinstance(await open_to().objects.read(SETS, "zoo", "zk"), Answer)


async def test_a_list_page_by_page(server: ApiServer, open_to: Open) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query.get("continue") == "next":
            return web.json_response(page(node("c")))
        return web.json_response(page(node("a"), node("b"), more="next"))

    server.on("GET", PATH, handler)
    reply = await open_to().objects.list(SETS, "zoo", "app=zk")
    assert isinstance(reply, Answer)
    assert [item["metadata"] for item in reply.value] == [node(n)["metadata"] for n in "abc"]
    assert {request.query["labelSelector"] for request in server.seen} == {"app=zk"}


async def test_a_list_whose_second_page_fails_is_no_list(server: ApiServer, open_to: Open) -> None:
    async def expired(_: web.Request) -> web.StreamResponse:
        return refusal(410, "Expired", "too old")

    server.on("GET", PATH, in_turn(always(page(node("a"), more="next")), expired))
    reply = await open_to().objects.list(SETS, "zoo")
    assert isinstance(reply, Refused)
    assert reply.code == 410


@pytest.mark.parametrize(
    ("where", "namespace", "path"),
    [
        (SETS, "", "/apis/apps/v1/statefulsets"),
        (NODES, "", "/api/v1/nodes"),
        (NODES, "zoo", "/api/v1/nodes"),
    ],
)
async def test_where_is_asked(server: ApiServer, open_to: Open, where: Where, namespace: str, path: str) -> None:
    server.on("GET", path, always(page()))
    reply = await open_to().objects.list(where, namespace)
    assert isinstance(reply, Answer)
    assert reply.value == ()


async def test_apply_names_its_manager(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", f"{PATH}/zk", always(ZK, 201))
    reply = await open_to().objects.apply(SETS, ZK)
    assert isinstance(reply, Answer)
    assert reply.code == 201
    (request,) = server.seen
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert dict(request.query) == {"fieldManager": "zktui", "force": "false"}
    assert server.bodies == [ZK]


async def test_a_dry_and_forced_apply_says_so(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", f"{PATH}/zk", always(ZK))
    await open_to().objects.apply(SETS, ZK, force=True, dry=True)
    assert dict(server.seen[0].query) == {"fieldManager": "zktui", "force": "true", "dryRun": "All"}


async def test_a_conflict_is_told_with_its_fields(server: ApiServer, open_to: Open) -> None:
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".spec.replicas"}

    async def handler(_: web.Request) -> web.StreamResponse:
        return refusal(409, "Conflict", "Apply failed with 1 conflict", causes=[cause])

    server.on("PATCH", f"{PATH}/zk", handler)
    reply = await open_to().objects.apply(SETS, ZK)
    assert isinstance(reply, Refused)
    assert [(c.reason, c.field) for c in reply.causes] == [("FieldManagerConflict", ".spec.replicas")]


async def test_the_kind_of_a_patch_goes_by_its_shape(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", f"{PATH}/zk", always(ZK))
    objects = open_to().objects
    merge = {"spec": {"replicas": 5}}
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
    await objects.patch(SETS, "zoo", "zk", merge)
    await objects.patch(SETS, "zoo", "zk", operations)
    assert [r.headers["Content-Type"] for r in server.seen] == [
        "application/strategic-merge-patch+json",
        "application/json-patch+json",
    ]
    assert server.bodies == [merge, operations]


async def test_create_goes_to_the_collection(server: ApiServer, open_to: Open) -> None:
    server.on("POST", PATH, always(ZK, 201))
    reply = await open_to().objects.create(SETS, ZK)
    assert isinstance(reply, Answer)
    assert server.bodies == [ZK]


@pytest.mark.parametrize(("orphan", "policy"), [(False, "Background"), (True, "Orphan")])
async def test_a_deletion_names_the_uid(server: ApiServer, open_to: Open, orphan: bool, policy: str) -> None:
    server.on("DELETE", f"{PATH}/zk", always({"status": "Success"}))
    await open_to().objects.delete(SETS, "zoo", "zk", uid="u-1", orphan=orphan)
    (body,) = server.bodies
    assert body["preconditions"] == {"uid": "u-1"}
    assert body["propagationPolicy"] == policy


async def test_a_change_that_was_cut_was_sent_once(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", f"{PATH}/zk", cut)
    connection = open_to()
    await connection.cluster.version()  # so that a kept connection is there to be used
    reply = await connection.objects.patch(SETS, "zoo", "zk", {"spec": {}})
    assert isinstance(reply, Unanswered)
    assert reply.sent
    assert len(server.requests(f"{PATH}/zk")) == 1


async def test_names_never_leave_their_place_in_the_path(server: ApiServer, open_to: Open) -> None:
    reply = await open_to().objects.read(SETS, "zoo", "../../../nodes/a?x=y")
    assert isinstance(reply, Refused)
    assert server.seen[0].raw_path.startswith(f"{PATH}/")
    assert dict(server.seen[0].query) == {}
