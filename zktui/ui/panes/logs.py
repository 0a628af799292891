"""The log pane: one merged, live stream of the ensemble's members."""

from __future__ import annotations

from textual.containers import Vertical

from zktui.core.view import EnsembleView
from zktui.session import Session


class LogPane(Vertical):
    """Follows the logs of every member of the ensemble that is shown."""

    def __init__(self, session: Session, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._session = session

    def show(self, view: EnsembleView | None) -> None:
        """Follow this ensemble from now on; None when there is none. Cheap when nothing changed."""
