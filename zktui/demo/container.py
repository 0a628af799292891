"""A running container, as a command in it sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zktui.demo.objects import Object, child
from zktui.demo.process import Child, ProcessGuard
from zktui.demo.server_config import ServerConfig
from zktui.demo.volumes import PodFiles
from zktui.demo.zookeeper import Distribution

NAMES = {0: "root", 1000: "zookeeper"}
"""Users and groups that the official image knows by name."""


@dataclass(frozen=True)
class Container:
    """A running container, as a command in it sees it. ``server`` is None where no ZooKeeper runs."""

    pod: Object
    spec: Object
    files: PodFiles
    ip: str
    hosts: Path
    server: ServerConfig | None
    main: Child
    started: float
    distribution: Distribution
    guard: ProcessGuard

    @property
    def user(self) -> int:
        """Whom its processes run as: the container's own security context, else the pod's, else root."""
        return self._security("runAsUser")

    @property
    def group(self) -> int:
        return self._security("runAsGroup")

    def _security(self, name: str) -> int:
        own, pods = child(self.spec, "securityContext"), child(self.pod, "spec", "securityContext")
        return int(own.get(name, pods.get(name, 0)))

    @property
    def client_port(self) -> int:
        return self.server.client_port if self.server else 2181


@dataclass(frozen=True)
class Answer:
    """What a command wrote, and its exit code."""

    out: str = ""
    err: str = ""
    code: int = 0
