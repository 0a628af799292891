"""A running container, as a command in it sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zktui.demo.namespaces import Namespaces
from zktui.demo.objects import Object, child
from zktui.demo.process import Child, ProcessGuard
from zktui.demo.runtime import CannotStart
from zktui.demo.server_config import ServerConfig
from zktui.demo.volumes import PodFiles
from zktui.demo.zookeeper import Distribution

STOPPED = "failed to exec in container: OCI runtime exec failed: exec failed: cannot exec in a stopped container"
"""runc's words."""


@dataclass(frozen=True)
class Container:
    """A running container, as a command in it sees it. ``server`` is None where no ZooKeeper runs.

    Without ``namespaces`` its processes are like any others of this machine, and only we tell them apart.
    """

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
    namespaces: Namespaces | None = None

    async def start(self, command: Sequence[str], *, stdin: bool = False, env: dict[str, str] | None = None) -> Child:
        """Start a program of this machine beside the container's process 1, its error output apart.

        Raises OSError, and CannotStart where that process is no more: without it the program would be the machine's own
        and not the container's, and `pkill java` everybody's.
        """
        if self.namespaces is not None:
            first = self.main.first
            if first is None:
                raise CannotStart(STOPPED)
            command = self.namespaces.enter(first, command)
        return await self.guard.start(command, stdin=stdin, merge=False, env=env)

    @property
    def user(self) -> int:
        return runs_as(self.pod, self.spec)[0]

    @property
    def group(self) -> int:
        return runs_as(self.pod, self.spec)[1]

    @property
    def client_port(self) -> int:
        return self.server.client_port if self.server else 2181


def runs_as(pod: Object, spec: Object) -> tuple[int, int]:
    """User and group of its processes: by the container's own security context, else the pod's, else root."""
    given = {**child(pod, "spec", "securityContext"), **child(spec, "securityContext")}
    return int(given.get("runAsUser", 0)), int(given.get("runAsGroup", 0))


@dataclass(frozen=True)
class Answer:
    """What a command wrote, and its exit code."""

    out: str = ""
    err: str = ""
    code: int = 0
