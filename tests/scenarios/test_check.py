"""`zktui check`: a healthy ensemble passes; one thing broken on purpose makes exactly its check fail."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import kubectl, whole
from tests.scenarios.stage import Stage, kubectl_program

MYID = "/var/lib/zookeeper/data/myid"
OF_THE_CLUSTER = {
    "nodes.single-zone": "warn",
    "storage.movable": "warn",
    "storage.room": "warn",
    "process-failure.exits": "warn",
}
"""Nodes without zones, volumes that stay on their node, a disk that others fill, servers that another scenario has
ended: no fault of the ensemble's."""
SERVICE = "/api/v1/namespaces/default/services/zk-hs"


def checked(stage: Stage, *chapters: str, code: int = 0) -> dict[str, Any]:
    """Each check by its code, of `zktui check -o json` that ended with this exit code."""
    ended = stage.zktui("check", *chapters, "-o", "json")
    assert ended.code == code, ended
    document = ended.json()
    assert (document["apiVersion"], document["kind"]) == ("zktui/v1", "Check")
    (ensemble,) = document["ensembles"]
    assert (ensemble["namespace"], ensemble["name"]) == ("default", "zk")
    return {check["code"]: check for check in ensemble["checks"]}


def not_passing(checks: dict[str, Any]) -> dict[str, str]:
    return {code: check["result"] for code, check in checks.items() if check["result"] != "pass"}


@pytest.fixture(scope="module")
def healthy(stage: Stage) -> dict[str, Any]:
    """Every check of this cluster while all is well."""
    whole(stage)
    return checked(stage)


@pytest.fixture
def usual(stage: Stage, healthy: dict[str, Any]) -> dict[str, str]:
    """What does not pass even then."""
    whole(stage)
    return not_passing(healthy)


def of(usual: dict[str, str], *chapters: str) -> dict[str, str]:
    """Those whose code begins with one of these words."""
    return {code: result for code, result in usual.items() if code.partition(".")[0] in chapters}


def test_a_healthy_ensemble(healthy: dict[str, Any]) -> None:
    checks = healthy
    assert not_passing(checks).items() <= OF_THE_CLUSTER.items()
    assert {code.partition(".")[0] for code in checks} >= {
        "identity",
        "discovery",
        "storage",
        "configuration",
        "logging",
        "nodes",
        "process-failure",
        "sanity",
    }
    myid = checks["identity.myid"]
    assert [(e["member"], e["message"]) for e in myid["evidence"]] == [
        (f"zk-{n}", f"myid {n + 1}, as the configuration says") for n in range(3)
    ]
    assert "kubectl exec" in myid["byHand"]
    assert myid["patch"] == []


def test_one_chapter_by_name_and_by_number(stage: Stage) -> None:
    whole(stage)
    by_name = checked(stage, "identity")
    assert {code.partition(".")[0] for code in by_name} == {"identity"}
    assert by_name.keys() == checked(stage, "2").keys()


def test_for_people(stage: Stage) -> None:
    whole(stage)
    ended = stage.zktui("check", "identity")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[:5] == [
        "default/zk   4 pass",
        "",
        "2. Identity",
        "  ✓ Host name is the pod's",
        "      zk-0: its host name is zk-0, its ordinal 0",
    ]


def test_no_such_chapter(stage: Stage) -> None:
    ended = stage.zktui("check", "weather")
    assert ended.code == 2
    assert "There is no chapter weather." in ended.err


@contextmanager
def spoiled_myid(api: Api, pod: str) -> Generator[None]:
    saved = f"{MYID}.saved"
    assert api.exec("default", pod, "cp", MYID, saved).code == 0
    try:
        assert api.exec("default", pod, "cp", "/opt/zookeeper/conf/zoo.cfg", MYID).code == 0
        yield
    finally:
        assert api.exec("default", pod, "cp", saved, MYID).code == 0
        assert api.exec("default", pod, "rm", saved).code == 0


def test_a_spoiled_myid(stage: Stage, api: Api, usual: dict[str, str]) -> None:
    with spoiled_myid(api, "zk-1"):
        checks = checked(stage, code=1)
    assert not_passing(checks) == {**usual, "identity.myid": "fail"}
    assert [e["result"] for e in checks["identity.myid"]["evidence"]] == ["pass", "fail", "pass"]
    assert not_passing(checked(stage, "identity")) == {}


def test_a_service_that_hides_members(stage: Stage, api: Api, usual: dict[str, str]) -> None:
    api.patch(SERVICE, {"spec": {"publishNotReadyAddresses": False}})
    try:
        # Ready means serving here, and who is hidden until then may never find the others to serve with.
        checks = checked(stage, code=1)
        hidden = {"discovery.publish-not-ready": "warn", "process-failure.readiness": "fail"}
        assert not_passing(checks) == {**usual, **hidden}
        # The patch that is offered mends it, word for word.
        (line,) = checks["discovery.publish-not-ready"]["patch"]
        command, *words = shlex.split(line)
        assert command == "kubectl"
        if kubectl_program() is not None:
            assert kubectl(stage, *words) == "service/zk-hs patched\n"
            assert not_passing(checked(stage, "discovery", "process-failure")) == of(usual, "process-failure")
    finally:
        api.patch(SERVICE, {"spec": {"publishNotReadyAddresses": True}})


def test_a_file_that_differs_from_its_server(stage: Stage, api: Api) -> None:
    """zoo.cfg of one member taken away: what can't be read is unknown, and the exit code says so. Then it and the
    logging configuration in each other's place."""
    path, logback = "/opt/zookeeper/conf/zoo.cfg", "/opt/zookeeper/conf/logback.xml"
    for file in (path, logback):
        assert api.exec("default", "zk-2", "cp", file, f"{file}.saved").code == 0
    try:
        assert api.exec("default", "zk-2", "rm", path).code == 0
        checks = checked(stage, "configuration", code=3)
        assert not_passing(checks) == {
            "configuration.zoo-cfg": "unknown",
            "configuration.flags": "unknown",
            "configuration.in-effect": "unknown",
        }
        assert api.exec("default", "zk-2", "cp", logback, path).code == 0
        assert api.exec("default", "zk-2", "cp", f"{path}.saved", logback).code == 0
        checks = checked(stage, "configuration", "logging", code=1)
        found = not_passing(checks)
        assert found["configuration.zoo-cfg"] == found["configuration.flags"] == "fail"
        assert found["logging.level"] == found["logging.destination"] == "warn"
        assert [e["message"] for e in checks["logging.level"]["evidence"]] == [
            "logback: root INFO",
            "logback: root INFO",
            "logback: root not set",
        ]
    finally:
        for file in (path, logback):
            assert api.exec("default", "zk-2", "cp", f"{file}.saved", file).code == 0
            assert api.exec("default", "zk-2", "rm", f"{file}.saved").code == 0
    assert not_passing(checked(stage, "configuration", "logging")) == {}


def test_a_cordon_takes_the_spare_node(stage: Stage, api: Api, usual: dict[str, str]) -> None:
    ensemble = whole(stage)
    taken = {member["node"] for member in ensemble["members"]}
    names = [n["metadata"]["name"] for n in api.get("/api/v1/nodes")["items"]]
    free = [name for name in names if name not in taken]
    try:
        for name in free:
            api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
        assert not_passing(checked(stage, "node")) == {
            **of(usual, "nodes"),
            "nodes.spare": "warn",
        }
    finally:
        for name in free:
            api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}})
