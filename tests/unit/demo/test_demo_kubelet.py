"""The kubelet with real processes that are not Java: pods that sleep, and servers that are played."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from zktui.demo import probes
from zktui.demo.cluster import manifest
from zktui.demo.commands import run
from zktui.demo.container import Container
from zktui.demo.container_log import ContainerLog
from zktui.demo.container_runner import ContainerRunner, Host
from zktui.demo.controllers.nodes import create_node
from zktui.demo.errors import ApiError
from zktui.demo.events import EventRecorder
from zktui.demo.kubelet import Kubelet
from zktui.demo.network import Network
from zktui.demo.objects import Object, condition, is_ready
from zktui.demo.pod_conditions import pod_phase
from zktui.demo.process import ProcessGuard
from zktui.demo.runtime import CannotStart, LogOptions
from zktui.demo.server_config import parse
from zktui.demo.store import Store
from zktui.demo.volumes import PodFiles
from zktui.demo.zookeeper import Distribution

DEADLINE = 10.0
SERVING = "Zookeeper version: 3.9.4\nMode: follower\n"
IDLE = "This ZooKeeper instance is not currently serving requests\n"


class Node:
    """A store with one node, and its kubelet."""

    def __init__(self, folder: Path) -> None:
        self.store = Store()
        for name in ("default", "kube-node-lease"):
            self.store.create("namespaces", {"metadata": {"name": name}})
        self.network = Network(folder / "run")
        create_node(self.store, self.network, 1, "v1")
        self.guard = ProcessGuard()
        distribution = Distribution(Path("/bin/false"), "", "3.9.4")
        events = EventRecorder(self.store)
        self.host = Host(self.store, events, self.network, self.guard, distribution, folder)
        self.kubelet = Kubelet(self.host)
        self.kubelet.start()

    async def stop(self) -> None:
        await self.kubelet.stop()
        await self.guard.close()
        self.network.close()

    def pod(self, name: str = "p", command: list[str] | None = None, **spec: Any) -> Object:
        container = {"name": "c", "image": "busybox:1", "command": command or ["sleep", "600"]}
        container.update(spec.pop("container", {}))
        body = {"metadata": {"name": name}, "spec": {"nodeName": "node-1", "containers": [container], **spec}}
        return self.store.create("pods", body)

    async def until(self, met: Callable[[Object], object], name: str = "p") -> Object:
        """Wait for changes of the pod until ``met``."""
        async with asyncio.timeout(DEADLINE):
            changes = self.store.subscribe("pods")
            while True:
                waiting = asyncio.ensure_future(anext(changes))
                await asyncio.sleep(0)
                found = self.store.find("pods", "default", name)
                if found is not None and met(found):
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
                    return found
                await waiting

    async def until_gone(self, name: str = "p") -> None:
        async with asyncio.timeout(DEADLINE):
            gone = asyncio.Event()
            undo = self.store.on_change(lambda kind, _resource, obj: self._note(kind, obj, name, gone))
            if self.store.find("pods", "default", name) is not None:
                await gone.wait()
            undo()

    @staticmethod
    def _note(kind: str, obj: Object, name: str, gone: asyncio.Event) -> None:
        if kind == "DELETED" and obj["metadata"]["name"] == name:
            gone.set()

    async def until_told(self, reason: str) -> None:
        """Wait for an event of that reason."""
        told = asyncio.Event()
        undo = self.store.on_change(lambda _kind, _resource, obj: told.set() if obj.get("reason") == reason else None)
        async with asyncio.timeout(DEADLINE):
            if reason not in self.reasons():
                await told.wait()
        undo()

    def reasons(self) -> list[str]:
        return [event["reason"] for event in self.store.list("events")[0]]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path)
    yield made
    await made.stop()


def container(pod: Object) -> Object:
    """The status of the pod's only container, also before the kubelet has seen the pod."""
    return pod["status"].get("containerStatuses", [{"restartCount": 0, "state": {}, "lastState": {}}])[0]


async def test_a_pod_runs_and_leaves_nothing_behind(node: Node, tmp_path: Path):
    node.pod(terminationGracePeriodSeconds=1)
    running = await node.until(is_ready)
    assert running["status"]["phase"] == "Running"
    assert running["status"]["podIP"].startswith("127.") and running["status"]["hostIP"].startswith("127.")
    assert {entry["type"] for entry in running["status"]["conditions"]} >= {"Initialized", "ContainersReady", "Ready"}
    pid = node.kubelet.pid("default", "p")
    node.store.delete("pods", "default", "p")
    await node.until_gone()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert [name for name in node.reasons() if name != "Scheduled"] == ["Pulled", "Created", "Started", "Killing"]
    assert not list((tmp_path / "pods").iterdir())


async def test_a_stubborn_container_is_killed_when_its_grace_is_over(node: Node, monkeypatch: pytest.MonkeyPatch):
    script = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]

    def command(_runner: ContainerRunner) -> tuple[list[str], None]:
        return script, None

    monkeypatch.setattr(ContainerRunner, "_command", command)
    node.pod(terminationGracePeriodSeconds=60)
    await node.until(is_ready)
    chunks = node.kubelet.logs("default", "p", LogOptions(follow=True))
    assert await anext(chunks) == b"ready\n"
    node.store.delete("pods", "default", "p")
    terminating = node.store.get("pods", "default", "p")
    assert terminating["metadata"]["deletionGracePeriodSeconds"] == 60
    node.store.delete("pods", "default", "p", grace_seconds=1)
    await node.until_gone()
    assert [chunk async for chunk in chunks] == []


async def test_a_container_that_ends_is_restarted_at_once_and_then_with_back_off(node: Node):
    node.pod()
    await node.until(is_ready)
    os.kill(node.kubelet.pid("default", "p"), signal.SIGKILL)
    again = await node.until(lambda pod: container(pod)["restartCount"] == 1 and is_ready(pod))
    assert container(again)["lastState"]["terminated"]["exitCode"] == 137
    assert container(again)["lastState"]["terminated"]["reason"] == "Error"
    os.kill(node.kubelet.pid("default", "p"), signal.SIGKILL)
    waiting = await node.until(lambda pod: "waiting" in container(pod)["state"])
    assert container(waiting)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert "back-off 10s restarting failed container=c" in container(waiting)["state"]["waiting"]["message"]
    assert waiting["status"]["phase"] == "Running" and not is_ready(waiting)
    node.store.delete("pods", "default", "p")
    await node.until_gone()


async def test_a_pod_that_is_not_to_be_restarted_ends_and_keeps_its_log(node: Node):
    node.pod(command=["sleep", "0"], restartPolicy="Never")
    ended = await node.until(lambda pod: pod["status"]["phase"] == "Succeeded")
    assert container(ended)["state"]["terminated"]["reason"] == "Completed"
    assert container(ended)["restartCount"] == 0 and not is_ready(ended)
    assert [chunk async for chunk in node.kubelet.logs("default", "p", LogOptions(follow=True))] == []
    node.store.delete("pods", "default", "p")
    await node.until_gone()
    started = node.store.list("events", field_selector="reason=Started")[0]
    assert [event["count"] for event in started] == [1]


async def test_a_pod_whose_only_run_fails_is_failed(node: Node):
    node.pod(command=["sleep", "never"], restartPolicy="Never")
    ended = await node.until(lambda pod: pod["status"]["phase"] == "Failed")
    assert container(ended)["state"]["terminated"]["exitCode"] == 1


async def test_a_pod_of_the_same_name_waits_until_the_old_one_has_let_go(node: Node, monkeypatch: pytest.MonkeyPatch):
    steps: list[str] = []
    start, clean_up = Network.new_pod_ip, PodFiles.delete

    def starting(network: Network, number: int) -> str:
        steps.append("start")
        return start(network, number)

    def letting_go(files: PodFiles) -> None:
        steps.append("let go")
        clean_up(files)

    monkeypatch.setattr(Network, "new_pod_ip", starting)
    monkeypatch.setattr(PodFiles, "delete", letting_go)
    node.pod()
    await node.until(is_ready)
    old = node.kubelet.pid("default", "p")
    node.store.delete("pods", "default", "p", grace_seconds=0)
    uid = node.pod()["metadata"]["uid"]
    found = await node.until(is_ready)
    assert found["metadata"]["uid"] == uid
    assert steps == ["start", "let go", "start"]
    with pytest.raises(ProcessLookupError):
        os.kill(old, 0)


async def test_an_image_that_is_not_here_is_told_and_can_be_deleted(node: Node):
    node.pod(command=["nginx"])
    waiting = await node.until(lambda pod: "ErrImagePull" in str(pod["status"].get("containerStatuses")))
    assert waiting["status"]["phase"] == "Pending"
    assert "no other images" in container(waiting)["state"]["waiting"]["message"]
    with pytest.raises(ApiError, match="container not found"):
        await node.kubelet.exec("default", "p", "c", ["hostname"])
    node.store.delete("pods", "default", "p")
    await node.until_gone()


async def test_a_volume_that_is_missing_holds_the_pod_until_it_is_there(node: Node):
    node.pod(volumes=[{"name": "v", "configMap": {"name": "late"}}])
    await node.until_told("FailedMount")
    assert node.store.get("pods", "default", "p")["status"]["phase"] == "Pending"
    node.store.create("configmaps", {"metadata": {"name": "late"}, "data": {"a": "b"}})
    await node.until(is_ready)


@pytest.mark.parametrize(("blocked", "reason"), [("pods", "FailedMount"), ("logs", "Failed")])
async def test_a_full_disk_holds_the_pod_until_there_is_room(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocked: str, reason: str
):
    """A file where a folder is to be made is refused as a full disk refuses it: by an OSError."""
    monkeypatch.setattr("zktui.demo.container_runner.BACK_OFF", 0.05)
    (tmp_path / blocked).touch()
    node.pod(terminationGracePeriodSeconds=0)
    await node.until_told(reason)
    (tmp_path / blocked).unlink()
    assert container(await node.until(is_ready))["restartCount"] == 0


async def test_names_that_can_not_be_written_are_tried_again(node: Node, monkeypatch: pytest.MonkeyPatch):
    written, failures = asyncio.Event(), iter([OSError(28, "No space left on device")])

    def publish(_store: Store) -> None:
        for failure in failures:
            raise failure
        written.set()

    monkeypatch.setattr("zktui.demo.kubelet.AGAIN", 0.01)
    monkeypatch.setattr(node.network, "publish", publish)
    node.store.create("endpointslices.discovery.k8s.io", {"metadata": {"name": "s"}, "addressType": "IPv4"})
    await asyncio.wait_for(written.wait(), DEADLINE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_log_on_a_full_disk_loses_lines_and_holds_nobody_up():
    log = ContainerLog(Path("/dev/full"))
    log.append(b"lost")
    log.close()


async def test_a_refused_command_is_a_container_that_says_so_and_fails(node: Node):
    node.pod("zk-0", command=["start-zookeeper", "--nonsense=1"])
    failed = await node.until(lambda pod: container(pod)["restartCount"] == 1, "zk-0")
    assert container(failed)["lastState"]["terminated"]["exitCode"] == 2
    lines = [chunk async for chunk in node.kubelet.logs("default", "zk-0", LogOptions(previous=True))]
    assert lines == [b"start-zookeeper: unknown flag --nonsense=1\n"]


async def test_readiness_follows_the_probe(node: Node, monkeypatch: pytest.MonkeyPatch):
    serving, monkeyed = True, probes.attempt

    async def attempt(spec: Object, where: Container) -> tuple[bool, str]:
        return (await monkeyed(spec, where)) if serving else (False, "not today")

    monkeypatch.setattr(probes, "attempt", attempt)
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 0.05, "failureThreshold": 1}
    node.pod(container={"readinessProbe": probe})
    await node.until(is_ready)
    serving = False
    unready = await node.until(lambda pod: not is_ready(pod))
    found = condition(unready, "Ready")
    assert found is not None and found["reason"] == "ContainersNotReady"
    assert found["message"] == "containers with unready status: [c]"
    assert container(unready)["restartCount"] == 0
    serving = True
    await node.until(is_ready)
    assert "Unhealthy" in node.reasons()


async def test_a_failed_liveness_probe_restarts_the_container(node: Node):
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 0.05, "failureThreshold": 2}
    node.pod(container={"livenessProbe": probe}, terminationGracePeriodSeconds=1)
    await node.until(lambda pod: container(pod)["restartCount"] == 1)
    words = [event["message"] for event in node.store.list("events", field_selector="reason=Killing")[0]]
    assert "Container c failed liveness probe, will be restarted" in words


async def test_a_startup_probe_holds_readiness_back(node: Node):
    never = {"exec": {"command": ["false"]}, "periodSeconds": 0.05, "failureThreshold": 1000}
    node.pod(container={"startupProbe": never})
    started = await node.until(lambda pod: "running" in str(pod["status"].get("containerStatuses")))
    await node.until_told("Unhealthy")
    assert container(node.store.get("pods", "default", "p"))["started"] is False
    assert not is_ready(started)


async def test_stopping_kills_all_and_a_port_of_a_stopped_pod_refuses(node: Node):
    node.pod()
    await node.until(is_ready)
    with pytest.raises(OSError):
        await node.kubelet.dial("default", "p", 2181)
    pid = node.kubelet.pid("default", "p")
    await node.kubelet.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert node.store.find("pods", "default", "p") is not None


@pytest.mark.parametrize(
    ("restart", "codes", "phase"),
    [
        ("Always", [0], "Running"),
        ("Never", [0], "Succeeded"),
        ("Never", [1], "Failed"),
        ("OnFailure", [1], "Running"),
        ("OnFailure", [0], "Succeeded"),
    ],
)
def test_phases(restart: str, codes: list[int], phase: str):
    ended = [{"state": {"terminated": {"exitCode": code}}, "lastState": {}} for code in codes]
    assert pod_phase(restart, ended) == phase
    assert pod_phase(restart, [{"state": {"waiting": {}}, "lastState": {}}]) == "Pending"


# -- names and addresses -----------------------------------------------------------------------------------


def test_two_networks_live_side_by_side_and_addresses_differ(tmp_path: Path):
    networks = [Network(tmp_path / str(number)) for number in range(2)]
    try:
        addresses = [network.new_pod_ip(node) for network in networks for node in (1, 1, 2)]
        assert len(set(addresses)) == 6
        again = [networks[0].new_pod_ip(1) for _ in range(600)]
        assert addresses[0] in again and len(set(again)) == 253
        assert all(2 <= int(address.rpartition(".")[2]) <= 254 for address in again)
    finally:
        for network in networks:
            network.close()


def test_a_hosts_file_has_the_pods_own_name_and_what_is_published(node: Node):
    path = node.network.hosts_file("u", "zk-0.zk-hs.default.svc.cluster.local", "127.9.1.2")
    endpoints = [
        {"addresses": ["127.9.1.2"], "hostname": "zk-0", "conditions": {"ready": True}},
        {"addresses": ["127.9.2.2"], "hostname": "zk-1", "conditions": {"ready": True}},
        {"addresses": ["127.9.3.2"], "hostname": "zk-2", "conditions": {"ready": False}},
    ]
    metadata = {"name": "zk-hs-x", "labels": {"kubernetes.io/service-name": "zk-hs"}}
    body = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints}
    node.store.create("endpointslices.discovery.k8s.io", body)
    node.network.publish(node.store)
    names = {name: line.split()[0] for line in path.read_text().splitlines() for name in line.split()[1:]}
    assert names["zk-0"] == names["zk-0.zk-hs.default.svc.cluster.local"] == "127.9.1.2"
    assert names["zk-1.zk-hs.default.svc.cluster.local"] == names["zk-1.zk-hs"] == "127.9.2.2"
    assert "zk-1" not in names and "zk-2.zk-hs" not in names


def test_a_short_name_is_of_the_pods_own_namespace(node: Node):
    """Two ensembles of one name: getent would print both addresses."""
    path = node.network.hosts_file("u", "zk-0.zk-hs.here.svc.cluster.local", "127.9.1.2", "here")
    for space, address in (("here", "127.9.2.2"), ("there", "127.9.3.2")):
        node.store.create("namespaces", {"metadata": {"name": space}})
        endpoints = [{"addresses": [address], "hostname": "zk-1", "conditions": {"ready": True}}]
        metadata = {"name": "zk-hs-x", "namespace": space, "labels": {"kubernetes.io/service-name": "zk-hs"}}
        body = {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints}
        node.store.create("endpointslices.discovery.k8s.io", body)
    node.network.publish(node.store)
    lines = [line.split() for line in path.read_text().splitlines()]
    found = {name: [line[0] for line in lines if name in line[1:]] for name in ("zk-1.zk-hs", "zk-1.zk-hs.there.svc")}
    assert found == {"zk-1.zk-hs": ["127.9.2.2"], "zk-1.zk-hs.there.svc": ["127.9.3.2"]}


# -- commands ----------------------------------------------------------------------------------------------


@pytest.fixture
async def member(node: Node, tmp_path: Path) -> Container:
    """A pod zk-0 whose server is the test's, and whose process sleeps."""
    spec: Object = {"name": "c", "image": "zookeeper:3.9"}
    pod = {
        "metadata": {"name": "zk-0", "namespace": "default", "uid": "u"},
        "spec": {"hostname": "zk-0", "subdomain": "zk-hs", "containers": [spec]},
    }
    files = PodFiles(tmp_path, pod)
    files.renew(spec)
    files.path(spec, "/etc").mkdir()
    files.path(spec, "/etc/motd").write_text("hello\n")
    for folder in ("/usr/bin", "/opt/scripts"):
        files.path(spec, folder).mkdir(parents=True)
        files.path(spec, f"{folder}/zookeeper-ready").touch()
    return Container(
        pod=pod,
        spec=spec,
        files=files,
        ip=node.network.node_ip(9),
        hosts=node.network.hosts_file("u", "zk-0.zk-hs.default.svc.cluster.local", "127.9.1.2"),
        server=parse(pod, ["start-zookeeper"]),
        main=await node.guard.start(["sleep", "600"]),
        started=0.0,
        distribution=node.host.distribution,
        guard=node.guard,
    )


async def outcome(member: Container, *argv: str) -> tuple[str, str, int]:
    process = await run(member, list(argv))
    out = b"".join([chunk async for chunk in process.stdout])
    err = b"".join([chunk async for chunk in process.stderr])
    return out.decode(), err.decode(), await process.wait()


@pytest.mark.parametrize(
    ("argv", "out", "code"),
    [
        (["hostname"], "zk-0\n", 0),
        (["hostname", "-f"], "zk-0.zk-hs.default.svc.cluster.local\n", 0),
        (["hostname", "-d"], "zk-hs.default.svc.cluster.local\n", 0),
        (["cat", "/etc/motd"], "hello\n", 0),
        (["sh", "-c", "cat /etc/motd"], "hello\n", 0),
        (["ls", "/etc"], "motd\n", 0),
        (["echo", "a", "b"], "a b\n", 0),
    ],
)
async def test_commands_answer_as_in_the_container(member: Container, argv: list[str], out: str, code: int):
    assert await outcome(member, *argv) == (out, "", code)


async def test_a_program_that_is_not_there_can_not_be_started(member: Container):
    with pytest.raises(CannotStart, match='exec: "vim": executable file not found in'):
        await run(member, ["vim"])


async def test_files_are_made_and_removed_in_the_container_only(member: Container):
    assert await outcome(member, "touch", "/etc/new", "/etc/../../../etc/motd") == ("", "", 0)
    assert await outcome(member, "ls", "/etc") == ("motd\nnew\n", "", 0)
    assert await outcome(member, "cat", "/etc/motd") == ("hello\n", "", 0)
    assert await outcome(member, "rm", "/etc/new") == ("", "", 0)
    assert await outcome(member, "rm", "-f", "/etc/new") == ("", "", 0)
    assert await outcome(member, "ls", "/etc") == ("motd\n", "", 0)


@pytest.mark.parametrize(
    ("argv", "words", "code"),
    [
        (["cat", "/etc/shadow"], "cat: /etc/shadow: No such file or directory\n", 1),
        (["cat", "/etc"], "cat: /etc: Is a directory\n", 1),
        (["sh"], "only runs sh -c COMMAND", 2),
        (["sh", "-c", "vim"], "sh: 1: vim: not found\n", 127),
        (["rm", "-rf", "/"], "rm: cannot remove '/': Is a directory\n", 1),
        (["rm", "/no"], "rm: cannot remove '/no': No such file or directory\n", 1),
        (["touch", "/no/where"], "touch: cannot touch '/no/where': No such file or directory\n", 1),
        (["sh", "-c", "cat /etc/motd; id"], "single commands only", 2),
    ],
)
async def test_what_is_not_there_fails_as_in_a_container(member: Container, argv: list[str], words: str, code: int):
    out, err, ended = await outcome(member, *argv)
    assert out == "" and words in err and ended == code


@pytest.mark.parametrize(
    ("pipeline", "out", "code"),
    [
        ("echo srvr | nc localhost {port}", SERVING, 0),
        ("echo -n srvr | nc localhost {port}", SERVING, 0),
        ("printf srvr | nc -w 2 127.0.0.1 {port} | grep -qE '^Mode: (leader|follower)'", "", 0),
        ("echo srvr | nc localhost {port} | grep Mode", "Mode: follower\n", 0),
        ("echo srvr | nc localhost {port} | grep -q '^Mode: (leader|follower)'", "", 1),
        ("echo srvr | nc localhost 1 | grep -q Mode", "", 1),
    ],
)
async def test_a_word_by_nc(member: Container, pipeline: str, out: str, code: int):
    """As people ask a member by hand, and as the readiness that a check offers does."""

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(4) == b"srvr"
        writer.write(SERVING.encode())
        writer.close()

    listening = await asyncio.start_server(server, member.ip, 0)
    async with listening:
        script = pipeline.format(port=listening.sockets[0].getsockname()[1])
        assert await outcome(member, "sh", "-c", script) == (out, "", code)
    assert (await outcome(member, "sh", "-c", f"{script} > /etc/motd"))[2] == 2


async def test_pkill_reaches_the_containers_own_process_and_no_other(member: Container, node: Node):
    other = await node.guard.start(["sleep", "600"])
    assert await outcome(member, "pkill", "python") == ("", "", 1)
    assert member.main.running
    assert await outcome(member, "pkill", "-9", "java") == ("", "", 0)
    assert member.main.running, "a process 1 is not killed from within its container"
    assert await outcome(member, "pkill", "java") == ("", "", 0)
    assert await member.main.wait() == 143
    assert other.running


async def test_kill_takes_the_number_that_ps_shows(member: Container, node: Node):
    other = await node.guard.start(["sleep", "600"])
    listing, _, _ = await outcome(member, "ps", "-ef")
    (number,) = [line.split()[1] for line in listing.splitlines() if "QuorumPeerMain" in line]
    assert await outcome(member, "kill", "4711") == ("", "kill: (4711): No such process\n", 1)
    assert (await outcome(member, "kill", "-9", number))[2] == 1
    assert member.main.running
    assert await outcome(member, "kill", number) == ("", "", 0)
    assert await member.main.wait() != 0
    assert other.running


@pytest.mark.parametrize(
    ("answer", "alive", "serving"),
    [(SERVING, 0, 0), (SERVING.replace("follower", "leader"), 0, 0), (IDLE, 0, 1), ("Mode: read-only\n", 0, 1)],
)
async def test_zookeeper_ready_asks_the_server(member: Container, answer: str, alive: int, serving: int):
    asked: list[bytes] = []

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(4))
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(server, member.ip, 0) as listening:
        port = str(listening.sockets[0].getsockname()[1])
        assert (await outcome(member, "/opt/scripts/zookeeper-ready", port))[2] == alive
        assert (await outcome(member, "sh", "-c", f"zookeeper-ready {port} serving"))[2] == serving
    assert asked == [b"ruok", b"srvr"]
    refused = await outcome(member, "zookeeper-ready", port, "serving")
    assert refused[2] == 1 and "Connection refused" in refused[1]


@pytest.mark.parametrize("answer", [SERVING, IDLE, "Mode: read-only\n", ""])
@pytest.mark.parametrize("mode", [[], ["serving"]])
async def test_the_manifests_probe_script_agrees_with_the_rehearsal(
    member: Container, tmp_path: Path, answer: str, mode: list[str]
):
    """The script is for a real cluster, and talks to 127.0.0.1 in its pod; here a played server answers there."""

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        writer.write(answer.encode())
        await writer.drain()
        writer.close()

    script = tmp_path / "zookeeper-ready"
    script.write_text(next(entry for entry in manifest() if entry["kind"] == "ConfigMap")["data"]["zookeeper-ready"])
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        port = str(listening.sockets[0].getsockname()[1])
        ran = await member.guard.start(["bash", str(script), port, *mode])
        real = await ran.wait()
    async with await asyncio.start_server(server, member.ip, 0) as listening:
        port = str(listening.sockets[0].getsockname()[1])
        assert (await outcome(member, "zookeeper-ready", port, *mode))[2] == real
    closed = await member.guard.start(["bash", str(script), port, *mode])
    assert await closed.wait() == (await outcome(member, "zookeeper-ready", port, *mode))[2] == 1


async def test_a_script_that_was_removed_is_not_found(member: Container):
    assert (await outcome(member, "rm", "/usr/bin/zookeeper-ready"))[2] == 0
    said = "sh: 1: zookeeper-ready: not found\n"
    assert await outcome(member, "sh", "-c", "zookeeper-ready 2181") == ("", said, 127)
    with pytest.raises(CannotStart, match="executable file not found"):
        await outcome(member, "zookeeper-ready", "2181")


async def test_a_probe_that_takes_too_long_has_failed(member: Container):
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(mute, member.ip, 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        spec = {"exec": {"command": ["zookeeper-ready", str(port)]}, "timeoutSeconds": 0.1}
        ok, words = await probes.attempt(spec, member)
        assert not ok and "timed out" in words
        assert await probes.attempt({"tcpSocket": {"port": port}}, member) == (True, "")
    ok, words = await probes.attempt({"tcpSocket": {"port": port}}, member)
    assert not ok
