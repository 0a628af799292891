"""What the API server does and warns of: the header ``Warning`` of a reply (RFC 7234, code 299)."""

from __future__ import annotations

from zktui.demo.objects import Object, child, children, name_of
from zktui.demo.resources import Resource

OLD_LABELS = {"beta.kubernetes.io/os": "kubernetes.io/os", "beta.kubernetes.io/arch": "kubernetes.io/arch"}


def of_request(resource: Resource) -> list[str]:
    """Warnings that every request for a resource gets."""
    if resource.key == "endpoints":
        return ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"]
    return []


def of_object(resource: Resource, obj: Object) -> list[str]:
    """Warnings of an object that was just written: of a pod, or of the pods that it makes."""
    if resource.key == "daemonsets.apps":
        return ["no controller of DaemonSets runs in the rehearsal cluster: their pods are not made"]
    if resource.key == "pods":
        found: list[str] = []
        if "." in name_of(obj):
            found.append(
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
                "a DNS label is recommended: [must not contain dots]"
            )
        return [*found, *_of_pod(child(obj, "spec"), "spec")]
    return _of_pod(child(obj, "spec", "template", "spec"), "spec.template.spec")


def header(warnings: list[str]) -> dict[str, str]:
    """The reply's header."""
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in warnings]
    return {"Warning": ", ".join(f'299 - "{text}"' for text in quoted)} if quoted else {}


def _of_pod(spec: Object, path: str) -> list[str]:
    found = [
        f'{path}.nodeSelector[{old}]: deprecated since v1.14; use "{new}" instead'
        for old, new in OLD_LABELS.items()
        if old in child(spec, "nodeSelector")
    ]
    for place, container in enumerate(children(spec, "containers")):
        seen: set[str] = set()
        for index, variable in enumerate(children(container, "env")):
            if variable["name"] in seen:
                where = f"{path}.containers[{place}].env[{index}]"
                words = f'hides previous definition of "{variable["name"]}", which may be dropped when using apply'
                found.append(f"{where}: {words}")
            seen.add(variable["name"])
    return found
