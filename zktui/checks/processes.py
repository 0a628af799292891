"""What `ps -ef` says of a container's processes: which of them is the server, and who stands above it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

SERVER = "QuorumPeerMain"
"""ZooKeeper's main class, for one server as for an ensemble."""
INITS = ("tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "pause")
"""Programs made to be process 1: they pass signals on, and take in what is orphaned."""

_LINE = re.compile(
    r"^(?P<user>\S+)\s+(?P<pid>\d+)\s+(?P<parent>\d+)\s+\S+\s+(?P<start>\S+)\s+\S+\s+\S+\s+(?P<command>\S.*)$"
)


@dataclass(frozen=True, slots=True)
class Process:
    user: str
    pid: int
    parent: int
    command: str

    @property
    def program(self) -> str:
        return PurePosixPath(self.command.split()[0]).name

    @property
    def is_server(self) -> bool:
        """The JVM itself, not a shell whose command line names its class."""
        return self.program == "java" and any(word.endswith(SERVER) for word in self.command.split())


def processes_in(listing: str) -> tuple[Process, ...]:
    """Of `ps -ef` (UID PID PPID C STIME TTY TIME CMD), without that very ps."""
    found = [_LINE.match(line) for line in listing.splitlines()]
    all_of = [Process(m["user"], int(m["pid"]), int(m["parent"]), m["command"]) for m in found if m is not None]
    return tuple(p for p in all_of if p.program != "ps")


def servers_of(processes: Sequence[Process]) -> tuple[Process, ...]:
    return tuple(p for p in processes if p.is_server)


def line_of(processes: Sequence[Process], process: Process) -> tuple[Process, ...]:
    """The process and those above it, the uppermost first."""
    by_pid = {p.pid: p for p in processes}
    line = [process]
    while (above := by_pid.get(line[0].parent)) is not None and above not in line:
        line.insert(0, above)
    return tuple(line)
