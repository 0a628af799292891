"""What zktui keeps of Kubernetes' objects: only the fields that a screen or a gate reads.

Timestamps are seconds since the epoch (float), CPU is in millicores, memory and storage in bytes. Every object is
immutable and known by its UID: a pod that comes back under its old name is another pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from zktui.core.labels import Labels, Requirement, Selector, no_labels

HOSTNAME_TOPOLOGY = "kubernetes.io/hostname"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class PodKey(NamedTuple):
    """A pod by identity. `name` is for people and for request paths; `uid` decides whether it is still the same."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The controlling owner reference (`controller: true`)."""

    kind: str
    name: str
    uid: str
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class Toleration:
    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""

    def tolerates(self, taint: Taint) -> bool:
        """As the scheduler judges (core/v1 Toleration.ToleratesTaint): empty effect and empty key match all."""
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if not self.key and self.operator != "Exists":
            return False
        return self.operator == "Exists" or self.value == taint.value


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    effect: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class AffinityTerm:
    """A required pod (anti-)affinity term. `namespaces` empty means the pod's own namespace."""

    topology_key: str
    selector: Selector | None
    namespaces: tuple[str, ...] = ()
    every_namespace: bool = False


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """A `topologySpreadConstraints` entry with whenUnsatisfiable DoNotSchedule."""

    max_skew: int
    topology_key: str
    selector: Selector | None


@dataclass(frozen=True, slots=True)
class Container:
    name: str
    image: str = ""
    command: tuple[str, ...] = ()
    """`command` followed by `args`."""
    ports: tuple[tuple[str, int], ...] = ()
    """(name, containerPort) of each declared port."""
    env: tuple[tuple[str, str], ...] = ()
    readiness: str = ""
    """The readiness probe in one line, for people; empty when there is none."""


@dataclass(frozen=True, slots=True)
class PodSpec:
    """The part of a pod's specification that decides where it can run and what a drain does to its data."""

    containers: tuple[Container, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    node_selector: Labels = field(default_factory=no_labels)
    node_affinity: tuple[tuple[Requirement, ...], ...] | None = None
    """Terms of required node affinity: alternatives of requirements that hold together. None: no such rule."""
    anti_affinity: tuple[AffinityTerm, ...] = ()
    affinity: tuple[AffinityTerm, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    cpu: int = 0
    memory: int = 0
    claims: tuple[str, ...] = ()
    """Names of the PersistentVolumeClaims it mounts."""
    empty_dirs: tuple[str, ...] = ()
    """Names of its emptyDir volumes."""
    mounts: tuple[tuple[str, str], ...] = ()
    """(volume name, mountPath) over all containers."""
    claim_volumes: tuple[tuple[str, str], ...] = ()
    """(volume name, claim name)."""
    grace: int = 30
    """terminationGracePeriodSeconds."""


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    uid: str
    resource_version: str = ""
    node: str = ""
    """spec.nodeName; empty while the pod is not scheduled."""
    phase: str = "Unknown"
    ready: bool = False
    """The pod's Ready condition is True."""
    ready_since: float | None = None
    containers_ready: int = 0
    restarts: int = 0
    created_at: float | None = None
    deleting_since: float | None = None
    """deletionTimestamp minus the grace period; not None means terminating, whatever the phase says."""
    deletion_grace: int = 0
    labels: Labels = field(default_factory=no_labels)
    owner: Owner | None = None
    ip: str = ""
    mirror: bool = False
    reason: str = ""
    """What kubectl shows in STATUS when it says more than the phase: CrashLoopBackOff, Unschedulable, …"""
    message: str = ""
    disruption_target: str = ""
    """Reason of a true DisruptionTarget condition; empty when there is none."""
    spec: PodSpec = field(default_factory=PodSpec)

    @property
    def key(self) -> PodKey:
        return PodKey(self.namespace, self.name, self.uid)

    @property
    def terminating(self) -> bool:
        return self.deleting_since is not None

    @property
    def finished(self) -> bool:
        """Succeeded or Failed and not merely dying: a terminating pod can show Failed (seen on Kubernetes 1.37)."""
        return self.phase in ("Succeeded", "Failed") and not self.terminating

    @property
    def revision(self) -> str:
        return self.labels.get("controller-revision-hash", "")

    @property
    def status(self) -> str:
        """One word for a table, as `kubectl get pods` would put it."""
        if self.terminating:
            return "Terminating"
        return self.reason or self.phase


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    uid: str
    resource_version: str = ""
    unschedulable: bool = False
    ready: bool | None = None
    """The Ready condition: True, False, or None when its status is Unknown or it has none."""
    labels: Labels = field(default_factory=no_labels)
    annotations: Labels = field(default_factory=no_labels)
    taints: tuple[Taint, ...] = ()
    cpu: int = 0
    memory: int = 0
    pod_limit: int = 0
    """Allocatable CPU, memory and pods."""
    created_at: float | None = None
    pressures: tuple[str, ...] = ()
    """Conditions other than Ready that are True, such as DiskPressure."""


@dataclass(frozen=True, slots=True)
class Budget:
    """A PodDisruptionBudget."""

    namespace: str
    name: str
    uid: str
    resource_version: str = ""
    selector: Selector | None = None
    min_available: str = ""
    max_unavailable: str = ""
    unhealthy_policy: str = "IfHealthyBudget"
    generation: int = 0
    observed_generation: int = 0
    allowed: int = 0
    current: int = 0
    desired: int = 0
    expected: int = 0
    disrupted: Mapping[str, float] = field(default_factory=dict[str, float])
    """status.disruptedPods: pod name to the time at which its eviction was granted."""

    @property
    def is_current(self) -> bool:
        """The disruption controller has seen this generation; until then the server refuses every eviction."""
        return self.observed_generation >= self.generation

    def covers(self, pod: Pod) -> bool:
        if pod.namespace != self.namespace or self.selector is None:
            return False
        return self.selector.matches(pod.labels)


@dataclass(frozen=True, slots=True)
class StatefulSet:
    namespace: str
    name: str
    uid: str
    resource_version: str = ""
    labels: Labels = field(default_factory=no_labels)
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    generation: int = 0
    observed_generation: int = 0
    current_revision: str = ""
    update_revision: str = ""
    pod_management: str = "OrderedReady"
    update_strategy: str = "RollingUpdate"
    partition: int = 0
    service: str = ""
    selector: Selector | None = None
    template_labels: Labels = field(default_factory=no_labels)
    template: PodSpec = field(default_factory=PodSpec)
    created_at: float | None = None

    @property
    def is_updating(self) -> bool:
        """A rolling update is under way: it deletes pods without asking any budget."""
        if self.observed_generation < self.generation:
            return True
        if self.update_strategy == "OnDelete":
            return False
        return self.updated_replicas < max(0, self.replicas - self.partition) and bool(
            self.update_revision and self.update_revision != self.current_revision
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim."""

    namespace: str
    name: str
    uid: str
    phase: str = ""
    volume: str = ""
    storage_class: str = ""
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class Volume:
    """A PersistentVolume; `node_affinity` as in PodSpec: None means it can be mounted on any node."""

    name: str
    uid: str
    node_affinity: tuple[tuple[Requirement, ...], ...] | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """A coordination.k8s.io/v1 Lease. Times are seconds since the epoch."""

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    holder: str = ""
    duration: int = 0
    acquired_at: float | None = None
    renewed_at: float | None = None
    transitions: int = 0
    annotations: Labels = field(default_factory=no_labels)

    def expired(self, now: float) -> bool:
        """True when nobody holds it at `now` (epoch seconds, by the reader's clock)."""
        if not self.holder:
            return True
        return self.renewed_at is None or now > self.renewed_at + self.duration
