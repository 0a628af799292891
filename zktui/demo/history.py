"""The changes of the store: kept for watches and consistent lists, and told to whoever wants to know."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from zktui.demo import errors
from zktui.demo.objects import Object, name_of, namespace_of

SIZE = 4096
"""Changes kept; older ones are gone, as after a compaction of etcd."""


class Change(NamedTuple):
    """One change: ADDED, MODIFIED or DELETED; ``previous`` is None for ADDED.

    The object of a DELETED change is the last state, under the resource version of the deletion.
    """

    type: str
    obj: Object
    previous: Object | None
    resource: str
    version: int


ChangeCallback = Callable[[str, str, Object], None]


class History:
    """Consecutive integers as resource versions, so that a change is found by its place."""

    def __init__(self, size: int = SIZE) -> None:
        self._changes: deque[Change] = deque(maxlen=size)
        self._version = 1
        self._callbacks: list[ChangeCallback] = []
        self._wake: set[asyncio.Event] = set()

    @property
    def version(self) -> int:
        """The resource version of the latest change."""
        return self._version

    @property
    def oldest(self) -> int:
        """The resource version just before the oldest change still kept."""
        return self._changes[0].version - 1 if self._changes else self._version

    def compact(self) -> None:
        """Forget all changes: watches and lists from before now get 410."""
        self._changes.clear()

    def next_version(self) -> int:
        """Claim the version of a change that :meth:`record` will tell."""
        self._version += 1
        return self._version

    def record(self, type_: str, resource: str, obj: Object, previous: Object | None) -> None:
        """Keep the change of the version just claimed, and tell everybody."""
        self._changes.append(Change(type_, obj, previous, resource, self._version))
        for wake in self._wake:
            wake.set()
        for callback in list(self._callbacks):
            callback(type_, resource, obj)

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """See :meth:`zktui.demo.store.Store.on_change`."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def after(self, version: int) -> list[Change]:
        """Changes later than ``version``, oldest first; 410 in the words of a watch when they are gone."""
        if version < self.oldest:
            raise errors.expired(f"too old resource version: {version} ({self.oldest})")
        held, count = len(self._changes), max(self._version - version, 0)
        return [self._changes[place] for place in range(held - count, held)]

    async def wait(self, version: int, timeout: float | None = None) -> list[Change]:
        """As :meth:`after`, but waits up to ``timeout`` seconds (None: for ever) for there to be a change."""
        found = self.after(version)
        if found:
            return found
        wake = asyncio.Event()
        self._wake.add(wake)
        try:
            async with asyncio.timeout(timeout):
                await wake.wait()
        except TimeoutError:
            return []
        finally:
            self._wake.discard(wake)
        return self.after(version)

    async def subscribe(self, version: int) -> AsyncGenerator[Change, None]:
        """Every change after ``version``, for as long as it is read; 410 as :meth:`after`."""
        while True:
            for change in await self.wait(version):
                version = change.version
                yield change

    def rewind(
        self, resource: str, objects: dict[tuple[str, str], Object], version: int
    ) -> dict[tuple[str, str], Object]:
        """What ``objects`` of that resource were at ``version``: every later change taken back.

        410 in the words of a list when the version is compacted, 504 when it is yet to come.
        """
        if version > self._version:
            raise errors.future_version(version, self._version)
        if version < self.oldest:
            raise errors.expired("The resourceVersion for the provided list is too old.")
        past = dict(objects)
        for change in reversed(self._changes):
            if change.version <= version:
                break
            if change.resource != resource:
                continue
            place = (namespace_of(change.obj), name_of(change.obj))
            if change.previous is None:
                past.pop(place, None)
            else:
                past[place] = change.previous
        return past
