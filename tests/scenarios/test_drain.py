"""A node with a member goes down and comes back: without a screen, and by keys in a terminal."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.data import Znodes
from tests.scenarios.keys import Terminal, to_node
from tests.scenarios.play import by_name, nodes, whole
from tests.scenarios.stage import Stage, has

SHORT = ("--dwell", "2s")
"""Where it is not the point how long a member must have served."""


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def assert_drained(before: Any, after: Any, pod: str, znodes: Znodes, path: str, data: bytes) -> None:
    """The member moved once and alone, and what was written before is read through every member."""
    old, new = by_name(before), by_name(after)
    assert new[pod]["uid"] != old[pod]["uid"]
    for other in old.keys() - {pod}:
        assert new[other]["uid"] == old[other]["uid"], f"{other} was moved as well"
    for member in after["members"]:
        assert znodes.get(member, path) == data


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_maintain_a_members_node(stage: Stage, znodes: Znodes, role: str) -> None:
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == role)
    path, data = f"/maintain-{uuid.uuid4().hex[:8]}", b"written before"
    znodes.create(victim, path, data)

    # Once with the dwell that syncLimit gives, which is most of the time that a drain takes.
    dwell = () if role == "follower" else SHORT
    ended = stage.zktui("maintain", victim["node"], "--yes", *dwell, "-o", "jsonl")

    assert ended.code == 0, ended
    plan, *journal = events(ended.out)
    assert plan["kind"] == "Plan"
    assert plan["go"] is True
    assert plan["evictions"] == 1
    assert plan["elections"] == (1 if role == "leader" else 0)
    kinds = [event["kind"] for event in journal]
    for earlier, later in [("claim", "cordon"), ("cordon", "evict"), ("evict", "gone"), ("gone", "rejoined")]:
        assert kinds.index(earlier) < kinds.index(later), kinds
    assert kinds.index("rejoined") < kinds.index("uncordon"), "the member is back before the node is given up"
    assert kinds.count("evict") == 1
    assert journal[-1]["status"] == "done"
    assert journal[-1]["cordoned"] == []
    assert_drained(before, whole(stage), victim["pod"], znodes, path, data)


def test_two_nodes_in_a_row_the_leaders_last(stage: Stage, znodes: Znodes) -> None:
    before = whole(stage)
    leader = next(m for m in before["members"] if m["role"] == "leader")
    follower = next(m for m in before["members"] if m["role"] == "follower")
    path = f"/row-{uuid.uuid4().hex[:8]}"
    znodes.create(leader, path, b"1")

    ended = stage.zktui("maintain", leader["node"], follower["node"], "--yes", *SHORT, "-o", "jsonl")

    assert ended.code == 0, ended
    plan, *journal = events(ended.out)
    assert [n["name"] for n in plan["nodes"]] == [follower["node"], leader["node"]]
    evicted = [event["pod"].rpartition("/")[2] for event in journal if event["kind"] == "evict"]
    assert evicted == [follower["pod"], leader["pod"]]
    after = whole(stage)
    for member in after["members"]:
        assert znodes.get(member, path) == b"1"


def test_left_cordoned_and_said_so(stage: Stage) -> None:
    ensemble = whole(stage)
    used = {m["node"] for m in ensemble["members"]}
    empty = next(n for n in ("node-1", "node-2", "node-3", "node-4") if n not in used)
    ended = stage.zktui("maintain", empty, "--yes", *SHORT, "--hold", "leave")
    assert ended.code == 0, ended
    assert f"kubectl uncordon {empty}" in ended.err
    assert nodes(stage)[empty]["unschedulable"] is True

    # A member's node now: nowhere to land but a node that someone cordoned, and ours to leave alone.
    follower = next(m for m in ensemble["members"] if m["role"] == "follower")
    plan = stage.zktui("maintain", follower["node"], "--plan", "-o", "json").json()
    (planned,) = plan["nodes"][0]["members"]
    assert planned["landing"] == []
    assert planned["waitsForUncordon"] is True

    again = stage.zktui("maintain", empty, "--yes", *SHORT)
    assert again.code == 0, again
    assert nodes(stage)[empty]["unschedulable"] is True, "a cordon that this run did not make was undone"
    uncordon(stage, empty)


def uncordon(stage: Stage, node: str) -> None:
    """As the operator would by hand."""
    import asyncio

    from zktui.cluster.connect import connect
    from zktui.core.ports import Answer

    connection = connect(str(stage.kubeconfig))

    async def change() -> None:
        found = await connection.cluster.node(node)
        assert isinstance(found, Answer)
        assert isinstance(await connection.cluster.cordon(found.value, False), Answer)

    try:
        asyncio.run(change())
    finally:
        connection.close()


def test_the_leaders_node_by_keys(stage: Stage, znodes: Znodes, folder: Path) -> None:
    if not has("tmux"):
        pytest.skip("tmux is not on the PATH")
    before = whole(stage)
    leader = next(m for m in before["members"] if m["role"] == "leader")
    path, data = f"/keys-{uuid.uuid4().hex[:8]}", b"written before"
    znodes.create(leader, path, data)

    terminal = Terminal([sys.executable, "-m", "zktui"], stage.environment(), folder)
    try:
        terminal.wait("quorum 3/3", f"★ {leader['pod']}", "zk-pdb allows 1")
        terminal.press("m")
        terminal.wait("Which nodes?", leader["node"])
        to_node(terminal, leader["node"])
        terminal.press("Space", "Enter")
        terminal.wait("READY", "1 election", leader["pod"])
        terminal.press("s")
        terminal.wait(f"Drain {leader['node']}?")
        terminal.press("y")
        # What a person who looks up must be told while the member is away, and then that it is back.
        terminal.wait("budget allows 0", f"{leader['pod']} is on its way", deadline=30)
        terminal.wait("YOURS", f"{leader['node']} is drained", "quorum 3/3", deadline=60)
        assert nodes(stage)[leader["node"]]["unschedulable"] is True
        terminal.press("u")
        terminal.wait("DONE", "No node is left cordoned", deadline=30)
        terminal.press("Enter")
        terminal.wait("Znodes", "quorum 3/3")  # of the main screen: the run's own also names the ensemble
        terminal.press("q")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()
    assert_drained(before, whole(stage), leader["pod"], znodes, path, data)
