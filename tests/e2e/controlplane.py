"""etcd, the API server, the controllers and the scheduler, as processes on this machine."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import gobuild
from tests.e2e.ledger import Ledger
from tests.e2e.pki import Authority

START_SECONDS = 60.0
ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class ControlPlane:
    """A control plane that is ready. ``kubeconfig`` is an administrator's."""

    server: str
    kubeconfig: Path
    authority: Authority
    ledger: Ledger

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as the administrator; what it prints. Raises :class:`subprocess.CalledProcessError`."""
        program = gobuild.binaries("kubernetes") / "kubectl"
        command = [program, "--kubeconfig", self.kubeconfig, *arguments]
        # Without a home, nothing of the user's own kuberc or discovery cache is read or written.
        environment = {"HOME": str(self.ledger.folder), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            command, input=stdin or "", capture_output=True, text=True, check=True, env=environment
        ).stdout


def start(ledger: Ledger, address: str, services: str, first_service: str) -> ControlPlane:
    """Start it on ``address``; returns when /readyz says ok (seconds). Services get addresses of that range."""
    plane, signing = start_server(ledger, address, services, first_service)
    _controllers(plane, signing)
    return plane


def start_server(
    ledger: Ledger, address: str, services: str, first_service: str, **more: str
) -> tuple[ControlPlane, Path]:
    """etcd and the API server alone, where objects stay as they are written; and the key that signs tokens.

    ``more`` are flags of the API server, with underscores.
    """
    authority = Authority(ledger.folder / "pki")
    etcd = _etcd(ledger)
    (port,) = _free_ports(address, 1)
    server = f"https://{address}:{port}"
    admin = authority.issue("admin", "kubernetes-admin", ["system:masters"])
    kubeconfig = authority.kubeconfig(ledger.folder / "kubeconfig", server, admin)
    plane = ControlPlane(server, kubeconfig, authority, ledger)
    flags = {
        "etcd-servers": etcd,
        "bind-address": address,
        "secure-port": str(port),
        "service-cluster-ip-range": services,
    }
    signing = _apiserver(
        plane, [address, first_service], {**flags, **{k.replace("_", "-"): v for k, v in more.items()}}
    )
    _wait_ready(plane)
    return plane, signing


def _etcd(ledger: Ledger) -> str:
    client, peer = (f"http://127.0.0.1:{port}" for port in _free_ports("127.0.0.1", 2))
    options = {
        "name": "e2e",
        "data-dir": ledger.folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"e2e={peer}",
        "log-level": "warn",
        # What is lost with this machine's power was worth nothing.
        "unsafe-no-fsync": "true",
    }
    ledger.start("etcd", [gobuild.binaries("etcd") / "etcd", *_flags(options)])
    return client


def _apiserver(plane: ControlPlane, addresses: Sequence[str], flags: Mapping[str, str]) -> Path:
    """Start the API server; the key that ServiceAccount tokens are signed with."""
    issue, ca = plane.authority.issue, plane.authority.own.certificate
    names = [*addresses, "localhost", "kubernetes", "kubernetes.default.svc", "127.0.0.1"]
    serving = issue("apiserver", "kube-apiserver", (), dict.fromkeys(names))
    to_kubelets = issue("apiserver-kubelet-client", "kube-apiserver-kubelet-client", ["system:masters"])
    private, public = plane.authority.signing_key()
    options = {
        **flags,
        "advertise-address": addresses[0],
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "client-ca-file": ca,
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        "service-account-issuer": ISSUER,
        "service-account-key-file": public,
        "service-account-signing-key-file": private,
        "kubelet-certificate-authority": ca,
        "kubelet-client-certificate": to_kubelets.certificate,
        "kubelet-client-key": to_kubelets.key,
        "kubelet-preferred-address-types": "InternalIP",
        # Seconds that watches and requests in flight get when it ends; nobody waits for them here.
        "shutdown-delay-duration": "0s",
    }
    if ipaddress.ip_address(addresses[0]).is_loopback:
        # Such an address may not be an endpoint of the kubernetes Service, which then has none.
        options["endpoint-reconciler-type"] = "none"
    plane.ledger.start("kube-apiserver", [gobuild.binaries("kubernetes") / "kube-apiserver", *_flags(options)])
    return private


def _controllers(plane: ControlPlane, signing: Path) -> None:
    issue, folder = plane.authority.issue, plane.ledger.folder
    for name, more in (
        (
            "kube-controller-manager",
            {
                "root-ca-file": plane.authority.own.certificate,
                "service-account-private-key-file": signing,
                "use-service-account-credentials": "true",
            },
        ),
        ("kube-scheduler", {}),
    ):
        user = issue(name, f"system:{name}")
        kubeconfig = plane.authority.kubeconfig(folder / f"{name}.kubeconfig", plane.server, user)
        # One of each: nothing to elect. Nobody asks for their metrics: no port.
        options = {"kubeconfig": kubeconfig, "leader-elect": "false", "secure-port": "0", **more}
        plane.ledger.start(name, [gobuild.binaries("kubernetes") / name, *_flags(options)])


def _wait_ready(plane: ControlPlane) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if plane.kubectl("get", "--raw", "/readyz") == "ok":
                return
        except subprocess.CalledProcessError as why:
            dead = [started.name for started in plane.ledger.processes if not started.alive()]
            if dead or time.monotonic() > end:
                said = plane.ledger.tail(dead[0] if dead else "kube-apiserver")
                raise RuntimeError(f"the API server is not ready: {str(why.stderr).strip()}\n{said}") from why
        time.sleep(0.2)


def _flags(options: Mapping[str, str | int | Path]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]


def _free_ports(address: str, count: int) -> list[int]:
    """Different ones, which the kernel does not soon give to anybody else."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((address, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
