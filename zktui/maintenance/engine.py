"""The engine: carries out what the machine asks for through the ports, and tells it what came of it.

It runs beside whatever shows it. Readers come and go: they read `run`, `journal`, `timeline` and `members`, and are
woken by an event. Time is only the Clock's, so that tests run it in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from zktui.core.kube import Lease, Node
from zktui.core.ports import Announcer, Clock, Cluster, Evicted, Members, Probe, ProbeSummary, Reply, Unanswered
from zktui.core.zookeeper import Member
from zktui.maintenance.acting import send
from zktui.maintenance.alarm import Watched, listen
from zktui.maintenance.effects import (
    AnnotateNode,
    Begin,
    Change,
    CordonNode,
    CreateLease,
    Effect,
    EvictPod,
    Input,
    Record,
    Replied,
    Survey,
    Surveyed,
    Told,
    Unrecorded,
    UpdateLease,
    Wake,
    Woken,
)
from zktui.maintenance.ending import words_left_behind
from zktui.maintenance.journal import FileJournal, Journal, JournalError
from zktui.maintenance.machine import step
from zktui.maintenance.model import BudgetSample, Command, Event, Run, RunStatus
from zktui.maintenance.proof import Proof
from zktui.maintenance.runs import save_report
from zktui.maintenance.state import State
from zktui.maintenance.survey import survey
from zktui.maintenance.timeline import Timeline

SPACING = 0.1
"""Seconds until the next reading, at least, where what is watched changes while one is under way."""


class Engine:
    """One run. Used from one event loop; readers come and go, the run does not depend on them."""

    def __init__(
        self,
        state: State,
        cluster: Cluster,
        members: Members,
        clock: Clock,
        journal: Journal,
        *,
        witness: Probe | None = None,
        announcer: Announcer | None = None,
        watched: Watched | None = None,
    ) -> None:
        """`witness` feels what clients feel while the run is under way; it is started and stopped here.

        `announcer` writes Events on what the run touches. `watched` tells when it is worth while to read again.
        """
        self._state = state
        self._cluster = cluster
        self._ask = members
        self._clock = clock
        self._journal = journal
        self._proof = Proof(clock, self._append, witness, announcer)
        self._concluding: asyncio.Task[None] | None = None
        self._timeline = Timeline()
        self._members: tuple[Member, ...] = ()
        self._waiters: set[asyncio.Event] = set()
        self._ended = asyncio.Event()
        self._begun = False
        self._task: asyncio.Task[None] | None = None
        """The reading or the change under way."""
        self._timer: asyncio.Task[None] | None = None
        self._watched = watched
        self._listening: asyncio.Task[None] | None = None
        self._stirred = False
        """What is watched has changed since the reading under way began."""

    @property
    def run(self) -> Run:
        """The newest snapshot."""
        return self._state.run

    @property
    def journal(self) -> Journal:
        return self._journal

    @property
    def timeline(self) -> tuple[BudgetSample, ...]:
        """The budget's figures as the run went, oldest first; bounded."""
        return self._timeline.samples

    @property
    def members(self) -> tuple[Member, ...]:
        """Members of the plan's ensembles as last read, with their newest answers."""
        return self._members

    @property
    def probe(self) -> ProbeSummary | None:
        """What the probe's sessions have felt until now; None when there is no probe."""
        return self._proof.felt

    def command(self, command: Command) -> None:
        """Acknowledged in `run` before this returns. A command that can't be followed is told in `run.message`."""
        if self._begun:
            self._feed(Told(command))

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[asyncio.Event]:
        """An event that is set after each change of `run`, `journal`, `timeline` or `members`; the reader clears it."""
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            yield event
        finally:
            self._waiters.discard(event)

    async def drive(self) -> Run:
        """Carry the run to its end and return it. Called again meanwhile, it waits for the same end.

        If it is cancelled, the change under way is still awaited, and the run is left unattended.
        """
        if not self._begun:
            self._begun = True
            if self._watched is not None:
                keys = frozenset(ensemble.key for ensemble in self._state.ensembles)
                self._listening = asyncio.get_running_loop().create_task(listen(self._watched, keys, self._stir))
            self._feed(Begin())
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            await self._leave()
            raise
        await self._conclude()
        return self.run

    async def _conclude(self, last: Event | None = None) -> None:
        """Once, whoever waits for the end: what clients felt, a last line, and the report."""
        if self._concluding is None:
            self._concluding = asyncio.get_running_loop().create_task(self._finish(last))
        await asyncio.shield(self._concluding)

    async def _finish(self, last: Event | None) -> None:
        await self._proof.conclude()
        if last is not None:
            self._append(last)
        if isinstance(self._journal, FileJournal):
            try:
                problem = save_report(self._journal.path)
            except Exception as error:  # noqa: BLE001 - a defect in what is told of a run is none of the run
                problem = f"A defect in zktui: the report could not be made ({type(error).__name__}: {error})."
            if problem:
                self._append(Event(0, 0.0, "note", problem))
        self._end()

    async def _leave(self) -> None:
        """Take no further step; a change that is under way is awaited, so that its outcome is in the journal."""
        self._stop_timer()
        while self._task is not None and not self._task.done() and not isinstance(self._state.busy, Survey):
            await asyncio.wait({self._task})
        self._ended.set()
        for task in (self._task, self._timer, self._listening):
            if task is not None:
                task.cancel()
        text = f"zktui quits: the run is unattended. {words_left_behind(self.run)}"
        await self._conclude(Event(0, 0.0, "note", text, data={"cordoned": [*self.run.cordoned]}))

    def _feed(self, event: Input) -> None:
        """One input: step, and start what it asks for. A defect ends the run and says what is cordoned."""
        if self._ended.is_set():
            return
        before = self._state
        try:
            self._state, effects = step(self._state, event, self._clock.now())
            refused = self._carry_out(effects)
            if refused:
                self._state, _ = step(self._state, Unrecorded(refused), self._clock.now())
        except Exception as error:  # noqa: BLE001 - a defect must end as a run that says what it left, not as silence
            self._defect(error)
        self._proof.follow(before, self._state)
        self._end()

    def _end(self) -> None:
        """Wake the readers, and whoever waits for the end if this is it."""
        if self.run.status.ended:
            self._stop_timer()
            self._ended.set()
            if self._listening is not None:
                self._listening.cancel()
        for waiter in self._waiters:
            waiter.set()

    def _carry_out(self, effects: tuple[Effect, ...]) -> str:
        """In their order; why the journal refused a line, if it did: then what follows it is not done."""
        for effect in effects:
            match effect:
                case Record(event):
                    refused = self._append(event)
                    if refused:
                        return refused
                case Wake(at):
                    self._stop_timer()
                    if self._stirred:
                        at, self._stirred = min(at, self._clock.now() + SPACING), False
                    self._timer = asyncio.get_running_loop().create_task(self._wake(at))
                case Survey():
                    self._task = asyncio.get_running_loop().create_task(self._read(effect))
                case _:
                    self._task = asyncio.get_running_loop().create_task(self._change(effect))
        return ""

    def _append(self, event: Event) -> str:
        try:
            self._journal.append(replace(event, wall=self._clock.wall()))
        except JournalError as error:
            return str(error)
        return ""

    async def _wake(self, at: float) -> None:
        await self._clock.sleep(max(0.0, at - self._clock.now()))
        self._timer = None
        self._feed(Woken())

    def _stir(self) -> None:
        """What is waited for may have come true."""
        if self._timer is None:
            self._stirred = True
        else:
            self._stop_timer()
            self._feed(Woken())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _read(self, effect: Survey) -> None:
        try:
            facts = await survey(self._cluster, self._ask, self._clock, effect.scope)
        except Exception as error:  # noqa: BLE001 - ports promise not to raise: whatever does is a defect, told as one
            self._defect(error)
            self._end()
            return
        ensembles = self._state.ensembles
        self._timeline.sample(facts, ensembles)
        self._members = tuple(member for e in ensembles for member in facts.members(e))
        self._proof.read(facts, ensembles)
        self._feed(Surveyed(facts))

    async def _change(self, change: Change) -> None:
        sent_at = self._clock.now()
        reply: Reply[Evicted] | Reply[Node] | Reply[Lease] | Reply[object]
        try:
            reply = await self._send(change)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it may have been carried out: unknown
            reply = Unanswered(f"{type(error).__name__}: {error}", sent_at)
        self._feed(Replied(change, reply))

    async def _send(self, change: Change) -> Reply[Evicted] | Reply[Node] | Reply[Lease] | Reply[object]:
        match change:
            case EvictPod(pod, grace):
                return await self._cluster.evict(pod, grace)
            case CordonNode(node, unschedulable, annotations):
                return await self._cluster.cordon(node, unschedulable, annotations)
            case CreateLease(lease):
                return await self._cluster.create_lease(lease)
            case UpdateLease(lease):
                return await self._cluster.update_lease(lease)
            case AnnotateNode(node, annotations):
                return await self._cluster.annotate_node(node, annotations)
            case _:
                return await send(self._cluster, change)

    def _defect(self, error: Exception) -> None:
        why = f"A defect in zktui stopped the run ({type(error).__name__}: {error})."
        text = f"{why} {words_left_behind(self.run)}"
        self._append(Event(0, 0.0, "failed", text, data={"cordoned": [*self.run.cordoned]}))
        failed = replace(self.run, status=RunStatus.FAILED, message=text, ended_at=self._clock.now())
        self._state = replace(self._state, run=failed)
