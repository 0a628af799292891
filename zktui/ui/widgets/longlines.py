"""A LineView for content of any length: sized without a new layout of the screen, scrolled sideways, painted once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import cast

from rich.segment import Segment
from textual.cache import LRUCache
from textual.geometry import Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget

from zktui.ui.theme import Tone
from zktui.ui.widgets.lines import LineView

PAINTED = 512
"""Strips kept: a few screens of them."""


class LongLines(LineView):
    """Rows of which only those in view are ever painted. Subclasses say what a row is, and paint it uncropped."""

    DEFAULT_CSS = """
    LongLines { overflow-x: auto; overflow-y: auto; scrollbar-size-horizontal: 0; scrollbar-gutter: stable; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id, classes=classes)
        self._strips: LRUCache[Hashable, Strip] = LRUCache(PAINTED)
        self.jumping = False
        """The scroll offset is being set by the program, not by the reader."""

    def row_key(self, row: int) -> Hashable | None:
        """What stands in this row, as long as it looks the same; None below the last row."""
        raise NotImplementedError

    def paint_row(self, row: int) -> Iterable[Segment]:
        """The whole row, from its first cell on."""
        raise NotImplementedError

    def is_cursor(self, row: int) -> bool:  # noqa: ARG002  # for subclasses that have a cursor
        return False

    def set_extent(self, width: int, rows: int) -> None:
        """There are so many rows, the longest of `width` cells.

        A reactive `virtual_size` lays the whole screen out anew each time; a stream grows ten times a second. The
        layout depends on the size only where a scroll bar comes or goes.
        """
        new = Size(width, rows)
        if new == self.virtual_size:
            return
        view = self.scrollable_content_region.size
        before = (self.virtual_size.width > view.width, self.virtual_size.height > view.height)
        if before != (width > view.width, rows > view.height):
            self.virtual_size = new
            return
        self.set_reactive(cast("Reactive[Size]", Widget.virtual_size), new)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = rows
        self.jump(self.scroll_offset.y)

    def widen(self, width: int) -> None:
        """A row turned out to be longer than thought."""
        if width > self.virtual_size.width:
            self.set_extent(width, self.virtual_size.height)

    def jump(self, row: int) -> None:
        """Scroll so that this row is the first in view, as far as there are rows."""
        self.jumping = True
        self.scroll_to(y=max(0, min(row, self.max_scroll_y)), animate=False, force=True)
        self.jumping = False

    def reveal(self, row: int) -> None:
        """Scroll no further than it takes to have this row in view."""
        top, height = self.scroll_offset.y, max(1, self.scrollable_content_region.height)
        if row < top:
            self.jump(row)
        elif row >= top + height:
            self.jump(row - height + 1)

    def repaint(self) -> None:
        """Forget what was painted, and paint what is in view."""
        self._strips.clear()
        self.refresh()

    def styles_changed(self) -> None:
        self._strips.clear()

    def strip_of(self, row: int) -> Strip | None:
        """The row uncropped; None below the last one."""
        key = self.row_key(row)
        if key is None:
            return None
        if self.is_cursor(row):
            return Strip(self.paint_row(row))
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = Strip(self.paint_row(row))
        return strip

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width = self.scrollable_content_region.width
        row = top + y
        strip = self.strip_of(row)
        base = self.tones(self.is_cursor(row))[Tone.PLAIN]
        if strip is None:
            return Strip.blank(width, base)
        if strip.cell_length > self.virtual_size.width:
            self.call_later(self.widen, strip.cell_length)
        return strip.crop_extend(left, left + width, base)
