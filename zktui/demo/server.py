"""The rehearsal API server: Kubernetes' API over HTTPS on loopback, for one :class:`Store` and one kubelet."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from zktui.demo import discovery, errors, openapi, patches, warnings
from zktui.demo.api import Api, Reply, check_verb
from zktui.demo.certificates import Certificate
from zktui.demo.errors import ApiError
from zktui.demo.objects import Object
from zktui.demo.podlogs import serve_logs
from zktui.demo.portforward import serve_portforward
from zktui.demo.remotecommand import serve_exec
from zktui.demo.requests import (
    METADATA,
    TABLE,
    RequestInfo,
    answer_form,
    parse_request,
    read_body,
    read_object,
)
from zktui.demo.reviews import ANONYMOUS, USER, Authorizer, refusal
from zktui.demo.runtime import PodRuntime
from zktui.demo.store import Store
from zktui.demo.tables import included, partial_metadata, table
from zktui.demo.watch import Watch

Interceptor = Callable[[RequestInfo, web.Request], Awaitable[None]]
Eavesdropper = Callable[[RequestInfo, web.Request, int], Awaitable[None]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
STREAMS = {"log": serve_logs, "exec": serve_exec, "portforward": serve_portforward}
MAX_BODY = 3 * 1024 * 1024
"""Bytes in a request, as etcd and the real server limit them."""


CONTROL = "/rehearsal"
"""What breaks the rehearsal's parts is asked here; no such path is Kubernetes'."""

PUBLIC = ("/readyz", "/livez", "/healthz", "/version")


class ApiServer:
    """Serve ``store`` and ``runtime`` on a free port of 127.0.0.1 between :meth:`start` and :meth:`stop`.

    ``intercept`` takes coroutine functions called with each request for a resource before it is carried out:
    they may wait, raise an :class:`ApiError`, or close ``request.transport``, and so rehearse a server in
    trouble. ``overhear`` takes such functions for after it was carried out or refused, with the HTTP code of the
    reply that is about to be sent: an audit, or a reply that gets lost. ``control`` answers what comes to
    :data:`CONTROL`, however ill the server is. ``bookmark_seconds`` is the time between the bookmarks of an idle watch.
    """

    def __init__(self, store: Store, runtime: PodRuntime, *, bookmark_seconds: float = 60) -> None:
        self.token = secrets.token_urlsafe(32)
        self.intercept: list[Interceptor] = []
        self.overhear: list[Eavesdropper] = []
        self._store = store
        self._runtime = runtime
        self._bookmark_seconds = bookmark_seconds
        self._authorizer = Authorizer()
        self._api = Api(store, self._authorizer)
        self._certificate = Certificate.self_signed("127.0.0.1")
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._ill, self._ill_until = "", 0.0
        self.control: Handler | None = None

    # -- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; the port is chosen by the system."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._serve)
        # No grace for handlers at the end: they are watches and followed logs, which never end by themselves.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._certificate.server_context())
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and end every stream. May be called more than once."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        open_transports = [found.transport for found in runner.server.connections] if runner.server else []
        await runner.cleanup()
        for transport in filter(None, open_transports):
            # A TLS connection that is only closed waits half a minute for the client's farewell.
            transport.abort()
        await asyncio.sleep(0)

    async def restart(self, seconds: float) -> None:
        """Be away for that long, and come back on the same port with an empty watch cache."""
        await self.stop()
        self._store.history.compact()
        await asyncio.sleep(seconds)
        await self.start()

    def be_unwell(self, how: str, seconds: float) -> None:
        """``fail``: 500 to everything; ``stall``: no answer at all. Both for that long."""
        self._ill, self._ill_until = how, asyncio.get_running_loop().time() + seconds

    def be_well(self) -> None:
        self._ill = ""

    @property
    def trouble(self) -> str:
        """``fail``, ``stall``, ``away``, or nothing."""
        if self._runner is None:
            return "away"
        return self._ill if asyncio.get_running_loop().time() < self._ill_until else ""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def certificate(self) -> Certificate:
        """The server's certificate, which is its own authority."""
        return self._certificate

    def kubeconfig(self, context: str = "zktui-demo", namespace: str = "default") -> Object:
        """A kubeconfig with one context for this server."""
        cluster = {"server": self.url, "certificate-authority-data": self._certificate.base64()}
        names = {"cluster": context, "user": context, "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": self.token}}],
            "contexts": [{"name": context, "context": names}],
            "current-context": context,
            "preferences": {},
        }

    def deny(self, verb: str, resource: str) -> None:
        """Answer 403 to that verb (``*``: all) on ``nodes``, ``pods/eviction`` … from now on."""
        self._authorizer.deny(verb, resource)

    def allow(self, verb: str, resource: str) -> None:
        """Take back a :meth:`deny`."""
        self._authorizer.allow(verb, resource)

    # -- requests --------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Authenticate, and turn refusals into Status replies."""
        try:
            self._authenticate(request)
            if request.path == CONTROL and self.control is not None:
                return await self.control(request)
            if self.trouble == "stall":
                await asyncio.sleep(self._ill_until - asyncio.get_running_loop().time())
            if self.trouble == "fail":
                raise errors.internal_error("etcdserver: leader changed")
            return await handler(request)
        except ApiError as why:
            return _refusal(why)
        except web.HTTPRequestEntityTooLarge:
            words = f"Request entity too large: limit is {MAX_BODY}"
            return _refusal(ApiError(413, "RequestEntityTooLarge", words))

    def _authenticate(self, request: web.Request) -> None:
        """401 for a wrong token. Who says nothing of themselves is system:anonymous, and may ask what is public."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer":
            if not secrets.compare_digest(token.strip().encode(), self.token.encode()):
                raise errors.unauthorized()
        elif request.path not in PUBLIC:
            info = parse_request(request.method, request.path, dict(request.query))
            raise errors.path_forbidden(ANONYMOUS, request.path) if info is None else refusal(ANONYMOUS, info)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        info = parse_request(request.method, request.path, dict(request.query), agent)
        if info is None:
            return self._serve_document(request)
        if any(name.lower().startswith("impersonate-") for name in request.headers):
            # There are no rights here but those of the one user.
            raise errors.no_impersonation(USER, request.headers.get("Impersonate-User", ""))
        self._authorizer.check(info)
        for interceptor in self.intercept:
            await interceptor(info, request)
        if info.verb == "watch":
            form = answer_form(request.headers.get("Accept", ""))
            return await Watch(self._store, info, form, self._bookmark_seconds).serve(request)
        stream = STREAMS.get(info.subresource)
        if stream is not None:
            return await self._serve_stream(request, info, stream)
        form = answer_form(request.headers.get("Accept", ""))
        try:
            check_verb(info)
            reply = await self._api.handle(info, await _body(request, info), request.content_type)
        except ApiError as why:
            await self._tell(info, request, why.code)
            raise
        await self._tell(info, request, reply.code)
        return _answer(info, form, reply)

    async def _tell(self, info: RequestInfo, request: web.Request, code: int) -> None:
        for eavesdropper in self.overhear:
            await eavesdropper(info, request, code)

    async def _serve_stream(self, request: web.Request, info: RequestInfo, stream: Any) -> web.StreamResponse:
        if info.verb not in ("get", "create"):
            raise errors.method_not_allowed()
        pod = self._store.get("pods", info.namespace, info.name)
        return await stream(request, info, pod, self._runtime)

    def _serve_document(self, request: web.Request) -> web.Response:
        """Discovery, OpenAPI, version and health."""
        path = request.path.rstrip("/")
        if path in ("/readyz", "/livez", "/healthz"):
            return web.Response(text="ok")
        accept = request.headers.get("Accept", "")
        if path in ("/api", "/apis") and discovery.wants_aggregated(accept):
            body = json.dumps(discovery.aggregated(core=path == "/api")).encode()
            return web.Response(body=body, headers={"Content-Type": discovery.AGGREGATED})
        if path == "/openapi/v2":
            return web.Response(body=openapi.v2(), headers={"Content-Type": openapi.V2_TYPE})
        found = self._document(path)
        if found is not None:
            return _json(found)
        match [part for part in path.split("/") if part]:
            case ["api", "v1", *_]:
                raise errors.path_not_found()
            case ["apis", group, _, *_] if discovery.api_group(group) is not None:
                raise errors.path_not_found()
            case _:
                return web.Response(status=404, text="404 page not found\n")

    def _document(self, path: str) -> Object | None:
        match [part for part in path.split("/") if part]:
            case ["version"]:
                return discovery.VERSION
            case ["api"]:
                return discovery.api_versions(f"127.0.0.1:{self._port}")
            case ["api", version]:
                return discovery.api_resources("", version)
            case ["apis"]:
                return discovery.api_groups()
            case ["apis", group]:
                return discovery.api_group(group)
            case ["apis", group, version]:
                return discovery.api_resources(group, version)
            case ["openapi", "v3"]:
                return openapi.index()
            case ["openapi", "v3", *rest]:
                return openapi.document("/".join(rest))
            case _:
                return None


async def _body(request: web.Request, info: RequestInfo) -> Any:
    """The decoded body where the verb has one."""
    if info.verb in ("create", "update"):
        return await read_object(request, info)
    if info.verb == "patch" and request.content_type not in patches.TYPES:
        raise errors.unsupported_patch()
    return await read_body(request) if info.verb in ("patch", "delete", "deletecollection") else None


def _answer(info: RequestInfo, form: str, reply: Reply) -> web.Response:
    """The reply as the client wants it: whole, as a Table, or only the metadata."""
    body = reply.body
    warned = warnings.of_request(info.resource) + reply.warnings
    if info.verb in ("create", "update", "patch") and not info.subresource:
        warned += warnings.of_object(info.resource, body)
    if body.get("kind") == "Status" or not form or info.verb not in ("get", "list"):
        return _json(body, reply.code, warnings.header(warned))
    items = reply.items if reply.items is not None else [body]
    if form == TABLE:
        body = table(info.resource, items, body["metadata"], include=included(info.query))
    elif form == METADATA and reply.items is None:
        body = partial_metadata(body)
    elif form == METADATA:
        body = {
            "kind": METADATA + "List",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": body["metadata"],
            "items": [partial_metadata(obj) for obj in items],
        }
    return _json(body, reply.code, warnings.header(warned))


def _refusal(why: ApiError) -> web.Response:
    retry = (why.details or {}).get("retryAfterSeconds")
    return _json(why.status(), why.code, {"Retry-After": str(retry)} if retry else {})


def _json(body: Object, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """JSON without a charset in its type, as Kubernetes has it."""
    return web.Response(
        body=json.dumps(body).encode(), status=code, headers={**(headers or {}), "Content-Type": "application/json"}
    )
