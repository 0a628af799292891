"""One work on the ensemble: what it would do, what stands in the way, the question, and how it goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from zktui.core.view import View
from zktui.core.zookeeper import EnsembleKey
from zktui.session import Session
from zktui.ui.fed import Fed
from zktui.ui.painting import Painter
from zktui.ui.reach import app_of
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.banner import Banner
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.page import Page, Row, row
from zktui.ui.widgets.pane import Pane
from zktui.ui.works import Doing, Ending, Prepared, Work, Works

LOOK = 0.2
"""Seconds between two looks at what was told."""
BLANK = row()


class WorkScreen(Fed, Screen[None]):
    """Closing it stops nothing; a work under way is found here again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "start", "Start"),
        Binding("x", "stop", "Stop"),
        Binding("r", "again", "Read again"),
        Binding("escape", "dismiss", "Back"),
    ]

    def __init__(
        self, session: Session, painter: Painter, works: Works, work: Work | None, key: EnsembleKey | None = None
    ) -> None:
        """Shows the work under way instead, where there is one; None is for that alone. `key` is for the banner."""
        super().__init__()
        self._session = session
        self._painter = painter
        self._key = key
        self._banner = Banner()
        self._works = works
        self._doing: Doing | None = works.under_way if work is None or works.under_way is not None else None
        shown = self._doing.work if self._doing is not None else work
        assert shown is not None, "there is nothing to show"
        self._work = shown
        self._prepared: Prepared | None = None
        self._page = Page(follow=self._doing is not None)
        self._pane = Pane(self._page)
        self._shown = (-1, False)

    def compose(self) -> ComposeResult:
        yield self._banner
        yield self._pane
        yield KeyBar()

    def on_mount(self) -> None:
        self.until_removed(self._painter.watch(self._view))
        self._page.focus()
        self.set_interval(LOOK, self._look)
        if self._doing is None:
            self.action_again()
        self._paint()

    def action_again(self) -> None:
        """Read again; after an ending, that is forgotten."""
        if self._works.under_way is None:
            self._doing = None
            self.run_worker(self._prepare, name="work: prepare", exclusive=True)

    async def _prepare(self) -> None:
        self._prepared = None
        self._paint()
        self._prepared = await self._work.prepare()
        self._paint()
        self._page.scroll_home(animate=False)

    def _look(self) -> None:
        if self._doing is not None and self._shown != (len(self._doing.lines), self._doing.ending is not None):
            self._paint()

    # -- painting

    def _view(self, view: View) -> None:
        """Quorum and budget beside it, as they are now."""
        ensemble = view.ensemble(self._key) or next(iter(view.ensembles), None)
        read_only = self._session.settings.read_only
        self._banner.paint(view, ensemble, self._session.place, None, read_only=read_only, tabbed=False)

    def _paint(self) -> None:
        doing = self._doing
        self.refresh_bindings()
        if doing is not None:
            self._shown = (len(doing.lines), doing.ending is not None)
            self._page.show(_told(doing))
            self._page.scroll_end(animate=False)
            self._pane.titled(f"{self._work.title} ", _standing(doing.ending))
        elif self._prepared is None:
            self._page.show([row(" ", [Piece("Reading. Nothing is changed.", Tone.DIM)])])
            self._pane.titled(f"{self._work.title} ", Piece("… reading", Tone.WAITING))
        else:
            self._page.show(_before(self._prepared))
            ready = self._prepared.may_begin
            sign = Piece("✓ s starts it", Tone.SAFE) if ready else Piece("✗ nothing to start", Tone.BLOCKED)
            if self._prepared.only_told:
                sign = Piece("· only told", Tone.DIM)
            elif ready and self._prepared.obstacles:
                sign = Piece("! something stands in the way", Tone.WAITING)
            self._pane.titled(f"{self._work.title} ", sign)

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  overrides
        if action == "start" and self._prepared is not None and self._prepared.only_told:
            return False
        if action == "start":
            return True if self._doing is None and self._prepared is not None and self._prepared.may_begin else None
        if action == "stop":
            return self._doing is not None and self._doing.ending is None and self._work.stoppable
        if action == "again":
            return self._works.under_way is None
        return True

    def action_start(self) -> None:
        prepared = self._prepared
        if prepared is None or not prepared.may_begin or self._doing is not None:
            return
        lines = [row("", [Piece(f"! {each}", Tone.WAITING)]) for each in prepared.obstacles]
        lines = lines or [row("", [Piece("Nothing stands in its way now.", Tone.SAFE)])]
        word, title = prepared.word, f"{self._work.title}?"
        asked = Confirm(title, lines, self._work.verb, word=word, danger=bool(prepared.obstacles or word))

        def answered(yes: bool | None) -> None:
            if yes:
                self._doing = self._works.begin(self._work, word)
                self._page.focus()
                self._paint()

        app_of(self).push_screen(asked, answered)

    def action_stop(self) -> None:
        lines = [row("", [Piece("What is in flight is still awaited; nothing else is begun.")])]

        def answered(yes: bool | None) -> None:
            if yes:
                self._work.stop()

        app_of(self).push_screen(Confirm("Stop it?", lines, "stop it", "let it go on"), answered)


def _standing(ending: Ending | None) -> Piece:
    if ending is None:
        return Piece("▸ under way", Tone.WAITING)
    return Piece("✓ done", Tone.SAFE) if ending.done else Piece("✗ not done", Tone.BLOCKED)


def _before(prepared: Prepared) -> Sequence[Row]:
    if prepared.only_told:
        return prepared.rows
    stands = [row(Piece(" ! ", Tone.WAITING), [Piece(each, Tone.WAITING)]) for each in prepared.obstacles]
    if not stands:
        stands = [row(Piece(" ✓ ", Tone.SAFE), [Piece("nothing stands in its way now", Tone.SAFE)])]
    return [*stands, BLANK, *prepared.rows]


def _told(doing: Doing) -> Sequence[Row]:
    lines = [
        row([Piece(f" {time.strftime('%H:%M:%S', time.localtime(wall))}  ", Tone.DIM)], text)
        for wall, text in doing.lines
    ]
    if doing.ending is None:
        return [*lines, row(" ", [Piece("…", Tone.WAITING)])]
    mark, tone = ("✓", Tone.SAFE) if doing.ending.done else ("✗", Tone.BLOCKED)
    return [*lines, BLANK, row(Piece(f" {mark} ", tone), [Piece(doing.ending.text, tone)])]
