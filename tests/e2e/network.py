"""One bridge on this machine for the nodes, and a network namespace for each of them behind it.

A node is the far end of a veth pair, with an address of its own on the bridge; its pods are on a bridge inside its
namespace, made by the CNI plugin. Every cluster has a /16 of its own, 10.2xx.0.0/16 : nodes and the bridge itself in
its subnet 0, the pods of node N in subnet N, Services in the upper half. Nothing has a route to anywhere else: there
is no default route in a node, no forwarding on this machine and no masquerading.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

FIRST_INDEX, LAST_INDEX = 200, 249
PREFIX = "zke2e"


@dataclass(frozen=True)
class Net:
    """The addresses of one cluster. ``index`` is the second number of all of them."""

    index: int

    @property
    def bridge(self) -> str:
        return f"{PREFIX}{self.index}"

    @property
    def host(self) -> str:
        """This machine on the bridge: the API server's and the name server's address."""
        return f"10.{self.index}.0.1"

    @property
    def services(self) -> str:
        return f"10.{self.index}.128.0/17"

    @property
    def kubernetes_service(self) -> str:
        return f"10.{self.index}.128.1"

    def node(self, number: int) -> str:
        return f"10.{self.index}.0.{number + 10}"

    def pods(self, number: int) -> str:
        return f"10.{self.index}.{number}.0/24"

    def link(self, number: int) -> str:
        """This machine's end of a node's cable."""
        return f"{self.bridge}n{number}"


def free(reserved: Collection[int]) -> Net:
    """Addresses that this machine has no route and no interface for. Raises RuntimeError when there are none."""
    taken = {str(route["dst"]) for route in _show("route")}
    addresses = [str(a["local"]) for link in _show("address") for a in link["addr_info"]]
    for index in range(FIRST_INDEX, LAST_INDEX + 1):
        prefix = f"10.{index}."
        if index not in reserved and not any(known.startswith(prefix) for known in [*taken, *addresses]):
            return Net(index)
    raise RuntimeError(f"no free subnet between 10.{FIRST_INDEX}.0.0 and 10.{LAST_INDEX}.0.0")


def missing() -> str | None:
    """What this kernel lacks for it, by trying; None if nothing."""
    one, other = f"zktry{os.getpid()}", f"zkyrt{os.getpid()}"  # 15 characters at most
    for kind, options in (("bridge", []), ("veth", ["peer", "name", other])):
        try:
            _ip("link", "add", one, "type", kind, *options)
            _ip("link", "del", one)
        except subprocess.CalledProcessError as why:
            return f"network device type {kind} ({str(why.stderr).strip()})"
    return None


def up(net: Net) -> None:
    """The bridge, with this machine's address on it."""
    _ip("link", "add", net.bridge, "type", "bridge")
    _ip("address", "add", f"{net.host}/24", "dev", net.bridge)
    _ip("link", "set", net.bridge, "up")


def connect(net: Net, number: int, count: int, pid: int) -> None:
    """A cable from the bridge into the network namespace of process ``pid``, and the routes between the nodes' pods."""
    _ip("link", "add", net.link(number), "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    _ip("link", "set", net.link(number), "master", net.bridge, "up")
    inside = ("nsenter", "--net", "--target", str(pid))
    _run(*inside, "ip", "link", "set", "lo", "up")
    _run(*inside, "ip", "address", "add", f"{net.node(number)}/24", "dev", "eth0")
    _run(*inside, "ip", "link", "set", "eth0", "up")
    for other in range(1, count + 1):
        if other != number:
            _run(*inside, "ip", "route", "add", net.pods(other), "via", net.node(other))
    # The setting belongs to the network namespace: only pods of this cluster are forwarded.
    _run(*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    _ip("route", "add", net.pods(number), "via", net.node(number))


def down(net: Net) -> None:
    """Remove the bridge; the cables went with their namespaces, or go now."""
    for link in _show("link"):
        name = str(link["ifname"])
        if name == net.bridge or name.startswith(f"{net.bridge}n"):
            # A namespace that has just ended takes its cable along at its own time.
            subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
    left = [str(link["ifname"]) for link in _show("link") if str(link["ifname"]).startswith(net.bridge)]
    if left:
        raise RuntimeError(f"could not remove {', '.join(left)}")


def _show(what: str) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], json.loads(_run("ip", "-json", what, "show")))


def _ip(*arguments: str) -> str:
    return _run("ip", *arguments)


def _run(*command: str) -> str:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
