"""The Kubernetes tutorial, typed row by row with the real kubectl against `zktui demo --serve`, and what it prints.

In the tutorial's own order and with the tutorial's own manifest; each test goes on where the one before ended.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.scenarios.stage import Stage, eventually, kubectl_program

MANIFEST = Path(__file__).with_name("tutorial.yaml")
pytestmark = pytest.mark.timeout(300)
CPU = "/spec/template/spec/containers/0/resources/requests/cpu"
MEMBERS = ("zk-0", "zk-1", "zk-2")
NODES = tuple(f"node-{number}" for number in range(1, 5))


class Typed:
    """The tutorial's terminal. `home` is filled by the chapter on maintenance."""

    def __init__(self, stage: Stage, program: str) -> None:
        self.stage = stage
        self._program = program
        self.home: dict[str, str] = {}

    def __call__(self, *words: str, code: int = 0, timeout: float = 90.0) -> str:
        """What `kubectl words…` prints, both streams."""
        ended = self.stage.kubectl(*words, timeout=timeout)
        assert ended.code == code, ended
        return ended.out + ended.err

    def rows(self, *words: str) -> list[list[str]]:
        """A table's rows without its header, columns apart."""
        return [re.split(r" {2,}", line.strip()) for line in self(*words).splitlines()[1:]]

    def zk(self, pod: str, *words: str) -> list[str]:
        """What its client prints, typed again while the member does not serve: Ready is by ``ruok`` here, alive."""

        def served() -> str | None:
            ended = self.stage.kubectl("exec", pod, "--", "zkCli.sh", *words)
            return ended.out + ended.err if ended.code == 0 else None

        return eventually(f"{pod} to answer {words}", served, 60.0).splitlines()

    def watching(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on; kill it to read what it printed."""
        return subprocess.Popen(
            [self._program, *words],
            env=dict(self.stage.environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ready(self, *members: str) -> bool:
        found = {row[0]: row[1:3] for row in self.rows("get", "pods", "-l", "app=zk")}
        return all(found.get(name) == ["1/1", "Running"] for name in members or MEMBERS)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Generator[Typed]:
    program = kubectl_program()
    if program is None:
        pytest.skip("kubectl is not on the PATH, and not built yet (make e2e)")
    stage = Stage(tmp_path_factory.mktemp("tutorial"), 4, 0)
    try:
        eventually("the kubeconfig", stage.kubeconfig.exists, 30.0)
        yield Typed(stage, program)
    finally:
        stage.strike()


def states(output: str) -> list[tuple[str, str, str]]:
    """(pod, READY, STATUS) of each line of `get pods -w`, repetitions left out."""
    found: list[tuple[str, str, str]] = []
    for line in output.splitlines():
        pod, ready, status, *_ = line.split()
        if pod != "NAME" and found[-1:] != [(pod, ready, status)]:
            found.append((pod, ready, status))
    return found


def in_order(wanted: list[tuple[str, str, str]], seen: list[tuple[str, str, str]]) -> bool:
    rest = iter(seen)
    return all(one in rest for one in wanted)


# -- Creating an ensemble ----------------------------------------------------------------------------------


def test_creating(typed: Typed) -> None:
    watch = typed.watching("get", "pods", "-w", "-l", "app=zk")
    try:
        assert typed("apply", "-f", str(MANIFEST)).splitlines() == [
            "service/zk-hs created",
            "service/zk-cs created",
            "poddisruptionbudget.policy/zk-pdb created",
            "statefulset.apps/zk created",
        ]
        eventually("three members", typed.ready, 150.0)
    finally:
        watch.terminate()
    seen = states(watch.communicate(timeout=10)[0])
    each = [("0/1", "Pending"), ("0/1", "ContainerCreating"), ("0/1", "Running"), ("1/1", "Running")]
    assert in_order([(pod, *state) for pod in MEMBERS for state in each], seen), seen
    assert [row[:3] for row in typed.rows("get", "pods", "-l", "app=zk")] == [[p, "1/1", "Running"] for p in MEMBERS]
    # Once more: kubectl sends what the server writes in another way (0.5 as 500m), and nothing comes of it.
    assert typed("apply", "-f", str(MANIFEST)).splitlines() == [
        "service/zk-hs unchanged",
        "service/zk-cs unchanged",
        "poddisruptionbudget.policy/zk-pdb configured",
        "statefulset.apps/zk configured",
    ]
    assert typed("get", "sts,pdb", "-o", "jsonpath={.items[*].metadata.generation}") == "1 1"


# -- Identity, consensus, sanity ---------------------------------------------------------------------------


def test_identity(typed: Typed) -> None:
    for number, pod in enumerate(MEMBERS):
        assert typed("exec", pod, "--", "hostname") == f"{pod}\n"
        assert typed("exec", pod, "--", "cat", "/var/lib/zookeeper/data/myid") == f"{number + 1}\n"
        assert typed("exec", pod, "--", "hostname", "-f") == f"{pod}.zk-hs.default.svc.cluster.local\n"


def test_consensus(typed: Typed) -> None:
    settings = dict(
        line.split("=", 1) for line in typed("exec", "zk-0", "--", "cat", "/opt/zookeeper/conf/zoo.cfg").splitlines()
    )
    # The whitelist is of ZooKeeper 3.5 and later; the tutorial's image answers every four-letter word without.
    assert settings.pop("4lw.commands.whitelist") == "*"
    assert settings == {
        "clientPort": "2181",
        "dataDir": "/var/lib/zookeeper/data",
        "dataLogDir": "/var/lib/zookeeper/data/log",
        "tickTime": "2000",
        "initLimit": "10",
        "syncLimit": "5",
        "maxClientCnxns": "60",
        "minSessionTimeout": "4000",
        "maxSessionTimeout": "40000",
        "autopurge.snapRetainCount": "3",
        "autopurge.purgeInterval": "12",
        **{f"server.{n}": f"zk-{n - 1}.zk-hs.default.svc.cluster.local:2888:3888" for n in (1, 2, 3)},
    }


def test_sanity(typed: Typed) -> None:
    created = typed.zk("zk-0", "create", "/hello", "world")
    assert created[-1] == "Created /hello"
    assert "WatchedEvent state:SyncConnected type:None path:null" in "\n".join(created)
    assert typed.zk("zk-1", "get", "/hello")[-1] == "world"
    stat = typed.zk("zk-1", "get", "-s", "/hello")
    assert [line.split(" = ")[0] for line in stat[stat.index("world") + 1 :]] == [
        *("cZxid", "ctime", "mZxid", "mtime", "pZxid", "cversion", "dataVersion", "aclVersion", "ephemeralOwner"),
        *("dataLength", "numChildren"),
    ]
    # As the tutorial has it typed; kubectl has not taken it for long.
    assert "exec [POD] [COMMAND] is not supported" in typed("exec", "zk-1", "zkCli.sh", "get", "/hello", code=1)


# -- Storage -----------------------------------------------------------------------------------------------


def test_storage(typed: Typed) -> None:
    # Newer ones add "from default namespace".
    assert typed("delete", "statefulset", "zk").startswith('statefulset.apps "zk" deleted')
    eventually("the members to be gone", lambda: typed("get", "pods").startswith("No resources found"), 60.0)
    applied = typed("apply", "-f", str(MANIFEST)).splitlines()
    assert applied == [
        "service/zk-hs unchanged",
        "service/zk-cs unchanged",
        "poddisruptionbudget.policy/zk-pdb configured",
        "statefulset.apps/zk created",
    ]
    eventually("three members", typed.ready, 150.0)
    assert typed.zk("zk-2", "get", "/hello")[-1] == "world"
    claims = typed.rows("get", "pvc", "-l", "app=zk")
    assert [[row[0], row[1], *row[3:5]] for row in claims] == [
        [f"datadir-{pod}", "Bound", "10Gi", "RWO"] for pod in MEMBERS
    ]


# -- Configuration, logging, non-root ----------------------------------------------------------------------


def test_configuration(typed: Typed) -> None:
    text = typed("get", "sts", "zk", "-o", "yaml")
    flags = dict(found for found in re.findall(r"--(\w+)=(\S+)", text.partition("\nspec:")[2]))
    assert flags == {
        "servers": "3",
        "data_dir": "/var/lib/zookeeper/data",
        "data_log_dir": "/var/lib/zookeeper/data/log",
        "conf_dir": "/opt/zookeeper/conf",
        "client_port": "2181",
        "election_port": "3888",
        "server_port": "2888",
        "tick_time": "2000",
        "init_limit": "10",
        "sync_limit": "5",
        "heap": "512M",
        "max_client_cnxns": "60",
        "snap_retain_count": "3",
        "purge_interval": "12",
        "max_session_timeout": "40000",
        "min_session_timeout": "4000",
        "log_level": "INFO",
    }


def test_logging(typed: Typed) -> None:
    assert typed("exec", "zk-0", "--", "cat", "/usr/etc/zookeeper/log4j.properties").splitlines() == [
        "zookeeper.root.logger=CONSOLE",
        "zookeeper.console.threshold=INFO",
        "log4j.rootLogger=${zookeeper.root.logger}",
        "log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender",
        "log4j.appender.CONSOLE.Threshold=${zookeeper.console.threshold}",
        "log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout",
        "log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n",
    ]
    lines = typed("logs", "zk-0", "--tail", "20").splitlines()
    assert len(lines) == 20
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[myid:.*\] - (INFO|WARN)", line) for line in lines)


def test_non_root(typed: Typed) -> None:
    header, shell, server, *_ = typed("exec", "zk-0", "--", "ps", "-elf").splitlines()
    columns = ["F", "S", "UID", "PID", "PPID", "C", "PRI", "NI", "ADDR", "SZ", "WCHAN", "STIME", "TTY", "TIME", "CMD"]
    assert header.split() == columns
    assert shell.split()[1:5] == ["S", "zookeep+", "1", "0"]
    assert shell.split()[14:17] == ["sh", "-c", "start-zookeeper"]
    assert (server.split()[2], server.split()[14]) == ("zookeep+", "java")
    folder = typed("exec", "zk-0", "--", "ls", "-ld", "/var/lib/zookeeper/data")
    assert re.fullmatch(r"drwx\S+ +\d+ zookeeper zookeeper +\d+ \w{3} +\d+ \d\d:\d\d /var/lib/zookeeper/data\n", folder)


# -- The process: update, history, undo ------------------------------------------------------------------------


def test_updating_the_process(typed: Typed) -> None:
    patch = json.dumps([{"op": "replace", "path": CPU, "value": "0.3"}])
    assert typed("patch", "sts", "zk", "--type=json", f"-p={patch}") == "statefulset.apps/zk patched\n"
    said = typed("rollout", "status", "sts/zk", "--timeout=200s", timeout=210.0).splitlines()
    assert re.fullmatch(r"statefulset rolling update complete 3 pods at revision zk-\w+\.\.\.", said[-1])
    assert {re.sub(r"\d|zk-\w+", "_", line) for line in said[:-1]} == {
        "Waiting for _ pods to be ready...",
        "waiting for statefulset rolling update to complete _ pods at revision _...",
    }
    pods = json.loads(typed("get", "pods", "-l", "app=zk", "-o", "json"))["items"]
    assert {pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] for pod in pods} == {"300m"}
    births = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])
    assert [pod["metadata"]["name"] for pod in births] == ["zk-2", "zk-1", "zk-0"]
    history = ["statefulset.apps/zk", "REVISION  CHANGE-CAUSE", "1         <none>", "2         <none>"]
    assert [line.strip() for line in typed("rollout", "history", "sts/zk").splitlines() if line] == history


def test_undoing(typed: Typed) -> None:
    assert typed("rollout", "undo", "sts/zk").startswith("statefulset.apps/zk rolled back\n")
    typed("rollout", "status", "sts/zk", "--timeout=200s", timeout=210.0)
    pods = json.loads(typed("get", "pods", "-l", "app=zk", "-o", "json"))["items"]
    assert {pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] for pod in pods} == {"500m"}
    assert typed("rollout", "history", "sts/zk").split()[-4:] == ["2", "<none>", "3", "<none>"]
    assert typed.zk("zk-0", "get", "/hello")[-1] == "world"


# -- Failure ---------------------------------------------------------------------------------------------------


def test_a_process_that_fails(typed: Typed) -> None:
    processes = typed("exec", "zk-0", "--", "ps", "-ef").splitlines()
    assert processes[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert [line.split()[2] for line in processes[1:3]] == ["0", "1"]
    assert processes[1].split()[1] == "1"
    watch = typed.watching("get", "pod", "-w", "-l", "app=zk")
    try:
        assert typed("exec", "zk-0", "--", "pkill", "java") == ""
        eventually("zk-0 to have restarted", lambda: "1 (" in typed("get", "pod", "zk-0") and typed.ready(), 60.0)
    finally:
        watch.terminate()
    seen = states(watch.communicate(timeout=10)[0])
    assert in_order([("zk-0", "0/1", "Error"), ("zk-0", "0/1", "Running"), ("zk-0", "1/1", "Running")], seen), seen
    restarts = {row[0]: row[3].split()[0] for row in typed.rows("get", "pods", "-l", "app=zk")}
    assert restarts == {"zk-0": "1", "zk-1": "0", "zk-2": "0"}


def test_a_probe_that_fails(typed: Typed) -> None:
    assert typed("exec", "zk-0", "--", "rm", "/usr/bin/zookeeper-ready") == ""
    eventually("zk-0 not to be ready", lambda: typed.rows("get", "pod", "zk-0")[0][1] == "0/1", 60.0)
    eventually("zk-0 to be restarted", lambda: "2 (" in typed("get", "pod", "zk-0"), 90.0)
    eventually("zk-0 to be ready again", typed.ready, 90.0)
    told = typed("get", "events", "--field-selector", "involvedObject.name=zk-0,reason=Unhealthy")
    assert "Readiness probe failed: sh: 1: zookeeper-ready: not found" in told
    assert "Liveness probe failed: sh: 1: zookeeper-ready: not found" in told
    killed = "Container kubernetes-zookeeper failed liveness probe, will be restarted"
    assert killed in typed("get", "events", "--field-selector", "involvedObject.name=zk-0,reason=Killing")


def test_node_failure(typed: Typed) -> None:
    homes = {pod: typed("get", "pod", pod, "--template", "{{.spec.nodeName}}") for pod in MEMBERS}
    assert len(set(homes.values())) == 3
    rule = json.loads(typed("get", "sts", "zk", "-o", "jsonpath={.spec.template.spec.affinity.podAntiAffinity}"))[
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert [one["topologyKey"] for one in rule] == ["kubernetes.io/hostname"]
    typed.home = homes


# -- Maintenance -----------------------------------------------------------------------------------------------


def test_four_nodes_and_a_budget(typed: Typed) -> None:
    assert [row[:2] for row in typed.rows("get", "nodes")] == [[name, "Ready"] for name in NODES]
    budget = typed("get", "pdb", "zk-pdb").splitlines()
    assert re.split(r" {2,}", budget[0]) == ["NAME", "MIN AVAILABLE", "MAX UNAVAILABLE", "ALLOWED DISRUPTIONS", "AGE"]
    assert budget[1].split()[:4] == ["zk-pdb", "N/A", "1", "1"]


def drain(typed: Typed, node: str, code: int = 0, timeout: str = "60s") -> str:
    options = ("--ignore-daemonsets", "--force", "--delete-emptydir-data", f"--timeout={timeout}")
    return typed("drain", node, *options, code=code)


def node_of(typed: Typed, pod: str) -> str:
    return typed("get", "pod", pod, "--template", "{{.spec.nodeName}}")


def test_the_first_drain_moves_a_member(typed: Typed) -> None:
    first = typed.home["zk-0"]
    assert drain(typed, first).splitlines() == [
        f"node/{first} cordoned",
        "evicting pod default/zk-0",
        "pod/zk-0 evicted",
        f"node/{first} drained",
    ]
    eventually("zk-0 on the spare node", typed.ready, 60.0)
    (spare,) = set(NODES) - set(typed.home.values())
    assert node_of(typed, "zk-0") == spare


def test_after_the_second_there_is_nowhere_to_go(typed: Typed) -> None:
    second = typed.home["zk-1"]
    assert f"node/{second} drained" in drain(typed, second)
    eventually("zk-1 to be Pending", lambda: typed.rows("get", "pod", "zk-1")[0][:3] == ["zk-1", "0/1", "Pending"])
    told = typed("describe", "pod", "zk-1")
    assert "0/4 nodes are available: 2 node(s) didn't match pod anti-affinity rules, 2 node(s) were unsched" in told
    assert "FailedScheduling" in told


def test_the_third_is_refused_by_the_budget(typed: Typed) -> None:
    third = typed.home["zk-2"]
    said = drain(typed, third, code=1, timeout="7s")
    assert f"node/{third} cordoned\n" in said
    assert "Cannot evict pod as it would violate the pod's disruption budget." in said
    assert typed.rows("get", "node", third)[0][1] == "Ready,SchedulingDisabled"
    assert typed.rows("get", "pdb", "zk-pdb")[0][3] == "0"
    assert typed.zk("zk-0", "get", "/hello")[-1] == "world"


def test_uncordoned_it_goes_on(typed: Typed) -> None:
    first, third = typed.home["zk-0"], typed.home["zk-2"]
    assert typed("uncordon", first) == f"node/{first} uncordoned\n"
    eventually("zk-1 to be ready again", typed.ready, 60.0)
    assert node_of(typed, "zk-1") == first
    eventually("the budget to allow one", lambda: typed.rows("get", "pdb", "zk-pdb")[0][3] == "1", 20.0)
    assert f"pod/zk-2 evicted\nnode/{third} drained\n" in drain(typed, third)
    second = typed.home["zk-1"]
    assert typed("uncordon", second, third) == f"node/{second} uncordoned\nnode/{third} uncordoned\n"
    eventually("all three again", typed.ready, 90.0)
    assert [row[:2] for row in typed.rows("get", "nodes")] == [[name, "Ready"] for name in NODES]
    assert typed.zk("zk-2", "get", "/hello")[-1] == "world"
