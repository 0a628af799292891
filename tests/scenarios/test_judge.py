"""The judge of the measurements sees what happens to an ensemble; else its verdicts would mean nothing."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.measure import judging
from tests.e2e.ways import Bench
from tests.scenarios.play import kubectl, needs_kubectl, whole
from tests.scenarios.stage import Stage


def test_an_election(stage: Stage, folder: Path) -> None:
    needs_kubectl()
    whole(stage)
    bench = Bench(stage)
    leader = bench.leader()
    before = bench.members()[leader]
    with judging(bench, folder / "client.log") as judgement:
        kubectl(stage, "delete", "pod", "--wait=false", leader)
        bench.moved(before)

    verdict = judgement.verdict
    assert verdict is not None
    assert verdict.evictions == (leader,)
    assert verdict.elections == 1
    assert verdict.leaders[0] == leader and len(verdict.leaders) == 2
    assert verdict.without_leader > 0
    assert [episode.serving_before for episode in verdict.episodes] == [3]
    assert verdict.whole_since is not None
    assert verdict.writes.acknowledged > 0 and verdict.writes.kept
    assert verdict.writes.lost.keys() == {"zk-0", "zk-1", "zk-2"}
    assert verdict.writes.longest_gap >= verdict.without_leader / 2


def test_a_majority_that_was_given_up(stage: Stage, folder: Path) -> None:
    needs_kubectl()
    whole(stage)
    bench = Bench(stage)
    leader = bench.leader()
    followers = [member for name, member in bench.members().items() if name != leader]
    with judging(bench, folder / "client.log") as judgement:
        # kubectl may wait for ever: for a pod that is replaced between its look at the name and its watch of it.
        kubectl(stage, "delete", "pod", "--wait=false", *(member.name for member in followers))
        for member in followers:
            bench.moved(member)

    verdict = judgement.verdict
    assert verdict is not None
    assert sorted(verdict.evictions) == sorted(member.name for member in followers)
    assert verdict.below_majority > 0
    assert verdict.writes.kept
