"""The tutorial's maintenance chapter with kubectl, and what zktui says at each of its steps."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import by_name, kubectl, nodes, pod, serving, whole
from tests.scenarios.stage import Stage, eventually

REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
NODES = ("node-1", "node-2", "node-3", "node-4")


def drain(stage: Stage, node: str, *more: str, code: int = 0) -> str:
    return kubectl(stage, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", *more, code=code)


@pytest.mark.timeout(400)
def test_three_nodes_one_after_another(stage: Stage, api: Api, znodes: Znodes) -> None:
    before = by_name(whole(stage))
    first, second, third = (before[f"zk-{number}"] for number in range(3))
    (spare,) = set(NODES) - {member["node"] for member in before.values()}
    path = f"/hello-{uuid.uuid4().hex[:8]}"
    znodes.create(first, path, b"world")

    said = drain(stage, first["node"])
    assert f"node/{first['node']} cordoned" in said
    assert "pod/zk-0 evicted" in said
    assert f"node/{first['node']} drained" in said
    moved = by_name(serving(stage))
    assert moved["zk-0"]["node"] == spare
    assert {n: m["uid"] for n, m in moved.items() if n != "zk-0"} == {n: before[n]["uid"] for n in ("zk-1", "zk-2")}
    assert nodes(stage)[first["node"]]["unschedulable"] is True

    assert "pod/zk-1 evicted" in drain(stage, second["node"])
    waiting = eventually("zk-1 to wait for a node", lambda: unschedulable(api, "zk-1"))
    assert waiting["message"].startswith("0/4 nodes are available: ")
    assert "2 node(s) didn't match pod anti-affinity rules" in waiting["message"]
    assert "2 node(s) were unschedulable" in waiting["message"]

    # The third: the budget allows nothing, and zktui says so before it touches the node.
    for ended in (
        stage.zktui("maintain", third["node"], "--plan"),
        stage.zktui("maintain", third["node"], "--yes", "--timeout", "5s"),
    ):
        assert ended.code == 3, ended
    assert nodes(stage)[third["node"]]["unschedulable"] is False
    said = drain(stage, third["node"], "--timeout=4s", code=1)
    assert REFUSED in said
    assert pod(api, "zk-2")["metadata"]["uid"] == third["uid"]
    assert nodes(stage)[third["node"]]["unschedulable"] is True, "kubectl leaves the node cordoned"
    ensemble = stage.status()
    assert (ensemble["quorum"]["serving"], ensemble["quorum"]["canLose"]) == (2, 0)
    for name in ("zk-0", "zk-2"):
        assert znodes.get(by_name(ensemble)[name], path) == b"world"

    assert kubectl(stage, "uncordon", first["node"]) == f"node/{first['node']} uncordoned\n"
    moved = by_name(serving(stage))
    assert moved["zk-1"]["node"] == first["node"]
    assert znodes.get(moved["zk-1"], path) == b"world"

    assert "pod/zk-2 evicted" in drain(stage, third["node"])
    eventually("zk-2 to wait for a node", lambda: unschedulable(api, "zk-2"))
    for node in (second["node"], third["node"]):
        kubectl(stage, "uncordon", node)
    after = whole(stage)
    for member in after["members"]:
        assert znodes.get(member, path) == b"world"


def unschedulable(api: Api, name: str) -> Any | None:
    """The condition of a pod that the scheduler has no node for."""
    found = pod(api, name)
    if found["status"].get("phase") != "Pending":
        return None
    conditions = found["status"].get("conditions", ())
    return next((c for c in conditions if c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable"), None)
