"""Gathering what the checks look at: everything at once, every failure kept as not knowing. Nothing is changed, save by
a round, where one is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zktui.checks.inventory import STANDALONE, Commands, Documents, Inside, Inventory, Known, known
from zktui.checks.places import Places, places
from zktui.checks.probes import script_of
from zktui.core.documents import Document, number, text, texts
from zktui.core.documents import objects as objects_in
from zktui.core.kube import Pod
from zktui.core.ports import Clock, Cluster, Executed, Executor, Members, Objects, Rounds, Where, Words
from zktui.core.quorum import members_of
from zktui.core.rounds import Round
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, Mode, Server, ordinal

CORE, APPS = "/api/v1", "/apis/apps/v1"
STATEFULSETS = Where(APPS, "statefulsets")
REVISIONS = Where(APPS, "controllerrevisions")
PODS = Where(CORE, "pods")
SERVICES = Where(CORE, "services")
CONFIGMAPS = Where(CORE, "configmaps")
CLAIMS = Where(CORE, "persistentvolumeclaims")
VOLUMES = Where(CORE, "persistentvolumes", namespaced=False)
NODES = Where(CORE, "nodes", namespaced=False)
SLICES = Where("/apis/discovery.k8s.io/v1", "endpointslices")
CLASSES = Where("/apis/storage.k8s.io/v1", "storageclasses", namespaced=False)
BUDGETS = Where("/apis/policy/v1", "poddisruptionbudgets")

WORDS = ("conf", "envi", "srvr")
WORD_TIMEOUT = 4.0
COMMAND_TIMEOUT = 8.0
PATIENT = 4.0
"""Seconds for a member that did not answer within the usual time."""
NOT_PLAYED = "not played: it writes"
AT_ONCE = 6
"""Commands in containers at one time, over all members: each is a process beside a server that has work to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What gathering asks."""

    cluster: Cluster
    members: Members
    words: Words
    objects: Objects
    executor: Executor
    rounds: Rounds
    clock: Clock


async def gather(ensemble: Ensemble, ports: Ports, *, writes: bool = False) -> Inventory:
    """One reading of an ensemble and all around it. Never raises; takes as long as its slowest container.

    With `writes` a round is played as well, once everything else has been read.
    """
    listed = known(await ports.cluster.pods(ensemble.namespace, str(ensemble.statefulset.selector or "")), "pods")
    pods = tuple(sorted((p for p in listed.value or () if ensemble.owns(p)), key=lambda p: p.name))
    running = [p for p in pods if p.phase == "Running" and not p.terminating]
    look = _Look(ensemble, ports.executor)
    async with asyncio.TaskGroup() as group:
        objects = group.create_task(_objects(ensemble, ports.objects))
        reports = group.create_task(_reports(ensemble, pods, ports.members))
        asked = group.create_task(ports.members.config(ensemble, running))
        words = group.create_task(_words(ensemble, running, ports.words))
        first = group.create_task(look.at([(pod, FIRST) for pod in running]))
        synced = group.create_task(_synced(ensemble, running, ports.members))
    config = configured(ensemble, pods, reports.result(), known(asked.result(), "configuration"))
    hosts = tuple(server.host for server in config.value.servers) if config.value is not None else ()
    found = objects.result()
    documents = {text(document, "metadata", "name"): document for document in found["pods"].value or ()}
    scripts = {name: _scripts(document, ensemble.container) for name, document in documents.items()}
    inside = await _look_further(ensemble, look, running, first.result(), words.result(), hosts, scripts)
    played = Known(await ports.rounds.play(ensemble, running), "") if writes else Known[Round](None, NOT_PLAYED)
    return Inventory(
        ensemble=ensemble,
        wall=ports.clock.wall(),
        pods=pods,
        reports=reports.result(),
        members=members_of(pods, reports.result(), config.value),
        config=config,
        inside=inside,
        words=words.result(),
        statefulset=_first(found["statefulset"]),
        pod_documents=documents,
        services=found["services"],
        slices=found["slices"],
        claims=found["claims"],
        volumes=found["volumes"],
        classes=found["classes"],
        configmaps=found["configmaps"],
        revisions=_owned(found["revisions"], ensemble),
        budgets=found["budgets"],
        nodes=found["nodes"],
        synced=synced.result(),
        sanity=played,
    )


def configured(
    ensemble: Ensemble, pods: Sequence[Pod], reports: Mapping[str, MemberReport], told: Known[EnsembleConfig]
) -> Known[EnsembleConfig]:
    """A server that stands alone has no membership to tell: it is its ensemble's one voter."""
    if told.value is not None or len(pods) != 1:
        return told
    (pod,) = pods
    report = reports.get(pod.uid)
    if report is None or report.mode is not Mode.STANDALONE:
        return told
    sts = ensemble.statefulset
    host = f"{pod.name}.{sts.service}.{pod.namespace}.svc.cluster.local" if sts.service else pod.ip
    return Known(EnsembleConfig((Server(ordinal(pod.name) + 1, host),), source=STANDALONE, at=report.at), "")


async def _look_further(
    ensemble: Ensemble,
    look: _Look,
    pods: Sequence[Pod],
    first: Mapping[str, Commands],
    words: Mapping[tuple[str, str], Known[str]],
    hosts: Sequence[str],
    scripts: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> dict[str, Inside]:
    """With what the process said of itself: its configuration, its folders, and the names it has to resolve; and with
    the scripts of its probes."""
    where: dict[str, Places] = {}
    for pod in pods:
        processes = Inside(first[pod.name]).output("processes").value or ""
        conf = words.get((pod.name, "conf"), Known[str]()).value or ""
        where[pod.name] = places(ensemble, conf, processes)
    files = await look.at([(pod, _configuration(where[pod.name])) for pod in pods])
    for pod in pods:
        written = Inside(files[pod.name]).output("config").value or ""
        conf = words.get((pod.name, "conf"), Known[str]()).value or ""
        processes = Inside(first[pod.name]).output("processes").value or ""
        where[pod.name] = places(ensemble, conf, processes, written)
    rest = await look.at(
        [(pod, {**_folders(where[pod.name]), **_names(hosts), **scripts.get(pod.name, {})}) for pod in pods]
    )
    return {pod.name: Inside({**first[pod.name], **files[pod.name], **rest[pod.name]}, where[pod.name]) for pod in pods}


FIRST: Mapping[str, tuple[str, ...]] = {
    "hostname": ("hostname",),
    "fqdn": ("hostname", "-f"),
    "id": ("id",),
    "processes": ("ps", "-efww"),
}


def _configuration(where: Places) -> dict[str, tuple[str, ...]]:
    asked: dict[str, tuple[str, ...]] = {}
    if where.config_file:
        asked["config"] = ("cat", where.config_file)
        if where.security:
            asked["security"] = ("cat", where.security)
    return asked


def _folders(where: Places) -> dict[str, tuple[str, ...]]:
    asked: dict[str, tuple[str, ...]] = {}
    if where.dynamic:
        asked["dynamic"] = ("cat", where.dynamic)
    if where.data:
        asked["myid"] = ("cat", f"{where.data}/myid")
        asked["data-folder"] = ("ls", "-ld", where.data)
        asked["snapshots"] = ("ls", "-l", f"{where.data}/version-2")
        asked["data-room"] = ("df", "-Pk", where.data)
    if where.log and where.log != where.data:
        asked["transactions"] = ("ls", "-l", f"{where.log}/version-2")
        asked["log-room"] = ("df", "-Pk", where.log)
    for name in ("logback.xml", "log4j.properties"):
        path = where.logging if where.logging.endswith(name) else f"{where.config_folder}/{name}"
        if where.config_folder or path == where.logging:
            asked[name] = ("cat", path)
    return asked


def _scripts(pod: Document, container: str) -> dict[str, tuple[str, ...]]:
    """The programs that its probes start, where they are named by their path; and what those probes say now that the
    kubelet starts again and again."""
    own = [c for c in objects_in(pod, "spec", "containers") if text(c, "name") == container]
    paths = {script_of(c, which) for c in own for which in ("startupProbe", "readinessProbe", "livenessProbe")}
    commands = {texts(c, which, "exec", "command") for c in own for which in ("readinessProbe", "livenessProbe")}
    tried = {f"try {' '.join(command)}": command for command in sorted(commands) if command}
    return {**{f"probe {path}": ("cat", path) for path in sorted(paths) if path}, **tried}


def _names(hosts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What each server's name resolves to inside the pod: what its process would get, short of the JVM's own cache."""
    return {f"resolve {host}": ("getent", "hosts", host) for host in hosts}


class _Look:
    """Runs commands in the members' containers, a few at a time."""

    def __init__(self, ensemble: Ensemble, executor: Executor) -> None:
        self._container = ensemble.container
        self._executor = executor
        self._room = asyncio.Semaphore(AT_ONCE)

    async def at(self, asked: Sequence[tuple[Pod, Mapping[str, tuple[str, ...]]]]) -> dict[str, Commands]:
        """By pod name, each command's outcome by its name."""
        wanted = [(pod, name, command) for pod, commands in asked for name, command in commands.items()]
        outcomes = await asyncio.gather(*(self._run(pod, command) for pod, _, command in wanted))
        found: dict[str, dict[str, Known[Executed]]] = {pod.name: {} for pod, _ in asked}
        for (pod, name, _), outcome in zip(wanted, outcomes, strict=True):
            found[pod.name][name] = outcome
        return {**found}

    async def _run(self, pod: Pod, command: tuple[str, ...]) -> Known[Executed]:
        async with self._room:
            reply = await self._executor.run(pod.key, self._container, command, timeout=COMMAND_TIMEOUT)
        return known(reply, " ".join(command))


async def _objects(ensemble: Ensemble, objects: Objects) -> dict[str, Known[Documents]]:
    namespace = ensemble.namespace
    selector = str(ensemble.statefulset.selector or "")

    async def one() -> Known[Documents]:
        found = known(await objects.read(STATEFULSETS, namespace, ensemble.name), f"StatefulSet {ensemble.name}")
        return Known(None if found.value is None else (found.value,), found.why, found.absent)

    async def many(where: Where, namespace: str = namespace, selector: str = "") -> Known[Documents]:
        return known(await objects.list(where, namespace, selector), where.plural)

    asked: dict[str, Awaitable[Known[Documents]]] = {
        "statefulset": one(),
        "pods": many(PODS, selector=selector),
        "services": many(SERVICES),
        "slices": many(SLICES),
        "claims": many(CLAIMS),
        "volumes": many(VOLUMES, ""),
        "classes": many(CLASSES, ""),
        "configmaps": many(CONFIGMAPS),
        "revisions": many(REVISIONS),
        "budgets": many(BUDGETS),
        "nodes": many(NODES, ""),
    }
    return dict(zip(asked.keys(), await asyncio.gather(*asked.values()), strict=True))


async def _reports(ensemble: Ensemble, pods: Iterable[Pod], members: Members) -> dict[str, MemberReport]:
    asked = tuple(pods)
    reports = await asyncio.gather(*(members.poll(ensemble, pod) for pod in asked))
    found = {report.pod.uid: report for report in reports}
    # What is looked at beside it keeps a small container busy: who is late is asked once more, and waited for.
    late = [pod for pod in asked if pod.phase == "Running" and found[pod.uid].mode is Mode.SILENT]
    again = await asyncio.gather(*(members.poll(ensemble, pod, PATIENT) for pod in late))
    return {**found, **{report.pod.uid: report for report in again}}


async def _synced(ensemble: Ensemble, pods: Sequence[Pod], members: Members) -> dict[str, Known[bool]]:
    replies = await asyncio.gather(*(members.synced_read(ensemble, pod) for pod in pods))
    return {pod.name: known(reply, "a synced read") for pod, reply in zip(pods, replies, strict=True)}


async def _words(ensemble: Ensemble, pods: Sequence[Pod], server: Words) -> dict[tuple[str, str], Known[str]]:
    wanted = [(pod, word) for pod in pods for word in WORDS]
    replies = await asyncio.gather(*(server.word(ensemble, pod, word, WORD_TIMEOUT) for pod, word in wanted))
    return {(pod.name, word): known(reply, word) for (pod, word), reply in zip(wanted, replies, strict=True)}


def _first(found: Known[Documents]) -> Known[Document]:
    return Known(found.value[0] if found.value else None, found.why, found.absent)


def _owned(found: Known[Documents], ensemble: Ensemble) -> Known[Documents]:
    """Revisions of this very StatefulSet, oldest first."""
    if found.value is None:
        return found
    uid = ensemble.key.uid
    mine = [d for d in found.value if any(text(o, "uid") == uid for o in objects_in(d, "metadata", "ownerReferences"))]
    return Known(tuple(sorted(mine, key=lambda d: number(d, "revision") or 0)), "")
