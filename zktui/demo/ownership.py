"""Who owns which field: ``metadata.managedFields``, and server-side apply with its conflicts.

Follows Kubernetes' structured merge (sigs.k8s.io/structured-merge-diff): a set of fields for each manager and
operation; an update owns what it changes; an apply owns what it sends, conflicts with whoever else owns a field
that it would change, and removes what it sent before and nobody else owns.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from zktui.demo.errors import ApiError
from zktui.demo.names import now
from zktui.demo.objects import Object, child, children, meta

Path = tuple[str, ...]
"""Steps as in FieldsV1: ``f:name``, ``k:{"name":"x"}`` of a list's item, ``v:"x"`` of a set's."""

LIST_KEYS: dict[str, tuple[str, ...]] = {
    "addresses": ("type",),
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Lists whose items are owned one by one, and by which fields they are told apart (x-kubernetes-list-map-keys);
ports depend on whose they are (see :func:`_keys`). Every other list is owned as a whole."""

KEY_DEFAULTS = {"protocol": "TCP"}
SETS = frozenset({"finalizers"})
ATOMIC = frozenset(
    {"selector", "labelSelector", "namespaceSelector", "nodeSelector", "fieldRef", "resourceFieldRef", "claimRef"}
)
"""Objects that are owned as a whole (x-kubernetes-map-type: atomic)."""

UNOWNED = frozenset(
    {
        *("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"),
        *("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generateName"),
    }
)
"""Metadata that no manager owns."""

APPLY, UPDATE = "Apply", "Update"
_ITEM = object()


@dataclass(frozen=True)
class Writer:
    """Who writes: ``manager`` as ``fieldManager`` names it, and whether it applies. ``force`` takes what is others'."""

    manager: str
    operation: str = UPDATE
    force: bool = False
    subresource: str = ""


Fields = dict[Path, Any]
"""Each owned place with its value; an item of a list is a place of its own."""


def fields_of(obj: Object) -> Fields:
    """Everything in the object that somebody may own, its status apart."""
    found: Fields = {}
    parts = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind", "status")}
    parts["metadata"] = {name: part for name, part in child(obj, "metadata").items() if name not in UNOWNED}
    for key, value in parts.items():
        if key != "metadata" or value:
            found.update(_fields((f"f:{key}",), key, value))
    return found


def _fields(path: Path, name: str, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and name not in ATOMIC:
        for key, part in cast("Object", value).items():
            yield from _fields((*path, f"f:{key}"), key, part)
    elif isinstance(value, list) and value and (keys := _keys(name, cast("list[Any]", value))):
        for item in cast("list[Object]", value):
            place = (*path, _item_step(item, keys))
            yield place, _ITEM
            for key, part in item.items():
                yield from _fields((*place, f"f:{key}"), key, part)
    elif isinstance(value, list) and value and name in SETS:
        for item in cast("list[Any]", value):
            yield (*path, f"v:{json.dumps(item)}"), _ITEM
    else:
        yield path, value


def _keys(name: str, items: list[Any]) -> tuple[str, ...]:
    """The fields that tell the items apart; none for a list that is owned as a whole."""
    if not all(isinstance(item, dict) for item in items):
        return ()
    if name == "ports":
        return ("containerPort" if "containerPort" in items[0] else "port", "protocol")
    keys = LIST_KEYS.get(name, ())
    return keys if all(all(key in item or key in KEY_DEFAULTS for key in keys) for item in items) else ()


def _item_step(item: Object, keys: tuple[str, ...]) -> str:
    told = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in sorted(keys)}
    return "k:" + json.dumps(told, separators=(",", ":"))


# -- managedFields -------------------------------------------------------------------------------------

Owners = dict[tuple[str, str, str, str], set[Path]]
"""(manager, operation, apiVersion, subresource) -> the places that it owns."""


def _owners(entries: list[Object]) -> Owners:
    found: Owners = {}
    for entry in entries:
        if entry.get("manager"):
            key = (entry["manager"], entry["operation"], entry.get("apiVersion", ""), entry.get("subresource", ""))
            found[key] = set(_read(entry.get("fieldsV1") or {}))
    return found


def _read(fields: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    for step, below in fields.items():
        if step == ".":
            yield path
        elif below:
            yield from _read(below, (*path, step))
        else:
            yield (*path, step)


def _written(owned: set[Path]) -> Object:
    tree: Object = {}
    for path in sorted(owned):
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        if any(other[: len(path)] == path and other != path for other in owned):
            place["."] = {}
    return tree


def _entries(owners: Owners, before: list[Object]) -> list[Object]:
    """managedFields for these owners; an entry that says what it said keeps its time."""
    stamp, found = now(), list[Object]()
    for (manager, operation, version, subresource), owned in owners.items():
        if not owned:
            continue
        entry: Object = {"manager": manager, "operation": operation, "apiVersion": version}
        entry.update(fieldsType="FieldsV1", fieldsV1=_written(owned))
        if subresource:
            entry["subresource"] = subresource
        same = next((old for old in before if {k: v for k, v in old.items() if k != "time"} == entry), None)
        found.append(same or {**entry, "time": stamp})
    return found


# -- writing -------------------------------------------------------------------------------------------


def after_update(before: Object | None, fresh: Object, writer: Writer) -> list[Object]:
    """managedFields once ``fresh`` (with its defaults) replaces ``before``: the writer owns what it changed.

    A writer may set managedFields itself, as kubectl does to take over what it applied on its own side.
    """
    held = children(meta(fresh), "managedFields") or (children(meta(before), "managedFields") if before else [])
    old, new = fields_of(before) if before else Fields(), fields_of(fresh)
    changed = {path for path, value in new.items() if path not in old or old[path] != value}
    owners = _owners(held)
    for owned in owners.values():
        owned.difference_update({path for path in owned if path not in new or path in changed})
    own = owners.setdefault((writer.manager, UPDATE, fresh["apiVersion"], writer.subresource), set())
    own |= changed
    return _entries(owners, held)


def apply(before: Object | None, config: Object, writer: Writer, version: str) -> Object:
    """The object that applying ``config`` makes of ``before``, with its managedFields, its defaults not filled in.

    400 for a configuration with managedFields; 409 with a cause for each field of another's that would change.
    """
    if children(config, "metadata", "managedFields"):
        raise ApiError(400, "BadRequest", "metadata.managedFields must be nil")
    held = children(meta(before), "managedFields") if before else []
    owners, wanted = _owners(held), fields_of(config)
    key = (writer.manager, APPLY, version, "")
    live = fields_of(before) if before else Fields()
    changed = {path for path, value in wanted.items() if path in live and live[path] != value}
    conflicts = [(owner, path) for owner in owners if owner != key for path in sorted(changed & owners[owner])]
    if conflicts and not writer.force:
        raise _conflict(conflicts)
    for owner, owned in owners.items():
        if owner != key:
            owned.difference_update(changed)
    merged = _merge(copy.deepcopy(before) if before else {}, config)
    others = {path for owner, owned in owners.items() if owner != key for path in owned}
    for path in sorted(owners.get(key, set()) - set(wanted), key=len):
        if not any(other[: len(path)] == path for other in others) and not any(
            mine[: len(path)] == path for mine in wanted
        ):
            _take_out(merged, path)
    owners[key] = set(wanted)
    left = set(fields_of(merged))
    for owned in owners.values():
        owned.intersection_update(left)
    merged.setdefault("metadata", {})["managedFields"] = _entries(owners, held)
    return merged


def _merge(live: Any, config: Any, name: str = "") -> Any:
    if isinstance(config, dict) and name not in ATOMIC:
        target: Object = cast("Object", live) if isinstance(live, dict) else {}
        for key, value in cast("Object", config).items():
            target[key] = _merge(target.get(key), value, key)
        return target
    if isinstance(config, list) and isinstance(live, list):
        sent, held = cast("list[Any]", config), cast("list[Any]", live)
        if name in SETS:
            return [*held, *(item for item in sent if item not in held)]
        if keys := _keys(name, sent):
            return _merge_items(held, sent, keys)
    return copy.deepcopy(cast("Any", config))


def _merge_items(held: list[Object], sent: list[Object], keys: tuple[str, ...]) -> list[Object]:
    places = {_item_step(item, keys): at for at, item in enumerate(held)}
    merged = list(held)
    for item in sent:
        at = places.get(_item_step(item, keys))
        if at is None:
            merged.append(copy.deepcopy(item))
        else:
            merged[at] = _merge(merged[at], item)
    return merged


def _take_out(obj: Object, path: Path) -> None:
    """Remove what stands at the path, if it does."""
    place: Any = obj
    for step in path[:-1]:
        place = _at(place, step)
        if place is None:
            return
    last = path[-1]
    if last.startswith("f:") and isinstance(place, dict):
        cast("Object", place).pop(last[2:], None)
    elif isinstance(place, list):
        items = cast("list[Any]", place)
        found = json.loads(last[2:]) if last.startswith("v:") else _at(items, last)
        if found in items:
            items.remove(found)


def _at(place: Any, step: str) -> Any:
    if step.startswith("f:"):
        return cast("Object", place).get(step[2:]) if isinstance(place, dict) else None
    wanted = json.loads(step[2:])
    items = cast("list[Any]", place) if isinstance(place, list) else []
    if step.startswith("v:"):
        return wanted if wanted in items else None
    return next((i for i in items if all(i.get(k, KEY_DEFAULTS.get(k)) == v for k, v in wanted.items())), None)


# -- conflicts -----------------------------------------------------------------------------------------


def _conflict(conflicts: list[tuple[tuple[str, str, str, str], Path]]) -> ApiError:
    """409 in the words of apimachinery's managedfields (NewConflictError)."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(owner)}", "field": _dotted(path)}
        for owner, path in conflicts
    ]
    if len(conflicts) == 1:
        owner, path = conflicts[0]
        words = f"Apply failed with 1 conflict: conflict with {_named(owner)}: {_dotted(path)}"
    else:
        by_owner: dict[str, list[str]] = {}
        for owner, path in conflicts:
            by_owner.setdefault(_named(owner), []).append(f"- {_dotted(path)}")
        told = [f"conflicts with {owner}:\n" + "\n".join(paths) for owner, paths in sorted(by_owner.items())]
        words = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(told)
    return ApiError(409, "Conflict", words, {"causes": causes})


def _named(owner: tuple[str, str, str, str]) -> str:
    manager, operation, version, subresource = owner
    words = json.dumps(manager) + (f' with subresource "{subresource}"' if subresource else "")
    return words if operation == APPLY else f"{words} using {version}"


def _dotted(path: Path) -> str:
    """``.spec.template.spec.containers[name="zookeeper"].image``."""
    parts: list[str] = []
    for step in path:
        if step.startswith("f:"):
            parts.append(f".{step[2:]}")
        elif step.startswith("v:"):
            parts.append(f"[={step[2:]}]")
        else:
            told = ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(step[2:]).items())
            parts.append(f"[{told}]")
    return "".join(parts)
