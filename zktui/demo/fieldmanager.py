"""Who owns which field of an object (``metadata.managedFields``), and server-side apply by that.

The rules of Kubernetes' field managers: a writer owns what it changed (operation Update) or what its configuration
says (Apply). An applied field that another manager owns with another value is a conflict, unless forced; a field that
a manager applied before and does not apply any more goes, unless somebody else owns it. A status has owners of its own.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from zktui.demo import schema
from zktui.demo.errors import ApiError
from zktui.demo.fieldsets import Path, Unmergeable, fields_of, from_tree, merge, shown, to_tree, with_parents, without
from zktui.demo.names import now
from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.resources import Resource

UNOWNED = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                *("name", "namespace", "uid", "generation", "resourceVersion", "creationTimestamp", "managedFields"),
                *("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"),
            )
        ),
    }
)
"""What nobody owns."""


class Manager(NamedTuple):
    """``operation`` is Update or Apply."""

    name: str
    operation: str = "Update"
    subresource: str = ""


KUBECTL = "kubectl"
"""The one manager for whom the annotation of a client-side apply counts."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

BEFORE = Manager("before-first-apply")
"""Who is said to have set what nobody owned when an object was first applied."""

Owners: TypeAlias = dict[Manager, set[Path]]


def owners_of(obj: Object) -> Owners:
    """The owners that the object names."""
    return {_key(entry): from_tree(entry.get("fieldsV1") or {}) for entry in children(obj, "metadata", "managedFields")}


def _key(entry: Object) -> Manager:
    return Manager(entry.get("manager", ""), entry.get("operation", "Update"), entry.get("subresource", ""))


def track(info: Resource, fresh: Object, current: Object | None, manager: Manager) -> None:
    """Note in ``fresh`` who owns what after this write of ``manager``. Nothing is noted where nobody keeps account."""
    kind, owners = schema.of(info), owners_of(fresh)
    changed, removed = _difference(kind, current or {}, fresh, manager)
    if not changed and not removed:
        return
    for other in owners.keys() - {manager}:
        owners[other] = owners[other] - changed - removed
    owners[manager] = (owners.get(manager, set()) - removed) | changed
    _write(info, fresh, current or {}, owners, {manager})


def _difference(kind: schema.Type, old: Object, new: Object, manager: Manager) -> tuple[set[Path], set[Path]]:
    """(added or changed, removed), as far as such a write can touch it."""
    before, after = fields_of(old, kind), fields_of(new, kind)
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    return _reachable(changed, manager), _reachable(before.keys() - after.keys(), manager)


def _reachable(paths: Iterable[Path], manager: Manager) -> set[Path]:
    """A write of the status reaches nothing else, and every other write does not reach the status."""
    status = manager.subresource == "status"
    return {
        path
        for path in paths
        if path not in UNOWNED and path[:2] != ("f:metadata", "f:managedFields") and (path[0] == "f:status") == status
    }


def apply(info: Resource, live: Object | None, config: Object, manager: Manager, *, force: bool) -> Object:
    """``live`` (None: there is none yet) with the configuration applied. 409 for a conflict, unless ``force``."""
    kind, before = schema.of(info), live or {}
    owners = owners_of(before)
    if live is not None and not owners:
        owners[BEFORE] = _reachable(fields_of(live, kind), BEFORE)
    try:
        merged = merge(before, config, kind)
    except Unmergeable as why:
        raise _untyped(info, config, str(why)) from why
    last = owners.get(manager, set[Path]())
    owners[manager] = _reachable(fields_of(config, kind), manager)
    merged = without(
        merged, with_parents(last) - with_parents(path for owned in owners.values() for path in owned), kind
    )
    changed, removed = _difference(kind, before, merged, manager)
    allowed = _last_applied(info, before) if manager.name == KUBECTL else set[Path]()
    conflicts = {other: owned & changed for other, owned in owners.items() if other != manager and owned & changed}
    conflicts = {other: paths - allowed for other, paths in conflicts.items() if paths - allowed}
    if conflicts and not force:
        raise _conflict(info, conflicts)
    for other in owners.keys() - {manager}:
        owners[other] = owners[other] - changed - removed
    touched = {manager} if changed or removed or owners[manager] != last else set[Manager]()
    if manager.name == KUBECTL and LAST_APPLIED in child(merged, "metadata", "annotations"):
        text = json.dumps(config, separators=(",", ":")) + "\n"
        annotations = {**child(merged, "metadata", "annotations"), LAST_APPLIED: text}
        merged["metadata"] = {**merged["metadata"], "annotations": annotations}
    _write(info, merged, before, owners, touched)
    return merged


def _last_applied(info: Resource, live: Object) -> set[Path]:
    """What a client-side apply has set and nobody has changed since: ``kubectl apply --server-side`` takes it over."""
    try:
        config = json.loads(child(live, "metadata", "annotations").get(LAST_APPLIED) or "{}")
        if config.get("apiVersion") != info.api_version:
            return set()
        said, held = fields_of(config, schema.of(info)), fields_of(live, schema.of(info))
    except (ValueError, AttributeError, TypeError):
        return set()  # anybody may write an annotation
    return {path for path, value in said.items() if path in held and held[path] == value}


def _untyped(info: Resource, config: Object, why: str) -> ApiError:
    group = f"{info.group}/{info.version}" if info.group else f"/{info.version}"
    named = f"{namespace_of(config)}/{name_of(config)}; {group}, Kind={info.kind}"
    return ApiError(500, "", f"failed to create typed patch object ({named}): {why}")


def not_declared(info: Resource, config: Object, path: str) -> ApiError:
    """500: the configuration sets a field that the kind has not."""
    return _untyped(info, config, f".{path}: field not declared in schema")


def _write(info: Resource, obj: Object, before: Object, owners: Owners, touched: set[Manager]) -> None:
    """Write the owners into the object; those who are touched get the present time."""
    known = {_key(entry): entry.get("time") for entry in children(before, "metadata", "managedFields")}
    known |= {_key(entry): entry.get("time") for entry in children(obj, "metadata", "managedFields")}
    entries: list[Object] = []
    for manager, paths in owners.items():
        if not paths:
            continue
        stamp = now() if manager in touched else known.get(manager)
        entry: Object = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": info.api_version,
            **({"time": stamp} if stamp else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": to_tree(paths),
        }
        entries.append({**entry, "subresource": manager.subresource} if manager.subresource else entry)
    metadata = {**child(obj, "metadata"), "managedFields": sorted(entries, key=_order)}
    if not entries:
        del metadata["managedFields"]
    obj["metadata"] = metadata


def _order(entry: Object) -> tuple[Any, ...]:
    """Who applied first, then by time."""
    return entry["operation"] != "Apply", entry.get("time") or "", entry["manager"]


def taken_over(fresh: Object, current: Object) -> None:
    """The account of owners in an object to be written: its own where it brings one, else the stored one."""
    given = child(fresh, "metadata").get("managedFields")
    held = child(current, "metadata").get("managedFields")
    if given in ([{}], []):
        fresh["metadata"].pop("managedFields")  # a client that wants it forgotten
    elif not given and held:
        fresh["metadata"]["managedFields"] = copy.deepcopy(held)


def same(fresh: Object, current: Object) -> bool:
    """Equal but for the times in the account of owners?"""
    if {**fresh, "metadata": None} != {**current, "metadata": None}:
        return False
    return _timeless(meta(fresh)) == _timeless(meta(current))


def _timeless(metadata: Object) -> Object:
    entries = [{**entry, "time": None} for entry in metadata.get("managedFields") or ()]
    return {**metadata, "managedFields": sorted(entries, key=_order)}


def _conflict(info: Resource, conflicts: Owners) -> ApiError:
    """409 with a cause for each field, in the words of the real server."""
    lines: list[str] = []
    causes: list[Object] = []
    for manager in sorted(conflicts):
        who = _named(manager, info)
        lines.append(f"conflicts with {who}:")
        for path in sorted(conflicts[manager]):
            lines.append(f"- {shown(path)}")
            causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": shown(path)})
    words = f"{len(causes)} conflicts: " + "\n".join(lines)
    if len(causes) == 1:
        words = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    return ApiError(409, "Conflict", f"Apply failed with {words}", {"causes": causes})


def _named(manager: Manager, info: Resource) -> str:
    who = json.dumps(manager.name) + (f' with subresource "{manager.subresource}"' if manager.subresource else "")
    return who if manager.operation == "Apply" else f"{who} using {info.api_version}"
