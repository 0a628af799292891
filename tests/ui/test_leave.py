"""Leaving the program, with and without a run under way; the banner that tells of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from textual.pilot import Pilot

from tests.ui import wizard_states as states
from tests.ui.fakes import World
from tests.ui.pilots import app_of, painted, screen_text, until
from zktui.core.zookeeper import Mode
from zktui.maintenance.engine import Engine
from zktui.maintenance.model import CommandKind, GateName, RunStatus
from zktui.session import Session
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.leave import LeaveScreen
from zktui.ui.screens.main import MainScreen

WIDE = (120, 36)


@pytest.fixture
def engine(session: Session) -> states.StillEngine:
    made = states.engine(states.waiting())
    session.desk.engine = cast(Engine, made)
    return made


def leaves(pilot: Pilot[None], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    left: list[bool] = []
    monkeypatch.setattr(pilot.app, "exit", lambda: left.append(True))
    return left


async def test_q_leaves_at_once_when_nothing_goes_on(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        left = leaves(pilot, monkeypatch)
        await pilot.press("q")
        await until(pilot, lambda: left == [True])


@pytest.mark.parametrize(
    ("key", "commands", "exits", "unattended"),
    [
        ("escape", [], False, False),
        ("l", [], True, False),
        ("w", [], True, True),
        ("a", [CommandKind.ABORT], True, False),
    ],
)
async def test_while_a_run_goes_on_leaving_is_asked_about(
    session: Session,
    engine: states.StillEngine,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    commands: list[CommandKind],
    exits: bool,
    unattended: bool,
) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        left = leaves(pilot, monkeypatch)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaveScreen))
        await pilot.pause()
        assert "the run goes on in this terminal" in screen_text(pilot)
        assert f"Cordoned by it: {', '.join(engine.run.cordoned)}." in screen_text(pilot)
        assert "zktui resume" in screen_text(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen))
        assert [command.kind for command in engine.commands] == commands
        assert bool(left) is exits
        assert app_of(pilot).leaves_unattended is unattended


@pytest.mark.parametrize("size", [WIDE, (80, 24)])
async def test_leaving_says_what_is_not_as_it_was(
    session: Session, engine: states.StillEngine, size: tuple[int, int]
) -> None:
    engine.become(states.hold(waits=True))
    async with ZktuiApp(session).run_test(size=size) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeaveScreen))
        await pilot.pause()
        text = screen_text(pilot)
        for words in ("node 2 of 4, node-3, yours", "Cordoned by it: node-3.", "Not back yet: zk-2.", "zktui resume"):
            assert words in text


async def test_the_bell_rings_on_whatever_screen_is_open(
    world: World, session: Session, engine: states.StillEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.become(states.STATES["gates"]())
    rung: list[bool] = []

    def ring(_: ZktuiApp) -> None:
        rung.append(True)

    monkeypatch.setattr(ZktuiApp, "bell", ring)
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER, errors={0: "timed out"})
        await painted(pilot)
        assert rung == []
        world.clock.advance(1.9)
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER, errors={0: "timed out"})
        await painted(pilot)
        assert rung == []
        world.clock.advance(0.2)
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER, errors={0: "timed out"})
        await painted(pilot)
        assert rung == [True]


@pytest.mark.parametrize(
    ("status", "blocked", "words"),
    [
        (RunStatus.RUNNING, False, "▸ maintenance"),
        (RunStatus.PAUSED, False, "‖ maintenance"),
        (RunStatus.RUNNING, True, "✗ maintenance"),
    ],
)
async def test_the_banner_tells_of_a_run_and_its_key(
    world: World, session: Session, engine: states.StillEngine, status: RunStatus, blocked: bool, words: str
) -> None:
    run = states.blocked(GateName.BUDGET) if blocked else engine.run
    engine.become(replace(run, status=status))
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        banner = screen_text(pilot).splitlines()[0]
        assert words in banner
        assert f"{run.current + 1}/{len(run.nodes)}" in banner


async def test_a_run_that_ended_is_not_in_the_banner_and_does_not_hold_one_back(
    session: Session, engine: states.StillEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.become(states.ended(RunStatus.DONE))
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        app_of(pilot).painter.paint(session.store.view())
        await pilot.pause()
        assert "maintenance" not in screen_text(pilot).splitlines()[0]
        left = leaves(pilot, monkeypatch)
        await pilot.press("q")
        await until(pilot, lambda: left == [True])


async def test_m_opens_the_wizard(session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "wizard" in type(pilot.app.screen).__module__)
