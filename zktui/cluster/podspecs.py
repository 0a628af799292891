"""Pod specifications and selectors, from the wire to `core.kube`."""

from __future__ import annotations

from collections.abc import Iterable

from zktui.cluster import wire
from zktui.cluster.quantities import millicores, whole
from zktui.core.kube import AffinityTerm, Container, PodSpec, SpreadConstraint, Toleration
from zktui.core.labels import NO_LABELS, Labels, Requirement, Selector

DEFAULT_GRACE = 30
"""terminationGracePeriodSeconds where the API server's default is not in the object."""


def pod_spec(spec: wire.PodSpec, labels: Labels = NO_LABELS, pod: str = "") -> PodSpec:
    """`labels` and `pod` are the pod's own: spread constraints (matchLabelKeys) and ephemeral claims refer to them."""
    containers = spec.containers or ()
    volumes = spec.volumes or ()
    claim_volumes = tuple((v.name, claim) for v in volumes if (claim := _claim_of(v, pod)))
    affinity = spec.affinity or wire.Affinity()
    grace = spec.termination_grace_period_seconds
    return PodSpec(
        containers=tuple(container(c) for c in containers),
        tolerations=tuple(Toleration(t.key, t.operator or "Equal", t.value, t.effect) for t in spec.tolerations or ()),
        node_selector=spec.node_selector or NO_LABELS,
        node_affinity=_required_nodes(affinity.node_affinity),
        anti_affinity=_pod_terms(affinity.pod_anti_affinity),
        affinity=_pod_terms(affinity.pod_affinity),
        spread=_spread(spec.topology_spread_constraints or (), labels),
        cpu=_request(spec, "cpu"),
        memory=_request(spec, "memory"),
        claims=tuple(claim for _, claim in claim_volumes),
        empty_dirs=tuple(v.name for v in volumes if v.empty_dir is not None),
        mounts=tuple((m.name, m.mount_path) for c in containers for m in c.volume_mounts or ()),
        claim_volumes=claim_volumes,
        grace=DEFAULT_GRACE if grace is None else grace,
    )


def container(item: wire.Container) -> Container:
    return Container(
        name=item.name,
        image=item.image,
        command=(*(item.command or ()), *(item.args or ())),
        ports=tuple((p.name, p.container_port) for p in item.ports or ()),
        env=tuple((e.name, e.value) for e in item.env or () if e.value),
        readiness=_probe(item.readiness_probe),
    )


def selector(item: wire.LabelSelector | None) -> Selector | None:
    """None stays None (it matches nothing); an empty selector matches everything (meta/v1 LabelSelector)."""
    if item is None:
        return None
    equal = Selector.of_labels(item.match_labels or {})
    return Selector((*equal.requirements, *_requirements(item.match_expressions)))


def node_terms(item: wire.NodeSelector | None) -> tuple[tuple[Requirement, ...], ...] | None:
    """Alternatives of requirements. A term without any requirement matches no node (core/v1 NodeSelectorTerm).

    A `matchFields` entry, which can only be about metadata.name, becomes a requirement on the key "metadata.name".
    """
    if item is None:
        return None
    terms = (
        (*_requirements(term.match_expressions), *_requirements(term.match_fields))
        for term in item.node_selector_terms or ()
    )
    return tuple(term for term in terms if term)


def _requirements(items: Iterable[wire.Expression] | None) -> tuple[Requirement, ...]:
    return tuple(Requirement(e.key, e.operator, tuple(e.values or ())) for e in items or ())


def _required_nodes(item: wire.NodeAffinity | None) -> tuple[tuple[Requirement, ...], ...] | None:
    return None if item is None else node_terms(item.required_during_scheduling_ignored_during_execution)


def _pod_terms(item: wire.PodAffinity | None) -> tuple[AffinityTerm, ...]:
    """A namespace selector can't be judged without the namespaces' labels: it counts as all of them."""
    required = (item.required_during_scheduling_ignored_during_execution if item else None) or ()
    return tuple(
        AffinityTerm(
            term.topology_key,
            selector(term.label_selector),
            tuple(term.namespaces or ()),
            every_namespace=term.namespace_selector is not None,
        )
        for term in required
    )


def _spread(items: Iterable[wire.Spread], labels: Labels) -> tuple[SpreadConstraint, ...]:
    """Hard constraints only; matchLabelKeys adds the pod's own values to the selector, as the scheduler does."""
    found: list[SpreadConstraint] = []
    for item in items:
        if item.when_unsatisfiable != "DoNotSchedule":
            continue
        chosen = selector(item.label_selector)
        own = {key: labels[key] for key in item.match_label_keys or () if key in labels}
        if chosen is not None and own:
            chosen = Selector((*chosen.requirements, *Selector.of_labels(own).requirements))
        found.append(SpreadConstraint(item.max_skew, item.topology_key, chosen))
    return tuple(found)


def _request(spec: wire.PodSpec, resource: str) -> int:
    """What the scheduler reserves: containers and sidecars together, or the largest moment of the init phase.

    Requests of the pod as a whole, where given, replace that sum; overhead comes on top (PodRequests).
    """
    parse = millicores if resource == "cpu" else whole
    if spec.resources and (at_pod := (spec.resources.requests or {}).get(resource)):
        total = parse(at_pod)
    else:
        total = sum(_of(c, resource) for c in spec.containers or ())
        sidecars = peak = 0
        for init in spec.init_containers or ():
            if init.restart_policy == "Always":
                sidecars += _of(init, resource)
                peak = max(peak, sidecars)
            else:
                peak = max(peak, sidecars + _of(init, resource))
        total = max(total + sidecars, peak)
    return total + parse((spec.overhead or {}).get(resource, "0"))


def _of(item: wire.Container, resource: str) -> int:
    if item.resources is None or item.resources.requests is None:
        return 0
    text = item.resources.requests.get(resource, "0")
    return millicores(text) if resource == "cpu" else whole(text)


def _claim_of(volume: wire.PodVolume, pod: str) -> str:
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    # The claim of a generic ephemeral volume is named after the pod and the volume.
    return f"{pod}-{volume.name}" if volume.ephemeral is not None and pod else ""


def _probe(item: wire.Probe | None) -> str:
    if item is None:
        return ""
    if item.exec is not None:
        text = " ".join(item.exec.command or ())
    elif item.http_get is not None:
        text = f"GET {item.http_get.path or '/'} on port {item.http_get.port}"
    elif item.tcp_socket is not None:
        text = f"TCP port {item.tcp_socket.port}"
    elif item.grpc is not None:
        text = f"gRPC port {item.grpc.port}"
    else:
        return ""
    return f"{' '.join(text.split())} every {item.period_seconds} s"
