"""One API server, asked over HTTP: a case's requests, and what came back, without what differs from run to run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import aiohttp

from tests.vectors.normal import Normal

Object = dict[str, Any]
Exchange = Object
"""``name``, ``request`` (method, path, and where there are any: headers, body, denied), ``reply`` (status, headers,
and one of body, text, events, messages)."""

KEPT = ("Allow", "Content-Type", "Retry-After", "Warning", "WWW-Authenticate")
"""Reply headers that a client may act on."""

DEADLINE = 20.0
"""Seconds that one reply, or one event of a watch, may take."""

MERGE = "application/merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


class Server(Protocol):
    """A server under test, with what can't be said over its own API."""

    @property
    def session(self) -> aiohttp.ClientSession:
        """Requests of an administrator, by paths."""
        ...

    @property
    def nobody(self) -> aiohttp.ClientSession:
        """Requests without credentials."""
        ...

    def denied(self, verb: str, resource: str) -> AbstractContextManager[dict[str, str]]:
        """Headers that make a request one of user zktui-demo, who may do anything but that, inside the context."""
        ...

    async def compact(self) -> None:
        """Make the storage forget every version but the present one."""
        ...

    async def kubelet_ready(self) -> None:
        """Wait for a node named node-1 whose kubelet runs pods. Fails where the server has none."""
        ...


Case = Callable[["Wire"], Awaitable[None]]


@dataclass
class Wire:
    """A case's way to its server, and the record of what was said. Each case has a namespace of its own."""

    server: Server
    namespace: str
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    normal: Normal = field(default_factory=Normal)

    # -- unrecorded: making the state that a case is about ----------------------------------------------

    async def do(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Object:
        """Send a request that has to succeed, and isn't part of the record. The decoded reply."""
        headers = {"Content-Type": kind} if body is not None else {}
        data = json.dumps(body) if body is not None else None
        async with self.server.session.request(method, path, data=data, headers=headers) as reply:
            text = await reply.text()
            if reply.status >= 300:
                raise AssertionError(f"{method} {path}: {reply.status} {text}")
            return cast("Object", json.loads(text))

    async def begin(self) -> None:
        """Make the namespace, and the ServiceAccount without which it takes no pods, unless a controller was first."""
        await self.do("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        account: Object = {"metadata": {"name": "default"}}
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        async with self.server.session.post(path, json=account) as reply:
            assert reply.status in (201, 409), await reply.text()

    def core(self, *rest: str) -> str:
        return "/".join([f"/api/v1/namespaces/{self.namespace}", *rest])

    def group(self, group: str, *rest: str) -> str:
        return "/".join([f"/apis/{group}/v1/namespaces/{self.namespace}", *rest])

    def budget(self, name: str = "zk-pdb") -> str:
        return self.group("policy", "poddisruptionbudgets", name)

    async def make_pod(self, name: str, *, ready: bool = True, phase: str = "Running", node: str = "nowhere") -> Object:
        """A pod of the ensemble whose status says so; nothing runs."""
        pod = await self.do("POST", self.core("pods"), pod_body(name, node))
        conditions = [{"type": "Ready", "status": str(ready)}]
        status: Object = {"phase": phase, "conditions": conditions}
        if phase == "Running":
            state: Object = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
            status["containerStatuses"] = [
                {"name": "c", "ready": ready, "restartCount": 0, "image": "i:1", "imageID": "i", "state": state}
            ]
            status["podIP"] = "10.0.0.7"
            status["podIPs"] = [{"ip": "10.0.0.7"}]
        await self.do("PATCH", self.core("pods", name, "status"), {"status": status}, MERGE)
        return pod

    async def make_budget(self, name: str = "zk-pdb", *, spec: Object | None = None, **status: Any) -> Object:
        """A budget whose status is as the disruption controller left it: open for one of three unless told else."""
        wanted = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "zk"}}, **(spec or {})}
        path = self.group("policy", "poddisruptionbudgets")
        await self.do("POST", path, {"metadata": {"name": name}, "spec": wanted})
        counts = {"currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3, "disruptionsAllowed": 1}
        now = {"observedGeneration": 1, **counts, **status}
        return await self.do("PATCH", f"{path}/{name}/status", {"status": now}, MERGE)

    # -- recorded ---------------------------------------------------------------------------------------

    async def ask(
        self,
        name: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        denied: tuple[str, str] | None = None,
        nobody: bool = False,
    ) -> Any:
        """Send a request and record it with its reply; the reply's body as it came.

        ``body`` is sent as JSON, or as it is when it is text.
        """
        said = dict(headers or {})
        request: Object = {"method": method, "path": path, **({"headers": said} if said else {})}
        data: str | None = None
        if body is not None:
            data = body if isinstance(body, str) else json.dumps(body)
            said.setdefault("Content-Type", "application/json")
            request["body"] = body
            if not isinstance(body, str):
                request["headers"] = said
        session = self.server.nobody if nobody else self.server.session
        if nobody:
            request["nobody"] = True
        if denied is None:
            reply, came = await self._send(session, method, path, data, said)
        else:
            request["denied"] = list(denied)
            with self.server.denied(*denied) as more:
                reply, came = await self._send(session, method, path, data, {**said, **more})
        self._record(name, request, reply)
        return came

    async def _send(
        self, session: aiohttp.ClientSession, method: str, path: str, data: str | None, headers: dict[str, str]
    ) -> tuple[Object, Any]:
        async with asyncio.timeout(DEADLINE), session.request(method, path, data=data, headers=headers) as reply:
            text = await reply.text()
            answer: Object = {"status": reply.status, "headers": kept(reply)}
            if reply.content_type == "application/json":
                came = json.loads(text)
                return {**answer, "body": came}, came
            return {**answer, "text": text}, text

    async def watch(
        self,
        name: str,
        path: str,
        until: Callable[[list[Object]], bool],
        *,
        headers: dict[str, str] | None = None,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
    ) -> list[Object]:
        """Record a watch's events until ``until`` holds for them, or to its end. ``meanwhile`` runs once it is open."""
        events: list[Object] = []
        place = len(self.exchanges)
        self.exchanges.append({})  # several watches may be open side by side
        async with self.server.session.get(path, headers=headers) as reply:
            answer: Object = {"status": reply.status, "headers": kept(reply), "events": events}
            if meanwhile is not None:
                await meanwhile()
            while not until(events) and (line := await asyncio.wait_for(reply.content.readline(), DEADLINE)):
                events.append(cast("Object", json.loads(line)))
        request: Object = {"method": "GET", "path": path, **({"headers": headers} if headers else {})}
        self._record(name, request, answer, place)
        return events

    async def channels(self, name: str, path: str, protocol: str, error: int) -> None:
        """Open a WebSocket and record [channel, text] of its messages, until the channel ``error`` has said why.

        A text that is JSON is recorded decoded.
        """
        said: list[list[Any]] = []
        async with asyncio.timeout(DEADLINE), self.server.session.ws_connect(path, protocols=(protocol,)) as socket:
            async for message in socket:
                data = cast("bytes", message.data)
                if len(data) > 1:  # v5 opens each channel with an empty message
                    text = data[1:].decode("latin-1")
                    said.append([data[0], json.loads(text) if text.startswith("{") else text])
                if data[0] == error and len(data) > 3:  # longer than a port
                    break
        request: Object = {"method": "GET", "path": path, "headers": {"Sec-WebSocket-Protocol": protocol}}
        self._record(name, request, {"status": 101, "headers": {}, "messages": said})

    def _record(self, name: str, request: Object, reply: Object, place: int | None = None) -> None:
        self.normal.learn(reply)
        exchange: Exchange = self.normal.of({"name": name, "request": request, "reply": reply})
        if place is None:
            self.exchanges.append(exchange)
        else:
            self.exchanges[place] = exchange


def kept(reply: aiohttp.ClientResponse) -> dict[str, Any]:
    return {name: ", ".join(reply.headers.getall(name)) for name in KEPT if name in reply.headers}


def pod_body(name: str, node: str | None, **spec: Any) -> Object:
    """A pod that selects nothing else: no token is mounted, so its spec is what was sent and the defaults."""
    container: Object = {"name": "c", "image": "i:1"}
    whole: Object = {"containers": [container], "automountServiceAccountToken": False, **spec}
    if node:
        whole["nodeName"] = node
    return {"metadata": {"name": name, "labels": {"app": "zk"}}, "spec": whole}


async def play(server: Server, name: str, case: Case) -> list[Exchange]:
    """Run one case in a namespace of its name; what was recorded."""
    wire = Wire(server, name)
    await wire.begin()
    await case(wire)
    return wire.exchanges
