"""The wizard by keys, on frozen runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from rich.console import RenderableType
from textual._compositor import LayoutUpdate
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from tests.ui import wizard_states as states
from tests.ui.fakes import World, node
from tests.ui.pilots import screen_text
from tests.ui.wizard_driver import SMALL, WIDE, Wizard
from zktui.core.deltas import Kind
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.desk import Desk
from zktui.maintenance.model import (
    POWERED_OFF,
    Action,
    Command,
    CommandKind,
    Event,
    GateName,
    Hold,
    HoldKind,
    Level,
    Options,
    Plan,
    RunStatus,
    Unfinished,
)
from zktui.maintenance.refusals import CannotBegin, NoNodes, RunUnderWay
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.help import HelpScreen
from zktui.ui.screens.leave import LeaveScreen
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.small import TooSmallScreen
from zktui.ui.screens.wizard import open_wizard
from zktui.ui.screens.wizard.band import Band
from zktui.ui.screens.wizard.choose import ChooseScreen
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.logs import LogsScreen
from zktui.ui.screens.wizard.note import NoteScreen
from zktui.ui.screens.wizard.options import OptionsScreen
from zktui.ui.screens.wizard.review import ReviewScreen
from zktui.ui.screens.wizard.running import RunScreen
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.page import Page


class FakeDesk:
    """A desk that says what the test wants and remembers what it was asked."""

    def __init__(self, plan: Plan | None = None, *, read_only: bool = False) -> None:
        self.plan = plan or states.review()
        self.read_only = read_only
        self.engine: states.StillEngine | None = None
        self.reviews: list[tuple[tuple[str, ...], Options]] = []
        self.refusal: RunUnderWay | None = None
        self.answer = asyncio.Event()
        self.answer.set()
        self.left: tuple[Unfinished, ...] = ()
        """What nobody drives."""
        self.looks = 0
        self.taken: list[tuple[str, str, str]] = []
        """What was asked for, of which run, and the word that was typed."""
        self.refused: CannotBegin | None = None
        self.notes: list[str] = []
        """With what each run was begun."""
        self.acts: list[tuple[Action, str]] = []
        """What was to be done, and the word that was typed."""
        self.needed: tuple[str, ...] | NoNodes = ("node-1", "node-2", "node-3")
        """Which nodes carry the ensemble, as a reading says, once `answer` is set."""

    async def nodes_for(
        self, selector: str = "", *, ensemble_nodes: bool = False, ensemble: EnsembleKey | None = None
    ) -> tuple[str, ...]:
        assert (selector, ensemble_nodes) == ("", True)
        await self.answer.wait()
        if isinstance(self.needed, NoNodes):
            raise self.needed
        return self.needed

    async def unfinished(self) -> tuple[Unfinished, ...]:
        self.looks += 1
        return self.left

    async def act(self, action: Action, typed: str = "") -> str:
        self.acts.append((action, typed))
        if self.refused is not None:
            raise self.refused
        self.plan = states.review()
        return "Done: a budget for zk."

    async def resume(self, which: Unfinished, typed: str = "") -> states.StillEngine:
        return self._take("resume", which, typed)

    async def abandon(self, which: Unfinished, typed: str = "") -> states.StillEngine:
        return self._take("abandon", which, typed)

    def _take(self, how: str, which: Unfinished, typed: str) -> states.StillEngine:
        self.taken.append((how, which.run_id, typed))
        if self.refused is not None:
            raise self.refused
        self.engine = states.engine(states.STATES["hold-waits" if how == "resume" else "aborted"]())
        return self.engine

    async def review(self, nodes: Sequence[str], options: Options) -> Plan:
        self.reviews.append((tuple(nodes), options))
        await self.answer.wait()
        return self.plan

    def begin(self, plan: Plan, note: str = "") -> states.StillEngine:
        assert (plan.nodes, plan.unacknowledged) == (self.plan.nodes, ())
        if self.refusal is not None:
            raise self.refusal
        self.notes.append(note)
        self.engine = states.engine(states.STATES["claim"]())
        return self.engine


class Frozen(Wizard):
    """The wizard over a desk of the test's."""

    def __init__(self, pilot: Pilot[None], app: ZktuiApp, desk: FakeDesk, world: World) -> None:
        super().__init__(pilot, app)
        self.desk = desk
        self.world = world

    @property
    def engine(self) -> states.StillEngine:
        assert self.desk.engine is not None
        return self.desk.engine


@asynccontextmanager
async def opened(
    state: Path, desk: FakeDesk | None = None, run: str = "", size: tuple[int, int] = WIDE
) -> AsyncGenerator[Frozen]:
    """The wizard opened over a healthy ensemble; with `run`, on a run in that state."""
    world = World()
    world.ensemble()
    desk = desk or FakeDesk()
    if run:
        desk.engine = states.engine(states.STATES[run]())
    app = ZktuiApp(world.session(state, desk=cast(Desk, desk)))
    async with app.run_test(size=size) as pilot:
        wizard = Frozen(pilot, app, desk, world)
        if run and desk.engine and desk.engine.run.status.ended:
            app.push_screen(RunScreen(app.session, desk.engine))
        else:
            open_wizard(app, app.session, world.key)
        await wizard.on(RunScreen if run else ChooseScreen)
        yield wizard


async def test_marked_nodes_are_reviewed(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        grid = wizard.app.screen.query_one(Grid)
        await wizard.until(lambda: len(grid.rows) == 4)
        assert "zk-1 ★ leader" in grid.rows[1].cells[3].text
        await wizard.press("space", "down", "space")
        assert "node-1 and node-2" in wizard.page("told")
        assert "zk-1 leads" in wizard.page("told")
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        assert wizard.desk.reviews == [(("node-1", "node-2"), Options())]


async def test_what_changes_below_the_wizard_does_not_draw_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Textual draws all of the top screen for each line that the covered one changes: too much for an ssh session."""
    drawn: list[object] = []
    async with opened(tmp_path, run="hold") as wizard:
        below = wizard.app.screen_stack[-2]
        assert isinstance(below, MainScreen)

        def seen(_screen: Screen[object], update: RenderableType | None) -> None:
            drawn.append(update)

        monkeypatch.setattr(wizard.app, "_display", seen)
        for _ in range(5):
            before = len(drawn)
            below.query_one(Grid).refresh()
            wizard.app.screen.query_one("#steps", Page).refresh_line(0)
            await wizard.until(lambda before=before: len(drawn) > before)
        assert not any(isinstance(update, LayoutUpdate) for update in drawn)
        wizard.app.pop_screen()
        await wizard.until(lambda: wizard.app.screen is below)
        drawn.clear()
        below.query_one(Grid).refresh()
        await wizard.until(lambda: bool(drawn))


async def test_in_a_terminal_that_is_too_small_it_still_says_whether_it_is_safe(tmp_path: Path) -> None:
    async with opened(tmp_path, run="hold") as wizard:
        await wizard.pilot.resize_terminal(60, 18)
        await wizard.on(TooSmallScreen)
        told = screen_text(wizard.pilot)
        assert "● SAFE  zk can lose 1 more member" in told
        assert "● YOURS  maintenance, node-3" in told


async def test_a_question_in_a_small_terminal_keeps_nothing_covered_once_there_is_room(tmp_path: Path) -> None:
    """The terminal grew while the question stood above: who answers it may not be left before a note that is untrue."""
    async with opened(tmp_path, run="hold") as wizard:
        await wizard.pilot.resize_terminal(60, 18)
        await wizard.on(TooSmallScreen)
        await wizard.press("q")
        await wizard.on(LeaveScreen)
        await wizard.pilot.resize_terminal(50, 16)
        await wizard.pilot.resize_terminal(*WIDE)
        assert sum(isinstance(each, TooSmallScreen) for each in wizard.app.screen_stack) == 1
        await wizard.press("escape")
        await wizard.on(RunScreen)


async def test_help_names_what_the_run_can_be_told_on_its_first_page(tmp_path: Path) -> None:
    """Keys that only scroll are one line: they filled the first page of the smallest terminal."""
    async with opened(tmp_path, run="gates", size=SMALL) as wizard:
        await wizard.press("question_mark")
        await wizard.on(HelpScreen)
        told = screen_text(wizard.pilot)
        assert all(words in told for words in ("Pause", "Skip", "Note", "Abort", "Logs", "Detach"))


async def test_keys_typed_fast_keep_their_order(tmp_path: Path) -> None:
    """Marking may not overtake the cursor: it would take down the wrong node."""
    async with opened(tmp_path) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        for key in ("down", "down", "space", "enter"):
            wizard.app.post_message(Key(key, " " if key == "space" else None))
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: bool(wizard.desk.reviews))
        assert wizard.desk.reviews[0][0] == ("node-3",)
        await wizard.press("o")
        await wizard.on(OptionsScreen)
        for key in ("down", "space", "down", "down", "down", "right", "3", "0", "enter"):
            wizard.app.post_message(Key(key, {"space": " ", "3": "3", "0": "0"}.get(key)))
        await wizard.until(lambda: len(wizard.desk.reviews) == 2)
        assert wizard.desk.reviews[1][1] == Options(delete_emptydir_data=True, hold=Hold(HoldKind.SECONDS, 30.0))


async def test_without_marks_the_node_under_the_cursor_is_reviewed(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        await wizard.press("down", "down", "enter")
        await wizard.on(ReviewScreen)
        assert wizard.desk.reviews[0][0] == ("node-3",)


async def test_e_marks_every_node_that_carries_the_ensemble(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        await wizard.press("e")
        assert "node-1, node-2 and node-3" in wizard.page("told")
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        assert wizard.desk.reviews[0][0] == ("node-1", "node-2", "node-3")


async def test_e_also_marks_an_empty_node_that_has_to_take_a_member(tmp_path: Path) -> None:
    """As `--ensemble-nodes` does; a review that is asked for meanwhile is of all of them."""
    desk = FakeDesk()
    desk.needed = ("node-1", "node-2", "node-3", "node-4")
    desk.answer.clear()
    async with opened(tmp_path, desk) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        await wizard.press("e")
        assert "Reading whether an empty node has to take a member." in wizard.page("told")
        await wizard.press("enter")
        assert "Then the review." in wizard.page("told")
        assert not desk.reviews
        desk.answer.set()
        await wizard.on(ReviewScreen)
        assert desk.reviews[0][0] == ("node-1", "node-2", "node-3", "node-4")
        await wizard.press("escape")
        await wizard.on(ChooseScreen)
        assert "node-4 is empty and has to take a member: no other node can." in wizard.page("told").replace("\n", " ")


async def test_what_e_could_not_read_is_said_before_a_review(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.needed = NoNodes("The pods of default/zk can't be read: forbidden.")
    desk.answer.clear()
    async with opened(tmp_path, desk) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        await wizard.press("e", "enter")
        desk.answer.set()
        await wizard.until(lambda: "can't be read: forbidden." in wizard.page("told"))
        assert isinstance(wizard.app.screen, ChooseScreen)
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        assert desk.reviews[0][0] == ("node-1", "node-2", "node-3")


async def test_x_takes_back_what_e_is_still_reading(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.needed = ("node-1", "node-2", "node-3", "node-4")
    desk.answer.clear()
    async with opened(tmp_path, desk) as wizard:
        grid = wizard.app.screen.query_one(Grid)
        await wizard.until(lambda: len(grid.rows) == 4)
        await wizard.press("e", "x")
        desk.answer.set()
        await wizard.pilot.pause()
        assert not grid.marks
        assert "Reading" not in wizard.page("told")


async def test_e_without_a_member_anywhere_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        wizard.world.unschedule()
        await wizard.press("e")
        assert "No node carries a member now." in wizard.page("told")
        assert not wizard.app.screen.query_one(Grid).marks


async def test_nodes_by_label_are_marked_as_the_selector_is_typed(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        for name, pool in (("node-1", "a"), ("node-2", "b"), ("node-3", "zk"), ("node-4", "zk")):
            wizard.world.upsert(Kind.NODES, node(name, labels={"pool": pool}))
        grid = wizard.app.screen.query_one(Grid)
        await wizard.until(lambda: len(grid.rows) == 4)
        await wizard.press("space", "l", *"pool")
        assert len(grid.marks) == 4
        await wizard.press("equals_sign", "z")
        assert grid.marks == {"uid-node-1"}
        assert "No node has the labels pool=z." in wizard.page("told")
        await wizard.press("k")
        assert grid.marks == {"uid-node-1", "uid-node-3", "uid-node-4"}
        await wizard.press("enter")
        assert grid.has_focus
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        assert wizard.desk.reviews[0][0] == ("node-1", "node-3", "node-4")


async def test_a_selector_that_is_left_or_not_understood_marks_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        grid = wizard.app.screen.query_one(Grid)
        await wizard.until(lambda: len(grid.rows) == 4)
        await wizard.press("down", "space", "l", *"pool", "equals_sign", "left_parenthesis")
        assert "Not a label selector: 'pool=('." in wizard.page("told")
        assert grid.marks == {"uid-node-2"}
        await wizard.press("escape")
        await wizard.press("l", "exclamation_mark", *"pool")
        assert len(grid.marks) == 4
        await wizard.press("escape")
        assert grid.marks == {"uid-node-2"}
        assert isinstance(wizard.app.screen, ChooseScreen)
        await wizard.press("x")
        assert not grid.marks


async def test_letters_of_a_selector_are_no_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        grid = wizard.app.screen.query_one(Grid)
        await wizard.until(lambda: len(grid.rows) == 4)
        await wizard.press("l", *"exl")
        assert wizard.app.screen.query_one(Input).value == "exl"
        assert not grid.marks


async def test_what_needs_it_is_acknowledged_before_a_run_can_begin(tmp_path: Path) -> None:
    async with opened(tmp_path, FakeDesk(states.review(Level.INFO))) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READ THIS")
        assert "Start" not in wizard.keys
        await wizard.press("s")
        assert isinstance(wizard.app.screen, ReviewScreen)
        await wizard.press("k")
        await wizard.on(Confirm)
        await wizard.press("n")
        await wizard.on(ReviewScreen)
        assert wizard.word == "READ THIS"
        await wizard.press("k")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        assert "Acknowledge" not in wizard.keys
        assert len(wizard.desk.reviews) == 1
        await wizard.press("s")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(RunScreen)


async def test_what_a_finding_offers_is_done_and_everything_read_again(tmp_path: Path) -> None:
    async with opened(tmp_path, FakeDesk(states.review(Level.INFO))) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READ THIS")
        assert "press f to create a budget for zk: maxUnavailable 1" in wizard.page("plan")
        await wizard.press("f")
        await wizard.on(Confirm)
        await wizard.press("n")
        await wizard.on(ReviewScreen)
        assert wizard.desk.acts == []
        await wizard.press("f")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        assert wizard.page("plan").startswith(" Done: a budget for zk.")
        assert wizard.desk.acts == [(states.NO_BUDGET.action, "")]
        assert len(wizard.desk.reviews) == 2
        assert "Do it" not in wizard.keys


async def test_what_was_not_done_is_said_and_everything_read_again(tmp_path: Path) -> None:
    desk = FakeDesk(states.review(Level.INFO))
    desk.refused = CannotBegin("Not done: a budget covers it by now.")
    async with opened(tmp_path, desk) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READ THIS")
        await wizard.press("f")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.until(lambda: len(wizard.desk.reviews) == 2)
        await wizard.until(lambda: "Not done: a budget covers it by now." in wizard.page("plan"))


async def test_c_leaves_the_cordons_ahead_out_and_back_in(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        await wizard.press("e", "enter")
        await wizard.on(ReviewScreen)
        await wizard.press("c")
        await wizard.until(lambda: len(wizard.desk.reviews) == 2)
        await wizard.press("c")
        await wizard.until(lambda: len(wizard.desk.reviews) == 3)
        assert [options.cordon_ahead for _, options in wizard.desk.reviews] == [True, False, True]


async def test_c_means_nothing_for_a_single_node(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.press("c")
        await wizard.until(lambda: wizard.word == "READY")
        assert len(wizard.desk.reviews) == 1
        assert "Cordon ahead" not in wizard.keys


async def test_back_from_a_review_keeps_marks_and_options(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.until(lambda: len(wizard.app.screen.query_one(Grid).rows) == 4)
        await wizard.press("space", "enter")
        await wizard.on(ReviewScreen)
        await wizard.press("o")
        await wizard.on(OptionsScreen)
        await wizard.press("space", "enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: len(wizard.desk.reviews) == 2)
        await wizard.press("escape")
        await wizard.on(ChooseScreen)
        assert len(wizard.app.screen.query_one(Grid).marks) == 1
        await wizard.press("enter")
        await wizard.until(lambda: len(wizard.desk.reviews) == 3)
        kept = Options(ignore_daemonsets=True)
        assert [options for _, options in wizard.desk.reviews] == [Options(), kept, kept]


async def test_while_it_reads_nothing_can_be_started(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.answer.clear()
    async with opened(tmp_path, desk) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        assert wizard.word == "READING"
        assert "Start" not in wizard.keys
        await wizard.press("s")
        assert isinstance(wizard.app.screen, ReviewScreen)
        desk.answer.set()
        await wizard.until(lambda: wizard.word == "READY")
        assert "Start" in wizard.keys


async def test_a_review_that_says_stop_cannot_be_started(tmp_path: Path) -> None:
    async with opened(tmp_path, FakeDesk(states.review(Level.STOP))) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "STOP")
        await wizard.press("s")
        assert isinstance(wizard.app.screen, ReviewScreen)
        assert wizard.desk.engine is None


async def test_read_only_reviews_and_does_not_run(tmp_path: Path) -> None:
    async with opened(tmp_path, FakeDesk(read_only=True)) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        assert "READ-ONLY" in str(wizard.app.screen.query_one("#where").render())
        await wizard.press("s")
        assert isinstance(wizard.app.screen, ReviewScreen)
        assert wizard.desk.engine is None


async def test_a_confirmed_review_becomes_a_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        await wizard.press("s")
        await wizard.on(Confirm)
        await wizard.press("n")
        await wizard.on(ReviewScreen)
        assert wizard.desk.engine is None
        await wizard.press("s")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(RunScreen)
        await wizard.press("d")
        await wizard.on(MainScreen)


async def test_what_can_not_be_brought_back_takes_a_typed_word(tmp_path: Path) -> None:
    plan = states.plan(Options(delete_emptydir_data=True))
    async with opened(tmp_path, FakeDesk(plan)) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        await wizard.press("s")
        await wizard.on(Confirm)
        await wizard.press("y", "enter")
        assert isinstance(wizard.app.screen, Confirm)
        await wizard.press("backspace", *"zk", "enter")
        await wizard.on(RunScreen)


async def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    desk = FakeDesk()
    desk.refusal = RunUnderWay("Another run is under way.", "Wait for it.")
    async with opened(tmp_path, desk) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: wizard.word == "READY")
        await wizard.press("s")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(ReviewScreen)
        assert wizard.word == "NOT BEGUN"
        assert wizard.app.screen.query_one(Band).answer.sentence == "Another run is under way. Wait for it."


async def test_options_by_keys(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.press("o")
        await wizard.on(OptionsScreen)
        await wizard.press(
            "down", "space", "down", "down", "down", "left", "down", "4", "5", "down", "right", "left", "left"
        )
        await wizard.press("7", "backspace", "enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: len(wizard.desk.reviews) == 2)
        assert wizard.desk.reviews[1][1] == Options(delete_emptydir_data=True, hold=Hold(HoldKind.LEAVE), timeout=45.0)
        await wizard.press("o")
        await wizard.on(OptionsScreen)
        await wizard.press("space", "escape")
        await wizard.on(ReviewScreen)
        assert len(wizard.desk.reviews) == 2


async def test_options_that_take_words_and_a_grace_of_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.press("o")
        await wizard.on(OptionsScreen)
        await wizard.press(*["down"] * 6, "0", *["down"] * 2, "space", *"app in (", "enter")
        assert "not a label selector: 'app in ('" in screen_text(wizard.pilot)
        await wizard.press("space", *"app=web", "escape", "space", *"tier=5", "enter")
        assert "tier=5" in screen_text(wizard.pilot)
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.until(lambda: len(wizard.desk.reviews) == 2)
        assert wizard.desk.reviews[1][1] == Options(grace_period=0, pod_selector="tier=5")


async def test_a_note_from_the_review_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as wizard:
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        await wizard.press("n")
        await wizard.on(NoteScreen)
        await wizard.press(*"disk", "enter")
        await wizard.on(ReviewScreen)
        assert "note  disk" in wizard.page("plan")
        await wizard.press("n")
        await wizard.on(NoteScreen)
        await wizard.press(*"s", "escape")
        await wizard.on(ReviewScreen)
        # It is kept while other nodes are looked for.
        await wizard.press("escape")
        await wizard.on(ChooseScreen)
        await wizard.press("enter")
        await wizard.on(ReviewScreen)
        assert "note  disk" in wizard.page("plan")
        assert len(wizard.desk.reviews) == 2, "a note is no reason to read again"
        await wizard.press("s")
        await wizard.on(Confirm)
        assert "Note: disk" in screen_text(wizard.pilot)
        await wizard.press("y")
        await wizard.on(RunScreen)
        assert wizard.desk.notes == ["disk"]


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_every_state_is_painted(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, run="claim", size=size) as wizard:
        screen = cast(RunScreen, wizard.app.screen)
        for name, state in states.STATES.items():
            run = state()
            wizard.engine.become(run)
            await wizard.until(lambda run=run: screen.painted is run)
            assert wizard.word, name
            for page in ("now", "steps", "chart", "ensemble", "journal"):
                assert wizard.page(page).strip(), (name, page)
        shown = [page.id for page in screen.query(Page) if page.region.area]
        assert shown == (["steps", "now", "chart", "ensemble", "journal"] if size == WIDE else ["now", "journal"])


async def test_a_change_of_the_run_is_painted(tmp_path: Path) -> None:
    async with opened(tmp_path, run="gates") as wizard:
        screen = cast(RunScreen, wizard.app.screen)
        await wizard.until(lambda: wizard.word == "WORKING")
        blocked = states.blocked(GateName.QUORUM)
        wizard.engine.journal.append(Event(0, 0.0, "gate", "quorum is blocked"))
        wizard.engine.become(blocked)
        await wizard.until(lambda: screen.painted is blocked)
        assert wizard.word == "BLOCKED"
        assert "zk-0 serves again" in wizard.page("now")
        assert wizard.page("journal").endswith("quorum is blocked")
        assert wizard.page("journal").count("cordon node-3") == 1


@pytest.mark.parametrize(
    ("state", "keys", "command"),
    [
        ("gates", ["space"], Command(CommandKind.PAUSE)),
        ("paused", ["space"], Command(CommandKind.RESUME)),
        ("pausing", ["space"], Command(CommandKind.RESUME)),
        ("hold", ["u"], Command(CommandKind.UNCORDON, node="node-3")),
        ("blocked-landing", ["u", *"node-4", "enter"], Command(CommandKind.UNCORDON, typed="node-4", node="node-4")),
        ("blocked-ahead", ["u", "y"], Command(CommandKind.UNCORDON, typed="node-1", node="node-1")),
        ("gates", ["a", "y"], Command(CommandKind.ABORT)),
        ("blocked-quorum", ["o", *"zk-2", "enter"], Command(CommandKind.OVERRIDE, GateName.QUORUM, "zk-2")),
        ("waiting", ["o", *"zk-2", "enter"], Command(CommandKind.OVERRIDE, GateName.SETTLED, "zk-2")),
        ("gates", ["s", "y"], Command(CommandKind.SKIP)),
        ("blocked-budget", ["s", "y"], Command(CommandKind.SKIP)),
        ("paused", ["s", "y"], Command(CommandKind.SKIP)),
        ("gates", ["n", *"disk", "enter"], Command(CommandKind.NOTE, text="disk")),
        ("aborting", ["n", *"why", "enter"], Command(CommandKind.NOTE, text="why")),
        ("hold", ["n", "ctrl+u", "enter"], Command(CommandKind.NOTE, text="")),
        (
            "dead-node",
            ["f", *"powered", "space", *"off", "enter"],
            Command(CommandKind.ACT, typed=POWERED_OFF, action=states.OUT_OF_SERVICE),
        ),
    ],
)
async def test_keys_command_the_run(tmp_path: Path, state: str, keys: list[str], command: Command) -> None:
    async with opened(tmp_path, run=state) as wizard:
        for key in keys:
            await wizard.press("minus" if key == "-" else key)
        await wizard.on(RunScreen)
        assert wizard.engine.commands == [command]


@pytest.mark.parametrize(
    ("state", "keys"),
    [
        ("gates", ["u"]),
        ("gates", ["o"]),
        ("blocked-final", ["o"]),
        ("blocked-landing", ["u", *"node", "enter", "escape"]),
        ("gates", ["a", "n"]),
        ("gates", ["a", "escape"]),
        ("blocked-quorum", ["o", *"zk", "enter", "escape"]),
        ("blocked-quorum", ["u"]),
        ("gates", ["f"]),
        ("dead-node", ["f", *"powered", "enter", "escape"]),
        ("gates", ["s", "n"]),
        ("hold", ["s"]),
        ("hold-paused", ["u"]),
        ("uncordon", ["s"]),
        ("rejoin", ["s"]),
        ("done", ["s"]),
        ("done", ["n"]),
        ("gates", ["n", *"disk", "escape"]),
        ("hold", ["n", "enter"]),
        ("aborting", ["s"]),
        ("aborting", ["space"]),
        ("aborting", ["a"]),
        ("done", ["space"]),
        ("failed", ["u"]),
    ],
)
async def test_keys_that_have_no_meaning_here_send_nothing(tmp_path: Path, state: str, keys: list[str]) -> None:
    async with opened(tmp_path, run=state) as wizard:
        await wizard.press(*keys)
        await wizard.on(RunScreen)
        assert wizard.engine.commands == []


async def test_an_abort_says_of_every_node_that_it_stays_cordoned(tmp_path: Path) -> None:
    async with opened(tmp_path, run="blocked-ahead") as wizard:
        await wizard.press("a")
        await wizard.on(Confirm)
        assert "node-3 and node-1 stay cordoned until you uncordon them" in screen_text(wizard.pilot)


async def test_an_override_asks_about_the_gate_that_was_on_screen(tmp_path: Path) -> None:
    async with opened(tmp_path, run="blocked-quorum") as wizard:
        await wizard.press("o")
        await wizard.on(Confirm)
        wizard.engine.become(states.blocked(GateName.BUDGET))
        await wizard.press(*"zk", "minus", "2", "enter")
        await wizard.on(RunScreen)
        assert wizard.engine.commands == [Command(CommandKind.OVERRIDE, GateName.QUORUM, "zk-2")]


async def test_an_override_says_what_may_follow_of_that_gate(tmp_path: Path) -> None:
    async with opened(tmp_path, run="blocked-quorum") as wizard:
        for gate, words in ((GateName.QUORUM, "may lose its quorum"), (GateName.BUDGET, "judges the budget itself")):
            wizard.engine.become(states.blocked(gate))
            await wizard.until(lambda gate=gate: f"{gate}" in screen_text(wizard.pilot))
            await wizard.press("o")
            await wizard.on(Confirm)
            said = screen_text(wizard.pilot)
            assert words in said and ("lose its quorum" in said) == (gate is GateName.QUORUM)
            await wizard.press("escape")
            await wizard.on(RunScreen)


async def test_the_footer_follows_what_can_be_done(tmp_path: Path) -> None:
    async with opened(tmp_path, run="gates") as wizard:
        await wizard.until(lambda: "Pause" in wizard.keys)
        assert "Uncordon" not in wizard.keys
        wizard.engine.become(states.hold())
        await wizard.until(lambda: "Uncordon" in wizard.keys)
        wizard.engine.become(states.STATES["paused"]())
        await wizard.until(lambda: "Resume" in wizard.keys)
        assert "Pause" not in wizard.keys
        wizard.engine.become(states.ended(RunStatus.DONE))
        await wizard.until(lambda: "Close" in wizard.keys)
        assert not {"Pause", "Resume", "Abort", "Detach"} & set(wizard.keys)


async def test_detached_the_run_is_found_again(tmp_path: Path) -> None:
    async with opened(tmp_path, run="gates") as wizard:
        await wizard.press("d")
        await wizard.on(MainScreen)
        assert wizard.engine.commands == []
        await wizard.press("m")
        await wizard.on(RunScreen)
        wizard.engine.become(states.ended(RunStatus.DONE))
        await wizard.until(lambda: wizard.word == "DONE")
        await wizard.press("enter")
        await wizard.on(MainScreen)


async def test_an_ended_run_does_not_keep_a_new_one_from_being_chosen(tmp_path: Path) -> None:
    async with opened(tmp_path, run="done") as wizard:
        await wizard.press("enter")
        await wizard.on(MainScreen)
        await wizard.press("m")
        await wizard.on(ChooseScreen)


async def test_logs_over_the_run_and_back(tmp_path: Path) -> None:
    async with opened(tmp_path, run="gates") as wizard:
        await wizard.press("l")
        await wizard.on(LogsScreen)
        await wizard.press("escape")
        await wizard.on(RunScreen)


async def test_panes_become_tabs_on_a_small_terminal(tmp_path: Path) -> None:
    async with opened(tmp_path, run="waiting", size=SMALL) as wizard:
        screen = wizard.app.screen

        def shown() -> list[str | None]:
            return [page.id for page in screen.query(Page) if page.region.area]

        for key, panes in (("2", ["steps", "journal"]), ("3", ["chart", "ensemble"]), ("4", ["journal"])):
            await wizard.press(key)
            await wizard.until(lambda panes=panes: shown() == panes)
        await wizard.press("3")
        await wizard.until(lambda: "┤" in wizard.page("chart"))
        await wizard.pilot.resize_terminal(*WIDE)
        await wizard.until(lambda: len(shown()) == 5)
        assert screen.query_one(Band).region.height == 3
