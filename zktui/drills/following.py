"""Following one member whose server was ended: silence, election, restart, Ready, and serving again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from zktui.checks.gather import PODS
from zktui.checks.process_failure import exit_words
from zktui.core.documents import Document, child, mapping, number, objects, text
from zktui.core.kube import Pod
from zktui.core.ports import Answer
from zktui.core.quorum import Health, caught_up, judge, members_of
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, Mode
from zktui.drills.model import DrillPorts, ProcessOutcome
from zktui.maintenance.refusals import CannotBegin

STEP = 0.2
"""Seconds from one look at the members to the next: what the times are worth."""
POLL = 1.0
LONGEST = 300.0
"""Seconds for which a member is followed: as long as the kubelet's longest pause before a restart."""


class Say(Protocol):
    def __call__(self, kind: str, text: str, **data: str | float | bool | None) -> None: ...


class Following:
    """Looks at all members a few times a second, and at the member's pod. `start` sets the zero of all times."""

    def __init__(
        self, ports: DrillPorts, ensemble: Ensemble, pod: Pod, say: Say, keep: Callable[[], Awaitable[None]]
    ) -> None:
        """`keep` renews what has to be kept meanwhile."""
        self._ports = ports
        self._ensemble = ensemble
        self._pod = pod
        self._say = say
        self._keep = keep
        self._pods: tuple[Pod, ...] = (pod,)
        self._config: EnsembleConfig | None = None
        self._was = ""
        """ID of the container that runs before."""
        self._restarts = 0
        self._led_by = ""
        self._leader: MemberReport | None = None
        """As it answered in an earlier look than the one that it is compared with."""
        self._zero = self._looked = 0.0
        self._found = ProcessOutcome(pod.name, False, Path())

    async def before(self) -> None:
        """Read what all else is compared with. Raises CannotBegin when it can't be read."""
        selector = str(self._ensemble.statefulset.selector or "")
        listed = await self._ports.cluster.pods(self._ensemble.namespace, selector)
        document = await self._document()
        if not isinstance(listed, Answer) or document is None:
            raise CannotBegin("The members' pods can't be read.", "Nothing was changed.")
        self._pods = tuple(sorted((p for p in listed.value if self._ensemble.owns(p)), key=lambda p: p.name))
        config = await self._ports.members.config(self._ensemble, self._pods)
        self._config = config.value if isinstance(config, Answer) else None
        status = self._status(document)
        self._was, self._restarts = text(status, "containerID"), number(status, "restartCount") or 0
        for report in (await self._reports()).values():
            if report.mode is Mode.LEADER:
                self._led_by, self._leader = report.pod.name, report

    def start(self) -> None:
        self._zero = self._looked = self._ports.clock.now()

    async def until_back(self) -> ProcessOutcome:
        """Until the member serves again and has caught up, or LONGEST is over."""
        while self._since() < LONGEST:
            reports, document = await asyncio.gather(self._reports(), self._document())
            self._judge(reports)
            if document is not None:
                self._follow_container(document)
                if await self._is_back(document, reports):
                    self._note(rejoined=self._since())
                    self._say("rejoined", f"{self._pod.name} serves and has caught up", seconds=self._found.rejoined)
                    return self._found
            try:
                await self._keep()
            except CannotBegin as lost:
                self._say("note", lost.message)  # nothing is left to be done but to look on
            await self._ports.clock.sleep(STEP)
        lacks = "end" if self._found.stopped is None else "start again" if self._found.restarted is None else "rejoin"
        self._note(why=f"{self._pod.name} did not {lacks} within {LONGEST:.0f} s")
        return self._found

    def _since(self) -> float:
        return self._ports.clock.now() - self._zero

    def _note(self, **changes: object) -> None:
        self._found = replace(self._found, **changes)  # pyright: ignore[reportArgumentType]  # fields by name

    async def _reports(self) -> dict[str, MemberReport]:
        """By pod UID."""
        polls = (self._ports.members.poll(self._ensemble, pod, POLL) for pod in self._pods)
        return {report.pod.uid: report for report in await asyncio.gather(*polls)}

    async def _document(self) -> Document | None:
        reply = await self._ports.objects.read(PODS, self._pod.namespace, self._pod.name)
        return reply.value if isinstance(reply, Answer) else None

    def _status(self, document: Document) -> Document:
        nothing: Document = {}
        statuses = objects(document, "status", "containerStatuses")
        return next((s for s in statuses if text(s, "name") == self._ensemble.container), nothing)

    def _judge(self, reports: dict[str, MemberReport]) -> None:
        """Quorum and leader, by everybody's own answers."""
        now = self._ports.clock.now()
        mine = reports.get(self._pod.uid)
        if self._found.stopped is None and (mine is None or not mine.mode.serving):
            self._note(stopped=self._since())
            self._say("stopped", f"{self._pod.name} does not serve any more", seconds=self._found.stopped)
        quorum = judge(members_of(self._pods, reports, self._config), self._config, now)
        # What is not known, as on a slow machine, is no outage.
        if quorum.health is Health.NO_QUORUM:
            self._note(below=self._found.below + now - self._looked)
        self._looked = now
        leaders = [r for r in reports.values() if r.mode is Mode.LEADER and r.serving(now)]
        leader = leaders[0] if len(leaders) == 1 else None
        if leader is not None and leader.pod.name != self._led_by:
            if self._found.elected is None:
                self._note(elected=self._since())
            epoch = f" in epoch {leader.zxid.epoch}" if leader.zxid is not None else ""
            was = f"; before, {self._led_by} did" if self._led_by else ""
            self._say("elected", f"{leader.pod.name} leads now{epoch}{was}", seconds=self._since())
            self._led_by = leader.pod.name
        self._note(leader=leader.pod.name if leader is not None else "")

    def _follow_container(self, document: Document) -> None:
        status = self._status(document)
        ended = mapping(status, "state", "terminated") or mapping(status, "lastState", "terminated")
        again = (number(status, "restartCount") or 0) > self._restarts
        other = bool(self._was) and text(status, "containerID") != self._was
        running = child(status, "state", "running") is not None
        if self._found.restarted is None and running and (again or other or self._another(document)):
            words = exit_words(ended) if ended else ""
            self._note(restarted=self._since(), exit=words)
            if self._found.stopped is None:  # it was back between two looks
                self._note(stopped=self._since())
            told = f"{self._pod.name} was started again{f'; it had ended: {words}' if words else ''}"
            self._say("restarted", told, seconds=self._found.restarted)

    def _another(self, document: Document) -> bool:
        return text(document, "metadata", "uid") != self._pod.uid

    async def _is_back(self, document: Document, reports: dict[str, MemberReport]) -> bool:
        if self._found.restarted is None:
            return False
        if self._another(document):
            found = await self._ports.cluster.pod(self._pod.namespace, self._pod.name)
            if isinstance(found, Answer):
                self._pods = tuple(found.value if p.name == self._pod.name else p for p in self._pods)
                self._say("note", f"{self._pod.name} is another pod now: somebody deleted it", uid=found.value.uid)
                self._pod = found.value
            return False
        conditions = objects(document, "status", "conditions")
        ready = any(text(c, "type") == "Ready" and text(c, "status") == "True" for c in conditions)
        if ready and self._found.ready is None:
            self._note(ready=self._since())
            self._say("ready", f"{self._pod.name} is Ready", seconds=self._found.ready)
        caught = await self._caught_up(reports)
        return ready and caught

    async def _caught_up(self, reports: dict[str, MemberReport]) -> bool:
        """As a maintenance judges a member that came back."""
        earlier, mine = self._leader, reports.get(self._pod.uid)
        self._leader = next((r for r in reports.values() if r.pod.name == self._led_by), None)
        if mine is None or not mine.mode.serving:
            return False
        if mine.pod.name == self._led_by or mine.mode is Mode.STANDALONE:
            return True
        if earlier is not None and earlier.pod.name == self._led_by and caught_up(mine, earlier):
            return True
        synced = await self._ports.members.synced_read(self._ensemble, self._pod)
        return isinstance(synced, Answer) and synced.value
