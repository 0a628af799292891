"""Watches: events of each kind, bookmarks, initial events, and tables."""

from __future__ import annotations

import asyncio
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

    await wire.watch("a pod's life", path, count(4), meanwhile=live)
    await wire.watch("the same afterwards", path, count(4))


async def graceful(wire: Wire) -> None:
    """A pod on a node is deleted in steps."""
    await wire.make_pod("zk-0")
    path = await since(wire)
    await wire.do("DELETE", wire.core("pods", "zk-0"))
    await wire.do("DELETE", wire.core("pods", "zk-0") + "?gracePeriodSeconds=0")
    await wire.watch("a deletion with grace", path, count(3))


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
    await wire.ask("of a path, which is no watch", "GET", path.replace("/pods?", "/pods/zk-1?"))
    await wire.watch("of nothing, for a second", f"{path}&labelSelector=no%3D1&timeoutSeconds=1", to_its_end)


async def present(wire: Wire) -> None:
    """Without a version the present comes first."""
    await wire.make_pod("zk-0")
    await wire.make_pod("zk-1")
    pods = wire.core("pods")
    await wire.watch("without a version", f"{pods}?watch=true", count(2))
    await wire.watch("from version 0", f"{pods}?watch=true&resourceVersion=0", count(2))


async def bookmarks(wire: Wire) -> None:
    """One comes two seconds before the time-out, if anything at all has changed."""
    await wire.make_pod("zk-0")
    await wire.make_budget()
    budgets = wire.group("policy", "poddisruptionbudgets")

    async def elsewhere() -> None:
        """A change of something else, and what makes the server's watch caches catch up with it."""
        await wire.do("POST", wire.core("configmaps"), {"metadata": {"generateName": "elsewhere-"}})
        for path in (wire.core("pods"), budgets):
            await wire.do("GET", path)

    wanted = "&allowWatchBookmarks=true"
    pods, version = await since(wire), (await wire.do("GET", budgets))["metadata"]["resourceVersion"]
    of_budgets = f"{budgets}?watch=true&resourceVersion={version}{wanted}&timeoutSeconds=4"
    await asyncio.gather(
        wire.watch("of budgets", of_budgets, bookmark, meanwhile=elsewhere),
        wire.watch("of pods", f"{pods}{wanted}&timeoutSeconds=4", bookmark, meanwhile=elsewhere),
        wire.watch("of a table", f"{pods}{wanted}&timeoutSeconds=4", bookmark, headers={"Accept": TABLE}),
        wire.watch("nobody asked", f"{pods}&timeoutSeconds=4", to_its_end),
    )
    await wire.watch("nothing has changed", f"{await since(wire)}{wanted}&timeoutSeconds=4", to_its_end)


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


async def bookmarked_kinds(wire: Wire) -> None:
    """A bookmark's object is an empty one of its kind."""
    query = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    core = ("pods", "services", "endpoints", "events", "configmaps", "secrets", "persistentvolumeclaims")
    apps = ("statefulsets", "deployments", "daemonsets", "replicasets", "controllerrevisions")
    for path in (
        *(wire.core(plural) for plural in core),
        *(wire.group("apps", plural) for plural in apps),
        wire.group("policy", "poddisruptionbudgets"),
        wire.group("coordination.k8s.io", "leases"),
        wire.group("discovery.k8s.io", "endpointslices"),
    ):
        await wire.watch(f"of {path.rpartition('/')[2]}", path + query, bookmark)
        await wire.watch(f"of a table of {path.rpartition('/')[2]}", path + query, bookmark, headers={"Accept": TABLE})
    for path in (
        *("/api/v1/nodes", "/api/v1/persistentvolumes", "/api/v1/namespaces", wire.core("serviceaccounts")),
        "/apis/storage.k8s.io/v1/storageclasses",
    ):
        only = f"{path}{query}&fieldSelector=metadata.name%3Dnone"
        await wire.watch(f"of {path.rpartition('/')[2]}", only, bookmark)
        await wire.watch(f"of a table of {path.rpartition('/')[2]}", only, bookmark, headers={"Accept": TABLE})


async def as_table(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    path = await since(wire)
    await wire.make_pod("zk-1")
    await wire.do("DELETE", wire.core("pods", "zk-1") + "?gracePeriodSeconds=0")
    await wire.watch("events", path, count(4), headers={"Accept": TABLE})


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
    "watch-bookmarked-kinds": bookmarked_kinds,
    "watch-table": as_table,
    "watch-refused": refused,
}
