"""The interactive program ends with a line, not with a traceback, and leaves no run alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from tests.ui import wizard_states as states
from tests.ui.fakes import World
from zktui import wiring
from zktui.core.tasks import begin
from zktui.headless import maintain
from zktui.maintenance.engine import Engine
from zktui.session import Session
from zktui.ui import app as ui
from zktui.ui.app import ZktuiApp

Does = Callable[[ZktuiApp], object]
WORDS = "nobody [expected] this"


async def fail() -> None:
    raise LookupError(WORDS)


def fail_to_paint(app: ZktuiApp) -> None:
    def paint(_: object) -> None:
        if app.is_running and app.painter.revision >= 0:
            raise LookupError(WORDS)

    app.painter.revision = -1
    app.painter.watch(paint)


BREAKS: dict[str, Does] = {
    "a worker": lambda app: app.run_worker(fail()),
    "a handler": lambda app: app.call_later(fail),
    "a timer": lambda app: app.set_timer(0.01, fail),
    "the painter": fail_to_paint,
    "a stream": lambda app: begin(fail(), "a stream"),
    "the end": lambda app: (app.exit(), begin(fail(), "a stream")),
}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    world = World()
    world.ensemble()
    return world.session(tmp_path)


def interactive(session: Session, monkeypatch: pytest.MonkeyPatch, does: Does) -> int:
    """`zktui` over this session, without a cluster and a terminal: once it is ready, `does` is done to it."""

    class Headless(ZktuiApp):
        async def run_async(self, **_: Any) -> None:
            async def act(pilot: Pilot[object]) -> None:
                await pilot.pause()
                does(self)

            await super().run_async(headless=True, size=(120, 36), auto_pilot=act)

    def connected(_: object) -> None: ...

    @asynccontextmanager
    async def opened(*_: object) -> AsyncGenerator[Session]:
        yield session

    monkeypatch.setattr(wiring, "_connected", connected)
    monkeypatch.setattr(wiring, "open_session", opened)
    monkeypatch.setattr(ui, "ZktuiApp", Headless)
    return wiring.run_interactive(session.settings)


def test_left_by_a_key_there_is_nothing_to_say(
    session: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert interactive(session, monkeypatch, lambda app: app.simulate_key("q")) == 0
    assert capfd.readouterr() == ("", "")
    assert not list(session.settings.state.glob("fault-*"))


@pytest.mark.parametrize("where", BREAKS)
def test_a_fault_ends_it_with_one_line(
    session: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], where: str
) -> None:
    assert interactive(session, monkeypatch, BREAKS[where]) == 1
    (file,) = session.settings.state.glob("fault-*.txt")
    said = f"zktui: a fault of zktui's own: LookupError: {WORDS}. Its details: {file}\n"
    assert capfd.readouterr() == ("", said)
    assert "raise LookupError(WORDS)" in file.read_text()


def test_a_run_goes_on_in_the_terminal_after_a_fault(
    session: Session, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also when Textual itself breaks; the line stands before what the run says."""
    engine = states.engine(states.waiting())
    session.desk.engine = cast(Engine, engine)
    attended: list[tuple[object, str]] = []

    async def attend(engine: Engine) -> int:
        attended.append((engine, capfd.readouterr().err))
        return 0

    def broken(app: ZktuiApp) -> None:
        async def shutdown() -> None:
            await close()
            raise LookupError(WORDS)

        close = app._shutdown  # pyright: ignore[reportPrivateUsage]  # there is no other way to break it
        monkeypatch.setattr(app, "_shutdown", shutdown)
        app.exit()

    monkeypatch.setattr(maintain, "attend", attend)
    assert interactive(session, monkeypatch, broken) == 1
    ((of, said),) = attended
    assert of is engine
    assert said.startswith(f"zktui: a fault of zktui's own: LookupError: {WORDS}")
