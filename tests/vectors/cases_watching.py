"""Watches: events of each kind, bookmarks, initial events, and tables."""

from __future__ import annotations

from collections.abc import Callable

from tests.vectors.wire import MERGE, TABLE, Case, Object, Wire, pod_body

Events = list[Object]


def count(number: int) -> Callable[[Events], bool]:
    return lambda events: len(events) >= number


def bookmark(events: Events) -> bool:
    return bool(events) and events[-1]["type"] == "BOOKMARK"


def to_its_end(_events: Events) -> bool:
    return False


async def since(wire: Wire, resource: str = "pods") -> str:
    """The version of the list as it is now, as a watch's query."""
    listed = await wire.do("GET", wire.core(resource))
    return f"{wire.core(resource)}?watch=true&resourceVersion={listed['metadata']['resourceVersion']}"


async def label(wire: Wire, pod: str, **labels: str | None) -> None:
    await wire.do("PATCH", wire.core("pods", pod), {"metadata": {"labels": labels}}, MERGE)


async def changes(wire: Wire) -> None:
    path = await since(wire)

    async def live() -> None:
        await wire.do("POST", wire.core("pods"), pod_body("zk-0", None))
        await label(wire, "zk-0", a="1")
        await wire.do("DELETE", wire.core("pods", "zk-0"))

    await wire.watch("a pod's life", path, count(3), meanwhile=live)
    await wire.watch("the same afterwards", path, count(3))


async def graceful(wire: Wire) -> None:
    """A pod on a node is deleted in two steps."""
    await wire.make_pod("zk-0")
    path = await since(wire)
    await wire.do("DELETE", wire.core("pods", "zk-0"))
    await wire.do("DELETE", wire.core("pods", "zk-0") + "?gracePeriodSeconds=0")
    await wire.watch("a deletion with grace", path, count(2))


async def selected(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_pod("zk-1")
    path = await since(wire)
    await label(wire, "zk-0", a="1")
    await label(wire, "zk-0", b="1")
    await label(wire, "zk-0", a=None)
    await wire.watch("of a label", f"{path}&labelSelector=a%3D1", count(3))
    await label(wire, "zk-1", c="1")
    await wire.watch("of a name", f"{path}&fieldSelector=metadata.name%3Dzk-1", count(1))
    one = path.replace("/pods?", "/pods/zk-1?")
    await wire.watch("of a path", one, count(1))
    await wire.watch("of nothing, for a second", f"{path}&labelSelector=no%3D1&timeoutSeconds=1", to_its_end)


async def present(wire: Wire) -> None:
    """Without a version the present comes first."""
    await wire.make_pod("zk-0")
    await wire.make_pod("zk-1")
    pods = wire.core("pods")
    await wire.watch("without a version", f"{pods}?watch=true", count(2))
    await wire.watch("from version 0", f"{pods}?watch=true&resourceVersion=0", count(2))


async def bookmarks(wire: Wire) -> None:
    """One comes two seconds before the time-out, whatever else happens."""
    await wire.make_pod("zk-0")
    await wire.make_budget()
    query = "&allowWatchBookmarks=true&timeoutSeconds=4"
    await wire.watch("of pods", await since(wire) + query, to_its_end)
    budgets = wire.group("policy", "poddisruptionbudgets")
    version = (await wire.do("GET", budgets))["metadata"]["resourceVersion"]
    await wire.watch("of budgets", f"{budgets}?watch=true&resourceVersion={version}{query}", to_its_end)
    await wire.watch("of pods as a table", await since(wire) + query, to_its_end, headers={"Accept": TABLE})
    await wire.watch("none that nobody asked for", await since(wire) + "&timeoutSeconds=3", to_its_end)


async def watch_list(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_pod("zk-1")
    pods = wire.core("pods")
    query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    await wire.watch("whole", pods + query, bookmark)
    await wire.watch("as a table", pods + query, bookmark, headers={"Accept": TABLE})
    await wire.watch("of a selection", pods + query + "&labelSelector=no%3D1", bookmark)
    path = await since(wire)
    version = path.rpartition("=")[2]
    await label(wire, "zk-1", a="1")
    await wire.watch("not older than that", f"{pods}{query}&resourceVersion={version}", bookmark)
    refused = pods + "?watch=true&sendInitialEvents=true"
    await wire.ask("without a match", "GET", refused)
    await wire.ask("an exact match", "GET", f"{refused}&resourceVersionMatch=Exact")
    await wire.ask("of a plain list", "GET", f"{pods}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan")
    await wire.watch(
        "without bookmarks",
        f"{pods}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1",
        to_its_end,
    )


async def as_table(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    path = await since(wire)
    await wire.make_pod("zk-1")
    await wire.do("DELETE", wire.core("pods", "zk-1") + "?gracePeriodSeconds=0")
    await wire.watch("events", path, count(3), headers={"Accept": TABLE})


async def refused(wire: Wire) -> None:
    pods = wire.core("pods")
    await wire.ask("not permitted", "GET", f"{pods}?watch=true", denied=("watch", "pods"))
    await wire.ask("a field that is none", "GET", f"{pods}?watch=true&fieldSelector=nonsense%3D1")
    await wire.ask("no version", "GET", f"{pods}?watch=true&resourceVersion=nonsense")
    await wire.ask("a match", "GET", f"{pods}?watch=true&resourceVersion=1&resourceVersionMatch=Exact")
    await wire.ask("no such resource", "GET", wire.core("zookeepers") + "?watch=true")


CASES: dict[str, Case] = {
    "watch-changes": changes,
    "watch-graceful": graceful,
    "watch-selected": selected,
    "watch-present": present,
    "watch-bookmarks": bookmarks,
    "watch-list": watch_list,
    "watch-table": as_table,
    "watch-refused": refused,
}
