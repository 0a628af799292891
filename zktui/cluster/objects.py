"""Objects of any kind as documents: `core.ports.Objects` over the same transport as everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from zktui.cluster import wire
from zktui.cluster.transport import PAGE, Query, Transport, path_of
from zktui.cluster.workers import Workers
from zktui.core.documents import Document, text
from zktui.core.ports import Answer, Reply, Where

T = TypeVar("T")

MANAGER = "zktui"
APPLY_PATCH = "application/apply-patch+yaml"
"""JSON is YAML, and every server takes this type; application/apply-patch+json only newer ones."""
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"

_DOCUMENT = wire.decoder(dict[str, object])


class _Page(msgspec.Struct):
    metadata: wire.ListMeta
    items: list[dict[str, object]] | None = None


_PAGE = wire.decoder(_Page)


class KubeObjects:
    """Fulfils `core.ports.Objects`. A change that is under way is not stopped by cancelling who awaits it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._workers = Workers("zktui-objects", 4)

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]:
        path = _path(where, namespace, name)
        return await self._run(lambda: self._transport.get(path, _decode))

    async def list(self, where: Where, namespace: str = "", selector: str = "") -> Reply[tuple[Document, ...]]:
        return await self._run(lambda: self._list(_path(where, namespace), selector))

    async def apply(
        self, where: Where, document: Document, *, force: bool = False, dry: bool = False
    ) -> Reply[Document]:
        query = {"fieldManager": MANAGER, "force": force} | ({"dryRun": "All"} if dry else {})
        path = _path(where, text(document, "metadata", "namespace"), text(document, "metadata", "name"))
        return await self._change("PATCH", path, document, APPLY_PATCH, query)

    async def patch(
        self, where: Where, namespace: str, name: str, patch: Document | Sequence[Document]
    ) -> Reply[Document]:
        kind = STRATEGIC_PATCH if isinstance(patch, Mapping) else JSON_PATCH
        return await self._change("PATCH", _path(where, namespace, name), patch, kind, {"fieldManager": MANAGER})

    async def create(self, where: Where, document: Document) -> Reply[Document]:
        path = _path(where, text(document, "metadata", "namespace"))
        return await self._change("POST", path, document, "application/json", {"fieldManager": MANAGER})

    async def delete(
        self, where: Where, namespace: str, name: str, *, uid: str, orphan: bool = False
    ) -> Reply[Document]:
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Orphan" if orphan else "Background",
        }
        return await self._change("DELETE", _path(where, namespace, name), options, "application/json", {})

    def close(self) -> None:
        self._workers.close()

    def _list(self, path: str, selector: str) -> Reply[tuple[Document, ...]]:
        at = self._transport.clock.now()
        found: list[Document] = []
        query: dict[str, str | int | bool] = {"limit": PAGE} | ({"labelSelector": selector} if selector else {})
        while isinstance(reply := self._transport.get(path, _PAGE.decode, query), Answer):
            found.extend(reply.value.items or ())
            if not reply.value.metadata.continue_:
                return Answer(tuple(found), at)
            query["continue"] = reply.value.metadata.continue_
        return reply

    async def _run(self, call: Callable[[], Reply[T]]) -> Reply[T]:
        return await self._workers.submit(call)

    async def _change(self, method: str, path: str, body: object, kind: str, query: Query) -> Reply[Document]:
        def send() -> Reply[Document]:
            return self._transport.change(method, path, body, _decode, kind, query)

        return await asyncio.shield(self._workers.submit(send))


def _path(where: Where, namespace: str = "", name: str = "") -> str:
    inside = ["namespaces", namespace] if where.namespaced and namespace else []
    return where.root + path_of(*inside, where.plural, *([name] if name else []))


def _decode(data: bytes) -> Document:
    return _DOCUMENT.decode(data)
