"""Watches: a stream of JSON events, one a line, from a resource version on.

Follows the watch cache of a real server: a version that is no longer known is told by an ERROR event inside
a reply of 200; an object that a selector no longer matches is told as DELETED.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable

from aiohttp import web

from zktui.demo import selectors, warnings
from zktui.demo.defaults import EMPTY
from zktui.demo.errors import ApiError
from zktui.demo.history import Change
from zktui.demo.listoptions import check_watch
from zktui.demo.objects import Object, labels_of, meta, namespace_of
from zktui.demo.requests import METADATA, TABLE, RequestInfo
from zktui.demo.store import Store
from zktui.demo.tables import included, partial_metadata, table

LAST_BOOKMARK = 2.0
"""Seconds before the end of a watch."""

INITIAL_END = "k8s.io/initial-events-end"
Event = tuple[str, Object]


class Watch:
    """One watch request. ``form`` is the answer's form; bookmarks come every ``bookmark_seconds``."""

    def __init__(self, store: Store, info: RequestInfo, form: str, bookmark_seconds: float) -> None:
        check_watch(info)
        self._store = store
        self._info = info
        self._form = form
        self._bookmark_seconds = bookmark_seconds
        self._header = True
        self._match = _matcher(info)
        self._bookmarks = info.flag("allowWatchBookmarks")
        self._since = info.integer("resourceVersion") or 0
        self._version = self._since or store.version

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send events until the client leaves, ``timeoutSeconds`` is over, or the history is lost."""
        seconds = self._info.integer("timeoutSeconds") or random.randint(1800, 3600)  # noqa: S311 - no secret
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        initial = self._initial_events()
        warned = warnings.header(warnings.of_request(self._info.resource))
        response = web.StreamResponse(headers={"Content-Type": "application/json", **warned})
        await response.prepare(request)
        await self._send(response, initial)
        try:
            start = self._version
            bookmark = self._next_bookmark(loop.time(), ends)
            while (left := ends - loop.time()) > 0:
                pause = max(min(left, bookmark - loop.time()), 0)
                changes = await self._store.history.wait(self._version, pause)
                events = [event for change in changes if (event := self._event(change)) is not None]
                if changes:
                    self._version = changes[-1].version
                if loop.time() >= bookmark:
                    # As long as nothing at all has changed there is nothing to tell.
                    events += [self._bookmark()] if self._version > start else []
                    bookmark = self._next_bookmark(loop.time(), ends)
                await self._send(response, events)
        except ApiError as why:
            await self._send(response, [("ERROR", why.status())])
        except ConnectionResetError:
            pass  # the client left between two events, which is how most watches end
        return response

    def _next_bookmark(self, now: float, ends: float) -> float:
        """When the next bookmark is due: after a while, or shortly before the end, as a real watch cache has it."""
        due = min(now + self._bookmark_seconds, ends - LAST_BOOKMARK)
        return due if self._bookmarks and due > now else math.inf

    def _initial_events(self) -> list[Event]:
        """The present state as ADDED events, when the watch starts without a version or asks for it."""
        asked = self._info.flag("sendInitialEvents")
        if self._since and not asked:
            return []
        self._version = self._store.version
        objects, _ = self._store.list(self._info.resource.key, self._info.namespace)
        events: list[Event] = [("ADDED", obj) for obj in objects if self._match(obj)]
        if asked and self._bookmarks:
            events.append(self._bookmark({INITIAL_END: "true"}))
        return events

    def _bookmark(self, annotations: dict[str, str] | None = None) -> Event:
        metadata: Object = {"resourceVersion": str(self._version)}
        if annotations:
            metadata["annotations"] = annotations
        resource = self._info.resource
        empty = EMPTY.get(resource.key, {})
        return "BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata, **empty}

    def _event(self, change: Change) -> Event | None:
        """The change as this watch's selectors see it."""
        if change.resource != self._info.resource.key:
            return None
        was = change.previous is not None and self._match(change.previous)
        now = change.type != "DELETED" and self._match(change.obj)
        if now:
            return ("MODIFIED" if was else "ADDED"), change.obj
        if not was:
            return None
        if change.type == "DELETED" or change.previous is None:
            return "DELETED", change.obj
        left = {**change.previous, "metadata": {**meta(change.previous)}}
        meta(left)["resourceVersion"] = str(change.version)
        return "DELETED", left

    async def _send(self, response: web.StreamResponse, events: list[Event]) -> None:
        if events:
            lines = [json.dumps({"type": kind, "object": self._shape(kind, obj)}) + "\n" for kind, obj in events]
            await response.write("".join(lines).encode())

    def _shape(self, kind: str, obj: Object) -> Object:
        """The object in the form the client asked for; the columns of a table come with its first event."""
        if kind == "ERROR" or not self._form:
            return obj
        if self._form == METADATA:
            return partial_metadata(obj)
        assert self._form == TABLE
        include = included(self._info.query)
        shaped = table(self._info.resource, [obj], meta(obj), include=include, header=self._header)
        self._header = False
        return shaped


def _matcher(info: RequestInfo) -> Callable[[Object], bool]:
    """Namespace, name and selectors of a watch; 400 for selectors that aren't."""
    by_label = selectors.label_selector(info.query.get("labelSelector", ""))
    by_field = selectors.field_selector(info.resource.key, info.query.get("fieldSelector", ""))

    def match(obj: Object) -> bool:
        if info.namespace and namespace_of(obj) != info.namespace:
            return False
        if info.name and meta(obj)["name"] != info.name:
            return False
        return by_label(labels_of(obj)) and by_field(obj)

    return match
