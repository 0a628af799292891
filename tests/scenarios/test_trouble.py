"""Rights that are missing, members that keep silent, a terminal that is too small: said plainly, nothing changed."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.scenarios.keys import Terminal
from tests.scenarios.play import whole
from tests.scenarios.stage import CLUSTER, Stage, eventually, has
from tests.scenarios.trouble import InProcess, OnStage, Troubled
from zktui.demo.cluster import DemoCluster


@pytest.fixture
async def troubled(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Troubled]:
    if CLUSTER == "embedded":
        async with DemoCluster() as cluster:
            await cluster.wait_ready()
            yield InProcess(cluster, tmp_path)
        return
    stage: Stage = request.getfixturevalue("stage")
    real = OnStage(stage)
    try:
        yield real
    finally:
        real.close()
        whole(stage)


async def test_no_permission_to_look(troubled: Troubled) -> None:
    troubled.deny("list", "statefulsets")
    ended = await troubled.zktui("status")
    assert ended.code == 4, ended
    assert len(ended.err.strip().splitlines()) == 1
    assert "statefulsets" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("verb", "resource", "named"), [("patch", "nodes", "nodes"), ("create", "pods/eviction", "evict")]
)
async def test_no_permission_to_change(troubled: Troubled, verb: str, resource: str, named: str) -> None:
    troubled.deny(verb, resource)
    before = troubled.uids()
    ended = await troubled.zktui("maintain", troubled.node("zk-0"), "--yes")
    assert ended.code == 4, ended
    assert named in ended.out + ended.err
    assert "Traceback" not in ended.err
    assert troubled.uids() == before
    assert troubled.cordoned() == []


async def test_no_permission_for_events_stops_no_run(troubled: Troubled) -> None:
    troubled.deny("create", "events")
    node = troubled.node("zk-0")
    ended = await troubled.zktui("maintain", node, "--yes", "--dwell", "2s")
    assert ended.code == 0, ended
    assert ended.out.count("could not be written") == 1, "it is told once"
    assert "events" in next(line for line in ended.out.splitlines() if "could not be written" in line)
    assert troubled.cordoned() == []


async def test_a_frozen_leader_is_no_quorum_whatever_its_followers_say(troubled: Troubled) -> None:
    (ensemble,) = (await troubled.zktui("status", "-o", "json")).json()["ensembles"]
    with troubled.frozen(ensemble["leader"]):
        ended = await troubled.zktui("status", "-o", "json")
        (seen,) = ended.json()["ensembles"]
        assert ended.code == 3, ended
        assert seen["quorum"]["health"] == "no quorum"
        assert seen["quorum"]["canLose"] == 0
        frozen = next(m for m in seen["members"] if m["pod"] == ensemble["leader"])
        assert frozen["role"] == "silent"
        follower = next(m for m in seen["members"] if m["pod"] != ensemble["leader"])
        plan = await troubled.zktui("maintain", follower["node"], "--plan")
        assert plan.code == 3, plan
        assert "no-go" in plan.out


async def test_every_member_silent(troubled: Troubled) -> None:
    with troubled.frozen("zk-0", "zk-1", "zk-2"):
        ended = await troubled.zktui("status")
        assert ended.code == 3, ended
        assert "silent" in ended.out
        assert "Traceback" not in ended.err


def test_a_terminal_that_is_too_small_and_one_that_is_just_large_enough(stage: Stage, folder: Path) -> None:
    if not has("tmux"):
        pytest.skip("tmux is not on the PATH")
    terminal = Terminal([sys.executable, "-m", "zktui"], stage.environment(), folder, 60, 20)
    try:
        terminal.wait("too small: 60 x 20", "80 x 24")
        terminal.resize(80, 24)
        screen = terminal.wait("quorum 3/3", "zk-pdb", "allows 1", "zk-0", "zk-1", "zk-2")
        assert "too small" not in screen
        terminal.resize(79, 24)
        terminal.wait("too small: 79 x 24")
        terminal.resize(120, 36)
        terminal.wait("Ensemble zk", "Nodes", "Znodes")
        terminal.press("q")
        assert terminal.exit_code() == 0
        assert eventually("the terminal to be given back", lambda: "EXIT-CODE 0" in terminal.screen())
    finally:
        terminal.close()
