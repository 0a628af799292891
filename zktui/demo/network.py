"""Addresses and names of the pods.

Every pod has a loopback address of its own, 127.A.N.C: A for this rehearsal cluster, N for its node. So members
listen on their real ports (2181, 2888, 3888, 8080), and two rehearsal clusters live side by side. Names are
resolved by a hosts file for each pod (``-Djdk.net.hosts.file``), which Java reads again at each lookup.
"""

from __future__ import annotations

import errno
import random
import socket
from pathlib import Path

from zktui.demo.objects import child, children, labels_of, meta, name_of, namespace_of
from zktui.demo.store import Store

DOMAIN = "cluster.local"
PORTS = (2181, 2888, 3888)
ATTEMPTS = 50
ADDRESSED = 250
"""Nodes that have an address, and addresses for their pods, of the loopback network: the first ones."""


class NoAddress(Exception):
    """No loopback network is free; the message says why."""


class Network:
    """The cluster's part of 127.0.0.0/8, reserved by a listening socket until :meth:`close`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._reserved, self._second = _reserve()
        self._given: dict[int, int] = {}
        self._hosts: dict[str, tuple[str, str, str]] = {}
        self.apart: set[str] = set()
        """Qualified names of pods for which nobody's name resolves, and whose addresses resolve for nobody."""

    def close(self) -> None:
        """Give the network back."""
        self._reserved.close()

    def node_ip(self, node: int) -> str:
        """The address of the node with that number, counted from 1. Nobody can reach one beyond the addressed."""
        if node > ADDRESSED:
            return f"10.{self._second}.{node // 256}.{node % 256}"
        return f"127.{self._second}.0.{node}"

    def node_cidr(self, node: int) -> str:
        """Where the node's pods get their addresses."""
        if node > ADDRESSED:
            return f"10.{node // 256}.{node % 256}.0/24"
        return f"127.{self._second}.{node}.0/24"

    def new_pod_ip(self, node: int) -> str:
        """The next address on that node; an address comes back only after 253 others."""
        given = self._given.get(node, 0)
        self._given[node] = given + 1
        return f"127.{self._second}.{node}.{2 + given % 253}"

    # -- names -------------------------------------------------------------------------------------------

    def hosts_file(self, key: str, own: str, ip: str, namespace: str = "default") -> Path:
        """The hosts file of a pod: ``key`` names the file, ``own`` is the pod's own qualified name."""
        self._hosts[key] = (own, ip, namespace)
        return self._folder / f"{key}.hosts"

    def drop_hosts_file(self, key: str) -> None:
        self._hosts.pop(key, None)
        (self._folder / f"{key}.hosts").unlink(missing_ok=True)

    def publish(self, store: Store) -> None:
        """Write every pod's hosts file: what services publish now, and the pod's own name in any case."""
        hidden = {ip for own, ip, _ in self._hosts.values() if own in self.apart}
        published = [(address, name) for address, name in published_names(store) if address not in hidden]
        for key, (own, ip, space) in self._hosts.items():
            lines = ["127.0.0.1 localhost", f"{ip} {_aliases(own, space)} {own.partition('.')[0]}"]
            if own not in self.apart:
                lines += [f"{address} {_aliases(name, space)}" for address, name in published if name != own]
            # Java looks up the machine's own name too.
            lines.append(f"{ip} {socket.gethostname()}")
            _replace(self._folder / f"{key}.hosts", "\n".join(lines) + "\n")


def _replace(path: Path, text: str) -> None:
    """Write by a rename, so that a reader never sees half a file."""
    if path.exists() and path.read_text() == text:
        return
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _aliases(name: str, namespace: str) -> str:
    """The name with the shorter forms that the search domains of a pod in this namespace would let it use."""
    searched = (DOMAIN, f"svc.{DOMAIN}", f"{namespace}.svc.{DOMAIN}")
    shorter = [name.removesuffix(f".{domain}") for domain in searched if name.endswith(f".{domain}")]
    return " ".join(dict.fromkeys([name, *shorter]))


def published_names(store: Store) -> list[tuple[str, str]]:
    """(address, qualified name) of all endpoints that DNS answers for: those that count as ready.

    An endpoint with a hostname gets ``hostname.service.namespace.svc.cluster.local``, as CoreDNS has it. The
    service's own name leads to all its endpoints, also where it has a cluster IP: there is no kube-proxy here.
    """
    names: list[tuple[str, str]] = []
    for entry in store.list("endpointslices.discovery.k8s.io")[0]:
        service = labels_of(entry).get("kubernetes.io/service-name")
        if not service:
            continue
        domain = f"{service}.{namespace_of(entry)}.svc.{DOMAIN}"
        for endpoint in children(entry, "endpoints"):
            if child(endpoint, "conditions").get("ready") is False:
                continue
            for address in children(endpoint, "addresses"):
                names.append((address, domain))
                if endpoint.get("hostname"):
                    names.append((address, f"{endpoint['hostname']}.{domain}"))
    return names


def own_name(pod: dict[str, object]) -> str:
    """What ``hostname -f`` says in the pod."""
    hostname = str(child(pod, "spec").get("hostname") or name_of(pod))
    subdomain = child(pod, "spec").get("subdomain")
    if not subdomain:
        return hostname
    return f"{hostname}.{subdomain}.{meta(pod)['namespace']}.svc.{DOMAIN}"


def _reserve() -> tuple[socket.socket, int]:
    """A socket that holds 127.A.0.254 for us, and A."""
    seconds = random.sample(range(2, 255), ATTEMPTS)
    refused: OSError | None = None
    for second in seconds:
        try:
            for port in PORTS[1:]:
                socket.create_server((f"127.{second}.0.254", port)).close()
            return socket.create_server((f"127.{second}.0.254", PORTS[0])), second
        except OSError as why:
            refused = why
            if why.errno == errno.EADDRNOTAVAIL:
                raise NoAddress(
                    "This system gives programs only 127.0.0.1; the rehearsal cluster needs the other addresses "
                    f"of the loopback network too (as on Linux): {why}"
                ) from why
    raise NoAddress(
        f"One of the ports {', '.join(map(str, PORTS))} is taken on all loopback addresses, so members can't "
        f"listen there; end the program that listens on it (is a ZooKeeper running?): {refused}"
    )
