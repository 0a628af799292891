from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from tests.unit.cluster.apiserver import ApiServer, always, cut, in_turn, node, page, refusal, stall
from zktui.cluster.connect import Connection
from zktui.core.kube import Budget, Claim, Lease, Node, PodKey, Taint
from zktui.core.labels import Selector
from zktui.core.ports import Answer, Evicted, Refused, Unanswered

Open = Callable[..., Connection]
POD = PodKey("zoo", "zk-0", "uid-0")
EVICTION = "/api/v1/namespaces/zoo/pods/zk-0/eviction"


async def test_a_list_is_read_page_by_page(server: ApiServer, open_to: Open) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query.get("continue") == "token":
            return web.json_response(page(node("c"), version="7"))
        return web.json_response(page(node("a"), node("b"), version="7", more="token"))

    server.on("GET", "/api/v1/nodes", handler)
    reply = await open_to().cluster.nodes()
    assert isinstance(reply, Answer)
    assert [item.name for item in reply.value] == ["a", "b", "c"]
    assert {request.query["limit"] for request in server.seen} == {"500"}
    assert server.seen[0].headers["Authorization"] == "Bearer secret"


async def test_a_list_starts_anew_when_its_continue_token_has_expired(server: ApiServer, open_to: Open) -> None:
    async def expired(_: web.Request) -> web.StreamResponse:
        return refusal(410, "Expired", "the provided continue parameter is too old")

    first, again = always(page(node("a"), more="old")), always(page(node("a"), node("b")))
    server.on("GET", "/api/v1/nodes", in_turn(first, expired, again))
    reply = await open_to().cluster.nodes()
    assert isinstance(reply, Answer)
    assert [item.name for item in reply.value] == ["a", "b"]


async def test_a_list_that_never_gets_through_is_refused(server: ApiServer, open_to: Open) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query:
            return refusal(410, "Expired", "too old")
        return web.json_response(page(node("a"), more="old"))

    server.on("GET", "/api/v1/nodes", handler)
    reply = await open_to().cluster.nodes()
    assert isinstance(reply, Refused)
    assert reply.code == 410


async def test_a_read_is_repeated_when_its_connection_was_dead(server: ApiServer, open_to: Open) -> None:
    server.on("GET", "/api/v1/nodes/a", in_turn(cut, always(node("a"))))
    reply = await open_to().cluster.node("a")
    assert isinstance(reply, Answer)
    assert len(server.seen) == 2


async def test_an_eviction_names_the_uid_and_its_refusal_is_told_whole(server: ApiServer, open_to: Open) -> None:
    cause = {"reason": "DisruptionBudget", "message": "The disruption budget zk-pdb needs 2 healthy pods"}

    async def handler(_: web.Request) -> web.StreamResponse:
        headers = {"Retry-After": "10"}
        return refusal(429, "TooManyRequests", "Cannot evict pod", headers=headers, causes=[cause])

    server.on("POST", EVICTION, handler)
    reply = await open_to().cluster.evict(POD, grace=5)
    assert isinstance(reply, Refused)
    assert (reply.code, reply.retry_after) == (429, 10.0)
    assert reply.caused_by("DisruptionBudget")
    assert server.bodies[0]["deleteOptions"] == {"preconditions": {"uid": "uid-0"}, "gracePeriodSeconds": 5}


async def test_a_granted_eviction_carries_the_servers_warnings(server: ApiServer, open_to: Open) -> None:
    headers = {"Warning": '299 - "the \\"zk\\" policy is old", 299 - "second"'}
    server.on("POST", EVICTION, always({"status": "Success", "message": "done"}, 201, headers))
    reply = await open_to().cluster.evict(POD)
    assert isinstance(reply, Answer)
    assert (reply.value, reply.code) == (Evicted("done"), 201)
    assert reply.warnings == ('the "zk" policy is old', "second")


async def test_a_change_that_was_cut_is_unanswered_and_was_sent_once(server: ApiServer, open_to: Open) -> None:
    server.on("POST", EVICTION, cut)
    connection = open_to()
    await connection.cluster.version()  # so that a kept connection is there to be used
    reply = await connection.cluster.evict(POD)
    assert isinstance(reply, Unanswered)
    assert reply.sent
    assert len(server.requests(EVICTION)) == 1


async def test_a_change_without_an_answer_in_time_is_unanswered_and_was_sent_once(
    server: ApiServer, open_to: Open
) -> None:
    server.on("POST", EVICTION, stall)
    reply = await open_to().cluster.evict(POD)
    assert isinstance(reply, Unanswered)
    assert reply.sent
    assert "in time" in reply.why
    assert len(server.requests(EVICTION)) == 1


async def test_a_gateways_verdict_on_a_change_is_no_refusal(server: ApiServer, open_to: Open) -> None:
    for code, reason, message in (
        (502, "", "<html>"),
        (504, "Timeout", "t"),
        (500, "", "etcdserver: request timed out"),
    ):

        async def handler(_: web.Request, code: int = code, reason: str = reason, said: str = message) -> web.Response:
            return refusal(code, reason, said)

        server.on("POST", EVICTION, handler)
        reply = await open_to().cluster.evict(POD)
        assert isinstance(reply, Unanswered), code
        assert reply.sent


async def test_two_budgets_are_a_refusal(server: ApiServer, open_to: Open) -> None:
    async def handler(_: web.Request) -> web.Response:
        return refusal(500, "InternalError", "This pod has more than one PodDisruptionBudget")

    server.on("POST", EVICTION, handler)
    reply = await open_to().cluster.evict(POD)
    assert isinstance(reply, Refused)
    assert reply.code == 500


async def test_a_change_never_left_where_nobody_listens(server: ApiServer, open_to: Open) -> None:
    connection = open_to()
    server.stop()
    reply = await connection.cluster.evict(POD)
    assert isinstance(reply, Unanswered)
    assert not reply.sent
    assert "refuses connections" in reply.why


async def test_cancelling_does_not_stop_a_change_and_its_outcome_is_kept(server: ApiServer, open_to: Open) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()
    here = asyncio.get_running_loop()

    async def handler(_: web.Request) -> web.StreamResponse:
        here.call_soon_threadsafe(arrived.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(go.wait(), here))
        return web.json_response({"status": "Success"}, status=201)

    server.on("POST", EVICTION, handler)
    cluster = open_to().cluster
    task = asyncio.create_task(cluster.evict(POD))
    await arrived.wait()
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    go.set()
    ((what, reply),) = await cluster.unclaimed()
    assert "zoo/zk-0" in what
    assert isinstance(reply, Answer)
    assert await cluster.unclaimed() == ()


async def test_a_cordon_has_identity_and_version_as_preconditions(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", "/api/v1/nodes/a", always(node("a", "9", unschedulable=True)))
    reply = await open_to().cluster.cordon(Node("a", "uid-a", "8"), True)
    assert isinstance(reply, Answer)
    assert reply.value.unschedulable
    assert server.bodies[0] == {"metadata": {"uid": "uid-a", "resourceVersion": "8"}, "spec": {"unschedulable": True}}
    assert server.seen[0].content_type == "application/merge-patch+json"


async def test_a_lease_keeps_its_microseconds(server: ApiServer, open_to: Open) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.json_response(await request.json())

    server.on("PUT", "/apis/coordination.k8s.io/v1/namespaces/zoo/leases/l", echo)
    lease = Lease("zoo", "l", "u", "3", "me", 15, 1_700_000_000.25, 1_700_000_001.5, 2, {"a": "b"})
    reply = await open_to().cluster.update_lease(lease)
    assert isinstance(reply, Answer)
    assert reply.value == lease
    assert server.bodies[0]["spec"]["renewTime"] == "2023-11-14T22:13:21.500000Z"


async def test_an_owner_is_looked_up_by_discovery(server: ApiServer, open_to: Open) -> None:
    kinds = [{"name": "widgets", "kind": "Widget", "namespaced": True}, {"name": "widgets/scale", "kind": "Widget"}]
    server.on("GET", "/apis/example.org/v1", always({"resources": kinds}))
    server.on("GET", "/apis/example.org/v1/namespaces/zoo/widgets/w", always({"metadata": {"name": "w"}}))
    cluster = open_to().cluster
    there = await cluster.owner_exists("zoo", "Widget", "example.org/v1", "w")
    gone = await cluster.owner_exists("zoo", "Widget", "example.org/v1", "x")
    unknown = await cluster.owner_exists("zoo", "Gadget", "example.org/v1", "g")
    assert isinstance(there, Answer)
    assert there.value
    assert isinstance(gone, Answer)
    assert not gone.value
    assert isinstance(unknown, Unanswered)
    assert len(server.requests("/apis/example.org/v1")) == 1


async def test_a_name_never_changes_what_is_asked_for(server: ApiServer, open_to: Open) -> None:
    await open_to().cluster.node("../pods?x=1")
    assert server.seen[0].raw_path == "/api/v1/nodes/..%2Fpods%3Fx%3D1"


async def test_a_reply_that_is_no_json_is_no_answer(server: ApiServer, open_to: Open) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="<html>login</html>")

    server.on("GET", "/api/v1/nodes/a", handler)
    reply = await open_to().cluster.node("a")
    assert isinstance(reply, Unanswered)


async def test_a_cordon_and_the_runs_id_are_one_request(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", "/api/v1/nodes/a", always(node("a")))
    await open_to().cluster.cordon(Node("a", "u", "7"), True, {"zktui/run": "r-1", "old": None})
    assert server.bodies[0] == {
        "metadata": {"uid": "u", "resourceVersion": "7", "annotations": {"zktui/run": "r-1", "old": None}},
        "spec": {"unschedulable": True},
    }


async def test_a_taint_joins_those_that_are_there(server: ApiServer, open_to: Open) -> None:
    server.on("PATCH", "/api/v1/nodes/a", always(node("a")))
    reply = await open_to().cluster.taint_node(Node("a", "u", "7"), Taint("k/out", "NoExecute", "v"))
    assert isinstance(reply, Answer)
    assert server.seen[0].headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert server.bodies[0] == {
        "metadata": {"uid": "u", "resourceVersion": "7"},
        "spec": {"taints": [{"key": "k/out", "value": "v", "effect": "NoExecute"}]},
    }


async def test_a_budget_is_created_with_the_ensembles_selector(server: ApiServer, open_to: Open) -> None:
    path = "/apis/policy/v1/namespaces/zoo/poddisruptionbudgets"
    server.on("POST", path, always({"metadata": {"namespace": "zoo", "name": "zk-pdb", "uid": "b"}}, 201))
    wanted = Budget("zoo", "zk-pdb", "", selector=Selector.of_labels({"app": "zk"}), max_unavailable="1")
    reply = await open_to().cluster.create_budget(wanted)
    assert isinstance(reply, Answer) and reply.value.uid == "b"
    assert server.bodies[0]["spec"] == {
        "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["zk"]}]},
        "maxUnavailable": 1,
    }


async def test_what_is_deleted_is_known_by_its_uid(server: ApiServer, open_to: Open) -> None:
    claim = "/api/v1/namespaces/zoo/persistentvolumeclaims/data-zk-0"
    server.on("DELETE", claim, always({"metadata": {"name": "data-zk-0", "uid": "c"}}))
    server.on("DELETE", "/api/v1/namespaces/zoo/pods/zk-0", always({"kind": "Status", "status": "Success"}))
    cluster = open_to().cluster
    assert isinstance(await cluster.delete_claim(Claim("zoo", "data-zk-0", "c")), Answer)
    assert isinstance(await cluster.delete_pod(POD), Answer)
    assert [body["preconditions"] for body in server.bodies] == [{"uid": "c"}, {"uid": "uid-0"}]
