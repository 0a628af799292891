"""Text from outside, made fit for a terminal: names, log lines and znode data are painted only through here.

Nothing that comes from a cluster is ever read as markup or as an escape sequence: every piece goes through
`core.text.printable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.content import Content

from zktui.core.text import printable
from zktui.ui.theme import Tone

Align = Literal["left", "right"]


class Piece(NamedTuple):
    """A run of text of one meaning. `text` may be raw: whatever paints a piece makes it printable."""

    text: str
    tone: Tone = Tone.PLAIN


def width(text: str) -> int:
    """Cells that printable text takes in a terminal: wide characters count 2."""
    return len(text) if text.isascii() else cell_len(text)


def fit(text: str, cells: int, align: Align = "left") -> str:
    """Printable text in exactly so many cells: padded, or cut with an ellipsis at the end."""
    length = width(text)
    if length > cells:
        return set_cell_size(text, cells - 1) + "…" if cells > 0 else ""
    pad = " " * (cells - length)
    return pad + text if align == "right" else text + pad


def content(*pieces: Piece | str) -> Content:
    """Pieces as Content for a Static or a border title: no markup is read in them."""
    parts: list[tuple[str, str] | str] = []
    for piece in pieces:
        text, tone = (piece, Tone.PLAIN) if isinstance(piece, str) else piece
        shown = printable(text)
        parts.append((shown, tone.value) if tone is not Tone.PLAIN else shown)
    return Content.assemble(*parts, end="") if parts else Content("")


def plain(pieces: Iterable[Piece]) -> str:
    """The words of the pieces, printable, without their tones."""
    return "".join(printable(piece.text) for piece in pieces)


def segments(
    pieces: Sequence[Piece], cells: int, styles: Mapping[Tone, RichStyle], align: Align = "left"
) -> list[Segment]:
    """Pieces painted in exactly so many cells, for the line API."""
    shown = [(printable(piece.text), styles[piece.tone]) for piece in pieces]
    total = sum(width(text) for text, _ in shown)
    base = styles[Tone.PLAIN]
    if total <= cells:
        painted = [Segment(text, style) for text, style in shown if text]
        if total < cells:
            pad = Segment(" " * (cells - total), base)
            painted = [pad, *painted] if align == "right" else [*painted, pad]
        return painted
    painted = list[Segment]()
    left = cells
    for text, style in shown:
        if left <= 0:
            break
        # All of it does not fit: a piece that reaches the edge, even exactly, must say that more follows.
        taken = text if width(text) < left else set_cell_size(text, left - 1) + "…"
        painted.append(Segment(taken, style))
        left -= width(taken)
    return painted
