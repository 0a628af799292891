"""Kubernetes' objects, from the wire to the immutable facts of `core.kube`."""

from __future__ import annotations

from collections.abc import Iterable

from zktui.cluster import wire
from zktui.cluster.podspecs import node_terms, pod_spec, selector
from zktui.cluster.podstatus import condition, reason_and_message
from zktui.cluster.quantities import epoch, micro_time, millicores, whole
from zktui.core.kube import (
    MIRROR_ANNOTATION,
    Budget,
    Claim,
    Lease,
    Node,
    Owner,
    Pod,
    StatefulSet,
    Taint,
    Volume,
)
from zktui.core.labels import NO_LABELS


def pod(item: wire.Pod) -> Pod:
    meta, status = item.metadata, item.status
    labels = meta.labels or NO_LABELS
    ready = condition(status.conditions, "Ready")
    target = condition(status.conditions, "DisruptionTarget")
    is_ready = ready is not None and ready.status == "True"
    reason, message = reason_and_message(item)
    statuses = status.container_statuses or ()
    grace = meta.deletion_grace_period_seconds or 0
    deleted = epoch(meta.deletion_timestamp)
    return Pod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        node=item.spec.node_name,
        phase=status.phase or "Unknown",
        ready=is_ready,
        ready_since=epoch(ready.last_transition_time) if ready is not None and is_ready else None,
        containers_ready=sum(s.ready for s in statuses),
        restarts=sum(s.restart_count for s in statuses),
        created_at=epoch(meta.creation_timestamp),
        # The API server sets deletionTimestamp to the moment at which the grace period will be over.
        deleting_since=None if deleted is None else deleted - grace,
        deletion_grace=grace,
        labels=labels,
        owner=_controller(meta.owner_references),
        ip=status.pod_ip,
        mirror=MIRROR_ANNOTATION in (meta.annotations or {}),
        reason=reason,
        message=message,
        disruption_target=(target.reason or "DisruptionTarget") if target and target.status == "True" else "",
        spec=pod_spec(item.spec, labels, meta.name),
    )


def _controller(references: Iterable[wire.OwnerReference] | None) -> Owner | None:
    for item in references or ():
        if item.controller:
            return Owner(item.kind, item.name, item.uid, item.api_version)
    return None


def node(item: wire.Node) -> Node:
    meta, status = item.metadata, item.status
    allocatable = status.allocatable or {}
    ready = condition(status.conditions, "Ready")
    return Node(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        unschedulable=item.spec.unschedulable,
        ready={"True": True, "False": False}.get(ready.status) if ready is not None else None,
        labels=meta.labels or NO_LABELS,
        annotations=meta.annotations or NO_LABELS,
        taints=tuple(Taint(t.key, t.effect, t.value) for t in item.spec.taints or ()),
        cpu=millicores(allocatable.get("cpu", "0")),
        memory=whole(allocatable.get("memory", "0")),
        pod_limit=whole(allocatable.get("pods", "0")),
        created_at=epoch(meta.creation_timestamp),
        pressures=tuple(c.type for c in status.conditions or () if c.status == "True" and c.type != "Ready"),
    )


def statefulset(item: wire.StatefulSet) -> StatefulSet:
    meta, spec, status = item.metadata, item.spec, item.status
    rolling = spec.update_strategy.rolling_update
    template_labels = spec.template.metadata.labels or NO_LABELS
    return StatefulSet(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        labels=meta.labels or NO_LABELS,
        replicas=1 if spec.replicas is None else spec.replicas,
        ready_replicas=status.ready_replicas,
        updated_replicas=status.updated_replicas,
        generation=meta.generation,
        observed_generation=status.observed_generation,
        current_revision=status.current_revision,
        update_revision=status.update_revision,
        pod_management=spec.pod_management_policy,
        update_strategy=spec.update_strategy.type,
        partition=(rolling.partition if rolling else None) or 0,
        service=spec.service_name,
        selector=selector(spec.selector),
        template_labels=template_labels,
        template=pod_spec(spec.template.spec, template_labels),
        created_at=epoch(meta.creation_timestamp),
    )


def budget(item: wire.Budget) -> Budget:
    meta, spec, status = item.metadata, item.spec, item.status
    granted = ((name, epoch(at)) for name, at in (status.disrupted_pods or {}).items())
    return Budget(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        selector=selector(spec.selector),
        min_available="" if spec.min_available is None else str(spec.min_available),
        max_unavailable="" if spec.max_unavailable is None else str(spec.max_unavailable),
        unhealthy_policy=spec.unhealthy_pod_eviction_policy or "IfHealthyBudget",
        generation=meta.generation,
        observed_generation=status.observed_generation,
        allowed=status.disruptions_allowed,
        current=status.current_healthy,
        desired=status.desired_healthy,
        expected=status.expected_pods,
        disrupted={name: at for name, at in granted if at is not None},
    )


def claim(item: wire.Claim) -> Claim:
    return Claim(
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        uid=item.metadata.uid,
        phase=item.status.phase,
        volume=item.spec.volume_name,
        storage_class=item.spec.storage_class_name or "",
        capacity=whole((item.status.capacity or {}).get("storage", "0")),
    )


def volume(item: wire.Volume) -> Volume:
    affinity = item.spec.node_affinity
    return Volume(item.metadata.name, item.metadata.uid, node_terms(affinity.required) if affinity else None)


def lease(item: wire.Lease) -> Lease:
    meta, spec = item.metadata, item.spec
    return Lease(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        holder=spec.holder_identity or "",
        duration=spec.lease_duration_seconds or 0,
        acquired_at=epoch(spec.acquire_time),
        renewed_at=epoch(spec.renew_time),
        transitions=spec.lease_transitions or 0,
        annotations=meta.annotations or NO_LABELS,
    )


def lease_body(item: Lease) -> dict[str, object]:
    """A Lease as coordination.k8s.io/v1 JSON. Absent identity and version are left out: a create must have none."""
    meta: dict[str, object] = {"namespace": item.namespace, "name": item.name, "annotations": dict(item.annotations)}
    if item.uid:
        meta["uid"] = item.uid
    if item.resource_version:
        meta["resourceVersion"] = item.resource_version
    spec: dict[str, object] = {"holderIdentity": item.holder, "leaseTransitions": item.transitions}
    if item.duration:  # 0 is not valid, absent is
        spec["leaseDurationSeconds"] = item.duration
    if item.acquired_at is not None:
        spec["acquireTime"] = micro_time(item.acquired_at)
    if item.renewed_at is not None:
        spec["renewTime"] = micro_time(item.renewed_at)
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}


def budget_body(item: Budget) -> dict[str, object]:
    """A PodDisruptionBudget as policy/v1 JSON, to be created."""
    requirements = item.selector.requirements if item.selector is not None else ()
    expressions = [{"key": r.key, "operator": r.operator, "values": list(r.values)} for r in requirements]
    allowed: int | str = int(item.max_unavailable) if item.max_unavailable.isdecimal() else item.max_unavailable
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"namespace": item.namespace, "name": item.name},
        "spec": {"selector": {"matchExpressions": expressions}, "maxUnavailable": allowed},
    }
