"""Waiting until an ensemble that was just deployed is in quorum, and saying what keeps it from that."""

from __future__ import annotations

from collections.abc import Callable

from zktui.core.documents import Document, objects, text
from zktui.core.ports import Answer, Where
from zktui.core.quorum import Health
from zktui.core.text import count
from zktui.core.zookeeper import Ensemble, Member
from zktui.workload.reading import Ports, Reading, read
from zktui.workload.rolling import LOOK_EVERY, Told, quorum_words

PODS = Where("/api/v1", "pods")


def is_whole(reading: Reading) -> bool:
    """Every pod that is wanted is Ready and serves, and every voter of the configuration is among them."""
    quorum = reading.quorum
    counted = quorum.health is Health.QUORUM and quorum.serving == quorum.voters
    return counted and len(reading.members) == reading.statefulset.replicas and all(map(reading.well, reading.members))


async def until_whole(
    ensemble: Ensemble,
    ports: Ports,
    tell: Callable[[Told], None],
    timeout: float,
    stopped: Callable[[], bool] = lambda: False,
) -> Reading:
    """The first reading in which it is whole, or the last one, after `timeout` seconds or once `stopped`. Never raises.

    Each change of a member is told as `kubectl get pods -w` would show it, with its role.
    """
    end = ports.clock.now() + timeout
    seen: dict[str, str] = {}
    said = ""
    while True:
        reading = await read(ensemble, ports)
        for member in reading.members:
            words = pod_words(member)
            if seen.get(member.pod.name) != words:
                seen[member.pod.name] = words
                tell(Told(ports.clock.wall(), f"{member.pod.name}  {words}", member.pod.name))
        now = quorum_words(reading) if reading.quorum.voters else ""
        if now and now != said:
            tell(Told(ports.clock.wall(), now))
            said = now
        if is_whole(reading) or stopped() or ports.clock.now() > end:
            return reading
        await ports.clock.sleep(LOOK_EVERY)


def pod_words(member: Member) -> str:
    """`1/1 Running leader`; a role only once it has one."""
    ready = "1/1" if member.pod.ready else "0/1"
    role = f"  {member.role.value}" if member.role.serving else ""
    return f"{ready}  {member.pod.status}{role}"


async def hindrances(reading: Reading, ports: Ports) -> tuple[str, ...]:
    """What each member that is not well waits for, in the API server's words where it has any."""
    if reading.why and not reading.members:
        return (reading.why,)
    found: list[str] = []
    for member in reading.members:
        if not reading.well(member):
            pod = await ports.objects.read(PODS, member.pod.namespace, member.pod.name)
            told = waiting_for(pod.value) if isinstance(pod, Answer) else ""
            found.append(f"{member.pod.name}: {told or member.report.error or member.pod.status}")
    missing = reading.statefulset.replicas - len(reading.members)
    if missing > 0:
        found.append(f"{count(missing, 'pod')} of {reading.statefulset.replicas} not made yet")
    return tuple(found) or (reading.quorum.why or reading.why or "not every voter serves",)


def waiting_for(pod: Document) -> str:
    """Why a pod is not running, as its status has it: not scheduled, its image, its last end."""
    for condition in objects(pod, "status", "conditions"):
        if text(condition, "type") == "PodScheduled" and text(condition, "status") == "False":
            return text(condition, "message") or text(condition, "reason")
    for status in objects(pod, "status", "containerStatuses"):
        waiting = text(status, "state", "waiting", "reason")
        if waiting:
            message = text(status, "state", "waiting", "message")
            return f"{waiting}: {message}" if message else waiting
    return ""
