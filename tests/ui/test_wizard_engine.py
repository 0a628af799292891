"""The wizard by keys on the real engine, over a simulated cluster in virtual time."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.ui import fakes
from tests.ui.wizard_driver import WIDE, Wizard
from tests.unit.maintenance.fakes import Bench, bench
from tests.unit.maintenance.world import SimPod
from zktui.core.deltas import Configured, Kind, Polled, Reset
from zktui.core.store import Store
from zktui.maintenance.engine import Engine
from zktui.maintenance.model import NodeStep, PodStep, RunStatus
from zktui.ui.app import ZktuiApp
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.wizard import open_wizard
from zktui.ui.screens.wizard.choose import ChooseScreen
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.options import OptionsScreen
from zktui.ui.screens.wizard.review import ReviewScreen
from zktui.ui.screens.wizard.running import RunScreen
from zktui.ui.widgets.grid import Grid


class Rehearsal(Wizard):
    """The wizard over a bench. Virtual time passes only while a test waits for the engine."""

    bench: Bench

    @property
    def engine(self) -> Engine:
        assert self.bench.desk.engine is not None
        return self.bench.desk.engine

    @property
    def leader(self) -> SimPod:
        return self.bench.world.pods[self.bench.world.leader]

    def feed(self) -> None:
        """What the watches would have told by now."""
        world, now = self.bench.world, self.bench.clock.now()
        key, pods = world.ensemble().key, world.members()
        reports = tuple(replace(world.report(pod), at=now) for pod in pods)
        self.app.session.store.apply(
            (
                Reset(Kind.NODES, tuple(world.node(node) for node in world.nodes.values()), now),
                Reset(Kind.PODS, tuple(world.pod(pod) for pod in pods), now),
                Reset(Kind.STATEFULSETS, (world.statefulset(),), now),
                Reset(Kind.BUDGETS, (world.budget(),), now),
                Configured(key, world.config(), "", now),
                Polled(key, reports, now),
            )
        )

    async def painted(self) -> None:
        """Wait until the engine's newest snapshot is on the screen."""
        self.feed()
        screen = self.app.screen
        assert isinstance(screen, RunScreen)
        await self.until(lambda: screen.painted is self.engine.run)

    async def review(self, node: str) -> None:
        """Choose one node by keys and review it, DaemonSets ignored."""
        grid = self.app.screen.query_one(Grid)
        await self.until(lambda: len(grid.rows) == 4)
        line = next(n for n, row in enumerate(grid.rows) if row.cells[0].text == node)
        await self.press(*["down"] * line, "space", "enter")
        await self.reviewed()
        assert self.word == "STOP"
        assert "--ignore-daemonsets" in self.page("plan")
        await self.press("o")
        await self.on(OptionsScreen)
        await self.press("space", "enter")
        await self.reviewed()

    async def reviewed(self) -> None:
        await self.on(ReviewScreen)
        screen = self.app.screen
        assert isinstance(screen, ReviewScreen)
        await self.until(lambda: self.word == "READING")
        await self.bench.clock.until(lambda: screen.plan is not None)
        await self.until(lambda: self.word != "READING")

    async def begin(self) -> None:
        await self.press("s")
        await self.on(Confirm)
        await self.press("y")
        await self.on(RunScreen)


@asynccontextmanager
async def rehearsal(folder: Path, seed: int = 1) -> AsyncGenerator[Rehearsal]:
    made = bench(folder, seed)
    store = Store(made.clock)
    session = replace(
        fakes.World().session(folder),
        clock=made.clock,
        store=store,
        cluster=made.cluster,
        members=made.members,
        desk=made.desk,
    )
    app = ZktuiApp(session)
    async with app.run_test(size=WIDE) as pilot:
        wizard = Rehearsal(pilot, app)
        wizard.bench = made
        wizard.feed()
        open_wizard(app, session, made.world.ensemble().key)
        await wizard.on(ChooseScreen)
        yield wizard


async def test_the_leaders_node_from_the_choice_to_done(tmp_path: Path) -> None:
    async with rehearsal(tmp_path) as wizard:
        leader, world = wizard.leader, wizard.bench.world
        node = leader.node
        await wizard.review(node)
        assert wizard.word == "READY"
        assert f"{node} {leader.name} ★ leader node-4 1 → 0" in " ".join(wizard.page("plan").split())
        await wizard.begin()
        engine, clock = wizard.engine, wizard.bench.clock

        def steps() -> set[PodStep]:
            return {pod.step for each in engine.run.nodes for pod in each.pods if pod.member}

        await clock.until(lambda: PodStep.PLACED in steps())
        await wizard.painted()
        assert wizard.word in ("WAITING", "NO QUORUM")
        assert f"{leader.name} is on its way" in str(wizard.app.screen.query_one("#now").border_title)
        await clock.until(lambda: engine.run.node is not None and engine.run.node.step is NodeStep.HOLD)
        await wizard.painted()
        assert wizard.word == "YOURS"
        assert world.nodes[node].unschedulable
        await wizard.press("u")
        await clock.until(lambda: engine.run.status.ended)
        await wizard.painted()
        assert (engine.run.status, wizard.word) == (RunStatus.DONE, "DONE")
        assert not world.nodes[node].unschedulable
        assert "No node is left cordoned" in wizard.page("now")
        assert "→ node-4" in wizard.page("now")
        journal = wizard.page("journal")
        told = [f"cordon {node}", f"evict {leader.name}", f"{leader.name} is gone", f"uncordon {node}"]
        assert [journal.index(words) for words in told] == sorted(journal.index(words) for words in told)
        assert world.elections == 1
        await wizard.press("enter")
        await wizard.on(MainScreen)


async def test_paused_resumed_and_aborted_by_keys(tmp_path: Path) -> None:
    async with rehearsal(tmp_path, seed=2) as wizard:
        node, clock = wizard.leader.node, wizard.bench.clock
        await wizard.review(node)
        await wizard.begin()
        engine = wizard.engine
        await clock.until(lambda: node in engine.run.cordoned)
        await wizard.press("space")
        await clock.until(lambda: engine.run.status is RunStatus.PAUSED)
        await wizard.painted()
        assert wizard.word == "PAUSED"
        evicted = len(wizard.bench.world.evicted)
        later = clock.now() + 60
        await clock.until(lambda: clock.now() > later)
        assert len(wizard.bench.world.evicted) == evicted
        await wizard.painted()
        await wizard.press("space")
        assert engine.run.status is RunStatus.RUNNING
        await wizard.press("a")
        await wizard.on(Confirm)
        await wizard.press("y")
        await clock.until(lambda: engine.run.status.ended)
        await wizard.on(RunScreen)
        await wizard.painted()
        assert wizard.word == "ABORTED"
        assert f"kubectl uncordon {node}" in wizard.page("now")
        assert wizard.bench.world.nodes[node].unschedulable


async def test_a_silent_member_holds_the_run_until_it_serves_again(tmp_path: Path) -> None:
    async with rehearsal(tmp_path, seed=3) as wizard:
        world, clock = wizard.bench.world, wizard.bench.clock
        going, silent = [pod for pod in world.members() if pod.uid != world.leader]
        await wizard.review(going.node)
        world.freeze(silent, math.inf)
        await wizard.begin()
        engine = wizard.engine
        await clock.until(lambda: any(not gate.open for gate in engine.run.gates))
        later = clock.now() + 30
        await clock.until(lambda: clock.now() > later)
        await wizard.painted()
        assert wizard.word in ("WAITING", "BLOCKED")
        assert silent.name in wizard.page("now")
        assert going.name not in {key.name for key in world.evicted}
        assert not world.nodes[going.node].unschedulable
        silent.frozen_until = clock.now()
        await clock.until(lambda: engine.run.node is not None and engine.run.node.step is NodeStep.HOLD)
        await wizard.painted()
        assert wizard.word == "YOURS"
        assert going.name in {key.name for key in world.evicted}


async def test_a_closed_wizard_does_not_stop_the_run(tmp_path: Path) -> None:
    async with rehearsal(tmp_path, seed=4) as wizard:
        await wizard.review(wizard.leader.node)
        await wizard.begin()
        engine = wizard.engine
        await wizard.press("d")
        await wizard.on(MainScreen)
        await wizard.bench.clock.until(lambda: engine.run.node is not None and engine.run.node.step is NodeStep.HOLD)
        wizard.feed()
        await wizard.press("m")
        await wizard.on(RunScreen)
        await wizard.painted()
        assert wizard.word == "YOURS"
        assert wizard.page("journal").count("hold") >= 1
