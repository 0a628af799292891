"""The fields of an object as Kubernetes' managedFields name them, and objects merged and cut by them.

A path is a tuple of elements: ``f:spec`` a field or a map's key, ``k:{"name":"zk"}`` an item of a list by its keys,
``v:"x"`` an item of a set. What is atomic is one field, whatever is in it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, cast

from zktui.demo.objects import Object
from zktui.demo.schema import Type, part_of

Path: TypeAlias = tuple[str, ...]
ITEM = object()
"""The value of a list's item as such: it is there."""


class Unmergeable(Exception):
    """A configuration that can't be told apart by fields; the message is the server's."""


def fields_of(value: Any, kind: Type | None) -> dict[Path, Any]:
    """Path to value of every field that is set: leaves, what is atomic, what is empty, and the items of lists."""
    return {path: part for path, part in _walk(value, kind, ()) if path}


def _walk(value: Any, kind: Type | None, path: Path) -> Iterator[tuple[Path, Any]]:
    if kind is None or kind.atomic or kind.kind == "scalar" or not value:
        yield path, value
    elif kind.kind == "list":
        for item in cast("list[Any]", value):
            at = (*path, element(item, kind))
            yield at, ITEM
            if not kind.is_set:
                yield from ((found, part) for found, part in _walk(item, kind.item, at) if found != at)
    else:
        for key, part in cast("Object", value).items():
            yield from _walk(part, part_of(kind, key), (*path, f"f:{key}"))


def element(item: Any, kind: Type) -> str:
    """How an item of a list is named in a path."""
    key = item if kind.is_set else kind.key_of(item)
    return f"{'v' if kind.is_set else 'k'}:{json.dumps(key, separators=(',', ':'), sort_keys=True)}"


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """The paths, and the fields that they are in."""
    found: set[Path] = set()
    for path in paths:
        found.add(path)
        found.update(path[:end] for end in range(1, len(path)) if path[end - 1].startswith("f:"))
    return found


# -- as managedFields keep them ----------------------------------------------------------------------------


def to_tree(paths: Iterable[Path]) -> Object:
    """``fieldsV1``; an item that is named itself, and not only by what is in it, holds a ``.``."""
    tree: Object = {}
    for path in sorted(paths):
        at = tree
        for step in path:
            at = at.setdefault(step, {})
        if path[-1].startswith(("k:", "v:")):
            at["."] = {}
    return _plain(tree)


def _plain(tree: Object) -> Object:
    return {key: {} if part == {".": {}} else _plain(part) for key, part in tree.items()}


def from_tree(tree: Object) -> set[Path]:
    """The paths of ``fieldsV1``."""
    return set(_branches(tree, ()))


def _branches(tree: Object, path: Path) -> Iterator[Path]:
    if path and (not tree or "." in tree):
        yield path
    for key, part in tree.items():
        if key != ".":
            yield from _branches(part, (*path, key))


def shown(path: Path) -> str:
    """A path as messages name it: ``.spec.template.spec.containers[name="zk"].image``."""
    text = ""
    for step in path:
        if step.startswith("f:"):
            text += f".{step[2:]}"
        elif step.startswith("v:"):
            text += f"[={step[2:]}]"
        else:
            keys = json.loads(step[2:])
            text += f"[{','.join(f'{key}={json.dumps(value)}' for key, value in keys.items())}]"
    return text


# -- objects ---------------------------------------------------------------------------------------------


def merge(live: Any, config: Any, kind: Type | None) -> Any:
    """``live`` with all that ``config`` says; lists by their items. Raises :class:`Unmergeable`."""
    if kind is None or kind.atomic or kind.kind == "scalar" or config is None or not live:
        return _checked(copy.deepcopy(config), kind)
    if kind.kind == "list":
        return _merge_items(live, config, kind)
    merged: Object = dict(live)
    for key, part in cast("Object", config).items():
        merged[key] = merge(merged.get(key), part, part_of(kind, key))
    return merged


def _checked(config: Any, kind: Type | None) -> Any:
    """The configuration itself; raises for an item that is in a list twice."""
    fields_once(config, kind, ())
    return config


def fields_once(value: Any, kind: Type | None, path: Path) -> None:
    """Raise :class:`Unmergeable` for an item that is in a list twice."""
    if kind is None or kind.atomic or not value:
        return
    if kind.kind == "list":
        seen: set[str] = set()
        for item in cast("list[Any]", value):
            step = element(item, kind)
            if step in seen:
                named = shown((step,)).removeprefix(".")
                raise Unmergeable(f"{shown(path)}: duplicate entries for key {named}")
            seen.add(step)
            fields_once(item, kind.item, (*path, step))
    elif kind.kind in ("map", "object"):
        for key, part in cast("Object", value).items():
            fields_once(part, part_of(kind, key), (*path, f"f:{key}"))


def _merge_items(live: list[Any], config: list[Any], kind: Type) -> list[Any]:
    """The items of both, those of ``config`` in its order; what is only there stays in its place before or after."""
    _checked(config, kind)
    held = {element(item, kind): item for item in live}
    given = {element(item, kind): item for item in config}
    fresh = {step: merge(held.get(step), item, kind.item) for step, item in given.items()}
    if not held.keys() - given.keys():
        return list(fresh.values())
    merged = [fresh.get(step, item) for step, item in held.items()]
    return merged + [item for step, item in fresh.items() if step not in held]


def without(value: Any, gone: Iterable[Path], kind: Type) -> Any:
    """A copy without the fields and items at these paths."""
    value = copy.deepcopy(value)
    for path in sorted(gone, key=len):
        _cut(value, path, kind)
    return value


def _cut(value: Any, path: Path, kind: Type | None) -> None:
    for place, step in enumerate(path):
        last = place == len(path) - 1
        if not value or kind is None:
            return
        if kind.kind == "list":
            at = next((at for at, item in enumerate(value) if element(item, kind) == step), None)
            if at is None:
                return
            if last:
                del value[at]
                return
            value, kind = value[at], kind.item
        else:
            key = step[2:]
            if last:
                value.pop(key, None)
                return
            value, kind = value.get(key), part_of(kind, key)
