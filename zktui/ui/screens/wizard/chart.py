"""A small step chart of a budget's allowed disruptions over the run, in box-drawing lines."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.maintenance.model import BudgetSample
from zktui.ui.screens.wizard.words import clock
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

LEAST_SPAN = 60.0
"""Seconds that the chart's width stands for at least, so that the first dip is not as wide as the run."""
MOST_LEVELS = 4
AXIS = 6


def levels(samples: Sequence[BudgetSample], start: float, end: float, columns: int) -> list[int | None]:
    """For each column the least allowed number within its time: a short dip must not vanish. None: not known yet."""
    if columns <= 0 or not samples:
        return []
    width = max(end - start, LEAST_SPAN) / columns
    found: list[int | None] = []
    held: int | None = None
    at = 0
    for column in range(columns):
        left = start + column * width
        if left > end:
            break
        least = held
        while at < len(samples) and samples[at].at < left + width:
            held = samples[at].allowed
            least = held if least is None else min(least, held)
            at += 1
        found.append(least)
    return found


def rows(
    samples: Sequence[BudgetSample],
    marks: Sequence[tuple[float, str]],
    *,
    start: float,
    end: float,
    start_wall: float,
    width: int,
) -> list[Row]:
    """The chart in `width` cells: one line a level, then the marks (monotonic time, one-cell sign), then the times."""
    columns = width - AXIS
    known = levels(samples, start, end, columns)
    if not known:
        return []
    top = max(1, *(value for value in known if value is not None)) if any(v is not None for v in known) else 1
    heights = [None if value is None else _height(value, top) for value in known]
    tallest = _height(top, top)
    lines: list[Row] = []
    for level in range(tallest, -1, -1):
        label = str(top if level == tallest else level if top == tallest or level == 0 else "")
        tone = Tone.SAFE if level else Tone.WAITING
        lines.append(row([Piece(f" {label:>2} {'┤' if label else '│'}", Tone.DIM), Piece(_line(heights, level), tone)]))
    lines.append(_marks(marks, start, end, columns))
    left, right = clock(start_wall, seconds=False), clock(start_wall + end - start, seconds=False)
    room = max(1, min(len(known), columns) - len(left) - len(right))
    times = f"{left}{' ' * room}{right}" if len(known) >= len(left) + len(right) + 1 else left
    return [*lines, row([Piece(f"{'':{AXIS - 1}}{times}", Tone.DIM)])]


def _height(value: int, top: int) -> int:
    """The line on which a value is drawn; only 0 is drawn on line 0."""
    if top == 1:
        return 2 * value  # two lines apart, so that a step is seen from afar
    if top <= MOST_LEVELS:
        return value
    return 0 if value <= 0 else max(1, round(value * MOST_LEVELS / top))


def _line(heights: Sequence[int | None], level: int) -> str:
    return "".join(_joint(heights, column, level) for column in range(len(heights)))


def _joint(heights: Sequence[int | None], column: int, level: int) -> str:
    """The character of one column on one line: the step to the next column is drawn here."""
    here = heights[column]
    following = heights[column + 1] if column + 1 < len(heights) else here
    if here is None or following is None:
        return " "
    if here == following:
        return "─" if here == level else " "
    if level == here:
        return "╮" if here > following else "╯"
    if level == following:
        return "╰" if here > following else "╭"
    return "│" if min(here, following) < level < max(here, following) else " "


def _marks(marks: Sequence[tuple[float, str]], start: float, end: float, columns: int) -> Row:
    width = max(end - start, LEAST_SPAN) / columns
    signs = [" "] * columns
    for at, sign in marks:
        column = int((at - start) / width)
        if 0 <= column < columns:
            signs[column] = sign
    return row([Piece(" " * (AXIS - 1)), Piece("".join(signs), Tone.STRONG)])
