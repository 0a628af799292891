"""What the tests of the log pane and of the znode browser share: an app with one pane, and waiting for a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.widget import Widget

from zktui.core.logring import LogLine
from zktui.ui.theme import THEMES
from zktui.ui.widgets.keybar import KeyBar

DEADLINE = 10.0


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Returns as soon as the condition holds; fails after DEADLINE seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + DEADLINE
    while not condition():
        assert loop.time() < end, f"{what} did not come true in {DEADLINE} s"
        await asyncio.sleep(0.005)


class PaneApp(App[None]):
    """One widget over the keys' footer, in the program's own theme."""

    def __init__(self, pane: Widget) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEMES[0].name
        self.pane = pane
        self.copied: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane
        yield KeyBar()

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)


async def type_in(pilot: Pilot[None], text: str) -> None:
    names = {"/": "slash", "-": "minus", "!": "exclamation_mark", " ": "space", ".": "full_stop"}
    await pilot.press(*(names.get(char, char) for char in text))


def seen(widget: Widget) -> list[str]:
    """What the widget paints, line by line, without the blanks at the end."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def title(widget: Widget) -> str:
    """The words in the widget's border. Its `border_title` gives markup, which can't be read back in every case."""
    content = cast("Content | None", getattr(widget, "_border_title", None))
    return content.plain if content is not None else ""


def line(number: int, pod: str = "zk-0", text: str = "", *, marker: bool = False) -> LogLine:
    stamp = f"2026-09-21T14:{number // 60 % 60:02d}:{number % 60:02d}.000000000Z"
    return LogLine(pod, f"uid-{pod}", "" if marker else stamp, text or f"line {number}", marker)
