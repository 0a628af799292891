"""What can be broken in a rehearsal, part by part; tests/embedded/test_break.py breaks a whole cluster."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from zktui.demo import __main__ as program
from zktui.demo import control, partition
from zktui.demo.controllers.lost_nodes import OUT_OF_SERVICE, LostNodeController
from zktui.demo.controllers.nodes import LEASE_NAMESPACE, LEASES
from zktui.demo.errors import ApiError
from zktui.demo.events import EventRecorder
from zktui.demo.faults import Faults
from zktui.demo.objects import children, condition
from zktui.demo.process import ProcessGuard
from zktui.demo.server import CONTROL, ApiServer
from zktui.demo.store import Store
from zktui.errors import ZktuiError
from zktui.rehearsal import Demo

# -- a cut network -----------------------------------------------------------------------------------------

PEER = """
import socket, sys, time
held = [socket.create_connection(("127.0.0.1", int(port))) for port in sys.argv[1:]]
print("connected", flush=True)
time.sleep(60)
"""
JUDGE = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
connection, _ = listening.accept()
print("cut" if connection.recv(1) == b"" else "data", flush=True)
"""


@pytest.mark.skipif(not partition.possible(), reason="only Linux 5.6 and later lets us have a child's sockets")
async def test_a_cut_process_loses_its_connections_to_others_and_keeps_those_to_us() -> None:
    guard = ProcessGuard()
    ours = socket.create_server(("127.0.0.1", 0))
    try:
        other = await guard.start([sys.executable, "-c", JUDGE])
        said = aiter(other.lines())
        port = (await anext(said)).decode()
        peer = await guard.start([sys.executable, "-c", PEER, port, str(ours.getsockname()[1])])
        assert await anext(aiter(peer.lines())) == b"connected"
        mine, _ = ours.accept()
        assert partition.cut(peer.pid) == 1
        assert await asyncio.wait_for(anext(said), 10) == b"cut"
        mine.setblocking(False)
        with pytest.raises(BlockingIOError):
            mine.recv(1)
        assert partition.cut(peer.pid) in (0, 1), "what is shut already counts no more once it is gone"
        mine.close()
    finally:
        ours.close()
        await guard.close()


async def test_a_process_that_is_gone_can_t_be_cut() -> None:
    guard = ProcessGuard()
    child = await guard.start(["true"])
    await child.wait()
    with pytest.raises(OSError):
        partition.cut(child.pid)
    await guard.close()


# -- lost nodes ----------------------------------------------------------------------------------------------


def renewed(store: Store, seconds_ago: float) -> None:
    when = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": "node-1", "renewTime": when, "leaseDurationSeconds": 40}
    if store.find(LEASES, LEASE_NAMESPACE, "node-1") is None:
        metadata = {"name": "node-1", "namespace": LEASE_NAMESPACE}
        store.create(LEASES, {"metadata": metadata, "spec": spec})
    else:
        store.change(LEASES, LEASE_NAMESPACE, "node-1", lambda lease: lease.update(spec=spec))


@pytest.fixture
def watched(store: Store) -> LostNodeController:
    store.create("namespaces", {"metadata": {"name": LEASE_NAMESPACE}})
    return LostNodeController(store, EventRecorder(store))


def taints(store: Store) -> set[tuple[str, str]]:
    return {(one["key"], one["effect"]) for one in children(store.get("nodes", "", "node-1"), "spec", "taints")}


def ready(store: Store, resource: str, namespace: str, name: str) -> str:
    found = condition(store.get(resource, namespace, name), "Ready")
    assert found is not None
    return found["status"]


async def test_a_silent_node_is_unknown_and_its_pods_are_not_ready(store: Store, watched: LostNodeController) -> None:
    renewed(store, 49)
    watched.reconcile()
    assert ready(store, "nodes", "", "node-1") == "True"
    renewed(store, 51)
    watched.reconcile()
    watched.reconcile()
    assert ready(store, "nodes", "", "node-1") == "Unknown"
    assert taints(store) == {("node.kubernetes.io/unreachable", effect) for effect in ("NoSchedule", "NoExecute")}
    assert ready(store, "pods", "default", "zk-0") == "False"
    assert ready(store, "pods", "default", "zk-1") == "True"
    assert "deletionTimestamp" not in store.get("pods", "default", "zk-0")["metadata"], "it may stay for five minutes"
    renewed(store, 1)
    watched.reconcile()
    assert ready(store, "nodes", "", "node-1") == "True"
    assert taints(store) == set()


async def test_after_five_minutes_its_pods_are_deleted_and_wait_for_their_kubelet(
    store: Store, watched: LostNodeController
) -> None:
    renewed(store, 400)
    watched.reconcile()
    old = (datetime.now(UTC) - timedelta(seconds=301)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def age(node: dict[str, Any]) -> None:
        for taint in node["spec"]["taints"]:
            taint["timeAdded"] = old

    store.change("nodes", "", "node-1", age)
    watched.reconcile()
    assert "deletionTimestamp" in store.get("pods", "default", "zk-0")["metadata"]
    told = [event["reason"] for event in store.list("events", "default")[0]]
    assert told.count("TaintManagerEviction") == 1
    # Whoever knows that the machine is off may say so.
    store.change(
        "nodes",
        "",
        "node-1",
        lambda node: node["spec"]["taints"].append({"key": OUT_OF_SERVICE, "value": "x", "effect": "NoExecute"}),
    )
    watched.reconcile()
    assert store.find("pods", "default", "zk-0") is None


# -- the API server --------------------------------------------------------------------------------------------


class NoKubelet:
    """Runs nothing."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()

    def power(self, node: str, *, on: bool) -> None:
        (self.stopped.discard if on else self.stopped.add)(node)

    def serves(self, _namespace: str, _pod: Any) -> bool:
        return False


@pytest.fixture
async def faults(store: Store, server: ApiServer) -> Faults:
    made = Faults(store, NoKubelet(), server)  # pyright: ignore[reportArgumentType] - as much of one as it takes here
    server.control = control.handler(made)
    return made


async def test_an_api_server_that_fails_and_one_that_stalls(
    faults: Faults, call: Callable[..., Any], http: aiohttp.ClientSession
) -> None:
    assert await faults.break_it("fail-api", "60") == "the API server fails for 60 s"
    code, status = await call("GET", "/api/v1/nodes")
    assert (code, status["reason"]) == (500, "InternalError")
    await faults.break_it("stall-api", "60")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await call("GET", "/api/v1/nodes")
    async with http.post(CONTROL, json={"mend": True}) as reply:
        assert await reply.json() == {"done": "all is whole again"}
    assert (await call("GET", "/api/v1/nodes"))[0] == 200


async def test_an_api_server_that_restarts(faults: Faults, call: Callable[..., Any], store: Store) -> None:
    before = store.version
    store.change("nodes", "", "node-1", lambda node: node["metadata"].update(labels={"a": "b"}))
    await faults.break_it("restart-api", "0.2")
    await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientError):
        while True:
            await call("GET", "/api/v1/nodes")
    async with asyncio.timeout(10):
        while True:
            try:
                code, _ = await call("GET", "/api/v1/nodes")
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
                continue
            break
    assert code == 200
    code, status = await call("GET", f"/api/v1/nodes?resourceVersion={before}&resourceVersionMatch=Exact")
    assert (code, status["reason"]) == (410, "Expired")
    await faults.close()


async def test_asked_over_http_and_refused(faults: Faults, http: aiohttp.ClientSession) -> None:
    async with http.get(CONTROL) as reply:
        told = await reply.json()
    assert told["nodes"] == ["node-1", "node-2", "node-3", "node-4"]
    assert {one["name"] for one in told["faults"]} >= {"stop-node", "cut-member", "kill-member", "restart-api"}
    async with http.post(CONTROL, json={"break": "stop-node", "target": "node-1"}) as reply:
        assert "node-1 is stopped" in (await reply.json())["done"]
    async with http.get(CONTROL) as reply:
        assert (await reply.json())["broken"]["stopped"] == ["node-1"]
    for body, words in (
        ({"break": "stop-node", "target": "node-1"}, "stopped already"),
        ({"break": "start-node", "target": "node-2"}, "node-2 runs"),
        ({"break": "nonsense"}, "nonsense is no fault"),
        ({"break": "fail-api", "target": "long"}, "no number of seconds"),
        ({"break": "kill-member", "target": "leader"}, "no member leads now"),
    ):
        async with http.post(CONTROL, json=body) as reply:
            assert reply.status == 400
            assert words in (await reply.json())["message"]
    with pytest.raises(ApiError, match="not found"):
        await faults.break_it("stop-node", "node-9")
    async with http.get(CONTROL, headers={"Authorization": "Bearer wrong"}) as reply:
        assert reply.status == 401


async def test_asked_by_its_kubeconfig(
    faults: Faults, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert faults.present()["broken"]["api"] == ""
    found = await asyncio.to_thread(control.ask, kubeconfig)
    assert found["nodes"][0] == "node-1"
    with pytest.raises(control.NotARehearsal, match="nonsense is no fault"):
        await asyncio.to_thread(control.ask, kubeconfig, {"break": "nonsense"})
    other = tmp_path / "other"
    other.write_text(json.dumps({"clusters": [], "users": []}))
    with pytest.raises(control.NotARehearsal, match="other is no rehearsal cluster's kubeconfig; say with"):
        control.ask(other)
    with pytest.raises(control.NotARehearsal, match="gone can't be read: No such file or directory; say with"):
        control.ask(tmp_path / "gone")
    ended = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
    ended["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    other.write_text(json.dumps(ended))
    with pytest.raises(control.NotARehearsal, match="does not answer: Connection refused; it may have ended"):
        control.ask(other)
    assert os.environ.get("KUBECONFIG") != str(other)
    monkeypatch.setenv("KUBECONFIG", f"{kubeconfig}{os.pathsep}{other}")
    assert await asyncio.to_thread(program.main, ["--break", "list"]) == 0, "the first of several files"


async def test_as_the_program_s_menu_has_it(faults: Faults, kubeconfig: Path) -> None:
    demo = Demo(kubeconfig)
    found, broken = await demo.choices()
    assert broken == ""
    assert {one.name for one in found} >= {"nothing", "stop-node", "kill-member", "restart-api"}
    assert "start-node" not in {one.name for one in found}, "none is stopped"
    stop = next(one for one in found if (one.name, one.target) == ("stop-node", "node-1"))
    assert (await demo.carry_out(stop)).startswith("node-1 is stopped")
    found, broken = await demo.choices()
    assert broken == "stopped node-1"
    assert [one.target for one in found if one.name == "start-node"] == ["node-1"]
    with pytest.raises(ZktuiError, match="node-1 is stopped already"):
        await demo.carry_out(stop)
    whole = next(one for one in found if one.name == "nothing")
    assert await demo.carry_out(whole) == "all is whole again"
    assert faults.present()["broken"]["stopped"] == []
