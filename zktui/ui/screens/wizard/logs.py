"""The members' logs over a run; escape goes back to it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from zktui.core.zookeeper import EnsembleKey
from zktui.session import Session
from zktui.ui.panes.logs import LogPane
from zktui.ui.widgets.keybar import KeyBar


class LogsScreen(Screen[None]):
    """One ensemble's merged logs on the whole screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back to the run")]

    def __init__(self, session: Session, ensemble: EnsembleKey | None) -> None:
        super().__init__()
        self._session = session
        self._key = ensemble

    def compose(self) -> ComposeResult:
        yield LogPane(self._session, id="logs")
        yield KeyBar()

    def on_mount(self) -> None:
        self._show()
        self.query_one(LogPane).focus()
        self.set_interval(1.0, self._show)

    def _show(self) -> None:
        self.query_one(LogPane).show(self._session.store.view().ensemble(self._key))

    def action_back(self) -> None:
        self.dismiss()
