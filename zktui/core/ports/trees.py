"""Znodes as a browser reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zktui.core.kube import Pod
from zktui.core.zookeeper import Children, Ensemble, Znode


class TreeError(Exception):
    """A znode could not be read or the session is gone; the message is one line for people.

    `gone` says that the znode does not exist (any more).
    """

    def __init__(self, reason: str, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.gone = gone


class Tree(Protocol):
    """A read session for the znode browser, through any serving member. Raises TreeError."""

    async def children(self, path: str) -> Children: ...
    async def stat(self, path: str) -> Znode:
        """Stat without data (data is empty, truncated False)."""
        ...

    async def get(self, path: str, limit: int = 1_048_576) -> Znode: ...
    async def close(self) -> None: ...

    @property
    def through(self) -> str:
        """Pod name of the member the session talks to; empty while there is none."""
        ...


class Trees(Protocol):
    def open(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Tree:
        """A lazily connected tree over the given pods, in the order of preference."""
        ...
