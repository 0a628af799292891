"""What happens between the tree on screen and the ensemble: reads that were asked for, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable

from zktui.core.ports import TreeError
from zktui.core.tasks import begin
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import Stat, Znode
from zktui.ui.branches import Branch, State, join, name_of, parent_of
from zktui.ui.widgets.znodetree import ZnodeTree
from zktui.ui.znodereader import Reader

MANY = 10_000
"""Children beyond which a znode is not listed before it was asked whether it should be."""
AT_ONCE = 8
"""Reads under way at a time; a session answers them in order."""


class Browser:
    """Fills the shape of a ZnodeTree. Every method returns at once; `busy` tells when all is done.

    `on_data(path, answer)` is called with the znode that was chosen, or with why it can't be read.
    """

    def __init__(self, reader: Reader, tree: ZnodeTree, on_data: Callable[[str, Znode | TreeError], None]) -> None:
        self._reader = reader
        self._tree = tree
        self._on_data = on_data
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._data: asyncio.Task[None] | None = None
        self._shown: Znode | None = None
        self._begun = False

    @property
    def through(self) -> str:
        return self._reader.through

    def aim(self, view: EnsembleView | None, *, other: bool) -> None:
        """Browse this ensemble; `other`: it is not the one browsed before."""
        if other:
            self.stop()
            self._begun, self._shown = False, None
            self._tree.clear()
        self._reader.aim(view)
        serving = view is not None and any(member.role.serving for member in view.members)
        if serving and not self._begun:
            self._begun = True
            self.list("/")
            self.read("/")

    def stop(self) -> None:
        """Forget what was asked for; nothing is filled in after this."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """As `stop`, and wait until the reads and the session have ended."""
        tasks = list(self._tasks)
        self.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reader.close()

    @property
    def busy(self) -> bool:
        """Something is being read."""
        return bool(self._tasks)

    # -- what can be asked for

    def list(self, path: str, *, every: bool = False) -> None:
        """Read a znode's children into its open branch; more than MANY only with `every`."""
        self._run(self._list(path, every=every))

    def read(self, path: str) -> None:
        """Read the data of the chosen znode; an earlier wish is forgotten."""
        if self._data is not None:
            self._data.cancel()
        self._data = self._run(self._read(path))

    def look(self, paths: Iterable[str]) -> None:
        """Read stats, and read anew what they show to have changed."""
        for path in paths:
            self._run(self._look(path))

    def refresh(self) -> None:
        """Read anew all that is open, but for the very long lists the cursor is not in."""
        inside = {self._tree.cursor, parent_of(self._tree.cursor)}
        for branch in list(self._tree.shape.all_open()):
            if branch.state is not State.TOO_MANY and (len(branch.names) <= MANY or branch.path in inside):
                self.list(branch.path, every=branch.state is State.LISTED)
        spots = [spot.path for spot in self._tree.in_view() if not spot.note]
        self.look(spots)
        self.read(self._tree.cursor)

    def go_to(self, path: str, missing: Callable[[str], None]) -> None:
        """Open what leads to a znode and put the cursor on it; `missing` is told why that can't be."""
        self._run(self._go_to(path, missing))

    # -- how it is done

    def _run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = begin(work, "znodes")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _list(self, path: str, *, every: bool = False) -> None:
        branch = self._tree.shape.branch(path)
        if branch is None:
            return
        if not branch.names:
            branch.settle(State.READING)
            self._tree.changed()
        try:
            async with self._room:
                stat = (await self._reader.stat(path)).stat
                if stat.children > MANY and not every:
                    branch.settle(State.TOO_MANY, stat=stat)
                else:
                    children = await self._reader.children(path)
                    stat = children.stat
                    branch.settle(State.LISTED, names=children.names, stat=stat)
        except TreeError as error:
            if error.gone and path != "/":
                self._lost(path)
                return
            branch.settle(State.FAILED, why=error.reason)
        else:
            self._tree.learn(path, stat)
        self._tree.changed()

    def _lost(self, path: str) -> None:
        """A znode is no more: its row goes, without its siblings being read anew."""
        above = self._tree.shape.branch(parent_of(path))
        if above is not None:
            name = name_of(path)
            above.settle(above.state, names=[other for other in above.names if other != name], why=above.why)
            self._tree.changed()

    async def _read(self, path: str) -> None:
        answer: Znode | TreeError
        try:
            async with self._room:
                answer = await self._reader.get(path)
        except TreeError as error:
            answer = error
        self._shown = None if isinstance(answer, TreeError) else answer
        if self._shown is not None:
            self._tree.learn(path, self._shown.stat)
        self._on_data(path, answer)

    async def _look(self, path: str) -> None:
        try:
            async with self._room:
                stat = (await self._reader.stat(path)).stat
        except TreeError as error:
            # Other errors stand where they matter: in the branch, and in place of the data.
            if error.gone and path != "/":
                self._lost(path)
            return
        self._tree.learn(path, stat)
        branch = self._tree.shape.branch(path)
        if branch is not None and _lists_other(branch, stat):
            await self._list(path)
        shown = self._shown
        if shown is not None and shown.path == path and shown.stat.mzxid != stat.mzxid:
            await self._read(path)

    async def _go_to(self, path: str, missing: Callable[[str], None]) -> None:
        branch = self._tree.shape.root
        names = path.split("/")[1:] if path != "/" else []
        for name in names:
            if branch.state is not State.LISTED or branch.position(name) is None:
                await self._list(branch.path)
            found = await self._pinned(branch, name)
            if found is not None:
                missing(found)
                return
            if branch.position(name) is None:
                branch.set_filter("")
            if name != names[-1] or branch.child(name) is not None:
                branch = branch.unfold(name)
        self._tree.changed()
        self._tree.go_to(path)

    async def _pinned(self, branch: Branch, name: str) -> str | None:
        """Why a child is not there; None when it is among the branch's names, if need be as one of a long list."""
        if branch.state is State.FAILED:
            return branch.why
        path = join(branch.path, name)
        try:
            await self._reader.stat(path)
        except TreeError as error:
            return f"{path} does not exist" if error.gone else error.reason
        if branch.state is State.TOO_MANY:
            branch.settle(State.TOO_MANY, names=sorted({*branch.names, name}))
        return None if name in branch.names else f"{path} came and went"


def _lists_other(branch: Branch, stat: Stat) -> bool:
    """The children listed are not those of now. Lists too long to be read unasked are left as they are."""
    if branch.stat is None or branch.state is State.READING:
        return False
    if branch.state is State.LISTED and max(len(branch.names), stat.children) > MANY:
        return False
    return branch.stat.cversion != stat.cversion or branch.stat.children != stat.children
