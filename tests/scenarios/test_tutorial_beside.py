"""What the tutorial has typed, chapter by chapter, and what zktui says of the same beside it."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import kubectl, needs_kubectl, whole
from tests.scenarios.stage import Stage, eventually, kubectl_program

MEMBERS = ("zk-0", "zk-1", "zk-2")
BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/zk-pdb"
GOES_ON = (" -w ", "drain", "delete statefulset", "zkCli.sh create", "zkCli.sh delete", "zkCli.sh get")
"""Lines that watch, or change something: they are played where their chapter is."""


@pytest.fixture(scope="module")
def told(stage: Stage) -> dict[str, Any]:
    """Every check by its code, of a whole ensemble."""
    needs_kubectl()
    whole(stage)
    (ensemble,) = stage.zktui("check", "-o", "json").json()["ensembles"]
    return {check["code"]: check for check in ensemble["checks"]}


def of(checks: dict[str, Any], code: str) -> dict[str, str]:
    """Member to what was told of it."""
    return {seen["member"]: seen["message"] for seen in checks[code]["evidence"] if seen["member"]}


def typed(stage: Stage, pod: str, *words: str) -> str:
    return kubectl(stage, "exec", pod, "--", *words).strip()


def test_who_each_member_is(stage: Stage, told: dict[str, Any]) -> None:
    for number, pod in enumerate(MEMBERS):
        assert (
            of(told, "identity.hostname")[pod]
            == f"its host name is {typed(stage, pod, 'hostname')}, its ordinal {number}"
        )
        assert of(told, "identity.fqdn")[pod] == typed(stage, pod, "hostname", "-f")
        myid = typed(stage, pod, "cat", "/var/lib/zookeeper/data/myid")
        assert of(told, "identity.myid")[pod] == f"myid {myid}, as the configuration says"


def test_how_they_find_each_other(stage: Stage, told: dict[str, Any]) -> None:
    written = typed(stage, "zk-0", "cat", "/opt/zookeeper/conf/zoo.cfg")
    lines = re.findall(r"^server\.\d+=(\S+?):", written, re.MULTILINE)
    assert of(told, "discovery.server-lines")["zk-0"] == f"{len(lines)} server lines, one for each member"
    assert of(told, "discovery.resolves")["zk-0"] == f"{len(lines)} names resolve to their pods"
    listed = kubectl(stage, "get", "endpointslices", "-l", "kubernetes.io/service-name=zk-hs", "-o", "json")
    for host in lines:
        pod = host.partition(".")[0]
        address = typed(stage, "zk-0", "getent", "hosts", host).split()[0]
        assert address == kubectl(stage, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
        assert address in listed
        assert of(told, "discovery.endpoints")[pod] == f"{address} is listed"


def test_where_the_data_is(stage: Stage, told: dict[str, Any]) -> None:
    columns = "{.metadata.name}: {.status.phase} {.status.capacity.storage} {.spec.accessModes[0]}"
    rows = f'{{range .items[*]}}{columns}{{"\\n"}}{{end}}'
    claims = kubectl(stage, "get", "pvc", "-l", "app=zk", "-o", f"jsonpath={rows}").splitlines()
    for pod, row in zip(MEMBERS, sorted(claims), strict=True):
        assert of(told, "storage.claims")[pod].startswith(row)
        total = typed(stage, pod, "df", "-Pk", "/var/lib/zookeeper").splitlines()[-1].split()[1]
        assert f" of {int(total) / 1048576:.1f} GiB used (" in of(told, "storage.room")[pod]
        assert of(told, "storage.room")[pod].endswith(" left")
        listed = typed(stage, pod, "ls", "-l", "/var/lib/zookeeper/data/version-2")
        snapshots = len(re.findall(r"snapshot\.[0-9a-f]+$", listed, re.MULTILINE))
        assert of(told, "storage.files")[pod].startswith(f"{snapshots} snapshot")


def test_how_they_are_configured(stage: Stage, told: dict[str, Any]) -> None:
    flags = re.findall(
        r"--(\w+)=\S+", kubectl(stage, "get", "sts", "zk", "-o", "jsonpath={.spec.template.spec.containers[0].command}")
    )
    for pod in MEMBERS:
        keys = [line for line in typed(stage, pod, "cat", "/opt/zookeeper/conf/zoo.cfg").splitlines() if "=" in line]
        assert of(told, "configuration.zoo-cfg")[pod] == f"{len(keys)} keys, the same as the others'"
        running = typed(stage, pod, "sh", "-c", "printf conf | nc 127.0.0.1 2181")
        assert "tickTime=2000" in running
    assert "purge_interval" in flags
    hours = re.search(r"autopurge\.purgeInterval=(\d+)", typed(stage, "zk-0", "cat", "/opt/zookeeper/conf/zoo.cfg"))
    assert hours is not None
    assert of(told, "storage.autopurge")["zk-0"] == f"every {hours[1]} h, all but 3 snapshots"


def test_what_they_log(stage: Stage, told: dict[str, Any]) -> None:
    level = re.search(r'<root level="(\w+)">', typed(stage, "zk-0", "cat", "/opt/zookeeper/conf/logback.xml"))
    assert level is not None
    assert of(told, "logging.level")["zk-0"] == f"logback: root {level[1]}"
    lines = kubectl(stage, "logs", "zk-0", "--tail", "20").splitlines()
    assert 0 < len(lines) <= 20
    assert of(told, "logging.destination")["zk-0"].startswith("ConsoleAppender: for kubectl logs")


def test_as_whom_and_how_they_run(stage: Stage, told: dict[str, Any]) -> None:
    for pod in MEMBERS:
        found = re.match(r"uid=(\S+) gid=(\S+)", typed(stage, pod, "id"))
        assert found is not None
        user, group = (each.replace("(", " (") for each in found.groups())
        assert of(told, "process.user")[pod] == f"user {user}, group {group}, the server too"
        assert "java" in typed(stage, pod, "ps", "-elf")
        first = typed(stage, pod, "ps", "-ef").splitlines()[1].split()
        program = PurePosixPath(first[7]).name
        assert of(told, "process-failure.tree")[pod].startswith(f"{first[1]} {program}, user {first[0]}")
        policy = kubectl(stage, "get", "pod", pod, "-o", "jsonpath={.spec.restartPolicy}")
        assert of(told, "process-failure.restart-policy")[pod] == f"restartPolicy {policy}"
        node = kubectl(stage, "get", "pod", pod, "--template", "{{.spec.nodeName}}")
        assert of(told, "nodes.placement")[pod].partition(",")[0] == node
    listed = kubectl(stage, "rollout", "history", "sts/zk").splitlines()
    numbers = [int(line.split()[0]) for line in listed if line[:1].isdigit()]
    ours = stage.zktui("rollout", "history", "zk", "-o", "json").json()["revisions"]
    assert [revision["revision"] for revision in ours] == numbers


def test_whether_a_maintenance_could_start(stage: Stage, told: dict[str, Any]) -> None:
    allowed = kubectl(stage, "get", "pdb", "zk-pdb", "-o", "jsonpath={.status.disruptionsAllowed}")
    assert f"its budget allows {allowed} disruption" in told["maintenance.start"]["evidence"][0]["message"]


def test_every_line_by_hand_can_be_typed(stage: Stage, told: dict[str, Any]) -> None:
    """In a shell, as it is printed and copied. The dynamic file is the one thing that is not there."""
    program = kubectl_program()
    assert program is not None
    lines = {check["byHand"]: code for code, check in told.items() if check["byHand"]}
    failed: list[str] = []
    for line, code in lines.items():
        if any(words in f"{line} " for words in GOES_ON):
            continue
        script = f'kubectl() {{ {shlex.quote(program)} "$@"; }}\n{line}'
        done = subprocess.run(
            ["bash", "-c", script],
            env=dict(stage.environment()),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0 or not done.stdout:
            failed.append(f"{code}: {line}: {done.stderr}")
    absent = [each for each in failed if each.startswith("configuration.dynamic: ") and "No such file" in each]
    assert failed == absent


def test_the_line_for_a_missing_budget_makes_one(stage: Stage, api: Api) -> None:
    needs_kubectl()
    whole(stage)
    before = api.get(BUDGET)
    api.delete(BUDGET)
    try:
        api.gone(BUDGET)
        ended = stage.zktui("check", "deploy", "-o", "json")
        assert ended.code == 1, ended
        (ensemble,) = ended.json()["ensembles"]
        found = next(check for check in ensemble["checks"] if check["code"] == "deploy.budget")
        assert (found["result"], found["evidence"][0]["message"]) == ("fail", "no budget covers them")
        (line,) = found["patch"]
        command, *words = shlex.split(line)
        assert command == "kubectl"
        assert kubectl(stage, *words) == "poddisruptionbudget.policy/zk-pdb created\n"
        eventually(
            "the budget to count", lambda: api.get(BUDGET).get("status", {}).get("disruptionsAllowed") == 1, 30.0
        )
        assert stage.zktui("check", "deploy").code == 0
    finally:
        api.delete(BUDGET)
        api.gone(BUDGET)
        kept = {key: value for key, value in before["metadata"].items() if key in ("name", "labels", "annotations")}
        api.create(BUDGET.rpartition("/")[0], {**before, "metadata": kept, "status": {}})
        eventually(
            "the budget of before", lambda: api.get(BUDGET).get("status", {}).get("disruptionsAllowed") == 1, 30.0
        )
