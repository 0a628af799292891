"""zktui reads what a real API server was heard to say: the recorded replies of tests/vectors, sent again."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from tests.unit.cluster.apiserver import ApiServer, Handler, by_query, in_turn
from tests.unit.cluster.conftest import QUICK
from tests.vectors import catalogue
from zktui.cluster.connect import Connection
from zktui.cluster.events import Events
from zktui.cluster.resources import BUDGETS, CLAIMS, LEASES, NODES, PODS, STATEFULSETS, Resource
from zktui.core.deltas import Alive, Batch, Delta, Kind, Lost, Remove, Reset, Upsert
from zktui.core.kube import Lease, Node, PodKey
from zktui.core.ports import Answer, Cause, DialError, Evicted, Refused, Reply

Open = Callable[..., Connection]
POD = PodKey("zoo", "zk-0", "uid-0")
EVICTION = "/api/v1/namespaces/zoo/pods/zk-0/eviction"
LEASE = Lease("zoo", "zktui", "uid", "1", "a", 30, 0.0, 0.0, 0)
NODE = Node(name="cordon-node", uid="uid", resource_version="1")


def exchanges(prefix: str) -> list[tuple[str, str]]:
    return [
        (case, found["name"]) for case in catalogue.CASES if case.startswith(prefix) for found in catalogue.load(case)
    ]


def recorded(case: str, exchange: str) -> Handler:
    """A handler that says again what was recorded."""
    reply = catalogue.reply(case, exchange)

    async def handler(_: web.Request) -> web.StreamResponse:
        body = json.dumps(reply["body"]).encode()
        return web.Response(status=reply["status"], headers=reply["headers"], body=body)

    return handler


def streamed(case: str, exchange: str) -> Handler:
    """A handler that sends the recorded events, and then holds on; an ERROR is the end, as it was."""
    reply = catalogue.reply(case, exchange)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=reply["status"], headers=reply["headers"])
        await response.prepare(request)
        await response.write(lines(reply["events"]))
        if reply["events"][-1]["type"] != "ERROR":
            await asyncio.sleep(3600)
        return response

    return handler


def lines(events: list[Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def evictions() -> list[tuple[str, str]]:
    return [
        (case, found["name"])
        for case in catalogue.CASES
        if case.startswith("eviction-")
        for found in catalogue.load(case)
        if found["request"]["method"] == "POST" and "/eviction" in found["request"]["path"]
    ]


@pytest.mark.parametrize(("case", "exchange"), evictions())
async def test_an_eviction_s_reply(server: ApiServer, open_to: Open, case: str, exchange: str) -> None:
    server.on("POST", EVICTION, recorded(case, exchange))
    said = catalogue.reply(case, exchange)
    reply = await open_to().cluster.evict(POD)
    if said["status"] == 201:
        assert isinstance(reply, Answer)
        assert reply.value == Evicted()
        return
    assert isinstance(reply, Refused), reply
    body = said["body"]
    assert (reply.code, reply.reason, reply.message) == (said["status"], body.get("reason", ""), body["message"])
    causes = body.get("details", {}).get("causes", [])
    assert reply.causes == tuple(Cause(one.get("reason", ""), one["message"], one.get("field", "")) for one in causes)
    hint = said["headers"].get("Retry-After")
    assert reply.retry_after == (float(hint) if hint else None)


async def refused_eviction(server: ApiServer, open_to: Open, case: str, exchange: str) -> Refused:
    server.on("POST", EVICTION, recorded(case, exchange))
    reply = await open_to().cluster.evict(POD)
    assert isinstance(reply, Refused)
    return reply


async def test_a_closed_budget_is_told_from_a_throttled_server(server: ApiServer, open_to: Open) -> None:
    for case, exchange in (
        ("eviction-closed", "too few healthy"),
        ("eviction-closed", "with another uid"),
        ("eviction-behind", "status is behind"),
        ("eviction-unready", "others too few"),
    ):
        reply = await refused_eviction(server, open_to, case, exchange)
        assert reply.code == 429
        assert reply.caused_by("DisruptionBudget"), exchange


async def test_only_a_budget_behind_says_when_to_come_back(server: ApiServer, open_to: Open) -> None:
    behind = await refused_eviction(server, open_to, "eviction-behind", "status is behind")
    assert behind.retry_after == 10.0
    closed = await refused_eviction(server, open_to, "eviction-closed", "too few healthy")
    assert closed.retry_after is None


async def test_the_other_refusals_have_no_such_cause(server: ApiServer, open_to: Open) -> None:
    codes: list[int] = []
    for case, exchange in (
        ("eviction-absent", "no such pod"),
        ("eviction-another-uid", "another uid"),
        ("eviction-two-budgets", "two budgets"),
        ("eviction-not-permitted", "no rights"),
    ):
        reply = await refused_eviction(server, open_to, case, exchange)
        codes.append(reply.code)
        assert not reply.causes
    assert codes == [404, 409, 500, 403]


# -- 410, in its three forms -------------------------------------------------------------------------------


async def test_an_old_continue_token_starts_the_list_anew(server: ApiServer, open_to: Open) -> None:
    """The fresh token in the refusal would mix two moments; it is not taken."""
    first = recorded("reading-pages", "the first two")
    old = recorded("reading-gone", "an old continue token")
    server.on("GET", "/api/v1/namespaces/zoo/pods", in_turn(first, old, first, recorded("reading-pages", "the rest")))
    reply = await open_to().cluster.pods("zoo")
    assert isinstance(reply, Answer)
    assert [pod.key.name for pod in reply.value] == ["zk-0", "zk-1", "zk-2"]
    assert [request.query.get("continue") for request in server.seen] == [None, "token", None, "token"]


async def deltas(connection: Connection, done: Callable[[list[Delta]], bool]) -> list[Delta]:
    source = next(source for source in connection.sources(None) if source.kinds == (Kind.PODS,))
    found: list[Delta] = []
    async with asyncio.timeout(10), aclosing(cast("AsyncGenerator[Batch]", source.open())) as batches:
        async for batch in batches:
            found += batch
            if done(found):
                break
    async with asyncio.timeout(10):
        while any(thread.name == "zktui-watch-pods" for thread in threading.enumerate()):  # noqa: ASYNC110 - a thread sets no event
            await asyncio.sleep(0.001)
    return [delta for delta in found if not isinstance(delta, Alive)]


def resets(number: int) -> Callable[[list[Delta]], bool]:
    return lambda found: sum(isinstance(delta, Reset) for delta in found) >= number


@pytest.mark.parametrize("exchange", ["a watch from long ago", "a watch from long ago, with bookmarks"])
async def test_a_watch_from_too_long_ago_lists_anew_and_loses_nothing(
    server: ApiServer, open_to: Open, exchange: str
) -> None:
    listed = recorded("reading-pages", "the rest")
    server.on("GET", "/api/v1/pods", by_query("watch", streamed("reading-gone", exchange), listed))
    found = await deltas(open_to(rhythm=QUICK), resets(2))
    assert [type(delta) for delta in found] == [Reset, Reset]


async def test_a_version_that_is_gone_before_the_watch_begins_lists_anew(server: ApiServer, open_to: Open) -> None:
    listed, gone = recorded("reading-pages", "the rest"), recorded("reading-gone", "of a moment long ago")
    server.on("GET", "/api/v1/pods", by_query("watch", gone, listed))
    found = await deltas(open_to(rhythm=QUICK), resets(2))
    assert not any(isinstance(delta, Lost) for delta in found)


# -- watches -----------------------------------------------------------------------------------------------

WATCHED: dict[str, tuple[Kind, Resource[Any, Any]]] = {
    "pods": (Kind.PODS, PODS),
    "nodes": (Kind.NODES, NODES),
    "statefulsets": (Kind.STATEFULSETS, STATEFULSETS),
    "poddisruptionbudgets": (Kind.BUDGETS, BUDGETS),
    "persistentvolumeclaims": (Kind.CLAIMS, CLAIMS),
}


def watches() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    for case in catalogue.CASES:
        for exchange in catalogue.load(case):
            plural = exchange["request"]["path"].partition("?")[0].rpartition("/")[2]
            plain = "headers" not in exchange["request"]
            if "events" in exchange["reply"] and plain and plural in WATCHED:
                found.append((case, exchange["name"], plural))
    return found


@pytest.mark.parametrize(("case", "exchange", "plural"), watches())
def test_every_recorded_watch_can_be_read(case: str, exchange: str, plural: str) -> None:
    kind, resource = WATCHED[plural]
    said = catalogue.reply(case, exchange)["events"]
    events = Events(kind, resource, "1")
    found = events.feed(lines(said), 0.0)
    wanted = {"ADDED": Upsert, "MODIFIED": Upsert, "DELETED": Remove, "BOOKMARK": Alive}
    assert [type(delta) for delta in found] == [wanted[event["type"]] for event in said if event["type"] != "ERROR"]
    if found:
        assert events.version == "1000", "the version moves on with every event and bookmark"
    assert (events.error is not None) == any(event["type"] == "ERROR" for event in said)
    if events.error is not None:
        assert (events.error.code, events.error.reason) == (410, "Expired")


async def test_a_pod_s_end_is_seen_in_steps(server: ApiServer, open_to: Open) -> None:
    events = streamed("watch-graceful", "a deletion with grace")
    server.on("GET", "/api/v1/pods", by_query("watch", events, recorded("reading-pages", "the rest")))
    found = await deltas(open_to(rhythm=QUICK), lambda all_: any(isinstance(delta, Remove) for delta in all_))
    going = [delta.item for delta in found if isinstance(delta, Upsert)]
    assert len(going) == 2
    assert all(cast("Any", pod).deleting_since is not None for pod in going)


# -- other changes -----------------------------------------------------------------------------------------


def told(reply: Reply[Any]) -> tuple[int, str]:
    assert isinstance(reply, Refused), reply
    return reply.code, reply.reason


async def test_a_lease_is_lost_to_whoever_was_first(server: ApiServer, open_to: Open) -> None:
    path = LEASES.path("zoo")
    cluster = open_to().cluster
    server.on("POST", path, recorded("leases", "created"))
    made = await cluster.create_lease(LEASE)
    assert isinstance(made, Answer)
    assert (made.value.holder, made.value.resource_version) == ("a", "1000")
    server.on("POST", path, recorded("leases", "created again"))
    assert told(await cluster.create_lease(LEASE)) == (409, "AlreadyExists")
    for exchange, answer in (
        ("renewed with an old version", (409, "Conflict")),
        ("renewed with another uid", (409, "Conflict")),
        ("renewed without a version", (422, "Invalid")),
    ):
        server.on("PUT", f"{path}/zktui", recorded("leases", exchange))
        assert told(await cluster.update_lease(LEASE)) == answer
    server.on("GET", f"{path}/zktui", recorded("leases", "not there"))
    absent = await cluster.lease("zoo", "zktui")
    assert isinstance(absent, Refused)
    assert absent.not_found


async def test_a_cordon_is_refused_for_another_node_or_another_state_of_it(server: ApiServer, open_to: Open) -> None:
    cluster, path = open_to().cluster, NODES.path(name="cordon-node")
    server.on("PATCH", path, recorded("cordons", "cordoned"))
    done = await cluster.cordon(NODE, True)
    assert isinstance(done, Answer)
    assert done.value.unschedulable
    server.on("PATCH", path, recorded("cordons", "uncordoned"))
    undone = await cluster.cordon(NODE, False)
    assert isinstance(undone, Answer)
    assert not undone.value.unschedulable
    server.on("PATCH", path, recorded("cordons", "an old version"))
    assert told(await cluster.cordon(NODE, True)) == (409, "Conflict")
    server.on("PATCH", path, recorded("cordons", "another uid"))
    other = await cluster.cordon(NODE, True)
    assert told(other) == (422, "Invalid")
    assert isinstance(other, Refused)
    assert other.causes[0].field == "metadata.uid"


async def test_what_may_be_done(server: ApiServer, open_to: Open) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    for exchange, answer in (("may", True), ("may not", False)):
        server.on("POST", path, recorded("access-reviews", exchange))
        reply = await open_to().cluster.allowed("create", "pods", "zoo", "eviction")
        assert isinstance(reply, Answer)
        assert reply.value is answer


@pytest.mark.parametrize(("case", "exchange"), exchanges("permissions"))
async def test_a_missing_permission_is_told_in_the_servers_words(
    server: ApiServer, open_to: Open, case: str, exchange: str
) -> None:
    said = catalogue.reply(case, exchange)
    server.on("GET", "/api/v1/nodes", recorded(case, exchange))
    reply = await open_to().cluster.nodes()
    assert isinstance(reply, Refused)
    assert (reply.code, reply.message) == (said["status"], said["body"]["message"])
    assert reply.forbidden == (said["status"] == 403)


@pytest.mark.parametrize(
    "exchange", ["a pod whose name is no label", "a pod with a variable twice", "a pod with an old label"]
)
async def test_warnings(server: ApiServer, open_to: Open, exchange: str) -> None:
    """The quotes in a warning are not the header's."""
    header = catalogue.reply("warned", exchange)["headers"]["Warning"]
    said = catalogue.reply("eviction-allowed", "with its uid")

    async def warned(_: web.Request) -> web.StreamResponse:
        return web.json_response(said["body"], status=201, headers={"Warning": header})

    server.on("POST", EVICTION, warned)
    reply = await open_to().cluster.evict(POD)
    assert isinstance(reply, Answer)
    assert reply.warnings == (header.removeprefix('299 - "')[:-1].replace('\\"', '"'),)


async def test_a_namespace_that_is_going(server: ApiServer, open_to: Open) -> None:
    server.on("POST", LEASES.path("zoo"), recorded("terminating-namespace", "a pod in it"))
    reply = await open_to().cluster.create_lease(LEASE)
    assert isinstance(reply, Refused)
    assert reply.caused_by("NamespaceTerminating")


async def test_a_closed_port(server: ApiServer, open_to: Open) -> None:
    """The kubelet opens the channels, names the port on each, and says on the error channel what went wrong."""
    messages = catalogue.reply("kubelet-started", "a closed port")["messages"]

    async def forward(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        for channel, text in messages:
            await socket.send_bytes(bytes([channel]) + str(text).encode("latin-1"))
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.BINARY
        return socket

    server.on("GET", f"{PODS.path('zoo', 'zk-0')}/portforward", forward)
    connection = open_to()

    def read() -> bytes:
        with connection.dialer.dial(POD, 9, 2.0) as sock:
            return sock.recv(10)

    with pytest.raises(DialError, match="connection refused"):
        await asyncio.wait_for(asyncio.to_thread(read), 10)
