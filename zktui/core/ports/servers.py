"""ZooKeeper's servers: the way to a pod's port, and questions to members."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from zktui.core.kube import Pod, PodKey
from zktui.core.ports.replies import Reply
from zktui.core.rounds import Found, Round
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, MemberSessions


class DialError(OSError):
    """A pod's port can't be reached; the message says why in one line."""

    status = 0
    """The HTTP status with which the API server refused; 0 when it did not."""


class Dialer(Protocol):
    """The way to a pod's port. Called from worker threads: it blocks."""

    def dial(self, pod: PodKey, port: int, timeout: float) -> socket.socket:
        """A connected blocking stream socket to the port. The caller closes it. Raises DialError within `timeout` s."""
        ...


class Members(Protocol):
    """Questions to ZooKeeper servers, by way of a Dialer."""

    async def poll(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> MemberReport:
        """Ask one member `srvr` (and for `detail` what else is open). Silence is a report too: never raises."""
        ...

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        """The running configuration, from the first of the pods that tells it."""
        ...

    async def synced_read(self, ensemble: Ensemble, pod: Pod, timeout: float = 5.0) -> Reply[bool]:
        """`sync` and a read of `/` through this very member: proof that it has caught up with its leader."""
        ...

    async def sessions(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5) -> MemberSessions:
        """What `conf`, `cons` and `dump` tell of its clients' sessions, as far as they are open. Never raises."""
        ...


class Words(Protocol):
    async def word(self, ensemble: Ensemble, pod: Pod, word: str, timeout: float = 4.0) -> Reply[str]:
        """One member's reply to a four-letter word. Refused (code 403) where the server has it closed."""
        ...


class Rounds(Protocol):
    """Writes of zktui's own, each to a new znode of its own in the root, and reads of them through chosen members."""

    async def play(self, ensemble: Ensemble, pods: Sequence[Pod], timeout: float = 10.0) -> Round:
        """An ephemeral znode through each of the pods, and each of those read through every other pod.

        Everything is deleted before this returns, also when it fails or is cancelled. `timeout` is for each step.
        Never raises, save that it can be cancelled.
        """
        ...

    async def create(self, ensemble: Ensemble, pod: Pod, path: str, data: bytes, timeout: float = 10.0) -> Reply[Found]:
        """A lasting znode, through this pod. Unanswered: it may be there."""
        ...

    async def find(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[Found]:
        """A `sync`, then the znode, through this pod. Refused with code 404: it does not exist."""
        ...

    async def remove(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[bool]:
        """Delete it, whatever its version. False: it did not exist."""
        ...
