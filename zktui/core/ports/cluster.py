"""Single requests about what a maintenance and its ensembles are made of, and where the program is connected to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from zktui.core.kube import Budget, Claim, Lease, Node, Pod, PodKey, StatefulSet, Taint, Volume
from zktui.core.ports.replies import Reply


@dataclass(frozen=True, slots=True)
class Place:
    """Where the program is connected to, for the banner and for messages."""

    context: str
    cluster: str
    server: str
    user: str
    namespace: str
    kubeconfig: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Evicted:
    """201: the server granted the eviction. The pod is gone only when it is absent or has another UID."""

    message: str = ""


class Cluster(Protocol):
    """Single requests to the API server, each read fresh (quorum read, no resourceVersion)."""

    async def node(self, name: str) -> Reply[Node]: ...
    async def nodes(self) -> Reply[tuple[Node, ...]]: ...
    async def pod(self, namespace: str, name: str) -> Reply[Pod]: ...
    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        """Pods of a namespace; `selector` as kubectl's -l takes it."""
        ...

    async def pods_on(self, node: str) -> Reply[tuple[Pod, ...]]:
        """All pods bound to a node, of every namespace (field selector spec.nodeName)."""
        ...

    async def budgets(self, namespace: str) -> Reply[tuple[Budget, ...]]: ...
    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]: ...
    async def statefulsets(self, namespace: str) -> Reply[tuple[StatefulSet, ...]]:
        """An empty namespace asks for all of them."""
        ...

    async def claims(self, namespace: str) -> Reply[tuple[Claim, ...]]: ...
    async def volumes(self) -> Reply[tuple[Volume, ...]]: ...
    async def owner_exists(self, namespace: str, kind: str, api_version: str, name: str) -> Reply[bool]: ...

    async def cordon(
        self, node: Node, unschedulable: bool, annotations: Mapping[str, str | None] | None = None
    ) -> Reply[Node]:
        """Set spec.unschedulable with the node's UID and resourceVersion as preconditions (409 when it moved on).

        Annotations are set, or removed with None, by the same request: both happen or neither.
        """
        ...

    async def annotate_node(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        """Set (or with None remove) annotations, with the UID as precondition."""
        ...

    async def taint_node(self, node: Node, taint: Taint) -> Reply[Node]:
        """Add one taint, with the node's UID and resourceVersion as preconditions; others stay as they are."""
        ...

    async def create_budget(self, budget: Budget) -> Reply[Budget]:
        """Create a PodDisruptionBudget of this name, selector and maxUnavailable."""
        ...

    async def delete_claim(self, claim: Claim) -> Reply[bool]:
        """Delete a PersistentVolumeClaim with its UID as precondition. True; it may be kept until its user is gone."""
        ...

    async def delete_pod(self, pod: PodKey) -> Reply[bool]:
        """Delete a pod with its UID as precondition and its own grace: no budget is asked."""
        ...

    async def evict(self, pod: PodKey, grace: int | None = None) -> Reply[Evicted]:
        """POST an eviction with the UID as precondition, once; never retried by the transport."""
        ...

    async def lease(self, namespace: str, name: str) -> Reply[Lease]: ...
    async def create_lease(self, lease: Lease) -> Reply[Lease]: ...
    async def update_lease(self, lease: Lease) -> Reply[Lease]:
        """Replace; 409 when its resourceVersion is not the current one."""
        ...

    async def allowed(self, verb: str, resource: str, namespace: str = "", subresource: str = "") -> Reply[bool]:
        """SelfSubjectAccessReview; `resource` as `plural.group` (group omitted for core)."""
        ...
