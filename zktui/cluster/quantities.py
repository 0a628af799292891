"""Kubernetes' way to write amounts and times, as plain numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import lru_cache

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


@lru_cache(maxsize=4096)
def millicores(text: str) -> int:
    """CPU in thousandths of a core, rounded up as the scheduler does; 0 for what is no quantity."""
    return _ceiling(_quantity(text) * 1000)


@lru_cache(maxsize=4096)
def whole(text: str) -> int:
    """Bytes, or a count, rounded up; 0 for what is no quantity."""
    return _ceiling(_quantity(text))


def _quantity(text: str) -> Decimal:
    """The grammar of apimachinery's resource.Quantity: a number with an SI or binary suffix, or an exponent."""
    number = text.rstrip("numkKMGTPEi")
    suffix = text[len(number) :]
    try:
        # "12E" is 12 exa, but "12E3" is an exponent: rstrip leaves that one whole.
        return Decimal(number) * _SUFFIXES[suffix]
    except (InvalidOperation, KeyError):
        return Decimal(0)


def _ceiling(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_CEILING)) if amount.is_finite() else 0


def epoch(text: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 Time or MicroTime; None for an absent or unreadable one."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def micro_time(seconds: float) -> str:
    """A `MicroTime`, as Leases have it: always six digits of a second, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
