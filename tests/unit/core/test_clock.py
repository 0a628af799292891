"""The clock that ages are counted by."""

from __future__ import annotations

import sys
import time

import pytest

from zktui.core.clock import SystemClock


@pytest.mark.skipif(sys.platform != "linux", reason="what stands still in a suspend differs")
def test_it_goes_on_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading from before a suspend must not seem fresh after it, nor a lease held."""
    after_an_hour_asleep = {time.CLOCK_MONOTONIC: 100.0, time.CLOCK_BOOTTIME: 3700.0}
    monkeypatch.setattr(time, "clock_gettime", after_an_hour_asleep.__getitem__)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert SystemClock().now() == 3700.0


def test_it_never_goes_back() -> None:
    clock = SystemClock()
    seen = [clock.now() for _ in range(1000)]
    assert seen == sorted(seen)
