"""Reading what one decision needs, in parallel, fresh from the API server and from the members themselves.

A read that fails becomes an unknown reading with its reason, never an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from zktui.core.discovery import discover
from zktui.core.kube import Budget, Pod, StatefulSet
from zktui.core.ports import Answer, Clock, Cluster, Members, Reply
from zktui.core.zookeeper import Ensemble, EnsembleConfig, EnsembleKey, MemberReport, MemberSessions, Mode
from zktui.maintenance.facts import Facts, OwnerKey, Pods, Reading, reading_of
from zktui.maintenance.landing import candidates, terrain_of
from zktui.maintenance.model import LEASE_NAME

POLL_TIMEOUT = 1.2
"""Seconds for a member's answer: with the pods' reading before it, still within the 2 s for which evidence holds."""
LEAVING_TIMEOUT = 0.5
"""Seconds for that of a terminating pod: it may serve to its last second, and what dies lets nobody wait."""
SYNC_TIMEOUT = 1.5
MAX_CANDIDATES = 24
"""Nodes whose pods are read to see whether there is room; a node beyond that is "not looked at", which is no."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read. The ensembles' pods, their budgets and their members' answers are always read."""

    ensembles: tuple[Ensemble, ...]
    nodes: tuple[str, ...] = ()
    """Nodes at work, each read with its pods."""
    decide: bool = False
    """Also what gates need: configuration, StatefulSets, leases, nodes with room, claims and volumes."""
    select: bool = False
    """Also what sorting a node's pods needs: budgets of all their namespaces, owners, other ensembles."""
    permissions: bool = False
    sessions: bool = False
    """Also what members tell of their clients' sessions."""
    namespaces: frozenset[str] = frozenset()
    """Further namespaces whose budgets are read."""
    leaders: frozenset[str] = frozenset()
    """UIDs of the pods that led last: they are asked before those that have to prove that they have caught up."""
    proven: frozenset[str] = frozenset()
    """UIDs of the pods that have proven it: they are asked beside their leader."""
    sync: frozenset[str] = frozenset()
    """UIDs of pods through which a sync and a read are tried."""


async def survey(cluster: Cluster, members: Members, clock: Clock, scope: Scope) -> Facts:
    """Read all that the scope asks for. Lasts as long as the slowest answer; members at most POLL_TIMEOUT twice."""
    begun, wall = clock.now(), clock.wall()
    pods = await _keyed(
        {e.key: _read(cluster.pods(e.namespace, str(e.statefulset.selector or "")), "pods") for e in scope.ensembles}
    )
    facts = Facts(begun, wall, pods=pods)
    async with asyncio.TaskGroup() as group:
        objects = group.create_task(_objects(cluster, scope, facts))
        polls = group.create_task(_poll_all(members, scope, facts))
        synced = group.create_task(_sync_all(members, scope, facts))
        configs = group.create_task(_configs(members, scope, facts))
        sessions = group.create_task(_sessions(members, scope, facts))
    return replace(
        objects.result(),
        reports=await _with_details(members, scope, facts, polls.result()),
        synced=synced.result(),
        configs=configs.result(),
        sessions=sessions.result(),
    )


def ensembles_in(facts: Facts) -> tuple[Ensemble, ...]:
    """Every ensemble among the StatefulSets that were read."""
    return discover(s for listed in facts.statefulsets.values() for s in listed.value or ())


async def _read(reply: Awaitable[Reply[T]], what: str) -> Reading[T]:
    return reading_of(await reply, what)


async def _keyed(reads: Mapping[K, Awaitable[T]]) -> dict[K, T]:
    values = await asyncio.gather(*reads.values())
    return dict(zip(reads.keys(), values, strict=True))


async def _objects(cluster: Cluster, scope: Scope, facts: Facts) -> Facts:
    """Everything from the API server but the ensembles' pods."""
    async with asyncio.TaskGroup() as group:
        node = group.create_task(_keyed({n: _read(cluster.node(n), f"node {n}") for n in scope.nodes}))
        on_node = group.create_task(_keyed({n: _read(cluster.pods_on(n), f"pods on {n}") for n in scope.nodes}))
        own = {e.namespace for e in scope.ensembles}
        budgets = group.create_task(_budgets(cluster, own | scope.namespaces))
        decided = group.create_task(_decisive(cluster, own, facts)) if scope.decide else None
    facts = replace(facts, node=node.result(), on_node=on_node.result(), budgets=budgets.result())
    if decided is not None:
        found = decided.result()
        facts = replace(
            facts,
            nodes=found.nodes,
            claims=found.claims,
            volumes=found.volumes,
            statefulsets=found.statefulsets,
            leases=found.leases,
        )
    async with asyncio.TaskGroup() as group:
        room = group.create_task(_room(cluster, scope, facts)) if scope.decide else None
        sorting = group.create_task(_sorting(cluster, scope, facts)) if scope.select else None
        allowed = group.create_task(_permissions(cluster, scope, facts)) if scope.permissions else None
    if sorting is not None:
        found = sorting.result()
        facts = replace(facts, owners=found.owners, budgets=found.budgets, statefulsets=found.statefulsets)
    if room is not None:
        facts = replace(facts, on_node={**facts.on_node, **room.result()})
    if allowed is not None:
        facts = replace(facts, permissions=allowed.result())
    return facts


async def _budgets(cluster: Cluster, namespaces: Iterable[str]) -> dict[str, Reading[tuple[Budget, ...]]]:
    return await _keyed({n: _read(cluster.budgets(n), f"budgets of {n}") for n in sorted(namespaces)})


async def _statefulsets(cluster: Cluster, namespaces: Iterable[str]) -> dict[str, Reading[tuple[StatefulSet, ...]]]:
    return await _keyed({n: _read(cluster.statefulsets(n), f"StatefulSets of {n}") for n in sorted(namespaces)})


async def _decisive(cluster: Cluster, namespaces: set[str], facts: Facts) -> Facts:
    async with asyncio.TaskGroup() as group:
        sets = group.create_task(_statefulsets(cluster, namespaces))
        nodes = group.create_task(_read(cluster.nodes(), "nodes"))
        volumes = group.create_task(_read(cluster.volumes(), "volumes"))
        claims = group.create_task(_keyed({n: _read(cluster.claims(n), f"claims of {n}") for n in namespaces}))
        leases = group.create_task(
            _keyed({n: _read(cluster.lease(n, LEASE_NAME), f"lease {n}/{LEASE_NAME}") for n in namespaces})
        )
    return replace(
        facts,
        statefulsets=sets.result(),
        nodes=nodes.result(),
        volumes=volumes.result(),
        claims=claims.result(),
        leases=leases.result(),
    )


async def _room(cluster: Cluster, scope: Scope, facts: Facts) -> dict[str, Reading[Pods]]:
    """Pods of the nodes that could take a member from the nodes at work, as far as that can be told without them."""
    names: dict[str, None] = {}
    pods = [pod for e in scope.ensembles for pod in facts.members_pods(e)]
    for drained in scope.nodes:
        leaving = [pod for pod in pods if pod.node == drained]
        names.update(dict.fromkeys(candidates(leaving, terrain_of(facts, drained=drained), MAX_CANDIDATES)))
    wanted = [name for name in names if name not in facts.on_node]
    return await _keyed({n: _read(cluster.pods_on(n), f"pods on {n}") for n in wanted})


async def _sorting(cluster: Cluster, scope: Scope, facts: Facts) -> Facts:
    pods = [pod for name in scope.nodes for pod in facts.on_node[name].value or ()]
    sets = {p.namespace for p in pods if p.owner is not None and p.owner.kind == "StatefulSet"}
    daemons = {
        OwnerKey(p.namespace, p.owner.kind, p.owner.name): p.owner
        for p in pods
        if p.owner is not None and p.owner.kind == "DaemonSet"
    }
    async with asyncio.TaskGroup() as group:
        more = group.create_task(_statefulsets(cluster, sets - facts.statefulsets.keys()))
        budgets = group.create_task(_budgets(cluster, {p.namespace for p in pods} - facts.budgets.keys()))
        owners = group.create_task(
            _keyed(
                {
                    key: _read(cluster.owner_exists(key.namespace, key.kind, owner.api_version, key.name), key.name)
                    for key, owner in daemons.items()
                }
            )
        )
    return replace(
        facts,
        statefulsets={**facts.statefulsets, **more.result()},
        budgets={**facts.budgets, **budgets.result()},
        owners=owners.result(),
    )


async def _permissions(cluster: Cluster, scope: Scope, facts: Facts) -> dict[str, Reading[bool]]:
    """What a run will need, asked for by SelfSubjectAccessReview."""
    asked = {"patch nodes": cluster.allowed("patch", "nodes")}
    pods = {p.namespace for name in scope.nodes for p in facts.on_node[name].value or () if p.owner is not None}
    for namespace in sorted(pods | {e.namespace for e in scope.ensembles}):
        asked[f"create pods/eviction in {namespace}"] = cluster.allowed("create", "pods", namespace, "eviction")
    for namespace in sorted({e.namespace for e in scope.ensembles}):
        for verb in ("create", "update"):
            words = f"{verb} leases.coordination.k8s.io in {namespace}"
            asked[words] = cluster.allowed(verb, "leases.coordination.k8s.io", namespace)
    return await _keyed({words: _read(reply, words) for words, reply in asked.items()})


async def _poll_all(members: Members, scope: Scope, facts: Facts) -> dict[str, MemberReport]:
    """The presumed leaders, and whoever need not be compared with them; then all others at once."""
    first: list[tuple[Ensemble, Pod]] = []
    others: list[tuple[Ensemble, Pod]] = []
    reports: dict[str, MemberReport] = {}
    for ensemble in scope.ensembles:
        for pod in facts.members_pods(ensemble):
            if pod.phase != "Running":
                # There is no process to ask, and that is known as of now.
                reports[pod.uid] = MemberReport(pod.key, facts.at, Mode.SILENT, error=f"the pod is {pod.status}")
            else:
                early = pod.terminating or pod.uid in scope.leaders | scope.proven
                (first if early else others).append((ensemble, pod))
    for asked in (first, others):
        answers = await asyncio.gather(*(_poll(members, scope, e, pod) for e, pod in asked))
        reports.update((report.pod.uid, report) for report in answers)
    return reports


async def _poll(members: Members, scope: Scope, ensemble: Ensemble, pod: Pod) -> MemberReport:
    """A gate wants the leader's details, a review those of all."""
    detail = scope.sessions or (scope.decide and pod.uid in scope.leaders)
    return await members.poll(ensemble, pod, LEAVING_TIMEOUT if pod.terminating else POLL_TIMEOUT, detail=detail)


async def _with_details(
    members: Members, scope: Scope, facts: Facts, reports: dict[str, MemberReport]
) -> dict[str, MemberReport]:
    """A leader that was none before, and whose details were not asked for therefore. Its answer stands as it came."""
    if not scope.decide:
        return reports
    new = [
        (ensemble, pod)
        for ensemble in scope.ensembles
        for pod in facts.members_pods(ensemble)
        if pod.uid not in scope.leaders and pod.uid in reports and reports[pod.uid].mode is Mode.LEADER
    ]
    more = await asyncio.gather(*(_poll(members, replace(scope, sessions=True), e, pod) for e, pod in new))
    return {**reports, **{m.pod.uid: replace(reports[m.pod.uid], detail=m.detail) for m in more}}


async def _sync_all(members: Members, scope: Scope, facts: Facts) -> frozenset[str]:
    wanted = [(e, p) for e in scope.ensembles for p in facts.members_pods(e) if p.uid in scope.sync]
    replies = await asyncio.gather(*(members.synced_read(e, p, SYNC_TIMEOUT) for e, p in wanted))
    return frozenset(
        pod.uid for (_, pod), reply in zip(wanted, replies, strict=True) if isinstance(reply, Answer) and reply.value
    )


async def _sessions(members: Members, scope: Scope, facts: Facts) -> dict[str, MemberSessions]:
    if not scope.sessions:
        return {}
    running = [(e, p) for e in scope.ensembles for p in facts.members_pods(e) if p.phase == "Running"]
    return await _keyed({pod.uid: members.sessions(ensemble, pod, POLL_TIMEOUT) for ensemble, pod in running})


async def _configs(members: Members, scope: Scope, facts: Facts) -> dict[EnsembleKey, Reading[EnsembleConfig]]:
    if not scope.decide:
        return {}
    reads: dict[EnsembleKey, Awaitable[Reading[EnsembleConfig]]] = {}
    for ensemble in scope.ensembles:
        running = [p for p in facts.members_pods(ensemble) if p.phase == "Running" and not p.terminating]
        # The one that led last, then the ready ones: the first that answers decides.
        running.sort(key=lambda pod: (pod.uid not in scope.leaders, not pod.ready))
        reads[ensemble.key] = _read(members.config(ensemble, running), f"configuration of {ensemble.name}")
    return await _keyed(reads)
