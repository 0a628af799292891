"""A rolling update let go member by member, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workload.world import NEW, World
from zktui.core.kube import Lease
from zktui.core.ports import Refused, Unanswered
from zktui.workload.partition import HELD_ANNOTATION
from zktui.workload.reading import LOOKS, obstacles, read, read_steady
from zktui.workload.rolling import End, Rolling, Status, Told, order

CHANGE: dict[str, Any] = {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}


async def roll(world: World, change: dict[str, Any] | None = CHANGE, **options: Any) -> tuple[End, list[Told]]:
    told: list[Told] = []
    rolling = Rolling(world.ensemble(), world.ports(), told.append, timeout=60.0, **options)
    return await rolling.run(change), told


async def test_one_after_another_from_the_highest_each_let_go_by_the_partition() -> None:
    world = World()
    end, told = await roll(world)
    assert (end.status, end.replaced, end.left) == (Status.DONE, ("zk-2", "zk-1", "zk-0"), ())
    assert world.partitions == [3, 2, 1, 0, 0]
    assert world.born == ["zk-2", "zk-1", "zk-0"]
    assert HELD_ANNOTATION not in world.annotations
    assert all(patch["metadata"]["uid"] == "sts-zk" for patch in world.patches), "of this very StatefulSet"
    words = "\n".join(t.text for t in told)
    assert "The leader zk-2 is not the last" in words
    assert "2 of 3 voters serve" in words


async def test_the_template_is_held_by_the_very_patch_that_changes_it() -> None:
    world = World()
    await roll(world)
    first = world.patches[0]
    assert first["spec"]["template"] == CHANGE["spec"]["template"]
    assert first["spec"]["updateStrategy"]["rollingUpdate"]["partition"] == 3
    assert first["metadata"]["annotations"] == {HELD_ANNOTATION: "0"}


async def test_each_waits_for_the_one_before_to_have_served_for_the_dwell() -> None:
    world = World()
    at: dict[int | None, float] = {}
    world.hooks.append(lambda w: at.setdefault(w.partition, w.time))
    await roll(world, dwell=20.0)
    assert at[1] - at[2] >= 20.0 + 7.0
    assert at[0] - at[1] >= 20.0 + 7.0


async def test_a_member_that_does_not_come_back_is_the_last_that_went() -> None:
    world = World(comes_back=False)
    end, _ = await roll(world)
    assert (end.status, end.left) == (Status.BLOCKED, ("zk-0", "zk-1"))
    assert "in vain for zk-2 to be back" in end.message
    assert (world.partition, world.annotations[HELD_ANNOTATION]) == (2, "0")


async def test_nobody_goes_while_the_others_are_no_quorum() -> None:
    world = World()
    world.servers["zk-0"].broken = True
    end, _ = await roll(world)
    assert (end.status, end.replaced, world.born) == (Status.BLOCKED, (), [])
    assert "a quorum without zk-2" in end.message
    assert world.partition == 3


async def test_it_waits_for_the_others_and_goes_on() -> None:
    world = World()
    world.servers["zk-0"].broken = True

    def mended(w: World) -> None:
        w.servers["zk-0"].broken = w.time < 1030

    world.hooks.append(mended)
    end, _ = await roll(world)
    assert (end.status, end.replaced) == (Status.DONE, ("zk-2", "zk-1", "zk-0"))


async def test_a_partition_of_its_own_stays() -> None:
    world = World(partition=2)
    end, _ = await roll(world)
    assert (end.status, end.replaced, end.left) == (Status.DONE, ("zk-2",), ("zk-0", "zk-1"))
    assert (world.partitions, world.partition) == ([3, 2, 2], 2)


async def test_where_there_was_no_partition_there_is_none_in_the_end() -> None:
    """`kubectl rollout status` would speak of a partitioned roll out ever after, be the partition 0."""
    world = World(partition=None)
    end, _ = await roll(world)
    assert (end.status, end.replaced) == (Status.DONE, ("zk-2", "zk-1", "zk-0"))
    assert world.patches[0]["metadata"]["annotations"] == {HELD_ANNOTATION: "none"}
    assert (world.partitions, world.annotations) == ([3, 2, 1, 0, None], {})
    assert (world.partition, world.beside) == (None, {}), "nor what the server has filled in beside it"


async def test_what_was_held_without_a_partition_is_put_back_by_who_takes_it_up() -> None:
    world = World(partition=2, annotations={HELD_ANNOTATION: "none"}, newest=NEW)
    world.servers["zk-2"].revision = NEW
    end, _ = await roll(world, None)
    assert (end.status, end.replaced) == (Status.DONE, ("zk-1", "zk-0"))
    assert world.patches[0]["metadata"]["annotations"] == {HELD_ANNOTATION: "none"}
    assert (world.partition, world.annotations) == (None, {})


async def test_what_somebody_sets_beside_the_partition_meanwhile_stays() -> None:
    world = World(partition=None)
    world.hooks.append(lambda w: w.beside.update(maxUnavailable=2) if w.partition == 1 else None)
    end, _ = await roll(world)
    assert (end.status, world.beside, world.partition, world.annotations) == (
        Status.DONE,
        {"maxUnavailable": 2},
        0,
        {},
    )


async def test_what_is_held_is_taken_up_where_it_was() -> None:
    world = World(partition=2, annotations={HELD_ANNOTATION: "0"}, newest=NEW)
    world.servers["zk-2"].revision = NEW
    end, _ = await roll(world, None)
    assert (end.status, end.replaced) == (Status.DONE, ("zk-1", "zk-0"))
    assert (world.partition, world.annotations) == (0, {})


async def test_under_ondelete_they_are_evicted_the_leader_last() -> None:
    world = World("OnDelete", leader="zk-2")
    end, told = await roll(world)
    assert (end.status, world.evicted) == (Status.DONE, ["zk-1", "zk-0", "zk-2"])
    assert all("updateStrategy" not in patch.get("spec", {}) for patch in world.patches)
    assert any("the leader last: zk-1, zk-0, zk-2" in t.text for t in told)


async def test_a_closed_budget_is_waited_for() -> None:
    refused = Refused(429, "TooManyRequests", "Cannot evict pod", 0.0, retry_after=3.0)
    world = World("OnDelete", leader="zk-0", on_evict=[refused, refused])
    end, told = await roll(world)
    assert (end.status, world.evicted) == (Status.DONE, ["zk-2", "zk-1", "zk-0"])
    assert sum("may not go yet: Cannot evict pod" in t.text for t in told) == 2


async def test_an_eviction_that_is_not_permitted_ends_it() -> None:
    world = World("OnDelete", on_evict=[Refused(403, "Forbidden", "no evictions", 0.0)])
    end, _ = await roll(world)
    assert (end.status, end.forbidden, world.evicted) == (Status.BLOCKED, True, [])


async def test_stopping_leaves_the_rest_held() -> None:
    world = World()
    rolling = Rolling(world.ensemble(), world.ports(), lambda _: None, timeout=60.0)
    world.hooks.append(lambda w: rolling.stop() if w.partition == 1 else None)
    end = await rolling.run(CHANGE)
    assert (end.status, end.replaced, end.left) == (Status.STOPPED, ("zk-2",), ("zk-0", "zk-1"))
    assert world.annotations == {HELD_ANNOTATION: "0"}


async def test_who_sets_the_partition_meanwhile_has_the_update() -> None:
    world = World()

    def paused(w: World) -> None:
        if w.partition == 2:
            w.partition = 7

    world.hooks.append(paused)
    end, _ = await roll(world)
    assert (end.status, world.partition) == (Status.STOPPED, 7)
    assert "somebody else has set the partition to 7" in end.message


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_lost_answer_is_settled_by_reading(carried_out: bool) -> None:
    world = World(on_patch=[Unanswered("cut", 0.0)], carried_out=carried_out)
    end, _ = await roll(world)
    if carried_out:
        assert (end.status, len(end.replaced)) == (Status.DONE, 3)
    else:
        assert (end.status, world.patches) == (Status.FAILED, [])
        assert "not known" in end.message


async def test_a_lost_change_of_what_is_held_already_lets_nobody_go() -> None:
    """Partition and note read the same with it and without it; the generation tells."""
    lost = [Unanswered("cut", 0.0)]
    world = World(partition=3, annotations={HELD_ANNOTATION: "0"}, newest=NEW, on_patch=[*lost], carried_out=False)
    end, _ = await roll(world)
    assert (end.status, world.patches, world.partition) == (Status.FAILED, [], 3)
    assert "not known" in end.message


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_lost_release_is_settled_by_the_note(carried_out: bool) -> None:
    world = World(partition=0)

    def last(w: World) -> None:
        if w.born == ["zk-2", "zk-1", "zk-0"] and not w.on_patch:
            w.on_patch, w.carried_out = [Unanswered("cut", 0.0)], carried_out

    world.hooks.append(last)
    end, _ = await roll(world)
    assert end.status is (Status.DONE if carried_out else Status.FAILED)
    assert (HELD_ANNOTATION in world.annotations) is not carried_out


async def test_a_refused_change_changes_nothing() -> None:
    world = World(on_patch=[Refused(403, "Forbidden", "not allowed to patch", 0.0)])
    end, _ = await roll(world)
    assert (end.status, end.forbidden, world.patches) == (Status.FAILED, True, [])


@pytest.mark.parametrize(("strategy", "elections"), [("RollingUpdate", 2), ("OnDelete", 1)])
async def test_elections_are_counted_and_the_leader_last_saves_some(strategy: str, elections: int) -> None:
    end, _ = await roll(World(strategy))
    assert (end.elections, end.lowest) == (elections, 2)


@pytest.mark.parametrize(("leader", "words"), [("zk-0", "for the last"), ("zk-1", "is not the last")])
async def test_the_order_says_what_the_strategy_lets_us(leader: str, words: str) -> None:
    world = World(leader=leader)
    reading = await read(world.ensemble(), world.ports())
    names, why = order(reading, tuple(reversed(reading.members)), by_hand=False)
    assert names == ("zk-2", "zk-1", "zk-0")
    assert words in why
    names, why = order(reading, tuple(reversed(reading.members)), by_hand=True)
    assert names[-1] == leader


# -- gates -------------------------------------------------------------------------------------------


async def codes(world: World, *, update_may_be_open: bool = False) -> list[str]:
    reading = await read(world.ensemble(), world.ports())
    return [o.code for o in await obstacles(reading, world.ports(), update_may_be_open=update_may_be_open)]


async def test_a_whole_ensemble_may_be_changed() -> None:
    assert await codes(World()) == []


async def test_a_member_that_does_not_serve_is_an_obstacle() -> None:
    world = World()
    world.servers["zk-1"].broken = True
    assert set(await codes(world)) == {"members"}


async def test_who_answers_late_once_is_asked_again_and_who_stays_away_is_an_obstacle() -> None:
    world = World()
    world.servers["zk-1"].broken = True
    world.hooks.append(lambda w: setattr(w.servers["zk-1"], "broken", False))
    assert (await read_steady(world.ensemble(), world.ports())).quorum.serving == 3
    world.hooks.clear()
    world.servers["zk-1"].broken = True
    looks: list[float] = []
    world.hooks.append(lambda w: looks.append(w.time))
    assert (await read_steady(world.ensemble(), world.ports())).quorum.serving == 2
    assert len(looks) == LOOKS - 1


async def test_no_quorum_is_an_obstacle() -> None:
    world = World()
    world.servers["zk-1"].broken = world.servers["zk-2"].broken = True
    assert "quorum" in await codes(world)


async def test_an_open_update_is_an_obstacle_but_for_what_ends_it() -> None:
    world = World(partition=3, newest=NEW)
    assert await codes(world) == ["update"]
    assert await codes(world, update_may_be_open=True) == []


async def test_a_maintenance_under_way_is_an_obstacle() -> None:
    held = Lease("default", "zktui-maintenance", "uid", holder="ann@laptop", duration=40, renewed_at=World().wall())
    assert await codes(World(lease=held)) == ["maintenance"]
