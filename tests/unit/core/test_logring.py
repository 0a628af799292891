from __future__ import annotations

import pytest

from zktui.core.logring import LogLine, LogRing


def lines(*texts: str) -> list[LogLine]:
    return [LogLine("zk-0", "u", "", text) for text in texts]


def test_keeps_the_newest_and_counts_what_it_dropped() -> None:
    ring = LogRing(3)
    assert ring.extend(lines("a", "b")) == 0
    assert ring.extend(lines("c", "d", "e")) == 2
    assert (ring.total, ring.dropped, ring.first, len(ring)) == (5, 2, 2, 3)
    assert [line.text for _, line in ring.since(0)] == ["c", "d", "e"]


def test_numbers_count_for_ever() -> None:
    ring = LogRing(2)
    ring.extend(lines("a", "b", "c"))
    assert ring[1].text == "b"
    assert ring[2].text == "c"
    with pytest.raises(IndexError):
        ring[0]
    with pytest.raises(IndexError):
        ring[3]
    assert [number for number, _ in ring.since(2)] == [2]
    assert ring.find(lambda line: line.text > "a") == [1, 2]


def test_a_ring_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        LogRing(0)


def test_cleared_it_starts_anew() -> None:
    ring = LogRing(2)
    ring.extend(lines("a", "b", "c"))
    ring.clear()
    assert (ring.total, ring.dropped, len(ring)) == (0, 0, 0)
