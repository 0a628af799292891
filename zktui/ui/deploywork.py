"""Deploying an ensemble from the screen: `zktui deploy` where no member has to be replaced for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zktui.core.discovery import recognise
from zktui.core.ports import Answer, Refused
from zktui.core.text import count
from zktui.session import Session
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row
from zktui.ui.works import Ending, Prepared, Tell
from zktui.workload.deploying import Outcome, Verdict, apply, preview
from zktui.workload.manifest import Wanted, manifest
from zktui.workload.reading import Ports
from zktui.workload.watching import hindrances, is_whole, until_whole

WAIT = 300.0
"""Seconds for the members to be in quorum."""
MARKS = {Verdict.CREATE: "+", Verdict.CONFIGURE: "~", Verdict.UNCHANGED: "="}


class Deployment:
    """One deployment into the namespace that is looked at."""

    verb = "deploy"
    stoppable = True

    def __init__(self, session: Session, wanted: Wanted) -> None:
        """The namespace of `wanted` is that of the session."""
        assert session.objects is not None, "a session without an API server deploys nothing"
        self._ports = Ports(session.cluster, session.members, session.objects, session.clock)
        self._read_only = session.settings.read_only
        self._wanted = wanted
        self._outcomes: tuple[Outcome, ...] = ()
        self._stopped = False
        self.title = f"Deployment of {wanted.namespace}/{wanted.name}"

    async def prepare(self) -> Prepared:
        """By a dry run of every object."""
        wanted = self._wanted
        there = await self._ports.cluster.statefulset(wanted.namespace, wanted.name)
        if isinstance(there, Answer) and recognise(there.value) is None:
            why = f"StatefulSet {wanted.name} is there, and does not run ZooKeeper: choose another name"
            return Prepared((), (why,), may_begin=False)
        if isinstance(there, Answer) and there.value.replicas != wanted.members:
            why = f"{wanted.name} is there, with {count(there.value.replicas, 'member')}: how many vote is not changed"
            return Prepared((), (why,), may_begin=False)
        self._outcomes = await preview(self._ports.objects, manifest(wanted))
        rows = [row(Piece(" What would be done", Tone.STRONG)), *_rows(self._outcomes)]
        stands = tuple(_obstacles(self._outcomes))
        if self._read_only:
            stands = (*stands, "zktui is read-only here")
        return Prepared(tuple(rows), stands, may_begin=not stands)

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        del typed  # nothing that stands in the way can be overridden here
        ports, clock = self._ports, self._ports.clock
        for planned in self._outcomes:
            outcome = await apply(ports.objects, planned.document)
            words = outcome.verdict.value if outcome.verdict.goes else f"{outcome.verdict.value}: {outcome.why}"
            tell(clock.wall(), f"{outcome.title} {words}")
            if not outcome.verdict.goes:
                return Ending(False, f"{outcome.title} was not applied; what stands above it was.")
        found = await ports.cluster.statefulset(self._wanted.namespace, self._wanted.name)
        ensemble = recognise(found.value) if isinstance(found, Answer) else None
        if ensemble is None:
            why = found.message if isinstance(found, Refused) else "it can't be read"
            return Ending(False, f"All was applied; StatefulSet {self._wanted.name}: {why}.")
        reading = await until_whole(
            ensemble, ports, lambda told: tell(told.wall, told.text), WAIT, lambda: self._stopped
        )
        if is_whole(reading):
            members = count(len(reading.members), "member")
            return Ending(True, f"{ensemble.name} is in quorum: {members}, leader {reading.quorum.leader}.")
        waits = "; ".join(await hindrances(reading, ports))
        return Ending(False, f"Not in quorum yet; it waits for {waits}. What was applied stays.")

    def stop(self) -> None:
        """Ends the waiting; what was applied stays."""
        self._stopped = True


def _rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for outcome in outcomes:
        mark = MARKS.get(outcome.verdict, "!")
        yield row(f"   {mark} ", [Piece(outcome.title, Tone.PLAIN if outcome.verdict.goes else Tone.BLOCKED)])
        if outcome.verdict is Verdict.CONFIGURE:
            yield from (row("       ", [Piece(line, Tone.DIM)]) for d in outcome.differences for line in d.lines())


def _obstacles(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        for conflict in outcome.conflicts:
            yield f"{outcome.title}: {conflict.field} is set otherwise by {conflict.manager}"
        if not outcome.verdict.goes and not outcome.conflicts:
            yield f"{outcome.title}: {outcome.why}"
        if outcome.rolls:
            yield f"{outcome.title}: its members would be replaced: zktui deploy does it, member by member"
