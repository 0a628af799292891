"""Values out of JSON that we wrote and that anybody may have edited since: what does not fit is left out."""

from __future__ import annotations

from collections.abc import Mapping

from zktui.maintenance.model import JsonValue


def text_of(data: Mapping[str, JsonValue], key: str) -> str:
    """A text in JSON that somebody may have edited; empty when there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def texts_of(data: Mapping[str, JsonValue], key: str) -> list[str]:
    value = data.get(key)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def number_of(data: Mapping[str, JsonValue], key: str) -> float:
    """0 when there is none."""
    value = data.get(key)
    return float(value) if isinstance(value, int | float) else 0.0


def objects_of(data: Mapping[str, JsonValue], key: str) -> list[dict[str, JsonValue]]:
    value = data.get(key)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def pair_of(data: Mapping[str, JsonValue], key: str) -> tuple[float, float] | None:
    """Two numbers."""
    value = data.get(key)
    numbers = [float(each) for each in value if isinstance(each, int | float)] if isinstance(value, list) else []
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None
