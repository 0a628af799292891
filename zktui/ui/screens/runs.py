"""Past runs: the list, and what is told of the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from zktui.core.text import homely
from zktui.maintenance.runs import PastRun, list_runs
from zktui.session import Session
from zktui.ui.fed import Fed
from zktui.ui.pastrun import STATUS_TONES, row_of, rows
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.page import Page
from zktui.ui.widgets.pane import GridPane, Pane

COLUMNS = (
    Column("BEGUN", 16),
    Column("STATUS", 8, 12),
    Column("NODES", 8, 30),
    Column("MOVED", 5, align="right"),
    Column("TOOK", 8, 13, align="right"),
    Column("BELOW MAJORITY", 14, 16, priority=1),
    Column("LONGEST GAP", 11, priority=2, align="right"),
    Column("BY", 8, 24, priority=3),
)
List = Callable[[Path], tuple[PastRun, ...]]


class RunsScreen(Screen[None], Fed):
    """Reads the state folder when it opens and when it is told to, never on the event loop."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "whole", "Whole report"),
        Binding("tab", "app.focus_next", "Next pane", show=False),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False),
        Binding("r", "again", "Read again"),
        Binding("escape", "back", "Back"),
    ]
    DEFAULT_CSS = """
    RunsScreen #all { height: 2fr; min-height: 7; }
    RunsScreen #one { height: 3fr; }
    RunsScreen.-whole #all { display: none; }
    """

    def __init__(self, session: Session, read: List = list_runs) -> None:
        """`read` lists the runs of a state folder, newest first; it may block."""
        super().__init__()
        self._folder = session.settings.state
        self._place = homely(self._folder / "runs")
        self._read = read
        self._found: dict[str, PastRun] = {}
        self._grid = RunGrid(COLUMNS, empty="Reading …")
        self._page = Page()
        self._list = GridPane(self._grid, id="all")
        self._one = Pane(self._page, id="one")

    def compose(self) -> ComposeResult:
        yield self._list
        yield self._one
        yield KeyBar()

    def on_mount(self) -> None:
        self._list.titled("Runs")
        self._one.titled("Report")
        self._grid.focus()
        self.action_again()

    def action_again(self) -> None:
        self.run_worker(self._load, name="runs", exclusive=True)

    async def _load(self) -> None:
        found = await asyncio.to_thread(self._read, self._folder)
        self._found = {run.id: run for run in found}
        self._grid.set_empty(f"No run yet. Each leaves its journal and its report in {self._place}.")
        self._grid.set_rows([row_of(run) for run in found])
        self._list.titled("Runs ", Piece(f"{len(found)} in {self._place}", Tone.DIM))
        self._show()

    def on_grid_moved(self) -> None:
        self._show()

    def _show(self) -> None:
        run = self._found.get(self._grid.cursor_uid)
        if run is None:
            self._page.show([])
            self._one.titled("Report")
            return
        self._page.show(rows(run))
        self._page.scroll_home(animate=False)
        tone = STATUS_TONES.get(run.status, Tone.WAITING)
        self._one.titled(f"Report  {run.id} ", Piece(run.status, tone))

    def action_whole(self) -> None:
        """The report on the whole screen; again, the list beside it."""
        if not self._found:
            return
        self.toggle_class("-whole")
        (self._page if self.has_class("-whole") else self._grid).focus()

    def action_back(self) -> None:
        if self.has_class("-whole"):
            self.action_whole()
        else:
            self.dismiss()


class RunGrid(Grid):
    """The grid's keys without marks, which mean nothing here."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "sort(1)", "Sort")]
