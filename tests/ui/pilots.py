"""Waiting for the screen: until what the store holds has been painted, never for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from textual.pilot import Pilot

from zktui.ui.app import ZktuiApp
from zktui.ui.screens.main import MainScreen

DEADLINE = 10.0


def app_of(pilot: Pilot[None]) -> ZktuiApp:
    return cast(ZktuiApp, pilot.app)


def main_screen(pilot: Pilot[None]) -> MainScreen:
    return next(screen for screen in app_of(pilot).screen_stack if isinstance(screen, MainScreen))


async def painted(pilot: Pilot[None]) -> None:
    """Return once the store's newest revision is on the screen."""
    app = app_of(pilot)
    async with asyncio.timeout(DEADLINE):
        await app.painter.reached(app.session.store.revision)
    await pilot.pause()


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Let the app work until `holds`. Raises TimeoutError at the deadline."""
    async with asyncio.timeout(DEADLINE):
        while not holds():
            await pilot.pause()


def screen_text(pilot: Pilot[None]) -> str:
    """What a reader sees, line by line, without styles."""
    size = pilot.app.size
    lines = pilot.app.screen._compositor.render_strips(size)  # pyright: ignore[reportPrivateUsage]  # no public way
    return "\n".join(strip.text.rstrip() for strip in lines)
