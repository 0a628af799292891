"""A whole cluster: up, down, and what is running of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

from tests.e2e import controlplane, gobuild, machine, network, nodes
from tests.e2e.controlplane import ControlPlane
from tests.e2e.gobuild import Say
from tests.e2e.ledger import Ledger
from tests.e2e.network import Net
from tests.scenarios.guard import Guard

T = TypeVar("T")

CHECKOUT = Path(__file__).parents[2]
REAL, KWOK = "real", "kwok"
NODE_SECONDS = 120.0
SOCKET_PATH = 107
"""Characters that Linux allows for the path of a socket (sun_path, with its end)."""
LONGEST_SOCKET = "node-1/kubelet/pods-api/4294967295"
"""A kubelet makes it below its root folder, and does not start when it can't."""
LOOPBACK = "127.0.0.1"
LOOPBACK_SERVICES, LOOPBACK_SERVICE = "10.255.0.0/16", "10.255.0.1"
"""With simulated nodes no packet is ever sent to a Service; the API server wants a range all the same."""

COREFILE = """\
.:53 {{
    bind {address}
    errors
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 30
    }}
}}
"""
"""As kubeadm sets CoreDNS up, without a cache and without names from elsewhere."""


class Cluster:
    """A cluster whose record is in ``folder``: one that runs, one that was left behind, or none yet.

    It ends with the process that started it, however that ends, unless it is ``kept``.
    """

    def __init__(self, folder: Path, *, kept: bool = False) -> None:
        self.kept = kept
        self._guard: Guard | None = None
        self.folder = folder.resolve()
        self.kubeconfig = self.folder / "kubeconfig"
        self.ledger = Ledger(self.folder)

    @property
    def running(self) -> bool:
        return any(started.alive() for started in self.ledger.processes)

    def dead(self) -> str | None:
        """The first process that ended by itself, with the end of its log; of a node, what all of its programs say."""
        for started in self.ledger.processes:
            if not started.alive():
                name = started.name.removesuffix("-init")
                logs = sorted(path.stem for path in (self.folder / "log").glob(f"{name}*.log"))
                return "\n".join([started.name, *(f"-- {log}\n{self.ledger.tail(log)}" for log in logs)])
        return None

    def up(self, kind: str, count: int, say: Say) -> ControlPlane:
        """Start it and wait until its nodes are Ready. Ends what it started when that fails.

        ``kind`` is ``real`` or ``kwok``. Everything must be built. Raises RuntimeError, which tells what was waited
        for and the end of the log concerned.
        """
        if self.running or self.ledger.facts:
            raise RuntimeError(f"{self.folder} has a cluster already; end it first: python -m tests.e2e down")
        if kind == REAL and any(self.folder.is_relative_to(hidden) for hidden in nodes.HIDDEN):
            raise RuntimeError(f"{self.folder}: the nodes can't see folders under {', '.join(nodes.HIDDEN)}")
        if self.folder.exists() and any(self.folder.iterdir()):
            raise RuntimeError(f"{self.folder} holds something else; name a folder that is empty or not there")
        if kind == REAL and len(f"{self.folder}/{LONGEST_SOCKET}") > SOCKET_PATH:
            raise RuntimeError(f"{self.folder}: too long a path for the kubelet's sockets; name a shorter folder")
        if kind == REAL:
            sweep(say)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.kept:
            self._guard = Guard(sys.executable, "-m", "tests.e2e", "down", "--folder", self.folder, folder=CHECKOUT)
        started = time.monotonic()
        try:
            plane = self._up_real(count) if kind == REAL else self._up_simulated(count)
            say(f"control plane ready after {time.monotonic() - started:.1f} s")
            self._wait_nodes(plane, count)
        except BaseException:
            self.down()
            raise
        say(f"{count} {kind} nodes ready after {time.monotonic() - started:.1f} s")
        return plane

    def down(self) -> list[str]:
        """End all that was started, newest first, and undo the rest. What it ended; safe to call again."""
        ended = self.ledger.stop_all()
        if index := self.ledger.facts.get("net"):
            _clear(Net(int(index)), nodes.containers(self.folder))
        if self.ledger.facts:
            shutil.rmtree(self.folder)
        self.ledger = Ledger(self.folder)
        if self._guard is not None:
            self._guard.dismiss()
        return ended

    def _up_real(self, count: int) -> ControlPlane:
        net = machine.reserve(self.folder, kept=self.kept)
        self.ledger.note(net=net.index, kind=REAL)
        network.up(net)
        plane = controlplane.start(self.ledger, net.host, net.services, net.kubernetes_service)
        self._coredns(plane, net)
        place = nodes.Place(self.ledger, plane.authority, plane.server, net, count)
        for number in range(1, count + 1):
            nodes.start(place, number)
        return plane

    def _up_simulated(self, count: int) -> ControlPlane:
        self.ledger.note(kind=KWOK)
        plane = controlplane.start(self.ledger, LOOPBACK, LOOPBACK_SERVICES, LOOPBACK_SERVICE)
        objects = [nodes.simulated(number) for number in range(1, count + 1)]
        apply(plane, objects)
        nodes.start_simulated(self.ledger, plane.kubeconfig)
        return plane

    def _coredns(self, plane: ControlPlane, net: Net) -> None:
        corefile = self.folder / "Corefile"
        corefile.write_text(COREFILE.format(address=net.host, domain=nodes.DOMAIN, kubeconfig=plane.kubeconfig))
        self.ledger.start("coredns", [gobuild.binaries("coredns") / "coredns", "-conf", corefile])

    def _wait_nodes(self, plane: ControlPlane, count: int) -> None:
        def ready() -> bool:
            if dead := self.dead():
                raise RuntimeError(f"ended by itself: {dead}")
            found = items(plane, "nodes")
            return sum(condition(node, "Ready") for node in found) == count

        try:
            eventually("all nodes to be Ready", ready, NODE_SECONDS)
            # Pods are refused until the namespace has its ServiceAccount.
            eventually("a ServiceAccount", lambda: names(plane, "serviceaccounts"), 30.0)
        except TimeoutError as why:
            logs = "\n".join(self.ledger.tail(path.stem) for path in sorted((self.folder / "log").iterdir()))
            raise RuntimeError(f"{why}\n{logs}") from why


def sweep(say: Say) -> None:
    """End what killed runs have left behind, wherever their folders were."""
    for entry in machine.entries():
        if entry.abandoned:
            say(f"ending what was left behind in {entry.folder}")
            Cluster(entry.folder).down()
            _clear(entry.net, ())  # also without its folder, which somebody may have removed


def _clear(net: Net, containers: Iterable[str]) -> None:
    """Undo on this machine what belonged to the cluster of that subnet, whose processes have ended."""
    network.down(net)
    nodes.clear_cgroups([*containers, nodes.cgroup(net)])
    machine.release(net)


def apply(plane: ControlPlane, objects: Iterable[dict[str, Any]]) -> None:
    """Create or change objects."""
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def items(plane: ControlPlane, what: str) -> list[dict[str, Any]]:
    """The objects of one resource in namespace default."""
    return cast(list[dict[str, Any]], json.loads(plane.kubectl("get", what, "-o", "json"))["items"])


def names(plane: ControlPlane, what: str) -> list[str]:
    return [entry["metadata"]["name"] for entry in items(plane, what)]


def condition(node: dict[str, Any], kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in node.get("status", {}).get("conditions", []))


def eventually(what: str, look: Callable[[], T | None], seconds: float) -> T:
    """The first true value of ``look``; raises TimeoutError. A kubectl that fails counts as not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := look():
                return found
        except subprocess.CalledProcessError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.2)
