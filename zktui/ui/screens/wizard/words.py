"""How the wizard says times, members and keys; one way for all its panes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from zktui.core.zookeeper import Mode
from zktui.ui.text import Align, Piece, printable, width
from zktui.ui.theme import Tone

LEADER_SIGN = "★"
OK, WAIT, STOP, NOW, NEXT = "✓", "…", "■", "▸", "·"

Cell = Sequence[Piece] | Piece | str


def span(seconds: float) -> str:
    """A length of time as a person says it: `0.2 s`, `12 s`, `3 min 12 s`, `2 h 05 min`."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock(wall: float, *, seconds: bool = True) -> str:
    """Local time of day of an instant in seconds since the epoch."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(wall))


def stopwatch(seconds: float) -> str:
    """A clock that runs: `0:07`, `12:34`, `1:02:03`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def bar(done: float, needed: float, cells: int = 8) -> str:
    """Progress in blocks; full only when nothing is left."""
    share = 1.0 if needed <= 0 else min(1.0, max(0.0, done / needed))
    full = int(share * cells)
    return "▰" * full + "▱" * (cells - full)


def role(mode: Mode) -> list[Piece]:
    """A member's role in one word, the leader with its sign."""
    match mode:
        case Mode.LEADER:
            return [Piece(f"{LEADER_SIGN} leader", Tone.LEADER)]
        case Mode.FOLLOWER | Mode.OBSERVER | Mode.STANDALONE:
            return [Piece(mode.value)]
        case _:
            return [Piece(mode.value, Tone.BLOCKED)]


def count(number: int, one: str, many: str = "") -> str:
    """`no evictions`, `1 eviction`, `3 evictions`."""
    return f"{number or 'no'} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str], none: str = "–") -> str:
    """`a`, `a and b`, `a, b and c`."""
    known = list(names)
    if len(known) < 2:
        return known[0] if known else none
    return f"{', '.join(known[:-1])} and {known[-1]}"


def key(name: str, does: str) -> list[Piece]:
    """A key and what it does, as the panes offer it."""
    return [Piece(f" {name} ", Tone.KEY), Piece(does)]


def pieces(cell: Cell) -> list[Piece]:
    if isinstance(cell, str):
        return [Piece(cell)]
    return [cell] if isinstance(cell, Piece) else list(cell)


def cells(cell: Cell) -> int:
    """Terminal cells that a table cell takes."""
    return sum(width(printable(piece.text)) for piece in pieces(cell))


def padded(cell: Cell, to: int, align: Align = "left") -> list[Piece]:
    """A cell in at least `to` terminal cells."""
    blank = Piece(" " * max(0, to - cells(cell)))
    return [blank, *pieces(cell)] if align == "right" else [*pieces(cell), blank]


def table(rows: Sequence[Sequence[Cell]], aligns: Sequence[Align] = (), gap: int = 2) -> list[list[Piece]]:
    """Rows of cells in columns as wide as their widest cell; the last column is not padded."""
    columns = max((len(cells_) for cells_ in rows), default=0)
    widths = [max((cells(r[i]) for r in rows if i < len(r)), default=0) for i in range(columns)]
    lines: list[list[Piece]] = []
    for each in rows:
        line: list[Piece] = []
        for i, cell in enumerate(each):
            align = aligns[i] if i < len(aligns) else "left"
            last = i == len(each) - 1 and align == "left"
            line += pieces(cell) if last else [*padded(cell, widths[i], align), Piece(" " * gap)]
        lines.append(line)
    return lines
