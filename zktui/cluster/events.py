"""The lines of a watch, as changes of facts."""

from __future__ import annotations

from typing import Any

from zktui.cluster import wire
from zktui.cluster.outcomes import refusal
from zktui.cluster.resources import Resource
from zktui.core.deltas import Alive, Delta, Fact, Kind, Remove, Upsert
from zktui.core.ports import Refused

_EVENT = wire.decoder(wire.Event)
_OBJECT = wire.decoder(wire.Object)
_STATUS = wire.decoder(wire.Status)


class Events:
    """Splits and decodes one watch's body, and keeps track of how far it has come."""

    def __init__(self, kind: Kind, resource: Resource[Any, Fact], version: str) -> None:
        self.version = version
        """resourceVersion of the newest event: where the next watch goes on."""
        self.error: Refused | None = None
        """The Status of an ERROR event; it ends the watch. A code of 410 means that all is to be listed anew."""
        self._kind = kind
        self._fact = resource.fact
        self._decode = wire.decoder(resource.wire).decode
        self._tail = b""

    def feed(self, data: bytes, at: float) -> list[Delta]:
        """The changes in the lines that `data` completes. Raises msgspec.DecodeError for what is no event."""
        first, *lines = data.split(b"\n")
        if not lines:
            self._tail += first
            return []
        found: list[Delta] = []
        for line in (self._tail + first, *lines[:-1]):
            if line and self.error is None:
                self._one(line, at, found)
        self._tail = lines[-1]
        return found

    def _one(self, line: bytes, at: float, found: list[Delta]) -> None:
        event = _EVENT.decode(line)
        match event.type:
            case "ADDED" | "MODIFIED":
                item = self._decode(event.object)
                self.version = item.metadata.resource_version
                found.append(Upsert(self._kind, self._fact(item), at))
            case "DELETED":
                meta = _OBJECT.decode(event.object).metadata
                self.version = meta.resource_version
                found.append(Remove(self._kind, meta.uid, at))
            case "BOOKMARK":
                self.version = _OBJECT.decode(event.object).metadata.resource_version
                found.append(Alive(self._kind, at))
            case "ERROR":
                status = _STATUS.decode(event.object)
                self.error = refusal(status, status.code, at)
            case _:
                pass  # a type of a later API: it can't be judged, and a relist will bring what it meant
