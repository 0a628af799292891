"""A table that draws only what is in view, keeps its cursor by UID, and is diffed instead of refilled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from zktui.ui.text import Piece, Tone, fit, plain, printable, segments, width
from zktui.ui.widgets.columns import Column, Placed, place
from zktui.ui.widgets.lines import LineView

SortKey = tuple[int, float, str]
GUTTER = 2
"""Cells before the first column: the cursor's mark, or the tick of a marked row, and a blank."""
MARGIN = 1
"""Cells after the last column, so that right-aligned figures do not touch the pane beside."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one column shows of one row; the texts may be raw. `rank` sorts numbers as numbers."""

    pieces: tuple[Piece, ...] = ()
    rank: float | None = None

    @property
    def text(self) -> str:
        return plain(self.pieces)


def cell(text: str, tone: Tone = Tone.PLAIN, rank: float | None = None) -> Cell:
    return Cell((Piece(text, tone),), rank)


@dataclass(frozen=True, slots=True)
class Row:
    """One row, known by UID; a cell for each column."""

    uid: str
    cells: tuple[Cell, ...]

    def matches(self, needle: str) -> bool:
        """Case-insensitive; every word of the needle is found in some cell."""
        hay = " ".join(c.text for c in self.cells).casefold()
        return all(word in hay for word in needle.casefold().split())


class Grid(LineView, inherit_bindings=False):
    """A table of rows.

    `set_rows` takes the whole list and repaints only the lines that differ. The cursor stays on its UID; when that row
    is gone it stays on the same line. Columns that do not fit are dropped by priority. With `marking` on, space marks
    rows and they show a tick. `action_choose` is bound to no key here: what a choice means, its owner says.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "edge(False)", "First", show=False),
        Binding("end,G", "edge(True)", "Last", show=False),
        Binding("s", "sort(1)", "Sort"),
        Binding("S", "turn", "Reverse sort", show=False),
        Binding("space", "mark", "Mark", show=False),
    ]
    DEFAULT_CSS = """
    Grid { overflow-x: hidden; overflow-y: auto; }
    """

    class Moved(Message):
        """The cursor is on another row; `uid` is empty when there is none."""

        def __init__(self, grid: Grid, uid: str) -> None:
            super().__init__()
            self.grid = grid
            self.uid = uid

        @property
        def control(self) -> Grid:
            return self.grid

    class Chosen(Moved):
        """A row was chosen: by a double click, or by a key that the owner bound to `choose`."""

    class Marked(Message):
        """The set of marked rows changed."""

        def __init__(self, grid: Grid, uids: frozenset[str]) -> None:
            super().__init__()
            self.grid = grid
            self.uids = uids

        @property
        def control(self) -> Grid:
            return self.grid

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        marking: bool = False,
        id: str | None = None,  # noqa: A002  Textual's own name
        classes: str | None = None,
    ) -> None:
        """`empty` is the sentence shown while there is no row at all."""
        super().__init__(id=id, classes=classes)
        self.columns = tuple(columns)
        self.empty = empty
        self.marking = marking
        self.needle = ""
        self.sorted_by: int | None = None
        self.reverse = False
        self._all: tuple[Row, ...] = ()
        self._rows: list[Row] = []
        self._at: dict[str, int] = {}
        self._cursor = 0
        self._marks: frozenset[str] = frozenset()
        self._seen = [width(c.title) for c in self.columns]
        self._placed: tuple[Placed, ...] = ()
        self._gap = 2
        self._painted: dict[str, tuple[Row, Strip]] = {}

    # -- what it holds

    @property
    def rows(self) -> Sequence[Row]:
        """The rows in view of the filter, in the order shown."""
        return self._rows

    @property
    def cursor_uid(self) -> str:
        return self._rows[self._cursor].uid if self._rows else ""

    @property
    def cursor_line(self) -> int:
        return self._cursor

    @property
    def marks(self) -> frozenset[str]:
        return self._marks

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows. Equal rows are not painted again."""
        new = tuple(rows)
        if new == self._all:
            return
        old = {row.uid: row for row in self._all}
        self._all = new
        self._measure(row for row in new if old.get(row.uid) is not row)
        present = {row.uid for row in new}
        if not self._marks <= present:
            self._set_marks(self._marks & present)
        self._arrange()

    def set_empty(self, sentence: str) -> None:
        if sentence != self.empty:
            self.empty = sentence
            if not self._rows:
                self.refresh()

    def filter(self, needle: str) -> None:
        """Show only rows that match; an empty needle shows all."""
        if needle != self.needle:
            self.needle = needle
            self._arrange()

    def sort(self, column: int | None, reverse: bool = False) -> None:
        """Sort by a column's rank, or by its text; None is the order given."""
        self.sorted_by, self.reverse = column, reverse
        self._arrange()
        self.refresh()

    def move_to(self, uid: str) -> bool:
        """Put the cursor on that row, if it is shown."""
        line = self._at.get(uid)
        if line is None:
            return False
        self._move(line)
        return True

    def set_marks(self, uids: frozenset[str]) -> None:
        self._set_marks(uids & {row.uid for row in self._all})

    # -- arranging

    def _measure(self, rows: Iterable[Row]) -> None:
        grew = False
        for row in rows:
            for index, one in enumerate(row.cells):
                needed = sum(width(printable(piece.text)) for piece in one.pieces)
                if needed > self._seen[index]:
                    self._seen[index] = needed
                    grew = True
        if grew:
            self._layout()

    def _arrange(self) -> None:
        before, uid = self._rows, self.cursor_uid
        rows = [row for row in self._all if row.matches(self.needle)] if self.needle else list(self._all)
        if self.sorted_by is not None:
            rows.sort(key=self._rank, reverse=self.reverse)
        self._rows = rows
        self._at = {row.uid: line for line, row in enumerate(rows)}
        line = self._at.get(uid)
        self._cursor = min(self._cursor, max(0, len(rows) - 1)) if line is None else line
        self._resize()
        if [row.uid for row in before] == [row.uid for row in rows] and rows:
            for line, (old, new) in enumerate(zip(before, rows, strict=True)):
                if old != new:
                    self._refresh_row(line)
        else:
            self.refresh()
        if self.cursor_uid != uid:
            self.post_message(self.Moved(self, self.cursor_uid))

    def _rank(self, row: Row) -> SortKey:
        assert self.sorted_by is not None
        one = row.cells[self.sorted_by]
        return (0, one.rank, "") if one.rank is not None else (1, 0.0, one.text.casefold())

    def _layout(self) -> None:
        room = self.scrollable_content_region.width - GUTTER - MARGIN
        placed, gap = place(self.columns, self._seen, max(1, room))
        if (placed, gap) != (self._placed, self._gap):
            self._placed, self._gap = placed, gap
            self._painted.clear()
            self.refresh()

    def _resize(self) -> None:
        # The heading takes the first line of the widget and never scrolls, so the last row scrolls up one more.
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._rows) + 1)

    def styles_changed(self) -> None:
        self._painted.clear()

    def on_resize(self, _: events.Resize) -> None:
        self._layout()
        self._resize()

    # -- painting

    def _refresh_row(self, line: int) -> None:
        self.refresh_line(line + 1)

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._heading()
        line = self.scroll_offset.y + y - 1
        if line >= len(self._rows):
            return self._blank(y)
        row = self._rows[line]
        if line == self._cursor:
            return self._paint(row, cursor=True)
        known = self._painted.get(row.uid)
        if known is not None and known[0] == row:
            return known[1]
        if len(self._painted) > max(1000, 4 * self.size.height):
            self._painted.clear()
        strip = self._paint(row)
        self._painted[row.uid] = (row, strip)
        return strip

    def _blank(self, y: int) -> Strip:
        text = ""
        if not self._rows and y == 1:
            text = f"Nothing matches “{self.needle}”." if self._all else self.empty
        return self.filled(segments([Piece("  "), Piece(text, Tone.DIM)], self.size.width, self.tones()))

    def _heading(self) -> Strip:
        style = self.tones()[Tone.DIM]
        parts = [Segment(" " * GUTTER, style)]
        for position, placed in enumerate(self._placed):
            column = self.columns[placed.index]
            title = column.title
            if placed.index == self.sorted_by:
                title = title[: placed.width - 1] + ("↓" if self.reverse else "↑")
            gap = " " * self._gap if position else ""
            parts.append(Segment(gap + fit(title, placed.width, column.align), style))
        return self.filled(parts)

    def _paint(self, row: Row, cursor: bool = False) -> Strip:
        tones = self.tones(cursor)
        base = tones[Tone.PLAIN]
        tick = "✓" if row.uid in self._marks else " "
        pointed = cursor and self.has_focus
        parts = [Segment("▸" if pointed else tick, base), Segment(tick if pointed else " ", base)]
        for position, placed in enumerate(self._placed):
            if position:
                parts.append(Segment(" " * self._gap, base))
            parts += segments(row.cells[placed.index].pieces, placed.width, tones, self.columns[placed.index].align)
        return self.filled(parts, cursor)

    # -- keys and mouse

    def _move(self, line: int) -> None:
        line = max(0, min(line, len(self._rows) - 1))
        if not self._rows:
            return
        if line != self._cursor:
            self._refresh_row(self._cursor)
            self._cursor = line
            self._refresh_row(line)
            self.post_message(self.Moved(self, self.cursor_uid))
        body = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False)
        elif line >= top + body:
            self.scroll_to(y=line - body + 1, animate=False)

    def action_move(self, by: int) -> None:
        self._move(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._move(self._cursor + by * max(1, self.size.height - 2))

    def action_edge(self, last: bool) -> None:
        self._move(len(self._rows) - 1 if last else 0)

    def action_choose(self) -> None:
        if self._rows:
            self.post_message(self.Chosen(self, self.cursor_uid))

    def action_sort(self, by: int) -> None:
        """Sort by the next column in view; after the last one, the order given."""
        shown = [None, *(placed.index for placed in self._placed)]
        at = shown.index(self.sorted_by) if self.sorted_by in shown else 0
        self.sort(shown[(at + by) % len(shown)])

    def action_turn(self) -> None:
        if self.sorted_by is not None:
            self.sort(self.sorted_by, not self.reverse)

    def action_mark(self) -> None:
        uid = self.cursor_uid
        if self.marking and uid:
            self._set_marks(self._marks ^ {uid})

    def _set_marks(self, marks: frozenset[str]) -> None:
        changed = marks ^ self._marks
        if not changed:
            return
        self._marks = marks
        for uid in changed:
            self._painted.pop(uid, None)
            if uid in self._at:
                self._refresh_row(self._at[uid])
        self.post_message(self.Marked(self, marks))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  overrides
        return self.marking if action == "mark" else True

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self._sort_at(event.x)
            return
        line = self.scroll_offset.y + event.y - 1
        if line < len(self._rows):
            self._move(line)
            if event.chain > 1:
                self.action_choose()

    def _sort_at(self, x: int) -> None:
        left = GUTTER
        for placed in self._placed:
            if left <= x < left + placed.width:
                self.sort(placed.index, self.sorted_by == placed.index and not self.reverse)
                return
            left += placed.width + self._gap
