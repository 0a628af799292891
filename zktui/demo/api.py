"""What each request for a resource does: reading, writing and deleting objects of the store.

Handlers know nothing of HTTP but codes: they take a :class:`RequestInfo` and a decoded body and give a
:class:`Reply`, or raise :class:`ApiError`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from zktui.demo import errors
from zktui.demo.eviction import evict
from zktui.demo.listoptions import check_list
from zktui.demo.objects import Object, child, meta, name_of, namespace_of
from zktui.demo.requests import DeleteOptions, RequestInfo, delete_options, typed
from zktui.demo.reviews import REVIEWS, Authorizer, review
from zktui.demo.store import Store
from zktui.demo.writes import Writes, Written, scale_of

STALE_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list "
    "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
    "the results. Continuing with the provided token results in an inconsistent list - objects that were "
    "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
    "list."
)
RETURNS_OBJECT = frozenset({"pods", "services", "persistentvolumeclaims", "persistentvolumes", "serviceaccounts"})
"""Resources whose deletion answers with the object; the others answer with a Status."""

PERMANENT = frozenset({"default", "kube-system", "kube-public"})


@dataclass(frozen=True)
class Reply:
    """``items`` is set for a list: the objects without their envelope, for a Table."""

    code: int
    body: Object
    items: list[Object] | None = None
    warnings: list[str] = field(default_factory=list[str])


def check_verb(info: RequestInfo) -> None:
    """405 for a verb that the resource or its subresource doesn't have, whatever the body says."""
    sub = info.resource.subresource(info.subresource) if info.subresource else None
    if info.verb not in (sub.verbs if sub else info.resource.verbs):
        raise errors.method_not_allowed()
    if info.verb in ("update", "patch") and not info.name:
        raise errors.method_not_allowed()
    if info.resource.namespaced and not info.namespace and info.verb not in ("list", "watch"):
        raise errors.method_not_allowed()


class Api:
    """The verbs over one store."""

    def __init__(self, store: Store, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer
        self._writes = Writes(store)

    async def handle(self, info: RequestInfo, body: Any, content_type: str) -> Reply:
        """Carry out one request that :func:`check_verb` has let through."""
        special = {"scale": self._scale, "eviction": self._evict, "binding": self._bind}.get(info.subresource)
        if special is not None:
            return special(info, body, content_type)
        verbs: dict[str, Callable[[RequestInfo, Any, str], Reply]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        return verbs[info.verb](info, body, content_type)

    # -- reading ---------------------------------------------------------------------------------------

    def _get(self, info: RequestInfo, _body: Any, _type: str) -> Reply:
        return Reply(200, self._store.get(info.resource.key, info.namespace, info.name))

    def _list(self, info: RequestInfo, _body: Any, _type: str) -> Reply:
        check_list(info)
        labels, fields = info.query.get("labelSelector", ""), info.query.get("fieldSelector", "")
        limit, start, at = max(info.integer("limit") or 0, 0), ("", ""), self._list_version(info)
        token = info.query.get("continue", "")
        if token:
            at, start = _read_token(token)
        found, version = self._read(info, at, start)
        rest = [obj for obj in found if (namespace_of(obj), name_of(obj)) > start]
        page = rest[:limit] if limit else rest
        metadata: Object = {"resourceVersion": version}
        if len(page) < len(rest):
            metadata["continue"] = _write_token(int(version), page[-1])
            if not labels and not fields:
                metadata["remainingItemCount"] = len(rest) - len(page)
        envelope: Object = {
            "kind": info.resource.kind + "List",
            "apiVersion": info.resource.api_version,
            "metadata": metadata,
            # The list tells what they are.
            "items": [{key: part for key, part in obj.items() if key not in ("kind", "apiVersion")} for obj in page],
        }
        return Reply(200, envelope, page)

    def _read(self, info: RequestInfo, at: int | None, start: tuple[str, str]) -> tuple[list[Object], str]:
        labels, fields = info.query.get("labelSelector", ""), info.query.get("fieldSelector", "")
        try:
            return self._store.list(info.resource.key, info.namespace, labels, fields, at=at)
        except errors.ApiError as why:
            if why.code == 410 and info.query.get("continue"):
                raise errors.expired(STALE_CONTINUE, _encode_token(-1, start)) from None
            raise

    def _list_version(self, info: RequestInfo) -> int | None:
        """The exact version asked for; 504 when the client has seen a version that is yet to come here."""
        wanted = info.integer("resourceVersion") or 0
        if wanted > self._store.version:
            raise errors.future_version(wanted, self._store.version)
        return wanted if info.query.get("resourceVersionMatch") == "Exact" else None

    # -- writing ---------------------------------------------------------------------------------------

    def _create(self, info: RequestInfo, body: Any, _type: str) -> Reply:
        if info.resource.key in REVIEWS:
            return Reply(201, review(info.resource, body, self._authorizer))
        if info.name:
            raise errors.method_not_allowed()
        return _reply(self._writes.create(info, body))

    def _update(self, info: RequestInfo, body: Any, _type: str) -> Reply:
        return _reply(self._writes.update(info, body))

    def _patch(self, info: RequestInfo, body: Any, content_type: str) -> Reply:
        return _reply(self._writes.patch(info, body, content_type))

    # -- deleting --------------------------------------------------------------------------------------

    def _delete(self, info: RequestInfo, body: Any, _type: str) -> Reply:
        if info.resource.key == "namespaces" and info.name in PERMANENT:
            raise errors.forbidden("namespaces", info.name, "this namespace may not be deleted")
        options = delete_options(info, body)
        obj, gone = self._delete_one(info, info.namespace, info.name, options)
        if not gone or info.resource.key in RETURNS_OBJECT:
            return Reply(200, obj)
        details: Object = {"name": info.name, "kind": info.resource.plural, "uid": meta(obj)["uid"]}
        if info.resource.group:
            details["group"] = info.resource.group
        return Reply(200, errors.success(details))

    def _delete_collection(self, info: RequestInfo, body: Any, _type: str) -> Reply:
        options = delete_options(info, body)
        listed = self._list(info, None, "")
        items = listed.items or []
        for obj in items:
            self._delete_one(info, namespace_of(obj), name_of(obj), options)
        return Reply(200, listed.body, items)

    def _delete_one(self, info: RequestInfo, namespace: str, name: str, options: DeleteOptions) -> tuple[Object, bool]:
        return self._store.delete(
            info.resource.key,
            namespace,
            name,
            grace_seconds=options.grace_seconds,
            preconditions=options.preconditions,
            propagation=options.propagation,
            dry_run=options.dry_run,
        )

    # -- subresources ----------------------------------------------------------------------------------

    def _evict(self, info: RequestInfo, body: Any, _type: str) -> Reply:
        if not isinstance(body, dict):
            raise errors.bad_request("the request body is not an Eviction")
        eviction = cast("Object", body)
        if child(eviction, "metadata").get("name") != info.name:
            raise errors.bad_request("name in URL does not match name in Eviction object")
        options = delete_options(info, eviction.get("deleteOptions"))
        return Reply(201, evict(self._store, info.namespace, info.name, options))

    def _bind(self, info: RequestInfo, body: Any, _type: str) -> Reply:
        node = child(typed(body, "Binding"), "target").get("name")
        if not node:
            words = ("target.name", "FieldValueRequired", "Required value")
            raise errors.invalid("Binding", info.name, [words])
        pod = self._store.get("pods", info.namespace, info.name)
        held = child(pod, "spec").get("nodeName")
        if held:
            raise errors.conflict("pods/binding", info.name, f'pod {info.name} is already assigned to node "{held}"')

        def bind(fresh: Object) -> None:
            fresh["spec"]["nodeName"] = node

        self._store.change("pods", info.namespace, info.name, bind)
        return Reply(201, errors.success(code=201))

    def _scale(self, info: RequestInfo, body: Any, content_type: str) -> Reply:
        if info.verb == "get":
            return Reply(200, scale_of(self._store.get(info.resource.key, info.namespace, info.name)))
        return Reply(200, scale_of(self._writes.scale(info, body, content_type)))


def _reply(written: Written) -> Reply:
    return Reply(written.code, written.obj, warnings=written.warnings)


# -- continue tokens: the version of the first page, and the last object that was sent -------------------


def _encode_token(version: int, start: tuple[str, str]) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(start)})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _write_token(version: int, last: Object) -> str:
    return _encode_token(version, (namespace_of(last), name_of(last)))


def _read_token(token: str) -> tuple[int | None, tuple[str, str]]:
    """(version, last sent); the version is None for a token that asks for the rest as it is now."""
    try:
        decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        space, _, name = str(decoded["start"]).partition("/")
        version = int(decoded["rv"])
    except (ValueError, KeyError, TypeError) as why:
        raise errors.bad_request("invalid continue token: continue key is not valid") from why
    return (None if version < 0 else version), (space, name)
