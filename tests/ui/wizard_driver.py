"""The wizard as tests drive it: by keys, waiting for what the screen says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from textual.pilot import Pilot

from zktui.ui.app import ZktuiApp
from zktui.ui.screens.wizard.band import Band
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.page import Page

WIDE, SMALL = (120, 36), (80, 24)


class Wizard:
    """The app with the wizard on top, as a test drives it."""

    def __init__(self, pilot: Pilot[None], app: ZktuiApp) -> None:
        self.pilot = pilot
        self.app = app

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the screen is so."""
        async with asyncio.timeout(10):
            while not holds():
                await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def on(self, screen: type[object]) -> None:
        await self.until(lambda: isinstance(self.app.screen, screen) and self.app.screen.is_mounted)
        await self.pilot.pause()

    @property
    def word(self) -> str:
        return self.app.screen.query_one(Band).answer.word

    def page(self, name: str) -> str:
        return self.app.screen.query_one(f"#{name}", Page).text

    @property
    def keys(self) -> list[str]:
        """Words of the footer's enabled keys."""
        return [key.words for key in self.app.screen.query_one(KeyBar).keys if key.enabled]
