"""`make bench`: what zktui costs beside the tool a user would otherwise pick, as ratios on the same machine.

Never part of `make test`, and no figure here passes or fails: a noisy machine would decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.scenarios.stage import Stage
from zktui.demo.cluster import DemoCluster

ROUNDS = 5
PODS = 10_000


class Cost(NamedTuple):
    """Medians over the rounds."""

    wall: float
    cpu: float
    megabytes: float


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    playing = Stage(tmp_path_factory.mktemp("bench"))
    try:
        yield playing.ready()
    finally:
        playing.strike()


def measure(command: list[str], environment: dict[str, str], rounds: int = ROUNDS) -> Cost:
    """Wall and CPU seconds and the largest resident set of a whole process."""
    found: list[Cost] = []
    for _ in range(rounds):
        begun = os.times().elapsed
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        peak = 0.0
        # Looked up while it runs, the last word taken: what came before its exec was the size of this process.
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = resident(process.pid) or peak
            time.sleep(0.005)
        _, status, used = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        wall = os.times().elapsed - begun
        found.append(Cost(wall, used.ru_utime + used.ru_stime, peak))
    return Cost(*(statistics.median(column) for column in zip(*found, strict=True)))


def resident(pid: int) -> float:
    """The largest resident set so far, in MB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def compare(title: str, ours: Cost, theirs: Cost, tool: str) -> None:
    print(f"\n{title}")  # noqa: T201  # a benchmark is read
    print(f"  {'':24}{'wall s':>9}{'CPU s':>9}{'MB':>9}")  # noqa: T201
    for name, cost in (("zktui", ours), (tool, theirs)):
        print(f"  {name:24}{cost.wall:9.2f}{cost.cpu:9.2f}{cost.megabytes:9.0f}")  # noqa: T201
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    print(f"  {'zktui : ' + tool:24}" + "".join(f"{ratio:9.2f}" for ratio in ratios))  # noqa: T201


def test_the_state_of_an_ensemble(stage: Stage) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH")
    environment = dict(stage.environment())
    ours = measure([sys.executable, "-m", "zktui", "status"], environment)
    theirs = measure(["kubectl", "get", "pods,pdb,nodes", "-o", "wide"], environment)
    compare("zktui status (asks every member too) beside kubectl get pods,pdb,nodes", ours, theirs, "kubectl get")


async def test_ten_thousand_pods(tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not on the PATH")
    async with DemoCluster(nodes=4, members=3) as cluster:
        await cluster.wait_ready()
        fill(cluster)
        kubeconfig = tmp_path / "kubeconfig"
        cluster.write_kubeconfig(kubeconfig)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "KUBECONFIG": str(kubeconfig),
            "XDG_STATE_HOME": str(tmp_path / "state"),
        }
        ours = await asyncio.to_thread(measure, [sys.executable, "-m", "zktui", "status"], environment, 3)
        theirs = await asyncio.to_thread(measure, ["kubectl", "get", "pods"], environment, 3)
    title = (
        f"zktui status beside kubectl get pods, {PODS:,} pods in the namespace (the embedded server's time is in both)"
    )
    compare(title, ours, theirs, "kubectl get")


def fill(cluster: DemoCluster) -> None:
    """Pods that sleep, made as copies of a member with labels and an owner of their own."""
    model = cluster.store.get("pods", "default", "zk-0")
    spec: dict[str, Any] = {**model["spec"], "nodeName": "", "volumes": [], "schedulerName": "nobody"}
    containers: list[dict[str, Any]] = spec["containers"]
    spec["containers"] = [{**container, "volumeMounts": []} for container in containers]
    for number in range(PODS):
        metadata: dict[str, Any] = {
            "name": f"web-{number:05}",
            "namespace": "default",
            "labels": {"app": "web"},
            "ownerReferences": [],
        }
        cluster.store.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
