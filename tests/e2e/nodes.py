"""The nodes: real ones (containerd, CNI and a kubelet each, in namespaces of their own), or simulated ones by kwok."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e import gobuild, network, store
from tests.e2e.ledger import Ledger
from tests.e2e.network import Net
from tests.e2e.pki import Authority

T = TypeVar("T")

HERE = Path(__file__).parent
DOMAIN = "cluster.local"
CGROUPS = Path("/sys/fs/cgroup")
HIDDEN = ("/run", "/var/lib", "/var/log")
"""A node has these for itself, so nothing that it shares with this machine may be in them."""


@dataclass(frozen=True)
class Place:
    """What every node of one cluster shares."""

    ledger: Ledger
    authority: Authority
    server: str
    net: Net
    count: int

    def folder(self, number: int) -> Path:
        return self.ledger.folder / name(number)


def name(number: int) -> str:
    return f"node-{number}"


def cgroup(net: Net) -> str:
    """Above the cgroups of a cluster's nodes."""
    return f"zktui-e2e-{net.index}"


def start(place: Place, number: int) -> None:
    """Start a real node; it is Ready some seconds later. Its folder keeps its images if it was there before."""
    folder = place.folder(number)
    for part in ("pki", "cni", "manifests", "plugins"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    make_cgroups(f"{cgroup(place.net)}/{name(number)}")
    user = place.authority.issue(f"kubelet-{number}", f"system:node:{name(number)}", ["system:nodes"])
    place.authority.kubeconfig(folder / "kubeconfig", place.server, user)
    (folder / "containerd.toml").write_text(store.configuration(folder / "containerd", folder / "cni"))
    (folder / "cni" / "10-bridge.conflist").write_text(json.dumps(_cni(place, number)))
    (folder / "resolv.conf").write_text(f"nameserver {place.net.host}\n")
    (folder / "kubelet.json").write_text(json.dumps(_kubelet(place, number), indent=1))
    command = [HERE / "node.sh", name(number), folder, gobuild.binaries("kubernetes"), gobuild.binaries("containerd")]
    spaces = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--net", "--uts", "--mount-proc"]
    outer = place.ledger.start(name(number), [*spaces, *command, place.net.node(number), store.folder()])
    inner = _eventually(f"{name(number)}'s namespaces", lambda: _only_child(outer.pid))
    place.ledger.adopt(f"{name(number)}-init", inner)
    network.connect(place.net, number, place.count, inner)


def start_simulated(ledger: Ledger, kubeconfig: Path) -> None:
    """kwok, which keeps every Node object that exists Ready and plays the pods bound to it."""
    folder = gobuild.binaries("kwok")
    options = ["--manage-all-nodes=true", "--node-lease-duration-seconds=40", "--config", str(folder / "stages.yaml")]
    ledger.start("kwok", [folder / "kwok", "--kubeconfig", kubeconfig, *options])


def simulated(number: int) -> dict[str, Any]:
    """A Node object for kwok, of the size of this machine's real ones."""
    resources = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    labels = {"kubernetes.io/hostname": name(number), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name(number), "labels": labels},
        "status": {"capacity": resources, "allocatable": resources},
    }


def make_cgroups(name: str) -> None:
    """The kubelet updates its root cgroup in every hierarchy, and makes none."""
    unified = (CGROUPS / "cgroup.procs").exists()  # version 2: one hierarchy, whose folders are cgroups
    hierarchies = [path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()]
    for top in [CGROUPS] if unified else hierarchies:
        folder = top
        for part in name.split("/"):
            folder = folder / part
            folder.mkdir(exist_ok=True)
            # In version 1 a new cpuset has no CPUs, and can't be given more than the one above has.
            for setting in () if unified else ("cpuset.cpus", "cpuset.mems"):
                if (folder / setting).exists():
                    (folder / setting).write_text((folder.parent / setting).read_text())


def containers(folder: Path) -> list[str]:
    """The cgroups of all containers of the cluster in that folder, by what its nodes' containerds know.

    Without cgroups of its own for pods (cgroupsPerQOS) a kubelet names no parent, and containerd takes its namespace's
    name for one.
    """
    known = folder.glob("node-*/containerd/io.containerd.grpc.v1.cri/*/*")
    return [f"k8s.io/{path.name}" for path in known]


def clear_cgroups(names: Iterable[str]) -> None:
    """Remove the cgroups of a node and of containers that have ended; those outlive namespaces."""
    for name in names:
        for top in [CGROUPS / name, *CGROUPS.glob(f"*/{name}")]:
            for folder, _, _ in os.walk(top, topdown=False):
                _eventually(f"{folder} to be empty", lambda folder=folder: _removed(Path(folder)), 10.0)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # EBUSY: a process in it is still on its way out
        return False
    return True


def _only_child(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def _eventually(what: str, look: Callable[[], T | None], seconds: float = 5.0) -> T:
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.02)
    return found


def _cni(place: Place, number: int) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni",
        "ranges": [[{"subnet": place.net.pods(number)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "zktui-e2e", "plugins": [bridge]}


def _kubelet(place: Place, number: int) -> dict[str, Any]:
    """The kubelet's configuration: the defaults, but for what one machine under several nodes needs."""
    folder = place.folder(number)
    serving = place.authority.issue(f"serving-{number}", name(number), (), [place.net.node(number), name(number)])
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": place.net.node(number),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(place.authority.own.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "clusterDNS": [place.net.host],
        "clusterDomain": DOMAIN,
        "resolvConf": str(folder / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{store.SOCKET}",
        "staticPodPath": str(folder / "manifests"),
        "volumePluginDir": str(folder / "plugins"),
        "podLogsDir": str(folder / "pod-logs"),
        # Logs are measured by the gigabyte, and the log API serves the newest file only.
        "containerLogMaxSize": "4Gi",
        # The nodes share this machine's cgroups, which may be of version 1, and its swap, memory and disk.
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup(place.net)}/{name(number)}",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "protectKernelDefaults": False,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
    }
