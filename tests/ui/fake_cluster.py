"""Single requests and polls that answer from a World's store, as if the servers were asked now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from zktui.core.deltas import Kind
from zktui.core.kube import Budget, Claim, Lease, Node, Pod, PodKey, StatefulSet, Taint, Volume
from zktui.core.ports import Answer, Evicted, Refused, Reply
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberReport, MemberSessions

if TYPE_CHECKING:
    from tests.ui.fakes import World

T = TypeVar("T")


class FakeMembers:
    """Answers what the store was last told, as if asked now."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def poll(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> MemberReport:
        view = self._world.store.view().ensemble(ensemble.key)
        known = next((m.report for m in view.members if m.pod.uid == pod.uid), None) if view else None
        return replace(known, at=self._world.clock.now()) if known else MemberReport(pod.key, self._world.clock.now())

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        view = self._world.store.view().ensemble(ensemble.key)
        if view is None or view.config is None:
            return Refused(404, "NotFound", "no configuration in this world", self._world.clock.now())
        return Answer(view.config, self._world.clock.now())

    async def sessions(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5) -> MemberSessions:
        return MemberSessions()

    async def synced_read(self, ensemble: Ensemble, pod: Pod, timeout: float = 5.0) -> Reply[bool]:
        return Answer(True, self._world.clock.now())


class FakeCluster:
    """Reads answer from the store; changes are carried out on it where a test of the interface needs them."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def node(self, name: str) -> Reply[Node]:
        return self._one(self._world.store.view().node(name), name)

    async def nodes(self) -> Reply[tuple[Node, ...]]:
        return self._answer(self._world.store.view().nodes)

    async def pod(self, namespace: str, name: str) -> Reply[Pod]:
        found = next((p for p in self._world.store.view().pods if (p.namespace, p.name) == (namespace, name)), None)
        return self._one(found, name)

    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        return self._answer(tuple(p for p in self._world.store.view().pods if p.namespace == namespace))

    async def pods_on(self, node: str) -> Reply[tuple[Pod, ...]]:
        return self._answer(tuple(p for p in self._world.store.view().pods if p.node == node))

    async def budgets(self, namespace: str) -> Reply[tuple[Budget, ...]]:
        return self._answer(tuple(b for b in self._world.store.view().budgets if b.namespace == namespace))

    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]:
        sets = self._world.store.view().statefulsets
        return self._one(next((s for s in sets if (s.namespace, s.name) == (namespace, name)), None), name)

    async def statefulsets(self, namespace: str) -> Reply[tuple[StatefulSet, ...]]:
        return self._answer(self._world.store.view().statefulsets)

    async def claims(self, namespace: str) -> Reply[tuple[Claim, ...]]:
        return self._answer(tuple(self._world.store.view().claims.values()))

    async def volumes(self) -> Reply[tuple[Volume, ...]]:
        return self._answer(tuple(self._world.store.view().volumes.values()))

    async def owner_exists(self, namespace: str, kind: str, api_version: str, name: str) -> Reply[bool]:
        return self._answer(True)

    async def cordon(
        self, node: Node, unschedulable: bool, annotations: Mapping[str, str | None] | None = None
    ) -> Reply[Node]:
        return await self.annotate_node(replace(node, unschedulable=unschedulable), annotations or {})

    async def annotate_node(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        kept = {**node.annotations, **{k: v for k, v in annotations.items() if v is not None}}
        changed = replace(node, annotations={k: v for k, v in kept.items() if annotations.get(k, v) is not None})
        self._world.upsert(Kind.NODES, changed)
        return self._answer(changed)

    async def taint_node(self, node: Node, taint: Taint) -> Reply[Node]:
        changed = replace(node, taints=(*node.taints, taint))
        self._world.upsert(Kind.NODES, changed)
        return self._answer(changed)

    async def create_budget(self, budget: Budget) -> Reply[Budget]:
        self._world.upsert(Kind.BUDGETS, budget)
        return self._answer(budget)

    async def delete_claim(self, claim: Claim) -> Reply[bool]:
        self._world.remove(Kind.CLAIMS, claim.uid)
        return self._answer(True)

    async def delete_pod(self, pod: PodKey) -> Reply[bool]:
        self._world.remove(Kind.PODS, pod.uid)
        return self._answer(True)

    async def evict(self, pod: PodKey, grace: int | None = None) -> Reply[Evicted]:
        self._world.remove(Kind.PODS, pod.uid)
        return self._answer(Evicted())

    async def lease(self, namespace: str, name: str) -> Reply[Lease]:
        return self._one(None, name)

    async def create_lease(self, lease: Lease) -> Reply[Lease]:
        return self._answer(lease)

    async def update_lease(self, lease: Lease) -> Reply[Lease]:
        return self._answer(lease)

    async def allowed(self, verb: str, resource: str, namespace: str = "", subresource: str = "") -> Reply[bool]:
        return self._answer(True)

    def _answer(self, value: T) -> Answer[T]:
        return Answer(value, self._world.clock.now())

    def _one(self, value: T | None, name: str) -> Answer[T] | Refused:
        if value is None:
            return Refused(404, "NotFound", f"{name} not found", self._world.clock.now())
        return self._answer(value)
