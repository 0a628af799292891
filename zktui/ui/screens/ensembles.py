"""Choose the ensemble to look at."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from zktui.core.view import EnsembleView, View
from zktui.core.zookeeper import EnsembleKey
from zktui.ui.fed import Fed
from zktui.ui.painting import Painter
from zktui.ui.panes.budget import lose_piece, unread
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Cell, Grid, Row, cell
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.pane import GridPane

COLUMNS = (
    Column("NAMESPACE", 9, 24),
    Column("ENSEMBLE", 8, 30),
    Column("MEMBERS", 7, align="right"),
    Column("BUDGET", 8, 26, priority=1),
    Column("QUORUM", 20, 44, priority=2),
)


def ensemble_row(ensemble: EnsembleView, view: View) -> Row:
    budgets = ", ".join(f"{budget.name} allows {budget.allowed}" for budget in ensemble.budgets)
    return Row(
        ensemble.key.uid,
        (
            cell(ensemble.ensemble.namespace),
            cell(ensemble.ensemble.name, Tone.STRONG),
            cell(str(len(ensemble.members)), rank=len(ensemble.members)),
            cell(budgets) if budgets else cell("? not known") if unread(view) else cell("⚠ none", Tone.BLOCKED),
            Cell((lose_piece(ensemble.quorum),)),
        ),
    )


class EnsemblesScreen(Fed, ModalScreen[EnsembleKey | None]):
    """All ensembles that were found, live. Ends with the chosen one, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,e", "dismiss(None)", "Back"),
        Binding("enter", "choose", "Show"),
    ]
    DEFAULT_CSS = """
    EnsemblesScreen { align: center middle; }
    EnsemblesScreen > GridPane { width: 90%; max-width: 110; height: 60%; border: solid $primary; }
    """

    def __init__(self, painter: Painter, current: EnsembleKey | None) -> None:
        super().__init__()
        self._painter = painter
        self._current = current
        self._keys: dict[str, EnsembleKey] = {}
        self._grid = Grid(COLUMNS, empty="No ensemble is known.")

    def compose(self) -> ComposeResult:
        pane = GridPane(self._grid)
        pane.titled("Ensembles ", Piece("that run ZooKeeper, by what they are", Tone.DIM))
        yield pane
        yield KeyBar()

    def on_mount(self) -> None:
        self.until_removed(self._painter.watch(self._paint))
        if self._current is not None:
            self._grid.move_to(self._current.uid)
        self._grid.focus()

    def _paint(self, view: View) -> None:
        self._keys = {ensemble.key.uid: ensemble.key for ensemble in view.ensembles}
        self._grid.set_rows([ensemble_row(ensemble, view) for ensemble in view.ensembles])

    def action_choose(self) -> None:
        self._grid.action_choose()

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
        self.dismiss(self._keys.get(event.uid))
