"""A note on the run, for whoever looks at it: why the node is held, who is at work on it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

LONGEST = 200
"""Characters: it stands in the Lease beside the ensemble, and on one line of `zktui where`."""


class NoteScreen(ModalScreen[str | None]):
    """Answers the note, empty to take it away; None when it was left as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "leave it", show=False)]
    DEFAULT_CSS = """
    NoteScreen { align: center middle; background: $background 60%; }
    NoteScreen > Vertical {
        width: 74; max-width: 95%; height: auto;
        background: $surface; border: round $primary; border-title-style: bold; padding: 1 2;
    }
    NoteScreen Input { margin: 1 0; padding: 0 1; background: $panel; }
    """

    def __init__(self, note: str) -> None:
        super().__init__()
        self._note = note

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "Note"
            yield Static("In the journal, the report, and for whoever finds this run.", markup=False)
            hint = "swapping the disk, ann, back at 15:00"
            yield Input(self._note, placeholder=hint, max_length=LONGEST, select_on_focus=False, compact=True)
            keys = (("enter ", "keep it   "), ("esc ", "leave it as it was"))
            yield Static(content(*(piece for name, does in keys for piece in (Piece(name, Tone.KEY), Piece(does)))))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        self.dismiss(None)
