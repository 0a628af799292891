"""A rolling update that never stops a member while the ensemble needs it.

The StatefulSet controller asks no budget when it replaces pods, and under Parallel it deletes every old pod that is
not Ready at once (seen on Kubernetes 1.37). So the update is held by its partition from the start, and let go by one
ordinal at a time, each only while the other voters are a quorum by their own word, and the member before it is back.
Under OnDelete the members are evicted here, one after another, the leader last.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from zktui.core.documents import Document, number, text
from zktui.core.ports import Answer, Refused, Where
from zktui.core.text import count
from zktui.core.zookeeper import Ensemble, Member, ordinal
from zktui.workload.partition import (
    carried_out,
    holding,
    merged,
    original_partition,
    partitioned,
    released,
    replicas_of,
)
from zktui.workload.reading import Ports, Reading, read

STATEFULSETS = Where("/apis/apps/v1", "statefulsets")
LOOK_EVERY = 1.0
MEMBER_TIMEOUT = 300.0
"""Seconds for one member to be gone and back, and for the ensemble to become fit for the next."""


class Status(enum.StrEnum):
    DONE = "done"
    STOPPED = "stopped"
    """On request; what was not replaced yet is held."""
    BLOCKED = "blocked"
    """A gate stayed closed, or a member did not come back; what was not replaced yet is held."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One line of what goes on. `member` empty: about the whole."""

    wall: float
    text: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """How it ended; figures are of the readings, about one each second."""

    status: Status
    message: str
    seconds: float
    replaced: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Members that still run the old template."""
    elections: int = 0
    lowest: int | None = None
    """The fewest voters that served at any reading; None when none was complete."""
    forbidden: bool = False


class _Ended(Exception):
    def __init__(self, status: Status, message: str, *, forbidden: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.forbidden = forbidden


@dataclass
class _Seen:
    """What the readings have shown so far."""

    lines: dict[str, str] = field(default_factory=dict[str, str])
    quorum: str = ""
    epoch: int | None = None
    elections: int = 0
    lowest: int | None = None
    reading: Reading | None = None


class Rolling:
    """One rolling update. `run` once; `stop` from anywhere ends it after what is in flight."""

    def __init__(
        self,
        ensemble: Ensemble,
        ports: Ports,
        tell: Callable[[Told], None],
        *,
        timeout: float = MEMBER_TIMEOUT,
        dwell: float | None = None,
    ) -> None:
        """`timeout` seconds for each member; `dwell` seconds for which it has to serve before the next one goes."""
        self._ensemble = ensemble
        self._ports = ports
        self._tell = tell
        self._timeout = timeout
        self._dwell = ensemble.dwell if dwell is None else dwell
        self._stopped = False
        self._held: int | None = None
        self._document: Document = {}
        """The StatefulSet as the server told it last: in the answer to a patch, too."""
        self._seen = _Seen()
        self._replaced: list[str] = []

    def stop(self) -> None:
        self._stopped = True

    async def run(self, change: Document | None) -> End:
        """Send `change` (a strategic merge patch of the StatefulSet; None: the update that is open) and roll it out.

        The gates before it are the caller's (`reading.obstacles`). Never raises.
        """
        begun = self._ports.clock.now()
        try:
            message = await self._run(change or {})
            status, forbidden = Status.DONE, False
        except _Ended as ended:
            message, status, forbidden = str(ended), ended.status, ended.forbidden
        last = self._seen.reading
        left = tuple(m.pod.name for m in last.members if last.old(m)) if last is not None else ()
        seconds = self._ports.clock.now() - begun
        return End(
            status,
            message,
            seconds,
            tuple(self._replaced),
            left,
            self._seen.elections,
            self._seen.lowest,
            forbidden,
        )

    async def _run(self, change: Document) -> str:
        ensemble, ports = self._ensemble, self._ports
        found = await ports.objects.read(STATEFULSETS, ensemble.namespace, ensemble.name)
        if not isinstance(found, Answer):
            raise _Ended(
                Status.FAILED, f"StatefulSet {ensemble.name} could not be read: {_why(found)}. It is as it was"
            )
        self._document = found.value
        by_hand = text(found.value, "spec", "updateStrategy", "type") == "OnDelete"
        kept = original_partition(found.value)
        if by_hand:
            if change:
                await self._patch(change)
        else:
            await self._patch(merged(change, holding(found.value)))
            self._held = replicas_of(found.value)
        reading = await self._observed()
        start = number(found.value, "spec", "ordinals", "start") or 0
        floor = 0 if by_hand else kept
        wanted = targets(reading, start + floor)
        if wanted:
            self._say(order(reading, wanted, by_hand=by_hand)[1])
        while wanted := targets(await self._look(), start + floor):
            await self._replace(wanted, start, by_hand=by_hand)
        if not by_hand:
            await self._patch(released(self._document))
        names = count(len(self._replaced), "member was replaced", "members were replaced")
        return f"{names}." if self._replaced else "No member had to be replaced."

    async def _observed(self) -> Reading:
        """The controller has seen the change, so that its newest revision is the one that is meant."""
        return await self._until("the controller to see the change", lambda r: _current(r.statefulset))

    async def _replace(self, wanted: Sequence[Member], start: int, *, by_hand: bool) -> None:
        """One member: gate, let go, gone and back, and serving for a while."""
        reading = self._seen.reading
        assert reading is not None
        name = order(reading, wanted, by_hand=by_hand)[0][0]
        await self._until(f"the others to be a quorum without {name}", lambda r: may_go(r, name))
        now = self._seen.reading.member(name) if self._seen.reading is not None else None
        uid = now.pod.uid if now is not None else ""
        self._say(f"{name} goes.", name)
        if by_hand:
            await self._evict(name)
        else:
            self._held = ordinal(name) - start
            await self._patch(partitioned(self._held))
        await self._until(f"{name} to be back", lambda r: back(r, name, uid))
        await self._caught_up(name)
        await self._steady(name)
        self._replaced.append(name)

    async def _evict(self, name: str) -> None:
        end = self._ports.clock.now() + self._timeout
        while True:
            reading = await self._look()
            member = reading.member(name)
            if member is None or member.pod.terminating:
                return
            reply = await self._ports.cluster.evict(member.pod.key)
            if isinstance(reply, Answer) or (isinstance(reply, Refused) and reply.not_found):
                return
            if isinstance(reply, Refused) and reply.code == 429 and self._ports.clock.now() < end:
                self._say(f"{name} may not go yet: {reply.message}", name)
                await self._ports.clock.sleep(max(LOOK_EVERY, reply.retry_after or 0.0))
                continue
            if isinstance(reply, Refused):
                raise _Ended(Status.BLOCKED, f"{name} was not evicted: {reply.message}", forbidden=reply.forbidden)
            self._say(f"whether {name} was evicted is not known: {reply.why}", name)
            return  # the next readings tell, and it is not sent again

    async def _caught_up(self, name: str) -> None:
        """By its zxid, or by a sync and a read through it where zxids can't tell."""
        end = self._ports.clock.now() + self._timeout
        while self._ports.clock.now() < end:
            reading = await self._look()
            member = reading.member(name)
            if member is not None and reading.well(member):
                if reading.level(member):
                    return
                proof = await self._ports.members.synced_read(reading.ensemble, member.pod)
                if isinstance(proof, Answer) and proof.value:
                    return
            await self._pause()
        raise _Ended(Status.BLOCKED, f"{name} has not caught up after {self._timeout:.0f} s")

    async def _steady(self, name: str) -> None:
        """It stays well for the dwell; each stumble begins it anew."""
        clock = self._ports.clock
        end, since = clock.now() + self._timeout + self._dwell, clock.now()
        while clock.now() - since < self._dwell:
            reading = await self._look()
            member = reading.member(name)
            if member is None or not reading.well(member):
                since = clock.now()
            if clock.now() > end:
                raise _Ended(Status.BLOCKED, f"{name} does not stay well for {self._dwell:.0f} s")
            await self._pause()

    async def _until(self, what: str, holds: Callable[[Reading], bool]) -> Reading:
        end = self._ports.clock.now() + self._timeout
        while not holds(reading := await self._look()):
            if self._ports.clock.now() > end:
                detail = f" ({reading.why})" if reading.why else ""
                raise _Ended(Status.BLOCKED, f"waited {self._timeout:.0f} s in vain for {what}{detail}")
            await self._pause()
        return reading

    async def _pause(self) -> None:
        if self._stopped:
            raise _Ended(Status.STOPPED, "stopped on request")
        await self._ports.clock.sleep(LOOK_EVERY)

    async def _look(self) -> Reading:
        """Read, and tell what has changed since the last reading."""
        reading = await read(self._ensemble, self._ports)
        if not reading.members and reading.why.endswith("deleted and made anew"):
            raise _Ended(Status.FAILED, reading.why)
        partition = reading.statefulset.partition
        settled = reading.members and _current(reading.statefulset)
        if self._held is not None and settled and partition != self._held:
            raise _Ended(
                Status.STOPPED, f"somebody else has set the partition to {partition}: the update is theirs now"
            )
        self._notice(reading)
        return reading

    def _notice(self, reading: Reading) -> None:
        seen, quorum = self._seen, reading.quorum
        seen.reading = reading
        if quorum.epoch is not None:
            seen.elections += seen.epoch is not None and quorum.epoch > seen.epoch
            seen.epoch = quorum.epoch
        if quorum.voters:
            seen.lowest = quorum.serving if seen.lowest is None else min(seen.lowest, quorum.serving)
        said = quorum_words(reading)
        fresh = {m.pod.name: member_words(reading, m) for m in reading.members}
        for name, words in fresh.items():
            if seen.lines.get(name) != words:
                self._say(f"{name}  {words}  |  {said}", name)
        if fresh == seen.lines and said != seen.quorum:
            self._say(said)
        seen.lines, seen.quorum = fresh, said

    def _say(self, words: str, member: str = "") -> None:
        self._tell(Told(self._ports.clock.wall(), words, member))

    async def _patch(self, patch: Document) -> None:
        """Of this very StatefulSet. Where the answer is lost, a reading tells whether it was carried out."""
        ensemble, objects = self._ensemble, self._ports.objects
        body = merged(patch, {"metadata": {"uid": ensemble.statefulset.uid}})
        reply = await objects.patch(STATEFULSETS, ensemble.namespace, ensemble.name, body)
        if isinstance(reply, Refused):
            raise _Ended(Status.FAILED, f"The change was refused: {reply.message}", forbidden=reply.forbidden)
        if not isinstance(reply, Answer):
            found = await objects.read(STATEFULSETS, ensemble.namespace, ensemble.name)
            if not isinstance(found, Answer) or not carried_out(patch, self._document, found.value):
                raise _Ended(Status.FAILED, f"Whether the change was carried out is not known: {reply.why}")
            reply = found
        self._document = reply.value


# -- rules, each alone ---------------------------------------------------------------------------------


def targets(reading: Reading, lowest: int) -> tuple[Member, ...]:
    """Members at or above this ordinal that still run an old template, the highest first."""
    return tuple(m for m in reversed(reading.members) if reading.old(m) and ordinal(m.pod.name) >= lowest)


def order(reading: Reading, wanted: Sequence[Member], *, by_hand: bool) -> tuple[tuple[str, ...], str]:
    """In which order these go, and why, in a sentence: the leader last where the strategy lets us.

    RollingUpdate goes from the highest ordinal down whatever the partition; OnDelete leaves the order to who deletes.
    """
    names = [m.pod.name for m in wanted]
    leader = reading.quorum.leader
    if not by_hand:
        listed = ", ".join(names)
        if leader not in names:
            return tuple(names), f"From the highest ordinal down: {listed}."
        if names[-1] == leader:
            return tuple(names), f"From the highest ordinal down, which leaves the leader for the last: {listed}."
        why = "RollingUpdate lets no other order; under OnDelete zktui takes the leader last"
        return tuple(names), f"From the highest ordinal down: {listed}. The leader {leader} is not the last: {why}."
    broken = [m.pod.name for m in wanted if not reading.well(m)]
    names = [*broken, *(n for n in names if n not in broken and n != leader)]
    names += [leader] if leader in {m.pod.name for m in wanted} and leader not in names else []
    return tuple(names), f"OnDelete: zktui evicts them, the leader last: {', '.join(names)}."


def may_go(reading: Reading, name: str) -> bool:
    """The other voters are a quorum by their own word, and every member that has the new template is back."""
    if reading.why or not reading.others_serve(name):
        return False
    return all(reading.well(m) for m in reading.members if not reading.old(m) and m.pod.name != name)


def back(reading: Reading, name: str, old_uid: str) -> bool:
    member = reading.member(name)
    if member is None or member.pod.uid == old_uid or reading.old(member):
        return False
    return reading.well(member)


def member_words(reading: Reading, member: Member) -> str:
    """`1/1 Running follower, new template`."""
    if member.pod.terminating:
        return "Terminating"
    ready = "Ready" if member.pod.ready else "not Ready"
    template = "old template" if reading.old(member) else "new template"
    return f"{member.pod.status}, {ready}, {member.role.value}, {template}"


def quorum_words(reading: Reading) -> str:
    quorum = reading.quorum
    if not quorum.voters:
        return f"quorum not known: {quorum.why}"
    leader = f", leader {quorum.leader}" if quorum.leader else ", no leader"
    return f"{quorum.serving} of {quorum.voters} voters serve{leader}"


def _current(sts: object) -> bool:
    observed, generation = getattr(sts, "observed_generation", 0), getattr(sts, "generation", 0)
    return observed >= generation and bool(getattr(sts, "update_revision", ""))


def _why(reply: object) -> str:
    return reply.message if isinstance(reply, Refused) else str(getattr(reply, "why", "no answer"))
