"""What is shown when the terminal is too small for anything to be read safely."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.widgets import Static

from zktui.session import Session
from zktui.ui.reach import app_of
from zktui.ui.text import Piece, content
from zktui.ui.theme import Tone

LEAST = Size(80, 24)


def too_small(size: Size) -> bool:
    return size.width < LEAST.width or size.height < LEAST.height


class TooSmallScreen(ModalScreen[None]):
    """Covers everything until the terminal is large enough. A run that goes on is not touched by it.

    Whether the ensemble is safe, and what the run does, are still said.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "Quit")]
    DEFAULT_CSS = """
    TooSmallScreen { background: $background; padding: 1 2; }
    TooSmallScreen Static { height: auto; }
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        yield Static(self._words())

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tell)

    def on_resize(self) -> None:
        self._fit()

    def on_screen_resume(self) -> None:
        # A question stood above it while the terminal grew.
        self._fit()

    def _fit(self) -> None:
        if too_small(app_of(self).size):
            self._tell()
        elif self.is_active:
            self.dismiss()

    def _tell(self) -> None:
        self.query_one(Static).update(self._words())

    def _words(self) -> Content:
        size = app_of(self).size
        lines = [
            content(Piece(f"This terminal is too small: {size.width} x {size.height}.")),
            content(Piece(f"zktui needs {LEAST.width} x {LEAST.height}. Make it larger, or press q to leave.")),
            Content(""),
            *_standing(self._session),
        ]
        return Content("\n").join(lines)


def _standing(session: Session) -> list[Content]:
    """A line for each ensemble, and one for the run under way."""
    from zktui.ui.screens.wizard.band import TONES  # noqa: PLC0415  # the first paint does not pay for it
    from zktui.ui.screens.wizard.standing import answer, safety  # noqa: PLC0415

    view = session.store.refreshed()
    engine = session.desk.engine
    run = engine.run if engine is not None and not engine.run.status.ended else None
    lines: list[Content] = []
    for each in view.ensembles:
        quorum = each.quorum
        sign, tone = ("●", Tone.SAFE) if quorum.can_lose else ("▲", Tone.WAITING)
        if run is not None and each.key in run.plan.ensembles:
            judged = safety(run, each.key, quorum)
            sign, tone = f"{judged.sign} {judged.word}", TONES[judged.light]
        lines.append(content(Piece(sign, tone), Piece(f"  {each.ensemble.name} {quorum.phrase()}")))
    if run is not None:
        first = next((e.quorum for e in view.ensembles if e.key in run.plan.ensembles), None)
        told = answer(run, first, session.clock.now())
        where = f"  maintenance, {run.node.name}" if run.node is not None else "  maintenance"
        lines.append(content(Piece(f"{told.sign} {told.word}", TONES[told.light]), Piece(where)))
    return lines
