"""What nobody owns any more is deleted; and what every namespace has from the start is made."""

from __future__ import annotations

from typing import ClassVar

from zktui.demo.controllers.base import Controller
from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.resources import BY_KEY, BY_KIND


class GarbageCollector(Controller):
    """Deletes objects whose owners are all gone, or whose namespace is going; background deletion depends on it."""

    watches: ClassVar[frozenset[str]] = frozenset(BY_KEY)

    def reconcile(self) -> float | None:
        all_spaces = {name_of(space): space for space in self.store.list("namespaces")[0]}
        spaces = {name for name, space in all_spaces.items() if not meta(space).get("deletionTimestamp")}
        content: set[str] = set()
        for resource, info in BY_KEY.items():
            for obj in self.store.list(resource)[0]:
                content.add(namespace_of(obj))
                lost = info.namespaced and namespace_of(obj) not in spaces
                if (lost or self._orphaned(obj)) and not meta(obj).get("deletionTimestamp"):
                    self.store.delete(resource, namespace_of(obj), name_of(obj))
        self._collect_lost_pods()
        for space in all_spaces.keys() - spaces - content:
            self.store.change("namespaces", "", space, lambda gone: gone["spec"].update(finalizers=[]))
        for space in spaces:
            if self.store.find("serviceaccounts", space, "default") is None:
                self.store.create("serviceaccounts", {"metadata": {"name": "default", "namespace": space}})
        return None

    def _collect_lost_pods(self) -> None:
        """Pods of a node whose object is gone, as the pod garbage collector does (there after some 40 s)."""
        nodes = {name_of(node) for node in self.store.list("nodes")[0]}
        for pod in self.store.list("pods")[0]:
            node = child(pod, "spec").get("nodeName")
            if node and node not in nodes:
                self.store.delete("pods", namespace_of(pod), name_of(pod), grace_seconds=0)

    def _orphaned(self, obj: Object) -> bool:
        owners = children(meta(obj), "ownerReferences")
        return bool(owners) and not any(self._exists(owner, namespace_of(obj)) for owner in owners)

    def _exists(self, owner: Object, space: str) -> bool:
        info = BY_KIND.get((owner["apiVersion"], owner["kind"]))
        if info is None:
            return True  # a kind that is not served here: not ours to judge
        found = self.store.find(info.key, space if info.namespaced else "", owner["name"])
        return child(found or {}, "metadata").get("uid") == owner["uid"]
