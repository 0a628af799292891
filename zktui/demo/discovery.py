"""Discovery: which groups, versions and resources there are, in the legacy and the aggregated form."""

from __future__ import annotations

from zktui.demo.objects import Object
from zktui.demo.resources import Resource, groups

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION: Object = {
    "major": "1",
    "minor": "37",
    "gitVersion": "v1.37.2",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
"""The Kubernetes version whose behaviour is rehearsed."""


def wants_aggregated(accept: str) -> bool:
    """Does the client ask for the aggregated form (kubectl does; the Python client doesn't)?"""
    choices = [choice.replace(" ", "").split(";") for choice in accept.split(",")]
    return any({"g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"} <= set(parts) for parts in choices)


def api_versions(address: str) -> Object:
    """``/api``."""
    clients = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": clients}


def _group(group: str, version: str) -> Object:
    entry = {"groupVersion": f"{group}/{version}", "version": version}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def api_groups() -> Object:
    """``/apis``."""
    found = [_group(group, version) for group, version in groups() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def api_group(name: str) -> Object | None:
    """``/apis/GROUP``; None for an unknown group."""
    version = next((version for group, version in groups() if group == name), None)
    if not name or version is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, version)}


def api_resources(group: str, version: str) -> Object | None:
    """``/api/v1`` or ``/apis/GROUP/VERSION``; None for what isn't served."""
    served = groups().get((group, version))
    if served is None:
        return None
    entries = [entry for resource in served for entry in _legacy_entries(resource)]
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": entries}


def _legacy_entries(resource: Resource) -> list[Object]:
    main: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        main["shortNames"] = list(resource.short)
    if resource.categories:
        main["categories"] = list(resource.categories)
    entries = [main]
    for sub in resource.subresources:
        entry: Object = {
            "name": f"{resource.plural}/{sub.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": sub.kind or resource.kind,
            "verbs": list(sub.verbs),
        }
        if sub.version:
            entry.update(group=sub.group, version=sub.version)
        entries.append(entry)
    return entries


def aggregated(*, core: bool) -> Object:
    """``/api`` (core) or ``/apis`` as an APIGroupDiscoveryList."""
    items: list[Object] = []
    for (group, version), served in groups().items():
        if bool(group) == core:
            continue
        entries = [_aggregated_entry(resource) for resource in served]
        metadata: Object = {"creationTimestamp": None, **({"name": group} if group else {})}
        items.append(
            {
                "metadata": metadata,
                "versions": [{"version": version, "resources": entries, "freshness": "Current"}],
            }
        )
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_entry(resource: Resource) -> Object:
    def kind(group: str, version: str, name: str) -> Object:
        return {"group": group, "version": version, "kind": name}

    own = kind(resource.group, resource.version, resource.kind)
    entry: Object = {
        "resource": resource.plural,
        "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short:
        entry["shortNames"] = list(resource.short)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": kind(sub.group, sub.version or "v1", sub.kind) if sub.kind else own,
                "verbs": list(sub.verbs),
            }
            for sub in resource.subresources
        ]
    return entry
