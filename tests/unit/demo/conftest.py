"""A store with the tutorial's objects, an API server on it over real HTTPS, and a kubelet that is a stand-in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from zktui.demo.errors import bad_request
from zktui.demo.runtime import ExecProcess, LogOptions
from zktui.demo.server import ApiServer
from zktui.demo.store import Store

Object = dict[str, Any]
PDB = "poddisruptionbudgets.policy"


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class FinishedProcess:
    """A command that has said all it has to say."""

    def __init__(self, stdout: AsyncIterator[bytes], stderr: AsyncIterator[bytes], code: int) -> None:
        self._stdout, self._stderr, self._code = stdout, stderr, code
        self.killed = False

    @property
    def stdout(self) -> AsyncIterator[bytes]:
        return self._stdout

    @property
    def stderr(self) -> AsyncIterator[bytes]:
        return self._stderr

    async def wait(self) -> int:
        return self._code

    def kill(self) -> None:
        self.killed = True


class FakeRuntime:
    """Logs of a hundred lines; ``echo``, ``false``, ``both`` and ``cat``; dials 127.0.0.1 for every pod."""

    def __init__(self) -> None:
        self.asked: list[LogOptions] = []
        self.more: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def logs(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append(options)
        if options.previous:
            words = f'previous terminated container "{options.container}" in pod "{pod}" not found'
            raise bad_request(words)
        lines = [f"line {number}\n".encode() for number in range(100)]
        for line in lines if options.tail is None else lines[len(lines) - options.tail :]:
            yield line
        try:
            while options.follow and (chunk := await self.more.get()) is not None:
                yield chunk
        finally:
            self.closed.set()

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: list[str],
        stdin: AsyncIterator[bytes] | None = None,
    ) -> ExecProcess:
        if command[0] == "cat" and stdin is not None:
            return FinishedProcess(stdin, _chunks(), 0)
        if command[0] == "both":
            return FinishedProcess(_chunks(b"out\n"), _chunks(b"err\n"), 3)
        if command[0] == "false":
            return FinishedProcess(_chunks(), _chunks(), 1)
        return FinishedProcess(_chunks(" ".join(command[1:]).encode() + b"\n"), _chunks(), 0)

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", port)


def member(name: str, node: str = "", *, ready: bool = True, phase: str = "Running") -> Object:
    """A pod of the ensemble as its kubelet reports it."""
    running = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    status = {"name": "zookeeper", "ready": ready, "restartCount": 0, "state": running, "image": "", "imageID": ""}
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "zk"}},
        "spec": {"nodeName": node, "containers": [{"name": "zookeeper", "image": "zookeeper:3.9"}]},
        "status": {
            "phase": phase,
            "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [status],
        },
    }


def set_budget(store: Store, name: str = "zk-pdb", **status: Any) -> None:
    """Write a budget's status as the disruption controller would."""

    def write(budget: Object) -> None:
        budget["status"].update(status)

    store.change(PDB, "default", name, write, status=True)


@pytest.fixture
def make_member() -> Callable[..., Object]:
    return member


@pytest.fixture
def budget_status() -> Callable[..., None]:
    return set_budget


@pytest.fixture
def store() -> Store:
    """Four nodes, three members on the first three, and their budget with one disruption allowed."""
    store = Store()
    for name in ("default", "kube-system"):
        store.create("namespaces", {"metadata": {"name": name}})
    for number in range(1, 5):
        ready = [{"type": "Ready", "status": "True"}]
        store.create("nodes", {"metadata": {"name": f"node-{number}"}, "spec": {}, "status": {"conditions": ready}})
    for number in range(3):
        store.create("pods", member(f"zk-{number}", f"node-{number + 1}"))
    selector = {"matchLabels": {"app": "zk"}}
    store.create(PDB, {"metadata": {"name": "zk-pdb"}, "spec": {"maxUnavailable": 1, "selector": selector}})
    set_budget(store, currentHealthy=3, desiredHealthy=2, expectedPods=3, disruptionsAllowed=1, observedGeneration=1)
    return store


@pytest.fixture
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture
async def server(store: Store, runtime: FakeRuntime) -> AsyncIterator[ApiServer]:
    server = ApiServer(store, runtime, bookmark_seconds=0.2)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http(server: ApiServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A session with the server's token and trust, relative to its address."""
    connector = aiohttp.TCPConnector(ssl=server.certificate.client_context())
    headers = {"Authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession(server.url, connector=connector, headers=headers) as session:
        yield session


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(server.kubeconfig()))
    return path


@pytest.fixture
def call(http: aiohttp.ClientSession) -> Callable[..., Awaitable[tuple[int, Object]]]:
    """``await call(method, path, body=None, **headers)`` -> (HTTP code, decoded JSON)."""

    async def call(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Object]:
        async with http.request(method, path, json=body, headers=headers or None) as reply:
            return reply.status, await reply.json()

    return call
