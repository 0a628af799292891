from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from tests.ui.fakes import World, node
from zktui.core.deltas import Kind
from zktui.core.view import View
from zktui.ui import painting
from zktui.ui.painting import Painter


@contextlib.asynccontextmanager
async def running(painter: Painter) -> AsyncGenerator[list[View]]:
    seen: list[View] = []
    painter.watch(seen.append)
    task = asyncio.create_task(painter.run())
    try:
        async with asyncio.timeout(5):
            await painter.reached(painter.view.revision)
        seen.clear()
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_watcher_is_shown_what_stands_now(world: World) -> None:
    seen: list[View] = []
    leave = Painter(world.store).watch(seen.append)
    assert [view.revision for view in seen] == [world.store.revision]
    leave()


async def test_the_first_change_is_painted_at_once_and_a_burst_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting, "REJUDGE", 60.0)
    monkeypatch.setattr(painting, "EVERY", 0.05)
    painter = Painter(world.store)
    async with running(painter) as seen, asyncio.timeout(5):
        world.upsert(Kind.NODES, node("node-1", unschedulable=True))
        first = world.store.revision
        await painter.reached(first)
        assert [view.revision for view in seen] == [first]
        for n in range(500):
            world.upsert(Kind.NODES, node("node-2", unschedulable=bool(n % 2)))
            if n % 100 == 0:
                await asyncio.sleep(0)
        await painter.reached(world.store.revision)
        assert len(seen) <= 3
        assert seen[-1].revision == world.store.revision


async def test_old_evidence_is_judged_again_without_any_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting, "REJUDGE", 0.02)
    painter = Painter(world.store)
    async with running(painter) as seen, asyncio.timeout(5):
        assert painter.view.ensembles[0].quorum.serving == 3
        world.clock.advance(10)
        later = asyncio.Event()
        painter.watch(lambda view: later.set() if view.at >= world.clock.now() else None)
        await later.wait()
        assert seen[-1].revision == world.store.revision
        assert seen[-1].ensembles[0].quorum.serving == 0


async def test_one_that_left_is_not_painted_any_more(world: World) -> None:
    painter = Painter(world.store)
    seen: list[View] = []
    painter.watch(seen.append)()
    painter.paint(world.store.view())
    assert len(seen) == 1


async def test_an_error_of_a_watcher_ends_the_painter_so_that_it_is_seen(world: World) -> None:
    painter = Painter(world.store)

    def broken(view: View) -> None:
        if view.revision > start:
            raise ZeroDivisionError

    start = world.store.revision
    painter.watch(broken)
    task = asyncio.create_task(painter.run())
    async with asyncio.timeout(5):
        await painter.reached(start)
        world.upsert(Kind.NODES, node("node-9"))
        with pytest.raises(ZeroDivisionError):
            await task
