"""The official Python client against the rehearsal server: calls, watches, exec and port-forward."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from zktui.demo.store import Store

# The client has no types: what comes from it is Any.
client: Any = importlib.import_module("kubernetes.client")
config: Any = importlib.import_module("kubernetes.config")
stream: Any = importlib.import_module("kubernetes.stream")
watch: Any = importlib.import_module("kubernetes.watch")


def _thread(name: str) -> threading.Thread:
    return next(thread for thread in threading.enumerate() if thread.name.startswith(name))


@pytest.fixture
async def core(kubeconfig: Path) -> AsyncIterator[Any]:
    """A CoreV1Api of the server's kubeconfig; its calls block, so make them in a thread."""
    made = await asyncio.to_thread(config.new_client_from_config, str(kubeconfig))
    yield client.CoreV1Api(made)
    made.rest_client.pool_manager.clear()
    made.close()


async def test_calls_and_refusals(core: Any) -> None:
    listed = await asyncio.to_thread(core.list_namespaced_pod, "default", label_selector="app=zk")
    assert [pod.metadata.name for pod in listed.items] == ["zk-0", "zk-1", "zk-2"]
    with pytest.raises(client.ApiException) as caught:
        await asyncio.to_thread(core.read_namespaced_pod, "zk-9", "default")
    assert (caught.value.status, caught.value.reason) == (404, "Not Found")


async def test_a_watch(core: Any, store: Store) -> None:
    seen: list[tuple[str, str]] = []
    listed = threading.Event()

    def read() -> None:
        watching = watch.Watch()
        for event in watching.stream(core.list_namespaced_pod, "default", timeout_seconds=20):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 3:
                listed.set()
            if len(seen) == 5:
                watching.stop()

    reading = asyncio.create_task(asyncio.to_thread(read))
    assert await asyncio.to_thread(listed.wait, 10)
    store.delete("pods", "default", "zk-2", grace_seconds=0)
    await asyncio.wait_for(reading, 10)
    assert seen[:3] == [("ADDED", "zk-0"), ("ADDED", "zk-1"), ("ADDED", "zk-2")]
    assert seen[3:] == [("MODIFIED", "zk-2"), ("DELETED", "zk-2")]


async def test_exec(core: Any) -> None:
    def run() -> tuple[int, str]:
        said = stream.stream(
            core.connect_get_namespaced_pod_exec,
            "zk-0",
            "default",
            command=["both"],
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        # The library forgets its socket without closing it.
        with said.sock.sock:
            said.run_forever(timeout=10)
            code: int = said.returncode
        return code, said.read_all()

    code, text = await asyncio.to_thread(run)
    assert code == 3
    assert sorted(text.splitlines()) == ["err", "out"]


async def test_port_forward(core: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # As ZooKeeper's four letter words: ask, answer, close.
        await reader.readexactly(4)
        writer.write(b"x" * 300_000)
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port: int = listener.sockets[0].getsockname()[1]

    def ask() -> int:
        forward = stream.portforward(core.connect_get_namespaced_pod_portforward, "zk-0", "default", ports=str(port))
        raw, pump = forward.websocket.sock, _thread("Kubernetes port forward proxy")
        socket = forward.socket(port)
        socket.settimeout(10)
        socket.sendall(b"srvr")
        size = 0
        while chunk := socket.recv(65536):
            size += len(chunk)
        socket.close()
        pump.join(10)
        raw.close()
        return size

    assert await asyncio.to_thread(ask) == 300_000
    listener.close()
    await listener.wait_closed()
