"""Kubernetes' quantities (`500m`, `1Gi`): what they amount to, and their canonical spelling.

Grammar and canonical form are those of apimachinery's resource.Quantity.
"""

from __future__ import annotations

import re
from decimal import Decimal

_GRAMMAR = re.compile(
    r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def amount(text: str) -> Decimal | None:
    """Cores, bytes or a count; None for what is no quantity."""
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        return None
    number, suffix = Decimal(found["number"]), found["suffix"] or ""
    if suffix in _BINARY:
        return number * 1024 ** _BINARY[suffix]
    if suffix in _DECIMAL:
        return number.scaleb(_DECIMAL[suffix])
    return number.scaleb(int(suffix[1:]))


def canonical(text: str) -> str:
    """As the API server stores it: no fraction, and the largest suffix that needs none. As given where it is none.

    Below 1024 a binary quantity counts in ones, and what is smaller than one in thousandths.
    """
    value = amount(text)
    if value is None:
        return text
    if text.endswith("i") and value == value.to_integral_value():
        return _largest(int(value), {suffix: 1024**power for suffix, power in _BINARY.items()})
    for suffix in ("", "m", "u", "n"):
        scaled = value.scaleb(-_DECIMAL[suffix])
        if scaled == scaled.to_integral_value():
            whole = int(scaled)
            above = {s: 10**power for s, power in _DECIMAL.items() if power > 0}
            return _largest(whole, above) if not suffix else f"{whole}{suffix}"
    return text


def _largest(value: int, units: dict[str, int]) -> str:
    fitting = [(unit, suffix) for suffix, unit in units.items() if value and value % unit == 0]
    unit, suffix = max(fitting, default=(1, ""))
    return f"{value // unit}{suffix}"
