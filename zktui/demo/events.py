"""core/v1 Events, as ``kubectl describe`` shows them."""

from __future__ import annotations

import time
from collections import OrderedDict

from zktui.demo.errors import ApiError
from zktui.demo.names import now
from zktui.demo.objects import Object, child, meta, name_of, namespace_of
from zktui.demo.store import Store

KEPT = 500
"""Events in all; the oldest go first. A real cluster forgets them after an hour."""


class EventRecorder:
    """Writes events; the same words about the same object are one event with a count."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[tuple[str, ...], tuple[str, str]] = OrderedDict()

    def record(
        self, about: Object, kind: str, reason: str, message: str, *, component: str, host: str = "", field: str = ""
    ) -> None:
        """``kind`` is Normal or Warning; ``host`` the node of the reporter; ``field`` a container's path."""
        key = (meta(about)["uid"], kind, reason, message, component, field)
        known = self._known.get(key)
        if known is not None and self._store.find("events", *known) is not None:
            self._known.move_to_end(key)
            self._store.change("events", *known, _again)
            return
        reference = {
            "kind": about["kind"],
            "namespace": namespace_of(about),
            "name": name_of(about),
            "uid": meta(about)["uid"],
            "apiVersion": about["apiVersion"],
            "resourceVersion": meta(about)["resourceVersion"],
            "fieldPath": field,
        }
        space, name = namespace_of(about) or "default", f"{name_of(about)}.{time.time_ns():x}"
        stamp = now()
        event: Object = {
            "metadata": {"name": name, "namespace": space},
            "involvedObject": {key: value for key, value in reference.items() if value},
            "reason": reason,
            "message": message,
            "source": {"component": component, **({"host": host} if host else {})},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "eventTime": None,
            "count": 1,
            "type": kind,
            "reportingComponent": component,
            "reportingInstance": host,
        }
        try:
            self._store.create("events", event)
        except ApiError:
            return  # its namespace is gone or going
        self._known[key] = (space, name)
        self._forget_old()

    def _forget_old(self) -> None:
        while len(self._known) > KEPT:
            _, (space, name) = self._known.popitem(last=False)
            if self._store.find("events", space, name) is not None:
                self._store.delete("events", space, name)


def _again(event: Object) -> None:
    event["count"] = int(child(event).get("count") or 0) + 1
    event["lastTimestamp"] = now()
