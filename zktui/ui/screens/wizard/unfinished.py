"""A run that is not over: whose it is, where it stands, and what can be done about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from zktui.maintenance.engine import Engine
from zktui.maintenance.model import NodeStep, RunStatus, Unfinished
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session
from zktui.ui.reach import app_of
from zktui.ui.screens.wizard.band import Band
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.frame import WizardScreen
from zktui.ui.screens.wizard.running import RunScreen
from zktui.ui.screens.wizard.standing import Answer, Light
from zktui.ui.screens.wizard.words import NEXT, NOW, OK, STOP, WAIT, clock, count, key, listed, span
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets import grid
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.page import Page, Row, row

LOOK = 2.0
"""Seconds between two looks at the leases: one has expired once it was seen unchanged for its whole duration."""
COLUMNS = (
    Column("BEGUN", 8, 16),
    Column("WHOSE", 8, 32),
    Column("STATE", 8, 16),
    Column("CORDONED", 8, 30),
    Column("NAMESPACE", 9, 20, priority=1),
    Column("RUN", 10, 24, priority=2),
)
BLANK = row()


class UnfinishedScreen(WizardScreen[None]):
    """Resumes a run, aborts it, or leaves it as it is. Reads the leases again and again while it is shown."""

    STAGE = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "resume", "Resume"),
        Binding("a", "abort", "Abort"),
        Binding("escape", "back", "Leave it"),
    ]
    DEFAULT_CSS = """
    UnfinishedScreen #all { height: auto; max-height: 6; }
    """

    def __init__(self, session: Session, found: Sequence[Unfinished]) -> None:
        """`found` is what is known already; at least one."""
        super().__init__(session)
        self.found = tuple(found)
        self._refused = ""
        """Why the last thing asked for was not done."""
        self._busy = False

    def compose_body(self) -> ComposeResult:
        with Vertical(id="body"):
            yield Band()
            runs = Grid(COLUMNS, empty="Every run is over, and nothing is left cordoned.", id="all")
            runs.border_title = "Unfinished"
            yield runs
            page = Page(id="one")
            page.entitle("Where it stands")
            yield page

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#all" if len(self.found) > 1 else "#one").focus()
        self._paint()
        self.run_worker(self._watch, name="wizard: unfinished", exclusive=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.found = await self.session.desk.unfinished()
            self._paint()

    @property
    def chosen(self) -> Unfinished | None:
        """The run under the cursor."""
        uid = self.query_one(Grid).cursor_uid
        return next((one for one in self.found if _uid(one) == uid), next(iter(self.found), None))

    def on_grid_moved(self) -> None:
        self._refused = ""
        self._paint()

    def _paint(self) -> None:
        now = self.session.clock.wall()
        self.query_one("#all", Grid).set_rows([_row(one, now) for one in self.found])
        self.query_one("#all").display = len(self.found) > 1
        number = len(self.found)
        self.say(Piece(f" {count(number, 'run')} not over" if number else " Every run is over", Tone.STRONG))
        one = self.chosen
        band = self.query_one(Band)
        if self._refused:
            band.tell(Answer(Light.BLOCKED, STOP, "NOT DONE", self._refused))
        else:
            band.tell(answer(one, now))
        self.query_one("#one", Page).show(rows(one, now) if one is not None else [])
        self.refresh_bindings()

    # -- keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        one = self.chosen if self.is_mounted else None
        if action in ("resume", "abort"):
            possible = one is not None and one.free and not self._busy and not self.session.desk.read_only
            return True if possible and (action == "abort" or _resumable(one)) else None
        return super().check_action(action, parameters)

    def action_resume(self) -> None:
        if (one := self.chosen) is not None:
            lines = [row("", [Piece(one.next_step, Tone.STRONG)])]
            lines.append(row("", [Piece("What was evicted already is not evicted again.", Tone.DIM)]))
            self._ask(one, "Resume this run?", "resume it", lines, resume=True)

    def action_abort(self) -> None:
        if (one := self.chosen) is not None:
            lines = [row("", [Piece("No other change is made: the run is taken, told to be over, and let go.")])]
            if one.cordoned:
                left = f"{listed(one.cordoned)} stays cordoned: nothing is uncordoned by itself."
                lines.append(row("", [Piece(f"! {left}", Tone.WAITING)]))
            self._ask(one, "End this run?", "end it", lines, resume=False)

    def _ask(self, one: Unfinished, title: str, yes: str, lines: list[Row], *, resume: bool) -> None:
        if one.word:
            whose = f"! {_holder(one) or 'Somebody'} is not known to be gone. If they are still at work, "
            lines.append(row("", [Piece(f"{whose}their run stops before its next change.", Tone.WAITING)]))

        def answered(sure: bool | None) -> None:
            if sure:
                self.run_worker(partial(self._take, one, resume=resume), name="wizard: take over", group="take")

        app_of(self).push_screen(Confirm(title, lines, yes, word=one.word, danger=bool(one.word)), answered)

    async def _take(self, one: Unfinished, *, resume: bool) -> None:
        desk = self.session.desk
        self._busy = True
        self._refused = ""
        self.refresh_bindings()
        try:
            take = desk.resume if resume else desk.abandon
            engine: Engine = await take(one, one.word)
        except CannotBegin as error:
            self._refused = f"{error.message} {error.hint}".strip()
            self._busy = False
            self._paint()
            return
        self.become(RunScreen(self.session, engine))


def _uid(one: Unfinished) -> str:
    return f"{one.namespace}/{one.run_id}"


def _resumable(one: Unfinished | None) -> bool:
    return one is not None and not one.refused


def _holder(one: Unfinished) -> str:
    """User, machine and process; the lease names the run beside them."""
    return one.holder.partition(" ")[0]


def _whose(one: Unfinished) -> str:
    return _holder(one) or ("nobody's now; begun on this machine" if one.here else "nobody's now")


def _row(one: Unfinished, now: float) -> grid.Row:
    return grid.Row(
        _uid(one),
        (
            grid.cell(_when(one.started, now)),
            grid.cell(_whose(one), Tone.STRONG),
            grid.cell(one.status.value, Tone.BLOCKED if one.status is RunStatus.FAILED else Tone.WAITING),
            grid.cell(listed(one.cordoned), Tone.WAITING),
            grid.cell(one.namespace),
            grid.cell(one.run_id, Tone.DIM),
        ),
    )


def _when(wall: float, now: float) -> str:
    if not wall:
        return "not known"
    return f"{span(now - wall)} ago" if now - wall < 36_000 else clock(wall)


def answer(one: Unfinished | None, now: float) -> Answer:
    """What to do about it, in one sentence."""
    if one is None:
        return Answer(Light.SAFE, OK, "ALL OVER", "Every run is over, and nothing is left cordoned.")
    if one.refused:
        return Answer(Light.BLOCKED, STOP, "BY HAND", f"It can't be resumed. {one.refused}")
    if not one.free:
        wait = f"It is free in {span(one.wait)} if nobody renews it." if one.wait is not None else "It is at work."
        return Answer(
            Light.WAITING,
            "…",
            "HELD",
            f"{one.holder or 'Somebody'} holds it, renewed {span(now - one.renewed)} ago. {wait}",
        )
    if one.status.ended:
        return Answer(
            Light.WAITING, "!", "LEFT BEHIND", f"It {one.status.value}, and {listed(one.cordoned)} stays cordoned."
        )
    return Answer(Light.WAITING, "!", "UNATTENDED", f"Nobody drives this run. {one.next_step}")


def rows(one: Unfinished, now: float) -> list[Row]:
    """Whose, where, what next, and how to finish by hand."""
    begun = f"{clock(one.started)}, {span(now - one.started)} ago" if one.started else "not known"
    lines = [
        _fact("run", [Piece(one.run_id, Tone.STRONG), Piece(f" in {one.namespace}", Tone.DIM)]),
        _fact("whose", [Piece(_whose(one), Tone.STRONG), Piece(_alive(one, now), Tone.DIM)]),
        _fact("begun", [Piece(begun)]),
        _fact("state", [Piece(one.status.value, Tone.WAITING), Piece(f": {one.message}" if one.message else "")]),
    ]
    if one.note:
        lines.append(_fact("note", [Piece(one.note, Tone.STRONG)]))
    lines.append(
        _fact("cordoned", [Piece(listed(one.cordoned, "nothing"), Tone.WAITING if one.cordoned else Tone.SAFE)])
    )
    if one.away:
        lines.append(_fact("not back", [Piece(listed(one.away), Tone.BLOCKED)]))
    lines += [BLANK, *_choices(one)]
    if one.by_hand:
        lines += [BLANK, row([Piece(" To finish by hand", Tone.STRONG)])]
        lines += [row("   ", [Piece(line, Tone.DIM if line.startswith("#") else Tone.KEY)]) for line in one.by_hand]
    return [*lines, BLANK, row([Piece(" Nodes", Tone.STRONG)]), *_nodes(one)]


def _choices(one: Unfinished) -> list[Row]:
    """What can be done here, by its key."""
    leave = row(key("esc", ""), [Piece("leave it: ", Tone.STRONG), Piece("nothing is changed.")])
    if not one.free:
        return [row([Piece(f" {WAIT} ", Tone.WAITING)], "It can be taken over once nobody holds it any more."), leave]
    abort = row(key("a", "  "), [Piece("abort: ", Tone.STRONG), Piece("it is over; what is cordoned stays so.")])
    if not _resumable(one):
        cant = [Piece(f"It can't be resumed. {one.refused}")]
        return [row([Piece(f" {STOP} ", Tone.BLOCKED)], cant), abort, leave]
    return [row(key("r", "  "), [Piece("resume: ", Tone.STRONG), Piece(one.next_step)]), abort, leave]


def _fact(name: str, body: list[Piece]) -> Row:
    return row([Piece(f" {name:<10}", Tone.DIM)], body)


def _alive(one: Unfinished, now: float) -> str:
    if not one.holder:
        return ""
    renewed = f", renewed {span(now - one.renewed)} ago" if one.renewed else ""
    return renewed + (", from this machine" if one.here else "")


def _nodes(one: Unfinished) -> list[Row]:
    lines: list[Row] = []
    for node in one.nodes:
        match node.step:
            case NodeStep.VERIFIED:
                sign, tone = OK, Tone.SAFE
            case NodeStep.PENDING | NodeStep.SKIPPED:
                sign, tone = NEXT, Tone.DIM
            case NodeStep.STOPPED:
                sign, tone = STOP, Tone.BLOCKED
            case NodeStep.LEFT_CORDONED:
                sign, tone = WAIT, Tone.WAITING
            case _:
                sign, tone = NOW, Tone.STRONG
        step = "not begun" if node.step is NodeStep.PENDING else node.step.value
        moved = [f"{pod.pod.name} {pod.step.value}" for pod in node.pods if pod.member]
        told = f"  {step}" + (f": {', '.join(moved)}" if moved and node.step is not NodeStep.VERIFIED else "")
        lines.append(row([Piece(f"   {sign} ", tone)], [Piece(node.name, tone), Piece(told, Tone.DIM)]))
    return lines
