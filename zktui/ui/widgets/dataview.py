"""Rows of a document on the line API: data as text, JSON or hex, or a stat."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType

from zktui.ui.text import fit, printable
from zktui.ui.theme import Tone
from zktui.ui.widgets.longlines import LongLines
from zktui.ui.znodetext import Form

_KEY = re.compile(r'(\s*)("(?:[^"\\]|\\.)*")(: ?)(.*)', re.DOTALL)
LABEL = 16
"""Cells of a stat row's name."""
SAMPLE = 1_000
"""Rows measured for the width of a document; a longer one below shows when it comes into view."""


class DataView(LongLines):
    """Shows one document at a time, from its top."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "rows(-1)", "Up", show=False),
        Binding("down,j", "rows(1)", "Down", show=False),
        Binding("pageup", "pages(-1)", "Page up", show=False),
        Binding("pagedown", "pages(1)", "Page down", show=False),
        Binding("home", "edge(False)", "Top", show=False),
        Binding("end,G", "edge(True)", "End", show=False),
        Binding("left", "sideways(-8)", "Left", show=False),
        Binding("right", "sideways(8)", "Right", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._rows: Sequence[str | tuple[str, str]] = ()
        self._form = Form.TEXT
        self._notice: tuple[str, Tone] | None = None

    @property
    def rows(self) -> Sequence[str | tuple[str, str]]:
        return self._rows

    @property
    def form(self) -> Form:
        """What the data shown turned out to be."""
        return self._form

    @property
    def notice(self) -> str:
        """The sentence that stands in place of a document; empty when there is one."""
        return self._notice[0] if self._notice else ""

    def show_rows(self, rows: Sequence[str | tuple[str, str]], form: Form, *, again: bool = False) -> None:
        """Lines of data, or (name, value) pairs. `again`: the same document anew, so stay where the reader is."""
        self._rows, self._form, self._notice = rows, form, None
        self._changed(again)

    def show_notice(self, words: str, tone: Tone = Tone.DIM) -> None:
        """A sentence in place of a document; the words may be raw."""
        self._rows, self._notice = (), (words, tone)
        self._changed(again=False)

    def _changed(self, again: bool) -> None:
        sample = (self._rows[row] for row in range(min(len(self._rows), SAMPLE)))
        cells = max((len(r) if isinstance(r, str) else LABEL + len(r[1]) for r in sample), default=0)
        self.set_extent(cells + 2, len(self._rows) or 1)
        if not again:
            self.scroll_to(0, 0, animate=False)
        self.repaint()

    def row_key(self, row: int) -> Hashable | None:
        return row if row < max(1, len(self._rows)) else None

    def paint_row(self, row: int) -> Iterable[Segment]:
        tones = self.tones()
        edge = Segment(" ", tones[Tone.PLAIN])
        if self._notice is not None:
            return [edge, Segment(printable(self._notice[0]), tones[self._notice[1]])]
        if not self._rows:
            return []
        item = self._rows[row]
        if not isinstance(item, str):
            name, value = item
            return [edge, Segment(fit(name, LABEL), tones[Tone.DIM]), Segment(printable(value), tones[Tone.PLAIN])]
        match = _KEY.match(item) if self._form is Form.JSON else None
        if match is not None:
            styles = (tones[Tone.PLAIN], tones[Tone.DIM], tones[Tone.DIM], tones[Tone.PLAIN])
            return [
                edge,
                *(Segment(printable(part), style) for part, style in zip(match.groups(), styles, strict=True)),
            ]
        if self._form is Form.HEX:
            offset, rest = item[:6], item[6:]
            return [edge, Segment(offset, tones[Tone.DIM]), Segment(rest, tones[Tone.PLAIN])]
        return [edge, Segment(printable(item, 8), tones[Tone.PLAIN])]

    def action_rows(self, by: int) -> None:
        self.jump(self.scroll_offset.y + by)

    def action_pages(self, by: int) -> None:
        self.action_rows(by * max(1, self.scrollable_content_region.height - 1))

    def action_edge(self, last: bool) -> None:
        self.jump(len(self._rows) if last else 0)

    def action_sideways(self, by: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + by, animate=False)
