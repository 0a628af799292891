"""Before the program is left while a run goes on: what happens to it."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from zktui.maintenance.model import Run
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

Leaving = Literal["detach", "abort"]


class LeaveScreen(ModalScreen[Leaving | None]):
    """Ends with `detach` (the run goes on in the terminal), `abort` (no further change is begun), or None: stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(None)", "Stay"),
        Binding("l", "dismiss('detach')", "Leave"),
        Binding("a", "dismiss('abort')", "Abort and leave"),
    ]
    DEFAULT_CSS = """
    LeaveScreen { align: center middle; }
    LeaveScreen > Vertical {
        width: 74; max-width: 96%; height: auto; border: solid $warning; padding: 1 2; background: $surface;
    }
    LeaveScreen Static { height: auto; }
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def compose(self) -> ComposeResult:
        run = self._run
        cordoned = f"Still cordoned by it: {', '.join(run.cordoned)}." if run.cordoned else "It has cordoned nothing."
        lines = [
            content(Piece(f"A maintenance is under way: node {run.current + 1} of {len(run.nodes)}.", Tone.WAITING)),
            content(cordoned),
            Content(""),
            content(Piece("l", Tone.KEY), "    leave; the run goes on in this terminal, as text, to its end"),
            content(Piece("a", Tone.KEY), "    abort the run and leave; what is in flight is still awaited"),
            content(Piece("esc", Tone.KEY), "  stay"),
        ]
        with Vertical():
            yield Static(Content("\n").join(lines))
