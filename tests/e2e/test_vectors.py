"""The recorded replies are what the real server says: recorded anew, they are the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.e2e import needs, record
from tests.e2e.__main__ import build
from tests.e2e.cluster import KWOK
from tests.e2e.stage import RealStage, need
from tests.vectors import catalogue
from tests.vectors.compare import differences


def check(folder: Path, names: Iterable[str]) -> None:
    _, found = record.record_all(folder, names)
    other = [line for name, exchanges in found.items() for line in differences(catalogue.load(name), exchanges, name)]
    assert not other, "\n".join(map(str, other))


def test_an_api_server_says_what_was_recorded(folder: Path) -> None:
    need(needs.kwok())
    build(KWOK)
    check(folder, catalogue.CASES.keys() - catalogue.ON_NODES.keys())


def test_a_kubelet_says_what_was_recorded(folder: Path, stage: RealStage) -> None:
    """Beside the stage, which is there already and tells whether this machine can."""
    assert stage.cluster.running
    check(folder, catalogue.ON_NODES)


def test_every_case_is_recorded_and_every_record_has_its_case() -> None:
    assert {path.stem for path in catalogue.RECORDED.glob("*.json")} == catalogue.CASES.keys()
