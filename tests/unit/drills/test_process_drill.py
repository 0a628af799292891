from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drills.fakes import PS, DrillBench
from zktui.core.kube import Lease
from zktui.core.ports import Answer, Executed, Refused
from zktui.drills.following import POLL, STEP
from zktui.maintenance.model import LEASE_NAME, RUN_ANNOTATION, GateName, Standing
from zktui.maintenance.refusals import CannotBegin, ReadOnlyError, WordMissing


async def drilled(bench: DrillBench, member: str) -> Any:
    reviewed = await bench.finish(bench.drills.review_process(bench.world.ensemble(), member))
    return await bench.finish(bench.drills.process(reviewed, member, bench.events.append))


async def reviewed(bench: DrillBench, member: str) -> Any:
    return await bench.finish(bench.drills.review_process(bench.world.ensemble(), member))


async def test_a_follower_is_ended_and_comes_back(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    leader, member = bench.leader, bench.follower
    outcome = await drilled(bench, member)
    assert outcome.well
    assert (outcome.led, outcome.elected, outcome.leader) == (False, None, leader)
    assert outcome.exit == "Error, exit code 143 (SIGTERM)"
    assert outcome.stopped < outcome.restarted <= outcome.ready < outcome.rejoined
    assert 4.0 <= outcome.restarted < 6.5
    assert 8.0 <= outcome.rejoined < 11.5
    assert outcome.below == 0
    assert (member, "kill", "1") in bench.executor.ran
    assert bench.kinds[0] == "drill"
    assert [k for k in bench.kinds if k not in ("gate", "drill")] == [
        "kill",
        "stopped",
        "restarted",
        "ready",
        "rejoined",
        "result",
    ]
    kept = [json.loads(line) for line in outcome.journal.read_text().splitlines()]
    assert [line["kind"] for line in kept] == bench.kinds
    assert kept[-1]["data"]["well"] is True
    assert outcome.journal.parent == tmp_path / "drills"
    # The lease was held, and is free again.
    assert bench.world.leases["default"].holder == ""


async def test_the_leader_is_ended_and_another_is_elected(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    member = bench.leader
    bench.executor.away = 30.0
    outcome = await drilled(bench, member)
    assert outcome.well
    assert outcome.led
    assert outcome.leader not in ("", member)
    assert outcome.elected is not None
    assert 0 < outcome.below < outcome.rejoined
    assert "elected" in bench.kinds


async def test_the_time_until_the_first_look_counts(tmp_path: Path) -> None:
    """The command that ends a leader may return late: by the second look another leads."""
    bench = DrillBench(tmp_path)
    member = bench.leader
    bench.executor.away = 30.0
    bench.executor.slow = 1.0
    outcome = await drilled(bench, member)
    assert outcome.stopped >= 1.0
    # Until the last look before the one that found another leader.
    assert outcome.elected - outcome.below <= STEP + POLL + 0.1


async def test_the_journal_says_so_before_anything_is_ended(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    seen: list[str] = []

    def killed() -> None:
        (journal,) = (tmp_path / "drills").glob("*-process.jsonl")
        seen.append(json.loads(journal.read_text().splitlines()[-1])["kind"])

    bench.executor.on_kill = killed
    await drilled(bench, bench.follower)
    assert seen == ["kill"]


async def test_a_member_whose_loss_would_take_quorum_is_left_alone(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    away = next(p for p in bench.world.members() if p.uid != bench.world.leader)
    bench.world.crash(away, math.inf)
    bench.world.advance(bench.clock.now())
    found = await reviewed(bench, bench.leader)
    quorum = next(g for g in found.gates if g.name is GateName.QUORUM)
    assert quorum.standing is not Standing.OK
    with pytest.raises(CannotBegin):
        await bench.finish(bench.drills.process(found, bench.leader, bench.events.append))
    assert not [c for c in bench.executor.ran if "kill" in c]
    # A member that does not serve costs nothing, whoever else is there.
    broken = await reviewed(bench, away.name)
    assert next(g for g in broken.gates if g.name is GateName.QUORUM).standing is Standing.OK


async def test_gates_are_asked_again_right_before(tmp_path: Path) -> None:
    """Open in the review; another member falls silent while the operator types."""
    bench = DrillBench(tmp_path)
    member = bench.leader
    found = await reviewed(bench, member)
    assert found.go
    assert not found.waits
    other = next(p for p in bench.world.members() if p.name != member)
    bench.world.crash(other, math.inf)
    bench.world.advance(bench.clock.now())
    with pytest.raises(CannotBegin, match="quorum"):
        await bench.finish(bench.drills.process(found, member, bench.events.append))
    assert not [c for c in bench.executor.ran if "kill" in c]
    assert bench.kinds[-1] == "refused"
    assert bench.world.leases["default"].holder == ""


async def test_a_member_that_is_on_its_way_is_waited_for(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    member = bench.leader
    found = await reviewed(bench, member)
    other = next(p for p in bench.world.members() if p.name != member)
    bench.world.crash(other, 20.0)
    bench.world.advance(bench.clock.now())
    outcome = await bench.finish(bench.drills.process(found, member, bench.events.append))
    assert outcome.well
    assert bench.kinds.index("wait") < bench.kinds.index("kill")


@pytest.mark.parametrize(
    ("listing", "why"), [("", "0 ZooKeeper servers"), (PS + PS.splitlines()[1].replace(" 1 ", " 9 ", 1), "2 ZooKeeper")]
)
async def test_without_one_server_to_end_nothing_is_ended(tmp_path: Path, listing: str, why: str) -> None:
    bench = DrillBench(tmp_path)
    bench.executor.listing = listing
    found = await reviewed(bench, bench.follower)
    assert not found.go
    assert why in found.refusals[0]
    with pytest.raises(CannotBegin, match="ZooKeeper servers"):
        await bench.finish(bench.drills.process(found, found.word, bench.events.append))


@pytest.mark.parametrize(
    "reply",
    [Refused(403, "Forbidden", "pods/exec is forbidden", 0.0), Answer(Executed("", "kill: no such process", 1), 0.0)],
)
async def test_a_kill_that_does_not_work_is_told(tmp_path: Path, reply: Any) -> None:
    bench = DrillBench(tmp_path)
    bench.executor.on_kill = lambda: reply
    with pytest.raises(CannotBegin, match="kill did not work"):
        await drilled(bench, bench.follower)
    assert bench.world.leases["default"].holder == ""


async def test_a_member_that_does_not_come_back(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.executor.away = math.inf
    outcome = await drilled(bench, bench.follower)
    assert not outcome.well
    assert outcome.why.endswith("did not start again within 300 s")
    assert outcome.rejoined is None
    assert bench.events[-1].data["well"] is False


async def test_another_that_holds_the_lease_comes_first(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    held = Lease("default", LEASE_NAME, "lease-1", "v1", "bob@desk/7 (20260101-1)", 40, 0.0, bench.world.wall)
    bench.world.leases["default"] = held
    found = await reviewed(bench, bench.follower)
    assert [g.name for g in found.blocked] == [GateName.ALONE]
    assert "bob@desk/7" in found.blocked[0].evidence
    # Taken meanwhile, it is refused all the same.
    bench.world.leases.clear()
    found = await reviewed(bench, bench.follower)
    bench.world.leases["default"] = replace(held, annotations={RUN_ANNOTATION: ""})
    with pytest.raises(CannotBegin, match="bob@desk"):
        await bench.finish(bench.drills.process(found, found.word, bench.events.append))
    assert not [c for c in bench.executor.ran if "kill" in c]


async def test_the_lease_of_a_drill_that_died_is_taken_once_nobody_renews_it(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    found = await reviewed(bench, bench.follower)
    dead = Lease("default", LEASE_NAME, "lease-1", "v1", "bob@desk/7 (drill 20260101-1)", 40, 0.0, bench.world.wall)
    bench.world.leases["default"] = dead
    began = bench.clock.now()
    outcome = await bench.finish(bench.drills.process(found, found.word, bench.events.append))
    assert outcome.well
    killed = next(e for e in bench.events if e.kind == "kill")
    assert killed.wall - bench.world.wall < 0
    assert bench.clock.now() - began > 40


async def test_the_word_and_read_only(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    found = await reviewed(bench, bench.follower)
    with pytest.raises(WordMissing):
        await bench.drills.process(found, "zk", bench.events.append)
    looker = DrillBench(tmp_path, read_only=True)
    with pytest.raises(ReadOnlyError):
        await looker.drills.process(found, found.word, bench.events.append)
    assert bench.events == []
    assert not (tmp_path / "drills").exists()


async def test_no_such_member(tmp_path: Path) -> None:
    found = await reviewed(DrillBench(tmp_path), "zk-9")
    assert (found.go, found.refusals) == (False, ("zk has no pod zk-9",))
