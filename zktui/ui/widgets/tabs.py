"""The names of the panes in one line, for the layout in which only one of them is shown."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from zktui.ui.text import Piece, content, width
from zktui.ui.theme import Tone


class TabLine(Widget):
    """Shows which pane is in view. The keys are the screen's; a click on a name chooses it."""

    DEFAULT_CSS = """
    TabLine { height: 1; width: 1fr; padding: 0 1; background: $surface; text-wrap: nowrap; }
    """

    class Chosen(Message):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, tabs: Sequence[tuple[str, str]], *, id: str | None = None) -> None:  # noqa: A002  Textual's own name
        """`tabs` are (name, label) pairs."""
        super().__init__(id=id)
        self._tabs = tuple(tabs)
        self._chosen = self._tabs[0][0]

    def choose(self, name: str) -> None:
        if name != self._chosen:
            self._chosen = name
            self.refresh()

    def render(self) -> Content:
        pieces: list[Piece] = []
        for name, label in self._tabs:
            chosen = name == self._chosen
            pieces += [Piece(f"▸{label} " if chosen else f" {label} ", Tone.KEY if chosen else Tone.DIM), Piece("  ")]
        return content(*pieces)

    def on_click(self, event: events.Click) -> None:
        left = self.styles.padding.left
        for name, label in self._tabs:
            left += width(label) + 4
            if event.x < left:
                self.post_message(self.Chosen(name))
                return
