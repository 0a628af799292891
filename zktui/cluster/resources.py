"""Where each kind lives in the API, and how it is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from zktui.cluster import decoding, wire
from zktui.cluster.transport import path_of
from zktui.core import kube

W = TypeVar("W", bound=wire.Object)
F_co = TypeVar("F_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Resource(Generic[W, F_co]):
    """One resource of the API: its group's root, its plural, its type on the wire, and what it becomes."""

    root: str
    plural: str
    wire: type[W]
    fact: Callable[[W], F_co]
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str = "") -> str:
        """Of an object, or of a collection (of all namespaces when none is given)."""
        segments = ["namespaces", namespace, self.plural] if self.namespaced and namespace else [self.plural]
        return self.root + path_of(*segments, *([name] if name else []))


CORE = "/api/v1"
APPS = "/apis/apps/v1"
POLICY = "/apis/policy/v1"
COORDINATION = "/apis/coordination.k8s.io/v1"

NODES: Resource[wire.Node, kube.Node] = Resource(CORE, "nodes", wire.Node, decoding.node, namespaced=False)
PODS: Resource[wire.Pod, kube.Pod] = Resource(CORE, "pods", wire.Pod, decoding.pod)
STATEFULSETS: Resource[wire.StatefulSet, kube.StatefulSet] = Resource(
    APPS, "statefulsets", wire.StatefulSet, decoding.statefulset
)
BUDGETS: Resource[wire.Budget, kube.Budget] = Resource(POLICY, "poddisruptionbudgets", wire.Budget, decoding.budget)
CLAIMS: Resource[wire.Claim, kube.Claim] = Resource(CORE, "persistentvolumeclaims", wire.Claim, decoding.claim)
VOLUMES: Resource[wire.Volume, kube.Volume] = Resource(
    CORE, "persistentvolumes", wire.Volume, decoding.volume, namespaced=False
)
LEASES: Resource[wire.Lease, kube.Lease] = Resource(COORDINATION, "leases", wire.Lease, decoding.lease)
