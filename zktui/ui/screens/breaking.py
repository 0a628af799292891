"""Break something: what a rehearsal cluster can be made to suffer, and what makes it whole again."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from zktui.core.ports import Breakage, Breaker
from zktui.errors import ZktuiError
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Grid, Row, cell
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.pane import GridPane

COLUMNS = (Column("WHAT", 13), Column("OF", 8, 24), Column("THAT IS TO SAY", 20, 80, priority=1))


def row_of(choice: Breakage) -> Row:
    uid = f"{choice.name}={choice.target}"
    return Row(uid, (cell(choice.name, Tone.STRONG), cell(choice.target), cell(choice.words)))


class BreakScreen(ModalScreen[None]):
    """Stays open, so that one thing can be broken after another. What was done is told, and what is broken now."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,b", "dismiss(None)", "Back"),
        Binding("enter", "choose", "Do it"),
    ]
    DEFAULT_CSS = """
    BreakScreen { align: center middle; }
    BreakScreen > GridPane { width: 95%; max-width: 120; height: 80%; border: solid $primary; }
    """

    def __init__(self, breaker: Breaker) -> None:
        super().__init__()
        self._breaker = breaker
        self._choices: dict[str, Breakage] = {}
        self._grid = Grid(COLUMNS, empty="Asking the rehearsal cluster …")
        self._pane = GridPane(self._grid)

    def compose(self) -> ComposeResult:
        yield self._pane
        yield KeyBar()

    def on_mount(self) -> None:
        self._titled("")
        self._grid.focus()
        self.run_worker(self._look, name="break", exclusive=True)

    def _titled(self, broken: str) -> None:
        note = Piece(f"broken now: {broken}", Tone.BLOCKED) if broken else Piece("in this rehearsal", Tone.DIM)
        self._pane.titled("Break something ", note)

    async def _look(self) -> None:
        try:
            found, broken = await self._breaker.choices()
        except ZktuiError as why:
            self._grid.set_empty(str(why))
            self._grid.set_rows(())
            return
        rows = [row_of(choice) for choice in found]
        self._choices = {row.uid: choice for row, choice in zip(rows, found, strict=True)}
        self._grid.set_rows(rows)
        self._titled(broken)

    def action_choose(self) -> None:
        self._grid.action_choose()

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
        choice = self._choices.get(event.uid)
        if choice is not None:
            self.run_worker(self._carry_out(choice), name="break", exclusive=True)

    async def _carry_out(self, choice: Breakage) -> None:
        try:
            done = await self._breaker.carry_out(choice)
        except ZktuiError as why:
            self.notify(str(why), severity="warning", markup=False)
        else:
            self.notify(done, markup=False)
        await self._look()
