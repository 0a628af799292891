"""All four nodes of the real cluster go down and come back, judged from outside."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.measure import once
from tests.e2e.shapes import OURS
from tests.e2e.stage import RealStage
from tests.e2e.ways import Bench

ONE_ELECTION = 5.0
"""Seconds without a leader that one election may take on a busy machine; it takes less than one on a quiet one."""


def test_three_evictions_and_one_election(stage: RealStage, folder: Path) -> None:
    # Members that are Ready lately cost time only: they get their dwell before the first is evicted.
    run = once(Bench(stage), OURS, "headless", folder / "run", settle=0.0)

    assert run.evictions == 3
    assert run.elections == 1
    # Below a majority, or without a leader, only once; all members served right before; and no longer than that takes.
    ((serving_before, epochs, seconds),) = run.trouble
    assert (serving_before, epochs) == (3, 1)
    assert run.below_majority <= seconds < ONE_ELECTION
    assert run.acknowledged > 100
    assert (run.lost, run.unchecked) == (0, 0)
    assert not [node for node in stage.kubectl("get", "nodes", "-o", "json").json()["items"] if cordoned(node)]


def cordoned(node: dict[str, dict[str, object]]) -> bool:
    return bool(node["spec"].get("unschedulable"))
