"""What runs in a pod can't touch the user's other processes: by namespaces, and where there are none by emulation."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.embedded.test_break import SLEEPER
from zktui.demo.cluster import DemoCluster, NotContained
from zktui.demo.objects import Object, is_ready
from zktui.demo.runtime import ExecProcess
from zktui.demo.zookeeper import find_java

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(params=["namespaces", "emulation"], scope="module", loop_scope="module")
async def cluster(request: pytest.FixtureRequest) -> AsyncGenerator[DemoCluster]:
    """Two members that serve, under each of the two mechanisms, for all tests of this file."""
    made = DemoCluster(nodes=2, members=2, contain=request.param)
    try:
        await made.__aenter__()
    except NotContained as why:
        pytest.skip(str(why))
    try:
        await made.wait_ready()
        yield made
    finally:
        await made.stop()


@pytest.fixture
def beside(tmp_path: Path) -> Generator[subprocess.Popen[bytes]]:
    """A Java of the user's."""
    (tmp_path / "Beside.java").write_text(SLEEPER)
    command = [find_java(), "-Xmx32m", "-XX:+UseSerialGC", str(tmp_path / "Beside.java")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


async def typed(cluster: DemoCluster, pod: str, *command: str) -> tuple[str, int]:
    """What ``kubectl exec`` would print, and its exit code."""
    ran: ExecProcess = await cluster.kubelet.exec("default", pod, "", list(command))
    out = b"".join([chunk async for chunk in ran.stdout])
    return out.decode(), await ran.wait()


def restarts(cluster: DemoCluster, name: str) -> int:
    return cluster.store.get("pods", "default", name)["status"]["containerStatuses"][0]["restartCount"]


async def restarted(cluster: DemoCluster, name: str, count: int) -> Object:
    """The status of the pod's container, once it is Ready again after so many restarts."""
    async with asyncio.timeout(60):
        while True:
            pod = cluster.store.get("pods", "default", name)
            status = pod["status"]["containerStatuses"][0]
            if status["restartCount"] >= count and is_ready(pod):
                return status
            await asyncio.sleep(0.05)


async def test_a_client_in_a_pod_runs_beside_its_server(cluster: DemoCluster) -> None:
    assert (await typed(cluster, "zk-1", "zkCli.sh", "create", "/contained", "well"))[1] == 0
    out, code = await typed(cluster, "zk-0", "zkCli.sh", "get", "/contained")
    assert code == 0 and "well" in out.splitlines()


async def test_freezing_and_killing_still_reach_the_server(cluster: DemoCluster) -> None:
    pid, before = cluster.kubelet.pid("default", "zk-1"), restarts(cluster, "zk-1")
    assert await cluster.faults.break_it("freeze-member", "zk-1") == "zk-1 is frozen"
    await until(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text())
    assert await cluster.faults.break_it("thaw-member", "zk-1") == "zk-1 goes on"
    await until(lambda: "\nState:\tS" in Path(f"/proc/{pid}/status").read_text())
    assert await cluster.faults.break_it("kill-member", "zk-1") == "zk-1 is killed"
    ended = (await restarted(cluster, "zk-1", before + 1))["lastState"]["terminated"]
    assert ended["exitCode"] == 137
    await until(lambda: not Path(f"/proc/{pid}").exists())


async def test_a_pod_can_end_its_own_server_and_nothing_else(
    cluster: DemoCluster, beside: subprocess.Popen[bytes]
) -> None:
    alike = cluster.kubelet.pid("default", "zk-1")
    out, code = await typed(cluster, "zk-0", "ps", "-efww")
    rows = [line.split(maxsplit=7) for line in out.splitlines()[1:]]
    assert code == 0
    assert [(row[0], row[1], row[2]) for row in rows[:1]] == [("zookeep+", "1", "0")]
    assert rows[0][7].startswith("java -Xmx512m ") and "QuorumPeerMain /opt/zookeeper/conf/zoo.cfg" in rows[0][7]
    assert [row[7] for row in rows[1:]] == ["ps -efww"]

    assert await typed(cluster, "zk-0", "pkill", "java") == ("", 0)
    ended = (await restarted(cluster, "zk-0", 1))["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (143, "Error")
    assert await typed(cluster, "zk-0", "kill", str(beside.pid)) == ("", 1), "a number of another process"
    assert await typed(cluster, "zk-0", "kill", "1") == ("", 0)

    def ended_again() -> bool:
        status = cluster.store.get("pods", "default", "zk-0")["status"]["containerStatuses"][0]
        return "waiting" in status["state"] and status["lastState"]["terminated"]["exitCode"] == 143

    await until(ended_again)
    assert beside.poll() is None, "a Java of the user's was ended"
    assert cluster.kubelet.pid("default", "zk-1") == alike, "another pod's server was ended"


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110 - processes of the system tell nobody
            await asyncio.sleep(0.02)
