"""Where drills are reviewed and begun: the one thing that front ends need of this package."""

from __future__ import annotations

from pathlib import Path

from zktui.core.ports import Place
from zktui.core.zookeeper import Ensemble
from zktui.drills import process, storage
from zktui.drills.model import DrillPorts, ProcessOutcome, ProcessReview, StorageOutcome, StorageReview, Tell
from zktui.drills.process import ProcessDrill
from zktui.drills.swapping import StorageDrill
from zktui.drills.undo import Undo, unfinished
from zktui.maintenance.refusals import CannotBegin, ReadOnlyError, WordMissing

FINISH = "zktui drill storage --finish"


class Drills:
    """Reviews drills and carries them out. Each is followed to its end before its method returns."""

    def __init__(
        self,
        ports: DrillPorts,
        *,
        state_folder: Path,
        holder: str,
        read_only: bool,
        place: Place,
    ) -> None:
        """`holder` is who the lease will name; what is kept of drills goes to `state_folder`/drills. `place` makes the
        kubectl lines for this very cluster."""
        self._ports = ports
        self._folder = state_folder
        self._holder = holder
        self._place = place
        self.read_only = read_only

    async def review_process(self, ensemble: Ensemble, member: str) -> ProcessReview:
        """Whether this member's server could be ended now. Changes and raises nothing."""
        return await process.review(self._ports, ensemble, member)

    async def process(self, reviewed: ProcessReview, typed: str, tell: Tell) -> ProcessOutcome:
        """End it, and follow it until it is back. Every gate is asked again before; those that wait are waited for.

        Raises CannotBegin (nothing was done), ReadOnlyError, WordMissing when `typed` is not the review's word.
        """
        self._may(typed, reviewed.word)
        if not reviewed.go:
            gate = next(iter(reviewed.blocked), None)
            why = reviewed.refusals[0] if reviewed.refusals else gate.evidence if gate is not None else ""
            raise CannotBegin(f"Not now: {why}.", gate.unblock if gate is not None else "")
        return await ProcessDrill(self._ports, reviewed, self._folder, self._holder, tell).carry_out()

    async def review_storage(
        self, ensemble: Ensemble, *, orphan: bool = True, accept_outage: bool = False
    ) -> StorageReview:
        """Whether its StatefulSet could be deleted and applied again now. Changes and raises nothing."""
        return await storage.review(self._ports, ensemble, orphan=orphan, accept_outage=accept_outage)

    async def storage(
        self, reviewed: StorageReview, typed: str, tell: Tell, *, accept_outage: bool = False
    ) -> StorageOutcome:
        """Delete it, create it again, find the data. The way back is on disk before anything is deleted, and once it is
        deleted a cancellation waits until it is there again.

        Raises CannotBegin (nothing was deleted), ReadOnlyError, WordMissing.
        """
        self._may(typed, reviewed.word)
        if not reviewed.go:
            raise CannotBegin(f"Not now: {reviewed.refusals[0]}.", "Nothing was deleted.")
        key = reviewed.ensemble.key
        other = next((u for u in self.unfinished() if (u.namespace, u.name) == (key.namespace, key.name)), None)
        if other is not None:
            raise CannotBegin(f"An earlier drill of it did not come to its end: {other.folder}.", FINISH)
        drill = StorageDrill.prepared(self._ports, reviewed, self._folder, self._holder, self._place, tell)
        return await drill.carry_out(reviewed, accept_outage=accept_outage)

    def unfinished(self) -> tuple[Undo, ...]:
        """Storage drills of this cluster that were cut off, oldest first. Reads the state folder; raises nothing."""
        return unfinished(self._folder, self._place.server)

    async def finish(self, which: Undo, tell: Tell) -> StorageOutcome:
        """Bring one to its end: create the StatefulSet where it is not there, find the data, clear up.

        Raises CannotBegin and ReadOnlyError.
        """
        self._may("", "")
        return await StorageDrill.cut_off(self._ports, which, self._holder, tell).finish()

    def _may(self, typed: str, word: str) -> None:
        if self.read_only:
            raise ReadOnlyError("zktui is read-only here: nothing was changed.", "Start it without --read-only.")
        if typed != word:
            raise WordMissing(f"Not done: type {word}.", "Nothing was changed.")
