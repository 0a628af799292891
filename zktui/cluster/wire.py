"""The parts of Kubernetes' JSON that zktui decodes, one msgspec struct each; what is not named here is skipped.

Every field may be absent, and what Go may write as null may be null. Field names are camelCase on the wire.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, Generic, TypeVar, cast

import msgspec

Pairs = dict[str, str]
T = TypeVar("T")

_making = threading.Lock()


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """The one decoder of a kind. Every decoder comes from here.

    msgspec learns a struct's fields when a decoder first needs them, and shows what it has learnt so far to the other
    threads: one that then makes a decoder of its own for the same struct ends the process by a segmentation fault (seen
    with msgspec 0.22, two threads that list different kinds). One at a time, each finds the last one's whole.
    """
    with _making:
        return cast("msgspec.json.Decoder[T]", _decoder(kind))


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


# Decoded objects hold no cycles, and are gone as soon as they are turned into core's own: no work for the collector.
class Wire(msgspec.Struct, rename="camel", gc=False):
    pass


class OwnerReference(Wire):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Meta(Wire):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: Pairs | None = None
    annotations: Pairs | None = None
    owner_references: list[OwnerReference] | None = None


class Object(Wire):
    """Any object. By itself it decodes metadata only, which is all that a bookmark has."""

    metadata: Meta = msgspec.field(default_factory=Meta)


class Condition(Wire):
    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None


class Expression(Wire):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(Wire):
    match_labels: Pairs | None = None
    match_expressions: list[Expression] | None = None


class NodeTerm(Wire):
    match_expressions: list[Expression] | None = None
    match_fields: list[Expression] | None = None


class NodeSelector(Wire):
    node_selector_terms: list[NodeTerm] | None = None


class NodeAffinity(Wire):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None


class PodTerm(Wire):
    topology_key: str = ""
    label_selector: LabelSelector | None = None
    namespaces: list[str] | None = None
    namespace_selector: LabelSelector | None = None


class PodAffinity(Wire):
    required_during_scheduling_ignored_during_execution: list[PodTerm] | None = None


class Affinity(Wire):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class Spread(Wire):
    max_skew: int = 1
    topology_key: str = ""
    when_unsatisfiable: str = ""
    label_selector: LabelSelector | None = None
    match_label_keys: list[str] | None = None


class Resources(Wire):
    requests: Pairs | None = None


class ContainerPort(Wire):
    container_port: int = 0
    name: str = ""


class EnvVar(Wire):
    name: str = ""
    value: str | None = None


class Mount(Wire):
    name: str = ""
    mount_path: str = ""


class ExecAction(Wire):
    command: list[str] | None = None


class PortAction(Wire):
    port: int | str = 0
    path: str | None = None


class Probe(Wire):
    exec: ExecAction | None = None
    http_get: PortAction | None = None
    tcp_socket: PortAction | None = None
    grpc: PortAction | None = None
    period_seconds: int = 10


class Container(Wire):
    name: str = ""
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    ports: list[ContainerPort] | None = None
    env: list[EnvVar] | None = None
    resources: Resources | None = None
    readiness_probe: Probe | None = None
    volume_mounts: list[Mount] | None = None
    restart_policy: str | None = None


class ClaimSource(Wire):
    claim_name: str = ""


class PodVolume(Wire):
    name: str = ""
    persistent_volume_claim: ClaimSource | None = None
    empty_dir: dict[str, msgspec.Raw] | None = None
    ephemeral: dict[str, msgspec.Raw] | None = None


class Toleration(Wire):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class PodSpec(Wire):
    node_name: str = ""
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    tolerations: list[Toleration] | None = None
    node_selector: Pairs | None = None
    affinity: Affinity | None = None
    topology_spread_constraints: list[Spread] | None = None
    resources: Resources | None = None
    overhead: Pairs | None = None
    volumes: list[PodVolume] | None = None
    termination_grace_period_seconds: int | None = None


class Waiting(Wire):
    reason: str = ""
    message: str = ""


class Terminated(Wire):
    reason: str = ""
    message: str = ""
    exit_code: int = 0
    signal: int = 0


class ContainerState(Wire):
    waiting: Waiting | None = None
    terminated: Terminated | None = None
    running: dict[str, msgspec.Raw] | None = None


class ContainerStatus(Wire):
    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState | None = None


class PodStatus(Wire):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class Pod(Object):
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class Taint(Wire):
    key: str = ""
    effect: str = ""
    value: str = ""


class NodeSpec(Wire):
    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeStatus(Wire):
    allocatable: Pairs | None = None
    conditions: list[Condition] | None = None


class Node(Object):
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


class Template(Wire):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)


class RollingUpdate(Wire):
    partition: int | None = None


class UpdateStrategy(Wire):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class StatefulSetSpec(Wire):
    # The API server fills in 1 for an absent replica count.
    replicas: int | None = None
    service_name: str = ""
    selector: LabelSelector | None = None
    template: Template = msgspec.field(default_factory=Template)
    pod_management_policy: str = "OrderedReady"
    update_strategy: UpdateStrategy = msgspec.field(default_factory=UpdateStrategy)


class StatefulSetStatus(Wire):
    ready_replicas: int = 0
    updated_replicas: int = 0
    observed_generation: int = 0
    current_revision: str = ""
    update_revision: str = ""


class StatefulSet(Object):
    spec: StatefulSetSpec = msgspec.field(default_factory=StatefulSetSpec)
    status: StatefulSetStatus = msgspec.field(default_factory=StatefulSetStatus)


class BudgetSpec(Wire):
    selector: LabelSelector | None = None
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    unhealthy_pod_eviction_policy: str | None = None


class BudgetStatus(Wire):
    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    disrupted_pods: dict[str, str | None] | None = None


class Budget(Object):
    spec: BudgetSpec = msgspec.field(default_factory=BudgetSpec)
    status: BudgetStatus = msgspec.field(default_factory=BudgetStatus)


class ClaimSpec(Wire):
    volume_name: str = ""
    storage_class_name: str | None = None


class ClaimStatus(Wire):
    phase: str = ""
    capacity: Pairs | None = None


class Claim(Object):
    spec: ClaimSpec = msgspec.field(default_factory=ClaimSpec)
    status: ClaimStatus = msgspec.field(default_factory=ClaimStatus)


class VolumeAffinity(Wire):
    required: NodeSelector | None = None


class VolumeSpec(Wire):
    node_affinity: VolumeAffinity | None = None


class Volume(Object):
    spec: VolumeSpec = msgspec.field(default_factory=VolumeSpec)


class LeaseSpec(Wire):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object):
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


class ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, Generic[T]):
    """One page of a list."""

    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    items: list[T] | None = None


class Event(msgspec.Struct):
    """One line of a watch. What `object` is depends on `type`: the object, a bookmark, or a Status."""

    type: str
    object: msgspec.Raw


class StatusCause(Wire):
    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(Wire):
    causes: list[StatusCause] | None = None
    retry_after_seconds: float | None = None


class Status(Wire):
    """meta/v1 Status: what the API server says when it says no."""

    status: str = ""
    code: int = 0
    reason: str = ""
    message: str = ""
    details: StatusDetails | None = None


class Review(Wire):
    """A SelfSubjectAccessReview's answer."""

    class Verdict(Wire):
        allowed: bool = False

    status: Verdict = msgspec.field(default_factory=Verdict)


class Version(Wire):
    git_version: str = ""


class ApiResource(Wire):
    name: str = ""
    kind: str = ""
    namespaced: bool = False


class ApiResources(Wire):
    """Discovery of one group and version."""

    resources: list[ApiResource] | None = None
