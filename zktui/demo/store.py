"""The one place where the rehearsal cluster's objects live: etcd and the registry in a few hundred lines.

Objects are plain JSON dicts. **They are immutable by agreement**: what goes in is copied, what comes out is
the stored object itself, and nobody changes it; ``copy.deepcopy`` it (:func:`thaw`), change that and hand it
to :meth:`Store.update`, or use :meth:`Store.update_status` / :meth:`Store.change`. Everything is synchronous
and belongs to one event loop. Each change gets the next resource version; versions are consecutive integers,
so that the history can be looked into by position.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from zktui.demo import dependents, errors, selectors
from zktui.demo.defaults import apply_defaults
from zktui.demo.deletion import check_preconditions, grace_of, mark_deleted, wrong_uid
from zktui.demo.fieldmanager import Manager, apply, same, taken_over, track
from zktui.demo.history import SIZE, Change, ChangeCallback, History
from zktui.demo.names import now, random_suffix
from zktui.demo.objects import Object, children, labels_of, meta, namespace_of
from zktui.demo.patches import apply_patch
from zktui.demo.resources import BY_KEY, Resource
from zktui.demo.validation import check_identity, check_shape, validate_create, validate_update

GENERATIONS = frozenset(
    {
        *("pods", "poddisruptionbudgets.policy", "endpointslices.discovery.k8s.io"),
        *("statefulsets.apps", "replicasets.apps", "daemonsets.apps"),
    }
)
"""Resources whose objects count the changes of their spec."""

CONTROLLERS = "kube-controller-manager"
"""Who changes objects from within, where account is kept of it."""


def thaw(obj: Object) -> Object:
    """A copy of a stored object that may be changed."""
    return copy.deepcopy(obj)


def _place(pair: tuple[tuple[str, str], Object]) -> tuple[str, str]:
    return pair[0]


def _holds_content(info: Resource, obj: Object) -> bool:
    """A namespace stays until its own finalizer is taken away, after everything in it is gone."""
    return info.key == "namespaces" and bool(children(obj, "spec", "finalizers"))


class Store:
    """All objects, their history, and who wants to know of changes.

    Every method that takes ``resource`` takes a key of the resource table (``pods``, ``statefulsets.apps``);
    ``ns`` is ``""`` for cluster-scoped resources. Refusals are :class:`ApiError`.
    """

    def __init__(self, *, history: int = SIZE) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {key: {} for key in BY_KEY}
        self.history = History(history)

    # -- reading ---------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The resource version of the latest change."""
        return self.history.version

    def find(self, resource: str, ns: str, name: str) -> Object | None:
        """The object, or None."""
        return self._objects[resource].get((ns, name))

    def get(self, resource: str, ns: str, name: str) -> Object:
        """The object; 404 if there is none."""
        found = self.find(resource, ns, name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def list(
        self,
        resource: str,
        ns: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        *,
        at: int | None = None,
    ) -> tuple[list[Object], str]:
        """Objects in order of namespace and name, and the list's resource version.

        ``ns`` None or ``""`` means all namespaces; the selectors are those of a query;
        ``at`` asks for the state at that resource version (410 once it is compacted).
        """
        objects = self._objects[resource]
        if at is not None:
            objects = self.history.rewind(resource, objects, at)
        by_label = selectors.label_selector(label_selector)
        by_field = selectors.field_selector(resource, field_selector)
        held = [pair for pair in objects.items() if not ns or pair[0][0] == ns]
        found = [obj for _, obj in sorted(held, key=_place) if by_label(labels_of(obj)) and by_field(obj)]
        return found, str(self.version if at is None else at)

    def everything(self) -> list[tuple[str, Object]]:
        """(resource, object) of all there is."""
        return [(resource, obj) for resource, objects in self._objects.items() for obj in objects.values()]

    # -- being told ------------------------------------------------------------------------------------

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Call ``callback(type, resource, obj)`` after each change, at once and in order; returns its undoing.

        A callback must not change the store: it would be told of its own change in the middle of another.
        Set an :class:`asyncio.Event` and do the work in a task.
        """
        return self.history.on_change(callback)

    async def subscribe(
        self, resource: str, ns: str | None = None, since_rv: int | None = None
    ) -> AsyncGenerator[Change, None]:
        """Changes of one resource after the version ``since_rv`` (None: after now), for as long as it is read.

        Raises 410 in Kubernetes' words when ``since_rv`` (or, for a slow reader, the place it has come to) is
        older than the history.
        """
        async for change in self.history.subscribe(self.version if since_rv is None else since_rv):
            if change.resource == resource and (not ns or namespace_of(change.obj) == ns):
                yield change

    # -- writing ---------------------------------------------------------------------------------------

    def create(self, resource: str, obj: Object, *, dry_run: bool = False, manager: Manager | None = None) -> Object:
        """Store a new object with uid, creationTimestamp, generation 1 and defaults; returns it as stored.

        ``metadata.generateName`` is honoured. 404 for an unknown namespace, 409 for a name that is taken,
        422 for an object that isn't valid. ``status`` of the given object is kept (controllers and tests
        create pods with one); the HTTP server strips it as a real one does. Who owns its fields is kept account of
        from when a ``manager`` has written it.
        """
        info = BY_KEY[resource]
        check_shape(obj)
        fresh: Object = {"kind": info.kind, "apiVersion": info.api_version, **thaw(obj)}
        fresh.update(kind=info.kind, apiVersion=info.api_version)
        metadata = fresh.setdefault("metadata", {})
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + random_suffix()
        self._check_namespace(info, metadata)
        if metadata.get("name") and self.find(resource, metadata.get("namespace", ""), metadata["name"]):
            raise errors.already_exists(resource, metadata["name"])
        apply_defaults(info, fresh)
        validate_create(info, fresh)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = now()
        if info.key in GENERATIONS:
            metadata["generation"] = 1
        metadata.pop("deletionTimestamp", None)
        metadata.pop("deletionGracePeriodSeconds", None)
        if manager is not None:
            track(info, fresh, None, manager)
        return self._put("ADDED", info, fresh, None, dry_run)

    def load(self, resource: str, obj: Object) -> Object:
        """Store a complete new object as it is, its parts shared with others: for those that are made by thousands."""
        return self._put("ADDED", BY_KEY[resource], obj, None, dry_run=False)

    def _check_namespace(self, info: Resource, metadata: Object) -> None:
        if not info.namespaced:
            metadata.pop("namespace", None)
            return
        space = metadata.setdefault("namespace", "default")
        found = self.find("namespaces", "", space)
        if found is None:
            raise errors.not_found("namespaces", space)
        if meta(found).get("deletionTimestamp"):
            words = f"unable to create new content in namespace {space} because it is being terminated"
            told = f"namespace {space} is being terminated"
            causes = [{"reason": "NamespaceTerminating", "message": told, "field": "metadata.namespace"}]
            raise errors.forbidden(info.key, metadata.get("name", ""), words, causes)

    def update(self, resource: str, obj: Object, *, dry_run: bool = False, manager: Manager | None = None) -> Object:
        """Replace everything but the status; ``metadata.generation`` grows when the spec (or data) changed.

        409 when ``metadata.resourceVersion`` (or ``uid``) is given and isn't the current one. An update that
        changes nothing stores nothing. An object with a deletionTimestamp and no finalizer left, whose grace
        is over, is removed.
        """
        info = BY_KEY[resource]
        current, fresh = self._for_update(info, obj, manager)
        return self._replace(info, fresh, current, dry_run, manager or Manager(CONTROLLERS))

    def _replace(
        self, info: Resource, fresh: Object, current: Object, dry_run: bool, manager: Manager | None
    ) -> Object:
        if info.has_status:
            fresh.pop("status", None)
            if "status" in current:
                fresh["status"] = current["status"]
        apply_defaults(info, fresh)
        validate_update(info, fresh, current)
        if fresh.get("spec") != current.get("spec") and "generation" in meta(current):
            meta(fresh)["generation"] = meta(current)["generation"] + 1
        return self._finish(info, fresh, current, dry_run, manager)

    def update_status(
        self, resource: str, obj: Object, *, dry_run: bool = False, manager: Manager | None = None
    ) -> Object:
        """Replace only the status (409 as in :meth:`update`)."""
        info = BY_KEY[resource]
        current, given = self._for_update(info, obj, manager)
        fresh = thaw(current)
        if "status" in given:
            fresh["status"] = given["status"]
            apply_defaults(info, fresh)
        return self._finish(info, fresh, current, dry_run, manager or Manager(CONTROLLERS, subresource="status"))

    def change(
        self, resource: str, ns: str, name: str, mutate: Callable[[Object], None], *, status: bool = False
    ) -> Object:
        """Read, let ``mutate`` change a copy in place, write back; nothing can come in between."""
        fresh = thaw(self.get(resource, ns, name))
        mutate(fresh)
        return self.update_status(resource, fresh) if status else self.update(resource, fresh)

    def _for_update(self, info: Resource, obj: Object, manager: Manager | None) -> tuple[Object, Object]:
        """The stored object, and a copy of the given one with the metadata that only the server sets.

        From a ``manager`` it may bring an account of its fields' owners.
        """
        check_shape(obj)
        fresh = thaw(obj)
        metadata = fresh.setdefault("metadata", {})
        space = metadata.get("namespace", "") if info.namespaced else ""
        current = self.get(info.key, space, metadata.get("name", ""))
        given = metadata.get("resourceVersion")
        if given and given != meta(current)["resourceVersion"]:
            raise errors.conflict(info.key, metadata["name"])
        if metadata.get("uid") and metadata["uid"] != meta(current)["uid"]:
            raise errors.conflict(info.key, metadata["name"], wrong_uid(info, metadata, current))
        fresh["apiVersion"], fresh["kind"] = info.api_version, info.kind
        for field in (
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "resourceVersion",
        ):
            metadata.pop(field, None)
            if field in meta(current):
                metadata[field] = meta(current)[field]
        if manager is None:
            metadata.pop("managedFields", None)
        taken_over(fresh, current)
        return current, fresh

    def _finish(self, info: Resource, fresh: Object, current: Object, dry_run: bool, manager: Manager | None) -> Object:
        """``manager`` is None where the account is in order already."""
        if same(fresh, current):
            return current
        if manager is not None and (manager.name != CONTROLLERS or "managedFields" in meta(fresh)):
            track(info, fresh, current, manager)
        held = meta(fresh).get("finalizers") or _holds_content(info, fresh)
        leaving = meta(fresh).get("deletionTimestamp") and not held
        if leaving and not meta(fresh).get("deletionGracePeriodSeconds") and not dry_run:
            return self._drop(info, fresh, current)
        return self._put("MODIFIED", info, fresh, current, dry_run)

    def patch(
        self,
        resource: str,
        ns: str,
        name: str,
        body: Any,
        *,
        patch_type: str,
        subresource: str | None = None,
        dry_run: bool = False,
        manager: Manager | None = None,
        decode: Callable[[Object], Object] | None = None,
    ) -> Object:
        """Apply a patch of media type ``patch_type`` (JSON, merge or strategic merge) and store the result.

        ``decode`` looks at the patched object, and may refuse it, before anything else does.
        """
        current = self.get(resource, ns, name)
        patched = apply_patch(BY_KEY[resource], current, patch_type, body)
        check_shape(patched)
        patched = decode(patched) if decode is not None else patched
        metadata = patched.setdefault("metadata", {})
        check_identity(BY_KEY[resource], metadata, current)
        metadata["name"] = name
        if ns:
            metadata["namespace"] = ns
        write = self.update_status if subresource == "status" else self.update
        return write(resource, patched, dry_run=dry_run, manager=manager)

    def apply(
        self,
        resource: str,
        config: Object,
        *,
        manager: Manager,
        force: bool = False,
        dry_run: bool = False,
    ) -> tuple[Object, bool]:
        """Server-side apply: what ``manager`` wants of an object; returns it as it is now, and whether it is new.

        409 where another manager owns a field with another value, unless ``force``.
        """
        info, metadata = BY_KEY[resource], config["metadata"]
        current = self.find(resource, metadata.get("namespace", ""), metadata["name"])
        if current is None:
            return self.create(resource, apply(info, None, config, manager, force=force), dry_run=dry_run), True
        check_identity(info, {"uid": meta(current)["uid"], **metadata}, current)
        fresh = thaw(apply(info, current, config, manager, force=force))
        if manager.subresource == "status":
            apply_defaults(info, fresh)
            return self._finish(info, fresh, current, dry_run, None), False
        return self._replace(info, fresh, current, dry_run, None), False

    def _put(self, type_: str, info: Resource, fresh: Object, previous: Object | None, dry_run: bool) -> Object:
        metadata = meta(fresh)
        if dry_run:
            return fresh
        metadata["resourceVersion"] = str(self.history.next_version())
        self._objects[info.key][(metadata.get("namespace", ""), metadata["name"])] = fresh
        self.history.record(type_, info.key, fresh, previous)
        return fresh

    # -- deleting --------------------------------------------------------------------------------------

    def delete(
        self,
        resource: str,
        ns: str,
        name: str,
        *,
        grace_seconds: int | None = None,
        preconditions: Mapping[str, str] | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> tuple[Object, bool]:
        """Delete an object; returns (the object as it now is or last was, whether it is gone).

        A scheduled, unfinished pod gets deletionTimestamp and deletionGracePeriodSeconds and stays until
        :meth:`remove`; a second deletion can only shorten its grace. An object with finalizers stays until an
        update takes the last one away. ``preconditions`` holds ``uid`` and ``resourceVersion`` (409).
        ``propagation`` Orphan cuts the dependents' owner references first; Foreground deletes the dependents
        first and the owner once the last is gone; Background leaves them to the garbage controller.
        """
        info = BY_KEY[resource]
        current = self.get(resource, ns, name)
        check_preconditions(info, current, preconditions or {})
        if propagation == "Orphan" and not dry_run:
            dependents.orphan(self, current)
        fresh = thaw(current)
        metadata = meta(fresh)
        if propagation == "Foreground" and not dry_run and dependents.delete(self, current):
            finalizers = metadata.setdefault("finalizers", [])
            if dependents.FINALIZER not in finalizers:
                finalizers.append(dependents.FINALIZER)
        grace = grace_of(info, current, grace_seconds)
        held = bool(metadata.get("finalizers") or _holds_content(info, fresh))
        if grace == 0 and not held:
            return (current if dry_run else self._drop_now(info, current, fresh)), True
        if not mark_deleted(metadata, grace):
            return current, False
        if info.key == "namespaces":
            metadata.pop("deletionGracePeriodSeconds")
            fresh["status"] = {**fresh.get("status", {}), "phase": "Terminating"}
        return self._put("MODIFIED", info, fresh, current, dry_run), False

    def remove(self, resource: str, ns: str, name: str, uid: str = "") -> None:
        """The kubelet's last word: the pod's containers are gone. Does nothing for another uid or no object.

        A pod that still has finalizers stays, with a grace of 0, until they are taken away.
        """
        current = self.find(resource, ns, name)
        if current is None or (uid and meta(current)["uid"] != uid):
            return
        self.delete(resource, ns, name, grace_seconds=0)

    def _drop_now(self, info: Resource, current: Object, fresh: Object) -> Object:
        """Remove an object. A pod is first told to be deleted without grace, as by a real server."""
        if info.key != "pods" or not mark_deleted(meta(fresh), 0):
            return self._drop(info, current, current)
        marked = self._put("MODIFIED", info, fresh, current, dry_run=False)
        return self._drop(info, marked, marked)

    def _drop(self, info: Resource, last: Object, previous: Object) -> Object:
        metadata = meta(last)
        self._objects[info.key].pop((metadata.get("namespace", ""), metadata["name"]), None)
        version = str(self.history.next_version())
        gone = {**last, "metadata": {**metadata, "resourceVersion": version}}
        self.history.record("DELETED", info.key, gone, previous)
        dependents.finish(self, children(metadata, "ownerReferences"))
        return gone
