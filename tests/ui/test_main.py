from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from tests.ui.fakes import WALL, World, node
from tests.ui.pilots import app_of, main_screen, painted, screen_text, until
from zktui.core.deltas import Kind, Reset
from zktui.core.kube import StatefulSet
from zktui.core.zookeeper import Mode
from zktui.errors import UsageError
from zktui.session import Session
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.ensembles import EnsemblesScreen
from zktui.ui.screens.help import HelpScreen
from zktui.ui.screens.small import TooSmallScreen
from zktui.ui.widgets.grid import Grid
from zktui.ui.widgets.keybar import KeyBar

WIDE = (120, 36)
NARROW = (80, 24)


def grid(pilot: Pilot[None], pane: str) -> Grid:
    return main_screen(pilot).query_one(f"#{pane} Grid", Grid)


def shown(pilot: Pilot[None], *panes: str) -> list[str]:
    return [name for name in panes if main_screen(pilot).query_one(f"#{name}").region.area > 0]


def leaves(pilot: Pilot[None], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows by one each time the app would exit."""
    left: list[bool] = []
    monkeypatch.setattr(pilot.app, "exit", lambda: left.append(True))
    return left


async def test_the_streams_begin_once_and_only_after_the_first_frame(world: World, session: Session) -> None:
    app = ZktuiApp(session)
    assert world.begun == 0
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: world.begun == 1)


async def test_members_nodes_quorum_and_budget_are_on_the_first_screen(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        text = screen_text(pilot)
    banner, *rest = text.splitlines()
    assert "prod-eu1 / default / zk" in banner
    assert "● quorum 3/3" in banner
    assert "★ zk-1" in banner
    assert "zk-pdb allows 1  (3 healthy, 2 needed)" in banner
    body = "\n".join(rest)
    assert "★ leader" in body
    assert body.count("● follower") == 2
    assert "c:00001f3a" in body
    assert "current 3  desired 2  expected 3" in body
    assert "can lose 1 more member" in body
    assert next(line for line in body.splitlines() if "zk-1 ★" in line).split("│")[1].split()[:3] == [
        "node-2",
        "zk-1",
        "★",
    ]


async def test_a_change_reaches_the_screen(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        world.upsert(Kind.NODES, node("node-3", unschedulable=True, pressures=("DiskPressure",)))
        world.upsert(Kind.PODS, world.pod(2, "node-3", ready=False, containers_ready=0, deleting_since=WALL - 5))
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.SILENT, errors={2: "connection refused"})
        world.budget(allowed=0, current=2)
        await painted(pilot)
        text = screen_text(pilot)
    assert "▲ quorum 2/3" in text
    assert "zk-pdb allows 0  (2 healthy, 2 needed)" in text
    assert "can lose none" in text
    assert "✗ silent" in text
    assert "0/1 Terminating" in text
    assert "⊘ cordoned ⚠ Disk" in text
    assert "1 cordoned" in text


async def test_the_member_at_the_cursor_says_why_it_is_silent(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.SILENT, errors={2: "dial \x1b[31m[/red] refused"})
        await painted(pilot)
        await pilot.press("down", "down")
        await pilot.pause()
        assert "zk-2  ✗ dial ␛[31m[/red] refused" in screen_text(pilot)


async def test_a_reborn_pod_is_another_row_and_the_cursor_keeps_its_line(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press("down", "down")
        assert grid(pilot, "ensemble").cursor_uid == "uid-zk-2"
        world.remove(Kind.PODS, "uid-zk-2")
        world.upsert(Kind.PODS, world.pod(2, "node-4", uid="uid-new"))
        await painted(pilot)
        assert grid(pilot, "ensemble").cursor_uid == "uid-new"
        assert "? unknown" in screen_text(pilot)


async def test_evidence_that_grew_old_is_said_to_be_unknown(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        world.clock.advance(9)
        app_of(pilot).painter.paint(world.store.refreshed())
        await pilot.pause()
        text = screen_text(pilot)
    assert "? leader" in text
    assert "? quorum not known" in text
    assert "quorum 3/3" not in text


async def test_a_source_that_was_cut_is_named_with_its_age_and_keeps_its_rows(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        world.lost(Kind.PODS, "connection reset")
        world.clock.advance(42)
        app_of(pilot).painter.paint(world.store.refreshed())
        await pilot.pause()
        text = screen_text(pilot)
    assert "⚠ stale: pods 42s" in text
    assert "zk-2" in text


def without_budgets(world: World) -> None:
    world.store.apply((Reset(Kind.BUDGETS, (), 1.0),))


def with_an_old_status(world: World) -> None:
    world.budget(allowed=1, generation=2)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(without_budgets, "no budget covers these members"), (with_an_old_status, "status older than spec")],
)
async def test_what_is_wrong_with_budgets_is_said(
    world: World, session: Session, spoil: Callable[[World], None], words: str
) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        spoil(world)
        await painted(pilot)
        assert words in screen_text(pilot)


async def test_budgets_that_may_not_be_read_are_not_called_absent(tmp_path: Path) -> None:
    world = World()
    world.ensemble(budgets=False)
    world.lost(Kind.BUDGETS, "poddisruptionbudgets is forbidden", permanent=True)
    async with ZktuiApp(world.session(tmp_path)).run_test(size=WIDE) as pilot:
        await painted(pilot)
        text = screen_text(pilot)
    assert "? budget not known" in text
    assert "? budgets: poddisruptionbudgets is forbidden" in text
    assert "no budget covers" not in text


async def test_read_only_is_in_the_banner(world: World, tmp_path: Path) -> None:
    async with ZktuiApp(world.session(tmp_path, read_only=True)).run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert "READ-ONLY" in screen_text(pilot).splitlines()[0]


# -- layout


async def test_keys_focus_panes_and_zoom_one(world: World, session: Session) -> None:
    names = ("ensemble", "nodes", "logs", "znodes")
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert shown(pilot, *names) == list(names)
        for key, pane in (("2", "logs"), ("3", "znodes"), ("n", "nodes"), ("1", "ensemble")):
            await pilot.press(key, "z")
            await pilot.pause()
            assert shown(pilot, *names) == [pane]
            await pilot.press("z")
            await pilot.pause()
            assert shown(pilot, *names) == list(names)


async def test_while_zoomed_another_pane_takes_the_place(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await pilot.press("z", "2")
        await pilot.pause()
        assert shown(pilot, "ensemble", "nodes", "logs", "znodes") == ["logs"]


async def test_at_80x24_panes_are_tabs_and_the_banner_keeps_quorum_and_budget(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=NARROW) as pilot:
        await painted(pilot)
        assert shown(pilot, "ensemble", "nodes", "logs", "znodes") == ["ensemble", "nodes"]
        await pilot.press("2")
        await pilot.pause()
        assert shown(pilot, "ensemble", "nodes", "logs", "znodes") == ["logs"]
        top = screen_text(pilot).splitlines()[:3]
        assert "● quorum 3/3" in top[0]
        assert "zk-pdb allows 1  current 3  desired 2  expected 3" in top[1]
        assert "can lose 1 more member" in top[1]
        assert "▸2 Logs" in top[2]


async def test_growing_the_terminal_brings_all_panes_back(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=NARROW) as pilot:
        await pilot.press("3")
        await pilot.resize_terminal(*WIDE)
        await pilot.pause()
        names = ("ensemble", "nodes", "logs", "znodes")
        assert shown(pilot, *names) == list(names)


async def test_below_80x24_it_says_so_and_goes_on_when_there_is_room(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await pilot.resize_terminal(70, 20)
        await until(pilot, lambda: isinstance(pilot.app.screen, TooSmallScreen))
        await pilot.pause()
        assert "too small: 70 x 20" in screen_text(pilot)
        assert "80 x 24" in screen_text(pilot)
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: not isinstance(pilot.app.screen, TooSmallScreen))


async def test_a_terminal_that_is_small_from_the_start_can_be_left(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ZktuiApp(session).run_test(size=(60, 20)) as pilot:
        await until(pilot, lambda: isinstance(pilot.app.screen, TooSmallScreen))
        left = leaves(pilot, monkeypatch)
        await pilot.press("q")
        await until(pilot, lambda: left == [True])


@pytest.mark.parametrize("size", [WIDE, NARROW, (100, 30), (200, 60), (81, 50)])
async def test_no_line_is_wider_than_the_terminal(world: World, session: Session, size: tuple[int, int]) -> None:
    async with ZktuiApp(session).run_test(size=size) as pilot:
        await painted(pilot)
        lines = screen_text(pilot).splitlines()
    assert len(lines) == size[1]
    assert max(len(line) for line in lines) <= size[0]


# -- keys


async def test_the_footer_names_the_keys_that_work_here(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        footer = screen_text(pilot).splitlines()[-1]
        for words in ("m maintain", "1 ensemble", "2 logs", "3 znodes", "/ filter", "? help", "q quit", "z zoom"):
            assert words in footer
        assert "ensembles" not in footer  # there is only one to look at
        await pilot.press("2")
        await pilot.pause()
        assert "space pause" in screen_text(pilot).splitlines()[-1]


async def test_a_click_on_a_key_in_the_footer_presses_it(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        footer = screen_text(pilot).splitlines()[-1]
        await pilot.click(KeyBar, offset=(footer.index("? help"), 0))
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))


async def test_help_lists_keys_that_are_not_in_the_footer_and_the_marks(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=(120, 50)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        text = screen_text(pilot)
        assert "Reverse sort" in text
        assert "the leader" in text
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, HelpScreen)


async def test_filter_narrows_the_nodes_and_escape_shows_all(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await pilot.press("n", "slash", *"zk-1", "enter")
        await pilot.pause()
        assert [row.uid for row in grid(pilot, "nodes").rows] == ["uid-node-2"]
        await pilot.press("slash", "escape")
        await pilot.pause()
        assert len(grid(pilot, "nodes").rows) == 4
        assert grid(pilot, "nodes").has_focus


async def test_the_command_palette_offers_what_works_here(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        titles = [command.title for command in app_of(pilot).get_system_commands(pilot.app.screen)]
        assert {"Maintain", "Zoom", "Theme", "Help", "Quit"} <= set(titles)
        await pilot.press("colon", *"zoom")
        await pilot.press("enter")
        await until(pilot, lambda: main_screen(pilot).has_class("-zoomed"))


@pytest.mark.parametrize(("keys", "rest"), [(["alt+q"], "quits"), (["escape", "q"], "quits"), (["alt+3"], "znodes")])
async def test_a_key_right_after_escape_is_not_lost(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch, keys: list[str], rest: str
) -> None:
    """A terminal sends Escape and the next key in one piece when they are pressed fast: the same bytes as with Alt."""
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        left = leaves(pilot, monkeypatch)
        await painted(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, HelpScreen))
        for key in keys:
            pilot.app.post_message(events.Key(key, key[-1] if key != "escape" else "\x1b"))
        if rest == "quits":
            await until(pilot, lambda: len(left) == 1)
        else:
            await until(pilot, lambda: main_screen(pilot).query_one("#znodes").has_focus_within)
        assert not isinstance(pilot.app.screen, HelpScreen)


async def test_every_theme_paints(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        for name in pilot.app.available_themes:
            pilot.app.theme = name
            await pilot.pause()
            assert "● quorum 3/3" in screen_text(pilot)


def test_an_unknown_theme_is_a_usage_error_that_names_the_others(world: World, session: Session) -> None:
    settings = replace(session.settings, theme="nope")
    with pytest.raises(UsageError, match="zktui-light"):
        ZktuiApp(replace(session, settings=settings))


# -- which ensemble


async def test_one_ensemble_among_several_is_chosen_and_kept(world: World, session: Session) -> None:
    first = world.store.view().statefulsets[0]
    other = replace(first, name="zoo", uid="sts-zoo", selector=None)
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        world.upsert(Kind.STATEFULSETS, other)
        await painted(pilot)
        await until(pilot, lambda: "e ensembles" in screen_text(pilot))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, EnsemblesScreen))
        await pilot.press("down", "enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, EnsemblesScreen))
        assert main_screen(pilot).ensemble is not None
        assert "default / zoo" in screen_text(pilot)
        reborn: StatefulSet = replace(other, uid="sts-zoo-2")
        world.store.apply((Reset(Kind.STATEFULSETS, (first, reborn), 1.0),))
        await painted(pilot)
        assert "default / zoo" in screen_text(pilot)


async def test_without_an_ensemble_it_says_what_to_do_and_shows_one_that_appears(tmp_path: Path) -> None:
    world = World()
    async with ZktuiApp(world.session(tmp_path)).run_test(size=WIDE) as pilot:
        assert "Connecting to prod-eu1" in screen_text(pilot)
        world.store.apply((Reset(Kind.STATEFULSETS, (), 1.0), Reset(Kind.PODS, (), 1.0)))
        await painted(pilot)
        text = screen_text(pilot)
        assert "There is no ZooKeeper ensemble in namespace default." in text
        assert "m maintain" not in text
        world.ensemble()
        await painted(pilot)
        await until(pilot, lambda: "★ leader" in screen_text(pilot))
        assert grid(pilot, "ensemble").has_focus
