"""One fresh reading of an ensemble: its StatefulSet, its pods, and what every member says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

from zktui.core.kube import StatefulSet
from zktui.core.ports import Answer, Clock, Cluster, Members, Objects, Refused
from zktui.core.quorum import Health, Quorum, caught_up, judge, majority, members_of
from zktui.core.zookeeper import Ensemble, Member, MemberReport, Mode, ordinal
from zktui.maintenance.claim import unfinished_in
from zktui.maintenance.model import LEASE_NAME

LOOKS, LOOK_AGAIN = 3, 0.5
"""How often an ensemble is asked before it counts as not whole, and the seconds between."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What changing a workload needs."""

    cluster: Cluster
    members: Members
    objects: Objects
    clock: Clock


@dataclass(frozen=True, slots=True)
class Reading:
    """`at` is monotonic, before the first question. `why` says what could not be read; the rest is then incomplete."""

    at: float
    ensemble: Ensemble
    members: tuple[Member, ...]
    """By ordinal; terminating pods included."""
    quorum: Quorum
    why: str = ""

    @property
    def statefulset(self) -> StatefulSet:
        return self.ensemble.statefulset

    @property
    def leader(self) -> Member | None:
        return next((m for m in self.members if m.pod.name == self.quorum.leader), None)

    def member(self, name: str) -> Member | None:
        return next((m for m in self.members if m.pod.name == name), None)

    def serving(self, member: Member) -> bool:
        return member.report.mode.serving and not member.pod.terminating

    def well(self, member: Member) -> bool:
        """Ready, and serving by its own word."""
        return member.pod.ready and self.serving(member)

    def level(self, member: Member) -> bool:
        """It leads, or holds what its leader held when both were asked. False where their zxids can't tell."""
        leader = self.leader
        if leader is None:
            return member.report.mode is Mode.STANDALONE
        # A leader that was asked later than its follower makes this harder to pass, not easier.
        asked_before = replace(leader.report, at=min(leader.report.at, member.report.at))
        return leader.pod.uid == member.pod.uid or caught_up(member.report, asked_before)

    def old(self, member: Member) -> bool:
        """Its pod was made from another template than the newest."""
        newest = self.statefulset.update_revision
        return bool(newest) and member.pod.revision != newest

    def others_serve(self, name: str) -> bool:
        """Whether the voters but this member are a quorum by themselves, as they say at this moment."""
        if self.quorum.voters == 0:
            return False
        others = [
            m
            for m in self.members
            if m.pod.name != name and self.serving(m) and m.server is not None and m.report.mode is not Mode.OBSERVER
        ]
        return len(others) >= majority(self.quorum.voters)


async def read(ensemble: Ensemble, ports: Ports) -> Reading:
    """Ask the API server and every member, all at once; never raises."""
    at = ports.clock.now()
    found, listed = await asyncio.gather(
        ports.cluster.statefulset(ensemble.namespace, ensemble.name),
        ports.cluster.pods(ensemble.namespace, str(ensemble.statefulset.selector or "")),
    )
    if not isinstance(found, Answer):
        return _nothing(at, ensemble, f"StatefulSet {ensemble.name}: {_why(found)}")
    if found.value.uid != ensemble.statefulset.uid:
        return _nothing(at, ensemble, f"StatefulSet {ensemble.name} was deleted and made anew")
    ensemble = replace(ensemble, statefulset=found.value)
    if not isinstance(listed, Answer):
        return _nothing(at, ensemble, f"its pods: {_why(listed)}")
    pods = sorted((p for p in listed.value if ensemble.owns(p)), key=lambda pod: ordinal(pod.name))
    running = [pod for pod in pods if pod.phase == "Running" and not pod.terminating]
    config, reports = await asyncio.gather(
        ports.members.config(ensemble, running),
        asyncio.gather(*(ports.members.poll(ensemble, pod) for pod in running)),
    )
    told: dict[str, MemberReport] = {report.pod.uid: report for report in reports}
    configured = config.value if isinstance(config, Answer) else None
    members = members_of(pods, told, configured)
    why = "" if configured is not None else f"the running configuration: {_why(config)}"
    return Reading(at, ensemble, members, judge(members, configured, ports.clock.now()), why)


async def read_steady(ensemble: Ensemble, ports: Ports) -> Reading:
    """A reading in which every voter serves, or else the last of a few; never raises.

    One answer that comes late makes a member silent, and another one old: a change is refused for what stays so.
    """
    reading = await read(ensemble, ports)
    for _ in range(LOOKS - 1):
        quorum = reading.quorum
        if not reading.why and quorum.health is Health.QUORUM and quorum.serving == quorum.voters:
            break
        await ports.clock.sleep(LOOK_AGAIN)
        reading = await read(ensemble, ports)
    return reading


def _nothing(at: float, ensemble: Ensemble, why: str) -> Reading:
    return Reading(at, ensemble, (), Quorum(Health.UNKNOWN, 0, 0, why=why), why)


def _why(reply: object) -> str:
    return reply.message if isinstance(reply, Refused) else str(getattr(reply, "why", "no answer"))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a change of the workload may not begin."""

    code: str
    text: str


async def obstacles(reading: Reading, ports: Ports, *, update_may_be_open: bool = False) -> tuple[Obstacle, ...]:
    """What stands in the way of stopping members of this ensemble one after another; nothing when it is whole.

    `update_may_be_open`: the change is the one that ends an update (undo, resume), so that an open one is no obstacle.
    """
    found = list(_of_the_ensemble(reading, update_may_be_open=update_may_be_open))
    lease = await ports.cluster.lease(reading.ensemble.namespace, LEASE_NAME)
    if isinstance(lease, Answer):
        unfinished = unfinished_in(lease.value, "")
        if unfinished:
            found.append(Obstacle("maintenance", unfinished))
        elif lease.value.holder and not lease.value.expired(ports.clock.wall()):
            found.append(Obstacle("maintenance", f"a maintenance is under way, by {lease.value.holder}"))
    elif not (isinstance(lease, Refused) and lease.not_found):
        found.append(Obstacle("maintenance", f"whether a maintenance is under way is not known: {_why(lease)}"))
    return tuple(found)


def _of_the_ensemble(reading: Reading, *, update_may_be_open: bool) -> Iterator[Obstacle]:
    if reading.why:
        yield Obstacle("unknown", reading.why)
        return
    sts, quorum = reading.statefulset, reading.quorum
    if quorum.health is not Health.QUORUM:
        yield Obstacle("quorum", f"{quorum.health.value}: {quorum.why}")
    elif quorum.serving < quorum.voters:
        yield Obstacle("members", f"{quorum.serving} of {quorum.voters} voters serve")
    for member in reading.members:
        if not reading.serving(member):
            yield Obstacle("members", f"{member.pod.name} does not serve: {member.report.error or member.role.value}")
        elif not member.pod.ready:
            yield Obstacle("members", f"{member.pod.name} is not Ready")
    if len(reading.members) < sts.replicas:
        yield Obstacle("members", f"{len(reading.members)} of {sts.replicas} pods exist")
    if 0 < quorum.voters < 3:
        yield Obstacle("outage", f"with {quorum.voters} voters, stopping one is an outage")
    if not update_may_be_open and (sts.is_updating or any(reading.old(m) for m in reading.members)):
        how = f", held at partition {sts.partition}" if sts.partition else ""
        yield Obstacle("update", f"an update is not finished{how}: resume it or undo it first")
