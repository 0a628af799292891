"""Thousands of random schedules; a failure prints its seed, and `SEED=n pytest …` replays that one."""

from __future__ import annotations

import os

import pytest

from tests.unit.maintenance.schedules import Faults, Schedule
from zktui.maintenance.model import RunStatus

SEED = os.environ.get("SEED")
MIXES = {
    "calm": Faults(),
    "lossy": Faults(refuse=0.15, lose=0.15, slow=0.05, unread=0.05),
    "stormy": Faults(refuse=0.05, lose=0.05, slow=0.05, unread=0.02, events=4, rival=0.2),
    "worst": Faults(refuse=0.15, lose=0.15, slow=0.15, unread=0.05, journal=0.003, events=8, rival=0.4),
}
COUNT = {"calm": 50, "lossy": 300, "stormy": 400, "worst": 400}


def _play(seed: int, faults: Faults) -> Schedule:
    schedule = Schedule(seed, faults, nodes=1 + seed % 3, horizon=90, varied=True)
    try:
        return schedule.play()
    except AssertionError as error:
        tail = "\n".join(schedule.log[-60:])
        raise AssertionError(f"SEED={seed}: {error}\n{tail}") from error


def _seeds(mix: str) -> list[int]:
    return [int(SEED)] if SEED else list(range(COUNT[mix]))


@pytest.mark.parametrize("mix", list(MIXES))
def test_promises_hold_whatever_happens(mix: str) -> None:
    ends: dict[RunStatus, int] = {}
    for seed in _seeds(mix):
        run = _play(seed, MIXES[mix]).state.run
        ends[run.status] = ends.get(run.status, 0) + 1
    if not SEED:
        assert ends.get(RunStatus.DONE, 0) > COUNT[mix] // 20, f"hardly any run came to its end: {ends}"
