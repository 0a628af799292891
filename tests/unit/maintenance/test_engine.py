"""The engine and the desk in virtual time, from review to the end of a run."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import Bench, bench
from tests.unit.maintenance.world import NAMESPACE
from zktui.core.kube import Lease, PodKey
from zktui.core.ports import Cause, Evicted, Refused, Reply, Unanswered
from zktui.core.zookeeper import Mode
from zktui.maintenance.engine import Engine
from zktui.maintenance.journal import read
from zktui.maintenance.model import (
    Command,
    CommandKind,
    GateName,
    Hold,
    HoldKind,
    NodeStep,
    Options,
    PodStep,
    Run,
    RunStatus,
    Standing,
)
from zktui.maintenance.refusals import PlanStopped, ReadOnlyError, RunUnderWay

QUICK = Options(ignore_daemonsets=True, dwell=2.0, hold=Hold(HoldKind.SECONDS, 1.0))
ALL = ("node-1", "node-2", "node-3", "node-4")


async def begun(table: Bench, nodes: tuple[str, ...], options: Options = QUICK) -> Engine:
    plan = await table.finish(table.desk.review(nodes, options))
    assert plan.go, plan.stops
    return table.desk.begin(plan)


async def ended(table: Bench, limit: float = 600) -> Run:
    assert table.desk.task is not None
    return await table.finish(table.desk.task, limit)


async def test_rolling_maintenance_of_all_nodes_costs_three_evictions_and_one_election(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, ALL)
    run = await ended(table)
    assert run.status is RunStatus.DONE, run.message
    assert [c for c in table.cluster.calls if c.startswith("evict zk")].__len__() == 3
    assert table.world.elections == 1
    assert not any(node.unschedulable for node in table.world.nodes.values())
    assert all(node.step is NodeStep.VERIFIED for node in run.nodes)
    assert table.world.leases[NAMESPACE].holder == "", "the lease is released"
    assert engine.timeline and {s.allowed for s in engine.timeline} == {0, 1}
    assert {m.pod.name for m in engine.members} == {"zk-0", "zk-1", "zk-2"}


async def test_the_leaders_node_goes_last_and_empty_nodes_first(tmp_path: Path) -> None:
    table = bench(tmp_path)
    leader = table.world.pods[table.world.leader].node
    plan = await table.finish(table.desk.review(ALL, QUICK))
    assert (plan.nodes[0].name, plan.nodes[-1].name) == ("node-4", leader)
    assert (plan.evictions, plan.elections) == (3, 1)


async def test_every_change_is_on_disk_before_it_is_made(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, ("node-1",))
    path = next((tmp_path / "runs").glob("*.jsonl"))
    at_eviction: list[str] = []

    def look(pod: PodKey) -> Reply[Evicted] | None:
        at_eviction.append([e.pod for e in read(path) if e.kind == "evict"][-1])
        assert pod.name == at_eviction[-1]
        return None

    table.cluster.on_evict = look
    await ended(table)
    assert "zk-0" in at_eviction
    assert read(path) == engine.journal.events
    assert oct(path.stat().st_mode & 0o777) == "0o600"


async def test_a_full_disk_stops_the_run_before_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = bench(tmp_path)
    engine = await begun(table, ("node-1",))
    await table.clock.until(lambda: any(e.kind == "reply" and "cordon" in e.text for e in engine.journal.events))

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    calls = list(table.cluster.calls)
    run = await ended(table)
    assert run.status is RunStatus.FAILED
    assert "No space left" in run.message and "kubectl uncordon node-1" in run.message
    assert table.cluster.calls == calls


async def test_pause_is_acknowledged_at_once_and_what_is_in_flight_is_told(tmp_path: Path) -> None:
    table = bench(tmp_path)
    table.cluster.evict_delay = 3.0
    engine = await begun(table, ("node-1",))
    await table.clock.until(lambda: engine.run.in_flight.startswith("evict zk-0"))
    engine.command(Command(CommandKind.PAUSE))
    assert engine.run.pausing and "evict zk-0" in engine.run.message
    await table.clock.until(lambda: engine.run.status is RunStatus.PAUSED)
    assert any(e.kind == "reply" and "evict zk-0: 201" in e.text for e in engine.journal.events)
    calls = list(table.cluster.calls)
    await table.clock.until(lambda: table.clock.now() > 60)
    assert table.cluster.calls == calls, "nothing is changed while paused"
    engine.command(Command(CommandKind.RESUME))
    assert engine.run.status is RunStatus.RUNNING
    assert (await ended(table)).status is RunStatus.DONE


async def test_abort_waits_for_what_is_in_flight_and_names_what_is_cordoned(tmp_path: Path) -> None:
    table = bench(tmp_path)
    table.cluster.evict_delay = 3.0
    engine = await begun(table, ("node-1",))
    await table.clock.until(lambda: engine.run.in_flight.startswith("evict zk-0"))
    engine.command(Command(CommandKind.ABORT))
    assert engine.run.aborting
    run = await ended(table)
    assert run.status is RunStatus.ABORTED
    # The command stands last and alone: it is copied from there.
    assert run.cordoned == ("node-1",)
    assert run.message.endswith("Not back yet: zk-0. To undo it: kubectl uncordon node-1"), run.message
    assert table.world.nodes["node-1"].unschedulable, "an abort undoes nothing"
    assert table.world.leases[NAMESPACE].holder == ""


async def test_hold_waits_for_the_operator(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, ("node-1",), replace(QUICK, hold=Hold(HoldKind.ASK)))
    await table.clock.until(lambda: engine.run.nodes[0].step is NodeStep.HOLD)
    held = table.clock.now()
    await table.clock.until(lambda: table.clock.now() > held + 120)
    assert engine.run.nodes[0].step is NodeStep.HOLD
    assert table.world.leases[NAMESPACE].renewed_at is not None
    assert not table.world.leases[NAMESPACE].expired(table.clock.wall()), "the lease is kept while holding"
    engine.command(Command(CommandKind.UNCORDON))
    assert (await ended(table)).status is RunStatus.DONE


async def test_leave_ends_with_the_node_cordoned_and_says_so(tmp_path: Path) -> None:
    table = bench(tmp_path)
    await begun(table, ("node-1",), replace(QUICK, hold=Hold(HoldKind.LEAVE)))
    run = await ended(table)
    assert run.status is RunStatus.DONE and run.nodes[0].step is NodeStep.LEFT_CORDONED
    assert "Still cordoned: node-1" in run.message


async def test_a_member_with_nowhere_to_land_waits_for_the_uncordon_and_rejoins(tmp_path: Path) -> None:
    table = bench(tmp_path, spare=0)
    engine = await begun(table, ("node-2",))
    assert engine.run.plan.nodes[0].members[0].landing.waits
    await table.clock.until(lambda: engine.run.nodes[0].step is NodeStep.HOLD)
    assert engine.run.nodes[0].pods[-1].step is PodStep.WAITS
    run = await ended(table)
    assert run.status is RunStatus.DONE
    assert run.nodes[0].pods[-1].successor_node == "node-2"


async def test_a_blocked_gate_offers_the_uncordon_that_opens_it(tmp_path: Path) -> None:
    """The tutorial's third drain: zk-1 is Pending since node-2 was left cordoned, so zk-2 may not go."""
    table = bench(tmp_path, spare=0, ordered=False)
    world = table.world
    world.nodes["node-2"].unschedulable = True
    zk1 = world.named("zk-1")
    assert zk1 is not None
    world.delete(zk1)
    world.advance(10)
    assert world.quorum()
    table.clock._now = 10.0  # pyright: ignore[reportPrivateUsage] - the world's own time has passed
    engine = await begun(table, ("node-3",), replace(QUICK, hold=Hold(HoldKind.SECONDS, 1)))
    await table.clock.until(lambda: bool(engine.run.blocked))
    gate = next(g for g in engine.run.blocked if g.name is GateName.QUORUM)
    assert gate.action is not None and gate.action.target == "node-2"
    assert "so that zk-1 can schedule" in gate.action.text
    assert not any(c.startswith("cordon") for c in table.cluster.calls), "no cordon before the first gate has passed"
    engine.command(Command(CommandKind.UNCORDON, node="node-2"))
    assert "type its name" in engine.run.message, "someone else's cordon is not undone by a key alone"
    engine.command(Command(CommandKind.UNCORDON, node="node-2", typed="node-2"))
    run = await ended(table)
    assert run.status is RunStatus.DONE
    assert any(e.kind == "uncordon" and "operator typed node-2" in e.text for e in engine.journal.events)


async def test_another_runs_lease_blocks_and_is_named(tmp_path: Path) -> None:
    table = bench(tmp_path)
    now = table.clock.wall()
    table.world.put_lease(
        Lease(NAMESPACE, "zktui-maintenance", holder="bob@desk", duration=30, renewed_at=now), create=True
    )
    engine = await begun(table, ("node-1",))
    await table.clock.until(lambda: bool(engine.run.blocked))
    alone = next(g for g in engine.run.gates if g.name is GateName.ALONE)
    assert alone.standing is Standing.BLOCKED and "bob@desk" in alone.evidence
    assert table.cluster.calls == []
    await table.clock.until(lambda: bool(table.cluster.calls), 200)
    assert table.clock.now() > 30, "an expired lease is taken, once it was also seen unchanged for its duration"
    assert (await ended(table)).status is RunStatus.DONE


async def test_a_budgets_refusal_shows_the_servers_words_and_the_change_of_the_budget_wakes(tmp_path: Path) -> None:
    table = bench(tmp_path)
    refused: list[float] = []

    def closed(pod: PodKey) -> Reply[Evicted] | None:
        if pod.name != "zk-0" or len(refused) > 1:
            return None
        refused.append(table.clock.now())
        cause = Cause("DisruptionBudget", "The disruption budget zk-pdb needs 2 healthy pods and has 2 currently")
        return Refused(429, "TooManyRequests", "Cannot evict pod", table.clock.now(), (cause,), retry_after=10)

    table.cluster.on_evict = closed
    engine = await begun(table, ("node-1",))
    await table.clock.until(lambda: len(refused) == 1 and engine.run.status is RunStatus.RUNNING)
    await table.clock.until(lambda: "needs 2 healthy" in (engine.run.gates[0].evidence if engine.run.gates else ""))
    table.world.budget_version += 1
    await table.clock.until(lambda: len(refused) == 2)
    assert refused[1] - refused[0] < 3, "woken by the budget's change, not by the hint of 10 s"
    await ended(table)


@pytest.mark.parametrize("acted", [True, False])
async def test_a_lost_answer_is_read_before_anything_is_sent_again(tmp_path: Path, acted: bool) -> None:
    table = bench(tmp_path)
    lost: list[str] = []

    def lose(pod: PodKey) -> Reply[Evicted] | None:
        if pod.name != "zk-0" or lost:
            return None
        lost.append(pod.uid)
        if acted:
            table.world.evict(pod)
        return Unanswered("connection reset", table.clock.now())

    table.cluster.on_evict = lose
    await begun(table, ("node-1",))
    run = await ended(table)
    assert run.status is RunStatus.DONE
    assert table.cluster.calls.count("evict zk-0") == (1 if acted else 2)


async def test_the_leader_is_asked_before_the_others(tmp_path: Path) -> None:
    table = bench(tmp_path)
    await table.finish(table.desk.review(("node-1",), QUICK))
    leader = table.world.pods[table.world.leader].name
    first, *others = table.members.order[-3:]
    assert first[1] == leader and all(at > first[0] for at, _ in others)


async def test_a_review_changes_nothing_and_raises_nothing(tmp_path: Path) -> None:
    table = bench(tmp_path)
    plan = await table.finish(table.desk.review(("node-9",), QUICK))
    assert [f.code for f in plan.stops] == ["node-not-found"]
    assert table.cluster.calls == [] and not table.world.leases
    with pytest.raises(PlanStopped):
        table.desk.begin(plan)


async def test_read_only_begins_nothing(tmp_path: Path) -> None:
    table = bench(tmp_path, read_only=True)
    plan = await table.finish(table.desk.review(("node-1",), QUICK))
    with pytest.raises(ReadOnlyError):
        table.desk.begin(plan)
    assert not (tmp_path / "runs").exists()


async def test_one_run_at_a_time(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, ("node-1",))
    with pytest.raises(RunUnderWay):
        table.desk.begin(engine.run.plan)
    engine.command(Command(CommandKind.ABORT))
    await ended(table)


async def test_missing_permission_is_found_in_review(tmp_path: Path) -> None:
    table = bench(tmp_path)
    table.cluster.denied = frozenset({"create pods"})
    plan = await table.finish(table.desk.review(("node-1",), QUICK))
    assert [f.text for f in plan.stops] == ["not permitted: create pods/eviction in default"]


async def test_readers_are_woken_and_may_leave(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, ("node-1",))
    async with engine.changes() as event:
        await table.clock.until(event.is_set)
    assert (await ended(table)).status is RunStatus.DONE, "a run does not depend on its readers"


async def test_a_cancelled_drive_awaits_the_change_in_flight(tmp_path: Path) -> None:
    table = bench(tmp_path)
    table.cluster.evict_delay = 3.0
    engine = await begun(table, ("node-1",))
    await table.clock.until(lambda: engine.run.in_flight.startswith("evict zk-0"))
    assert table.desk.task is not None
    table.desk.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ended(table)
    told = [e.text for e in engine.journal.events]
    assert "evict zk-0: 201" in told and "unattended" in told[-1] and "node-1" in told[-1]


async def test_a_silent_leader_keeps_everybody_where_they_are(tmp_path: Path) -> None:
    """Followers go on saying `follower` for seconds after the leader froze: that is no quorum."""
    table = bench(tmp_path)
    plan = await table.finish(table.desk.review(("node-1", "node-2", "node-3"), QUICK))
    leader = table.world.pods[table.world.leader]
    table.world.freeze(leader, 6)
    engine = table.desk.begin(plan)
    await table.clock.until(lambda: bool(engine.run.gates))
    quorum = next(g for g in engine.run.gates if g.name is GateName.QUORUM)
    assert quorum.standing is Standing.WAITING
    modes = {table.world.mode(p) for p in table.world.members() if p is not leader}
    assert modes == {Mode.FOLLOWER}, "they still claim to follow"
    assert not any(c.startswith(("evict", "cordon")) for c in table.cluster.calls)
    assert (await ended(table)).status is RunStatus.DONE
