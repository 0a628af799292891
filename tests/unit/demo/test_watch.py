"""Watches over HTTPS: order, selectors, bookmarks, initial events, tables, and the end of each."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest

from zktui.demo.store import Store

Object = dict[str, Any]
PODS = "/api/v1/namespaces/default/pods"
Events = AsyncGenerator[Object, None]
Open = Callable[..., Events]


@pytest.fixture
def events(http: aiohttp.ClientSession) -> Open:
    """The events of a watch, decoded, each awaited for five seconds at most; ends with the stream."""

    async def events(path: str, query: str = "", accept: str = "application/json") -> Events:
        async with http.get(f"{path}?watch=true{query}", headers={"Accept": accept}) as reply:
            assert reply.status == 200
            while line := await asyncio.wait_for(reply.content.readline(), 5):
                yield json.loads(line)

    return events


def label(store: Store, name: str, **labels: str) -> None:
    store.change("pods", "default", name, lambda pod: pod["metadata"]["labels"].update(labels))


def short(event: Object) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


async def test_from_a_version_on(events: Open, store: Store) -> None:
    since = store.version
    label(store, "zk-0", a="1")
    async with aclosing(events(PODS, f"&resourceVersion={since}")) as stream:
        assert short(await anext(stream)) == ("MODIFIED", "zk-0")
        store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=True))
        store.delete("pods", "default", "zk-1", grace_seconds=0)
        going, gone = await anext(stream), await anext(stream)
        assert short(going) == ("MODIFIED", "zk-1")
        assert going["object"]["metadata"]["deletionGracePeriodSeconds"] == 0
        assert short(gone) == ("DELETED", "zk-1")
        assert gone["object"]["metadata"]["resourceVersion"] == str(store.version)


async def test_without_a_version_the_present_comes_first(events: Open, store: Store) -> None:
    async with aclosing(events(PODS)) as stream:
        assert [short(await anext(stream)) for _ in range(3)] == [("ADDED", f"zk-{number}") for number in range(3)]
        label(store, "zk-2", a="1")
        assert short(await anext(stream)) == ("MODIFIED", "zk-2")


async def test_selectors_make_and_end_objects(events: Open, store: Store) -> None:
    async with aclosing(events(PODS, f"&resourceVersion={store.version}&labelSelector=a%3D1")) as stream:
        label(store, "zk-0", b="1")
        label(store, "zk-0", a="1")
        assert short(await anext(stream)) == ("ADDED", "zk-0")
        label(store, "zk-0", b="2")
        assert short(await anext(stream)) == ("MODIFIED", "zk-0")
        label(store, "zk-0", a="2")
        left = await anext(stream)
        assert short(left) == ("DELETED", "zk-0")
        assert left["object"]["metadata"]["labels"]["a"] == "1"
        assert left["object"]["metadata"]["resourceVersion"] == str(store.version)


async def test_one_object_by_its_name(events: Open, store: Store) -> None:
    query = f"&resourceVersion={store.version}&fieldSelector=metadata.name%3Dzk-1"
    async with aclosing(events(PODS, query)) as stream:
        label(store, "zk-0", a="1")
        label(store, "zk-1", a="1")
        assert short(await anext(stream)) == ("MODIFIED", "zk-1")


async def test_bookmarks_only_for_who_wants_them(events: Open, store: Store) -> None:
    async with aclosing(events(PODS, f"&resourceVersion={store.version}&allowWatchBookmarks=true")) as stream:
        store.change("nodes", "", "node-1", lambda node: node["spec"].update(unschedulable=True))
        bookmark = await anext(stream)
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"]["resourceVersion"] == str(store.version)
    plain = [event async for event in events(PODS, f"&resourceVersion={store.version}&timeoutSeconds=1")]
    assert plain == []


async def test_a_watch_list(events: Open, store: Store) -> None:
    query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with aclosing(events(PODS, query)) as stream:
        assert [(await anext(stream))["type"] for _ in range(3)] == ["ADDED"] * 3
        end = await anext(stream)
        assert end["type"] == "BOOKMARK"
        assert end["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert end["object"]["metadata"]["resourceVersion"] == str(store.version)


async def test_a_lost_version_is_told_within_the_stream(events: Open, store: Store) -> None:
    label(store, "zk-0", a="1")
    store.history.compact()
    (event,) = [event async for event in events(PODS, "&resourceVersion=2")]
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"] == f"too old resource version: 2 ({store.version})"


async def test_a_table_has_its_columns_once(events: Open, store: Store) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    async with aclosing(events(PODS, "", accept)) as stream:
        first, second = await anext(stream), await anext(stream)
        assert first["object"]["columnDefinitions"][0]["name"] == "Name"
        assert second["object"]["columnDefinitions"] is None
        assert second["object"]["rows"][0]["cells"][0] == "zk-1"


async def test_timeout_ends_the_stream(events: Open, store: Store) -> None:
    async def drain() -> int:
        return len([event async for event in events(PODS, "&timeoutSeconds=1")])

    assert await asyncio.wait_for(drain(), 5) == 3


async def test_a_client_that_leaves_is_no_error(
    events: Open, store: Store, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        async with aclosing(events(PODS)) as stream:
            await anext(stream)
        for number in range(20):
            label(store, "zk-0", a=str(number))
        async with http.get("/readyz") as reply:
            assert reply.status == 200
    assert caplog.records == []


async def test_bad_selectors_are_refused_before_the_stream(http: aiohttp.ClientSession) -> None:
    async with http.get(f"{PODS}?watch=true&fieldSelector=nonsense%3D1") as reply:
        assert reply.status == 400
