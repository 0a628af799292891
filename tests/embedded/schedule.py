"""One random schedule: who runs what, what goes wrong meanwhile, and what is true when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from dataclasses import replace

from tests.embedded.audit import EVICTIONS, LEASES, NODES, journals
from tests.embedded.place import SETTLE, Place, eventually, until
from tests.embedded.weather import ANY_CHANGE, OF_EVICTIONS, Weather
from zktui.maintenance.engine import Engine
from zktui.maintenance.model import (
    Command,
    CommandKind,
    GateName,
    Hold,
    HoldKind,
    NodeStep,
    Options,
    Run,
    RunStatus,
    Unfinished,
)
from zktui.maintenance.model import Plan as Reviewed
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session

WILD = 8.0
"""Seconds after its first eviction for which a run is left to itself; then it is aborted."""
STUCK = 60.0
"""Seconds after which a run that has evicted nobody is aborted."""
LAST_WORDS = 60.0
"""Seconds in which an aborted run must have ended, whatever happens."""

HAPPENINGS = (
    *("freeze", "freeze the leader", "freeze for good", "crash", "crash the leader", "delete", "roll", "budget"),
    *("cordon", "uncordon", "misread", "clock", "suspend", "pause", "override"),
)
"""One of them in each schedule that is not calm, and sometimes two."""
ROUND = len(OF_EVICTIONS) + 1
"""In so many schedules, one after another, each of these becomes of a first eviction, and one schedule is calm."""


class Schedule:
    """One seed: who runs what, what goes wrong meanwhile, and what is left when it is over. Raises AssertionError."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.audit, self.seed = place, place.audit, seed
        self.rng = random.Random(seed)
        self.calm = seed % ROUND == ROUND - 1
        self.early = seed // ROUND % 2 == 1
        """What happens, happens before the first eviction, and not while that is under way."""
        self.apart = seed % 4 == 1 and not self.calm
        """The run is in a process of its own, which is killed."""
        self.rivals = seed % 4 == 3 and not self.calm
        self.weather = Weather(self.rng, place.cluster, place.audit, self.note)
        self.log: list[str] = []
        self.ends: list[RunStatus] = []
        self.began = time.monotonic()
        self.wild_until = 0.0
        self.struck = False
        """What was to happen, has."""
        self._timers: list[asyncio.TimerHandle] = []
        self._engines: list[Engine] = []

    def note(self, text: str) -> None:
        self.log.append(f"{time.monotonic() - self.began:6.2f} {text}")

    async def play(self) -> None:
        server = self.place.cluster.server
        await self.place.well()
        self.audit.begin()
        self.began = time.monotonic()
        self.wild_until = self.began + STUCK
        hears = [(self.audit.arrives, server.intercept), (self.weather.arriving, server.intercept)]
        for hear, heard in hears:
            heard.append(hear)
        server.overhear.append(self.weather.answering)
        try:
            await self._play()
        finally:
            for timer in self._timers:
                timer.cancel()
            self.weather.clear()
            for hear, heard in hears:
                heard.remove(hear)
            server.overhear.remove(self.weather.answering)
            for clock in self.place.clocks:
                clock.ahead = 0.0
        assert not self.audit.broken, "; ".join(self.audit.broken)

    async def _play(self) -> None:
        if self.calm:
            await self._calm()
            return
        self._brew()
        if self.apart:
            await self._killed()
        elif self.rivals:
            await asyncio.gather(self._run(0, 0.0), self._run(1, self.rng.choice((0.0, 0.3, 3.0))))
        else:
            await self._run(0, 0.0)

    async def _calm(self) -> None:
        """Nothing goes wrong: it comes to its end, with one eviction of each member on these nodes."""
        self.wild_until = self.began + 4 * STUCK
        run = await self._run(0, 0.0)
        assert run.status is RunStatus.DONE, run.message
        planned = [m.pod.name for node in run.plan.nodes for m in node.members]
        assert sorted(self.audit.evicted) == sorted(planned), (self.audit.evicted, planned)

    # -- what goes wrong --------------------------------------------------------------------------------------------

    def _brew(self) -> None:
        rng, weather, turn = self.rng, self.weather, self.seed % ROUND
        weather.script[EVICTIONS] = [OF_EVICTIONS[turn], *rng.choices((*ANY_CHANGE, "budget", "webhook", ""), k=2)]
        # What happens early is to be met by the gates, not by a cordon that takes its time.
        weather.script[NODES] = [] if self.early else [rng.choice(("", *ANY_CHANGE)) for _ in range(4)]
        weather.script[LEASES] = [rng.choice((*[""] * len(ANY_CHANGE), *ANY_CHANGE)) for _ in range(8)]
        first = HAPPENINGS[(turn * 7 + self.early * 10) % len(HAPPENINGS)]
        happens = [first, rng.choice(HAPPENINGS)] if rng.random() < 0.4 else [first]
        weather.on[(NODES if self.early else EVICTIONS), 1] = lambda: self._strike(happens)
        if self.early:
            weather.on[EVICTIONS, 1] = self._bound
        for clock in self.place.clocks:
            clock.ahead = rng.choice((0.0, 0.0, -300.0, 300.0))

    def _bound(self) -> None:
        self.struck = True
        self.wild_until = time.monotonic() + WILD

    def _strike(self, happens: list[str]) -> None:
        self._bound()
        if self.early:
            self.wild_until += WILD  # there is still an eviction to come
        for n, kind in enumerate(happens):
            # The first one while a change is under way: whoever sent it is there.
            if n == 0:
                self._happen(kind)
            else:
                loop = asyncio.get_running_loop()
                self._timers.append(loop.call_later(self.rng.uniform(0.5, 5), self._happen, kind))

    def _happen(self, kind: str) -> None:
        self.note(kind)
        self.weather.seen[kind] += 1
        weather, clock = self.weather, self.rng.choice(self.place.clocks)
        match kind:
            case "freeze" | "freeze the leader" | "freeze for good":
                weather.freeze(leader=kind == "freeze the leader", for_good=kind == "freeze for good")
            case "crash" | "crash the leader":
                weather.crash(leader=kind == "crash the leader")
            case "clock":
                clock.ahead += self.rng.uniform(-500, 500)
            case "suspend":
                self.place.clocks[0].slept += self.rng.uniform(3, 30)
            case "pause" | "override":
                for engine in self._engines:
                    self._command(engine, CommandKind(kind))
            case _:
                getattr(weather, kind)()

    def _command(self, engine: Engine, kind: CommandKind) -> None:
        pods = [pod.pod.name for node in engine.run.nodes for pod in node.pods]
        typed = self.rng.choice([*pods, "yes"])
        gate = self.rng.choice(list(GateName)) if kind is CommandKind.OVERRIDE else None
        if gate is GateName.QUORUM:
            self.audit.excused.add(typed)
        engine.command(Command(kind, gate, typed))
        paused = engine.run.status is not RunStatus.RUNNING or engine.run.pausing
        assert kind is not CommandKind.PAUSE or paused, "a pause was not acknowledged at once"

    # -- a run in this process --------------------------------------------------------------------------------------

    def _nodes(self) -> list[str]:
        """Each with a member; two of them where there is time for it."""
        names = sorted({pod["spec"]["nodeName"] for pod in self.place.servers.pods()})
        return self.rng.sample(names, 2 if self.calm or self.rng.random() < 0.3 else 1)

    def _options(self, nodes: list[str]) -> Options:
        holds = [Hold(HoldKind.SECONDS, 0.0), Hold(HoldKind.SECONDS, 1.0), Hold(HoldKind.ASK)]
        if len(nodes) == 1:
            holds.append(Hold(HoldKind.LEAVE))
        return Options(
            hold=holds[0] if self.calm else self.rng.choice(holds),
            dwell=0.5,
            timeout=0.0 if self.calm else self.rng.choice((0.0, 0.0, 6.0)),
            grace_period=self.rng.choice((None, 1)),
            keep_node=self.rng.random() < 0.3,
            probe=False,
        )

    async def _run(self, number: int, wait: float) -> Run:
        await asyncio.sleep(wait)
        session = self.place.sessions[number]
        nodes = self._nodes()
        options = self._options(nodes)
        plan = await self._reviewed(session, nodes, options, patient=number == 0)
        if plan is None:
            return Run("", await session.desk.review(nodes, options), status=RunStatus.READY)
        engine = session.desk.begin(plan)
        self.audit.takes(engine.run.id, nodes)
        self._engines.append(engine)
        self.note(f"operator {number}: {engine.run.id} takes {nodes}, {options.hold.kind}")
        return await self._attended(engine, session.desk.task)

    async def _reviewed(
        self, session: Session, nodes: list[str], options: Options, *, patient: bool
    ) -> Reviewed | None:
        """A plan that may begin. On a calm cluster there is one; beside another run there need not be."""
        end = time.monotonic() + SETTLE
        while True:
            plan = await session.desk.review(nodes, options)
            codes = frozenset(finding.code for finding in plan.unacknowledged)
            if plan.go and not codes:
                return plan
            if not plan.go and (not patient or time.monotonic() > end):
                assert not patient, f"the review of a calm cluster says stop: {plan.stops}"
                self.note(f"stop: {plan.stops[0].text}")
                return None
            options = replace(options, acknowledged=options.acknowledged | codes)

    async def _attended(self, engine: Engine, task: asyncio.Task[Run] | None) -> Run:
        """To its end: somebody resumes what has paused, uncordons what is held, and aborts what takes too long."""
        assert task is not None
        aborted = 0.0
        while not task.done():
            await asyncio.wait({task}, timeout=0.3)
            run = engine.run
            if time.monotonic() > self.wild_until and not aborted:
                aborted = time.monotonic()
                self.note(f"{run.id} is aborted: {run.message}")
                engine.command(Command(CommandKind.ABORT))
                assert engine.run.aborting or engine.run.status.ended, "an abort was not acknowledged at once"
            elif run.status is RunStatus.PAUSED and self.rng.random() < 0.3:
                engine.command(Command(CommandKind.RESUME))
            elif run.node is not None and run.node.step is NodeStep.HOLD and self.rng.random() < 0.3:
                engine.command(Command(CommandKind.UNCORDON))
            late = aborted and time.monotonic() > aborted + LAST_WORDS
            assert not late, f"{run.id} does not end: {run.message}"
        run = task.result()
        self.note(f"{run.id} {run.status}: {run.message}")
        self.ends.append(run.status)
        self._told(run)
        return run

    def _told(self, run: Run) -> None:
        """What it says at its end is true, and nothing is left unsaid."""
        assert "A defect in zktui" not in run.message, run.message
        left = {node for node, whose in self.audit.cordoned.items() if whose == run.id}
        assert left <= set(run.cordoned), f"{left} stay cordoned by {run.id}, and {run.cordoned} are named"
        assert all(name in run.message for name in run.cordoned), run.message
        if run.status is RunStatus.DONE:
            waits = any(node.step is NodeStep.LEFT_CORDONED for node in run.nodes)
            served = {name for name, _ in (self.place.servers.served.get(u, ("", 0)) for u in self._successors(run))}
            moved = {pod.pod.name for node in run.nodes for pod in node.pods if pod.successor is not None}
            assert waits or moved <= served, f"done, and of {moved} only {served} have served since"

    @staticmethod
    def _successors(run: Run) -> list[str]:
        return [p.successor.uid for node in run.nodes for p in node.pods if p.successor is not None]

    # -- a run in a process of its own, that is killed --------------------------------------------------------------

    async def _killed(self) -> None:
        nodes = self._nodes()
        self.audit.expected = frozenset(nodes)
        process, run = await self._begun(nodes)
        try:
            with contextlib.suppress(AssertionError):  # it comes to no change: it is killed where it stands
                await until("what happens", lambda: self.struck or process.returncode is not None, STUCK)
            await asyncio.sleep(self.rng.choice((0.0, 0.05, self.rng.uniform(0, 4))))
        finally:
            code = await _kill(process)
        self.note(f"{run} is killed" if code == -signal.SIGKILL else f"{run} has ended with {code}")
        if code == -signal.SIGKILL:
            self.weather.seen["killed"] += 1
            await self._taken_up(run)

    async def _begun(self, nodes: list[str]) -> tuple[asyncio.subprocess.Process, str]:
        """The process, and its run's id. One whose review says stop, since it could not read in time, is begun anew."""
        home, seen = self.audit.folders[0].parent, set[str]()
        end = time.monotonic() + SETTLE
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "zktui", "maintain", *nodes, "--yes", "--dwell", "1s", "--no-probe"),
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(home),
                    "XDG_STATE_HOME": str(home),
                    "KUBECONFIG": str(self.place.folder / "kubeconfig"),
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )

            def looked(process: asyncio.subprocess.Process = process) -> bool:
                seen.update(j.run for j in journals(self.audit.folders, self.audit.since) if j.lines)
                return bool(seen) or process.returncode is not None

            try:
                await until("its journal", looked, SETTLE)
            except BaseException:
                await _kill(process)
                raise
            if seen:
                return process, seen.pop()
            assert time.monotonic() < end, f"it ended with {process.returncode} before it began"

    async def _taken_up(self, run: str) -> None:
        """On the same machine, where its journal proves that its process is gone."""
        self.wild_until = time.monotonic() + WILD
        desk = self.place.sessions[0].desk
        found: list[Unfinished] = []

        async def free() -> bool:
            found[:] = [each for each in await desk.unfinished() if each.run_id == run]
            return any(each.free and not each.refused for each in found) or self._nothing_left(run)

        await eventually("it to be free", free)
        if not found:
            return
        which = found[0]
        take = desk.abandon if self.rng.random() < 0.25 else desk.resume

        async def taken() -> bool:
            try:
                await take(which, which.word)
            except CannotBegin as refused:
                self.note(f"not yet: {refused}")
                return self._nothing_left(run)
            return True

        await eventually(f"{run} to be taken up", taken)
        if desk.engine is not None and desk.engine.run.id == run:
            self.weather.seen["taken up"] += 1
            self._engines.append(desk.engine)
            await self._attended(desk.engine, desk.task)

    def _nothing_left(self, run: str) -> bool:
        return run not in self.audit.cordoned.values() and not any(
            node["metadata"].get("annotations", {}).get("zktui/run") == run
            for node in self.place.cluster.store.list("nodes")[0]
        )


async def _kill(process: asyncio.subprocess.Process) -> int:
    """Its exit code."""
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    return await process.wait()
