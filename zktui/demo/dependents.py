"""What becomes of objects whose owner is deleted: cut loose (Orphan) or deleted before it (Foreground)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zktui.demo.objects import Object, children, meta, name_of, namespace_of

if TYPE_CHECKING:
    from zktui.demo.store import Store

FINALIZER = "foregroundDeletion"


def of(store: Store, uid: str) -> list[tuple[str, Object]]:
    """(resource, object) of everything that names ``uid`` among its owners."""
    return [
        (resource, obj)
        for resource, obj in store.everything()
        if any(owner.get("uid") == uid for owner in children(meta(obj), "ownerReferences"))
    ]


def orphan(store: Store, owner: Object) -> None:
    """Take the owner out of their references."""
    uid = meta(owner)["uid"]
    for resource, obj in of(store, uid):
        kept = [entry for entry in meta(obj)["ownerReferences"] if entry.get("uid") != uid]
        store.change(
            resource, namespace_of(obj), name_of(obj), lambda fresh, kept=kept: meta(fresh).update(ownerReferences=kept)
        )


def delete(store: Store, owner: Object) -> bool:
    """Delete them; is there one that takes time to go?"""
    uid = meta(owner)["uid"]
    for resource, obj in of(store, uid):
        store.delete(resource, namespace_of(obj), name_of(obj))
    return bool(of(store, uid))


def finish(store: Store, owners: list[Object]) -> None:
    """Of these owners (references) those go that waited in foreground deletion for their last dependent."""
    for reference in owners:
        for resource, obj in store.everything():
            waits = meta(obj)["uid"] == reference["uid"] and FINALIZER in children(meta(obj), "finalizers")
            if waits and not of(store, meta(obj)["uid"]):
                store.change(resource, namespace_of(obj), name_of(obj), _release)


def _release(owner: Object) -> None:
    meta(owner)["finalizers"].remove(FINALIZER)
