"""Words and figures for people, and text from outside made fit for a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

_CONTROL_PICTURES = 0x2400
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})


class _Visible(dict[int, str]):
    """A table for str.translate that learns each code point at its first sight."""

    def __missing__(self, code: int) -> str:
        shown = self[code] = _visible(code)
        return shown


def _visible(code: int) -> str:
    char = chr(code)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == 0x7F:
        return "␡"
    if 0xFE00 <= code <= 0xFE0F:
        # Variation selectors: terminals disagree on the width they give to the character before.
        return ""
    if unicodedata.category(char) in _HIDDEN:
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return char


_TABLE = _Visible()


def printable(raw: str, tab: int = 0) -> str:
    """`raw` as one line that a terminal shows as it is, and in which nothing is obeyed or hidden.

    Control characters, bidirectional overrides, zero-width and unassigned characters become visible. With `tab` above 0
    tabs are expanded to stops of that many columns; otherwise they are shown as ␉.
    """
    if raw.isascii() and raw.isprintable():
        return raw
    if tab > 0:
        raw = raw.expandtabs(tab)
    return raw.translate(_TABLE)


def span(seconds: float) -> str:
    """A length of time as kubectl's AGE column puts it: 42s, 3m12s, 5h, 2d."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, rest = divmod(hours, 24)
    return f"{days}d{rest}h" if days < 8 and rest else f"{days}d"


def homely(path: Path) -> str:
    """The path as people know it: with ~ for the home folder."""
    try:
        return str("~" / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
