"""The patches of an object: JSON (RFC 6902), merge (RFC 7386) and strategic merge."""

from __future__ import annotations

import copy
from typing import Any, cast

from zktui.demo import errors
from zktui.demo.objects import Object, children
from zktui.demo.resources import Resource
from zktui.demo.schema import Type, of, part_of

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TYPES = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH]


def apply_patch(info: Resource, obj: Object, media_type: str, body: Any) -> Object:
    """A patched copy of ``obj``; 400 or 422 for a patch that can't be applied, 415 for an unknown type."""
    target = copy.deepcopy(obj)
    if media_type == JSON_PATCH:
        if not isinstance(body, list):
            raise errors.bad_request("error decoding patch: json: cannot unmarshal object into a list of operations")
        return json_patch(target, cast("list[Any]", body))
    if media_type not in TYPES:
        raise errors.unsupported_patch()
    if not isinstance(body, dict):
        raise errors.bad_request("error decoding patch: json: cannot unmarshal array into an object")
    if media_type == MERGE_PATCH:
        return merge_patch(target, body)
    return _strategic(target, cast("Object", body), of(info))


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged: Object = cast("Object", target) if isinstance(target, dict) else {}
    for key, value in cast("Object", patch).items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


# -- strategic merge -----------------------------------------------------------------------------------


def _strategic(target: Object, patch: Object, kind: Type | None) -> Object:
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if "$retainKeys" in patch:
        kept = patch["$retainKeys"]
        target = {key: value for key, value in target.items() if key in kept}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            target[field] = [entry for entry in children(target, field) if entry not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            part = cast("Object", value)
            if part.get("$patch") == "delete":
                target.pop(key, None)
            else:
                held = target.get(key)
                inside = cast("Object", held) if isinstance(held, dict) else {}
                what = part_of(kind, key)
                target[key] = _strategic({} if what and what.replaced else inside, part, what)
        elif isinstance(value, list):
            target[key] = _merge_list(children(target, key), cast("list[Any]", value), part_of(kind, key))
        else:
            target[key] = value
    return target


def _merge_list(held: list[Any], patch: list[Any], kind: Type | None) -> list[Any]:
    """A list that has keys is merged by the first of them, a set as such; every other list is replaced."""
    if kind is None or kind.kind != "list" or not kind.merged:
        return copy.deepcopy(patch)
    if not kind.is_set and not all(isinstance(entry, dict) for entry in patch):
        raise errors.bad_request("error decoding patch: a list that is merged by a key has an item that is no object")
    if kind.is_set:
        return [*held, *(entry for entry in patch if entry not in held)]
    key = kind.keys[0]
    if {"$patch": "replace"} in patch:
        return [copy.deepcopy(entry) for entry in patch if entry != {"$patch": "replace"}]
    merged = list(held)
    for entry in cast("list[Object]", patch):
        place = next((at for at, old in enumerate(merged) if old.get(key) == entry.get(key)), None)
        if entry.get("$patch") == "delete":
            if place is not None:
                del merged[place]
        elif place is None:
            merged.append(_strategic({}, entry, kind.item))
        else:
            merged[place] = _strategic(merged[place], entry, kind.item)
    return merged


# -- JSON patch ----------------------------------------------------------------------------------------


def json_patch(target: Object, operations: list[Any]) -> Object:
    """Apply the operations in order; the first that fails fails the patch (422, as Kubernetes answers)."""
    document: Any = target
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as why:
            words = "the server rejected our request due to an error in our request"
            raise errors.ApiError(422, "Invalid", words, {}) from why
    if not isinstance(document, dict):
        raise errors.bad_request("error decoding patch: what it makes of the object is no object")
    return cast("Object", document)


def _steps(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise ValueError(f"path {path!r} does not start with /")
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _look(document: Any, steps: list[str]) -> Any:
    found = document
    for step in steps:
        found = found[_place(found, step)]
    return found


def _place(parent: Any, step: str) -> int | str:
    return int(step) if isinstance(parent, list) else step


def _operate(document: Any, operation: Object) -> Any:
    name, steps = operation["op"], _steps(operation["path"])
    if name == "test":
        if _look(document, steps) != operation.get("value"):
            raise ValueError(f"testing path {operation['path']} value failed")
        return document
    if name in ("move", "copy"):
        source = _steps(operation["from"])
        value = copy.deepcopy(_look(document, source))
        if name == "move":
            _remove(document, source)
        return _add(document, steps, value)
    if name == "remove":
        _remove(document, steps)
        return document
    if name == "replace" and steps:
        _look(document, steps)
        parent: Any = _look(document, steps[:-1])
        parent[_place(parent, steps[-1])] = copy.deepcopy(operation["value"])
        return document
    if name in ("add", "replace"):
        return _add(document, steps, copy.deepcopy(operation["value"]))
    raise ValueError(f"unexpected kind: {name}")


def _remove(document: Any, steps: list[str]) -> None:
    parent: Any = _look(document, steps[:-1])
    del parent[_place(parent, steps[-1])]


def _add(document: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    parent: Any = _look(document, steps[:-1])
    if not isinstance(parent, list):
        parent[steps[-1]] = value
        return document
    place = len(cast("list[Any]", parent)) if steps[-1] == "-" else int(steps[-1])
    if place > len(cast("list[Any]", parent)):
        raise IndexError(f"index {place} is out of bounds")
    cast("list[Any]", parent).insert(place, value)
    return document
