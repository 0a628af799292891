from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from aiohttp import web

from tests.unit.cluster.apiserver import (
    ApiServer,
    always,
    by_query,
    event,
    in_turn,
    node,
    page,
    refusal,
    stall,
    status,
    streaming,
)
from tests.unit.cluster.conftest import QUICK
from zktui.cluster.connect import Connection
from zktui.cluster.transport import Timeouts
from zktui.core.deltas import Alive, Batch, Delta, Kind, Lost, Remove, Reset, Upsert

Open = Callable[..., Connection]
NODES = "/api/v1/nodes"
HOLD = streaming()


async def gather(connection: Connection, done: Callable[[list[Delta]], bool]) -> list[Delta]:
    """The node source's deltas until `done`; whether its thread ends when it is closed is checked each time."""
    source = next(source for source in connection.sources(None) if source.kinds == (Kind.NODES,))
    found: list[Delta] = []
    async with asyncio.timeout(10), aclosing(cast("AsyncGenerator[Batch]", source.open())) as batches:
        async for batch in batches:
            found += batch
            if done(found):
                break
    async with asyncio.timeout(10):
        while any(thread.name == "zktui-watch-nodes" for thread in threading.enumerate()):  # noqa: ASYNC110 - a thread sets no event
            await asyncio.sleep(0.001)
    return found


def kinds(deltas: list[Delta]) -> list[str]:
    return [type(delta).__name__ for delta in deltas if not isinstance(delta, Alive)]


def watched_from(server: ApiServer) -> list[str]:
    return [request.query["resourceVersion"] for request in server.requests(NODES) if "watch" in request.query]


def count(kind: type[Any], number: int) -> Callable[[list[Delta]], bool]:
    return lambda found: sum(isinstance(delta, kind) for delta in found) >= number


async def test_a_list_and_then_what_changes(server: ApiServer, open_to: Open) -> None:
    lines = (
        event("ADDED", node("b", "11")) + event("MODIFIED", node("a", "12", unschedulable=True)),
        event("DELETED", node("b", "13"))[:-20],
        event("DELETED", node("b", "13"))[-20:],
    )
    server.on("GET", NODES, by_query("watch", streaming(*lines), always(page(node("a"), version="10"))))
    found = await gather(open_to(), count(Remove, 1))
    assert kinds(found) == ["Reset", "Upsert", "Upsert", "Remove"]
    reset, added, changed, removed = (delta for delta in found if not isinstance(delta, Alive))
    assert isinstance(reset, Reset)
    assert [item.uid for item in reset.items] == ["uid-a"]
    assert isinstance(added, Upsert)
    assert added.item.uid == "uid-b"
    assert isinstance(changed, Upsert)
    assert cast("Any", changed.item).unschedulable
    assert removed == Remove(Kind.NODES, "uid-b", removed.seen_at)
    assert watched_from(server) == ["10"]
    assert server.requests(NODES)[-1].query["allowWatchBookmarks"] == "true"


async def test_a_watch_that_ends_goes_on_from_its_last_bookmark_and_nothing_is_lost(
    server: ApiServer, open_to: Open
) -> None:
    bookmark = event("BOOKMARK", {"metadata": {"resourceVersion": "50"}})
    watch = in_turn(streaming(bookmark, then="end"), streaming(event("ADDED", node("b", "51"))))
    server.on("GET", NODES, by_query("watch", watch, always(page(node("a"), version="10"))))
    found = await gather(open_to(), count(Upsert, 1))
    assert kinds(found) == ["Reset", "Upsert"]
    assert watched_from(server) == ["10", "50"]


async def test_a_cut_is_lost_and_then_taken_up_without_a_new_list(server: ApiServer, open_to: Open) -> None:
    watch = in_turn(
        streaming(event("ADDED", node("b", "20")), event("ADDED", node("half", "21"))[:30], then="cut"),
        streaming(event("ADDED", node("c", "22"))),
    )
    server.on("GET", NODES, by_query("watch", watch, always(page(node("a"), version="10"))))
    found = await gather(open_to(), count(Upsert, 2))
    assert kinds(found) == ["Reset", "Upsert", "Lost", "Upsert"]
    assert watched_from(server) == ["10", "20"]
    lost = next(number for number, delta in enumerate(found) if isinstance(delta, Lost))
    assert isinstance(found[lost + 1], Alive)


async def test_all_three_forms_of_410_end_in_a_new_list(server: ApiServer, open_to: Open) -> None:
    async def gone(_: web.Request) -> web.StreamResponse:
        return refusal(410, "Expired", "too old resource version")

    inside = streaming(event("ERROR", status(410, "Expired", "too old resource version")), then="end")
    lists = in_turn(
        always(page(node("a"), version="10")),
        always(page(node("a"), node("b"), version="20")),
        always(page(node("a"), version="30", more="token")),
        gone,
        always(page(node("c"), version="40")),
    )
    server.on("GET", NODES, by_query("watch", in_turn(gone, inside, HOLD), lists))
    found = await gather(open_to(), count(Reset, 3))
    assert kinds(found) == ["Reset", "Reset", "Reset"]
    last = found[-1]
    assert isinstance(last, Reset)
    assert [item.uid for item in last.items] == ["uid-c"]


async def test_another_error_in_a_stream_is_lost(server: ApiServer, open_to: Open) -> None:
    broken = streaming(event("ERROR", status(500, "InternalError", "etcd has no leader")), then="end")
    server.on("GET", NODES, by_query("watch", in_turn(broken, HOLD), always(page(node("a"), version="10"))))
    found = await gather(open_to(), count(Lost, 1))
    lost = next(delta for delta in found if isinstance(delta, Lost))
    assert lost.why == "etcd has no leader (500)"
    assert not lost.permanent


async def test_a_missing_permission_is_permanent_and_tried_again(server: ApiServer, open_to: Open) -> None:
    async def forbidden(_: web.Request) -> web.StreamResponse:
        return refusal(403, "Forbidden", 'nodes is forbidden: User "u" cannot list resource "nodes"')

    server.on("GET", NODES, by_query("watch", HOLD, in_turn(forbidden, always(page(node("a"))))))
    found = await gather(open_to(), count(Reset, 1))
    assert kinds(found) == ["Lost", "Reset"]
    lost = found[0]
    assert isinstance(lost, Lost)
    assert lost.permanent
    assert "cannot list" in lost.why


async def test_a_throttled_list_waits_as_long_as_it_is_told(server: ApiServer, open_to: Open) -> None:
    times: list[float] = []

    async def throttled(_: web.Request) -> web.StreamResponse:
        times.append(asyncio.get_running_loop().time())
        return refusal(429, "TooManyRequests", "slow down", headers={"Retry-After": "1"})

    async def granted(_: web.Request) -> web.StreamResponse:
        times.append(asyncio.get_running_loop().time())
        return web.json_response(page(node("a")))

    server.on("GET", NODES, by_query("watch", HOLD, in_turn(throttled, granted)))
    found = await gather(open_to(), count(Reset, 1))
    assert kinds(found) == ["Lost", "Reset"]
    assert times[1] - times[0] >= 0.99


async def test_a_server_that_freezes_is_noticed_by_the_heartbeat_although_the_stream_is_open(
    server: ApiServer, open_to: Open
) -> None:
    frozen = threading.Event()

    async def health(_: web.Request) -> web.StreamResponse:
        if frozen.is_set():
            await asyncio.sleep(3600)
        return web.Response(text="ok")

    server.on("GET", "/livez", health)
    server.on("GET", NODES, by_query("watch", HOLD, always(page(node("a")))))

    def until_lost(found: list[Delta]) -> bool:
        if any(isinstance(delta, Alive) for delta in found):
            frozen.set()
        return count(Lost, 1)(found)

    found = await gather(open_to(), until_lost)
    lost = found[-1]
    assert isinstance(lost, Lost)
    assert "did not answer in time" in lost.why
    assert len(watched_from(server)) == 1


async def test_a_server_that_freezes_before_the_watch_is_open_is_noticed_too(server: ApiServer, open_to: Open) -> None:
    frozen = threading.Event()

    async def health(_: web.Request) -> web.StreamResponse:
        return await stall(_) if frozen.is_set() else web.Response(text="ok")

    async def never_opens(_: web.Request) -> web.StreamResponse:
        frozen.set()
        return await stall(_)

    server.on("GET", "/livez", health)
    server.on("GET", NODES, by_query("watch", never_opens, always(page(node("a")))))
    found = await gather(open_to(timeouts=Timeouts(5.0, 5.0, 5.0)), count(Lost, 1))
    lost = found[-1]
    assert isinstance(lost, Lost)
    assert "did not answer in time" in lost.why


async def test_a_quiet_source_is_told_to_be_alive(server: ApiServer, open_to: Open) -> None:
    server.on("GET", NODES, by_query("watch", HOLD, always(page(node("a")))))
    found = await gather(open_to(), count(Alive, 3))
    assert kinds(found) == ["Reset"]


async def test_a_silent_watch_is_taken_up_anew_without_being_lost(server: ApiServer, open_to: Open) -> None:
    watch = in_turn(HOLD, streaming(event("ADDED", node("b", "11"))))
    server.on("GET", NODES, by_query("watch", watch, always(page(node("a"), version="10"))))
    found = await gather(open_to(rhythm=replace(QUICK, silence=0.2)), count(Upsert, 1))
    assert kinds(found) == ["Reset", "Upsert"]
    assert watched_from(server) == ["10", "10"]


async def test_watches_that_end_at_once_do_not_spin(server: ApiServer, open_to: Open) -> None:
    server.on("GET", NODES, by_query("watch", streaming(then="end"), always(page(node("a"), version="10"))))
    await gather(open_to(), count(Alive, 10))  # beats come 0.05 s apart
    assert 1 < len(watched_from(server)) < 30


async def test_an_object_that_cannot_be_read_is_never_passed_over(server: ApiServer, open_to: Open) -> None:
    odd = event("MODIFIED", {"metadata": {"name": "a", "uid": "uid-a"}, "spec": {"unschedulable": "perhaps"}})
    watch = in_turn(streaming(odd), HOLD)
    server.on("GET", NODES, by_query("watch", watch, always(page(node("a"), version="10"))))
    found = await gather(open_to(), count(Reset, 2))
    assert kinds(found) == ["Reset", "Lost", "Reset"]


async def test_namespaces_narrow_what_is_watched(open_to: Open, server: ApiServer) -> None:
    sources = open_to().sources("zoo")
    assert {kind for source in sources for kind in source.kinds} == set(Kind) - {Kind.MEMBERS, Kind.CONFIG}
    asked: set[str] = set()
    for source in sources:
        async with asyncio.timeout(5), aclosing(cast("AsyncGenerator[Batch]", source.open())) as batches:
            batch = await anext(batches)
            assert isinstance(batch[0], Lost)  # a 404: the server has none of these
    asked = {request.path for request in server.seen if request.path != "/livez"}
    assert asked == {
        "/api/v1/nodes",
        "/api/v1/persistentvolumes",
        "/api/v1/namespaces/zoo/pods",
        "/api/v1/namespaces/zoo/persistentvolumeclaims",
        "/apis/apps/v1/namespaces/zoo/statefulsets",
        "/apis/policy/v1/namespaces/zoo/poddisruptionbudgets",
    }
