"""What is shown when the terminal is too small for anything to be read safely."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

LEAST = Size(80, 24)


def too_small(size: Size) -> bool:
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmallScreen(ModalScreen[None]):
    """Covers everything until the terminal is large enough. A run that goes on is not touched by it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "Quit")]
    DEFAULT_CSS = """
    TooSmallScreen { background: $background; padding: 1 2; }
    TooSmallScreen Static { height: auto; }
    """

    def compose(self) -> ComposeResult:
        yield Static(self._words(self.size), markup=False)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one(Static).update(self._words(event.size))

    def _words(self, size: Size) -> str:
        return (
            f"This terminal is too small: {size.width} x {size.height}.\n"
            f"zktui needs {LEAST.width} x {LEAST.height}. Make it larger, or press q to leave."
        )
