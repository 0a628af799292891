"""The shape of a lazily read tree of znodes: which row shows what, for any number of children. No Textual in here.

A branch keeps its children's names as the server gave them and nothing per child, so that a million siblings cost
what their names cost. A row is found by walking only the branches that are open above it.
"""

from __future__ import annotations

import enum
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zktui.core.zookeeper import Stat


def join(parent: str, name: str) -> str:
    return f"/{name}" if parent == "/" else f"{parent}/{name}"


def parent_of(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def name_of(path: str) -> str:
    return path.rpartition("/")[2] or "/"


class State(enum.Enum):
    UNREAD = enum.auto()
    """Nothing is known of its children, and nobody has asked."""
    READING = enum.auto()
    LISTED = enum.auto()
    TOO_MANY = enum.auto()
    """Not listed, since there are so many; `names` holds only those that were gone to by their path."""
    FAILED = enum.auto()


class Branch:
    """An open znode. Its rows are its children in the filter, each followed by its own open branch, then a note."""

    def __init__(self, path: str, above: Branch | None = None) -> None:
        self.path = path
        self.above = above
        self.state = State.UNREAD if above is None else State.READING
        self.stat: Stat | None = None
        """As it was when the children were listed or counted."""
        self.why = ""
        """What went wrong, in the state FAILED."""
        self.names: Sequence[str] = ()
        """Sorted. Never changed in place."""
        self.filter = ""
        self._shown: array[int] | None = None
        self._open: dict[str, Branch] = {}
        self._placed: list[tuple[int, Branch]] = []
        self.height = int(self.note)
        """Rows it takes below its own."""

    def __len__(self) -> int:
        """Children in the filter."""
        return len(self.names) if self._shown is None else len(self._shown)

    def name(self, position: int) -> str:
        return self.names[position if self._shown is None else self._shown[position]]

    def position(self, name: str) -> int | None:
        """Where that child is among those shown; None when it is not."""
        at = bisect_left(self.names, name)
        if at == len(self.names) or self.names[at] != name:
            return None
        if self._shown is None:
            return at
        place = bisect_left(self._shown, at)
        return place if place < len(self._shown) and self._shown[place] == at else None

    @property
    def note(self) -> bool:
        """There is a row below the children that says something about them."""
        if self.state is State.UNREAD:
            return False
        return self.state is not State.LISTED or not len(self) or bool(self.filter)

    @property
    def open(self) -> Sequence[Branch]:
        """Open branches among its children, also those that the filter hides."""
        return list(self._open.values())

    def settle(
        self, state: State, *, names: Sequence[str] | None = None, stat: Stat | None = None, why: str = ""
    ) -> None:
        """What came of reading it. Children that are gone are closed; the others stay as open as they were."""
        self.state, self.why = state, why
        self.stat = stat or self.stat
        if names is not None:
            self.names = names
            self._shown = self._matching()
            kept = {name: branch for name, branch in self._open.items() if self._has(name)}
            self._open = kept
        self._place()

    def set_filter(self, text: str) -> None:
        """Show only children whose name holds the text; capitals count when there is one in it."""
        self.filter = text
        self._shown = self._matching()
        self._place()

    def unfold(self, name: str) -> Branch:
        """Open a child. Raises KeyError when there is none of that name."""
        if not self._has(name):
            raise KeyError(name)
        if name not in self._open:
            self._open[name] = Branch(join(self.path, name), self)
            self._place()
        return self._open[name]

    def fold(self, name: str) -> None:
        if self._open.pop(name, None) is not None:
            self._place()

    def _has(self, name: str) -> bool:
        at = bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name

    def _matching(self) -> array[int] | None:
        text = self.filter
        if not text:
            return None
        if text != text.lower():
            return array("I", (i for i, name in enumerate(self.names) if text in name))
        return array("I", (i for i, name in enumerate(self.names) if text in name.lower()))

    def _place(self) -> None:
        places = ((self.position(name), branch) for name, branch in self._open.items())
        self._placed = sorted(((at, branch) for at, branch in places if at is not None), key=lambda item: item[0])
        self._measure()

    def _measure(self) -> None:
        self.height = len(self) + sum(branch.height for _, branch in self._placed) + self.note
        if self.above is not None:
            self.above._measure()

    def find(self, row: int) -> tuple[Branch, int]:
        """The branch that holds the row (0 is its first child), and the position in it; its length is the note's."""
        below = 0
        for at, branch in self._placed:
            start = at + below
            if row <= start:
                break
            if row <= start + branch.height:
                return branch.find(row - start - 1)
            below += branch.height
        return self, row - below

    def row_before(self, position: int) -> int:
        """The row of that child, within this branch."""
        return position + sum(branch.height for at, branch in self._placed if at < position)

    def child(self, name: str) -> Branch | None:
        return self._open.get(name)


@dataclass(frozen=True, slots=True)
class Spot:
    """What stands in a row: a znode, or with `note` what there is to say about a branch's children."""

    path: str
    depth: int
    branch: Branch | None
    """The znode's own branch if it is open; for a note the branch it is about."""
    note: bool = False


class Shape:
    """The whole tree; row 0 is the root."""

    def __init__(self) -> None:
        self.root = Branch("/")

    def __len__(self) -> int:
        return 1 + self.root.height

    def spot(self, row: int) -> Spot:
        """Raises IndexError for a row that is not there."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        if row == 0:
            return Spot("/", 0, self.root)
        branch, position = self.root.find(row - 1)
        depth = branch.path.count("/") if branch.path != "/" else 0
        if position == len(branch):
            return Spot(branch.path, depth + 1, branch, note=True)
        name = branch.name(position)
        return Spot(join(branch.path, name), depth + 1, branch.child(name))

    def branch(self, path: str) -> Branch | None:
        """The open branch of that znode."""
        found: Branch | None = self.root
        for name in path.split("/")[1:] if path != "/" else ():
            found = found.child(name) if found is not None else None
        return found

    def row(self, path: str, *, note: bool = False) -> int | None:
        """The row of a znode, or of the note on its children; None when it is not shown."""
        if path == "/":
            return self.root.height if note else 0
        above = self.branch(parent_of(path))
        position = above.position(name_of(path)) if above is not None else None
        if above is None or position is None:
            return None
        start = self.row(above.path)
        if start is None:
            return None
        row = start + 1 + above.row_before(position)
        own = above.child(name_of(path))
        if not note:
            return row
        return row + own.height if own is not None and own.note else None

    def all_open(self) -> Iterator[Branch]:
        """Every open branch, parents before their children."""
        waiting = [self.root]
        while waiting:
            branch = waiting.pop()
            yield branch
            waiting += branch.open
