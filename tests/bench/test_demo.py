"""`make bench`: what the rehearsal cluster costs: the time to three serving members, and memory, small and big.

Never part of `make test`, and no figure here passes or fails: a noisy machine would decide. Meant are under 20 s and
under 350 MB for three members and the server, on two cores.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.stage import Stage, kubectl_program

SIZES = {
    "three members": (4, ()),
    "1,000 nodes, 10,000 pods asleep": (1000, ("--sleeping", "10000")),
}


def shares(pid: int) -> float:
    """Megabytes of a process and its children: each page shared among those who have it (PSS)."""
    found = Path(f"/proc/{pid}/smaps_rollup").read_text()
    total = sum(float(line.split()[1]) for line in found.splitlines() if line.startswith("Pss:")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return total + sum(shares(int(child)) for child in children)


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(look: Callable[[], object]) -> float:
    begun = time.monotonic()
    look()
    return time.monotonic() - begun


@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", list(SIZES))
def test_the_rehearsal_cluster(tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    nodes, options = SIZES[size]
    begun = time.monotonic()
    stage = Stage(tmp_path, nodes, 3, *options)
    try:
        stage.ready()
        took = time.monotonic() - begun
        pid = stage.process.pid
        memory, used = shares(pid), processor(pid)
        time.sleep(20)
        idle = (processor(pid) - used) / 20
        lists = timed(lambda: stage.kubectl("get", "pods", "-A")) if kubectl_program() else float("nan")
        status = timed(lambda: stage.zktui("status"))
    finally:
        stage.strike()
    with capsys.disabled():
        print(  # noqa: T201 - what a bench is for
            f"\n{size}: serving after {took:.1f} s, {memory:.0f} MB with its servers, server idle at {idle:.1%} of a "
            f"core, kubectl get pods -A {lists:.1f} s, zktui status {status:.1f} s"
        )
