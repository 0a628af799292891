"""Rights that are missing, members that keep silent, a terminal that is too small: said plainly, nothing changed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.scenarios.keys import Terminal
from tests.scenarios.stage import Ended, Stage, eventually, has
from zktui.demo.cluster import DemoCluster


class Troubled:
    """A demo inside this process, so that a test can take rights away and stop servers."""

    def __init__(self, cluster: DemoCluster, folder: Path) -> None:
        self.cluster = cluster
        self._folder = folder
        self._kubeconfig = folder / "kubeconfig"
        cluster.write_kubeconfig(self._kubeconfig)

    async def zktui(self, *arguments: str) -> Ended:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "KUBECONFIG": str(self._kubeconfig),
            "XDG_STATE_HOME": str(self._folder / "state"),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "zktui", *arguments),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    def cordoned(self) -> list[str]:
        nodes = self.cluster.store.list("nodes")[0]
        return [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]


@pytest.fixture
async def troubled(tmp_path: Path) -> AsyncGenerator[Troubled]:
    async with DemoCluster() as cluster:
        await cluster.wait_ready()
        yield Troubled(cluster, tmp_path)


async def test_no_permission_to_look(troubled: Troubled) -> None:
    troubled.cluster.server.deny("list", "statefulsets")
    ended = await troubled.zktui("status")
    assert ended.code == 4, ended
    assert len(ended.err.strip().splitlines()) == 1
    assert "statefulsets" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("verb", "resource", "named"), [("patch", "nodes", "nodes"), ("create", "pods/eviction", "evict")]
)
async def test_no_permission_to_change(troubled: Troubled, verb: str, resource: str, named: str) -> None:
    troubled.cluster.server.deny(verb, resource)
    before = {pod["metadata"]["uid"] for pod in troubled.cluster.store.list("pods", "default")[0]}
    node = troubled.cluster.store.get("pods", "default", "zk-0")["spec"]["nodeName"]
    ended = await troubled.zktui("maintain", node, "--yes")
    assert ended.code == 4, ended
    assert named in ended.out + ended.err
    assert "Traceback" not in ended.err
    assert {pod["metadata"]["uid"] for pod in troubled.cluster.store.list("pods", "default")[0]} == before
    assert troubled.cordoned() == []


async def test_a_frozen_leader_is_no_quorum_whatever_its_followers_say(troubled: Troubled) -> None:
    (ensemble,) = (await troubled.zktui("status", "-o", "json")).json()["ensembles"]
    pid = troubled.cluster.kubelet.pid("default", ensemble["leader"])
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
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
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_every_member_silent(troubled: Troubled) -> None:
    pids = [troubled.cluster.kubelet.pid("default", f"zk-{n}") for n in range(3)]
    for pid in pids:
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    try:
        ended = await troubled.zktui("status")
        assert ended.code == 3, ended
        assert "silent" in ended.out
        assert "Traceback" not in ended.err
    finally:
        for pid in pids:
            assert pid is not None
            os.kill(pid, signal.SIGCONT)


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
