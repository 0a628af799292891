"""What the API server hands on from a kubelet: logs that are not there yet, and ports where nobody listens."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.vectors.wire import DEADLINE, Case, Object, Wire, pod_body

FORWARD = "v4.channel.k8s.io"
EXEC = "v5.channel.k8s.io"
CLOSED = 9
"""A port (discard's) where nothing listens."""


async def without_node(wire: Wire) -> None:
    await wire.do("POST", wire.core("pods"), pod_body("zk-0", None))
    pod = wire.core("pods", "zk-0")
    await wire.ask("log", "GET", f"{pod}/log")
    await wire.ask("log of a container that is none", "GET", f"{pod}/log?container=x")
    await wire.ask("log of no pod", "GET", wire.core("pods", "zk-9", "log"))
    await wire.ask("log with two starts", "GET", f"{pod}/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z")
    await wire.ask("log with fewer lines than none", "GET", f"{pod}/log?tailLines=-1")
    await wire.ask("log with no bytes", "GET", f"{pod}/log?limitBytes=0")
    await wire.ask("log from no time", "GET", f"{pod}/log?sinceTime=yesterday")
    await wire.ask("log from seconds to come", "GET", f"{pod}/log?sinceSeconds=0")
    await wire.ask("exec", "GET", f"{pod}/exec?command=ls&stdout=true")
    await wire.ask("forward", "GET", f"{pod}/portforward?ports=2181")
    await wire.do("POST", wire.core("pods"), _pair("two"))
    await wire.ask("log of one of two", "GET", wire.core("pods", "two", "log"))
    await wire.ask("exec in one of two", "GET", wire.core("pods", "two", "exec") + "?command=ls&stdout=true")


def _pair(name: str) -> Any:
    return pod_body(name, None, containers=[{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:1"}])


async def not_started(wire: Wire) -> None:
    """A container that waits for a volume's ConfigMap."""
    await wire.server.kubelet_ready()
    volumes = [{"name": "v", "configMap": {"name": "absent"}}]
    container = {"name": "c", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "600"]}
    mounted = {**container, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    await wire.do("POST", wire.core("pods"), pod_body("p", "node-1", containers=[mounted], volumes=volumes))
    pod = wire.core("pods", "p")
    await _state(wire, pod, "waiting")
    await wire.ask("log", "GET", f"{pod}/log")
    await wire.ask("log, followed", "GET", f"{pod}/log?follow=true")
    await wire.ask("log of the run before", "GET", f"{pod}/log?previous=true")
    await wire.ask("log of a container that is none", "GET", f"{pod}/log?container=x")
    await wire.do("DELETE", f"{pod}?gracePeriodSeconds=0")


async def started(wire: Wire) -> None:
    await wire.server.kubelet_ready()
    container = {"name": "c", "image": IMAGE, "imagePullPolicy": "Never", "command": ["sleep", "600"]}
    await wire.do("POST", wire.core("pods"), pod_body("p", "node-1", containers=[container]))
    pod = wire.core("pods", "p")
    await _state(wire, pod, "running")
    await wire.ask("log", "GET", f"{pod}/log")
    await wire.ask("log of the run before", "GET", f"{pod}/log?previous=true")
    await wire.channels("a closed port", f"{pod}/portforward?ports={CLOSED}", FORWARD, 1)
    await wire.ask("no port", "GET", f"{pod}/portforward", headers=_upgrade(FORWARD))
    await wire.channels("a command that is none", f"{pod}/exec?command=nonsense&stdout=true&stderr=true", EXEC, 3)
    await wire.channels("a command that fails", f"{pod}/exec?command=false&stdout=true&stderr=true", EXEC, 3)
    await wire.do("DELETE", f"{pod}?gracePeriodSeconds=0")


IMAGE = "zookeeper:3.9"


def _upgrade(protocol: str) -> dict[str, str]:
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": protocol,
    }


async def _state(wire: Wire, pod: str, wanted: str) -> None:
    """Wait until the kubelet says so of the pod's container."""
    async with asyncio.timeout(3 * DEADLINE):
        while True:
            status: Object = (await wire.do("GET", pod)).get("status", {})
            containers: list[Object] = status.get("containerStatuses") or []
            if any(wanted in entry.get("state", {}) for entry in containers):
                return
            await asyncio.sleep(0.1)


CASES: dict[str, Case] = {"kubelet-without-node": without_node}
ON_NODES: dict[str, Case] = {"kubelet-not-started": not_started, "kubelet-started": started}
"""Those that need a node and its kubelet."""
