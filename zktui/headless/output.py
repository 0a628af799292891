"""Plain text for pipes and terminals: aligned columns, nothing from outside that a terminal would obey."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence

from zktui.core.text import printable
from zktui.maintenance.model import JsonValue


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Columns as kubectl prints them: three spaces between, as wide as their widest cell. `right` are aligned right."""
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(header))]
    lines: list[str] = []
    for row in cells:
        parts: list[str] = []
        for column, cell in enumerate(row):
            pad = " " * (widths[column] - _width(cell))
            parts.append(pad + cell if column in right else cell + pad)
        lines.append("   ".join(parts).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def say(text: str = "") -> None:
    """One or more lines to standard output, at once: whoever watches a run reads it as it happens."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say_json(document: JsonValue, *, indent: int | None = None) -> None:
    say(json.dumps(document, ensure_ascii=False, indent=indent))


def warn(text: str) -> None:
    """One line to standard error."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
