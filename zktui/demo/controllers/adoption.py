"""What a new set takes over: pods and revisions that its selector matches and that nobody controls any more.

As the StatefulSet controller does (adoptOrphanRevisions, and claimPods of its ControllerRefManager) after a deletion
with ``--cascade=orphan``.
"""

from __future__ import annotations

from zktui.demo.controllers.base import controller_of
from zktui.demo.controllers.revisions import REVISIONS
from zktui.demo.names import ordinal
from zktui.demo.objects import Object, child, labels_of, meta, name_of, namespace_of
from zktui.demo.selectors import matches_selector
from zktui.demo.store import Store


def adopt(store: Store, stateful_set: Object, owner: Object) -> None:
    """Give each of them ``owner`` as its controller; the rest of its references stay."""
    space, selector = namespace_of(stateful_set), child(stateful_set, "spec").get("selector")

    def take(obj: Object) -> None:
        meta(obj)["ownerReferences"] = [*(meta(obj).get("ownerReferences") or []), owner]

    for resource in (REVISIONS, "pods"):
        for obj in store.list(resource, space)[0]:
            free = controller_of(obj) is None and not meta(obj).get("deletionTimestamp")
            named = resource == REVISIONS or ordinal(name_of(stateful_set), name_of(obj)) >= 0
            if free and named and matches_selector(selector, labels_of(obj)):
                store.change(resource, space, name_of(obj), take)
