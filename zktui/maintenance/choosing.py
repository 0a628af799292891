"""Which nodes a maintenance is about: by label, or those that carry an ensemble."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from zktui.core.ports import Answer, Cluster, Reply, Unanswered
from zktui.core.store import natural
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.refusals import NoNodes
from zktui.maintenance.selectors import parse_selector


async def choose_nodes(
    cluster: Cluster, ensembles: Iterable[Ensemble], selector: str, *, ensemble_nodes: bool
) -> tuple[str, ...]:
    """The union of both, by name, as read now. Raises NoNodes when there is none, or when it can't be told.

    `selector` is in kubectl's grammar; empty chooses none.
    """
    found: set[str] = set()
    if selector:
        found |= await _labelled(cluster, selector)
    if ensemble_nodes:
        found |= await _carrying(cluster, tuple(ensembles))
    return tuple(sorted(found, key=natural))


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
