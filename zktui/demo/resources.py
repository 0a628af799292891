"""The table of what the rehearsal API server serves, in Kubernetes' names."""

from __future__ import annotations

from dataclasses import dataclass

READ = ("get", "list", "watch")
ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Subresource:
    """``kind`` and its group and version are those of the body, where it differs from its parent's."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = ""


@dataclass(frozen=True)
class Resource:
    """One served resource; ``key`` (``pods``, ``statefulsets.apps``) names it everywhere in the demo."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL
    subresources: tuple[Subresource, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def kind_key(self) -> str:
        """``StatefulSet.apps``, ``Pod``: how errors name a kind."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def has_status(self) -> bool:
        return any(sub.name == "status" for sub in self.subresources)

    def subresource(self, name: str) -> Subresource | None:
        return next((sub for sub in self.subresources if sub.name == name), None)


STATUS = Subresource("status", ("get", "patch", "update"))
SCALE = Subresource("scale", ("get", "patch", "update"), "Scale", "autoscaling", "v1")
READ_SCALE = Subresource("scale", ("get",), "Scale", "autoscaling", "v1")
POD_SUBRESOURCES = (
    Subresource("binding", ("create",), "Binding"),
    Subresource("eviction", ("create",), "Eviction", "policy", "v1"),
    Subresource("exec", ("create", "get"), "PodExecOptions"),
    Subresource("log", ("get",)),
    Subresource("portforward", ("create", "get"), "PodPortForwardOptions"),
    STATUS,
)
EVERY = ("all",)

RESOURCES: tuple[Resource, ...] = (
    Resource("namespaces", "Namespace", namespaced=False, short=("ns",), subresources=(STATUS,)),
    Resource("nodes", "Node", namespaced=False, short=("no",), subresources=(STATUS,)),
    Resource("pods", "Pod", short=("po",), categories=EVERY, subresources=POD_SUBRESOURCES),
    Resource("services", "Service", short=("svc",), categories=EVERY, subresources=(STATUS,)),
    Resource("endpoints", "Endpoints", short=("ep",)),
    Resource("events", "Event", short=("ev",)),
    Resource("configmaps", "ConfigMap", short=("cm",)),
    Resource("secrets", "Secret"),
    Resource("serviceaccounts", "ServiceAccount", short=("sa",)),
    Resource("persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",), subresources=(STATUS,)),
    Resource("persistentvolumes", "PersistentVolume", namespaced=False, short=("pv",), subresources=(STATUS,)),
    Resource("statefulsets", "StatefulSet", "apps", short=("sts",), categories=EVERY, subresources=(SCALE, STATUS)),
    Resource("daemonsets", "DaemonSet", "apps", short=("ds",), categories=EVERY, subresources=(STATUS,)),
    # Nothing here would make the pods of these two. Sleeping pods have a ReplicaSet, whose scale a budget asks for.
    Resource("deployments", "Deployment", "apps", short=("deploy",), categories=EVERY, verbs=READ),
    Resource(
        "replicasets", "ReplicaSet", "apps", short=("rs",), categories=EVERY, verbs=READ, subresources=(READ_SCALE,)
    ),
    Resource("controllerrevisions", "ControllerRevision", "apps"),
    Resource("poddisruptionbudgets", "PodDisruptionBudget", "policy", short=("pdb",), subresources=(STATUS,)),
    Resource("leases", "Lease", "coordination.k8s.io"),
    Resource("endpointslices", "EndpointSlice", "discovery.k8s.io"),
    Resource("storageclasses", "StorageClass", "storage.k8s.io", namespaced=False, short=("sc",)),
    Resource(
        "selfsubjectaccessreviews",
        "SelfSubjectAccessReview",
        "authorization.k8s.io",
        namespaced=False,
        verbs=("create",),
    ),
    Resource(
        "selfsubjectrulesreviews",
        "SelfSubjectRulesReview",
        "authorization.k8s.io",
        namespaced=False,
        verbs=("create",),
    ),
    Resource(
        "selfsubjectreviews",
        "SelfSubjectReview",
        "authentication.k8s.io",
        namespaced=False,
        verbs=("create",),
    ),
)

BY_KEY = {resource.key: resource for resource in RESOURCES}
BY_PATH = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
BY_KIND = {(resource.api_version, resource.kind): resource for resource in RESOURCES}


def _versions() -> dict[str, frozenset[str]]:
    """kind -> the API versions in which an object of it may be sent."""
    found: dict[str, set[str]] = {"Eviction": {"policy/v1beta1"}}
    for resource in RESOURCES:
        found.setdefault(resource.kind, set()).add(resource.api_version)
        for sub in resource.subresources:
            version = f"{sub.group}/{sub.version}" if sub.group else resource.api_version
            found.setdefault(sub.kind or resource.kind, set()).add(version)
    return {kind: frozenset(versions) for kind, versions in found.items()}


VERSIONS = _versions()


def groups() -> dict[tuple[str, str], list[Resource]]:
    """(group, version) -> its resources, in the table's order; the core group is ``("", "v1")``."""
    found: dict[tuple[str, str], list[Resource]] = {}
    for resource in RESOURCES:
        found.setdefault((resource.group, resource.version), []).append(resource)
    return found
