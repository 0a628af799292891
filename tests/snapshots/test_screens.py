"""Whole screens, word for word, from frozen facts and a frozen clock. `pytest --snapshot-update` takes them anew.

Text, not pictures: what a person reads is held, and a new Textual that draws it otherwise changes nothing here.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.ui import check_reports as reports
from tests.ui import wizard_states as states
from tests.ui.fakes import World
from tests.ui.pilots import painted, screen_text
from tests.ui.test_checks import at, looked, opened
from tests.ui.test_wizard import FakeDesk
from zktui.core.zookeeper import Mode
from zktui.maintenance.desk import Desk
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.wizard import RunScreen

SIZES = [(120, 36), (80, 24)]
LARGE = (160, 45)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Screens show local time; snapshots are taken in one place."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("leader", [1, None])
async def test_main(tmp_path: Path, snapshot: SnapshotAssertion, size: tuple[int, int], leader: int | None) -> None:
    world = World()
    world.ensemble(leader=leader)
    if leader is None:
        world.poll(Mode.LOOKING, Mode.SILENT, Mode.LOOKING)
    app = ZktuiApp(world.session(tmp_path))
    async with app.run_test(size=size) as pilot:
        await painted(pilot)
        assert screen_text(pilot) == snapshot


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["gates", "blocked-landing", "hold", "done"])
async def test_wizard(tmp_path: Path, snapshot: SnapshotAssertion, size: tuple[int, int], state: str) -> None:
    world = World()
    world.ensemble()
    desk = FakeDesk()
    desk.engine = states.engine(states.STATES[state]())
    app = ZktuiApp(world.session(tmp_path, desk=cast(Desk, desk)))
    async with app.run_test(size=size) as pilot:
        app.push_screen(RunScreen(app.session, desk.engine))
        while not isinstance(app.screen, RunScreen):
            await pilot.pause()
        await painted(pilot)
        assert screen_text(pilot) == snapshot


@pytest.mark.parametrize("size", [*SIZES, LARGE])
@pytest.mark.parametrize("state", ["empty", "running", "chapter", "check", "nothing-told"])
async def test_checks(tmp_path: Path, snapshot: SnapshotAssertion, size: tuple[int, int], state: str) -> None:
    world = World()
    world.ensemble()
    app = ZktuiApp(world.session(tmp_path))
    async with app.run_test(size=size) as pilot:
        if state in ("empty", "running"):
            await opened(pilot)
        else:
            await looked(pilot, world, reports.NOTHING_TOLD if state == "nothing-told" else reports.TROUBLED)
        if state == "running":
            world.inspector.gate.clear()
            await pilot.press("r")
        elif state == "chapter":
            await at(pilot, "chapter 2")
        elif state == "check":
            await at(pilot, "discovery.publish-not-ready")
        world.clock.advance(42)
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER)
        await painted(pilot)
        app.painter.paint(world.store.refreshed())
        await pilot.pause()
        assert screen_text(pilot) == snapshot
