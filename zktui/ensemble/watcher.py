"""The members of all ensembles in view, asked again and again: a core.ports.Source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from zktui.core.deltas import Batch, Configured, Delta, Kind, Lost, Polled
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Clock, Refused, Reply, Unanswered
from zktui.core.zookeeper import Ensemble, EnsembleConfig, EnsembleKey, MemberDetail, MemberReport, Mode
from zktui.ensemble.polling import Look

Population = Callable[[], Sequence[tuple[Ensemble, Sequence[Pod]]]]
"""The ensembles and their pods as the store has them now. Called several times a second, on the event loop."""

INTERVAL = 1.0
CONFIG_EVERY = 15.0
CONFIG_RETRY = 3.0
DETAIL_EVERY = 5.0
"""Seconds between two questions for `mntr`: it is 17 to 19 kB and costs a second connection."""
_LOOK = 0.25
_TOGETHER = 0.02


class Asker(Protocol):
    """What is asked of PodMembers."""

    async def look(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> Look: ...

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]: ...


@dataclass
class _Asked:
    """A member's last answer, and when which question is due."""

    due: float = 0.0
    detail_due: float = 0.0
    detail: MemberDetail | None = None
    report: MemberReport | None = None
    reached: bool = True

    @property
    def mode(self) -> Mode:
        return self.report.mode if self.report is not None else Mode.UNKNOWN


@dataclass
class _Configuration:
    due: float = 0.0
    uids: frozenset[str] = frozenset()


@dataclass
class _Round:
    """What one consumer of the source has under way."""

    ready: asyncio.Event = field(default_factory=asyncio.Event)
    reports: dict[EnsembleKey, dict[str, MemberReport]] = field(
        default_factory=dict[EnsembleKey, dict[str, MemberReport]]
    )
    configured: dict[EnsembleKey, Configured] = field(default_factory=dict[EnsembleKey, Configured])
    members: dict[str, _Asked] = field(default_factory=dict[str, _Asked])
    configurations: dict[EnsembleKey, _Configuration] = field(default_factory=dict[EnsembleKey, _Configuration])
    under_way: dict[tuple[str, str], asyncio.Task[None]] = field(
        default_factory=dict[tuple[str, str], asyncio.Task[None]]
    )
    lost: str = ""


class MemberWatcher:
    """Polls each member every `interval` seconds, one question at a time, and reads configurations every 15 s.

    A configuration is read at once when the set of the pods' UIDs changes. When no member at all can be reached for a
    reason that is not theirs (see `PodMembers.look`), they are all UNKNOWN and the source says Lost, once.
    """

    def __init__(self, members: Asker, clock: Clock, population: Population, *, interval: float = INTERVAL) -> None:
        self._members = members
        self._clock = clock
        self._population = population
        self.interval = interval
        """Seconds from question to question; can be set at any time (0.5 during a maintenance)."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return (Kind.MEMBERS, Kind.CONFIG)

    async def open(self) -> AsyncGenerator[Batch]:
        """Batches until it is closed (`aclose`); nothing goes on after that."""
        now = _Round()
        try:
            while True:
                self._ask(now)
                await self._rest(now)
                if batch := self._collect(now):
                    yield batch
        finally:
            tasks = list(now.under_way.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _rest(self, now: _Round) -> None:
        """Until an answer is there or a question may be due. The answers of one moment go into one batch."""
        dues = (asked.due for uid, asked in now.members.items() if ("poll", uid) not in now.under_way)
        wait = min(dues, default=float("inf")) - self._clock.now()
        pause = asyncio.ensure_future(self._clock.sleep(min(_LOOK, max(_TOGETHER, wait))))
        answered = asyncio.ensure_future(now.ready.wait())
        try:
            await asyncio.wait({pause, answered}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done():
                await self._clock.sleep(_TOGETHER)
        finally:
            pause.cancel()
            answered.cancel()
        now.ready.clear()

    def _ask(self, now: _Round) -> None:
        """Put every question that is due and not under way."""
        time = self._clock.now()
        population = self._population()
        uids = {pod.uid for _, pods in population for pod in pods}
        now.members = {uid: now.members.get(uid) or _Asked() for uid in uids}
        keys = {ensemble.key for ensemble, _ in population}
        now.configurations = {key: now.configurations.get(key) or _Configuration() for key in keys}
        for ensemble, pods in population:
            for pod in pods:
                asked = now.members[pod.uid]
                if asked.due <= time and ("poll", pod.uid) not in now.under_way:
                    asked.due = time + self.interval
                    self._start(now, ("poll", pod.uid), self._poll(now, ensemble, pod, asked))
            configuration = now.configurations[ensemble.key]
            here = frozenset(pod.uid for pod in pods)
            if here and (configuration.due <= time or configuration.uids != here):
                task = ("config", ensemble.key.uid)
                if task not in now.under_way:
                    configuration.due, configuration.uids = time + CONFIG_EVERY, here
                    self._start(now, task, self._config(now, ensemble, pods, configuration))

    def _start(self, now: _Round, key: tuple[str, str], question: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(question)
        now.under_way[key] = task

        def ended(_: asyncio.Task[None]) -> None:
            now.under_way.pop(key, None)
            now.ready.set()

        task.add_done_callback(ended)

    async def _poll(self, now: _Round, ensemble: Ensemble, pod: Pod, asked: _Asked) -> None:
        detail = asked.detail_due <= self._clock.now()
        report, reached = await self._members.look(ensemble, pod, detail=detail)
        if detail and report.mode.serving:
            asked.detail_due = report.at + DETAIL_EVERY
            asked.detail = report.detail
        elif report.mode is not asked.mode:
            asked.detail, asked.detail_due = None, 0.0  # another role has other details
        if report.detail is None and asked.detail is not None:
            report = replace(report, detail=asked.detail)
        asked.report, asked.reached = report, reached
        now.reports.setdefault(ensemble.key, {})[pod.uid] = report

    async def _config(
        self, now: _Round, ensemble: Ensemble, pods: Sequence[Pod], configuration: _Configuration
    ) -> None:
        def preference(pod: Pod) -> tuple[bool, bool]:
            mode = now.members[pod.uid].mode if pod.uid in now.members else Mode.UNKNOWN
            return not mode.serving, mode is Mode.LEADER

        reply = await self._members.config(ensemble, sorted(pods, key=preference))
        match reply:
            case Answer(config):
                told = Configured(ensemble.key, config, "", reply.at)
            case Refused(message=why) | Unanswered(why=why):
                told = Configured(ensemble.key, None, why, reply.at)
                configuration.due = self._clock.now() + CONFIG_RETRY
        now.configured[ensemble.key] = told

    def _collect(self, now: _Round) -> Batch:
        seen = self._clock.now()
        deltas: list[Delta] = [Polled(key, tuple(told.values()), seen) for key, told in now.reports.items()]
        deltas.extend(now.configured.values())
        now.reports, now.configured = {}, {}
        before, now.lost = now.lost, _lost(now)
        if not now.lost:
            if before:  # nothing else would end the staleness of the configuration for a while
                now.configurations = {key: _Configuration() for key in now.configurations}
            return tuple(deltas)
        if before:
            return ()  # each answer would make the sources live again, and none of them says anything new
        unknown = [Polled(key, told, seen) for key, told in self._unreached(now)]
        return (*unknown, *(Lost(kind, now.lost, seen) for kind in self.kinds))

    def _unreached(self, now: _Round) -> Iterator[tuple[EnsembleKey, tuple[MemberReport, ...]]]:
        """All members as unknown: when none can be reached, silence is not theirs."""
        for ensemble, pods in self._population():
            asked = (now.members[pod.uid].report for pod in pods if pod.uid in now.members)
            yield ensemble.key, tuple(replace(report, mode=Mode.UNKNOWN) for report in asked if report is not None)


def _lost(now: _Round) -> str:
    """Why no member at all can be reached; empty when one can, or is still to be asked."""
    if not now.members or any(asked.reached or asked.report is None for asked in now.members.values()):
        return ""
    return next(asked.report.error for asked in now.members.values() if asked.report is not None)
