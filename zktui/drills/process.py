"""The tutorial's "Handling process failure" as a drill: one member's server is ended, and followed until it is back.

Before it the gates of a maintenance are asked that matter to a process: quorum without it, that the others have
settled, that no update goes on and that nobody else disrupts members. Its pod stays where it is, so no budget and no
landing are asked: the kubelet starts the container again (restartPolicy Always).
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path

from zktui.checks.processes import Process, processes_in, servers_of
from zktui.core.kube import Lease, Pod
from zktui.core.ports import Answer, Refused
from zktui.core.zookeeper import Ensemble, Mode
from zktui.drills.claim import Claim
from zktui.drills.following import Following
from zktui.drills.model import DrillPorts, ProcessOutcome, ProcessReview, Tell
from zktui.maintenance.claim import unfinished_in
from zktui.maintenance.facts import Facts
from zktui.maintenance.gates import RECENT, Asked, quorum_gate, settled_gate
from zktui.maintenance.journal import FileJournal, JournalError
from zktui.maintenance.model import LEASE_NAME, Event, Gate, GateName, Options, Standing
from zktui.maintenance.refusals import CannotBegin
from zktui.maintenance.returning import node_gate
from zktui.maintenance.strangers import strangers
from zktui.maintenance.survey import Scope, survey

PATIENCE = 60.0
"""Seconds for which gates that wait are waited for."""
LOOK_EVERY = 1.0
COMMAND_TIMEOUT = 5.0


async def review(ports: DrillPorts, ensemble: Ensemble, member: str, ours: Lease | None = None) -> ProcessReview:
    """Read everything fresh. `ours` is the lease as it was given to this very drill. Changes and raises nothing."""
    # A command in a container may take a second or two, after which a survey made beside it would be no evidence.
    process = await _server(ports, ensemble, member)
    facts = await _survey(ports, ensemble)
    ensemble = _renewed(ensemble, facts)
    pod = next((p for p in facts.members_pods(ensemble) if p.name == member), None)
    listed = facts.pods[ensemble.key]
    if pod is None:
        why = listed.why or f"{ensemble.name} has no pod {member}"
        return ProcessReview(ensemble, member, None, False, (), None, (why,))
    report = facts.reports.get(pod.uid)
    refusals = () if isinstance(process, Process) else (process,)
    return ProcessReview(
        ensemble,
        member,
        pod,
        report is not None and report.mode is Mode.LEADER,
        _gates(facts, ensemble, pod, ours, ports.clock.now()),
        process if isinstance(process, Process) else None,
        refusals,
    )


async def _survey(ports: DrillPorts, ensemble: Ensemble) -> Facts:
    return await survey(ports.cluster, ports.members, ports.clock, Scope((ensemble,), decide=True))


def _renewed(ensemble: Ensemble, facts: Facts) -> Ensemble:
    fresh = facts.statefulset(ensemble).value
    return ensemble if fresh is None else replace(ensemble, statefulset=fresh)


async def _server(ports: DrillPorts, ensemble: Ensemble, member: str) -> Process | str:
    """The one server process in the member's container, or why it can't be told."""
    found = await ports.cluster.pod(ensemble.namespace, member)
    if not isinstance(found, Answer):
        return f"{member} can't be read"
    command = ("ps", "-efww")
    ran = await ports.executor.run(found.value.key, ensemble.container, command, timeout=COMMAND_TIMEOUT)
    if not isinstance(ran, Answer):
        why = ran.message if isinstance(ran, Refused) else ran.why
        return f"its processes can't be seen: {why}"
    servers = servers_of(processes_in(ran.value.out))
    return servers[0] if len(servers) == 1 else f"{len(servers)} ZooKeeper servers are among its processes"


def _gates(facts: Facts, ensemble: Ensemble, pod: Pod, ours: Lease | None, now: float) -> tuple[Gate, ...]:
    asked = Asked(ensemble, pod.key, pod.node, Options(), "", {}, good_since=_ready_since(facts, ensemble, now))
    return (
        quorum_gate(facts, asked, pod, now),
        _steady_gate(facts, ensemble, pod, now),
        settled_gate(facts, asked, pod, now),
        _alone_gate(facts, ensemble, ours, now),
    )


def _ready_since(facts: Facts, ensemble: Ensemble, now: float) -> dict[str, float]:
    """For members that are Ready only of late, since when: before that they can't have served for long either."""
    found: dict[str, float] = {}
    for pod in facts.members_pods(ensemble):
        if pod.ready_since is not None and facts.wall - pod.ready_since < RECENT:
            found[pod.uid] = now - max(0.0, facts.wall - pod.ready_since)
    return found


def _steady_gate(facts: Facts, ensemble: Ensemble, pod: Pod, now: float) -> Gate:
    """Its kubelet can start it again, and nothing is rolling: an update deletes members and asks nobody."""
    dead = node_gate(facts, pod)
    if dead is not None:
        return dead
    read = facts.statefulset(ensemble)
    if read.value is None or not read.fresh(now):
        return Gate(GateName.RETURN, Standing.WAITING, read.why or "the StatefulSet was read too long ago", read.at)
    if read.value.is_updating:
        figures = f"{read.value.updated_replicas} of {read.value.replicas} updated"
        return Gate(GateName.RETURN, Standing.WAITING, f"a rolling update is in progress ({figures})", read.at)
    return Gate(GateName.RETURN, Standing.OK, f"its kubelet on {pod.node} is heard, no update in progress", read.at)


def _alone_gate(facts: Facts, ensemble: Ensemble, ours: Lease | None, now: float) -> Gate:
    """No unfinished run, nobody on the lease but this drill, and no foreign disruption."""
    name, read = GateName.ALONE, facts.leases[ensemble.namespace]
    if not read.fresh(now):
        standing = Standing.BLOCKED if read.denied else Standing.WAITING
        return Gate(name, standing, read.why or "the lease was read too long ago", read.at)
    lease = read.value
    if lease is not None and (unfinished := unfinished_in(lease, "")):
        return Gate(name, Standing.BLOCKED, unfinished, read.at, unblock="zktui where")
    if lease is not None and lease.holder and (ours is None or lease.holder != ours.holder):
        why = f"{lease.holder} holds {lease.namespace}/{LEASE_NAME}"
        return Gate(name, Standing.BLOCKED, why, read.at, unblock=f"{lease.holder} ends")
    if ours is not None and (lease is None or lease.holder != ours.holder):
        return Gate(
            name, Standing.BLOCKED, f"the lease {ensemble.namespace}/{LEASE_NAME} is not ours any more", read.at
        )
    found = strangers(facts, ensemble, frozenset())
    if found:
        return Gate(name, Standing.BLOCKED, "; ".join(found), read.at, unblock="the other disruption is over")
    return Gate(name, Standing.OK, "nobody else disrupts members", read.at)


def new_id(wall: float) -> str:
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(wall))}-{secrets.token_hex(2)}"


class ProcessDrill:
    """One drill from its claim to its report."""

    def __init__(self, ports: DrillPorts, reviewed: ProcessReview, state: Path, holder: str, tell: Tell) -> None:
        """Raises CannotBegin when there is no journal."""
        self._ports = ports
        self._ensemble = reviewed.ensemble
        self._member = reviewed.member
        self._reviewed = reviewed
        drill = new_id(ports.clock.wall())
        try:
            self._journal = FileJournal(state / "drills" / f"{drill}-process.jsonl")
        except JournalError as error:
            raise CannotBegin(str(error), "Nothing is done without a journal: make room.") from error
        self._claim = Claim(ports.cluster, ports.clock, reviewed.ensemble.namespace, holder, drill)
        self._tell = tell

    async def carry_out(self) -> ProcessOutcome:
        """Raises CannotBegin as long as nothing was done."""
        try:
            self._say("drill", f"end the server of {self._member} in {self._ensemble.namespace}/{self._ensemble.name}")
            await self._claim.take()
            try:
                return await self._ended_and_back()
            finally:
                await self._claim.release()
        except CannotBegin as refused:
            self._say("refused", refused.message)
            raise
        finally:
            self._journal.close()

    def _say(self, kind: str, text: str, **data: str | float | bool | None) -> None:
        event = Event(0, self._ports.clock.wall(), kind, text, pod=self._member, data=dict(data))
        self._tell(self._journal.append(event))

    async def _ended_and_back(self) -> ProcessOutcome:
        pod = self._reviewed.pod
        assert pod is not None, "a review that may go has a pod"
        following = Following(self._ports, self._ensemble, pod, self._say, self._claim.keep)
        await following.before()
        ready = await self._open()
        process = ready.process
        assert process is not None, "and its server"
        if ready.pod is None or ready.pod.uid != pod.uid:
            raise CannotBegin(f"{pod.name} is another pod by now.", "Nothing was changed.")
        self._say("kill", f"kill {process.pid} in {pod.name} ({process.program}, SIGTERM)", uid=pod.uid)
        following.start()
        command = ("kill", str(process.pid))
        ran = await self._ports.executor.run(pod.key, ready.ensemble.container, command, timeout=COMMAND_TIMEOUT)
        if isinstance(ran, Refused) or (isinstance(ran, Answer) and ran.value.code != 0):
            why = ran.message if isinstance(ran, Refused) else ran.value.err.strip()
            raise CannotBegin(f"kill did not work in {pod.name}: {why}.", "Its server was not ended.")
        # Without an answer nobody knows: a container that ends takes the command's connection with it.
        outcome = replace(await following.until_back(), led=ready.leads, journal=self._journal.path)
        self._say(
            "result",
            outcome.why or f"{outcome.member} rejoined {outcome.rejoined:.1f} s after its server was ended",
            well=outcome.well,
            led=outcome.led,
            stopped=outcome.stopped,
            elected=outcome.elected,
            restarted=outcome.restarted,
            ready=outcome.ready,
            rejoined=outcome.rejoined,
            below=outcome.below,
        )
        return outcome

    async def _open(self) -> ProcessReview:
        """The review of this very moment, once every gate is open. Raises CannotBegin."""
        deadline = self._ports.clock.now() + PATIENCE
        told: tuple[str, ...] = ()
        while True:
            await self._claim.keep()
            found = await review(self._ports, self._ensemble, self._member, self._claim.lease)
            if found.refusals:
                raise CannotBegin(f"Not now: {found.refusals[0]}.", "Nothing was changed.")
            if found.blocked:
                gate = found.blocked[0]
                raise CannotBegin(f"The {gate.name} gate is closed: {gate.evidence}.", gate.unblock)
            if not found.waits:
                for gate in found.gates:
                    self._say("gate", f"{gate.name}: {gate.evidence}")
                return found
            waiting = tuple(f"{gate.name}: {gate.evidence}" for gate in found.waits)
            if self._ports.clock.now() >= deadline:
                raise CannotBegin(f"Waited {PATIENCE:.0f} s in vain for {waiting[0]}.", found.waits[0].unblock)
            if tuple(g.name for g in found.waits) != told:
                told = tuple(g.name for g in found.waits)
                self._say("wait", f"waiting for {'; '.join(waiting)}")
            await self._ports.clock.sleep(LOOK_EVERY)
