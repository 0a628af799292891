"""Drills from the screen: the verbs of `zktui drill`, with the same gates and the same typed words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from zktui.core.zookeeper import Ensemble
from zktui.drills.desk import Drills
from zktui.drills.model import ProcessOutcome, ProcessReview, StorageOutcome, StorageReview
from zktui.drills.undo import Undo
from zktui.maintenance.model import Event, Gate, Standing
from zktui.maintenance.refusals import CannotBegin
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row
from zktui.ui.works import Ending, Prepared, Tell

T = TypeVar("T")
MARKS = {
    Standing.OK: ("✓", Tone.SAFE),
    Standing.WAITING: ("…", Tone.WAITING),
    Standing.BLOCKED: ("✗", Tone.BLOCKED),
}


class _Drill:
    """What was broken is followed until it is well: it can't be stopped."""

    stoppable = False

    def __init__(self, drills: Drills, title: str, verb: str) -> None:
        self._drills = drills
        self.title = title
        self.verb = verb

    def stop(self) -> None:
        pass


class ProcessWork(_Drill):
    """Ends the server of one member, and follows it."""

    def __init__(self, drills: Drills, ensemble: Ensemble, member: str) -> None:
        super().__init__(drills, f"Process drill on {member}", "end its server")
        self._ensemble = ensemble
        self._member = member
        self._review: ProcessReview | None = None

    async def prepare(self) -> Prepared:
        self._review = found = await self._drills.review_process(self._ensemble, self._member)
        role = "It leads: an election follows." if found.leads else "It does not lead."
        rows = [_title("What would be done")]
        if found.process is not None:
            rows.append(
                _line(f"Process {found.process.pid}, {found.process.program}, is told to end (SIGTERM). {role}")
            )
        rows.append(_line("Restart, election and return are followed to the end and timed."))
        rows += [row(), _title("Gates"), *map(_gate, found.gates)]
        against = (*found.refusals, *(f"{gate.name.value}: {gate.evidence}" for gate in found.blocked))
        against += ("zktui is read-only here",) if self._drills.read_only else ()
        return Prepared(tuple(rows), against, found.word, found.go and not self._drills.read_only)

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        found = self._review
        assert found is not None, "it was prepared"
        return await _told(lambda: self._drills.process(found, typed, _teller(tell)), _process_ended)


class StorageWork(_Drill):
    """Deletes the StatefulSet, applies it again as it was, and finds the data."""

    def __init__(self, drills: Drills, ensemble: Ensemble, *, orphan: bool) -> None:
        """`orphan`: its pods stay; else all of them go, and that is an outage."""
        kept = "its pods kept" if orphan else "with its pods, an outage"
        super().__init__(drills, f"Storage drill on {ensemble.name}, {kept}", "delete it")
        self._ensemble = ensemble
        self._orphan = orphan
        self._review: StorageReview | None = None

    async def prepare(self) -> Prepared:
        outage = not self._orphan
        self._review = found = await self._drills.review_storage(
            self._ensemble, orphan=self._orphan, accept_outage=outage
        )
        rows = [
            _title("What would be done"),
            _line("The way back is written to a file. Then the StatefulSet is deleted, applied again as it was, and"),
            _line("what was written before is read through every member."),
        ]
        rows += [
            _line("Every member goes at once: clients are without ZooKeeper until they are back.", Tone.WAITING)
        ] * outage
        rows += [_line(remark) for remark in found.remarks]
        against = (*found.refusals, *(("zktui is read-only here",) if self._drills.read_only else ()))
        return Prepared(tuple(rows), against, found.word, found.go and not self._drills.read_only)

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        found = self._review
        assert found is not None, "it was prepared"
        outage = not self._orphan
        return await _told(
            lambda: self._drills.storage(found, typed, _teller(tell), accept_outage=outage), _storage_ended
        )


class FinishWork(_Drill):
    """Brings a storage drill to its end that was cut off; its StatefulSet may not be there."""

    def __init__(self, drills: Drills, which: Undo) -> None:
        super().__init__(drills, f"End of the storage drill on {which.name}", "bring it to its end")
        self._which = which

    async def prepare(self) -> Prepared:
        which = self._which
        rows = [
            _title("What would be done"),
            _line(f"Where StatefulSet {which.namespace}/{which.name} is not there it is created again, as it was."),
            _line(f"Then {which.path}, written before, is read through every member, and deleted."),
            row(),
            _title("By hand"),
            *(row([Piece("   $ ", Tone.DIM)], [Piece(line, Tone.DIM)]) for line in which.lines()),
        ]
        against = ("it is under way on this machine: wait for its end",) if which.under_way else ()
        against += ("zktui is read-only here",) if self._drills.read_only else ()
        return Prepared(tuple(rows), against, may_begin=not against)

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        # It only brings back what was there: a key is enough.
        del typed
        return await _told(lambda: self._drills.finish(self._which, _teller(tell)), _storage_ended)


async def _told(work: Callable[[], Awaitable[T]], ending: Callable[[T], Ending]) -> Ending:
    try:
        return ending(await work())
    except CannotBegin as refused:
        return Ending(False, f"{refused.message} {refused.hint}".strip())


def _teller(tell: Tell) -> Callable[[Event], None]:
    def told(event: Event) -> None:
        seconds = event.data.get("seconds")
        after = f"   +{seconds:.1f} s" if isinstance(seconds, int | float) else ""
        tell(event.wall, f"{event.text}{after}")

    return told


def _process_ended(found: ProcessOutcome) -> Ending:
    if not found.well:
        return Ending(False, f"{found.why or 'It did not come back'}. Journal: {found.journal}")
    times = (("silent", found.stopped), ("elected", found.elected), ("restarted", found.restarted))
    told = [f"{what} after {at:.1f} s" for what, at in (*times, ("rejoined", found.rejoined)) if at is not None]
    return Ending(True, f"{found.member}: {', '.join(told)}; below majority {found.below:.1f} s.")


def _storage_ended(found: StorageOutcome) -> Ending:
    if not found.well:
        lacks = "; ".join(found.missing)
        return Ending(False, f"{found.why or 'Not every member has the data'}. {lacks} The way back: {found.folder}")
    took = f" after {found.whole:.1f} s" if found.whole is not None else ""
    if not found.looked:
        return Ending(True, f"Nothing was left to find, and nothing of the drill is left; all serve{took}.")
    return Ending(True, f"{', '.join(found.found)} have what was written before; all serve again{took}.")


def _gate(gate: Gate) -> Row:
    mark, tone = MARKS[gate.standing]
    return row([Piece(f"   {mark} ", tone), Piece(f"{gate.name.value:<8}")], [Piece(gate.evidence)])


def _title(words: str) -> Row:
    return row([Piece(f" {words}", Tone.STRONG)])


def _line(words: str, tone: Tone = Tone.PLAIN) -> Row:
    return row("   ", [Piece(words, tone)])
