"""The tutorial's "Providing durable storage" as a drill, reviewed: could the StatefulSet be deleted and applied again?

Source: apps/v1 StatefulSet: its claims outlive it (persistentVolumeClaimRetentionPolicy Retain), orphaned pods are
adopted by a new one whose selector matches them, and the propagation policy says whether its pods go with it.
"""

from __future__ import annotations

from zktui.checks.gather import STATEFULSETS
from zktui.core.documents import Document, child, flag, mapping, objects, text
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Place, Refused, Reply
from zktui.core.quorum import Health
from zktui.core.zookeeper import Ensemble
from zktui.drills.model import DrillPorts, StorageReview
from zktui.maintenance.claim import unfinished_in
from zktui.maintenance.facts import Facts
from zktui.maintenance.selection import data_on_empty_dir
from zktui.maintenance.survey import Scope, survey

MANAGER = "zktui"
"""Field manager of what zktui applies."""

TRIES, PAUSE = 10, 1.0
"""How often it is asked whether there is a quorum, until that can be told, and the seconds in between."""


async def review(
    ports: DrillPorts, ensemble: Ensemble, *, orphan: bool, accept_outage: bool, ours: str = ""
) -> StorageReview:
    """Read everything fresh. `ours` is who may hold the lease: this very drill. Changes and raises nothing."""
    facts = await _facts(ports, ensemble)
    read = await ports.objects.read(STATEFULSETS, ensemble.namespace, ensemble.name)
    pods = facts.members_pods(ensemble)
    if not isinstance(read, Answer):
        return StorageReview(ensemble, orphan, None, pods, (f"the StatefulSet can't be read: {why_not(read)}",))
    document = read.value
    refusals = (
        *_of_object(document, ensemble),
        *_of_members(facts, ensemble, ports.clock.now()),
        *_of_lease(facts, ensemble, ours),
        *_of_data(pods, ensemble, orphan=orphan),
    )
    remarks = _remarks(document, pods, orphan=orphan)
    if not orphan and not accept_outage:
        refusals = (*refusals, "every member goes at once: that takes --accept-outage, or --cascade orphan")
    return StorageReview(ensemble, orphan, document, pods, refusals, remarks)


async def _facts(ports: DrillPorts, ensemble: Ensemble) -> Facts:
    """A reading that can tell whether there is a quorum; the last one where none could."""
    facts = Facts(ports.clock.now(), ports.clock.wall())
    for _ in range(TRIES):
        facts = await survey(ports.cluster, ports.members, ports.clock, Scope((ensemble,), decide=True))
        if facts.quorum(ensemble, ports.clock.now()).health is not Health.UNKNOWN:
            break
        await ports.clock.sleep(PAUSE)
    return facts


def why_not(reply: Reply[object]) -> str:
    return reply.message if isinstance(reply, Refused) else getattr(reply, "why", "")


def _of_object(document: Document, ensemble: Ensemble) -> tuple[str, ...]:
    found: list[str] = []
    if text(document, "metadata", "uid") != ensemble.key.uid:
        found.append("it is another StatefulSet by now")
    if child(document, "metadata", "deletionTimestamp") is not None:
        found.append("it is being deleted already")
    owners = [o for o in objects(document, "metadata", "ownerReferences") if flag(o, "controller")]
    found += [f"{text(o, 'kind')} {text(o, 'name')} owns it and would make it again by itself" for o in owners]
    if text(document, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete":
        found.append("its claims are deleted with it (persistentVolumeClaimRetentionPolicy.whenDeleted is Delete)")
    return tuple(found)


def _of_members(facts: Facts, ensemble: Ensemble, now: float) -> tuple[str, ...]:
    pods, quorum = facts.members_pods(ensemble), facts.quorum(ensemble, now)
    owner = facts.statefulset(ensemble).value
    if owner is not None and owner.is_updating:
        return ("a rolling update is in progress",)
    if quorum.health is not Health.QUORUM:
        return (f"it is not whole: {quorum.why or quorum.phrase()}",)
    wanted = owner.replicas if owner is not None else 0
    lame = [m.pod.name for m in facts.members(ensemble) if not (m.report.serving(now) and m.pod.ready)]
    if lame or len(pods) != wanted:
        return (f"it is not whole: {', '.join(lame) or f'{len(pods)} of {wanted} pods'}",)
    return ()


def _of_lease(facts: Facts, ensemble: Ensemble, ours: str) -> tuple[str, ...]:
    read = facts.leases[ensemble.namespace]
    if read.value is None:
        return () if read.absent else (read.why,)
    if unfinished := unfinished_in(read.value, ""):
        return (unfinished,)
    held = bool(read.value.holder) and read.value.holder != ours
    return (f"{read.value.holder} holds the lease {ensemble.namespace}/{read.value.name}",) if held else ()


def _of_data(pods: tuple[Pod, ...], ensemble: Ensemble, *, orphan: bool) -> tuple[str, ...]:
    """With its pods goes what is on no claim."""
    if orphan:
        return ()
    loose = [p.name for p in pods if not p.spec.claims or data_on_empty_dir(p, ensemble)]
    return (f"the data of {', '.join(loose)} is on no claim: it would be lost",) if loose else ()


def _remarks(document: Document, pods: tuple[Pod, ...], *, orphan: bool) -> tuple[str, ...]:
    found: list[str] = []
    if orphan:
        found.append(f"{len(pods)} pods stay as they are, and the new StatefulSet adopts them")
    else:
        grace = max((p.spec.grace for p in pods), default=30)
        found.append(f"{len(pods)} members go at once: no ensemble for their grace (up to {grace} s) and their start")
    others = {m for m in managers_of(document) if m != MANAGER}
    if others:
        who = ", ".join(sorted(others))
        found.append(f"{who} has applied it server-side: after the drill its fields are zktui's as well")
    return tuple(found)


def managers_of(document: Document) -> tuple[str, ...]:
    """Who has applied it by server-side apply."""
    fields = objects(document, "metadata", "managedFields")
    return tuple(text(f, "manager") for f in fields if text(f, "operation") == "Apply")


def made_by_zktui(document: Document) -> bool:
    """Its fields are zktui's own, and are to be so again."""
    return MANAGER in managers_of(document)


def kubectl_for(place: Place, namespace: str) -> tuple[str, ...]:
    """How a kubectl line for this very cluster and namespace begins."""
    config = ("--kubeconfig", place.kubeconfig) if place.kubeconfig else ()
    context = ("--context", place.context) if place.context else ()
    return ("kubectl", *config, *context, "-n", namespace)


def replicas_of(document: Document) -> int:
    found = child(mapping(document, "spec"), "replicas")
    return found if isinstance(found, int) else 1
