"""Whatever paints into a screen from outside ends before the screen's children go, whenever that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from tests.ui import wizard_states as states
from tests.ui.fakes import World, node
from tests.ui.pilots import DEADLINE, app_of, painted, until
from zktui.core.deltas import Kind
from zktui.maintenance.engine import Engine
from zktui.maintenance.model import Options, Plan, RunStatus
from zktui.session import Session
from zktui.ui import logfeed, painting
from zktui.ui.app import ZktuiApp
from zktui.ui.panes import znodes
from zktui.ui.screens.ensembles import EnsemblesScreen
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.wizard import choose, running
from zktui.ui.screens.wizard.choose import ChooseScreen
from zktui.ui.screens.wizard.logs import LogsScreen
from zktui.ui.screens.wizard.review import ReviewScreen, Wanted
from zktui.ui.screens.wizard.running import RunScreen

WIDE = (120, 36)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is painted in the next turn of the event loop."""
    monkeypatch.setattr(painting, "EVERY", 0.0)
    monkeypatch.setattr(choose, "EVERY", 0.0)
    monkeypatch.setattr(running, "PAINTS_A_SECOND", float("inf"))
    monkeypatch.setattr(logfeed, "GATHER", 0.0)
    monkeypatch.setattr(znodes, "DWELL", 0.0)


@pytest.fixture(autouse=True)
async def unhandled() -> AsyncGenerator[list[object]]:
    """What asyncio was told of: an error in a callback or a task that nobody awaits. There must be none."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    yield told
    assert told == []


@asynccontextmanager
async def at_every_turn(act: Callable[[], object]) -> AsyncGenerator[None]:
    """Meanwhile do this at every turn of the event loop, so that no moment of a screen's end is left out."""

    async def go_on() -> None:
        while True:
            act()
            await asyncio.sleep(0)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled(), "what was to be done at every turn failed"


async def closed(pilot: Pilot[None], screen: Screen[Any], key: str, act: Callable[[], object]) -> None:
    """Close the screen by a key, and return once it has gone; `run_test` raises what failed in the app."""
    async with at_every_turn(act), asyncio.timeout(DEADLINE):
        # A pilot waits for the app to be idle, which it is not.
        await asyncio.sleep(0)
        pilot.app.simulate_key(key)
        while screen.is_attached and pilot.app.is_running:  # noqa: ASYNC110  # Textual has no event for it
            await asyncio.sleep(0)
    assert app_of(pilot).return_code in (None, 0)


def facts(world: World) -> Callable[[], None]:
    """Another fact each time."""
    number = count()
    return lambda: world.upsert(Kind.NODES, node("node-1", unschedulable=bool(next(number) % 2)))


@pytest.fixture
def engine(session: Session) -> states.StillEngine:
    made = states.engine(states.ended(RunStatus.DONE))
    session.desk.engine = cast(Engine, made)
    return made


async def test_a_run_that_ended_is_closed_while_it_is_painted(session: Session, engine: states.StillEngine) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = RunScreen(session, engine)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.painted is engine.run)
        await closed(pilot, screen, "enter", lambda: engine.become(states.ended(RunStatus.DONE)))
        assert isinstance(pilot.app.screen, MainScreen)


async def test_the_choice_of_nodes_is_closed_while_facts_come(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = ChooseScreen(session, world.key)
        await pilot.app.push_screen(screen)
        await until(pilot, lambda: screen.painted >= 0)
        await closed(pilot, screen, "escape", facts(world))


@pytest.mark.parametrize("turns", range(12))
async def test_a_review_is_left_just_when_it_is_answered(
    session: Session, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    answer, plan = asyncio.Event(), states.review()

    async def review(names: tuple[str, ...], options: Options) -> Plan:  # as Desk.review
        await answer.wait()
        return plan

    monkeypatch.setattr(session.desk, "review", review)
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = ReviewScreen(session, ["node-1"], Wanted())
        await pilot.app.push_screen(screen)
        await pilot.pause()
        left = count()

        def act() -> None:
            # The screen takes some turns to end; in one of these cases the answer comes amidst of it.
            if screen not in pilot.app.screen_stack and next(left) == turns:
                answer.set()

        await closed(pilot, screen, "escape", act)
        assert answer.is_set()


async def test_the_list_of_ensembles_is_closed_while_facts_come(world: World, session: Session) -> None:
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = EnsemblesScreen(app_of(pilot).painter, world.key)
        await pilot.app.push_screen(screen)
        await closed(pilot, screen, "escape", facts(world))


async def test_logs_are_closed_while_lines_come(world: World, session: Session) -> None:
    pods = [member.pod.key for member in world.store.view().ensembles[0].members]
    number = count()
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = LogsScreen(session, world.key)
        await pilot.app.push_screen(screen)
        await closed(
            pilot,
            screen,
            "escape",
            lambda: world.logs.write(pods[next(number) % 3], "another line"),
        )


@pytest.mark.parametrize("over", ["nothing", "run", "choice"])
async def test_the_program_is_left_while_everything_comes(world: World, tmp_path: Path, over: str) -> None:
    """By the keys and in the order of the real program, which `run_test` does not keep."""
    session = world.session(tmp_path)
    engine = states.engine(states.ended(RunStatus.DONE))
    session.desk.engine = cast(Engine, engine)
    pods = [member.pod.key for member in world.store.view().ensembles[0].members]
    for number in range(30):
        world.trees.put(f"/a{number}", b"data")
    another, number = facts(world), count()
    app = ZktuiApp(session)

    def act() -> None:
        another()
        engine.become(states.ended(RunStatus.DONE))
        world.logs.write(pods[next(number) % 3], "another line")
        for screen in app.screen_stack if app.is_running else ():
            for pane in screen.query(znodes.ZnodePane):
                pane.recheck()

    async def leave(pilot: Pilot[object]) -> None:
        await painted(cast("Pilot[None]", pilot))
        if over == "run":
            await app.push_screen(RunScreen(session, engine))
        elif over == "choice":
            await app.push_screen(ChooseScreen(session, world.key))
        app.simulate_key("q")

    async with asyncio.timeout(DEADLINE):
        # It is begun here, since it goes on until the last of the program has ended.
        async with at_every_turn(act):
            await app.run_async(headless=True, size=WIDE, auto_pilot=leave)
    assert app.return_code == 0
