"""The tutorial's chapters, checked on demand: a list of all checks, and everything about the one under the cursor."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from zktui.checks.model import Chapter, Check, Skipped
from zktui.core.text import span
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import EnsembleKey
from zktui.session import Session
from zktui.ui import checktext as words
from zktui.ui.fed import Fed
from zktui.ui.reach import app_of
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.oneline import Line, Lines, Part
from zktui.ui.widgets.page import Page, row
from zktui.ui.widgets.pane import GridPane, Pane

WIDE = 110
"""Columns from which list and detail stand side by side; below, one above the other."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is being looked at now."""

    key: EnsembleKey
    chapters: tuple[Chapter, ...]
    """Empty: all."""
    since: float


class ChecksPane(Fed, Horizontal):
    """Runs checks when it is told to, beside the event loop, and keeps what was found for each ensemble."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "run", "Run all"),
        Binding("c", "run_chapter", "Chapter"),
        Binding("p", "passed", "Passed"),
        Binding("y", "copy", "Copy"),
        Binding("enter", "whole", "Zoom"),
        Binding("escape", "back", "Back"),
    ]
    DEFAULT_CSS = """
    ChecksPane {
        & > #check-list { width: 1fr; }
        & > #check-detail { width: 1fr; border-left: solid $border-blurred; }
        & > #check-detail:focus-within { border-left: solid $primary; }
        & Lines { background: $surface; }
        &.-narrow {
            layout: vertical;
            & > #check-list { width: 1fr; height: 1fr; }
            & > #check-detail { width: 1fr; height: 1fr; border-left: none; }
        }
        &.-whole > #check-list { display: none; }
        &.-whole > #check-detail { border-left: none; }
    }
    """

    class Left(Message):
        """The reader wants to go back to where he came from."""

    def __init__(self, session: Session, *, id: str | None = None) -> None:  # noqa: A002  # Textual's own name
        super().__init__(id=id)
        self._inspector = session.inspector
        self._clock = session.clock
        self._read_only = session.settings.read_only
        self._view: EnsembleView | None = None
        self._found: dict[EnsembleKey, words.Findings] = {}
        self._now_looking: Running | None = None
        self._passed = True
        self._grid = ChecksGrid(words.COLUMNS, empty="Everything that was checked passes: p shows it.")
        self._page = Page()
        self._state = Lines(id="check-state")
        self._list = ListPane(self._grid, self._state)
        self._one = Pane(self._page, id="check-detail")

    def compose(self) -> ComposeResult:
        yield self._list
        yield self._one

    def on_mount(self) -> None:
        self._paint()

    def focus(self, scroll_visible: bool = True) -> Self:
        (self._page if self.has_class("-whole") else self._grid).focus(scroll_visible)
        self._paint()
        return self

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < WIDE, "-narrow")
        self._paint()

    # -- what is shown

    @property
    def running(self) -> bool:
        return self._now_looking is not None

    @property
    def findings(self) -> words.Findings:
        """Of the ensemble that is shown."""
        return self._found.get(self._view.key, {}) if self._view is not None else {}

    def show(self, view: EnsembleView | None) -> None:
        """Tell of this ensemble from now on; None when there is none. Ages are counted anew with each call."""
        self._view = view
        if self.display:
            self._paint()

    def _paint(self) -> None:
        if not self.is_mounted:
            return
        now, found = self._clock.now(), self.findings
        self._grid.set_rows(words.list_rows(found, now, passed=self._passed or not found))
        wide = not self.has_class("-narrow")
        checks = words.every(found)
        tally = words.tally(checks, words=wide)
        self._list.titled("Checks", *([Piece("  "), *tally] if tally else []))
        self._state.show(self._state_line(now))
        self._detail(now)

    def _state_line(self, now: float) -> Line:
        """What goes on, or how old the oldest of it is."""
        running, found = self._now_looking, self.findings
        if running is not None:
            what = f"chapter {int(running.chapters[0])}" if len(running.chapters) == 1 else "every chapter"
            where = "" if self._view and running.key == self._view.key else f" of {running.key.name}"
            return _line(f"… looking, {what}{where}: {span(now - running.since)}", Tone.WAITING)
        why = words.nothing_told(found)
        if why:
            return _line(f"✗ Nothing could be told: {why}", Tone.BLOCKED)
        if not found:
            return _line("Not run yet. r runs all of them: they only read.", Tone.DIM)
        oldest = now - min(looked.at for looked in found.values())
        hidden = "" if self._passed else "; what passes is hidden"
        return _line(f"looked at {words.ago(oldest)}{hidden}", Tone.DIM)

    def _detail(self, now: float) -> None:
        uid = self._grid.cursor_uid
        chapter = self._chapter
        looked = self.findings.get(chapter) if chapter is not None else None
        check = self.check
        if chapter is None:
            self._page.show([])
        elif check is not None and looked is not None:
            self._page.show(words.check_rows(check, looked, now))
        elif self._skipped is not None:
            self._page.show(words.skipped_rows(self._skipped))
        else:
            self._page.show(words.chapter_rows(chapter, looked, now))
        named = check is not None or self._skipped is not None
        self._one.titled("Check ", Piece(uid, Tone.DIM)) if named else self._one.titled("Chapter")

    @property
    def check(self) -> Check | None:
        """The one under the cursor; None on a chapter's own line."""
        uid = self._grid.cursor_uid
        return next((check for check in words.every(self.findings) if check.code == uid), None)

    @property
    def _skipped(self) -> Skipped | None:
        uid = self._grid.cursor_uid
        return next((item for looked in self.findings.values() for item in looked.skipped if item.code == uid), None)

    @property
    def _chapter(self) -> Chapter | None:
        """The one that the cursor is in."""
        at = self.check or self._skipped
        if at is not None:
            return at.chapter
        return next((c for c in Chapter if words.heading_uid(c) == self._grid.cursor_uid), None)

    @on(Grid.Moved)
    def _moved(self, event: Grid.Moved) -> None:
        event.stop()
        self._detail(self._clock.now())
        self._page.scroll_home(animate=False)
        self.refresh_bindings()

    # -- looking

    def run(self, chapters: Collection[Chapter] = ()) -> None:
        """Look at these chapters now, at all when none is named; nothing happens while a look goes on.

        Where it would write it asks before.
        """
        if Chapter.SANITY not in chapters or self._read_only:
            self._run(chapters)
            return
        from zktui.ui.screens.wizard.confirm import Confirm  # noqa: PLC0415  # the first paint does not pay for it

        told = "zktui writes one small znode through each member, reads it back through every other one, and "
        lines = [row("", [Piece(f"{told}deletes them.", Tone.STRONG)])]
        asked = Confirm("Play a round through every member?", lines, "play it")
        app_of(self).push_screen(asked, lambda yes: self._run(chapters) if yes else None)

    def _run(self, chapters: Collection[Chapter]) -> None:
        if self._now_looking is not None or self._view is None:
            return
        self._now_looking = Running(self._view.key, tuple(chapters), self._clock.now())
        self.run_worker(partial(self._look, self._view, self._now_looking), name="checks", exclusive=True)
        self._paint()
        self.refresh_bindings()

    async def _look(self, view: EnsembleView, running: Running) -> None:
        report = await self._inspector.inspect(view.ensemble, running.chapters)
        known = self._found.get(running.key, {})
        self._found[running.key] = words.merged(known, report, running.chapters, self._clock.now())
        self._now_looking = None
        self._paint()
        self.refresh_bindings()

    # -- keys

    # `run` stays a key while a look goes on, when it does nothing: Textual would hand it on to the screen.
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  overrides
        if action == "copy":
            return self.check is not None and bool(words.to_copy(self.check))
        if action == "passed":
            return bool(self.findings)
        return True

    def action_run(self) -> None:
        self.run()

    def action_run_chapter(self) -> None:
        chapter = self._chapter
        if chapter is not None:
            self.run((chapter,))

    def action_passed(self) -> None:
        """Leave out what passes, or show it again."""
        self._passed = not self._passed
        self._paint()

    def action_copy(self) -> None:
        check = self.check
        text = words.to_copy(check) if check is not None else ""
        if check is not None and text:
            app_of(self).copy_to_clipboard(text)
            self.notify(f"Copied {'what mends it' if check.patch else 'the line by hand'}", markup=False, timeout=2)

    def action_whole(self) -> None:
        """The detail in the whole pane; again, the list beside it."""
        self.toggle_class("-whole")
        (self._page if self.has_class("-whole") else self._grid).focus()

    def action_back(self) -> None:
        if self.has_class("-whole"):
            self.action_whole()
        else:
            self.post_message(self.Left())


def _line(text: str, tone: Tone) -> Line:
    return Line((Part((Piece(text, tone),)),))


class ListPane(GridPane):
    """The list, and below it what goes on."""

    def __init__(self, grid: Grid, state: Lines) -> None:
        super().__init__(grid, id="check-list")
        self._state = state

    def below(self) -> ComposeResult:
        yield self._state


class ChecksGrid(Grid):
    """Stays in the order of the chapters: sorted, a chapter's line would stand away from its checks."""

    DEFAULT_CSS = """
    ChecksGrid { height: 1fr; scrollbar-gutter: stable; }
    """

    def sort(self, column: int | None, reverse: bool = False) -> None:
        pass

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in ("sort", "turn") and super().check_action(action, parameters)
