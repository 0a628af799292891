"""What the API server asks of the kubelet: the seam between the two.

Every method may raise :class:`~zktui.demo.errors.ApiError` (pod or container unknown, container not started),
which becomes the HTTP reply; ``dial`` raises :class:`OSError` when nothing answers at that port.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class LogOptions:
    """Options of ``pods/log``, as ``v1.PodLogOptions`` means them.

    ``tail`` counts lines from the end (None: all); ``since`` is a Unix time in seconds (None: from the start);
    ``timestamps`` puts an RFC3339Nano time and a blank before each line; ``limit_bytes`` ends the reply after
    that many bytes; ``previous`` asks for the container's last terminated run.
    """

    container: str = ""
    follow: bool = False
    tail: int | None = None
    since: float | None = None
    previous: bool = False
    timestamps: bool = False
    limit_bytes: int | None = None


class CannotStart(Exception):
    """A command could not be started in a container that runs; the message is the container runtime's."""


class ExecProcess(Protocol):
    """A command that runs in a container.

    ``stdout`` and ``stderr`` are read side by side and end when the command does; ``wait`` gives the exit
    code; ``kill`` is called when the client goes away, and may be called after the end.
    """

    @property
    def stdout(self) -> AsyncIterator[bytes]: ...

    @property
    def stderr(self) -> AsyncIterator[bytes]: ...

    async def wait(self) -> int: ...

    def kill(self) -> None: ...


class PodRuntime(Protocol):
    """The kubelet as the API server sees it."""

    def logs(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        """The log's bytes, whole lines with their newline; with ``follow`` until the container ends.

        Errors that the reply's status must tell are raised before the first chunk.
        """
        ...

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: list[str],
        stdin: AsyncIterator[bytes] | None = None,
    ) -> ExecProcess:
        """Start ``command`` (argv, no shell) in the container; an empty name is the pod's first container.

        ``stdin`` is None when the client did not ask for it. Raises :class:`CannotStart` for a program that does
        not exist; only a shell makes an exit code (127) of that.
        """
        ...

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection to that port of the pod; raises OSError."""
        ...
