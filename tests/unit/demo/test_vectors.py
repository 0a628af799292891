"""The embedded server answers what a real one answered: the same requests, compared with the recorded replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

import aiohttp
import pytest

from tests.unit.demo.vector_differences import ALLOWED, left, used
from tests.vectors import catalogue
from tests.vectors.compare import differences
from tests.vectors.wire import play
from zktui.demo.runtime import PodRuntime
from zktui.demo.server import ApiServer
from zktui.demo.store import Store


class EmbeddedServer:
    """The embedded API server as :class:`tests.vectors.wire.Server`: no controllers, as when it was recorded."""

    def __init__(self, api: ApiServer, store: Store) -> None:
        self._api, self._store = api, store
        ssl = api.certificate.client_context
        token = {"Authorization": f"Bearer {api.token}"}
        self.session = aiohttp.ClientSession(api.url, connector=aiohttp.TCPConnector(ssl=ssl()), headers=token)
        self.nobody = aiohttp.ClientSession(api.url, connector=aiohttp.TCPConnector(ssl=ssl()))

    async def close(self) -> None:
        await self.session.close()
        await self.nobody.close()

    @contextmanager
    def denied(self, verb: str, resource: str) -> Generator[dict[str, str]]:
        self._api.deny(verb, resource)
        yield {}
        self._api.allow(verb, resource)

    async def compact(self) -> None:
        self._store.history.compact()

    async def kubelet_ready(self) -> None:
        raise NotImplementedError("there is a kubelet only where nodes are asked for")


@pytest.fixture
async def embedded(runtime: PodRuntime) -> AsyncIterator[EmbeddedServer]:
    store = Store()
    # A real server makes these itself.
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        store.create("namespaces", {"metadata": {"name": name}})
    api = ApiServer(store, runtime, bookmark_seconds=60)
    await api.start()
    server = EmbeddedServer(api, store)
    yield server
    await server.close()
    await api.stop()


@pytest.mark.parametrize("case", [name for name in catalogue.CASES if name not in catalogue.ON_NODES])
async def test_the_embedded_server_answers_as_a_real_one(embedded: EmbeddedServer, case: str) -> None:
    async with asyncio.timeout(60):
        exchanges = await play(embedded, case, catalogue.CASES[case])
    found = differences(catalogue.load(case), exchanges, case)
    assert not left(found), "\n".join(map(str, left(found)))
    needless = {one for one in ALLOWED if one.case == case} - used(found)
    assert not needless, f"these differences are no more: {needless}"
