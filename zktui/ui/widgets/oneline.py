"""A widget of a few lines of pieces, each laid out to its width: left part, right part, no markup, no wrapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widget import Widget

from zktui.ui.text import Piece, content, printable, width


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces that are shown together or not at all. Parts of the highest priority go first when there is no room."""

    pieces: tuple[Piece, ...]
    priority: int = 0

    @property
    def cells(self) -> int:
        return sum(width(printable(piece.text)) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: parts from the left edge, and parts that end at the right one."""

    left: tuple[Part, ...] = ()
    right: tuple[Part, ...] = ()


GAP = 2


def laid_out(line: Line, room: int) -> Content:
    """The line in at most `room` cells: parts are dropped by priority, later ones of one priority first."""
    left, right = list(line.left), list(line.right)
    while _needed(left, right) > room:
        droppable = [part for part in (*left, *right) if part.priority > 0]
        if not droppable:
            break
        most = max(part.priority for part in droppable)
        victims = right if any(part.priority == most for part in right) else left
        last = max(i for i, part in enumerate(victims) if part.priority == most)
        del victims[last]
    pieces = [*_joined(left)]
    spare = room - _needed(left, right)
    if right:
        pieces.append(Piece(" " * (max(0, spare) + (GAP if left else 0))))
        pieces += _joined(right)
    return content(*pieces)


def _joined(parts: Sequence[Part]) -> list[Piece]:
    pieces: list[Piece] = []
    for part in parts:
        if pieces:
            pieces.append(Piece(" " * GAP))
        pieces += part.pieces
    return pieces


def _needed(left: Sequence[Part], right: Sequence[Part]) -> int:
    parts = (*left, *right)
    return sum(part.cells for part in parts) + GAP * max(0, len(parts) - 1)


class Lines(Widget):
    """Paints a few `Line`s; `show` repaints only when they changed. Cut at the edge, never wrapped."""

    DEFAULT_CSS = """
    Lines { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  Textual's own name
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    def show(self, *lines: Line) -> None:
        if lines != self._lines:
            taller = len(lines) != len(self._lines)
            self._lines = lines
            if taller:
                self.styles.height = len(lines)
            self.refresh(layout=taller)

    def render(self) -> Content:
        room = self.content_size.width
        return Content("\n").join([laid_out(line, room) for line in self._lines])
