"""What a request asks for: verb, resource, options and the form of the answer, as Kubernetes reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from aiohttp import web

from zktui.demo import errors, patches, protobuf, schema
from zktui.demo.objects import Object, child
from zktui.demo.resources import BY_PATH, VERSIONS, Resource
from zktui.demo.validation import check_shape

TABLE = "Table"
METADATA = "PartialObjectMetadata"
JSON = "application/json"
BODIES = (JSON, "application/yaml", "application/vnd.kubernetes.protobuf", *patches.TYPES)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class RequestInfo:
    """A request for a resource, as the authorizer and the handlers see it.

    ``verb`` is Kubernetes' (get, list, watch, create, update, patch, delete, deletecollection);
    ``namespace`` is empty for all namespaces and for cluster-scoped resources; ``agent`` is the User-Agent.
    """

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: dict[str, str] = field(default_factory=dict[str, str])
    agent: str = ""

    @property
    def target(self) -> str:
        """``pods`` or ``pods/eviction``: the resource as RBAC rules name it."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    def integer(self, name: str) -> int | None:
        """A query parameter that is a number; 400 if it is none."""
        text = self.query.get(name, "")
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("true", "1")


def parse_request(method: str, path: str, query: dict[str, str], agent: str = "") -> RequestInfo | None:
    """The resource request in ``/api/…`` or ``/apis/…``; None for a path that is none or names nothing served."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    resource = BY_PATH.get((group, version, rest[0]))
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        return None
    name, subresource = [*rest[1:], "", ""][:2]
    if subresource and resource.subresource(subresource) is None:
        return None
    return RequestInfo(_verb(method, name, query), resource, namespace, name, subresource, query, agent)


def _verb(method: str, name: str, query: dict[str, str]) -> str:
    if method in ("GET", "HEAD"):
        if name:
            return "get"  # whatever it says of watching: one object is watched by a field selector
        return "watch" if query.get("watch", "").lower() in ("true", "1") else "list"
    verb = _VERBS.get(method, method.lower())
    return "deletecollection" if verb == "delete" and not name else verb


def answer_form(accept: str) -> str:
    """``Table``, ``PartialObjectMetadata`` or ``""`` (the object itself): the first form asked for that is known.

    406 when the client takes no JSON at all.
    """
    if not accept:
        return ""
    for choice in accept.split(","):
        media, *raw = [part.strip() for part in choice.split(";")]
        if media not in ("application/json", "*/*", "application/*"):
            continue
        options = dict(part.split("=", 1) for part in raw if "=" in part)
        form = options.get("as", "")
        if form in (TABLE, METADATA, METADATA + "List"):
            return form.removesuffix("List")
        if not form:
            return ""
    raise errors.not_acceptable([JSON, f"{JSON};stream=watch"])


async def read_body(request: web.Request, kind: str = "") -> Any:
    """The decoded JSON or YAML body; None when there is none; 400 for anything else, 415 for another type of it.

    ``kind`` is what the body should be an object of.
    """
    raw = await request.read()
    if not raw:
        return None
    if "Content-Type" in request.headers and request.content_type not in BODIES:
        raise errors.unsupported_media_type(list(BODIES[:3]))
    if request.content_type.endswith("protobuf"):
        return protobuf.decode(raw)
    try:
        # What is said to be YAML mostly is JSON.
        written = request.content_type.endswith("yaml") and not raw.lstrip().startswith(b"{")
        return yaml.safe_load(raw) if written else json.loads(raw)
    except (ValueError, yaml.YAMLError) as why:
        wanted = f"the object provided is unrecognized (must be of type {kind}): " if kind else ""
        text = raw[:100].decode("utf-8", "replace")
        raise errors.bad_request(f"{wanted}couldn't get version/kind; json parse error: {why} ({text})") from why


async def read_object(request: web.Request, info: RequestInfo) -> Object:
    """The body as an object of the request's kind, with the URL's name and namespace; 400 where they differ."""
    sub = info.resource.subresource(info.subresource) if info.subresource else None
    kind = (sub.kind if sub else "") or info.resource.kind
    body = await read_body(request, kind)
    if not isinstance(body, dict):
        raise errors.bad_request("the request body is not an object")
    obj: Object = without_nulls(cast("Object", body))
    _check_kind(obj, kind, (sub.group if sub else "") or info.resource.group)
    check_shape(obj)
    metadata = obj.setdefault("metadata", {})
    if info.resource.namespaced and info.namespace:
        if metadata.get("namespace", info.namespace) != info.namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        metadata["namespace"] = info.namespace
    if info.name and not sub:
        if metadata.get("name", info.name) != info.name:
            raise errors.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({info.name})"
            )
        metadata["name"] = info.name
    return obj


def without_nulls(value: Any) -> Any:
    """What is left of a body once it was an object of a type: a null is as good as nothing."""
    if isinstance(value, dict):
        held = cast("Object", value)
        return {key: without_nulls(part) for key, part in held.items() if part is not None}
    return [without_nulls(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value


def _check_kind(obj: Object, kind: str, group: str) -> None:
    """400 for an object of another kind, or of a version that this kind does not have."""
    given, version = obj.get("kind") or kind, str(obj.get("apiVersion") or "")
    words = f'{given} in version "{version}" cannot be handled as a {kind}'
    if given != kind:
        internal = group.partition(".")[0] or "core"
        converting = f"converting ({version.rpartition('/')[2]}.{given}) to ({internal}.{kind}): unknown conversion"
        raise errors.bad_request(f"{words}: {converting}")
    if version and version not in VERSIONS[kind]:
        raise errors.bad_request(f'{words}: no kind "{kind}" is registered for version "{version}"')


@dataclass(frozen=True)
class DeleteOptions:
    """``metav1.DeleteOptions`` from a body and a query."""

    grace_seconds: int | None = None
    preconditions: dict[str, str] = field(default_factory=dict[str, str])
    propagation: str = "Background"
    dry_run: bool = False


def typed(body: Any, kind: str) -> Object:
    """A body as an object of that type; 400 for one that is none."""
    try:
        return schema.decode(body, schema.named(kind))[0]
    except schema.WrongType as why:
        raise errors.bad_request(str(why)) from why


def delete_options(info: RequestInfo, body: Any) -> DeleteOptions:
    """Options of a deletion; the query's win where both are given. 422 for those that make no sense."""
    body = typed(body or {}, "DeleteOptions")
    _check_delete_options(body)
    grace = info.integer("gracePeriodSeconds")
    if grace is None:
        grace = body.get("gracePeriodSeconds")
    propagation = info.query.get("propagationPolicy") or body.get("propagationPolicy") or ""
    propagation = propagation or ("Orphan" if body.get("orphanDependents") else "Background")
    if propagation not in ("Orphan", "Background", "Foreground"):
        words = f'Unsupported value: "{propagation}": supported values: "Background", "Foreground", "Orphan"'
        raise _bad_delete_option("propagationPolicy", "FieldValueNotSupported", words)
    wanted = {key: str(value) for key, value in child(body, "preconditions").items() if value is not None}
    return DeleteOptions(grace, wanted, propagation, info.dry_run or body.get("dryRun") == ["All"])


def _check_delete_options(body: Object) -> None:
    if body.get("propagationPolicy") and body.get("orphanDependents") is not None:
        words = (
            f'Invalid value: "{body["propagationPolicy"]}": orphanDependents and deletionPropagation cannot be both set'
        )
        raise _bad_delete_option("propagationPolicy", "FieldValueInvalid", words)
    if body.get("dryRun") not in (None, [], ["All"]):
        words = f'Unsupported value: {json.dumps(body["dryRun"])}: supported values: "All"'
        raise _bad_delete_option("dryRun", "FieldValueNotSupported", words)


def _bad_delete_option(field: str, reason: str, words: str) -> errors.ApiError:
    return errors.invalid("DeleteOptions.meta.k8s.io", "", [(field, reason, words)])
