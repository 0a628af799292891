"""ControllerRevisions: the history of a StatefulSet's template, which rollout history and undo read."""

from __future__ import annotations

import copy
import hashlib
import json

from zktui.demo.names import ALPHABET
from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.store import Store, thaw

REVISIONS = "controllerrevisions.apps"
HASH_LABEL = "controller-revision-hash"


def revision_data(stateful_set: Object) -> Object:
    """The patch that puts the set's template back, as Kubernetes stores it."""
    return {"spec": {"template": {**copy.deepcopy(child(stateful_set, "spec")["template"]), "$patch": "replace"}}}


def template_of(revision: Object) -> Object:
    """The pod template that a revision holds."""
    template = copy.deepcopy(child(revision, "data", "spec")["template"])
    template.pop("$patch", None)
    return template


def _name(stateful_set: Object, data: Object) -> str:
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).digest()
    return f"{name_of(stateful_set)}-{''.join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10])}"


def sync_revisions(store: Store, stateful_set: Object, owner: Object) -> tuple[Object, Object]:
    """(current, update): the revision that the set comes from, and the one of its template now.

    A template seen before gets its old revision back with a new number, as after ``kubectl rollout undo``.
    """
    space, uid = namespace_of(stateful_set), meta(stateful_set)["uid"]
    held = [entry for entry in store.list(REVISIONS, space)[0] if _owned(entry, uid)]
    held.sort(key=lambda entry: entry["revision"])
    data = revision_data(stateful_set)
    latest = held[-1]["revision"] if held else 0
    same = next((entry for entry in held if entry["data"] == data), None)
    if same is None:
        labels = dict(child(child(stateful_set, "spec", "template"), "metadata").get("labels") or {})
        name = _name(stateful_set, data)
        labels[HASH_LABEL] = name
        metadata = {"name": name, "namespace": space, "labels": labels, "ownerReferences": [owner]}
        update = store.create(REVISIONS, {"metadata": metadata, "data": data, "revision": latest + 1})
    elif same["revision"] < latest:
        update = store.update(REVISIONS, {**thaw(same), "revision": latest + 1})
    else:
        update = same
    named = child(stateful_set, "status").get("currentRevision")
    current = next((entry for entry in held if name_of(entry) == named), update)
    return current, update


def truncate(store: Store, stateful_set: Object, live: set[str]) -> None:
    """Remove the oldest revisions that nothing uses, beyond the set's revisionHistoryLimit."""
    uid = meta(stateful_set)["uid"]
    held = [entry for entry in store.list(REVISIONS, namespace_of(stateful_set))[0] if _owned(entry, uid)]
    idle = sorted((entry for entry in held if name_of(entry) not in live), key=lambda entry: entry["revision"])
    limit = int(child(stateful_set, "spec").get("revisionHistoryLimit", 10))
    for entry in idle[: max(len(idle) - limit, 0)]:
        store.delete(REVISIONS, namespace_of(entry), name_of(entry))


def _owned(obj: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in children(meta(obj), "ownerReferences"))
