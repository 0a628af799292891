"""Questions before something is done: a key for what can be undone, a typed word for what can't."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row


class Confirm(ModalScreen[bool]):
    """Answers True for yes. With `word` yes is that word typed in full, and Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", show=False),
        Binding("n,escape", "no", "no", show=False),
    ]
    DEFAULT_CSS = """
    Confirm { align: center middle; background: $background 60%; }
    Confirm > Vertical {
        width: 74; max-width: 95%; height: auto; max-height: 90%;
        background: $surface; border: round $primary; border-title-style: bold; padding: 1 2;
    }
    Confirm.danger > Vertical { border: round $error; }
    Confirm .line { height: auto; }
    Confirm Input { margin: 1 0 0 0; padding: 0 1; background: $panel; }
    Confirm #keys { margin: 1 0 0 0; }
    """

    def __init__(
        self, title: str, lines: Sequence[Row], yes: str, no: str = "go back", *, word: str = "", danger: bool = False
    ) -> None:
        super().__init__(classes="danger" if danger else None)
        self._title = title
        self._lines = lines
        self._yes = yes
        self._no = no
        self.word = word

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = content(self._title)
            for line in self._lines:
                yield Static(line.head + line.body, classes="line")
            if self.word:
                yield Input(placeholder=self.word, compact=True)
            yield Static(id="keys")

    def on_mount(self) -> None:
        self._keys("")

    def _keys(self, typed: str) -> None:
        no = [Piece("esc ", Tone.KEY), Piece(self._no)]
        if not self.word:
            told = [Piece("y ", Tone.KEY), Piece(f"{self._yes}   "), Piece("n ", Tone.KEY), Piece(self._no)]
        elif typed == self.word:
            told = [Piece("enter ", Tone.KEY), Piece(f"{self._yes}   "), *no]
        else:
            told = [Piece(f"type {self.word} to {self._yes}   "), *no]
        self.query_one("#keys", Static).update(content(*told))

    def on_input_changed(self, event: Input.Changed) -> None:
        self._keys(event.value.strip())

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip() == self.word:
            self.dismiss(True)

    def action_yes(self) -> None:
        if not self.word:
            self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)
