"""A run that is not over: found at start, shown, taken up or left."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.ui import wizard_states as states
from tests.ui.fakes import NOW, WALL, World
from tests.ui.pilots import main_screen, painted, screen_text
from tests.ui.test_wizard import FakeDesk
from tests.ui.wizard_driver import SMALL, WIDE, Wizard
from zktui.maintenance.desk import Desk
from zktui.maintenance.model import Unfinished
from zktui.maintenance.refusals import CannotBegin
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.wizard import unfinished
from zktui.ui.screens.wizard.choose import ChooseScreen
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.running import RunScreen
from zktui.ui.screens.wizard.standing import Light
from zktui.ui.screens.wizard.unfinished import UnfinishedScreen
from zktui.ui.widgets.page import Row


class Found(Wizard):
    desk: FakeDesk
    world: World


@asynccontextmanager
async def started(
    folder: Path, *left: Unfinished, size: tuple[int, int] = WIDE, read_only: bool = False
) -> AsyncGenerator[Found]:
    """The program started while these runs are not over."""
    world = World()
    world.ensemble()
    desk = FakeDesk(read_only=read_only)
    desk.left = left
    app = ZktuiApp(world.session(folder, desk=cast(Desk, desk)))
    async with app.run_test(size=size) as pilot:
        await painted(pilot)
        wizard = Found(pilot, app)
        wizard.desk, wizard.world = desk, world
        await wizard.until(lambda: desk.looks > 0)
        if left:
            await wizard.on(UnfinishedScreen)
        yield wizard


def said(rows: Sequence[Row]) -> str:
    return "\n".join(each.head.plain + each.body.plain for each in rows)


async def test_at_start_it_is_shown_with_whose_it_is_and_where_it_stands(tmp_path: Path) -> None:
    async with started(tmp_path, states.unfinished()) as wizard:
        assert wizard.word == "UNATTENDED"
        text = wizard.page("one")
        for words in ("ann@desk/4242", "from this machine", "swapping the disk", "zk-2 waits", "2 h 00 min ago"):
            assert words in text
        assert "kubectl uncordon node-3" in text
        assert {"Resume", "Abort", "Leave it"} <= set(wizard.keys)


async def test_without_one_nothing_is_shown(tmp_path: Path) -> None:
    async with started(tmp_path) as wizard:
        await wizard.press("u")
        assert isinstance(wizard.app.screen, MainScreen)
        assert "unfinished" not in screen_text(wizard.pilot)


async def test_what_is_open_already_is_not_covered(tmp_path: Path) -> None:
    async with started(tmp_path) as wizard:
        await wizard.press("m")
        await wizard.on(ChooseScreen)
        wizard.desk.left = (states.unfinished(),)
        await wizard.press("escape")
        await wizard.on(MainScreen)
        await wizard.until(lambda: "⚠ unfinished run u" in screen_text(wizard.pilot))
        await wizard.press("u")
        await wizard.on(UnfinishedScreen)


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_left_it_stays_in_the_banner_and_can_be_shown_again(tmp_path: Path, size: tuple[int, int]) -> None:
    async with started(tmp_path, states.unfinished(), size=size) as wizard:
        await wizard.press("escape")
        await wizard.on(MainScreen)
        assert "⚠ unfinished run u" in screen_text(wizard.pilot).splitlines()[0]
        assert wizard.desk.taken == []
        await wizard.press("u")
        await wizard.on(UnfinishedScreen)


async def test_ours_is_resumed_by_a_key(tmp_path: Path) -> None:
    async with started(tmp_path, states.unfinished()) as wizard:
        await wizard.press("r")
        await wizard.on(Confirm)
        await wizard.press("n")
        await wizard.on(UnfinishedScreen)
        assert wizard.desk.taken == []
        await wizard.press("r")
        await wizard.on(Confirm)
        wizard.desk.left = ()
        await wizard.press("y")
        await wizard.on(RunScreen)
        assert wizard.desk.taken == [("resume", "20260921-141008-k7", "")]
        await wizard.press("d")
        await wizard.on(MainScreen)
        await wizard.until(lambda: "unfinished" not in screen_text(wizard.pilot))


async def test_anothers_takes_its_typed_word(tmp_path: Path) -> None:
    one = states.UNFINISHED["expired"]()
    async with started(tmp_path, one) as wizard:
        await wizard.press("r")
        await wizard.on(Confirm)
        await wizard.press("y", "enter")
        assert isinstance(wizard.app.screen, Confirm)
        assert "bob@bastion/77 is not known to be gone" in " ".join(screen_text(wizard.pilot).split())
        await wizard.press("backspace", *("minus" if char == "-" else char for char in one.word), "enter")
        await wizard.on(RunScreen)
        assert wizard.desk.taken == [("resume", one.run_id, one.word)]


async def test_abort_ends_it_and_shows_what_stays_cordoned(tmp_path: Path) -> None:
    async with started(tmp_path, states.unfinished()) as wizard:
        await wizard.press("a")
        await wizard.on(Confirm)
        assert "node-3 stays cordoned" in screen_text(wizard.pilot)
        await wizard.press("y")
        await wizard.on(RunScreen)
        assert wizard.desk.taken == [("abandon", "20260921-141008-k7", "")]
        await wizard.until(lambda: wizard.word == "ABORTED")


@pytest.mark.parametrize("state", ["held", "at-work"])
async def test_what_somebody_holds_can_only_be_left(tmp_path: Path, state: str) -> None:
    async with started(tmp_path, states.UNFINISHED[state]()) as wizard:
        assert wizard.word == "HELD"
        assert not {"Resume", "Abort"} & set(wizard.keys)
        await wizard.press("r", "a")
        assert isinstance(wizard.app.screen, UnfinishedScreen)


async def test_once_it_is_free_it_can_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "LOOK", 0.01)
    async with started(tmp_path, states.UNFINISHED["held"]()) as wizard:
        assert wizard.word == "HELD"
        wizard.desk.left = (states.UNFINISHED["expired"](),)
        await wizard.until(lambda: "Resume" in wizard.keys)
        assert wizard.word == "UNATTENDED"
        wizard.desk.left = ()
        await wizard.until(lambda: wizard.word == "ALL OVER")
        assert not {"Resume", "Abort"} & set(wizard.keys)


async def test_one_that_cannot_be_resumed_can_be_ended(tmp_path: Path) -> None:
    async with started(tmp_path, states.UNFINISHED["refused"]()) as wizard:
        assert wizard.word == "BY HAND"
        assert "Resume" not in wizard.keys
        assert "Abort" in wizard.keys
        assert "written by a newer zktui" in wizard.page("one")


async def test_a_refusal_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    async with started(tmp_path, states.unfinished()) as wizard:
        wizard.desk.refused = CannotBegin("Somebody took it a moment ago.", "Look again: zktui where")
        await wizard.press("r")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(UnfinishedScreen)
        await wizard.until(lambda: wizard.word == "NOT DONE")
        assert "Somebody took it a moment ago." in screen_text(wizard.pilot)
        wizard.desk.refused = None
        await wizard.press("r")
        await wizard.on(Confirm)
        await wizard.press("y")
        await wizard.on(RunScreen)


async def test_of_several_the_one_under_the_cursor_is_taken(tmp_path: Path) -> None:
    other = replace(states.unfinished(), run_id="20260921-120001-b2", namespace="prod", cordoned=("node-9",))
    async with started(tmp_path, states.unfinished(), other) as wizard:
        assert "2 runs not over" in screen_text(wizard.pilot)
        await wizard.press("down")
        assert "20260921-120001-b2" in wizard.page("one")
        await wizard.press("a")
        await wizard.on(Confirm)
        assert "node-9 stays cordoned" in screen_text(wizard.pilot)
        await wizard.press("y")
        await wizard.on(RunScreen)
        assert wizard.desk.taken == [("abandon", "20260921-120001-b2", "")]


async def test_read_only_shows_and_takes_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, states.unfinished(), read_only=True) as wizard:
        assert not {"Resume", "Abort"} & set(wizard.keys)
        await wizard.press("r", "a")
        assert isinstance(wizard.app.screen, UnfinishedScreen)
        assert wizard.desk.taken == []


async def test_a_real_desk_finds_none_where_there_is_no_lease(tmp_path: Path) -> None:
    world = World()
    world.ensemble()
    app = ZktuiApp(world.session(tmp_path))
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert main_screen(pilot).is_current


@pytest.mark.parametrize(
    ("state", "light", "word"),
    [
        ("mine", Light.WAITING, "UNATTENDED"),
        ("expired", Light.WAITING, "UNATTENDED"),
        ("held", Light.WAITING, "HELD"),
        ("at-work", Light.WAITING, "HELD"),
        ("released", Light.WAITING, "LEFT BEHIND"),
        ("refused", Light.BLOCKED, "BY HAND"),
    ],
)
def test_one_word_for_every_standing(state: str, light: Light, word: str) -> None:
    one = states.UNFINISHED[state]()
    told = unfinished.answer(one, WALL)
    assert (told.light, told.word) == (light, word)
    assert told.sentence
    text = said(unfinished.rows(one, WALL))
    assert ("resume: " in text) == (one.free and not one.refused)
    assert ("abort: " in text) == one.free
    assert "esc" in text


def test_what_is_not_known_is_not_made_up() -> None:
    bare = states.unfinished(started=0.0, renewed=0.0, nodes=(), away=(), cordoned=(), note="", by_hand=())
    text = said(unfinished.rows(bare, WALL + NOW))
    assert "begun     not known" in text
    assert "renewed" not in text
    assert "cordoned  nothing" in text
