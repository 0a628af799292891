"""What all controllers share: they look at the whole store, and look again when something changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import ClassVar

from zktui.demo.errors import ApiError
from zktui.demo.events import EventRecorder
from zktui.demo.objects import Object, children, meta
from zktui.demo.store import Store

log = logging.getLogger(__name__)
RETRY = 1.0
"""Seconds until a refused reconciliation is tried again."""


class Controller:
    """Level-triggered: :meth:`reconcile` is synchronous, may be called at any time and any number of times."""

    watches: ClassVar[frozenset[str]] = frozenset()
    """Resources whose changes wake the controller."""

    def __init__(self, store: Store, events: EventRecorder) -> None:
        self.store = store
        self.events = events
        self._wake = asyncio.Event()

    def reconcile(self) -> float | None:
        """Do what is to be done now; returns seconds until it wants to look again without a change."""
        raise NotImplementedError

    async def run(self) -> None:
        """Reconcile now and after changes, until cancelled. Changes in between are taken together."""
        undo = self.store.on_change(self._changed)
        try:
            while True:
                self._wake.clear()
                try:
                    again = self.reconcile()
                except ApiError as why:
                    # A refusal of the store (a namespace that ends, a name that is taken): others go on.
                    log.info("%s: %s", type(self).__name__, why)
                    again = RETRY
                except Exception:  # one that ended would take the cluster with it, in silence
                    log.exception("%s", type(self).__name__)
                    again = RETRY
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), again)
        finally:
            undo()

    def _changed(self, _kind: str, resource: str, _obj: Object) -> None:
        if resource in self.watches:
            self._wake.set()

    def set_status(self, resource: str, obj: Object, status: Object) -> None:
        """Store a status if it differs."""
        if obj.get("status") != status:
            names = {key: meta(obj)[key] for key in ("name", "namespace", "uid") if key in meta(obj)}
            self.store.update_status(resource, {"metadata": names, "status": status})


def controller_of(obj: Object) -> Object | None:
    """The owner reference that is the object's controller."""
    return next((owner for owner in children(meta(obj), "ownerReferences") if owner.get("controller")), None)
