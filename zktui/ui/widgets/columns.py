"""Columns of a table: what they are, and which of them fit into so many cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zktui.ui.text import Align


@dataclass(frozen=True, slots=True)
class Column:
    """One column. It is `least` cells wide and grows with what it has shown, up to `most`; it never shrinks again."""

    title: str
    least: int
    most: int = 0
    """0: fixed at `least`."""
    align: Align = "left"
    priority: int = 0
    """Columns of the highest number go first when there is no room; 0 stays, and is cut if it must be."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A column in view: its index among all columns, and its width in cells."""

    index: int
    width: int


def place(columns: Sequence[Column], seen: Sequence[int], room: int) -> tuple[tuple[Placed, ...], int]:
    """Which columns fit into `room` cells, with their widths, and the gap between them (2 cells, 1 when narrow).

    `seen` is the widest content of each column so far, in cells. Columns are dropped by priority, the later ones of
    one priority first; what is left of a shortage is taken from the widest column that stays.
    """
    wanted = [max(c.least, min(w, c.most) if c.most else 0) for c, w in zip(columns, seen, strict=True)]
    kept = list(range(len(columns)))
    while True:
        for gap in (2, 1):
            if _total(kept, wanted, gap) <= room:
                return tuple(Placed(i, wanted[i]) for i in kept), gap
        droppable = [i for i in kept if columns[i].priority > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda i: (columns[i].priority, i)))
    short = _total(kept, wanted, 1) - room
    while short > 0 and kept:
        widest = max(kept, key=lambda i: wanted[i])
        if wanted[widest] <= 1:
            break
        wanted[widest] -= 1
        short -= 1
    return tuple(Placed(i, wanted[i]) for i in kept), 1


def _total(kept: Sequence[int], wanted: Sequence[int], gap: int) -> int:
    return sum(wanted[i] for i in kept) + gap * max(0, len(kept) - 1)
