"""Reads znodes through whichever member serves, in a session that outlives reborn pods. No Textual in here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from zktui.core.kube import Pod
from zktui.core.ports import Tree, TreeError, Trees
from zktui.core.tasks import begin
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import Children, Mode, Znode

T = TypeVar("T")


def preferred(view: EnsembleView) -> tuple[Pod, ...]:
    """Pods to read through, best first: those that serve, the leader after the others, then the rest that run."""

    def rank(mode: Mode) -> int:
        return 2 if not mode.serving else 1 if mode is Mode.LEADER else 0

    members = [m for m in view.members if not m.pod.terminating and m.pod.phase == "Running"]
    return tuple(member.pod for member in sorted(members, key=lambda member: rank(member.role)))


class Reader:
    """One session at a time, opened by the first read. A reborn pod means another session, by itself."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._view: EnsembleView | None = None
        self._tree: Tree | None = None
        self._opened: frozenset[str] = frozenset()
        self._closing: set[asyncio.Task[None]] = set()

    def aim(self, view: EnsembleView | None) -> None:
        """Read this ensemble from now on."""
        if self._view is not None and (view is None or view.key != self._view.key):
            self._drop()
        self._view = view

    @property
    def through(self) -> str:
        """Name of the member the session talks to; empty while there is none."""
        return self._tree.through if self._tree is not None else ""

    async def stat(self, path: str) -> Znode:
        """Raises TreeError."""
        return await self._read(lambda tree: tree.stat(path))

    async def get(self, path: str) -> Znode:
        """Raises TreeError."""
        return await self._read(lambda tree: tree.get(path))

    async def children(self, path: str) -> Children:
        """Raises TreeError."""
        return await self._read(lambda tree: tree.children(path))

    async def close(self) -> None:
        self._drop()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _read(self, read: Callable[[Tree], Awaitable[T]]) -> T:
        tree = self._current()
        try:
            return await read(tree)
        except TreeError as error:
            # The session may have been closed under this read, or its pods may be none that still exist.
            if error.gone or (self._pods_of(self._view) == self._opened and tree is self._tree):
                raise
            if tree is self._tree:
                self._drop()
        return await read(self._current())

    def _current(self) -> Tree:
        if self._view is None:
            raise TreeError("there is no ensemble to read")
        pods = preferred(self._view)
        if not pods:
            raise TreeError("no member runs")
        if self._tree is None:
            self._tree = self._trees.open(self._view.ensemble, pods)
            self._opened = frozenset(pod.uid for pod in pods)
        return self._tree

    @staticmethod
    def _pods_of(view: EnsembleView | None) -> frozenset[str]:
        pods: Sequence[Pod] = preferred(view) if view is not None else ()
        return frozenset(pod.uid for pod in pods)

    def _drop(self) -> None:
        tree, self._tree = self._tree, None
        if tree is not None:
            task = begin(tree.close(), "close znode session")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
