"""What is watched wakes a run that waits: at once, for its own ensembles alone, and only to read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.unit.maintenance.fakes import Bench, bench
from zktui.core.view import View
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.alarm import Watched, listen
from zktui.maintenance.effects import Survey
from zktui.maintenance.engine import Engine
from zktui.maintenance.model import Command, CommandKind, Hold, HoldKind, NodeStep, Options, RunStatus

HELD = Options(ignore_daemonsets=True, dwell=2.0, hold=Hold(HoldKind.ASK))


@dataclass
class Shown:
    """A store whose view a test changes."""

    view: View
    event: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[asyncio.Event]:
        yield self.event

    async def show(self, view: View) -> None:
        self.view = view
        self.event.set()
        await breathe()


async def breathe() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def with_pod(view: View, **fields: object) -> View:
    """The first member's pod otherwise than it is."""
    (shown,) = view.ensembles
    first, *others = shown.members
    told = replace(first, pod=replace(first.pod, **fields))  # pyright: ignore[reportArgumentType]  # fields by name
    return replace(view, ensembles=(replace(shown, members=(told, *others)),))


async def test_only_what_a_run_may_wait_for_stirs_it(tmp_path: Path) -> None:
    view = bench(tmp_path).view()
    stirs: list[str] = []
    shown = Shown(view)
    (mine,) = view.ensembles
    watched = Watched(shown.changes, lambda: shown.view)
    none: frozenset[EnsembleKey] = frozenset()
    for keys, expected in ((frozenset({mine.ensemble.key}), 3), (none, 0)):
        shown.view = view
        stirs.clear()
        task = asyncio.create_task(listen(watched, keys, lambda: stirs.append("")))
        await breathe()
        await shown.show(replace(view, revision=2, at=view.at + 1))
        assert not stirs, "nothing has changed but its age"
        await shown.show(with_pod(view, ready=False))
        await shown.show(with_pod(view, ready=False, phase="Failed"))
        await shown.show(view)
        assert len(stirs) == expected
        task.cancel()


async def held(table: Bench) -> Engine:
    plan = await table.finish(table.desk.review(("node-1",), HELD))
    engine = table.desk.begin(plan)
    await table.clock.until(_in(engine, NodeStep.HOLD))
    return engine


def _in(engine: Engine, step: NodeStep) -> Callable[[], bool]:
    return lambda: engine.run.node is not None and engine.run.node.step is step


def _reads(engine: Engine) -> bool:
    return isinstance(engine._state.busy, Survey)  # pyright: ignore[reportPrivateUsage]  # what is under way


def _waits(engine: Engine) -> bool:
    return engine._state.busy is None  # pyright: ignore[reportPrivateUsage]  # what is under way


async def test_a_run_that_waits_reads_at_once_when_something_changes(tmp_path: Path) -> None:
    table = bench(tmp_path)
    shown = Shown(table.view())
    table.desk._watched = Watched(shown.changes, lambda: shown.view)  # pyright: ignore[reportPrivateUsage]  # wiring's
    engine = await held(table)
    await table.clock.until(lambda: _waits(engine))
    before = table.clock.now()
    await breathe()
    assert _waits(engine)
    await shown.show(with_pod(table.view(), ready=False))
    assert _reads(engine) and table.clock.now() == before
    changed = [call for call in table.cluster.calls if call.startswith(("evict", "cordon", "uncordon"))]
    await table.clock.until(lambda: not _reads(engine))
    assert [c for c in table.cluster.calls if c.startswith(("evict", "cordon", "uncordon"))] == changed, "it only reads"
    engine.command(Command(CommandKind.UNCORDON))
    assert table.desk.task is not None
    assert (await table.finish(table.desk.task)).status is RunStatus.DONE


async def test_a_change_during_a_reading_brings_the_next_one_soon(tmp_path: Path) -> None:
    table = bench(tmp_path)
    shown = Shown(table.view())
    table.desk._watched = Watched(shown.changes, lambda: shown.view)  # pyright: ignore[reportPrivateUsage]  # wiring's
    engine = await held(table)
    await table.clock.until(lambda: _waits(engine))
    await table.clock.until(lambda: _reads(engine))
    await shown.show(with_pod(table.view(), ready=False))
    await table.clock.until(lambda: _waits(engine))
    before = table.clock.now()
    await table.clock.until(lambda: _reads(engine))
    assert table.clock.now() - before < 0.2, "in Hold it would be 2 s"
    engine.command(Command(CommandKind.ABORT))
    assert table.desk.task is not None
    await table.finish(table.desk.task)
