"""What drills print for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.core.facts import statefulset
from zktui.core.zookeeper import Ensemble
from zktui.drills.model import ProcessOutcome, ProcessReview
from zktui.drills.undo import Undo
from zktui.headless.drill import outcome_words, review_words, teller
from zktui.headless.storagedrill import left_words
from zktui.maintenance.model import Event, Gate, GateName, Standing

ENSEMBLE = Ensemble(statefulset(), "zookeeper")
BACK = ProcessOutcome(
    "zk-1",
    True,
    Path("/state/drills/1-process.jsonl"),
    stopped=0.2,
    elected=0.9,
    restarted=1.4,
    ready=4.0,
    rejoined=5.25,
    leader="zk-2",
    below=0.75,
)


def test_what_came_of_it() -> None:
    assert outcome_words(BACK).splitlines() == [
        "",
        "zk-1: silent after 0.2 s, another led after 0.9 s, started again after 1.4 s, Ready after 4.0 s, "
        "rejoined after 5.2 s",
        "without a quorum: 0.8 s; leader now: zk-2",
        "journal: /state/drills/1-process.jsonl",
    ]
    lost = replace(BACK, rejoined=None, leader="", why="zk-1 did not rejoin within 300 s")
    assert outcome_words(lost).splitlines()[-2] == "zk-1 did not rejoin within 300 s."
    assert "leader now: none" in outcome_words(lost)


def test_what_stands_in_the_way() -> None:
    gates = (
        Gate(GateName.QUORUM, Standing.BLOCKED, "1 of 3 serve without zk-1, majority is 2", 0.0),
        Gate(GateName.ALONE, Standing.OK, "nobody else disrupts members", 0.0),
    )
    words = review_words(ProcessReview(ENSEMBLE, "zk-1", None, True, gates, None, ("ps \x1b[31m",)))
    assert words.splitlines() == [
        "default/zk: end the server of zk-1 (the leader: an election follows)",
        "  ✗ quorum: 1 of 3 serve without zk-1, majority is 2",
        "  ✓ alone: nobody else disrupts members",
        "  ✗ ps ␛[31m",
    ]


def test_events_as_they_happen(capsys: pytest.CaptureFixture[str]) -> None:
    event = Event(1, 0.0, "rejoined", "zk-1 is \x1b[2J back", data={"seconds": 5.25})
    teller("text")(event)
    teller("text")(replace(event, data={}))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("  zk-1 is ␛[2J back   +5.2 s")
    assert second.endswith("  zk-1 is ␛[2J back")
    teller("jsonl")(event)
    assert '"kind": "rejoined"' in capsys.readouterr().out


def test_a_drill_that_was_cut_off(tmp_path: Path) -> None:
    kubectl = ("kubectl", "--context", "prod eu", "-n", "default")
    folder = tmp_path / "1-storage"
    left = Undo(folder, "default", "zk", "u", "/zktui-drill-1", "d", "zookeeper", "https://prod", kubectl, False, {})
    lines = left_words(left).splitlines()
    assert lines[0] == "A storage drill of default/zk did not come to its end."
    assert "zktui drill storage --finish" in lines[1]
    assert f"  kubectl --context 'prod eu' -n default create --save-config=false -f {folder}/statefulset.json" in lines
    assert lines[-1] == f"The same, explained: {folder}/BY-HAND.txt"
