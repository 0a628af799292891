"""The tutorial's chapter on maintenance, typed by keys into the real program on the real cluster.

Everything is done in zktui's wizard, its option `hold` turned to "left cordoned" as the tutorial's drains leave their
nodes; by kubectl only what the tutorial does beside draining: writing and reading /hello, and the last uncordon.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.stage import RealStage
from tests.scenarios.keys import Terminal
from tests.scenarios.stage import eventually, has

NODES = ("node-1", "node-2", "node-3", "node-4")


@pytest.fixture
def terminal(stage: RealStage, folder: Path) -> Generator[Terminal]:
    """The program as a person starts it. Whatever happened, the cluster is whole again afterwards."""
    if not has("tmux"):
        pytest.skip("tmux is not on the PATH")
    screen = Terminal([sys.executable, "-m", "zktui"], stage.environment(), folder, 140, 40)
    try:
        yield screen
    finally:
        screen.close()
        stage.kubectl("uncordon", *NODES)
        stage.kubectl("delete", "lease", "zktui-maintenance", "--ignore-not-found")
        zk_cli(stage, "zk-0", "deleteall", "/hello")
        stage.ready()


def zk_cli(stage: RealStage, pod: str, *words: str) -> str:
    """What the client in the pod prints."""
    ended = stage.kubectl("exec", pod, "--", "zkCli.sh", *words)
    return ended.out + ended.err


def cordoned(stage: RealStage) -> set[str]:
    nodes = stage.kubectl("get", "nodes", "-o", "json").json()["items"]
    return {node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")}


def homes(stage: RealStage) -> dict[str, str]:
    """Pod to node; empty while it is not scheduled."""
    pods = stage.kubectl("get", "pods", "-l", "app=zk", "-o", "json").json()["items"]
    return {pod["metadata"]["name"]: pod["spec"].get("nodeName", "") for pod in pods}


def choose(terminal: Terminal, member: str) -> str:
    """In the wizard's list of nodes, move to the one that shows this member, and review it. Returns its name."""
    terminal.press("m")
    terminal.wait("Which nodes?", member)

    def under_cursor() -> str:
        return next((line for line in terminal.screen().splitlines() if "▸ node-" in line), "")

    eventually("the cursor", under_cursor, 30.0, 0.05)
    for _ in NODES:
        line = under_cursor()
        if re.search(rf"\b{member}\b", line):
            terminal.press("Enter")
            found = re.search(r"▸ (node-\d)", line)
            assert found is not None
            return found[1]
        terminal.press("Down")
        eventually("the cursor to move on", lambda old=line: under_cursor() not in ("", old), 30.0, 0.05)
    raise AssertionError(f"{member} is on no node of the list:\n{terminal.screen()}")


def leave_cordoned(terminal: Terminal) -> None:
    """Turn the option `hold` back from "until u" to "left cordoned", which is its last value."""
    terminal.press("o")
    terminal.wait("Options", "until u")

    def option() -> str:
        """The row that the cursor is on: the list of options has the last cursor on the screen."""
        return terminal.screen().rpartition("▸ ")[2].split()[0]

    while (row := option()) != "hold":
        terminal.press("Down")
        eventually("the cursor to move on", lambda old=row: option() != old, 30.0, 0.05)
    terminal.press("Left")
    terminal.wait("left cordoned")
    terminal.press("Enter")
    # Said by the new review, which is made from fresh readings.
    terminal.wait("hold left cordoned")


def drain(terminal: Terminal, node: str) -> None:
    """From a review that may begin: start it, and say yes."""
    terminal.press("s")
    terminal.wait(f"Drain {node}?")
    terminal.press("y")


def drained_onto_the_spare_node(stage: RealStage, terminal: Terminal, before: dict[str, str]) -> str:
    """zk-0's node: the member comes back on the free one, and the node stays cordoned. Returns the node's name."""
    (spare,) = set(NODES) - set(before.values())
    node = choose(terminal, "zk-0")
    assert node == before["zk-0"]
    terminal.wait("READY", node, spare)
    leave_cordoned(terminal)
    terminal.wait("READY", spare)
    drain(terminal, node)
    terminal.wait("DONE", f"{node} is still cordoned", "left cordoned", f"{node} → {spare}", deadline=120)
    assert cordoned(stage) == {node}
    assert homes(stage) == {**before, "zk-0": spare}
    terminal.press("Enter")
    terminal.wait("Ensemble zk", "quorum 3/3", "zk-pdb allows 1")
    return node


def drained_with_nowhere_to_go(stage: RealStage, terminal: Terminal, before: dict[str, str]) -> str:
    """zk-1's node: no other is left for the member. The review says so beforehand; then it is Pending."""
    node = choose(terminal, "zk-1")
    assert node == before["zk-1"]
    terminal.wait("nowhere")
    leave_cordoned(terminal)
    terminal.wait("READY", "nowhere")
    drain(terminal, node)
    terminal.wait("DONE", f"{node} is still cordoned", deadline=60)
    eventually("zk-1 to be Pending", lambda: homes(stage).get("zk-1") == "", 30.0)
    terminal.press("Enter")
    terminal.wait("Ensemble zk", "Unschedulable", "quorum 2/3", "zk-pdb allows 0")
    return node


def blocked_by_the_budget(stage: RealStage, terminal: Terminal, before: dict[str, str], held: set[str]) -> str:
    """zk-2's node: the reason on screen, and the key that would change it. Returns the node that it would uncordon."""
    node = choose(terminal, "zk-2")
    assert node == before["zk-2"]
    terminal.wait("2 of 3 voters serve")
    drain(terminal, node)
    screen = terminal.wait("BLOCKED", "zk-pdb allows 0: needs 2 healthy, has 2", "so that zk-1 can schedule")
    offered = re.search(r" u +uncordon (node-\d) so that zk-1 can schedule", screen)
    assert offered is not None, screen
    assert offered[1] in held
    # Before its first gate a run has changed nothing.
    assert cordoned(stage) == held
    assert homes(stage)["zk-2"] == node
    return offered[1]


def test_the_chapter_on_maintenance(stage: RealStage, terminal: Terminal) -> None:
    # Four nodes, three members: there are no others to cordon. One member may be disrupted.
    before = homes(stage)
    zk_cli(stage, "zk-0", "deleteall", "/hello")
    assert "Created /hello" in zk_cli(stage, "zk-0", "create", "/hello", "world")
    terminal.wait("quorum 3/3", "zk-pdb allows 1", deadline=60)

    first = drained_onto_the_spare_node(stage, terminal, before)
    second = drained_with_nowhere_to_go(stage, terminal, before)
    freed = blocked_by_the_budget(stage, terminal, before, {first, second})
    third = before["zk-2"]

    # The service goes on meanwhile.
    assert "world" in zk_cli(stage, "zk-0", "get", "/hello").splitlines()

    # Uncordoning what this run did not cordon takes its typed name. zk-1 comes back, then zk-2 may go.
    terminal.press("u")
    terminal.wait(f"Uncordon {freed}?", "was not cordoned by this run")
    terminal.type(freed)
    terminal.press("Enter")
    terminal.wait("zk-1 started lately", deadline=90)
    assert homes(stage)["zk-1"] == freed
    terminal.wait("YOURS", f"{third} is drained", "zk-2 has nowhere else to run", deadline=90)
    assert homes(stage)["zk-2"] == ""
    assert cordoned(stage) == {first, second, third} - {freed}
    terminal.press("u")
    terminal.wait("DONE", "No node is left cordoned by this run", deadline=90)
    assert homes(stage)["zk-2"] == third

    # Uncordon the rest.
    (rest,) = {first, second} - {freed}
    assert stage.kubectl("uncordon", rest).code == 0
    terminal.press("Enter")
    terminal.wait("quorum 3/3", "zk-pdb allows 1", deadline=30)
    eventually("no cordon on screen", lambda: "cordoned" not in terminal.screen(), 10.0)
    assert cordoned(stage) == set()
    assert "world" in zk_cli(stage, "zk-2", "get", "/hello").splitlines()
    terminal.press("q")
    assert terminal.exit_code() == 0
