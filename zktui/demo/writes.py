"""Create, update, patch and apply: what a request's body becomes before it is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, cast

from zktui.demo import errors, schema
from zktui.demo.fieldmanager import Manager, not_declared
from zktui.demo.objects import Object, child, meta
from zktui.demo.patches import APPLY_PATCH, apply_patch
from zktui.demo.requests import RequestInfo, typed, without_nulls
from zktui.demo.resources import BY_KIND
from zktui.demo.store import Store, thaw
from zktui.demo.tables import selector_text

LEASES = "leases.coordination.k8s.io"
"""A resource whose updates may create, and must name the version that they change."""

PATCH_OPTIONS = "PatchOptions.meta.k8s.io"


@dataclass(frozen=True)
class Written:
    """The HTTP code, the object as it is now, and what the decoder had to say of the body."""

    code: int
    obj: Object
    warnings: list[str]


def manager_of(info: RequestInfo) -> Manager:
    """Who writes: the query's fieldManager, else the program's name (User-Agent up to its version)."""
    name = info.query.get("fieldManager") or info.agent.partition("/")[0]
    return Manager(name, subresource=info.subresource)


def strictness(info: RequestInfo) -> str:
    """The query's fieldValidation: Ignore, Warn (which is the default) or Strict; 422 for anything else."""
    wanted = info.query.get("fieldValidation") or "Warn"
    if wanted not in ("Ignore", "Warn", "Strict"):
        options = {"create": "CreateOptions", "update": "UpdateOptions"}.get(info.verb, "PatchOptions")
        words = f'Unsupported value: "{wanted}": supported values: "Ignore", "Strict", "Warn"'
        raise errors.invalid(f"{options}.meta.k8s.io", "", [("fieldValidation", "FieldValueNotSupported", words)])
    return wanted


class Writes:
    """The writing verbs over one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, info: RequestInfo, body: Any) -> Written:
        given, warnings = _decoded(info, body)
        if meta(given).get("resourceVersion"):
            raise errors.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if info.resource.has_status:
            given.pop("status", None)
        meta(given).pop("managedFields", None)
        made = self._store.create(info.resource.key, given, dry_run=info.dry_run, manager=manager_of(info))
        return Written(201, made, warnings)

    def update(self, info: RequestInfo, body: Any) -> Written:
        key = info.resource.key
        if key == LEASES and not child(cast("Object", body), "metadata").get("resourceVersion"):
            if self._store.find(key, info.namespace, info.name) is None:
                return self.create(replace(info, name=""), body)
            words = "Invalid value: 0: must be specified for an update"
            raise errors.invalid(key, info.name, [("metadata.resourceVersion", "FieldValueInvalid", words)])
        given, warnings = _decoded(info, body)
        write = self._store.update_status if info.subresource == "status" else self._store.update
        return Written(200, write(key, given, dry_run=info.dry_run, manager=manager_of(info)), warnings)

    def patch(self, info: RequestInfo, body: Any, content_type: str) -> Written:
        if content_type == APPLY_PATCH:
            return self._apply(info, body)
        if "force" in info.query:
            words = "Forbidden: may not be specified for non-apply patch"
            raise errors.invalid(PATCH_OPTIONS, "", [("force", "FieldValueForbidden", words)])
        warnings: list[str] = []
        changed = self._store.patch(
            info.resource.key,
            info.namespace,
            info.name,
            body,
            patch_type=content_type,
            subresource=info.subresource or None,
            dry_run=info.dry_run,
            manager=manager_of(info),
            decode=lambda patched: _decode_patched(info, patched, warnings),
        )
        return Written(200, changed, warnings)

    def _apply(self, info: RequestInfo, body: Any) -> Written:
        if not info.query.get("fieldManager"):
            words = "Required value: is required for apply patch"
            raise errors.invalid(PATCH_OPTIONS, "", [("fieldManager", "FieldValueRequired", words)])
        config = _configuration(info, body)
        given, unknown = _types(info, config)
        if unknown:
            raise not_declared(info.resource, config, unknown[0])
        if info.subresource == "status":
            given = {key: part for key, part in given.items() if key != "spec"}
        elif info.resource.has_status:
            given.pop("status", None)
        obj, fresh = self._store.apply(
            info.resource.key,
            given,
            manager=manager_of(info)._replace(operation="Apply"),
            force=info.flag("force"),
            dry_run=info.dry_run,
        )
        return Written(201 if fresh else 200, obj, [])

    def scale(self, info: RequestInfo, body: Any, content_type: str) -> Object:
        """Set the replicas by a Scale, or by a patch of one; returns the scaled object."""
        held = self._store.get(info.resource.key, info.namespace, info.name)
        wanted = scale_of(held)
        if info.verb == "patch":
            shape = next(found for found in BY_KIND.values() if found.key == info.resource.key)
            body = apply_patch(shape, wanted, content_type, body)
        body = typed(body, "Scale")
        replicas, version = child(body, "spec").get("replicas") or 0, child(body, "metadata").get("resourceVersion")
        if replicas < 0:
            words = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise errors.invalid("Scale.autoscaling", info.name, [("spec.replicas", "FieldValueInvalid", words)])
        fresh = thaw(held)
        fresh["spec"]["replicas"] = replicas
        if version:
            meta(fresh)["resourceVersion"] = version
        return self._store.update(info.resource.key, fresh, dry_run=info.dry_run, manager=manager_of(info))


def scale_of(obj: Object) -> Object:
    """A workload as a Scale."""
    copied = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status = {
        "replicas": child(obj, "status").get("replicas") or 0,
        "selector": selector_text(child(obj, "spec", "selector")),
    }
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: meta(obj)[field] for field in copied},
        "spec": {"replicas": child(obj, "spec").get("replicas") or 0},
        "status": status,
    }


# -- bodies --------------------------------------------------------------------------------------------


def _configuration(info: RequestInfo, body: Any) -> Object:
    """What is applied, with the URL's name and namespace; 400 where it says something else."""
    if not isinstance(body, dict):
        raise errors.bad_request("error decoding YAML: the configuration is not an object")
    config: Object = without_nulls(cast("Object", body))
    kind, version = config.get("kind"), config.get("apiVersion")
    if not kind or not version:
        missing = "kind" if not kind else "apiVersion"
        raise errors.bad_request(f"Object '{missing.title()}' is missing in '{json.dumps(config)}'")
    if kind != info.resource.kind or version != info.resource.api_version:
        wanted = info.resource.api_version
        words = f"Incorrect version specified in apply patch. Specified patch version: {version}, expected: {wanted}"
        raise errors.bad_request(words)
    metadata = config["metadata"] = {**child(config, "metadata")}
    if "managedFields" in metadata:
        raise errors.bad_request("metadata.managedFields must be nil")
    for field, wanted in (("name", info.name), ("namespace", info.namespace)):
        if wanted and metadata.setdefault(field, wanted) != wanted:
            words = f"the {field} of the object ({metadata[field]}) does not match the {field} on the URL ({wanted})"
            raise errors.bad_request(words)
    return config


def _types(info: RequestInfo, obj: Object) -> tuple[Object, list[str]]:
    """The object by its type, and its unknown fields; 400 for a value of a wrong type."""
    try:
        return schema.decode(obj, schema.of(info.resource))
    except schema.WrongType as why:
        raise errors.bad_request(f"{_cannot(info)}: {why}") from why


def _cannot(info: RequestInfo) -> str:
    kind = info.resource.kind
    return f'{kind} in version "{info.resource.version}" cannot be handled as a {kind}'


def _decoded(info: RequestInfo, obj: Object) -> tuple[Object, list[str]]:
    """The object without fields that its type does not have, and a warning for each of them."""
    given, unknown = _types(info, obj)
    told = [f'unknown field "{path}"' for path in unknown]
    wanted = strictness(info)
    if told and wanted == "Strict":
        raise errors.bad_request(f"{_cannot(info)}: strict decoding error: {', '.join(told)}")
    return given, told if wanted == "Warn" else []


def _decode_patched(info: RequestInfo, patched: Object, warnings: list[str]) -> Object:
    """The patched object by its type; 422 where the patch made something else of it."""
    try:
        given, unknown = schema.decode(patched, schema.of(info.resource))
    except schema.WrongType as why:
        raise _bad_patch(patched, str(why)) from why
    told = [f'unknown field "{path}"' for path in unknown]
    wanted = strictness(info)
    if told and wanted == "Strict":
        raise _bad_patch(patched, f"strict decoding error: {', '.join(told)}")
    warnings += told if wanted == "Warn" else []
    return without_nulls(given)


def _bad_patch(patched: Object, why: str) -> errors.ApiError:
    kept = {**patched, "metadata": {k: v for k, v in child(patched, "metadata").items() if k != "managedFields"}}
    dump = json.dumps(json.dumps(kept, separators=(",", ":")))
    return errors.invalid("", "", [("patch", "FieldValueInvalid", f"Invalid value: {dump}: {why}")])
