"""Kubernetes' quantities: amounts, and the spelling that the API server stores."""

from __future__ import annotations

from decimal import Decimal

import pytest

from zktui.core.heap import heap_bytes
from zktui.core.quantities import amount, canonical


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("0.5", "0.5"),
        ("500m", "0.5"),
        ("1Gi", str(2**30)),
        ("1.5Gi", str(3 * 2**29)),
        ("1G", "1000000000"),
        ("1e3", "1000"),
        ("12E", str(12 * 10**18)),
    ],
)
def test_amounts(text: str, value: str) -> None:
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "1Q", "1 Gi", "Gi", "1e", "١"])
def test_no_amounts(text: str) -> None:
    assert amount(text) is None
    assert canonical(text) == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0.5", "500m"),
        ("0.30", "300m"),
        ("1.0", "1"),
        ("1000m", "1"),
        ("2048Mi", "2Gi"),
        ("1.5Gi", "1536Mi"),
        ("1024", "1024"),
        ("1000", "1k"),
        ("10Gi", "10Gi"),
        ("0.0001", "100u"),
    ],
)
def test_canonical_spelling(text: str, stored: str) -> None:
    assert canonical(text) == stored
    assert canonical(stored) == stored


@pytest.mark.parametrize(
    ("text", "value"), [("512M", 2**29), ("512m", 2**29), ("2G", 2**31), ("1024k", 2**20), ("x", None)]
)
def test_heaps(text: str, value: int | None) -> None:
    assert heap_bytes(text) == value
