"""OpenAPI v3, as far as kubectl reads it: which kinds take ``fieldValidation`` and ``dryRun`` in a PATCH.

There are no schemas, so ``kubectl explain`` has nothing to explain, and kubectl builds its patches from the
types compiled into it.
"""

from __future__ import annotations

from zktui.demo.objects import Object
from zktui.demo.patches import TYPES
from zktui.demo.resources import Resource, groups


def index() -> Object:
    """``/openapi/v3``."""
    paths = [_path(group, version) for group, version in groups()]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=demo"} for path in paths}}


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(path: str) -> Object | None:
    """``/openapi/v3/PATH``; None for a group that isn't served."""
    for (group, version), served in groups().items():
        if _path(group, version) == path:
            paths = {_template(path, resource): {"patch": _patch(resource)} for resource in served}
            info = {"title": "zktui demo", "version": version}
            return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}
    return None


def _template(path: str, resource: Resource) -> str:
    space = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{path}/{space}{resource.plural}/{{name}}"


def _patch(resource: Resource) -> Object:
    string = {"type": "string", "uniqueItems": True}
    parameters = [
        {"name": name, "in": "query", "schema": string}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    # The strategic merge patch is left out: listed, kubectl would look for a schema to build it from.
    content = {media: {"schema": {"type": "object"}} for media in TYPES if "strategic" not in media}
    return {
        "operationId": f"patch{resource.kind}",
        "parameters": parameters,
        "requestBody": {"content": content},
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
    }
