"""A page of wrapped rows on Textual's line API: draws only what is in view, and is changed, never cleared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.geometry import Size
from textual.strip import Strip
from textual.visual import Visual

from zktui.ui.text import Piece, content
from zktui.ui.widgets.lines import LineView

EMPTY = Content("")
Text = str | Piece | Sequence[str | Piece]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `head` keeps its width, `body` wraps beside it. `focus` asks to be kept in view."""

    head: Content
    body: Content = EMPTY
    focus: bool = False

    def same(self, other: Row) -> bool:
        return self.focus == other.focus and self.head.is_same(other.head) and self.body.is_same(other.body)


def row(head: Text = "", body: Text = "", *, focus: bool = False) -> Row:
    """A row from text or pieces, made printable."""
    return Row(_content(head), _content(body), focus)


def _content(text: Text) -> Content:
    return content(text) if isinstance(text, (str, Piece)) else content(*text)


def wrapped(item: Row, width: int) -> list[Content]:
    """The lines of a row at a width in cells; at least one."""
    head, body = item.head, item.body
    indent = head.cell_length
    if not body or indent >= width:
        whole = head + body if body else head
        return whole.wrap(max(1, width)) or [EMPTY]
    lines = body.wrap(max(8, width - indent))
    pad = Content(" " * indent)
    return [(head if number == 0 else pad) + line for number, line in enumerate(lines)]


class Page(LineView):
    """Rows that wrap to the widget's width. With `follow` it stays at the end while the reader is at the end."""

    DEFAULT_CSS = """
    Page { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    """

    def __init__(self, *, follow: bool = False, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 (Textual's own name)
        super().__init__(id=id, classes=classes)
        self._follow = follow
        self._at_end = True
        self._rows: list[Row] = []
        self._lines: list[Content] = []
        self._starts: list[int] = []
        self._width = 0
        self._entitled = ""

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    @property
    def text(self) -> str:
        """What the page says, unwrapped; a row on each line."""
        return "\n".join(item.head.plain + item.body.plain for item in self._rows)

    def entitle(self, title: str) -> None:
        """Raw text for the border. Textual draws the whole widget anew for each title that it is given."""
        if title != self._entitled:
            self._entitled = title
            self.border_title = content(title)

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows instead. Nothing is drawn when they say the same as before."""
        new = list(rows)
        kept = next(
            (i for i, (a, b) in enumerate(zip(self._rows, new, strict=False)) if not a.same(b)),
            min(len(self._rows), len(new)),
        )
        if kept == len(new) == len(self._rows):
            return
        self._rows = new
        self._lay_out(kept)
        self._keep_in_view()

    def extend(self, rows: Iterable[Row]) -> None:
        """Add rows at the end."""
        kept = len(self._rows)
        self._rows += rows
        self._lay_out(kept)
        self._keep_in_view()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        # Only a scroll tells whether the reader is at the end: rows and sizes change without one.
        self._at_end = new_value >= self.max_scroll_y - 1

    def _lay_out(self, kept: int) -> None:
        """Wrap again from row number `kept` on."""
        width = self.scrollable_content_region.width
        if width <= 0:
            return
        if width != self._width:
            kept, self._width = 0, width
        kept = min(kept, len(self._starts))
        first = self._starts[kept] if kept < len(self._starts) else len(self._lines)
        before = self._lines[first:]
        del self._lines[first:]
        del self._starts[kept:]
        for item in self._rows[kept:]:
            self._starts.append(len(self._lines))
            self._lines += wrapped(item, width)
        self.virtual_size = Size(width, len(self._lines))
        self._redraw(first, before)

    def _redraw(self, first: int, before: Sequence[Content]) -> None:
        """Those in view of the lines from number `first` on that are not as they were `before`."""
        now, top = self._lines[first:], self.scroll_offset.y
        for number in range(max(first, top), top + self.size.height):
            at = number - first
            old, new = (lines[at] if at < len(lines) else EMPTY for lines in (before, now))
            if not old.is_same(new):
                self.refresh_line(number)

    def _keep_in_view(self) -> None:
        if self._follow:
            if self._at_end:
                self.scroll_end(animate=False, force=True, immediate=True)
            return
        focus = next((start for start, item in zip(self._starts, self._rows, strict=False) if item.focus), None)
        height = self.scrollable_content_region.height
        if focus is not None and height and not self.scroll_offset.y <= focus < self.scroll_offset.y + height:
            self.scroll_to(y=max(0, focus - height // 3), animate=False, force=True)

    def on_resize(self) -> None:
        if self.scrollable_content_region.width != self._width:
            self._lay_out(0)
        self._keep_in_view()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        number = y + self.scroll_offset.y
        line = self._lines[number] if number < len(self._lines) else EMPTY
        strips = Visual.to_strips(self, line, width, 1, self.visual_style, pad=True)
        return strips[0] if strips else Strip.blank(width, self.rich_style)
