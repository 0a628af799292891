"""Help: every key that works where one came from, and what the marks mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from zktui.ui.text import Piece, content, fit
from zktui.ui.theme import Tone
from zktui.ui.widgets.keybar import Key, KeyBar

MOVE = "Move"
MOVES = frozenset(
    {"up", "down", "first", "last"}
    | {f"page {where}" for where in ("up", "down", "left", "right")}
    | {f"scroll {where}" for where in ("up", "down", "left", "right", "home", "end")}
)
"""What a grid and Textual's own scrolling call them, in small letters."""
WORDS = 22
"""Cells for what a key does."""
MARKS = (
    (Piece("●", Tone.SAFE), "serves, or safe to go on"),
    (Piece("★", Tone.LEADER), "the leader"),
    (Piece("○", Tone.SAFE), "an observer: serves, has no vote"),
    (Piece("◌", Tone.WAITING), "up, not serving: looking for a leader, or read-only"),
    (Piece("▲", Tone.WAITING), "quorum stands, and no member may be lost"),
    (Piece("✗", Tone.BLOCKED), "silent, lost, or blocked"),
    (Piece("?", Tone.STALE), "not known now: the last word is too old to count"),
    (Piece("⊘", Tone.WAITING), "cordoned: nothing new is scheduled there"),
    (Piece("⚠", Tone.BLOCKED), "look here"),
)


def help_text(keys: Sequence[Key]) -> Content:
    """Keys by the widget that owns them, the focused one's first; then the marks."""
    shown = folded(keys)
    lines: list[Content] = []
    for owner, owned in groupby(shown, lambda key: key.owner):
        lines.append(content(Piece(spaced(owner), Tone.DIM)))
        for key in owned:
            tone = Tone.KEY if key.enabled else Tone.STALE
            lines.append(content("  ", fit(key.words, WORDS), Piece(key.keys, tone)))
        lines.append(Content(""))
    lines.append(content(Piece("Marks", Tone.DIM)))
    lines += [content("  ", mark, "  ", words) for mark, words in MARKS]
    return Content("\n").join(lines)


def folded(keys: Sequence[Key]) -> tuple[Key, ...]:
    """The keys that only move, as one entry for each widget."""
    made: list[Key] = []
    for key in keys:
        if key.words.lower() not in MOVES:
            made.append(key)
        elif made and (made[-1].owner, made[-1].words) == (key.owner, MOVE):
            made[-1] = replace(made[-1], keys=f"{made[-1].keys} {key.keys}")
        else:
            made.append(replace(key, words=MOVE))
    return tuple(made)


def spaced(name: str) -> str:
    """`EnsemblePane` as `Ensemble pane`."""
    words = "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
    words = words.removesuffix(" screen") if words != "main screen" else "everywhere here"
    return {"zktui app": "always", "grid": "table"}.get(words, words).capitalize()


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss(None)", "Back")]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > VerticalScroll {
        width: 76; max-width: 96%; height: auto; max-height: 90%; border: solid $primary; padding: 1 2;
        background: $surface; border-title-color: $text-primary;
    }
    HelpScreen Static { height: auto; }
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        """`keys` as they work on the screen from which help was asked."""
        super().__init__()
        self._keys = tuple(keys)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as scroll:
            scroll.border_title = "Keys and marks"
            yield Static(help_text(self._keys))
        yield KeyBar()
