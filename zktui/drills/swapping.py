"""One storage drill from its claim to its report; and the end of one that was cut off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from zktui.checks.gather import STATEFULSETS
from zktui.core.discovery import recognise
from zktui.core.documents import Document, text
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Place, Refused, Reply
from zktui.core.zookeeper import Ensemble
from zktui.drills import undo as written
from zktui.drills.claim import Claim
from zktui.drills.model import DrillPorts, StorageOutcome, StorageReview, Tell
from zktui.drills.process import new_id
from zktui.drills.storage import kubectl_for, made_by_zktui, replicas_of, review, why_not
from zktui.drills.undo import Undo
from zktui.maintenance.claim import LEASE_SECONDS
from zktui.maintenance.journal import FileJournal, JournalError
from zktui.maintenance.model import Event
from zktui.maintenance.refusals import CannotBegin

STEP = 0.5
GONE = 120.0
"""Seconds for which the deletion, and the pods' grace with it, is waited for before it is applied again anyhow."""
WHOLE = 300.0
TRIES = 5
"""How often a creation is tried whose outcome nobody knows, with a look in between."""


class StorageDrill:
    """Its times are seconds since the deletion was sent, or since `finish` was begun."""

    def __init__(self, ports: DrillPorts, undo: Undo, journal: FileJournal, claim: Claim, tell: Tell) -> None:
        self._ports = ports
        self._undo = undo
        self._journal = journal
        self._claim = claim
        self._tell = tell
        self._zero = ports.clock.now()
        self._zxid: int | None = None
        self._begun = False
        """It may be deleted: from here on nothing stops what brings it back."""
        self._found = StorageOutcome(undo.name, undo.folder)

    @classmethod
    def prepared(
        cls, ports: DrillPorts, reviewed: StorageReview, state: Path, holder: str, place: Place, tell: Tell
    ) -> StorageDrill:
        """A new one, with its journal. Raises CannotBegin."""
        assert reviewed.document is not None, "a review that may go has read it"
        ensemble, drill = reviewed.ensemble, new_id(ports.clock.wall())
        undo = Undo(
            state / "drills" / f"{drill}-storage",
            ensemble.namespace,
            ensemble.name,
            ensemble.key.uid,
            f"/zktui-drill-{drill}",
            f"written by zktui before its storage drill {drill}",
            ensemble.container,
            place.server,
            kubectl_for(place, ensemble.namespace),
            made_by_zktui(reviewed.document),
            written.manifest_of(reviewed.document),
        )
        claim = Claim(ports.cluster, ports.clock, ensemble.namespace, holder, drill)
        return cls(ports, undo, _journal(undo.journal), claim, tell)

    @classmethod
    def cut_off(cls, ports: DrillPorts, undo: Undo, holder: str, tell: Tell) -> StorageDrill:
        """One whose program has died. Raises CannotBegin while that lives."""
        if undo.under_way:
            raise CannotBegin(f"The drill in {undo.folder} is under way on this machine.", "Wait for its end.")
        part = len(list(undo.folder.glob("*.jsonl"))) + 1
        journal = _journal(undo.folder / f"journal.{part}.jsonl")
        claim = Claim(ports.cluster, ports.clock, undo.namespace, holder, undo.folder.name.removesuffix("-storage"))
        return cls(ports, undo, journal, claim, tell)

    async def carry_out(self, reviewed: StorageReview, *, accept_outage: bool) -> StorageOutcome:
        """Raises CannotBegin as long as nothing was deleted."""
        try:
            await self._claim.take()
            fresh = await self._again(reviewed, accept_outage=accept_outage)
            assert fresh.document is not None, "it may go"
            self._undo = replace(self._undo, manifest=written.manifest_of(fresh.document))
            written.write(self._undo)
            await self._leave_mark(fresh)
            # Once it is deleted it is created again, whoever loses patience meanwhile.
            swapping = asyncio.ensure_future(self._swap(fresh))
            return await _to_its_end(swapping)
        except CannotBegin as refused:
            self._say("refused", refused.message)
            raise
        finally:
            await self._claim.release()
            self._journal.close()

    async def finish(self) -> StorageOutcome:
        """Create it again where it is not there, look for what was written, and clear up."""
        try:
            wait = f"once the lease of the one that was cut off has run out, {LEASE_SECONDS:.0f} s at most"
            self._say("finish", f"bring the drill of {self._undo.name} to its end, {wait}")
            await self._claim.take()
            self._zero = self._ports.clock.now()
            if written.cleared(self._undo):
                written.over(self._undo)
            read = await self._read()
            if isinstance(read, Refused) and read.not_found:
                self._begun = True
                await self._create()
            elif not isinstance(read, Answer):
                raise CannotBegin(f"{self._undo.name} can't be read: {why_not(read)}.", "Look again later.")
            elif text(read.value, "metadata", "uid") == self._undo.uid:
                return await self._not_deleted()
            else:
                self._say("note", f"{self._undo.name} is there again")
            return await self._look_for_data(marked=not written.cleared(self._undo))
        finally:
            await self._claim.release()
            self._journal.close()

    async def _not_deleted(self) -> StorageOutcome:
        """It was cut off before it had deleted anything: what it has written is all there is to clear up."""
        self._say("note", f"{self._undo.name} was not deleted")
        return await self._look_for_data(marked=False)

    # --- before ---------------------------------------------------------------------------------------------------

    async def _again(self, reviewed: StorageReview, *, accept_outage: bool) -> StorageReview:
        fresh = await review(
            self._ports,
            reviewed.ensemble,
            orphan=reviewed.orphan,
            accept_outage=accept_outage,
            ours=self._claim.holder,
        )
        if not fresh.go:
            raise CannotBegin(f"Not now: {fresh.refusals[0]}.", "Nothing was deleted.")
        return fresh

    async def _leave_mark(self, fresh: StorageReview) -> None:
        undo = self._undo
        self._say("mark", f"create {undo.path} through {fresh.pods[0].name}")
        made = await self._ports.rounds.create(fresh.ensemble, fresh.pods[0], undo.path, undo.data.encode())
        if not isinstance(made, Answer):
            await self._remove_mark(fresh.ensemble, fresh.pods)
            written.over(undo)
            raise CannotBegin(f"Nothing can be written to be found again: {why_not(made)}.", "Nothing was deleted.")
        self._zxid = int(made.value.zxid)
        self._say("mark", f"it was acknowledged with zxid {made.value.zxid}")

    # --- deleted, and created again -------------------------------------------------------------------------------

    async def _swap(self, fresh: StorageReview) -> StorageOutcome:
        undo = self._undo
        how = "its pods stay" if fresh.orphan else "its pods go with it"
        self._say("delete", f"delete StatefulSet {undo.name} ({how}); the way back: {undo.folder / written.BY_HAND}")
        self._begun = True
        self._zero = self._ports.clock.now()
        reply = await self._ports.objects.delete(
            STATEFULSETS, undo.namespace, undo.name, uid=undo.uid, orphan=fresh.orphan
        )
        if isinstance(reply, Refused) and not reply.not_found:
            await self._remove_mark(fresh.ensemble, fresh.pods)
            written.over(undo)
            raise CannotBegin(f"It was not deleted: {reply.message}.", "Nothing was changed.")
        if not await self._is_gone(fresh.ensemble, () if fresh.orphan else fresh.pods):
            self._say("note", f"it, or a pod of it, is still there after {GONE:.0f} s")
        await self._create()
        return await self._look_for_data(expected=fresh.pods if fresh.orphan else ())

    async def _is_gone(self, ensemble: Ensemble, pods: tuple[Pod, ...]) -> bool:
        """It and, where they go with it, its pods."""
        while self._since() < GONE:
            await self._keep()
            read = await self._read()
            if isinstance(read, Refused) and read.not_found:
                selector = str(ensemble.statefulset.selector or "")
                listed = await self._ports.cluster.pods(self._undo.namespace, selector)
                uids = {p.uid for p in listed.value} if isinstance(listed, Answer) else None
                if uids is not None and not any(p.uid in uids for p in pods):
                    self._found = replace(self._found, gone=self._since())
                    self._say(
                        "gone", f"{self._undo.name} is gone{' with its pods' if pods else ''}", seconds=self._found.gone
                    )
                    return True
            await self._ports.clock.sleep(STEP)
        return False

    async def _create(self) -> None:
        """As it was. A creation whose outcome is not known is looked at before it is sent again."""
        undo = self._undo
        for _ in range(TRIES):
            self._say("create", f"create StatefulSet {undo.name} again, as it was")
            reply = await self._send(undo.manifest)
            if isinstance(reply, Answer) or (isinstance(reply, Refused) and reply.reason == "AlreadyExists"):
                break
            self._say("reply", f"it was not created: {why_not(reply)}")
            await self._ports.clock.sleep(STEP * 4)
            if isinstance(await self._read(), Answer):
                break
        else:
            self._found = replace(self._found, why=f"{undo.name} could not be created again: see {undo.folder}")
            return
        self._found = replace(self._found, applied=self._since())
        self._say("applied", f"{undo.name} is there again", seconds=self._found.applied)

    async def _send(self, manifest: Document) -> Reply[Document]:
        """By apply where its fields were zktui's own, so that they are so again; else it is created, so that what
        `kubectl apply` had noted down in it stays true."""
        if self._undo.applied:
            return await self._ports.objects.apply(STATEFULSETS, manifest)
        return await self._ports.objects.create(STATEFULSETS, manifest)

    # --- after ----------------------------------------------------------------------------------------------------

    async def _look_for_data(self, expected: tuple[Pod, ...] = (), *, marked: bool = True) -> StorageOutcome:
        """`expected` pods have to be those of before. Where it is not `marked`, there may be nothing to find."""
        if self._found.why:
            self._say("result", self._found.why, well=False)
            return self._found
        ensemble, pods = await self._until_whole()
        if ensemble is None:
            why = f"{self._undo.name} was not whole within {WHOLE:.0f} s: see {self._undo.folder}"
            self._found = replace(self._found, why=why)
            self._say("result", why, well=False)
            return self._found
        other = [p.name for p in pods if expected and p.uid not in {e.uid for e in expected}]
        if other:
            self._say("note", f"{', '.join(other)} was made anew, though its pods were to stay")
        found: list[str] = []
        missing: list[str] = []
        for pod in pods:
            why = await self._lacks(ensemble, pod) if marked else ""
            missing.extend([f"{pod.name}: {why}"] if why else [])
            found.extend([] if why else [pod.name])
            if marked:
                self._say("data", f"{pod.name} {'has not what was written: ' + why if why else 'has what was written'}")
        self._found = replace(self._found, found=tuple(found), missing=tuple(missing), looked=marked)
        if not missing and await self._remove_mark(ensemble, pods):
            written.over(self._undo)
        told = "the data is there" if marked else "nothing was left to find"
        self._say("result", told if self._found.well else "not all of it is there", well=self._found.well)
        return self._found

    async def _lacks(self, ensemble: Ensemble, pod: Pod) -> str:
        reply = await self._ports.rounds.find(ensemble, pod, self._undo.path)
        if not isinstance(reply, Answer):
            return why_not(reply)
        if reply.value.data != self._undo.data.encode():
            return "it holds something else"
        other = self._zxid is not None and int(reply.value.zxid) != self._zxid
        return f"it was made by another transaction (zxid {reply.value.zxid})" if other else ""

    async def _until_whole(self) -> tuple[Ensemble | None, tuple[Pod, ...]]:
        """Every member Ready and serving, as a member of the StatefulSet that is there now."""
        deadline = self._ports.clock.now() + WHOLE
        while self._ports.clock.now() < deadline:
            await self._keep()
            owner = await self._ports.cluster.statefulset(self._undo.namespace, self._undo.name)
            ensemble = recognise(owner.value) if isinstance(owner, Answer) else None
            if ensemble is not None and (pods := await self._serving(ensemble)):
                self._found = replace(self._found, whole=self._since())
                self._say("whole", f"all {len(pods)} members serve", seconds=self._found.whole)
                return ensemble, pods
            await self._ports.clock.sleep(STEP)
        return None, ()

    async def _serving(self, ensemble: Ensemble) -> tuple[Pod, ...]:
        """Its pods, if all of them are there and serve."""
        listed = await self._ports.cluster.pods(ensemble.namespace, str(ensemble.statefulset.selector or ""))
        mine = [p for p in listed.value if ensemble.owns(p)] if isinstance(listed, Answer) else []
        if len(mine) != replicas_of(self._undo.manifest) or not all(p.ready and not p.terminating for p in mine):
            return ()
        reports = await asyncio.gather(*(self._ports.members.poll(ensemble, pod) for pod in mine))
        return tuple(sorted(mine, key=lambda p: p.name)) if all(r.mode.serving for r in reports) else ()

    async def _remove_mark(self, ensemble: Ensemble, pods: tuple[Pod, ...]) -> bool:
        for pod in pods:
            reply = await self._ports.rounds.remove(ensemble, pod, self._undo.path)
            if isinstance(reply, Answer):
                self._say(written.CLEARED, f"{self._undo.path} is deleted")
                return True
        self._say("note", f"{self._undo.path} could not be deleted")
        return False

    # --- small things ---------------------------------------------------------------------------------------------

    async def _read(self) -> Reply[Document]:
        return await self._ports.objects.read(STATEFULSETS, self._undo.namespace, self._undo.name)

    async def _keep(self) -> None:
        try:
            await self._claim.keep()
        except CannotBegin as lost:
            self._say("note", lost.message)  # what was begun is ended all the same

    def _since(self) -> float:
        return self._ports.clock.now() - self._zero

    def _say(self, kind: str, text: str, **data: str | float | bool | None) -> None:
        """Raises CannotBegin where it can't be kept, as long as nothing was begun."""
        event = Event(0, self._ports.clock.wall(), kind, text, data=dict(data))
        try:
            event = self._journal.append(event)
        except JournalError as error:
            if not self._begun:
                raise CannotBegin(str(error), "Nothing was deleted.") from error
        self._tell(event)


def _journal(path: Path) -> FileJournal:
    try:
        return FileJournal(path)
    except JournalError as error:
        raise CannotBegin(str(error), "Nothing is done without a journal: make room.") from error


async def _to_its_end(work: asyncio.Future[StorageOutcome]) -> StorageOutcome:
    """Await it, also when cancelled; the cancellation then counts once it has ended."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return work.result()
