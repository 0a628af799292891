from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.ui.fakes import World
from tests.ui.streams import until
from zktui.core.kube import Pod
from zktui.core.logring import LogLine
from zktui.core.zookeeper import Ensemble
from zktui.ui import logfeed
from zktui.ui.logfeed import BACKOFF, LINGER, SETTLE, LogFeed, sort_key


class Followed:
    """A feed over the world's pods, and what it delivered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lines: list[LogLine] = []
        self.batches: list[int] = []
        self.feed = LogFeed(world.logs, world.clock, self._deliver)

    def _deliver(self, lines: list[LogLine]) -> None:
        self.lines += lines
        self.batches.append(len(lines))

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    @property
    def ensemble(self) -> Ensemble:
        return self.world.store.view().ensembles[0].ensemble

    @property
    def pods(self) -> list[Pod]:
        return [member.pod for member in self.world.store.view().ensembles[0].members]

    def watch(self, *pods: Pod) -> None:
        self.feed.watch(self.ensemble, pods or self.pods)

    async def pass_time(self, *seconds: float) -> None:
        """Move the clock, each time after those who wait on it have had their turn."""
        for step in seconds:
            for _ in range(20):
                await asyncio.sleep(0)
            self.world.clock.advance(step)
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def followed(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Followed]:
    monkeypatch.setattr(logfeed, "GATHER", 0.01)
    made = Followed(world)
    yield made
    await made.feed.close()


@pytest.mark.parametrize("stamps", [("20Z", "20.5Z", "20.51Z", "21Z"), ("20.000000001Z", "20.000000002Z", "20.1Z")])
def test_stamps_sort_as_times_however_many_digits_they_have(stamps: tuple[str, ...]) -> None:
    assert sorted(stamps, key=sort_key) == list(stamps)


async def test_the_pasts_of_all_members_are_merged_by_time(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfeed, "GATHER", 0.0)
    zero, one, two = followed.pods
    followed.watch()
    for second in (1, 4):
        followed.world.logs.write(zero.key, f"zk-0 at {second}", stamp=f"2026-09-21T14:00:0{second}Z")
    await followed.pass_time(0)
    assert followed.lines == [], "the first to speak waits for the others"
    followed.world.logs.write(two.key, "zk-2 at 2", stamp="2026-09-21T14:00:02Z")
    followed.world.logs.write(one.key, "zk-1 at 3", "more of zk-1", stamp="2026-09-21T14:00:03.25Z")
    await until(lambda: len(followed.lines) == 5)
    assert followed.texts == ["zk-0 at 1", "zk-2 at 2", "zk-1 at 3", "more of zk-1", "zk-0 at 4"]
    assert len(followed.batches) == 1


async def test_a_silent_member_holds_the_others_up_for_a_second_at_most(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfeed, "FIRST", 0.05)
    followed.watch()
    followed.world.logs.write(followed.pods[0].key, "alone")
    await until(lambda: followed.texts == ["alone"])


async def test_a_pods_own_lines_keep_their_order_when_its_clock_was_set_back(followed: Followed) -> None:
    zero, one, two = followed.pods
    followed.watch()
    for text, second in (("first", 9), ("second", 3), ("third", 5)):
        followed.world.logs.write(zero.key, text, stamp=f"2026-09-21T14:00:0{second}Z")
    followed.world.logs.write(one.key, "early", stamp="2026-09-21T14:00:04Z")
    followed.world.logs.write(two.key, "late", stamp="2026-09-21T14:00:10Z")
    await until(lambda: len(followed.lines) == 5)
    assert followed.texts == ["early", "first", "second", "third", "late"]


async def test_a_cut_stream_is_resumed_from_its_cursor_and_the_cut_is_told(followed: Followed) -> None:
    zero = followed.pods[0]
    followed.watch(zero)
    followed.world.logs.write(zero.key, "before", stamp="2026-09-21T14:00:01Z")
    followed.world.logs.end(zero.key, "connection reset by peer")
    await followed.pass_time(SETTLE, 0)
    followed.world.logs.write(zero.key, "after", stamp="2026-09-21T14:00:02Z")
    await until(lambda: len(followed.lines) == 3)
    assert followed.texts == ["before", "the stream was cut: connection reset by peer", "after"]
    assert [line.marker for line in followed.lines] == [False, True, False]
    (_, first), (_, second) = followed.world.logs.followed
    assert first is None
    assert second is not None
    assert (second.stamp, second.seen) == ("2026-09-21T14:00:01Z", 1)


async def test_a_stream_that_keeps_failing_is_asked_ever_less_often_and_told_once(followed: Followed) -> None:
    zero = followed.pods[0]
    followed.watch(zero)
    for opened in range(1, 9):
        await until(lambda opened=opened: len(followed.world.logs.followed) == opened)
        followed.world.logs.end(zero.key, 'pods "zk-0" is forbidden')
        wait = BACKOFF[min(opened, len(BACKOFF) - 1)]
        await followed.pass_time(SETTLE, wait - 0.01)
        assert len(followed.world.logs.followed) == opened
        await followed.pass_time(0.02)
    await until(lambda: len(followed.lines) == 1)
    assert followed.texts == ['the stream was cut: pods "zk-0" is forbidden']


async def test_a_reborn_pod_is_followed_under_its_new_uid_and_its_birth_is_told(followed: Followed) -> None:
    zero, one, two = followed.pods
    followed.watch()
    for pod in (zero, one, two):
        followed.world.logs.write(pod.key, f"{pod.name} lives")
    await until(lambda: len(followed.lines) == 3)
    followed.watch(zero, replace(one, deleting_since=1.0), two)
    followed.world.logs.write(one.key, "last words")
    followed.world.logs.end(one.key, "the log is over")
    await followed.pass_time(SETTLE)
    waiting = replace(one, uid="uid-new", phase="Pending", node="node-4")
    followed.watch(zero, waiting, two)
    await followed.pass_time(BACKOFF[-1])
    assert followed.feed.following == {zero.uid, two.uid}, "no log is asked of a pod whose container has not started"
    born = replace(waiting, phase="Running")
    followed.watch(zero, born, two)
    followed.world.logs.write(born.key, "hello again")
    await until(lambda: len(followed.lines) == 7)
    assert followed.texts[3:] == [
        "last words",
        "zk-1 has stopped",
        "zk-1 was born again on node-4 (uid uid-new)",
        "hello again",
    ]
    assert [key.uid for key, cursor in followed.world.logs.followed if cursor is None] == [
        zero.uid,
        one.uid,
        two.uid,
        "uid-new",
    ]
    assert followed.feed.following == {zero.uid, "uid-new", two.uid}


async def test_a_restarted_container_is_told_as_such(followed: Followed) -> None:
    zero = followed.pods[0]
    followed.watch(zero)
    followed.world.logs.write(zero.key, "before")
    await until(lambda: len(followed.lines) == 1)
    followed.watch(replace(zero, restarts=2))
    followed.watch(replace(zero, restarts=2))
    followed.world.logs.write(zero.key, "after")
    await until(lambda: len(followed.lines) == 3)
    assert followed.texts == ["before", "the container of zk-0 was restarted, 2 times so far", "after"]


async def test_the_stream_of_a_pod_long_gone_is_ended(followed: Followed) -> None:
    zero, one, _ = followed.pods
    followed.watch(zero, one)
    await followed.pass_time(0)
    followed.watch(zero)
    followed.world.logs.write(one.key, "still talking")
    await followed.pass_time(LINGER - 1)
    followed.watch(zero)
    await until(lambda: "still talking" in followed.texts)
    await followed.pass_time(2)
    followed.watch(zero)
    await until(lambda: not any(task.get_name() == "log zk-1" for task in asyncio.all_tasks()))


async def test_after_a_stop_nothing_more_is_delivered_and_no_task_is_left(followed: Followed) -> None:
    followed.watch()
    followed.world.logs.write(followed.pods[0].key, "too late")
    await followed.pass_time(0)
    await followed.feed.close()
    await asyncio.sleep(2 * logfeed.GATHER)
    assert followed.lines == []
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("log ")]
