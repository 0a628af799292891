"""The page of measured figures: medians, the worst of them, and which runs a new measurement replaces."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.e2e import measured, shapes
from tests.e2e.measured import Run

RUN = Run(
    shape="ours",
    way="headless",
    evictions=3,
    elections=1,
    below_majority=0.4,
    without_leader=0.7,
    acknowledged=900,
    lost=0,
    unchecked=0,
    longest_gap=1.5,
    seconds=60.0,
    dwell=30.0,
    blind=0.1,
    busy=0.2,
    trouble=[[3, 1, 0.7]],
)


def runs(**values: list[float]) -> list[Run]:
    """One run for each value of the fields named."""
    (count,) = {len(found) for found in values.values()}
    return [dataclasses.replace(RUN, **{name: found[at] for name, found in values.items()}) for at in range(count)]


def line(text: str, way: str) -> list[str]:
    (found,) = (line for line in text.splitlines() if line.startswith(f"| {way} |"))
    return [cell.strip() for cell in found.strip("|").split("|")][1:]


def test_median_and_worst() -> None:
    told = measured.tables(runs(seconds=[60.0, 58.0, 71.0], longest_gap=[1.5, 1.5, 4.1], elections=[1, 1, 2]))
    assert line(told, "`zktui maintain --ensemble-nodes --yes`") == [
        *("3", "3", "1 (2)", "0.4 s", "0.7 s", "1.5 s (4.1)", "0", "60 s (71)", "30 s (41)")
    ]


def test_a_member_that_could_not_be_asked_counts_as_a_loss() -> None:
    assert line(measured.tables(runs(unchecked=[1])), "`zktui maintain --ensemble-nodes --yes`")[6] == "1"


def test_a_run_that_failed_is_counted_and_has_no_figures() -> None:
    failed = measured.failure("ours", "headless", "the budget never opened")
    told = line(measured.tables([RUN, failed]), "`zktui maintain --ensemble-nodes --yes`")
    assert told[:2] == ["2, of which 1 failed", "3"]
    assert line(measured.tables([failed]), "`zktui maintain --ensemble-nodes --yes`")[1] == "–"


def test_beside_the_careful_order() -> None:
    hand = dataclasses.replace(RUN, way="by-hand", seconds=25.0, dwell=0.0)
    assert "`zktui maintain --ensemble-nodes --yes` 1.20 times" in measured.tables([RUN, hand])
    assert "times" not in measured.tables([RUN])


def test_how_quiet_the_machine_was() -> None:
    told = measured.page(runs(busy=[0.1, 0.62], blind=[0.11, 0.4]))
    assert "36% of the processors were in use, the idle cluster included, and 62% at most" in told
    assert "longer than 0.40 s" in told


def test_a_new_measurement_replaces_the_old_one_of_its_shape_and_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "DATA", tmp_path / "measured.jsonl")
    monkeypatch.setattr(measured, "PAGE", tmp_path / "measured.md")
    other = dataclasses.replace(RUN, way="kubectl")
    measured.keep([*runs(seconds=[90.0, 91.0]), other])
    measured.keep([RUN])
    assert measured.load() == [other, RUN]
    assert measured.PAGE.read_text() == measured.page([other, RUN])


def test_the_page_is_made_from_the_figures() -> None:
    runs = measured.load()
    assert measured.PAGE.read_text() == measured.page(runs)


def test_every_run_of_zktui_kept_its_promise() -> None:
    """What docs/measured.md is there to show: else it has to say so in its first lines, and README too."""
    mine = [run for run in measured.load() if run.way in measured.ZKTUI]
    assert {(run.shape, run.way) for run in mine} == {(s, w) for s in shapes.SHAPES for w in measured.ZKTUI}
    assert {(run.evictions, run.elections, run.lost, run.unchecked, run.failed) for run in mine} == {(3, 1, 0, 0, "")}
