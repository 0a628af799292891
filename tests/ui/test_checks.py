"""The checks in their pane: on demand, with their age, and with everything about the one under the cursor."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.ui import check_reports as reports
from tests.ui.fakes import World
from tests.ui.pilots import app_of, main_screen, painted, screen_text, until
from tests.unit.checks.inventories import healthy
from zktui.checks.model import Chapter, Report, Result
from zktui.checks.rules import judge
from zktui.session import Session
from zktui.ui import checktext
from zktui.ui.app import ZktuiApp
from zktui.ui.panes.checks import ChecksGrid, ChecksPane
from zktui.ui.screens.help import HelpScreen
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.widgets.page import Page

WIDE, NARROW, LARGE = (120, 36), (80, 24), (160, 45)


def pane(pilot: Pilot[None]) -> ChecksPane:
    return main_screen(pilot).query_one(ChecksPane)


def page(pilot: Pilot[None]) -> str:
    return pane(pilot).query_one(Page).text


def codes(pilot: Pilot[None]) -> list[str]:
    return [row.uid for row in pane(pilot).query_one(ChecksGrid).rows]


async def opened(pilot: Pilot[None]) -> None:
    await painted(pilot)
    await pilot.press("4")
    await until(pilot, lambda: pane(pilot).query_one(ChecksGrid).has_focus)


async def looked(pilot: Pilot[None], world: World, report: Report = reports.TROUBLED) -> None:
    """The pane with this report in it."""
    world.inspector.report = report
    await opened(pilot)
    await pilot.press("r")
    await until(pilot, lambda: bool(pane(pilot).findings) and not pane(pilot).running)


async def at(pilot: Pilot[None], uid: str) -> None:
    assert pane(pilot).query_one(ChecksGrid).move_to(uid)
    await pilot.pause()


@pytest.mark.parametrize("size", [WIDE, NARROW, LARGE])
async def test_nothing_runs_until_it_is_asked_for(world: World, session: Session, size: tuple[int, int]) -> None:
    async with ZktuiApp(session).run_test(size=size) as pilot:
        await opened(pilot)
        text = screen_text(pilot)
        assert "Not run yet. r runs all of them" in text
        assert "· not run" in text
        assert "quorum 3/3" in text.splitlines()[0]
        for chapter in ("1 Deploy", "2 Identity"):
            assert chapter in text
        assert world.inspector.asked == []


@pytest.mark.parametrize("size", [WIDE, NARROW, LARGE])
async def test_every_result_has_a_sign_and_a_word(world: World, session: Session, size: tuple[int, int]) -> None:
    async with ZktuiApp(session).run_test(size=size) as pilot:
        await looked(pilot, world)
        assert world.inspector.asked == [()]
        rows = {row.uid: [cell.text for cell in row.cells] for row in pane(pilot).query_one(ChecksGrid).rows}
        assert rows["identity.hostname"][:2] == ["✓ pass", "  Host name is the pod's"]
        assert rows["identity.myid"][0] == "✗ fail"
        assert rows["discovery.publish-not-ready"][0] == "! warn"
        assert rows["logging.level"][0] == "? unknown"
        assert rows["sanity.write"][0] == "– skipped"
        assert rows["chapter 2"][:2] == ["✗ fail", "2 Identity"], "the worst of its checks"
        assert rows["chapter 1"][0] == "– none"
        title = next(line for line in screen_text(pilot).splitlines() if "Checks  ✗ 1" in line)
        assert "✗ 1 fail  ? 1 unknown  ! 1 warn  ✓ 3 pass" in title or "✗ 1  ? 1  ! 1  ✓ 3" in title


@pytest.mark.parametrize("size", [WIDE, NARROW, LARGE])
async def test_the_detail_has_evidence_member_by_member_advice_and_the_lines(
    world: World, session: Session, size: tuple[int, int]
) -> None:
    async with ZktuiApp(session).run_test(size=size) as pilot:
        await looked(pilot, world)
        await at(pilot, "identity.myid")
        for words in (
            "✗ fail  myid is what the ensemble expects",
            "2 Identity · identity.myid",
            " ✓ zk-0  myid 1, as the configuration says",
            " ? zk-2  not permitted: pods/exec",
            "never joins the quorum.",
            "By hand",
            "$ for i in 0 1 2; do echo",
        ):
            assert words in page(pilot)
        assert "What mends it" not in page(pilot)
        await at(pilot, "discovery.publish-not-ready")
        assert "What mends it   y copies" in page(pilot)
        assert f"   $ {reports.PATCH}" in page(pilot)
        await at(pilot, "identity.hostname")
        assert "What to know" not in page(pilot)


async def test_text_from_outside_is_shown_and_never_obeyed(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        await at(pilot, "identity.myid")
        assert "␛[2J[/red][@click=app.exit()]x[/]" in page(pilot)
        assert "\x1b" not in screen_text(pilot)


async def test_a_look_goes_on_while_keys_work_and_tells_for_how_long(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        world.inspector.gate.clear()
        world.inspector.report = reports.TROUBLED
        await opened(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "… looking, every chapter: 0s" in screen_text(pilot))
        await pilot.press("r", "c", "down", "down")
        assert pane(pilot).query_one(ChecksGrid).cursor_uid == "chapter 3", "the cursor moves meanwhile"
        assert world.inspector.asked == [()], "one look at a time"
        world.clock.advance(7)
        app_of(pilot).painter.paint(world.store.refreshed())
        await pilot.pause()
        assert "… looking, every chapter: 7s" in screen_text(pilot)
        await pilot.press("1")
        await until(pilot, lambda: not pane(pilot).display)
        world.inspector.gate.set()
        await until(pilot, lambda: not pane(pilot).running)
        await pilot.press("4")
        await until(pilot, lambda: "looked at just now" in screen_text(pilot))
        world.clock.advance(90)
        app_of(pilot).painter.paint(world.store.refreshed())
        await pilot.pause()
        assert "looked at 90s ago" in screen_text(pilot)


async def test_one_chapter_is_run_alone_and_has_its_own_age(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        world.clock.advance(300)
        world.inspector.report = Report("default", "zk", reports.DISCOVERY)
        await at(pilot, "discovery.publish-not-ready")
        await pilot.press("c")
        await until(pilot, lambda: len(world.inspector.asked) == 2 and not pane(pilot).running)
        assert world.inspector.asked[1] == (Chapter.DISCOVERY,)
        ages = {row.uid: row.cells[2].text for row in pane(pilot).query_one(ChecksGrid).rows}
        assert (ages["chapter 2"], ages["chapter 3"]) == ("5m", "0s")
        assert "identity.myid" in codes(pilot), "the others are kept"
        assert "looked at 5m ago" in screen_text(pilot)


async def test_the_round_is_played_only_after_a_question(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        await at(pilot, "sanity.write")
        assert "It was not made: the round writes" in page(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await until(pilot, lambda: "  through every other one, and deletes them." in screen_text(pilot))
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        assert len(world.inspector.asked) == 1
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: world.inspector.asked[1:] == [(Chapter.SANITY,)])


async def test_where_nothing_may_be_changed_nothing_is_asked(world: World, tmp_path: Path) -> None:
    async with ZktuiApp(world.session(tmp_path, read_only=True)).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        await at(pilot, "chapter 4")
        await pilot.press("c")
        await until(pilot, lambda: world.inspector.asked[1:] == [(Chapter.SANITY,)])


async def test_when_nothing_could_be_told_it_says_why(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world, reports.NOTHING_TOLD)
        assert "✗ Nothing could be told: not permitted: pods/exec is forbidden"[:50] in screen_text(pilot)


async def test_filter_and_hide_what_passes(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        await pilot.press("p")
        await until(pilot, lambda: "identity.hostname" not in codes(pilot))
        assert codes(pilot) == [
            *("chapter 2", "identity.myid", "chapter 3", "discovery.publish-not-ready", "chapter 7", "logging.level"),
        ]
        assert "what passes is hidden" in screen_text(pilot)
        await pilot.press("p", "slash", *"identity", "enter")
        await until(pilot, lambda: codes(pilot) == ["chapter 2", "identity.hostname", "identity.myid"])
        await pilot.press("slash", "escape")
        await until(pilot, lambda: len(codes(pilot)) > 12)


async def test_when_all_passes_there_is_nothing_left_to_hide(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world, reports.FINE)
        await pilot.press("p")
        await until(pilot, lambda: codes(pilot) == [])
        assert "Everything that was checked passes: p shows it." in screen_text(pilot)
        assert page(pilot) == ""


async def test_the_patch_is_copied_and_what_has_none_copies_the_line_by_hand(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        await at(pilot, "discovery.publish-not-ready")
        await pilot.press("y")
        assert pilot.app.clipboard == reports.PATCH
        await at(pilot, "identity.hostname")
        await pilot.press("y")
        assert pilot.app.clipboard.startswith("for i in 0 1 2")
        await at(pilot, "storage.claims")
        await pilot.press("y")
        assert pilot.app.clipboard.startswith("for i in 0 1 2"), "there is nothing to copy"


async def test_enter_gives_the_detail_all_the_room_and_escape_goes_back_step_by_step(
    world: World, session: Session
) -> None:
    async with ZktuiApp(session).run_test(size=NARROW) as pilot:
        await looked(pilot, world)
        await pilot.press("enter")
        grid = pane(pilot).query_one(ChecksGrid)
        await until(pilot, lambda: not grid.region.area)
        assert pane(pilot).query_one(Page).has_focus
        await pilot.press("escape")
        await until(pilot, lambda: grid.has_focus)
        await pilot.press("escape")
        await until(pilot, lambda: not pane(pilot).display)
        assert "MEMBER" in screen_text(pilot)


@pytest.mark.parametrize(("key", "place"), [("2", "#logs"), ("3", "#znodes"), ("n", "#nodes")])
async def test_the_other_panes_come_back_in_their_place(world: World, session: Session, key: str, place: str) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await opened(pilot)
        assert not main_screen(pilot).query_one(place).region.area
        await pilot.press(key)
        await until(pilot, lambda: bool(main_screen(pilot).query_one(place).region.area))
        assert not pane(pilot).display
        await pilot.press("4", "escape")
        await until(pilot, lambda: not pane(pilot).display)
        assert main_screen(pilot).query_one(place).has_focus_within


async def test_each_ensemble_has_its_own_results(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await looked(pilot, world)
        assert pane(pilot).findings
        other = World(world.clock, "other")
        other.ensemble()
        pane(pilot).show(other.store.view().ensembles[0])
        assert not pane(pilot).findings
        pane(pilot).show(world.store.view().ensembles[0])
        assert pane(pilot).findings


async def test_the_palette_runs_all_and_each_chapter(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        commands = {c.title: c for c in main_screen(pilot).commands()}
        assert len([title for title in commands if title.startswith("Run checks: ")]) == len(Chapter)
        commands["Run checks: 3 Discovery"].callback()
        await until(pilot, lambda: world.inspector.asked == [(Chapter.DISCOVERY,)])
        await until(pilot, lambda: pane(pilot).query_one(ChecksGrid).has_focus and not pane(pilot).running)
        commands["Run all checks"].callback()
        await until(pilot, lambda: world.inspector.asked == [(Chapter.DISCOVERY,), ()])


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_keys_are_named_in_the_footer_and_in_the_help(
    world: World, session: Session, size: tuple[int, int]
) -> None:
    async with ZktuiApp(session).run_test(size=size) as pilot:
        await looked(pilot, world)
        footer = screen_text(pilot).splitlines()[-1]
        for words in ("r run all", "c chapter", "/ filter", "? help"):
            assert words in footer
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        text = "\n".join(str(each.content) for each in pilot.app.screen.query(Static))
        for words in ("Passed", "Checks", "Runs"):
            assert words in text


async def test_a_look_that_outlives_its_screen_ends_with_it(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        world.inspector.gate.clear()
        await opened(pilot)
        await pilot.press("r")
        await until(pilot, lambda: pane(pilot).running)
        await pilot.app.action_quit()
    assert pilot.app.return_code == 0


def test_a_chapters_own_line_tells_what_is_wrong_in_it() -> None:
    found = checktext.merged({}, reports.TROUBLED, (), 10.0)
    said = [
        each.head.plain + each.body.plain
        for each in checktext.chapter_rows(Chapter.IDENTITY, found[Chapter.IDENTITY], 12.0)
    ]
    assert said[1] == " ✗ 1 fail  ✓ 1 pass   2s ago"
    assert " ✗ fail  myid is what the ensemble expects" in said
    assert any("zk-1: myid holds" in line for line in said)
    assert said[-1] == "   $ zktui check identity"
    fine = checktext.chapter_rows(Chapter.STORAGE, found[Chapter.STORAGE], 12.0)
    assert any("1 check, and all of them pass." in each.body.plain for each in fine)
    none = checktext.chapter_rows(Chapter.DEPLOY, found[Chapter.DEPLOY], 12.0)
    assert any("nothing to check" in each.body.plain for each in none)


@pytest.mark.parametrize("result", list(Result))
def test_a_result_is_readable_without_its_colour(result: Result) -> None:
    shown = checktext.sign(result).text
    assert shown.endswith(result.value)
    assert len({checktext.sign(each).text[0] for each in Result}) == len(Result)


def test_no_title_is_cut_at_120_columns() -> None:
    """List and detail side by side leave 41 columns for a title and its indent."""
    report = judge(healthy())
    titles = [one.title for one in (*report.checks, *report.skipped)]
    assert len(titles) > 40
    assert [title for title in titles if len(title) > 39] == []
