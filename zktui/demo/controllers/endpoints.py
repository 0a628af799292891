"""Which pods a service leads to: Endpoints and EndpointSlices."""

from __future__ import annotations

from typing import Any, ClassVar

from zktui.demo.controllers.base import Controller
from zktui.demo.names import random_suffix
from zktui.demo.objects import Object, child, children, is_ready, labels_of, meta, name_of, namespace_of
from zktui.demo.store import thaw

SLICES = "endpointslices.discovery.k8s.io"
SERVICE = "kubernetes.io/service-name"


class EndpointsController(Controller):
    """One slice and one Endpoints object for each service with a selector."""

    watches: ClassVar[frozenset[str]] = frozenset({"services", "pods", SLICES, "endpoints"})

    def reconcile(self) -> float | None:
        for service in self.store.list("services")[0]:
            selector = child(service, "spec").get("selector")
            if selector:
                self._reconcile(service, selector)
        return None

    def _reconcile(self, service: Object, selector: dict[str, str]) -> None:
        space = namespace_of(service)
        pods = [
            pod
            for pod in self.store.list("pods", space)[0]
            if selector.items() <= labels_of(pod).items()
            and child(pod, "status").get("podIP")
            and child(pod, "status").get("phase") not in ("Succeeded", "Failed")
        ]
        endpoints = [_endpoint(service, pod) for pod in pods]
        ports = _ports(service, pods)
        self._put_slice(service, {"addressType": "IPv4", "endpoints": endpoints, "ports": ports})
        self._put_endpoints(service, endpoints, ports)

    def _put_slice(self, service: Object, content: Object) -> None:
        name, space = name_of(service), namespace_of(service)
        held = self.store.list(SLICES, space, f"{SERVICE}={name}")[0]
        if held:
            if any(held[0].get(key) != value for key, value in content.items()):
                self.store.update(SLICES, {**thaw(held[0]), **content})
            return
        labels = {
            **labels_of(service),
            SERVICE: name,
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller",
        }
        metadata = {"name": f"{name}-{random_suffix()}", "namespace": space, "labels": labels}
        self.store.create(SLICES, {"metadata": {**metadata, **_owned(service)}, **content})

    def _put_endpoints(self, service: Object, endpoints: list[Object], ports: list[Any]) -> None:
        name, space = name_of(service), namespace_of(service)
        subsets: list[Object] = []
        groups = {key: [entry for entry in endpoints if entry["conditions"]["ready"] == ready] for key, ready in READY}
        found = {key: [_address(entry) for entry in group] for key, group in groups.items() if group}
        if found:
            subsets = [{**found, "ports": ports}]
        held = self.store.find("endpoints", space, name)
        if held is None:
            metadata = {"name": name, "namespace": space, "labels": labels_of(service)}
            self.store.create("endpoints", {"metadata": {**metadata, **_owned(service)}, "subsets": subsets})
        elif held.get("subsets") != subsets:
            self.store.update("endpoints", {**thaw(held), "subsets": subsets})


READY = (("addresses", True), ("notReadyAddresses", False))


def _owned(service: Object) -> Object:
    owner = {"apiVersion": "v1", "kind": "Service", "name": name_of(service), "uid": meta(service)["uid"]}
    return {"ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}]}


def _endpoint(service: Object, pod: Object) -> Object:
    """``ready`` decides what DNS answers: a service that publishes not-ready addresses counts all as ready."""
    serving, terminating = is_ready(pod), bool(meta(pod).get("deletionTimestamp"))
    publish = bool(child(service, "spec").get("publishNotReadyAddresses"))
    found: Object = {
        "addresses": [child(pod, "status")["podIP"]],
        "conditions": {
            "ready": publish or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "nodeName": child(pod, "spec").get("nodeName"),
        "targetRef": {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": meta(pod)["uid"]},
    }
    spec = child(pod, "spec")
    if spec.get("hostname") and spec.get("subdomain") == name_of(service):
        found["hostname"] = spec["hostname"]
    return found


def _address(endpoint: Object) -> Object:
    kept = {key: endpoint[key] for key in ("hostname", "nodeName", "targetRef") if key in endpoint}
    return {"ip": endpoint["addresses"][0], **kept}


def _ports(service: Object, pods: list[Object]) -> list[Any]:
    """A port's target may be the name of one of the pods' ports; the first pod tells for all, which are of one set."""
    named = {
        port.get("name"): port["containerPort"]
        for pod in pods[:1]
        for container in children(pod, "spec", "containers")
        for port in children(container, "ports")
    }
    found = [(port, port.get("targetPort", port["port"])) for port in children(service, "spec", "ports")]
    return [
        {"name": port.get("name", ""), "port": named.get(target, target), "protocol": port["protocol"]}
        for port, target in found
        if isinstance(target, int) or target in named
    ]
