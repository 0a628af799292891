"""The footer: the keys that work where the focus is, in one line, and one click away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from textual import events
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget

from zktui.ui.reach import app_of
from zktui.ui.text import Piece, content, width
from zktui.ui.theme import Tone

NAMES = {
    "slash": "/",
    "colon": ":",
    "question_mark": "?",
    "escape": "esc",
    "enter": "⏎",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "exclamation_mark": "!",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "plus": "+",
    "minus": "-",
    "full_stop": ".",
    "comma": ",",
}


SPARED = ("Sort",)
"""Keys that give way before any other: a click on a heading sorts too."""


@dataclass(frozen=True, slots=True)
class Key:
    """One action with the keys that start it."""

    keys: str
    """As shown, such as `/` or `space`."""
    words: str
    press: str
    """The key to simulate for a click."""
    enabled: bool
    owner: str
    """Name of the widget or screen that binds it."""
    show: bool
    group: str = ""
    """Keys of one group become one entry of this name where room is short."""


def shown_key(key: str) -> str:
    if "+" in key and key != "+":
        *modifiers, last = key.split("+")
        return "+".join([*modifiers, shown_key(last)]).replace("ctrl+", "^")
    return NAMES.get(key, key)


def keys_of(bindings: Iterable[ActiveBinding]) -> tuple[Key, ...]:
    """Bindings in their order, the focused widget's first; keys of one action are joined."""
    found: dict[tuple[str, str], list[ActiveBinding]] = {}
    for active in bindings:
        if active.binding.description and not active.binding.system:
            found.setdefault((type(active.node).__name__, active.binding.action), []).append(active)
    made: list[Key] = []
    for (owner, _), group in found.items():
        # The app's own ctrl+q hides itself; the key that asks to be shown speaks for the action.
        first = next((one.binding for one in group if one.binding.show), group[0].binding)
        names = first.key_display or " ".join(
            dict.fromkeys(shown_key(one.binding.key) for one in group if one.binding.show == first.show)
        )
        family = first.group.description if first.group is not None else ""
        made.append(Key(names, first.description, first.key, group[0].enabled, owner, first.show, family))
    return tuple(made)


def gathered(keys: Sequence[Key]) -> tuple[Key, ...]:
    """Each group as one entry, where its first key stands."""
    made: dict[str, Key] = {}
    for key in keys:
        name = f"group {key.group}" if key.group else f"{key.owner} {key.words}"
        known = made.get(name)
        if known is None:
            made[name] = replace(key, words=key.group or key.words)
        else:
            made[name] = replace(known, keys=f"{known.keys} {key.keys}")
    return tuple(replace(key, keys=shortened(key.keys)) if key.group else key for key in made.values())


def shortened(keys: str) -> str:
    """`1 2 3 n` as `1-3 n`: digits that follow each other, three or more."""
    runs: list[list[str]] = []
    for key in keys.split():
        last = runs[-1][-1] if runs else ""
        if key.isdecimal() and last.isdecimal() and int(key) == int(last) + 1:
            runs[-1].append(key)
        else:
            runs.append([key])
    return " ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else " ".join(run) for run in runs)


class KeyBar(Widget):
    """Docked at the bottom of every screen. What does not fit is in the help."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; width: 1fr; background: $footer-background; padding: 0 1; text-wrap: nowrap; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[Key, ...] = ()

    def on_mount(self) -> None:
        self._updates().subscribe(self, self._changed)
        self._changed(self.screen)

    def on_unmount(self) -> None:
        self._updates().unsubscribe(self)

    def _updates(self) -> Signal[Screen[object]]:
        # Textual leaves the screen's type open.
        return cast("Signal[Screen[object]]", self.screen.bindings_updated_signal)  # pyright: ignore[reportUnknownMemberType]

    @property
    def keys(self) -> Sequence[Key]:
        """What is shown, from the left, as far as there is room."""
        return self._fitting(self.content_size.width)

    def _changed(self, screen: Screen[object]) -> None:
        keys = tuple(key for key in keys_of(screen.active_bindings.values()) if key.show)
        if keys != self._keys:
            self._keys = keys
            self.refresh()

    def _fitting(self, room: int) -> tuple[Key, ...]:
        """All, or without those that are spared, or with groups as one, or without the last ones; help, which names
        them all, is always shown.
        """
        for keys in (self._keys, tuple(key for key in self._keys if key.words not in SPARED)):
            if _cells(keys) <= room:
                return keys
        tail = tuple(key for key in self._keys if key.words in ("Help", "Quit"))
        keys = list(gathered([key for key in self._keys if key not in tail]))
        while keys and _cells((*keys, *tail)) > room:
            keys.pop()
        return (*keys, *tail)

    def render(self) -> Content:
        pieces: list[Piece] = []
        for key in self.keys:
            if pieces:
                pieces.append(Piece("  "))
            pieces.append(Piece(key.keys, Tone.KEY if key.enabled else Tone.STALE))
            pieces.append(Piece(f" {key.words.lower()}", Tone.PLAIN if key.enabled else Tone.STALE))
        return content(*pieces)

    def on_click(self, event: events.Click) -> None:
        left = self.styles.padding.left
        for key in self.keys:
            right = left + _cells((key,))
            if left <= event.x < right:
                app_of(self).simulate_key(key.press)
                return
            left = right + 2


def _cells(keys: Sequence[Key]) -> int:
    return sum(width(f"{key.keys} {key.words}") for key in keys) + 2 * max(0, len(keys) - 1)
