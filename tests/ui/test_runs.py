"""Past runs on their screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ui.fakes import WALL, World
from tests.ui.pilots import painted, screen_text, until
from tests.ui.wizard_driver import SMALL, WIDE
from zktui.core.ports import ProbeGap, ProbeSession, ProbeSummary
from zktui.maintenance.journal import FileJournal
from zktui.maintenance.model import Event, JsonValue
from zktui.maintenance.outages import BELOW, Election, Outage, QuorumSeen
from zktui.maintenance.report import UNATTENDED, BudgetPoint, Move, NodePart, Report, Said
from zktui.maintenance.runs import BROKEN, RUNNING, PastRun
from zktui.ui import pastrun
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.runs import RunsScreen
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.page import Page, Row


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


REPORT = Report(
    "20260921-141320-a1",
    "ann@desk/42 (20260921-141320-a1)",
    "done",
    "Done: every node of the plan. Nothing is left cordoned by this run.",
    WALL,
    WALL + 153,
    notes=("swapping disks, ann",),
    plan={"nodes": ["node-3", "node-2"], "evictions": 2, "elections": 1, "reasons": ["zk-1 leads, so it goes last"]},
    nodes=(NodePart("node-3", WALL + 1, WALL + 20, WALL + 21, WALL + 30, WALL + 31), NodePart("node-2", WALL + 40)),
    moves=(
        Move("default", "zk-2", "node-3", True, "u2", WALL + 5, WALL + 8, "node-4", WALL + 24, ("201",)),
        Move("shop", "web-0", "node-3", False, "w0", WALL + 3, WALL + 4),
        Move("default", "zk-1", "node-2", True, "u1", WALL + 45, WALL + 48),
    ),
    answers=(Said(WALL + 5, "reply", "evict zk-2: granted [/red]\x1b[2J"),),
    words=(Said(WALL + 90, "pause", "the operator pauses the run"),),
    budget=(BudgetPoint(WALL, "zk-pdb", 1, 3, 2, 3), BudgetPoint(WALL + 6, "zk-pdb", 0, 2, 2, 3)),
    quorums=(
        QuorumSeen(WALL, "default/zk", "quorum", 3, 3, "zk-1", 12, (0.0, 0.1), None, 1),
        QuorumSeen(WALL + 46, "default/zk", "no quorum", 1, 3, "", None, (0.0, 0.1), None, 1),
        QuorumSeen(WALL + 47, "default/zk", "unknown", 0, 3, "", None, (0.0, 0.1), None, 1),
        QuorumSeen(WALL + 48, "default/zk", "quorum", 2, 3, "zk-2", 13, (0.0, 0.1), None, 1),
    ),
    elections=(Election(WALL + 48, "default/zk", "zk-2", "zk-1", 13),),
    outages=(Outage(WALL + 46, "default/zk", BELOW, 0.4, 1.2),),
    probe=ProbeSummary(
        900,
        4,
        3.7,
        {"zk-1": 3.7},
        (ProbeSession("default", "zk-1", "zk-2", 900, 4, 3.7, 0, 300, 0),),
        (ProbeGap(WALL + 46, 3.7, "zk-1", "zk-1", "zk-2", "connection lost"),),
    ),
    readings=306,
    widest=0.8,
)
DONE = PastRun(REPORT.run_id, (Path("/state/runs/20260921-141320-a1.jsonl"),), "done", REPORT)
LEFT = replace(
    DONE,
    id="20260920-080000-b2",
    status=UNATTENDED,
    report=replace(
        REPORT,
        status=UNATTENDED,
        message="The program ended in the midst of it.",
        cordoned=("node-3",),
        parts=2,
        outages=(),
        probe=None,
        ended=WALL + 7,
    ),
)
TORN = PastRun("20260919-070000-c3", (Path("/state/runs/c3.jsonl"),), BROKEN, None, "c3.jsonl is corrupted in line 1.")


def said(rows: list[Row]) -> str:
    return "\n".join(each.head.plain + each.body.plain for each in rows)


async def opened(pilot: Pilot[None], screen: RunsScreen, *, rows: int) -> Grid:
    await painted(pilot)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and screen.is_mounted)
    grid = screen.query_one(Grid)
    await until(pilot, lambda: len(grid.rows) == rows and not grid.empty.startswith("Reading"))
    return grid


def reader(*runs: PastRun) -> Callable[[Path], tuple[PastRun, ...]]:
    return lambda _: runs


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_the_list_and_the_report_under_the_cursor(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World()
    world.ensemble()
    session = world.session(tmp_path)
    async with ZktuiApp(session).run_test(size=size) as pilot:
        screen = RunsScreen(session, reader(DONE, LEFT, TORN))
        await opened(pilot, screen, rows=3)
        text = screen_text(pilot)
        for words in ("2026-09-21 14:13", "✓ done", "node-3, node-2", "! unattended", "✖ broken", "Done: every node"):
            assert words in text
        await pilot.press("down")
        await until(pilot, lambda: "ended in the midst" in screen.query_one(Page).text)
        assert "kubectl uncordon node-3" in screen.query_one(Page).text
        await pilot.press("down")
        await until(pilot, lambda: "c3.jsonl is corrupted in line 1." in screen.query_one(Page).text)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen))


async def test_enter_gives_the_report_the_whole_screen_and_escape_takes_it_back(tmp_path: Path) -> None:
    world = World()
    world.ensemble()
    session = world.session(tmp_path)
    async with ZktuiApp(session).run_test(size=SMALL) as pilot:
        screen = RunsScreen(session, reader(DONE, LEFT))
        grid = await opened(pilot, screen, rows=2)
        await pilot.press("enter")
        await until(pilot, lambda: not grid.region.area)
        assert screen.query_one(Page).has_focus
        await pilot.press("end")
        await until(pilot, lambda: "the operator pauses the run" in screen_text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: bool(grid.region.area))
        assert grid.has_focus
        await pilot.press("slash", *"unattended", "enter")
        await until(pilot, lambda: len(grid.rows) == 1)


async def test_runs_are_read_from_the_state_folder_and_read_again_when_asked(tmp_path: Path) -> None:
    world = World()
    world.ensemble()
    session = world.session(tmp_path)
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press("r")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
        grid = pilot.app.screen.query_one(Grid)
        await until(pilot, lambda: grid.empty.startswith("No run yet."))
        assert str(tmp_path / "runs") in grid.empty
        await pilot.press("enter")
        assert grid.region.area
        journal = FileJournal(tmp_path / "runs" / "20260921-141320-a1.jsonl")
        plan: dict[str, JsonValue] = {"run": "20260921-141320-a1", "who": "ann@desk", "nodes": ["node-3"]}
        journal.append(Event(0, WALL, "plan", "node-3", data=plan))
        journal.append(Event(0, WALL + 9, "done", "Done: every node of the plan", data={"cordoned": []}))
        journal.close()
        await pilot.press("r")
        await until(pilot, lambda: len(grid.rows) == 1)
        assert grid.rows[0].cells[1].text == "✓ done"
        assert "Done: every node of the plan" in pilot.app.screen.query_one(Page).text


async def test_in_the_znodes_r_reads_znodes_and_5_shows_the_runs(tmp_path: Path) -> None:
    world = World()
    world.ensemble()
    async with ZktuiApp(world.session(tmp_path)).run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press("3", "r")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MainScreen)
        await pilot.press("5")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))


def test_a_report_tells_all_that_was_seen() -> None:
    text = said(pastrun.rows(DONE))
    for words in (
        "members moved           2, 2 planned",
        "elections seen          1, 1 planned",
        "below majority          0.4 s at least, 1.2 s at most",
        "without a leader        never seen",
        "longest gap felt        3.7 s",
        "operations that failed  4 of 900",
        "writes lost             0 of 300",
        "swapping disks, ann",
        "zk-2   node-3  node-4  14:13:25  14:13:28  14:13:44  16 s",
        "zk-1 led",
        "★ zk-2",
        "no quorum",
        "not known",
        "zk-1: 3.7 s without an answer from zk-1 (connection lost), then zk-2",
        "By 306 readings, at most 0.8 s apart",
        "evict zk-2: granted [/red]␛[2J",
        "the operator pauses the run",
        "zk-1 leads, so it goes last",
        "/state/runs/20260921-141320-a1.md",
    ):
        assert words in text
    assert "kubectl" not in text


def test_what_is_not_known_of_a_run_is_not_made_up() -> None:
    text = said(pastrun.rows(LEFT))
    assert "resumed: 2 programs worked at it" in text
    assert "Left cordoned by this run, as far as its journal goes:" in text
    assert "Was not probed" in text
    assert "writes lost" not in text
    bare = Report("", "", "failed", "no plan was written", WALL, WALL)
    text = said(pastrun.rows(replace(DONE, report=bare)))
    assert "by nobody knows whom" in text
    assert "members moved     0" in text


def test_an_outage_that_was_not_over_says_so() -> None:
    lasting = replace(REPORT, outages=(Outage(WALL, "default/zk", BELOW, 4.0, None, over=False),))
    assert "4.0 s at least, not over when the journal ended" in said(pastrun.rows(replace(DONE, report=lasting)))


@pytest.mark.parametrize("status", ["done", "failed", "aborted", UNATTENDED, RUNNING, BROKEN])
def test_every_status_has_a_sign_beside_its_colour(status: str) -> None:
    shown = pastrun.row_of(replace(DONE, status=status)).cells[1].text
    assert shown.endswith(status)
    assert len(shown) == len(status) + 2
