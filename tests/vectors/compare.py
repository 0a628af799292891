"""Where two recordings of one case differ: the real server's, and another's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from tests.vectors.wire import Exchange

ABSENT = "(absent)"


class Difference(NamedTuple):
    """``path`` is like ``body.details.causes[0].message``; a value is ``(absent)`` where there is none."""

    case: str
    exchange: str
    path: str
    real: Any
    other: Any

    def __str__(self) -> str:
        return f"{self.case} / {self.exchange} / {self.path}: real {self.real!r}, here {self.other!r}"


def differences(real: list[Exchange], other: list[Exchange], case: str) -> list[Difference]:
    """Every leaf that differs, and every key that only one has. Types differ too: 1, 1.0 and true are three things."""
    names = [exchange["name"] for exchange in real]
    found = {exchange["name"]: exchange for exchange in other}
    if missing := [name for name in [*names, *found] if name not in found or name not in names]:
        return [Difference(case, name, "", name in names, name in found) for name in missing]
    return [
        Difference(case, exchange["name"], path, left, right)
        for exchange in real
        for path, left, right in _walk("", exchange["reply"], found[exchange["name"]]["reply"])
    ]


def _walk(path: str, real: Any, other: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(real, dict) and isinstance(other, dict):
        left, right = cast("dict[str, Any]", real), cast("dict[str, Any]", other)
        for key in sorted({*left, *right}):
            yield from _walk(f"{path}.{key}".lstrip("."), left.get(key, ABSENT), right.get(key, ABSENT))
    elif isinstance(real, list) and isinstance(other, list):
        ours, theirs = cast("list[Any]", real), cast("list[Any]", other)
        if len(ours) != len(theirs):
            yield f"{path}.length", len(ours), len(theirs)
        for place, (left, right) in enumerate(zip(ours, theirs, strict=False)):
            yield from _walk(f"{path}[{place}]", left, right)
    elif type(cast("object", real)) is not type(cast("object", other)) or real != other:
        yield path, real, other
