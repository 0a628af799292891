"""What is different between two versions of an object, field by field.

Items of lists are told apart as Kubernetes' strategic merge does: containers, volumes and variables by name, ports by
number, mounts by path. Other lists are compared place by place.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from zktui.core.documents import Document

_KEYS = ("name", "containerPort", "port", "mountPath", "topologyKey", "key", "uid")
_SERVER_S = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field. `before` or `after` is None where it is not there; else a string as YAML would have it on one line."""

    path: str
    """`.spec.template.spec.containers[name="zookeeper"].image`, as the API server names fields."""
    before: str | None
    after: str | None

    def lines(self) -> tuple[str, ...]:
        """For people: one line, or for a text of several lines those of a unified diff."""
        if self.before is not None and self.after is not None and ("\n" in self.before or "\n" in self.after):
            parts = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=1)
            return (self.path, *(f"    {line}" for line in list(parts)[2:]))
        if self.before is None:
            return (f"{self.path}: {_short(self.after)} (new)",)
        if self.after is None:
            return (f"{self.path}: {_short(self.before)} (removed)",)
        return (f"{self.path}: {self.before} -> {self.after}",)


def _short(value: str | None) -> str:
    lines = (value or "").splitlines()
    return f"{lines[0]} ... ({len(lines)} lines)" if len(lines) > 1 else value or '""'


def differences(before: Document | None, after: Document) -> tuple[Difference, ...]:
    """Everything but status and what only the server sets. `before` None: everything in `after` is new."""
    return tuple(_compare("", _own(before) if before is not None else {}, _own(after)))


def _own(document: Document) -> Document:
    kept = {key: value for key, value in document.items() if key not in ("status", "apiVersion", "kind")}
    if isinstance(metadata := kept.get("metadata"), dict):
        named = cast("Document", metadata)
        kept["metadata"] = {key: value for key, value in named.items() if key not in _SERVER_S}
    return kept


def _compare(path: str, before: object, after: object) -> Iterator[Difference]:
    if before == after:
        return
    old, new = _object(before), _object(after)
    if old is not None and new is not None:
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _compare(f"{path}{_step(key)}", old.get(key, _ABSENT), new.get(key, _ABSENT))
        return
    lists = [cast("list[object]", side) for side in (before, after) if isinstance(side, list)]
    if len(lists) == 2 or (_ABSENT in (before, after) and lists and _key(*lists)):
        yield from _lists(path, *(cast("list[object]", s) if isinstance(s, list) else [] for s in (before, after)))
        return
    if before is _ABSENT and new:
        yield from _compare(path, {}, new)
    elif after is _ABSENT and old:
        yield from _compare(path, old, {})
    else:
        yield Difference(path or ".", _text(cast("Any", before)), _text(cast("Any", after)))


def _object(value: object) -> Document | None:
    return cast("Document", value) if isinstance(value, dict) else None


def _step(key: str) -> str:
    return f".{key}" if key.replace("_", "").replace("-", "").isalnum() else f"[{json.dumps(key)}]"


def _lists(path: str, before: list[object], after: list[object]) -> Iterator[Difference]:
    key = _key(before, after)
    if not key:
        if all(not isinstance(item, dict) for item in (*before, *after)):
            yield Difference(path, _text(before), _text(after))
            return
        for place in range(max(len(before), len(after))):
            old = before[place] if place < len(before) else _ABSENT
            new = after[place] if place < len(after) else _ABSENT
            yield from _compare(f"{path}[{place}]", old, new)
        return
    old_items, new_items = _by(key, before), _by(key, after)
    for name in [*old_items, *(name for name in new_items if name not in old_items)]:
        item = f"{path}[{key}={name}]"
        yield from _compare(item, old_items.get(name, _ABSENT), new_items.get(name, _ABSENT))


def _key(*lists: Sequence[object]) -> str:
    """The field that tells the items of all these lists apart; empty when none does."""
    items = [item for each in lists for item in each]
    if not items or not all(isinstance(item, dict) for item in items):
        return ""
    found = [cast("Document", item) for item in items]
    for key in _KEYS:
        distinct = all(len({json.dumps(cast("Document", i).get(key)) for i in each}) == len(each) for each in lists)
        if distinct and all(isinstance(item.get(key), str | int) for item in found):
            return key
    return ""


def _by(key: str, items: Sequence[object]) -> dict[str, object]:
    return {json.dumps(cast("Document", item)[key]): item for item in items}


def _text(value: Any) -> str | None:
    if value is _ABSENT or value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value)
