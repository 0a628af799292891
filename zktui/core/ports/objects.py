"""Objects of any kind as documents, commands in containers, and Events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from zktui.core.documents import Document
from zktui.core.kube import PodKey
from zktui.core.ports.replies import Reply


@dataclass(frozen=True, slots=True)
class Executed:
    """What a command in a container wrote, and how it ended."""

    out: str
    err: str = ""
    code: int = 0
    cut: bool = False
    """More was written than was asked for; the rest was left unread."""


class Executor(Protocol):
    """Commands in containers (`pods/exec`), as `kubectl exec POD -c CONTAINER -- COMMAND` runs them: no terminal."""

    async def run(
        self, pod: PodKey, container: str, command: Sequence[str], *, timeout: float = 10.0, limit: int = 262_144
    ) -> Reply[Executed]:
        """Refused when it is not permitted or could not be started; Unanswered when its end was not heard of in
        `timeout` seconds. At most `limit` bytes of each output are kept; bytes that are no UTF-8 are replaced."""
        ...


@dataclass(frozen=True, slots=True)
class Where:
    """A collection of the API: `root` such as /api/v1 or /apis/apps/v1, and its plural."""

    root: str
    plural: str
    namespaced: bool = True


class Objects(Protocol):
    """Objects of any kind, as documents. Reads are fresh; a change is sent once."""

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]: ...

    async def list(self, where: Where, namespace: str = "", selector: str = "") -> Reply[tuple[Document, ...]]:
        """An empty namespace asks for all of them; `selector` as kubectl's -l takes it."""
        ...

    async def apply(
        self, where: Where, document: Document, *, force: bool = False, dry: bool = False
    ) -> Reply[Document]:
        """Server-side apply as field manager `zktui`. 409 names the fields that another manager owns; `force` takes
        them. `dry` goes through admission and stores nothing. The Answer's code is 201 for a new object, else 200."""
        ...

    async def patch(
        self, where: Where, namespace: str, name: str, patch: Document | Sequence[Document]
    ) -> Reply[Document]:
        """A JSON patch where `patch` is a list, else a strategic merge patch; put a resourceVersion or a `test` in it
        where it must not meet another's change."""
        ...

    async def create(self, where: Where, document: Document) -> Reply[Document]: ...

    async def delete(
        self, where: Where, namespace: str, name: str, *, uid: str, orphan: bool = False
    ) -> Reply[Document]:
        """Of this very object: 409 for another UID. `orphan` leaves what it owns (`--cascade=orphan`)."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """A Kubernetes Event to be written about an object, for whoever asks `kubectl describe` for it."""

    api_version: str
    kind: str
    """Node, StatefulSet, …"""
    namespace: str
    """Of the object; empty for one that has none."""
    name: str
    uid: str
    reason: str
    """One word in CamelCase."""
    message: str
    """For people; at most 1,024 characters are kept."""
    warning: bool = False


class Announcer(Protocol):
    async def announce(self, notice: Notice) -> Reply[str]:
        """Write it once; the answer is the Event's name. Nothing depends on it."""
        ...
