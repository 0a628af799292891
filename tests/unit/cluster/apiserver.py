"""A small HTTP server that behaves, and misbehaves, as an API server does. It runs in a thread, on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """Answers by `routes`, (method, path) to handler; a path that is not there gets a 404 Status."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], Handler] = {}
        self.seen: list[web.Request] = []
        self.bodies: list[Any] = []
        self.loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(10)

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, handler: Handler) -> None:
        self.routes[method, path] = handler

    def requests(self, path: str) -> list[web.Request]:
        return [request for request in self.seen if request.path == path]

    def kubeconfig(self, folder: Path, user: str = "{token: secret}") -> str:
        file = folder / "kubeconfig"
        file.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
            f"clusters: [{{name: c, cluster: {{server: '{self.url}'}}}}]\n"
            f"users: [{{name: u, user: {user}}}]\n"
            "contexts: [{name: here, context: {cluster: c, user: u, namespace: zoo}}]\n"
        )
        return str(file)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{tail:.*}", self._dispatch)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:  # handlers that stall
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.json() if request.can_read_body else None)
        handler = self.routes.get((request.method, request.path))
        if handler is None:
            return refusal(404, "NotFound", f"{request.path} not found")
        return await handler(request)


def refusal(
    code: int, reason: str, message: str, *, headers: dict[str, str] | None = None, **details: Any
) -> web.Response:
    return web.json_response(status(code, reason, message, **details), status=code, headers=headers)


def status(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return {**body, "message": message, "details": details}


def always(body: Any, code: int = 200, headers: dict[str, str] | None = None) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=code, headers=headers)

    return handler


def in_turn(*handlers: Handler) -> Handler:
    """The first call by the first handler, and so on; the last one for ever."""
    left = list(handlers)

    async def handler(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return handler


async def cut(request: web.Request) -> web.StreamResponse:
    """The connection is reset, and nothing was answered."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stall(_: web.Request) -> web.StreamResponse:
    """No answer, as long as the client waits."""
    await asyncio.sleep(3600)
    return web.Response()


def streaming(*parts: bytes, then: str = "hold") -> Handler:
    """A 200 whose body comes in the given parts; after them it holds on, ends, or is cut."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        if then == "hold":
            await asyncio.sleep(3600)
        elif then == "cut":
            await asyncio.sleep(0.05)  # or what was written would be lost with the connection
            return await cut(request)
        return response

    return handler


def by_query(key: str, with_it: Handler, without_it: Handler) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await (with_it if key in request.query else without_it)(request)

    return handler


def page(*items: Any, version: str = "1", more: str = "") -> dict[str, Any]:
    return {"kind": "List", "metadata": {"resourceVersion": version, "continue": more}, "items": list(items)}


def event(kind: str, body: Any) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def node(name: str, version: str = "1", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": version}, "spec": spec, "status": {}}
