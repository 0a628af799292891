from __future__ import annotations

import copy
import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.checks.inventories import (
    DENIED,
    NAMES,
    PROGRAM,
    PS,
    READY,
    check_of,
    healthy,
    pod_document,
    ran,
    results,
    service,
    with_command,
)
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Check, Result
from zktui.checks.probes import Asks, probe_of, script_of
from zktui.checks.process_failure import process_failure
from zktui.checks.processes import processes_in

ONE_WARNS = {"zk-0": Result.PASS, "zk-1": Result.WARN, "zk-2": Result.PASS}
ONE_FAILS = {**ONE_WARNS, "zk-1": Result.FAIL}
ONE_UNKNOWN = {**ONE_WARNS, "zk-1": Result.UNKNOWN}
TUTORIAL = """#!/usr/bin/env bash
OK=$(echo ruok | nc 127.0.0.1 $1)
if [ "$OK" == "imok" ]; then
	exit 0
else
	exit 1
fi
"""


def of(inventory: Inventory, name: str) -> Check:
    return check_of(process_failure, inventory, f"process-failure.{name}")


def spoiled(change: Callable[[Any], None]) -> Inventory:
    """With zk-1's pod changed."""
    inventory = healthy()
    document = copy.deepcopy(pod_document())
    change(document)
    return replace(inventory, pod_documents={**inventory.pod_documents, "zk-1": document})


def probing(which: str, probe: Any) -> Inventory:
    return spoiled(lambda document: document["spec"]["containers"][0].update({which: probe}))


def status(**fields: Any) -> Inventory:
    return spoiled(lambda document: document["status"]["containerStatuses"][0].update(fields))


def run(*command: str) -> dict[str, Any]:
    return {"exec": {"command": list(command)}}


def test_a_healthy_ensemble_passes() -> None:
    checks = {c.code.partition(".")[2]: c for c in process_failure(healthy())}
    assert list(checks) == ["restart-policy", "liveness", "readiness", "startup", "question", "exits", "tree"]
    assert {c.result for c in checks.values()} == {Result.PASS}
    texts = {name: c.evidence[1].text for name, c in checks.items()}
    assert texts == {
        "restart-policy": "restartPolicy Always",
        "liveness": f"{PROGRAM} 2181 (every 10 s, 6 failures to act on): it tests that the process answers, not that "
        "it serves",
        "readiness": f"{PROGRAM} 2181 serving (every 2 s, 3 failures to act on): it tests that it serves",
        "startup": f"{PROGRAM} 2181: 120 s to start in",
        "question": "no probe asks by echo and nc",
        "exits": "it has never ended",
        "tree": "1 java, user zookeep+",
    }


def test_a_pod_that_could_not_be_read() -> None:
    inventory = healthy()
    inventory = replace(inventory, pod_documents={n: d for n, d in inventory.pod_documents.items() if n != "zk-1"})
    for name in ("restart-policy", "liveness", "readiness", "startup", "question", "exits", "tree"):
        assert results(of(inventory, name)) == ONE_UNKNOWN


def test_a_pod_that_is_not_started_again() -> None:
    never = spoiled(lambda document: document["spec"].update(restartPolicy="Never"))
    assert results(of(never, "restart-policy")) == ONE_FAILS


@pytest.mark.parametrize(
    ("command", "scripts", "asks"),
    [
        (("sh", "-c", "zookeeper-ready 2181"), {}, Asks.ALIVE),
        (("/usr/bin/zookeeper-ready", "2181"), {"/usr/bin/zookeeper-ready": TUTORIAL}, Asks.ALIVE),
        (("sh", "-c", "echo ruok | nc localhost 2181 | grep imok"), {}, Asks.ALIVE),
        (("sh", "-c", "echo srvr | nc localhost 2181"), {}, Asks.ALIVE),
        (("sh", "-c", "echo srvr | nc localhost 2181 | grep -q ^Mode:"), {}, Asks.SERVING),
        (("sh", "-c", "echo mntr | nc localhost 2181 | grep zk_server_state"), {}, Asks.SERVING),
        (("zkServer.sh", "status"), {}, Asks.SERVING),
        (("/opt/zookeeper/bin/zkServer.sh", "--config", "/conf", "status"), {}, Asks.SERVING),
        (("nc", "-z", "localhost", "2181"), {}, Asks.PORT),
        (("bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/2181"), {}, Asks.PORT),
        (("/opt/check.sh",), {"/opt/check.sh": "echo stat | nc localhost 2181 | grep Mode"}, Asks.SERVING),
        (("/opt/check.sh",), {}, Asks.UNKNOWN),
        (("/opt/check.sh",), {"/opt/check.sh": "test -e /tmp/well"}, Asks.UNKNOWN),
    ],
)
def test_what_a_command_tests(command: tuple[str, ...], scripts: dict[str, str], asks: Asks) -> None:
    assert probe_of({"readinessProbe": run(*command)}, "readinessProbe", scripts).asks is asks


@pytest.mark.parametrize(
    ("probe", "asks"),
    [
        ({"tcpSocket": {"port": 2181}}, Asks.PORT),
        ({"httpGet": {"path": "/commands/ruok", "port": 8080}}, Asks.ALIVE),
        ({"httpGet": {"path": "/commands/stats", "port": 8080}}, Asks.UNKNOWN),
        ({"grpc": {"port": 1}}, Asks.UNKNOWN),
        ({}, Asks.NOTHING),
    ],
)
def test_what_another_probe_tests(probe: Any, asks: Asks) -> None:
    assert probe_of({"livenessProbe": probe}, "livenessProbe", {}).asks is asks


def test_the_scripts_that_have_to_be_read() -> None:
    assert script_of({"p": run(PROGRAM, "2181")}, "p") == PROGRAM
    assert script_of({"p": run("/bin/sh", "-c", "/opt/check.sh 1")}, "p") == "/opt/check.sh"
    assert script_of({"p": run("bash", "-c", "exec 3<> /dev/tcp/127.0.0.1/2181")}, "p") == ""
    assert script_of({"p": {"tcpSocket": {"port": 1}}}, "p") == ""


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (None, ONE_WARNS),
        (run("zkServer.sh", "status"), ONE_FAILS),
        (run("/opt/check.sh"), ONE_UNKNOWN),
        ({"tcpSocket": {"port": 2181}}, {**ONE_WARNS, "zk-1": Result.PASS}),
    ],
)
def test_liveness(probe: Any, expected: dict[str, Result]) -> None:
    assert results(of(probing("livenessProbe", probe), "liveness")) == expected


@pytest.mark.parametrize(
    ("probe", "expected"),
    [(None, ONE_WARNS), (run("sh", "-c", "zookeeper-ready 2181"), ONE_WARNS), (run("/opt/check.sh"), ONE_UNKNOWN)],
)
def test_readiness(probe: Any, expected: dict[str, Result]) -> None:
    assert results(of(probing("readinessProbe", probe), "readiness")) == expected


@pytest.mark.parametrize(
    ("outcome", "result", "words"),
    [
        (ran(code=127, err="sh: 1: zookeeper-ready: not found\n"), "fail", "can't be run: sh: 1: zookeeper-ready: not"),
        (
            Known[Any](None, 'OCI runtime exec failed: exec: "x": executable file not found in $PATH (500)'),
            "fail",
            '"x": exec',
        ),
        (ran(code=1), "pass", "it fails now: exit code 1"),
        (ran(code=1, err="Connection refused\n"), "pass", "it fails now: Connection refused"),
        (ran(), "pass", "it tests that it serves"),
        (DENIED, "pass", "it tests that it serves"),
    ],
)
def test_a_probe_is_tried_as_the_kubelet_does(outcome: Any, result: str, words: str) -> None:
    """What it tests is of no use where its program is gone."""
    inventory = with_command(healthy(), f"try {PROGRAM} 2181 serving", outcome, ("zk-1",))
    found = of(inventory, "readiness")
    assert results(found) == {**ONE_WARNS, "zk-1": Result(result)}
    assert words in found.evidence[1].text
    alive = with_command(healthy(), f"try {PROGRAM} 2181", outcome, ("zk-1",))
    assert of(alive, "liveness").evidence[1].result is Result(result)


@pytest.mark.parametrize(
    ("probe", "result"),
    [
        (run("sh", "-c", "echo ruok | nc localhost 2181 | grep imok"), "warn"),
        (run("sh", "-c", "echo 'ruok' | nc localhost 2181"), "warn"),
        (run("sh", "-c", "zookeeper-ready 2181"), "warn"),
        (run("sh", "-c", "echo -n ruok | nc localhost 2181"), "pass"),
        (run("sh", "-c", "printf ruok | nc localhost 2181"), "pass"),
        (run("nc", "-z", "localhost", "2181"), "pass"),
        (run("/opt/check.sh"), "unknown"),
        ({"tcpSocket": {"port": 2181}}, "pass"),
        (None, "pass"),
    ],
)
def test_a_question_that_ends_with_a_newline(probe: Any, result: str) -> None:
    found = of(probing("livenessProbe", probe), "question")
    assert results(found) == {**ONE_WARNS, "zk-1": Result(result)}
    assert bool(found.patch) is (result == "warn")


def test_a_script_that_asks_so_is_told_by_its_text() -> None:
    asked = with_command(healthy(), f"probe {PROGRAM}", ran(TUTORIAL), ("zk-1",))
    found = of(asked, "question")
    assert found.evidence[1].text.startswith("livenessProbe, readinessProbe, startupProbe: by echo and nc")
    assert results(found) == ONE_WARNS


def test_the_line_by_hand_shows_what_asks() -> None:
    assert of(healthy(), "question").by_hand == f"kubectl exec zk-0 -- cat {PROGRAM}"
    for words, line in (
        ("zookeeper-ready 2181", "cat /usr/bin/zookeeper-ready"),
        ("echo ruok | nc ::1 2181", "sh -c 'echo ruok | nc ::1 2181'"),
    ):
        inventory = healthy()
        document = copy.deepcopy(pod_document())
        document["spec"]["containers"][0]["livenessProbe"] = run("sh", "-c", words)
        inventory = replace(inventory, pod_documents=dict.fromkeys(NAMES, document))
        assert of(inventory, "question").by_hand == f"kubectl exec zk-0 -- {line}"


@pytest.mark.parametrize(
    ("own", "changed"),
    [
        (("sh", "-c", "echo ruok | nc -w 2 ::1 2181 | grep imok"), "printf ruok | nc -w 2 ::1 2181 | grep imok"),
        (("sh", "-c", "zookeeper-ready 2181"), "printf ruok | nc -w 2 127.0.0.1 2181 | grep -q imok"),
    ],
)
def test_the_patch_that_asks_without_a_newline(own: tuple[str, ...], changed: str) -> None:
    (line,) = of(probing("livenessProbe", run(*own)), "question").patch
    (container,) = json.loads(shlex.split(line)[-1])["spec"]["template"]["spec"]["containers"]
    assert container == {"name": "zookeeper", "livenessProbe": {"exec": {"command": ["sh", "-c", changed]}}}
    assert of(probing("livenessProbe", container["livenessProbe"]), "question").result is Result.PASS


def test_a_readiness_whose_script_could_not_be_read_is_not_guessed_at() -> None:
    found = of(with_command(healthy(), f"probe {PROGRAM}", DENIED, ("zk-1",)), "readiness")
    assert results(found) == ONE_UNKNOWN


def test_the_patch_for_readiness_is_offered_where_it_can_work() -> None:
    weak = probing("readinessProbe", {"tcpSocket": {"port": 2181}})
    (line,) = of(weak, "readiness").patch
    words = shlex.split(line)
    assert words[:-1] == ["kubectl", "-n", "default", "patch", "statefulset", "zk", "-p"]
    (container,) = json.loads(words[-1])["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "zookeeper"
    mended = {k: v for k, v in container["readinessProbe"].items() if v is not None}
    assert container["readinessProbe"]["exec"] == {"command": [PROGRAM, "2181", "serving"]}, "by the script it has"
    assert probe_of({"readinessProbe": mended}, "readinessProbe", {PROGRAM: READY}).asks is Asks.SERVING
    bare = with_command(weak, f"probe {PROGRAM}", ran(code=1, err="cat: No such file or directory\n"))
    (line,) = of(bare, "readiness").patch
    (container,) = json.loads(shlex.split(line)[-1])["spec"]["template"]["spec"]["containers"]
    mended = {k: v for k, v in container["readinessProbe"].items() if v is not None}
    assert probe_of({"readinessProbe": mended}, "readinessProbe", {}).asks is Asks.SERVING
    ordered = replace(weak, statefulset=Known({"spec": {"podManagementPolicy": "OrderedReady"}}, ""))
    assert of(ordered, "readiness").patch == ()


def test_a_readiness_that_means_serving_where_it_locks_itself_out() -> None:
    ordered = replace(healthy(), statefulset=Known({"spec": {}}, ""))
    found = of(ordered, "readiness")
    assert found.result is Result.FAIL
    assert "OrderedReady" in found.evidence[0].text
    hidden = replace(healthy(), services=Known((service(publishNotReadyAddresses=False),), ""))
    found = of(hidden, "readiness")
    assert found.result is Result.FAIL
    assert "zk-hs hides it" in found.evidence[0].text
    assert [line.partition(" -p ")[0] for line in found.patch] == ["kubectl -n default patch service zk-hs"]


def test_startup() -> None:
    def none(document: Any) -> None:
        del document["spec"]["containers"][0]["startupProbe"]

    def neither(document: Any) -> None:
        none(document)
        del document["spec"]["containers"][0]["livenessProbe"]

    found = of(spoiled(none), "startup")
    assert results(found) == ONE_WARNS
    assert found.evidence[1].text == "none: liveness leaves it 60 s to start in"
    assert of(spoiled(neither), "startup").result is Result.PASS


def ended(ago: float, **fields: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(healthy().wall - ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"terminated": {"exitCode": 143, "reason": "Error", "finishedAt": at, **fields}}


@pytest.mark.parametrize(
    ("fields", "result", "words"),
    [
        (
            {"restartCount": 2, "lastState": ended(300)},
            Result.WARN,
            "2 restarts, the last end 5m ago: Error, exit code 143 (SIGTERM)",
        ),
        (
            {"restartCount": 1, "lastState": ended(7200)},
            Result.PASS,
            "1 restart, the last end 120m ago: Error, exit code 143 (SIGTERM)",
        ),
        (
            {"restartCount": 1, "lastState": ended(7200, exitCode=137, reason="OOMKilled")},
            Result.FAIL,
            "1 restart, the last end 120m ago: OOMKilled, exit code 137 (SIGKILL)",
        ),
        (
            {"restartCount": 3, "lastState": ended(5), "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            Result.FAIL,
            "CrashLoopBackOff; 3 restarts, the last end 5s ago: Error, exit code 143 (SIGTERM)",
        ),
        (
            {"state": ended(5, exitCode=1, message="at A\nno disk\n")},
            Result.FAIL,
            "it does not run; it has ended 5s ago: Error, exit code 1: no disk",
        ),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, Result.FAIL, "ImagePullBackOff"),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, Result.PASS, "it has never ended"),
        ({"restartCount": 4}, Result.PASS, "4 restarts, the last too long ago to be told of"),
    ],
)
def test_exits(fields: dict[str, Any], result: Result, words: str) -> None:
    seen = of(status(**fields), "exits").evidence[1]
    assert (seen.result, seen.text) == (result, words)


def test_a_pod_without_a_container_yet() -> None:
    assert results(of(spoiled(lambda d: d["status"].update(containerStatuses=[])), "exits")) == ONE_UNKNOWN


SHELL = PS.replace(
    "zookeep+       1       0  1 20:00 ?        00:00:09 java",
    "zookeep+       1       0  0 20:00 ?        00:00:00 sh -c start-zookeeper --servers=3\n"
    "zookeep+       7       1  1 20:00 ?        00:00:09 /usr/bin/java",
)
TINI = SHELL.replace("sh -c start-zookeeper --servers=3", "/sbin/tini -- start-zookeeper")


@pytest.mark.parametrize(
    ("listing", "result", "words"),
    [
        (SHELL, Result.WARN, "1 sh > 7 java, user zookeep+: SIGTERM ends at sh, and the kubelet kills after 30 s"),
        (TINI, Result.PASS, "1 tini > 7 java, user zookeep+"),
        (PS.replace("QuorumPeerMain", "Other"), Result.FAIL, "0 ZooKeeper servers among 1 processes"),
        ("PID   USER     TIME  COMMAND\n", Result.UNKNOWN, "what ps prints there is not understood"),
    ],
)
def test_the_process_tree(listing: str, result: Result, words: str) -> None:
    seen = of(with_command(healthy(), "processes", ran(listing), ("zk-1",)), "tree").evidence[1]
    assert (seen.result, seen.text) == (result, words)


def test_a_container_that_may_not_be_looked_into() -> None:
    assert results(of(with_command(healthy(), "processes", DENIED, ("zk-1",)), "tree")) == ONE_UNKNOWN


def test_a_shell_whose_line_names_the_class_is_no_server() -> None:
    first, second = processes_in(SHELL.replace("start-zookeeper", "java x.QuorumPeerMain"))
    assert (first.is_server, second.is_server) == (False, True)
    assert {name: of(healthy(), "tree").evidence[n].member for n, name in enumerate(NAMES)} == {n: n for n in NAMES}
