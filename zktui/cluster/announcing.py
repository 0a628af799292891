"""Events, as `kubectl describe` shows them: core/v1, which every server and every kubectl knows."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime

from zktui.cluster import wire
from zktui.cluster.resources import CORE
from zktui.cluster.transport import Transport, path_of
from zktui.cluster.workers import Workers
from zktui.core.ports import Notice, Reply

COMPONENT = "zktui"
HOME = "default"
"""Namespace of the Events about objects that have none, as the kubelet and the node controller use it; the API server
takes them nowhere else."""
MESSAGE = 1024
NAME = 200
"""Characters of the object's name that go into the Event's, which may have 253."""

_DECODE = wire.decoder(wire.Object).decode


class EventWriter:
    """Fulfils `core.ports.Announcer`: one request at a time, apart from those that a run depends on."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._workers = Workers("zktui-events", 1)

    async def announce(self, notice: Notice) -> Reply[str]:
        body = _body(notice, self._transport.clock.wall())
        path = CORE + path_of("namespaces", notice.namespace or HOME, "events")
        call = self._workers.submit(lambda: self._transport.change("POST", path, body, _name_of))
        return await asyncio.shield(call)

    def close(self) -> None:
        self._workers.close()


def _name_of(data: bytes) -> str:
    return _DECODE(data).metadata.name


def _body(notice: Notice, wall: float) -> dict[str, object]:
    """By the object's UID, so that a later object of the same name does not inherit it."""
    namespace = notice.namespace or HOME
    about = {
        "apiVersion": notice.api_version,
        "kind": notice.kind,
        "name": notice.name,
        "namespace": notice.namespace,
        "uid": notice.uid,
    }
    at = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"{notice.name[:NAME]}.{secrets.token_hex(8)}"},
        "involvedObject": {key: value for key, value in about.items() if value},
        "reason": notice.reason,
        "message": notice.message[:MESSAGE],
        "type": "Warning" if notice.warning else "Normal",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
