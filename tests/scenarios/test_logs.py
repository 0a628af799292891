"""A member's log, followed while its pod goes and another one is born under its name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.scenarios.api import Api
from tests.scenarios.keys import Terminal
from tests.scenarios.play import PODS, by_name, kubectl, pod, whole
from tests.scenarios.stage import Stage, eventually, has
from zktui.cluster.connect import connect
from zktui.core.kube import PodKey
from zktui.core.logring import LogLine
from zktui.core.ports import LogBatch

CONTAINER = "kubernetes-zookeeper"


def test_the_last_lines(stage: Stage) -> None:
    whole(stage)
    lines = kubectl(stage, "logs", "zk-0", "--tail", "20").splitlines()
    assert len(lines) == 20
    stamped = kubectl(stage, "logs", "zk-0", "--tail", "1", "--timestamps").split(maxsplit=1)
    assert stamped[0].endswith("Z")
    assert stamped[1].strip()
    assert len(kubectl(stage, "logs", "zk-0", "--limit-bytes", "100").encode()) == 100


@pytest.mark.timeout(240)
def test_followed_to_the_pods_end_and_on_from_the_next_ones_birth(stage: Stage, api: Api) -> None:
    before = whole(stage)
    member = next(m for m in before["members"] if m["role"] == "follower")
    old = PodKey("default", member["pod"], member["uid"])
    connection = connect(str(stage.kubeconfig))

    async def play() -> tuple[list[LogLine], str, list[LogLine]]:
        stream = connection.logs.follow(old, CONTAINER, tail=5)
        first = [line async for line in lines(stream, 5)]
        api.delete(f"{PODS}/{old.name}")
        ended = ""
        async with asyncio.timeout(90):
            async for batch in stream:
                first += batch.lines
                ended = batch.ended or ended
        eventually("a pod of that name again", lambda: reborn(api, old), 60.0)
        new = PodKey("default", old.name, pod(api, old.name)["metadata"]["uid"])
        following = connection.logs.follow(new, CONTAINER, tail=500)
        async with asyncio.timeout(90):
            second = [line async for line in until(following, "LOOKING")]
        return first, ended, second

    async def lines(stream: AsyncIterator[LogBatch], count: int) -> AsyncIterator[LogLine]:
        async for batch in stream:
            for line in batch.lines:
                yield line
            count -= len(batch.lines)
            if count <= 0:
                return

    async def until(stream: AsyncIterator[LogBatch], word: str) -> AsyncIterator[LogLine]:
        async for batch in stream:
            assert not batch.ended, batch.ended
            for line in batch.lines:
                yield line
            if any(word in line.text for line in batch.lines):
                return

    try:
        first, ended, second = asyncio.run(play())
    finally:
        connection.close()
    assert ended, "the old pod's log has an end, and zktui says so"
    assert {line.uid for line in first} == {old.uid}
    (uid,) = {line.uid for line in second}
    assert uid == by_name(whole(stage))[old.name]["uid"]
    stamps = [line.stamp for line in first + second]
    assert stamps == sorted(stamps), "no line twice or out of its place"
    assert "QuorumPeer" in "".join(line.text for line in second), "from the first line on"


def reborn(api: Api, old: PodKey) -> bool:
    return pod(api, old.name)["metadata"].get("uid", old.uid) != old.uid


@pytest.mark.timeout(240)
def test_on_the_screen(stage: Stage, api: Api, folder: Path) -> None:
    """The pane of logs says that a pod was born again, and goes on with the new one's lines."""
    if not has("tmux"):
        pytest.skip("tmux is not on the PATH")
    before = whole(stage)
    name = next(m["pod"] for m in before["members"] if m["role"] == "follower")
    terminal = Terminal([sys.executable, "-m", "zktui"], stage.environment(), folder, 160, 60)
    try:
        terminal.wait("quorum 3/3", "Logs  zk-0 zk-1 zk-2 · follow", "INFO")
        api.delete(f"{PODS}/{name}")
        screen = terminal.wait(f"{name} was born again", deadline=90.0)
        uid = pod(api, name)["metadata"]["uid"]
        assert f"(uid {uid[:8]})" in screen
        terminal.wait("quorum 3/3", deadline=60.0)
        terminal.press("q")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()
