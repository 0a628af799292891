"""The znode browser: a lazy tree, and the data and stat of the chosen znode."""

from __future__ import annotations

from textual.containers import Horizontal

from zktui.core.view import EnsembleView
from zktui.session import Session


class ZnodePane(Horizontal):
    """Browses the data tree of the ensemble that is shown."""

    def __init__(self, session: Session, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._session = session

    def show(self, view: EnsembleView | None) -> None:
        """Browse this ensemble from now on; None when there is none. Cheap when nothing changed."""
