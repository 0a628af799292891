"""Which nodes a maintenance is about: by label, or those that carry an ensemble, at its beginning or in its course."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from zktui.core.kube import Pod
from zktui.core.ports import Answer, Clock, Cluster, Members, Reply, Unanswered
from zktui.core.store import natural
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts
from zktui.maintenance.landing import landing, terrain_of, unfit
from zktui.maintenance.refusals import NoNodes
from zktui.maintenance.selectors import parse_selector
from zktui.maintenance.survey import Scope, survey


async def choose_nodes(
    cluster: Cluster,
    members: Members,
    clock: Clock,
    ensembles: Iterable[Ensemble],
    selector: str,
    *,
    ensemble_nodes: bool,
) -> tuple[str, ...]:
    """The union of both, by name, as read now. Raises NoNodes when there is none, or when it can't be told.

    `selector` is in kubectl's grammar; empty chooses none.
    """
    known = tuple(ensembles)
    found: set[str] = set()
    if selector:
        found |= await _labelled(cluster, selector)
    if ensemble_nodes:
        carrying = frozenset(await _carrying(cluster, known))
        facts = await survey(cluster, members, clock, Scope(known, tuple(carrying), decide=True))
        found |= carrying | _to_carry(facts, known, carrying)
    return tuple(sorted(found, key=natural))


def _to_carry(facts: Facts, ensembles: Iterable[Ensemble], carrying: frozenset[str]) -> set[str]:
    """Nodes that have to take a member once those that carry one now are drained: no other node can.

    Left out of the maintenance such a node would carry a member after it, and have had none itself. Where a member has
    a choice of nodes, which of them the scheduler takes is not known, and none of them is meant: that the ensemble
    could run somewhere is no reason to take that node down.
    """
    found: set[str] = set()
    for pod in (p for e in ensembles for p in facts.members_pods(e)):
        if pod.node in carrying and not pod.finished:
            found |= _only_place(pod, facts, carrying)
    return found


def _only_place(pod: Pod, facts: Facts, carrying: frozenset[str]) -> set[str]:
    terrain = terrain_of(facts, drained=pod.node)
    others = {node.name for node in terrain.nodes.values() if not unfit(pod, node, terrain)} - carrying
    return others & set(landing(pod, terrain).nodes) if len(others) == 1 else set()


async def _labelled(cluster: Cluster, selector: str) -> set[str]:
    try:
        wanted = parse_selector(selector)
    except ValueError as error:
        raise NoNodes(f"--selector: {error}.", "See kubectl get nodes --show-labels.") from error
    reply = await cluster.nodes()
    if not isinstance(reply, Answer):
        raise NoNodes(f"The nodes can't be read: {_why(reply)}.")
    found = {node.name for node in reply.value if wanted.matches(node.labels)}
    if not found:
        raise NoNodes(f"No node has the labels {selector}.", "See kubectl get nodes --show-labels.")
    return found


async def _carrying(cluster: Cluster, ensembles: tuple[Ensemble, ...]) -> set[str]:
    replies = await asyncio.gather(*(cluster.pods(e.namespace, str(e.statefulset.selector or "")) for e in ensembles))
    found: set[str] = set()
    for ensemble, reply in zip(ensembles, replies, strict=True):
        if not isinstance(reply, Answer):
            raise NoNodes(f"The pods of {ensemble.namespace}/{ensemble.name} can't be read: {_why(reply)}.")
        found |= {pod.node for pod in reply.value if ensemble.owns(pod) and pod.node and not pod.finished}
    if not found:
        raise NoNodes("No node carries a member of the ensemble.", "See zktui status.")
    return found


def _why(reply: Reply[object]) -> str:
    if isinstance(reply, Unanswered):
        return reply.why
    return "" if isinstance(reply, Answer) else reply.message
