"""``python -m tests.e2e build|up|down|status``: a real Kubernetes on this machine, by hand or for the tests.

Exit codes: 0 done; 1 failed; 2 a wrong command; 75 skipped, because this machine lacks something, which is named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e import cluster, gobuild, images, needs, store, volumes
from tests.e2e.cluster import KWOK, REAL, Cluster
from tests.e2e.controlplane import ControlPlane

SKIPPED = 75
CLAIMS = [f"datadir-zk-{ordinal}" for ordinal in range(7)]
"""The claims of manifests/zookeeper.yaml, with room for four members more."""

_started = time.monotonic()


def say(text: str) -> None:
    complain(f"[{time.monotonic() - _started:6.1f}] {text}")


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def tell(text: str) -> None:
    """What a script may want to read."""
    sys.stdout.write(f"{text}\n")


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    running = Cluster(options.folder, kept=True)
    try:
        if options.command == "down":
            say(f"ended {', '.join(running.down()) or 'nothing: nothing was running'}")
            return 0
        if options.command == "status":
            return _status(running)
        part = needs.real(say) if options.nodes == REAL else needs.kwok()
        if options.command == "build" and not needs.kwok().lacks:
            build(KWOK)  # with real nodes too: the tests want both
        if part.lacks:
            tell(f"SKIPPED: {part.name}: this machine lacks {'; '.join(part.lacks)}")
            return SKIPPED
        build(options.nodes)
        if options.command == "up":
            up(running, options.nodes, options.count, options.affinity)
            tell(f"kubectl: {gobuild.binaries('kubernetes') / 'kubectl'}")
            tell(f"export KUBECONFIG={running.kubeconfig}")
    except (gobuild.BuildFailed, RuntimeError) as why:
        complain(f"e2e: {why}")
        return 1
    except subprocess.CalledProcessError as why:
        complain(f"e2e: {why}\n{why.stderr}")
        return 1
    return 0


def build(kind: str) -> None:
    """Everything that a cluster of that kind is made of, unless the cache has it."""
    more = gobuild.REAL_NODES if kind == REAL else gobuild.SIMULATED_NODES
    gobuild.build((*gobuild.CONTROL_PLANE, *more), say)
    if kind == REAL:
        images.build(say)
        store.build(say)


def up(running: Cluster, kind: str, count: int, affinity: bool) -> ControlPlane:
    """Start a cluster with volumes for the manifest's claims; with ``affinity`` each on one node's disk, in turn."""
    plane = running.up(kind, count, say)
    at = [f"node-{index % count + 1}" if affinity else None for index in range(len(CLAIMS))]
    disks = running.folder / "disks"
    try:
        made = [volumes.volume(disks, "default", claim, node) for claim, node in zip(CLAIMS, at, strict=True)]
        cluster.apply(plane, made)
    except BaseException:
        running.down()
        raise
    return plane


def _status(running: Cluster) -> int:
    for started in running.ledger.processes:
        tell(f"{started.pid:>8}  {'running' if started.alive() else 'ended':8} {started.name}")
    if not running.running:
        tell(f"no cluster is running in {running.folder}")
        return 1
    tell(f"export KUBECONFIG={running.kubeconfig}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e", description=__doc__)
    parser.add_argument("command", choices=["build", "up", "down", "status"])
    parser.add_argument("--nodes", choices=[REAL, KWOK], default=REAL, help="real ones, or kwok's simulated ones")
    parser.add_argument("--count", type=int, default=4, help="how many nodes (default: 4)")
    parser.add_argument("--affinity", action="store_true", help="each volume on one node's own disk")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir(), "zktui-e2e"), help="where the cluster's state is"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
