"""The menu that breaks things, which only a rehearsal has."""

from __future__ import annotations

from tests.ui.pilots import painted, screen_text, until
from tests.ui.wizard_driver import WIDE
from zktui.core.ports import Breakage
from zktui.errors import ZktuiError
from zktui.session import Session
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.breaking import BreakScreen
from zktui.ui.screens.main import MainScreen

KILL = Breakage("kill-member", "leader", "Kill a member's process [/red]")
WHOLE = Breakage("nothing", "", "Make everything whole again")


class FakeBreaker:
    def __init__(self) -> None:
        self.done: list[Breakage] = []
        self.refuses = ""

    async def choices(self) -> tuple[tuple[Breakage, ...], str]:
        return (WHOLE, KILL), "frozen zk-1" if self.done else ""

    async def carry_out(self, choice: Breakage) -> str:
        if self.refuses:
            raise ZktuiError(self.refuses)
        self.done.append(choice)
        return f"{choice.target} is killed"


def told(app: ZktuiApp) -> list[str]:
    return [note.message for note in app._notifications]  # pyright: ignore[reportPrivateUsage]  # no public way


async def test_chosen_and_done(session: Session) -> None:
    breaker = FakeBreaker()
    app = ZktuiApp(session, breaker=breaker)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        await pilot.press("b")
        await until(pilot, lambda: "kill-member" in screen_text(pilot))
        assert "[/red]" in screen_text(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: breaker.done == [KILL])
        await until(pilot, lambda: told(app) == ["leader is killed"])
        await until(pilot, lambda: "broken now: frozen zk-1" in screen_text(pilot))
        breaker.refuses = "no member leads now"
        await pilot.press("enter")
        await until(pilot, lambda: "no member leads now" in told(app))
        assert isinstance(app.screen, BreakScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))


async def test_in_the_palette_too(session: Session) -> None:
    app = ZktuiApp(session, breaker=FakeBreaker())
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert "Break something" in {command.title for command in app.get_system_commands(app.screen)}


async def test_no_other_cluster_has_it(session: Session) -> None:
    app = ZktuiApp(session)
    async with app.run_test(size=WIDE) as pilot:
        await painted(pilot)
        assert "Break something" not in {command.title for command in app.get_system_commands(app.screen)}
        await pilot.press("b")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
