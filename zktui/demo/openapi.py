"""OpenAPI, as far as kubectl reads it: the types of the served kinds, and which of them may be patched how.

``kubectl apply`` looks for ``fieldValidation`` among the parameters of a kind's PATCH, ``kubectl explain`` for the
types. Neither is told what a field is for: there is no prose in the table of types. The second version is asked for
where an object is a List, which no server knows; without definitions kubectl has nothing against it.
"""

from __future__ import annotations

from typing import Any

from zktui.demo import schema
from zktui.demo.objects import Object
from zktui.demo.patches import TYPES
from zktui.demo.resources import Resource, groups
from zktui.demo.schema import Type

V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
REF = "#/components/schemas/"
SCALARS: dict[str, Object] = {
    "string": {"type": "string"},
    "time": {"type": "string", "format": "date-time"},
    "boolean": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intstr": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "any": {"type": "object"},
}


def index() -> Object:
    """``/openapi/v3``."""
    paths = [_path(group, version) for group, version in groups()]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash=demo"} for path in paths}}


def v2() -> bytes:
    """``/openapi/v2``: a document without definitions, in protobuf (gnostic's ``openapi_v2.Document``)."""
    info = _field(1, b"zktui demo") + _field(2, b"v1")
    return _field(1, b"2.0") + _field(2, info) + _field(8, b"")


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field; all of them are short here."""
    return bytes([number << 3 | 2, len(value)]) + value


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def document(path: str) -> Object | None:
    """``/openapi/v3/PATH``; None for a group that isn't served."""
    for (group, version), served in groups().items():
        if _path(group, version) == path:
            paths: Object = {}
            for resource in served:
                space = "namespaces/{namespace}/" if resource.namespaced else ""
                all_of = f"/{path}/{space}{resource.plural}"
                paths[all_of] = {"get": _operation("list", resource)}
                paths[all_of + "/{name}"] = {"get": _operation("get", resource), "patch": _patch(resource)}
            info = {"title": "zktui demo", "version": version}
            return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": _schemas(served)}}
    return None


def _kind(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _operation(action: str, resource: Resource) -> Object:
    return {
        "operationId": f"{action}{resource.kind}",
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
    }


def _patch(resource: Resource) -> Object:
    string = {"type": "string", "uniqueItems": True}
    parameters = [
        {"name": name, "in": "query", "schema": string}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    content = {media: {"schema": {"type": "object"}} for media in TYPES}
    return {**_operation("patch", resource), "parameters": parameters, "requestBody": {"content": content}}


# -- types ---------------------------------------------------------------------------------------------


def _schemas(served: list[Resource]) -> Object:
    """The types of these resources, and all that they are made of."""
    found: Object = {}
    for resource in served:
        kind = schema.of(resource)
        if kind.kind == "object":
            _add(kind, found)
            found[kind.name]["x-kubernetes-group-version-kind"] = [_kind(resource)]
    return found


def _add(kind: Type, found: Object) -> None:
    if kind.name in found:
        return
    entry: Object = {"type": "object"}
    found[kind.name] = entry
    entry["properties"] = {name: _written(part, found) for name, part in kind.fields.items()}
    if required := [name for name, part in kind.fields.items() if part.required]:
        entry["required"] = required
    if kind.atomic:
        entry["x-kubernetes-map-type"] = "atomic"


def _written(kind: Type, found: Object) -> Object:
    if kind.kind == "scalar":
        return SCALARS[kind.name]
    if kind.kind == "object":
        _add(kind, found)
        strategy: Object = {"x-kubernetes-patch-strategy": "replace"} if kind.replaced else {}
        return {"allOf": [{"$ref": REF + kind.name}], "default": {}, **strategy}
    assert kind.item is not None
    if kind.kind == "map":
        atomic: Object = {"x-kubernetes-map-type": "atomic"} if kind.atomic else {}
        return {"type": "object", "additionalProperties": _written(kind.item, found), **atomic}
    return {"type": "array", "items": _written(kind.item, found), **_list(kind)}


def _list(kind: Type) -> dict[str, Any]:
    how: Object = {"x-kubernetes-list-type": "atomic" if kind.atomic else "set" if kind.is_set else "map"}
    if kind.keys and not kind.atomic:
        how["x-kubernetes-list-map-keys"] = list(kind.keys)
    if kind.merged:
        how["x-kubernetes-patch-strategy"] = "merge"
        if kind.keys:
            how["x-kubernetes-patch-merge-key"] = kind.keys[0]
    return how
