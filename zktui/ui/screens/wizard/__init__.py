"""The maintenance wizard: choose nodes, review the plan, run it."""

from __future__ import annotations

from typing import Any

from textual.app import App

from zktui.core.zookeeper import EnsembleKey
from zktui.session import Session
from zktui.ui.screens.wizard.choose import ChooseScreen
from zktui.ui.screens.wizard.running import RunScreen


def open_wizard(app: App[Any], session: Session, ensemble_key: EnsembleKey | None) -> None:
    """Push the running screen when a run is under way, else the choice of nodes."""
    engine = session.desk.engine
    if engine is not None and not engine.run.status.ended:
        app.push_screen(RunScreen(session, engine))
    else:
        app.push_screen(ChooseScreen(session, ensemble_key))
