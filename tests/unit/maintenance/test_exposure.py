"""How many voters may still be lost, since when the run exposes its ensemble, and what the journal keeps of it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import Bench, bench
from zktui.core.kube import Pod
from zktui.core.ports import Reply, Unanswered
from zktui.core.quorum import Health, Quorum
from zktui.maintenance.engine import Engine
from zktui.maintenance.exposure import who_serves
from zktui.maintenance.model import Event, Hold, HoldKind, Options, RunStatus

QUICK = Options(ignore_daemonsets=True, dwell=2.0, hold=Hold(HoldKind.SECONDS, 5.0))


async def begun(table: Bench, *nodes: str) -> Engine:
    plan = await table.finish(table.desk.review(nodes, QUICK))
    assert plan.go, plan.stops
    return table.desk.begin(plan)


async def ended(table: Bench) -> None:
    assert table.desk.task is not None
    run = await table.finish(table.desk.task)
    assert run.status is RunStatus.DONE, run.message


def quorums(engine: Engine) -> list[Event]:
    return [event for event in engine.journal.events if event.kind == "quorum"]


@pytest.mark.parametrize(
    ("quorum", "told"),
    [
        (Quorum(Health.QUORUM, 3, 2, "zk-2", 1), "2 of 3 voters serve, zk-2 leads"),
        (Quorum(Health.NO_QUORUM, 3, 1, why="no member leads"), "1 of 3 voters serve, no quorum: no member leads"),
        (Quorum(Health.UNKNOWN, 3, 0, why="nothing new from zk-0"), "who serves is not known: nothing new from zk-0"),
    ],
)
def test_a_count_is_told_only_where_it_is_an_answer(quorum: Quorum, told: str) -> None:
    """Readings that come late on a busy machine are no outage, and the journal may not read like one."""
    assert who_serves(quorum) == told


def follower_node(table: Bench) -> str:
    return next(p.node for p in table.world.members() if p.uid != table.world.leader)


async def test_exposed_from_the_first_voter_that_our_eviction_took_until_all_serve_again(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, follower_node(table))
    await table.clock.until(lambda: engine.run.spare is not None)
    assert (engine.run.spare, engine.run.exposed_since) == (1, None)
    await table.clock.until(lambda: engine.run.exposed_since is not None)
    since = engine.run.exposed_since
    assert engine.run.spare == 0
    assert table.world.deleted_by_us
    await table.clock.until(lambda: engine.run.spare == 1)
    assert since is not None and since < table.clock.now()
    assert engine.run.exposed_since is None
    await ended(table)


async def test_a_member_that_others_took_down_spares_one_less_and_is_no_exposure_of_ours(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, "node-4")
    await table.clock.until(lambda: engine.run.spare == 1)
    victim = next(p for p in table.world.members() if p.uid != table.world.leader)
    table.world.freeze(victim, 3.0)
    await table.clock.until(lambda: engine.run.spare == 0)
    assert engine.run.exposed_since is None
    await ended(table)


async def test_without_a_leader_there_is_nothing_to_spare(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, table.world.pods[table.world.leader].node)
    await table.clock.until(lambda: engine.run.spare is not None and engine.run.spare < 0)
    await table.clock.until(lambda: engine.run.spare == 1)
    await ended(table)
    healths = [event.data["health"] for event in quorums(engine)]
    assert healths[0] == healths[-1] == "quorum"
    assert "no quorum" in healths


async def test_what_is_not_read_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = bench(tmp_path)
    engine = await begun(table, "node-4")
    await table.clock.until(lambda: engine.run.spare == 1)

    async def broken(namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        await table.clock.sleep(0.01)
        return Unanswered("connection refused", table.clock.now())

    with monkeypatch.context() as patch:
        patch.setattr(table.cluster, "pods", broken)
        await table.clock.until(lambda: engine.run.spare is None)
        assert engine.run.exposed_since is None, "nothing of ours is away"
    await table.clock.until(lambda: engine.run.spare == 1)
    await ended(table)
    assert "unknown" in [event.data["health"] for event in quorums(engine)]


async def test_the_journal_keeps_each_change_with_the_readings_around_it(tmp_path: Path) -> None:
    table = bench(tmp_path)
    engine = await begun(table, follower_node(table))
    await ended(table)
    found = quorums(engine)
    states = [(e.data["health"], e.data["serving"], e.data["leader"]) for e in found]
    assert all(a != b for a, b in pairwise(states)), "only what has changed is told"
    assert found[0].data["before"] is None
    for event in found[1:]:
        reading, before = event.data["reading"], event.data["before"]
        assert isinstance(reading, list) and isinstance(before, list)
        times = [float(str(t)) for t in (*before, *reading)]
        assert times == sorted(times)
        assert times[2] - times[1] <= 2.1, "and it was looked at least as often as the run promises"
