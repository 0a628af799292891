"""Reading Kubernetes objects as decoded JSON, where any part may be absent or null."""

from __future__ import annotations

from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object, or a part of one."""


def child(obj: Object, *path: str) -> Object:
    """The object at that path; an empty one where something on the way is absent or null."""
    for step in path:
        obj = obj.get(step) or {}
    return obj


def children(obj: Object, *path: str) -> list[Any]:
    """The list at that path; an empty one where something on the way is absent or null."""
    return child(obj, *path[:-1]).get(path[-1]) or []


def meta(obj: Object) -> Object:
    """The object's metadata, which every stored object has."""
    return obj["metadata"]


def name_of(obj: Object) -> str:
    return obj["metadata"]["name"]


def namespace_of(obj: Object) -> str:
    """The namespace; empty for a cluster-scoped object."""
    return obj["metadata"].get("namespace", "")


def labels_of(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def condition(obj: Object, kind: str) -> Object | None:
    """The status condition of that type, or None."""
    return next((entry for entry in children(obj, "status", "conditions") if entry.get("type") == kind), None)


def is_ready(pod: Object) -> bool:
    """Does the pod (or the node) have the condition Ready=True?"""
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"
