"""The embedded server answers what a real one answered: the same requests, compared with the recorded replies."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.unit.demo.vector_differences import ALLOWED, left, used
from tests.vectors import catalogue
from tests.vectors.compare import differences
from tests.vectors.wire import play
from zktui.demo.container_runner import Host
from zktui.demo.controllers.nodes import create_node
from zktui.demo.events import EventRecorder
from zktui.demo.kubelet import Kubelet
from zktui.demo.network import Network
from zktui.demo.process import ProcessGuard
from zktui.demo.runtime import PodRuntime
from zktui.demo.server import ApiServer
from zktui.demo.store import Store
from zktui.demo.zookeeper import Distribution


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
        self._store.get("nodes", "", "node-1")


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


@pytest.fixture
async def with_node(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server with one node and its kubelet, whose containers are real processes."""
    store, network, guard = Store(), Network(tmp_path / "run"), ProcessGuard()
    for name in ("default", "kube-node-lease"):
        store.create("namespaces", {"metadata": {"name": name}})
    create_node(store, network, 1, "v1")
    distribution = Distribution(Path("/bin/false"), "", "3.9.4")
    kubelet = Kubelet(Host(store, EventRecorder(store), network, guard, distribution, tmp_path))
    kubelet.start()
    api = ApiServer(store, kubelet)
    await api.start()
    server = EmbeddedServer(api, store)
    yield server
    await server.close()
    await api.stop()
    await kubelet.stop()
    await guard.close()
    network.close()


@pytest.mark.parametrize("case", [name for name in catalogue.CASES if name not in catalogue.ON_NODES])
async def test_the_embedded_server_answers_as_a_real_one(embedded: EmbeddedServer, case: str) -> None:
    await same(embedded, case)


@pytest.mark.parametrize("case", list(catalogue.ON_NODES))
async def test_the_embedded_kubelet_answers_as_a_real_one(with_node: EmbeddedServer, case: str) -> None:
    await same(with_node, case)


def test_the_comparison_sees_what_differs() -> None:
    real = catalogue.load("eviction-closed")

    def seen(change: Callable[[Any], object]) -> list[str]:
        other = copy.deepcopy(real)
        change(other[0]["reply"])
        return [found.path for found in differences(real, other, "eviction-closed")]

    assert seen(lambda reply: None) == []
    assert seen(lambda reply: reply.update(status=409)) == ["status"]
    assert seen(lambda reply: reply["headers"].update({"Retry-After": "0"})) == ["headers.Retry-After"]
    assert seen(lambda reply: reply["body"].update(code=429.0)) == ["body.code"]
    assert seen(lambda reply: reply["body"].pop("details")) == ["body.details"]
    assert seen(lambda reply: reply["body"]["details"]["causes"].append({})) == ["body.details.causes.length"]
    cause = "body.details.causes[0].message"
    assert seen(lambda reply: reply["body"]["details"]["causes"][0].update(message="x")) == [cause]


async def same(server: EmbeddedServer, case: str) -> None:
    async with asyncio.timeout(60):
        exchanges = await play(server, case, catalogue.CASES[case])
    found = differences(catalogue.load(case), exchanges, case)
    assert not left(found), "\n".join(map(str, left(found)))
    needless = {one for one in ALLOWED if one.case == case} - used(found)
    assert not needless, f"these differences are no more: {needless}"
