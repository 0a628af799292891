"""Reading: objects, lists in pages and of a moment, what is told when that moment is gone, and tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.vectors.wire import DEADLINE, MERGE, TABLE, Case, Object, Wire, pod_body

METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


async def objects(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.ask("a pod", "GET", wire.core("pods", "zk-0"))
    await wire.ask("its status", "GET", wire.core("pods", "zk-0", "status"))
    await wire.ask("no such pod", "GET", wire.core("pods", "zk-9"))
    await wire.ask("no such budget", "GET", wire.budget())
    await wire.ask("no such node", "GET", "/api/v1/nodes/nowhere")
    await wire.ask("no such resource", "GET", wire.core("zookeepers"))
    await wire.ask("no such group", "GET", wire.group("nowhere.example", "things"))
    await wire.ask("no such version", "GET", "/apis/apps/v9/statefulsets")
    await wire.ask("no such subresource", "GET", wire.core("pods", "zk-0", "nothing"))
    await wire.ask("no such namespace", "GET", "/api/v1/namespaces/nowhere/pods")
    await wire.ask("only the metadata", "GET", wire.core("pods", "zk-0"), headers={"Accept": METADATA})
    await wire.ask("only the metadata of all", "GET", wire.core("pods"), headers={"Accept": METADATA_LIST})
    await wire.ask("not as XML", "GET", wire.core("pods"), headers={"Accept": "text/xml"})


async def pages(wire: Wire) -> None:
    for number in range(3):
        await wire.make_pod(f"zk-{number}")
    pods = wire.core("pods")
    first = await wire.ask("the first two", "GET", f"{pods}?limit=2")
    token = first["metadata"]["continue"]
    await wire.ask("the rest", "GET", f"{pods}?limit=2&continue={token}")
    await wire.ask("the first two of a selection", "GET", f"{pods}?limit=2&labelSelector=app%3Dzk")
    await wire.ask("one of them as a table", "GET", f"{pods}?limit=1", headers={"Accept": TABLE})
    await wire.ask("no token", "GET", f"{pods}?continue=nonsense")
    await wire.ask("a token and a version", "GET", f"{pods}?continue={token}&resourceVersion=5")


async def selectors(wire: Wire) -> None:
    await wire.make_pod("zk-0", node="node-7")
    pods = wire.core("pods")
    await wire.ask("of one node", "GET", f"{pods}?fieldSelector=spec.nodeName%3Dnode-7")
    await wire.ask("of no node", "GET", f"{pods}?fieldSelector=spec.nodeName%3Dnode-8")
    await wire.ask("a field that is none", "GET", f"{pods}?fieldSelector=spec.nonsense%3D1")
    await wire.ask("a field selector that is none", "GET", f"{pods}?fieldSelector=nonsense")
    await wire.ask("a label selector that is none", "GET", f"{pods}?labelSelector=%3D%3D%3D")


async def versions(wire: Wire) -> None:
    first = await wire.do("POST", wire.core("configmaps"), {"metadata": {"name": "one"}})
    await wire.do("POST", wire.core("configmaps"), {"metadata": {"name": "two"}})
    path, version = wire.core("configmaps"), first["metadata"]["resourceVersion"]
    exact = f"{path}?resourceVersionMatch=Exact&resourceVersion={version}"
    await wire.ask("of that moment", "GET", exact)
    await wire.ask("not older than that", "GET", f"{path}?resourceVersionMatch=NotOlderThan&resourceVersion={version}")
    await wire.ask("a match without a version", "GET", f"{path}?resourceVersionMatch=Exact")
    await wire.ask("no such match", "GET", f"{path}?resourceVersionMatch=Roughly&resourceVersion={version}")
    await wire.ask("exactly any", "GET", f"{path}?resourceVersionMatch=Exact&resourceVersion=0")
    await wire.ask("no version", "GET", f"{path}?resourceVersion=nonsense")
    await wire.ask("a version to come", "GET", f"{path}?resourceVersion=999999999")
    await wire.ask("exactly one to come", "GET", f"{path}?resourceVersionMatch=Exact&resourceVersion=999999999")


async def gone(wire: Wire) -> None:
    """The three forms of 410: for an exact list, for a continue token, and inside a watch."""
    maps = wire.core("configmaps")
    names = ("one", "two", "three")
    made = [await wire.do("POST", maps, {"metadata": {"name": name}}) for name in names]
    version = made[1]["metadata"]["resourceVersion"]
    first = await wire.do("GET", f"{maps}?limit=1")
    await wire.do("PATCH", f"{maps}/two", {"data": {"a": "1"}}, MERGE)
    await wire.server.compact()
    token = first["metadata"]["continue"]
    wire.normal.learn(first)
    old = f"{maps}?limit=1&continue={token}"
    exact = f"{maps}?resourceVersionMatch=Exact&resourceVersion={version}"
    await _expired(wire, old)
    await _expired(wire, exact)
    refused = await wire.ask("an old continue token", "GET", old)
    await wire.ask("with the fresh token", "GET", f"{maps}?limit=1&continue={refused['metadata']['continue']}")
    await wire.ask("of a moment long ago", "GET", exact)
    await wire.watch("a watch from long ago", f"{maps}?watch=true&resourceVersion=1", bool)
    await wire.watch(
        "a watch from long ago, with bookmarks",
        f"{maps}?watch=true&resourceVersion=1&allowWatchBookmarks=true",
        bool,
    )


async def _expired(wire: Wire, path: str) -> None:
    """Wait until the server says so: it learns of a compaction in its own time, which on a busy machine is long."""
    async with asyncio.timeout(4 * DEADLINE):
        while True:
            async with wire.server.session.get(path) as reply:
                if reply.status == 410:
                    return
            await asyncio.sleep(0.1)


async def tables(wire: Wire) -> None:
    await wire.make_pod("zk-0", node="node-7")
    await wire.make_pod("zk-1", ready=False)
    await wire.do("POST", wire.core("pods"), pod_body("zk-2", None))
    as_table = {"Accept": TABLE}
    pods = wire.core("pods")
    await wire.ask("pods", "GET", pods, headers=as_table)
    await wire.ask("one pod", "GET", f"{pods}/zk-0", headers=as_table)
    await wire.ask("pods without objects", "GET", f"{pods}?includeObject=None", headers=as_table)
    await wire.ask("a pod, whole", "GET", f"{pods}/zk-2?includeObject=Object", headers=as_table)
    await wire.ask("pods, included otherwise", "GET", f"{pods}?includeObject=Half", headers=as_table)
    await wire.ask("no such pod", "GET", f"{pods}/zk-9", headers=as_table)
    await wire.ask("no pods", "GET", f"{pods}?labelSelector=app%3Dnothing", headers=as_table)
    await wire.make_budget()
    share = {"minAvailable": "60%", "maxUnavailable": None}
    await wire.make_budget("share", spec=share, disruptionsAllowed=0)
    await wire.ask("budgets", "GET", wire.group("policy", "poddisruptionbudgets"), headers=as_table)
    sets = wire.group("apps", "statefulsets")
    await wire.do("POST", sets, stateful_set())
    await wire.ask("stateful sets", "GET", sets, headers=as_table)
    await wire.ask("one stateful set", "GET", f"{sets}/zk", headers=as_table)
    await _nodes_as_table(wire)


def stateful_set(**spec: Any) -> Object:
    labels = {"app": "zk"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    whole = {"serviceName": "zk-hs", "replicas": 3, "selector": {"matchLabels": labels}, "template": template, **spec}
    return {"metadata": {"name": "zk"}, "spec": whole}


async def _nodes_as_table(wire: Wire) -> None:
    await with_node(wire, "table-node", lambda: _ask_nodes(wire))


async def _ask_nodes(wire: Wire) -> None:
    one = "/api/v1/nodes?fieldSelector=metadata.name%3Dtable-node"
    info = dict.fromkeys(NODE_INFO, "")
    info |= {
        "kubeletVersion": "v1.37.2",
        "osImage": "Debian",
        "kernelVersion": "6.1",
        "containerRuntimeVersion": "c://2",
    }
    status: Object = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        "nodeInfo": info,
    }
    await wire.ask("a node that never spoke", "GET", one, headers={"Accept": TABLE})
    await wire.do("PATCH", "/api/v1/nodes/table-node/status", {"status": status}, MERGE)
    await wire.do("PATCH", "/api/v1/nodes/table-node", {"spec": {"unschedulable": True}}, MERGE)
    await wire.ask("a cordoned node", "GET", one, headers={"Accept": TABLE})


NODE_INFO = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)


async def with_node(wire: Wire, name: str, then: Callable[[], Awaitable[None]]) -> None:
    """Make a node without taints, do that, and remove the node: nodes have no namespace to be told apart by."""
    path = f"/api/v1/nodes/{name}"
    await wire.do("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    await wire.do("PATCH", path, {"spec": {"taints": None}}, MERGE)
    await then()
    await wire.do("DELETE", path)


CASES: dict[str, Case] = {
    "reading-objects": objects,
    "reading-pages": pages,
    "reading-selectors": selectors,
    "reading-versions": versions,
    "reading-gone": gone,
    "reading-tables": tables,
}
