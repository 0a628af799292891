"""Times as ``kubectl get`` prints them, and amounts of CPU, memory and storage as they are stored."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from zktui.demo.names import parse_time

MINUTE, HOUR, DAY = 60, 3600, 86400
YEAR = 365 * DAY


def age(text: str | None) -> str:
    """The age of something born at that time; ``<unknown>`` without a time."""
    if not text:
        return "<unknown>"
    return human_duration((datetime.now(UTC) - parse_time(text)).total_seconds())


def human_duration(seconds: float) -> str:
    """Two significant units at most, coarser the longer it is: the rules of Kubernetes' HumanDuration."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 2 * MINUTE:
        return f"{whole}s"
    if whole < 10 * MINUTE:
        return _two(whole, MINUTE, "m", 1, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole, HOUR, "h", MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole, DAY, "d", HOUR, "h")
    if whole < 2 * YEAR:
        return f"{whole // DAY}d"
    if whole < 8 * YEAR:
        return _two(whole, YEAR, "y", DAY, "d")
    return f"{whole // YEAR}y"


_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = ("m", "", "k", "M", "G", "T", "P", "E")


_AMOUNT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(m|[kMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,3})?")
_MOST = Decimal(2**63 - 1)


def is_quantity(value: str | float) -> bool:
    """Can it be read as one?"""
    return _AMOUNT.fullmatch(str(value)) is not None


def quantity(value: str | float) -> Decimal:
    """A resource quantity (``500m``, ``0.5``, ``1Gi``) as a number of its base unit, at most that of an int64.

    Raises InvalidOperation.
    """
    text = str(value)
    suffix = next((one for one in (*_BINARY, *_DECIMAL) if one and text.endswith(one)), "")
    unit = 1024 ** (_BINARY.index(suffix) + 1) if suffix in _BINARY else Decimal(1000) ** (_DECIMAL.index(suffix) - 1)
    return min(Decimal(text.removesuffix(suffix)) * unit, _MOST)


def canonical(text: str) -> str:
    """The form that Kubernetes stores: no fraction, and the largest suffix of the kind that was used."""
    try:
        amount = quantity(text)
    except InvalidOperation:
        return text
    if text.endswith(_BINARY):
        return _largest(amount, Decimal(1024), ("", *_BINARY))
    return _largest(amount * 1000, Decimal(1000), _DECIMAL)


def _largest(amount: Decimal, step: Decimal, suffixes: tuple[str, ...]) -> str:
    place = 0
    while amount and place + 1 < len(suffixes) and amount % step == 0:
        amount, place = amount / step, place + 1
    return f"{int(amount)}{suffixes[place] if amount else ''}"


def _two(whole: int, big: int, big_name: str, small: int, small_name: str) -> str:
    rest = whole % big // small
    return f"{whole // big}{big_name}" + (f"{rest}{small_name}" if rest else "")
