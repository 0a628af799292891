"""The tree of znodes on the line API: it has a shape and a cursor, asks for what it lacks, and reads nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from zktui.core.zookeeper import Stat
from zktui.ui.branches import Branch, Shape, Spot, State, name_of, parent_of
from zktui.ui.text import printable
from zktui.ui.theme import Tone
from zktui.ui.widgets.longlines import LongLines
from zktui.ui.znodetext import owner, size

STATS = 20_000
"""Stats remembered, of the znodes seen last."""
INDENT = 2


class ZnodeTree(LongLines):
    """Rows of a Shape. The cursor stays on its znode, whatever comes and goes around it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(False)", "First", show=False),
        Binding("end,G", "edge(True)", "Last", show=False),
        Binding("enter", "toggle_branch", "Open", key_display="⏎"),
        Binding("right,l", "inward", "Open", show=False),
        Binding("left,h", "outward", "Close", show=False),
    ]

    class Moved(Message):
        """The cursor is on another znode (or, with `note`, on what is said about its children)."""

        def __init__(self, path: str, note: bool) -> None:
            super().__init__()
            self.path = path
            self.note = note

    class Unfolded(Message):
        """A znode was opened: its children are wanted. `all`: however many they are."""

        def __init__(self, path: str, every: bool = False) -> None:
            super().__init__()
            self.path = path
            self.every = every

    class Unknown(Message):
        """Znodes came into view whose stats are not known."""

        def __init__(self, paths: Sequence[str]) -> None:
            super().__init__()
            self.paths = paths

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self.shape = Shape()
        self._stats: dict[str, Stat] = {}
        self._asked: set[str] = set()
        self._path = "/"
        self._note = False
        self._row = 0
        self._generation = 0

    # -- what it holds

    @property
    def cursor(self) -> str:
        """Path of the znode that the cursor is on, or whose children the note under it is about."""
        return self._path

    @property
    def cursor_row(self) -> int:
        return self._row

    def clear(self) -> None:
        """An empty tree, of another ensemble."""
        self.shape = Shape()
        self._stats.clear()
        self._asked.clear()
        self._path, self._note, self._row = "/", False, 0
        self.changed()

    def stat(self, path: str) -> Stat | None:
        return self._stats.get(path)

    def learn(self, path: str, stat: Stat | None) -> None:
        """A znode's stat; None when it could not be read."""
        if stat is not None:
            self._stats.pop(path, None)
            self._stats[path] = stat
            if len(self._stats) > STATS:
                oldest = next(iter(self._stats))
                del self._stats[oldest]
                self._asked.discard(oldest)
        self._generation += 1
        self.refresh()

    def forget(self, paths: Iterable[str]) -> None:
        """Ask anew for these stats when they are in view."""
        self._asked.difference_update(paths)

    def changed(self) -> None:
        """The shape is another one: find the cursor's row again."""
        row = self.shape.row(self._path, note=self._note)
        self._generation += 1
        self.set_extent(self.virtual_size.width, len(self.shape))
        self._go(min(self._row, len(self.shape) - 1) if row is None else row)
        self.refresh()

    def go_to(self, path: str) -> bool:
        """Put the cursor on a znode, if it is in the shape."""
        row = self.shape.row(path)
        if row is not None:
            self._go(row)
        return row is not None

    def show_from(self, path: str) -> None:
        """Scroll so that this znode is the first in view, as long as the cursor stays in it."""
        row = self.shape.row(path)
        if row is not None:
            self.jump(row)
            self.reveal(self._row)

    def in_view(self) -> list[Spot]:
        """What stands in the rows in view."""
        top = self.scroll_offset.y
        bottom = min(len(self.shape), top + self.scrollable_content_region.height)
        return [self.shape.spot(row) for row in range(top, bottom)]

    # -- cursor

    def _go(self, row: int) -> None:
        spot = self.shape.spot(max(0, min(row, len(self.shape) - 1)))
        moved = (spot.path, spot.note) != (self._path, self._note)
        self._path, self._note = spot.path, spot.note
        self._row = max(0, min(row, len(self.shape) - 1))
        self.reveal(self._row)
        self.refresh()
        if moved:
            self.post_message(self.Moved(self._path, self._note))
        self.call_after_refresh(self._ask)

    def _ask(self) -> None:
        if not self.is_mounted:
            return
        wanted = [s.path for s in self.in_view() if not s.note and s.path not in self._asked]
        if wanted:
            self._asked.update(wanted)
            self.post_message(self.Unknown(wanted))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.call_after_refresh(self._ask)

    def on_resize(self) -> None:
        self.reveal(self._row)
        self.call_after_refresh(self._ask)

    # -- painting

    def is_cursor(self, row: int) -> bool:
        return row == self._row

    def row_key(self, row: int) -> Hashable | None:
        return (self._generation, row) if row < len(self.shape) else None

    def paint_row(self, row: int) -> Iterable[Segment]:
        spot = self.shape.spot(row)
        tones = self.tones(self.is_cursor(row))
        indent = " " * (1 + INDENT * spot.depth)
        if spot.note and spot.branch is not None:
            words, tone = self._said(spot.branch)
            return [Segment(f"{indent}{words}", tones[tone])]
        stat = self._stats.get(spot.path)
        mark = "▾" if spot.branch is not None else "·" if stat is None else "▸" if stat.children else " "
        parts = [
            Segment(f"{indent}{mark} ", tones[Tone.DIM]),
            Segment(printable(name_of(spot.path)), tones[Tone.PLAIN]),
        ]
        if stat is not None and stat.children:
            parts.append(Segment(f" ({stat.children:,})", tones[Tone.DIM]))
        if stat is not None and stat.ephemeral_owner:
            parts.append(Segment(f"  {owner(stat).partition(' 0x')[0]}", tones[Tone.WAITING]))
        if stat is not None and stat.data_length:
            parts.append(Segment(f"  {size(stat.data_length)}", tones[Tone.DIM]))
        return parts

    def _said(self, branch: Branch) -> tuple[str, Tone]:
        count = f"{branch.stat.children:,}" if branch.stat is not None else "many"
        match branch.state:
            case State.UNREAD | State.READING:
                return "reading…", Tone.WAITING
            case State.FAILED:
                return f"⚠ {printable(branch.why)} (r reads again)", Tone.BLOCKED
            case State.TOO_MANY:
                return f"{count} children: ⏎ lists all, g goes to one", Tone.WAITING
            case State.LISTED if branch.filter:
                return f"{len(branch):,} of {len(branch.names):,} match “{printable(branch.filter)}”", Tone.KEY
            case State.LISTED:
                return "no children", Tone.DIM

    # -- keys and mouse

    def action_move(self, by: int) -> None:
        self._go(self._row + by)

    def action_page(self, by: int) -> None:
        self._go(self._row + by * max(1, self.scrollable_content_region.height - 1))

    def action_edge(self, last: bool) -> None:
        self._go(len(self.shape) - 1 if last else 0)

    def action_toggle_branch(self) -> None:
        """Open or close; on a note, do what it offers."""
        spot = self.shape.spot(self._row)
        if spot.note:
            if spot.branch is not None and spot.branch.state in (State.TOO_MANY, State.FAILED):
                self.post_message(self.Unfolded(spot.path, every=spot.branch.state is State.TOO_MANY))
        elif spot.branch is not None and spot.path != "/":
            self._fold(spot.path)
        else:
            self._unfold(spot.path)

    def action_inward(self) -> None:
        spot = self.shape.spot(self._row)
        if spot.branch is not None and not spot.note:
            self._go(self._row + 1)
        elif not spot.note:
            self._unfold(spot.path)

    def action_outward(self) -> None:
        spot = self.shape.spot(self._row)
        if spot.branch is not None and not spot.note and spot.path != "/":
            self._fold(spot.path)
        elif spot.path != "/" or spot.note:
            self.go_to(spot.path if spot.note else parent_of(spot.path))

    def _unfold(self, path: str) -> None:
        stat = self._stats.get(path)
        if stat is not None and not stat.children and path != "/":
            self.post_message(self.Unknown([path]))
            return
        above = self.shape.branch(parent_of(path))
        if path != "/" and above is not None:
            above.unfold(name_of(path))
            self.changed()
        self.post_message(self.Unfolded(path))

    def _fold(self, path: str) -> None:
        above = self.shape.branch(parent_of(path))
        if above is not None:
            above.fold(name_of(path))
            self.changed()

    def on_click(self, event: events.Click) -> None:
        row = self.scroll_offset.y + event.y
        if row >= len(self.shape):
            return
        again = row == self._row
        self._go(row)
        depth = self.shape.spot(row).depth
        if event.chain > 1 or (again and event.x <= 2 + INDENT * depth):
            self.action_toggle_branch()
