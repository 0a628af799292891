"""The real cluster is what it says: real nodes and pods, names that resolve, and nothing left when it is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import cluster, controlplane, machine, nodes
from tests.e2e.cluster import Cluster
from tests.e2e.controlplane import ControlPlane
from tests.e2e.ledger import Ledger, Started
from tests.e2e.network import Net
from tests.e2e.stage import MANIFEST, RealStage
from tests.scenarios.stage import eventually


def exec_in(stage: RealStage, pod: str, *command: str) -> str:
    ended = stage.kubectl("exec", pod, "--", *command)
    assert ended.code == 0, ended
    return ended.out.strip()


def get(stage: RealStage, *what: str) -> Any:
    ended = stage.kubectl("get", *what, "-o", "json")
    assert ended.code == 0, ended
    return ended.json()


def test_four_real_nodes(stage: RealStage) -> None:
    found = get(stage, "nodes")["items"]
    assert [node["metadata"]["name"] for node in found] == ["node-1", "node-2", "node-3", "node-4"]
    for node in found:
        assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.37.2"
        assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
        assert cluster.condition(node, "Ready")
    assert stage.kubectl("version", "-o", "json").json()["serverVersion"]["gitVersion"] == "v1.37.2"


def test_a_member_knows_its_name_and_its_peers_by_dns(stage: RealStage) -> None:
    assert exec_in(stage, "zk-1", "hostname") == "zk-1"
    assert exec_in(stage, "zk-1", "hostname", "-f") == "zk-1.zk-hs.default.svc.cluster.local"
    assert exec_in(stage, "zk-1", "cat", "/var/lib/zookeeper/data/myid") == "2"
    address = exec_in(stage, "zk-1", "getent", "hosts", "zk-0.zk-hs.default.svc.cluster.local").split()[0]
    assert address == get(stage, "pod", "zk-0")["status"]["podIP"]


def test_a_member_runs_as_its_user_on_a_volume_of_its_group(stage: RealStage) -> None:
    # ls names user and group as the image knows them.
    assert exec_in(stage, "zk-0", "ls", "-ld", "/var/lib/zookeeper/data").split()[2:4] == ["zookeeper", "zookeeper"]
    assert exec_in(stage, "zk-0", "ps", "-o", "user=", "-C", "java") == "zookeeper"
    claims = get(stage, "pvc", "-l", "app=zk")["items"]
    assert {claim["status"]["phase"] for claim in claims} == {"Bound"}


def test_what_one_member_wrote_another_reads(stage: RealStage) -> None:
    path = f"/e2e-{time.time_ns()}"
    exec_in(stage, "zk-0", "zkCli.sh", "create", path, "world")
    assert "world" in exec_in(stage, "zk-1", "zkCli.sh", "get", path)


def test_logs_are_the_servers_own(stage: RealStage) -> None:
    ended = stage.kubectl("logs", "zk-0", "--tail", "5")
    assert len(ended.out.splitlines()) == 5
    assert "[myid:" in ended.out


def test_simulated_nodes_have_a_real_budget_and_eviction(simulated: ControlPlane) -> None:
    simulated.kubectl("apply", "-f", str(MANIFEST))

    def allowed() -> bool:
        budget = json.loads(simulated.kubectl("get", "pdb", "zk-pdb", "-o", "json"))
        return budget.get("status", {}).get("disruptionsAllowed") == 1

    eventually("a budget of one", allowed, 60.0)
    pods = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in cluster.items(simulated, "pods")}
    assert len(set(pods.values())) == 3, "the manifest's anti-affinity holds"
    for node in set(pods.values()):
        simulated.kubectl("cordon", node)
    simulated.kubectl("cordon", *(set(cluster.names(simulated, "nodes")) - set(pods.values())))
    assert evict(simulated, "zk-0").returncode == 0
    eventually("zk-0 to wait for a node", lambda: waits(simulated, "zk-0"), 30.0)
    eventually("the budget to be spent", lambda: not allowed(), 30.0)
    refused = evict(simulated, "zk-1")
    assert refused.returncode == 1
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused.stderr
    simulated.kubectl("uncordon", *cluster.names(simulated, "nodes"))
    eventually("a budget of one again", allowed, 60.0)


def waits(plane: ControlPlane, pod: str) -> bool:
    """For a node; between its deletion and its next birth there is no such pod."""
    return any(p["metadata"]["name"] == pod and not p["spec"].get("nodeName") for p in cluster.items(plane, "pods"))


def evict(plane: ControlPlane, pod: str) -> subprocess.CompletedProcess[str]:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "default"}}
    url = f"/api/v1/namespaces/default/pods/{pod}/eviction"
    program = controlplane.gobuild.binaries("kubernetes") / "kubectl"
    return subprocess.run(
        [program, "--kubeconfig", plane.kubeconfig, "create", "--raw", url, "-f", "-"],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": str(plane.ledger.folder), "PATH": "/usr/bin:/bin"},
    )


STARTS_ONE = (
    "import sys; from pathlib import Path; from tests.e2e import cluster; c = cluster.Cluster(Path(sys.argv[1]))"
)
RUN = f"{STARTS_ONE}; c.up(cluster.REAL, 1, lambda text: None); sys.stdin.read()"
"""A test run in small: it starts a cluster that it would end itself."""


def killed_run(state: Path, *, with_its_guard: bool) -> tuple[list[Started], Net]:
    """What a run had started when it was killed, in the middle of a start."""
    with subprocess.Popen([sys.executable, "-c", RUN, str(state)], stdin=subprocess.PIPE, cwd=cluster.CHECKOUT) as run:
        eventually("its node", lambda: any(p.name == "node-1-init" for p in Ledger(state).processes), 60.0)
        ledger = Ledger(state)
        (guard,) = (pid for pid in children(run.pid) if b"read -r _" in Path(f"/proc/{pid}/cmdline").read_bytes())
        if with_its_guard:
            os.kill(guard, signal.SIGKILL)
        run.kill()
    return list(ledger.processes), Net(int(ledger.facts["net"]))


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def assert_nothing_left(state: Path, processes: list[Started], net: Net) -> None:
    # Their parent is dead: they may wait as zombies for this machine's init to reap them.
    assert not [started.name for started in processes if started.alive()]
    assert not state.exists()
    assert net.bridge not in subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout
    assert str(state) not in Path("/proc/self/mountinfo").read_text()
    assert not list(nodes.CGROUPS.glob(f"*/{nodes.cgroup(net)}"))
    assert net not in [entry.net for entry in machine.entries()]


def test_a_run_that_is_killed_leaves_nothing(folder: Path, stage: RealStage) -> None:
    state = folder / "run"
    processes, net = killed_run(state, with_its_guard=False)
    eventually("its folder to be gone, which is the last of it", lambda: not state.exists(), 60.0)
    assert_nothing_left(state, processes, net)
    assert stage.cluster.dead() is None, "another cluster is not touched"


def test_the_next_run_ends_what_a_killed_one_could_not(folder: Path, stage: RealStage) -> None:
    """As when all processes of a CI job are killed at once."""
    state = folder / "run"
    processes, net = killed_run(state, with_its_guard=True)
    assert [entry.abandoned for entry in machine.entries() if entry.net == net] == [True]
    cluster.sweep(lambda text: None)
    assert_nothing_left(state, processes, net)
    assert stage.cluster.dead() is None, "another cluster is not touched"


def test_the_containers_cgroups_are_known_and_can_be_cleared(folder: Path, stage: RealStage) -> None:
    known = nodes.containers(stage.cluster.folder)
    running = {c["containerID"] for pod in get(stage, "pods")["items"] for c in pod["status"]["containerStatuses"]}
    assert {f"k8s.io/{one.removeprefix('containerd://')}" for one in running} <= set(known)
    places = [place for name in known for place in (nodes.CGROUPS / name, *nodes.CGROUPS.glob(f"*/{name}"))]
    assert any(place.is_dir() for place in places)

    ended = f"zktui-{os.getpid()}"
    (folder / "node-1/containerd/io.containerd.grpc.v1.cri/containers" / ended).mkdir(parents=True)
    nodes.make_cgroups(f"k8s.io/{ended}")
    (name,) = nodes.containers(folder)
    nodes.clear_cgroups([name])
    assert not [*nodes.CGROUPS.glob(name), *nodes.CGROUPS.glob(f"*/{name}")]


def test_the_last_cluster_puts_the_kernel_back(folder: Path, stage: RealStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a register and with a setting of its own, beside the real ones."""
    assert stage.cluster.running
    setting = folder / "overcommit"
    setting.write_text("0\n")
    monkeypatch.setattr(machine, "REGISTER", folder / "register")
    monkeypatch.setattr(machine, "SETTINGS", (str(setting),))
    instances = folder / "instances"
    instances.write_text("128\n")
    monkeypatch.setattr(machine, "INOTIFY", str(instances))
    first = machine.reserve(folder / "first", kept=False)
    setting.write_text("1\n")  # as its kubelets do
    second = machine.reserve(folder / "second", kept=True)
    assert first != second
    assert instances.read_text() == "1024"
    machine.release(first)
    assert setting.read_text().strip() == "1", "the second's kubelets still want it so"
    machine.release(second)
    assert setting.read_text().strip() == "0"
    assert instances.read_text().strip() == "128"
    assert machine.entries() == []


def test_a_guard_acts_when_its_process_is_killed_and_not_when_dismissed(folder: Path) -> None:
    guards = "from tests.scenarios.guard import Guard; import sys; one, two = (Guard('touch', p) for p in sys.argv[1:])"
    program = f"{guards}; two.dismiss(); print('ready', flush=True); sys.stdin.read()"
    killed, dismissed = folder / "killed", folder / "dismissed"
    command = [sys.executable, "-c", program, str(killed), str(dismissed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cluster.CHECKOUT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert not killed.exists()
        process.kill()
    eventually("the guard to act", killed.exists, 10.0)
    assert not dismissed.exists()


def test_down_cleans_up_after_an_up_that_was_killed(folder: Path, stage: RealStage) -> None:
    state = folder / "crashed"
    command = [sys.executable, "-m", "tests.e2e", "up", "--count", "2", "--folder", str(state)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2]) as starting:
        eventually("its first node", lambda: any(p.name == "node-1" for p in Ledger(state).processes), 60.0)
        starting.send_signal(signal.SIGKILL)
    crashed = Cluster(state)
    processes = list(crashed.ledger.processes)
    net = Net(int(crashed.ledger.facts["net"]))
    assert crashed.running

    crashed.down()

    assert_nothing_left(state, processes, net)
    assert stage.cluster.dead() is None, "another cluster is not touched"
