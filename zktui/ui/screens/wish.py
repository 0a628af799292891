"""How much CPU and memory the members are to have."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone
from zktui.workload.resources import BadQuantity, Wish, parse


class WishScreen(ModalScreen[Wish | None]):
    """Two lines in kubectl set resources' own words. Ends with what is wished, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]
    DEFAULT_CSS = """
    WishScreen { align: center middle; background: $background 60%; }
    WishScreen > Vertical {
        width: 74; max-width: 95%; height: auto; background: $surface; border: round $primary;
        border-title-style: bold; padding: 1 2;
    }
    WishScreen Input { margin: 0 0 1 0; padding: 0 1; background: $panel; }
    WishScreen Static { height: auto; }
    """

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = content("CPU and memory of each member")
            yield Static(content(Piece("requests", Tone.STRONG)))
            yield Input(placeholder="cpu=300m,memory=1Gi", compact=True, id="requests")
            yield Static(content(Piece("limits", Tone.STRONG)))
            yield Input(placeholder="memory=1Gi", compact=True, id="limits")
            yield Static(id="told")

    def on_mount(self) -> None:
        self._tell("")

    def _tell(self, problem: str) -> None:
        keys = [
            Piece("enter ", Tone.KEY),
            Piece("look at what would change   "),
            Piece("esc ", Tone.KEY),
            Piece("back"),
        ]
        self.query_one("#told", Static).update(
            content(Piece(f"✗ {problem}", Tone.BLOCKED)) if problem else content(*keys)
        )

    def on_input_changed(self) -> None:
        self._tell("")

    def on_input_submitted(self) -> None:
        """What is left empty stays as it is."""
        requests, limits = (self.query_one(name, Input).value.strip() for name in ("#requests", "#limits"))
        try:
            wish = Wish(parse(requests), parse(limits))
        except BadQuantity as problem:
            self._tell(str(problem))
            return
        if wish:
            self.dismiss(wish)
        else:
            self._tell("nothing was asked for")
