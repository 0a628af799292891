"""Single requests to the API server: what the engine reads before it decides, and the few changes it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from zktui.cluster import decoding, wire
from zktui.cluster.resources import BUDGETS, CLAIMS, LEASES, NODES, PODS, STATEFULSETS, VOLUMES, Resource
from zktui.cluster.transport import MERGE_PATCH, STRATEGIC_PATCH, Query, Transport, path_of
from zktui.cluster.workers import Workers
from zktui.core.kube import Budget, Claim, Lease, Node, Pod, PodKey, StatefulSet, Taint, Volume
from zktui.core.ports import Answer, Evicted, Reply, Unanswered

T = TypeVar("T")
W = TypeVar("W", bound=wire.Object)
S = TypeVar("S", bound=msgspec.Struct)

READERS = 6
CHANGERS = 4
"""Threads for changes are their own: a Lease is renewed in time also while six reads hang."""
READ_LIMIT = 30.0
"""Seconds after which a question counts as unanswered, however slowly its reply still trickles in."""


class KubeCluster:
    """Fulfils `core.ports.Cluster`. One event loop at a time.

    A change is sent once, and cancelling the task that awaits it does not stop it: `unclaimed` tells what became of it.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._readers = Workers("zktui-read", READERS)
        self._changers = Workers("zktui-change", CHANGERS)
        self._unclaimed: dict[asyncio.Future[Any], str] = {}
        self._discovered: dict[str, Mapping[str, wire.ApiResource]] = {}

    async def node(self, name: str) -> Reply[Node]:
        return await self._one(NODES, "", name)

    async def nodes(self) -> Reply[tuple[Node, ...]]:
        return await self._all(NODES)

    async def pod(self, namespace: str, name: str) -> Reply[Pod]:
        return await self._one(PODS, namespace, name)

    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        return await self._all(PODS, namespace, {"labelSelector": selector} if selector else None)

    async def pods_on(self, node: str) -> Reply[tuple[Pod, ...]]:
        return await self._all(PODS, "", {"fieldSelector": f"spec.nodeName={node}"})

    async def budgets(self, namespace: str) -> Reply[tuple[Budget, ...]]:
        return await self._all(BUDGETS, namespace)

    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]:
        return await self._one(STATEFULSETS, namespace, name)

    async def statefulsets(self, namespace: str) -> Reply[tuple[StatefulSet, ...]]:
        return await self._all(STATEFULSETS, namespace)

    async def claims(self, namespace: str) -> Reply[tuple[Claim, ...]]:
        return await self._all(CLAIMS, namespace)

    async def volumes(self) -> Reply[tuple[Volume, ...]]:
        return await self._all(VOLUMES)

    async def owner_exists(self, namespace: str, kind: str, api_version: str, name: str) -> Reply[bool]:
        """Whether the object is there. Its resource is found by discovery; of an unknown kind nobody knows."""
        return await self._read(lambda: self._owner_exists(namespace, kind, api_version, name))

    async def cordon(
        self, node: Node, unschedulable: bool, annotations: Mapping[str, str | None] | None = None
    ) -> Reply[Node]:
        """As `kubectl cordon`, but only for this very node as it was read: otherwise 409 (422 for another UID)."""
        metadata: dict[str, object] = {"uid": node.uid, "resourceVersion": node.resource_version}
        if annotations:
            metadata["annotations"] = dict(annotations)
        body = {"metadata": metadata, "spec": {"unschedulable": True if unschedulable else None}}
        return await self._patch_node(node, body, f"cordon={unschedulable} of node {node.name}")

    async def annotate_node(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        body = {"metadata": {"uid": node.uid, "annotations": dict(annotations)}}
        return await self._patch_node(node, body, f"annotations of node {node.name}")

    async def taint_node(self, node: Node, taint: Taint) -> Reply[Node]:
        metadata = {"uid": node.uid, "resourceVersion": node.resource_version}
        one = {"key": taint.key, "value": taint.value, "effect": taint.effect}
        # Strategic: the list is joined by its key, so that what the others carry (timeAdded) is not lost.
        body = {"metadata": metadata, "spec": {"taints": [one]}}
        return await self._patch_node(node, body, f"taint {taint.key} of node {node.name}", STRATEGIC_PATCH)

    async def create_budget(self, budget: Budget) -> Reply[Budget]:
        path, decode = BUDGETS.path(budget.namespace), _decoder(wire.Budget, decoding.budget)
        body = decoding.budget_body(budget)
        what = f"creation of budget {budget.namespace}/{budget.name}"
        return await self._change(what, lambda: self._transport.change("POST", path, body, decode))

    async def delete_claim(self, claim: Claim) -> Reply[bool]:
        path = CLAIMS.path(claim.namespace, claim.name)
        return await self._delete(path, claim.uid, f"deletion of claim {claim.name}")

    async def delete_pod(self, pod: PodKey) -> Reply[bool]:
        return await self._delete(PODS.path(pod.namespace, pod.name), pod.uid, f"deletion of pod {pod.name}")

    async def _delete(self, path: str, uid: str, what: str) -> Reply[bool]:
        """The answer is the object as it is being deleted, or a Status: either way it was accepted."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        decode = _decoder(wire.Object, lambda _: True)
        return await self._change(f"{what} ({uid})", lambda: self._transport.change("DELETE", path, body, decode))

    async def evict(self, pod: PodKey, grace: int | None = None) -> Reply[Evicted]:
        options: dict[str, object] = {"preconditions": {"uid": pod.uid}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": pod.namespace, "name": pod.name},
            "deleteOptions": options,
        }
        path = PODS.path(pod.namespace, pod.name) + "/eviction"
        decode = _decoder(wire.Status, lambda status: Evicted(status.message))
        what = f"eviction of pod {pod.namespace}/{pod.name} ({pod.uid})"
        return await self._change(what, lambda: self._transport.change("POST", path, body, decode))

    async def lease(self, namespace: str, name: str) -> Reply[Lease]:
        return await self._one(LEASES, namespace, name)

    async def create_lease(self, lease: Lease) -> Reply[Lease]:
        path, decode = LEASES.path(lease.namespace), _decoder(wire.Lease, decoding.lease)
        body = decoding.lease_body(lease)
        what = f"creation of lease {lease.namespace}/{lease.name}"
        return await self._change(what, lambda: self._transport.change("POST", path, body, decode))

    async def update_lease(self, lease: Lease) -> Reply[Lease]:
        path, decode = LEASES.path(lease.namespace, lease.name), _decoder(wire.Lease, decoding.lease)
        body = decoding.lease_body(lease)
        what = f"update of lease {lease.namespace}/{lease.name}"
        return await self._change(what, lambda: self._transport.change("PUT", path, body, decode))

    async def allowed(self, verb: str, resource: str, namespace: str = "", subresource: str = "") -> Reply[bool]:
        plural, _, group = resource.partition(".")
        asked = {"verb": verb, "group": group, "resource": plural, "namespace": namespace, "subresource": subresource}
        attributes = {key: value for key, value in asked.items() if value}
        version = "authorization.k8s.io/v1"
        body = {
            "apiVersion": version,
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = path_of("apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews")
        decode = _decoder(wire.Review, lambda review: review.status.allowed)
        # A POST that changes nothing.
        return await self._read(lambda: self._transport.change("POST", path, body, decode))

    async def version(self) -> Reply[str]:
        """The server's version, such as v1.37.2."""
        decode = _decoder(wire.Version, lambda version: version.git_version)
        return await self._read(lambda: self._transport.get("/version", decode))

    async def unclaimed(self) -> tuple[tuple[str, Reply[object]], ...]:
        """Changes whose awaiting task was cancelled, each with its outcome; waits for those still on their way.

        Each is told once.
        """
        waiting, self._unclaimed = self._unclaimed, {}
        return tuple([(what, await future) for future, what in waiting.items()])

    def close(self) -> None:
        self._readers.close()
        self._changers.close()

    async def _one(self, resource: Resource[W, T], namespace: str, name: str) -> Reply[T]:
        decode = _decoder(resource.wire, resource.fact)
        return await self._read(lambda: self._transport.get(resource.path(namespace, name), decode))

    async def _all(
        self, resource: Resource[W, T], namespace: str = "", query: Query | None = None
    ) -> Reply[tuple[T, ...]]:
        def ask() -> Reply[tuple[T, ...]]:
            reply = self._transport.pages(resource.path(namespace), resource.wire, resource.fact, query)
            return Answer(tuple(reply.value[0]), reply.at) if isinstance(reply, Answer) else reply

        return await self._read(ask)

    async def _patch_node(self, node: Node, body: object, what: str, kind: str = MERGE_PATCH) -> Reply[Node]:
        path, decode = NODES.path(name=node.name), _decoder(wire.Node, decoding.node)
        return await self._change(what, lambda: self._transport.change("PATCH", path, body, decode, kind))

    async def _read(self, call: Callable[[], Reply[T]]) -> Reply[T]:
        at = self._transport.clock.now()
        future = self._readers.submit(call)
        try:
            async with asyncio.timeout(READ_LIMIT):
                return await future
        except TimeoutError:
            return Unanswered(f"no answer from {self._transport.access.server} within {READ_LIMIT:g} s", at)

    async def _change(self, what: str, call: Callable[[], Reply[T]]) -> Reply[T]:
        future = self._changers.submit(call)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._unclaimed[future] = what
            raise

    def _owner_exists(self, namespace: str, kind: str, api_version: str, name: str) -> Reply[bool]:
        root = path_of(*(["apis", *api_version.split("/")] if "/" in api_version else ["api", api_version]))
        known = self._discovered.get(root)
        if known is None:
            found = self._transport.get(root, wire.decoder(wire.ApiResources).decode)
            if not isinstance(found, Answer):
                return found
            # Subresources, such as deployments/scale, carry kinds of their own.
            known = {item.kind: item for item in found.value.resources or () if "/" not in item.name}
            self._discovered[root] = known
        if kind not in known:
            return Unanswered(f"the API server has no {kind} in {api_version}", self._transport.clock.now())
        inside = ["namespaces", namespace] if known[kind].namespaced and namespace else []
        path = root + path_of(*inside, known[kind].name, name)
        reply = self._transport.get(path, wire.decoder(wire.Object).decode)
        if isinstance(reply, Answer):
            return Answer(True, reply.at)
        if not isinstance(reply, Unanswered) and reply.not_found:
            return Answer(False, reply.at)
        return reply


def _decoder(kind: type[S], fact: Callable[[S], T]) -> Callable[[bytes], T]:
    decode = wire.decoder(kind).decode
    return lambda data: fact(decode(data))
