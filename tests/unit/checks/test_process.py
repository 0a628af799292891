from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.inventories import DENIED, NAMES, PS, check_of, healthy, ran, results, with_command
from tests.unit.core.facts import report
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Check, Result
from zktui.checks.process import process
from zktui.core.zookeeper import Member, Mode

OWN = "drwxrwsr-x 4 zookeeper zookeeper 4096 Nov 23 20:00 /var/lib/zookeeper/data\n"
RESOURCES = {"requests": {"cpu": "500m", "memory": "1Gi"}}
ALL = dict.fromkeys(NAMES, Result.PASS)


def pod_document(resources: Mapping[str, Any] | None = None, **security: Any) -> dict[str, Any]:
    fields = security or {"runAsUser": 1000, "runAsNonRoot": True, "fsGroup": 1000}
    container = {"name": "zookeeper", "resources": RESOURCES if resources is None else resources}
    return {"spec": {"containers": [container], "securityContext": fields}, "status": {"qosClass": "Burstable"}}


def statefulset(kind: str = "RollingUpdate", policy: str = "Parallel", **rolling: Any) -> dict[str, Any]:
    strategy = {"type": kind, "rollingUpdate": rolling}
    return {
        "spec": {"updateStrategy": strategy, "podManagementPolicy": policy},
        "status": {"updateRevision": "zk-new", "currentRevision": "zk-new"},
    }


def well(leader: str = "zk-2", **changes: Any) -> Inventory:
    inventory = with_command(healthy(), "data-folder", ran(OWN))
    pods = tuple(replace(p, labels={**p.labels, "controller-revision-hash": "zk-new"}) for p in inventory.pods)
    modes = {p.name: Mode.LEADER if p.name == leader else Mode.FOLLOWER for p in pods}
    fields: dict[str, Any] = {
        "pods": pods,
        "members": tuple(Member(p, report(p.key, modes[p.name])) for p in pods),
        "pod_documents": {name: pod_document() for name in NAMES},
        "statefulset": Known(statefulset(), ""),
        **changes,
    }
    return replace(inventory, **fields)


def of(inventory: Inventory, name: str) -> Check:
    return check_of(process, inventory, f"process.{name}")


def with_pods(document: Mapping[str, Any]) -> Inventory:
    return well(pod_documents=dict.fromkeys(NAMES, document))


def test_a_healthy_ensemble_passes() -> None:
    assert {c.code: c.result for c in process(well())} == {
        f"process.{name}": Result.PASS for name in ("user", "group", "resources", "heap", "update", "strategy")
    }


def test_nothing_is_known_of_what_was_not_read() -> None:
    inventory = replace(healthy(), statefulset=Known(None, "not permitted"), pod_documents={})
    for name in ("id", "processes", "data-folder"):
        inventory = with_command(inventory, name, DENIED)
    assert {c.result for c in process(inventory)} == {Result.UNKNOWN}


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("zookeep+", "user 1000 (zookeeper), group 1000 (zookeeper), the server too"),
        ("1000", "user 1000 (zookeeper), group 1000 (zookeeper), the server too"),
        ("nobody", "user 1000 (zookeeper), group 1000 (zookeeper), the server as nobody"),
    ],
)
def test_user_and_group(shown: str, words: str) -> None:
    listed = PS.replace("zookeep+ ", f"{shown:<9}")
    assert of(with_command(well(), "processes", ran(listed)), "user").evidence[0].text == words


def test_root_fails() -> None:
    found = of(with_command(well(), "id", ran("uid=0(root) gid=0(root) groups=0(root)\n"), ("zk-1",)), "user")
    assert results(found) == {**ALL, "zk-1": Result.FAIL}
    assert "runAsNonRoot" in found.patch[0]


def test_a_server_that_runs_as_root_beside_another_user_fails() -> None:
    as_root = PS.replace("zookeep+       1", "root           1")
    assert results(of(with_command(well(), "processes", ran(as_root), ("zk-0",)), "user"))["zk-0"] is Result.FAIL


def test_a_user_of_the_image_s_own_choice_is_warned_of() -> None:
    found = of(with_pods(pod_document(fsGroup=1000)), "user")
    assert set(results(found).values()) == {Result.WARN}
    assert "by the image's own choice" in found.evidence[0].text


@pytest.mark.parametrize(
    ("folder", "result"),
    [
        (OWN, Result.PASS),
        ("drwxrwsr-x 4 root zookeeper 4096 Nov 23 20:00 /data", Result.PASS),
        ("drwxrwsr-x. 4 root 1000 4096 Nov 23 20:00 /data", Result.PASS),
        ("drwxr-xr-x 4 root root 4096 Nov 23 20:00 /data", Result.FAIL),
        ("drwxr-sr-x 4 root zookeeper 4096 Nov 23 20:00 /data", Result.FAIL),
        ("drwxrwxrwx 4 root root 4096 Nov 23 20:00 /data", Result.WARN),
        ("ls: cannot understand", Result.UNKNOWN),
    ],
)
def test_who_may_write_to_the_data_folder(folder: str, result: Result) -> None:
    assert results(of(with_command(well(), "data-folder", ran(folder), ("zk-0",)), "group"))["zk-0"] is result


def test_no_requests_are_warned_of_with_the_lines_that_mend_it() -> None:
    found = of(with_pods(pod_document(resources={})), "resources")
    assert set(results(found).values()) == {Result.WARN}
    assert found.patch == (
        "kubectl -n default set resources statefulset zk -c zookeeper --requests=cpu=500m,memory=1Gi",
    )
    assert "requests none, limits none, Burstable" in found.evidence[0].text


@pytest.mark.parametrize(
    ("memory", "xmx", "result"),
    [
        ({"requests": {"memory": "1Gi"}}, "-Xmx512m", Result.PASS),
        ({"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}, "-Xmx1g", Result.PASS),
        ({"limits": {"memory": "1Gi"}}, "-Xmx1g", Result.FAIL),
        ({"limits": {"memory": "1Gi"}}, "-Xmx900m", Result.WARN),
        ({"requests": {"memory": "512Mi"}}, "-Xmx1g", Result.WARN),
        ({}, "-Xmx512m", Result.WARN),
        ({"limits": {"memory": "1Gi"}}, "", Result.WARN),
    ],
)
def test_whether_the_heap_fits(memory: dict[str, Any], xmx: str, result: Result) -> None:
    listed = PS.replace("-Xmx512m", xmx)
    found = of(with_command(with_pods(pod_document(memory)), "processes", ran(listed)), "heap")
    assert set(results(found).values()) == {result}


def test_a_process_that_can_t_be_seen_is_judged_by_its_command() -> None:
    document = pod_document({"limits": {"memory": "512Mi"}})
    document["spec"]["containers"][0]["command"] = ["sh", "-c", "exec start-zookeeper --heap=512M"]
    found = of(with_command(with_pods(document), "processes", DENIED), "heap")
    assert set(results(found).values()) == {Result.FAIL}


def test_a_member_on_an_old_template_is_warned_of() -> None:
    inventory = well()
    old = replace(inventory.pods[1], labels={"controller-revision-hash": "zk-old"})
    found = of(replace(inventory, pods=(inventory.pods[0], old, inventory.pods[2])), "update")
    assert results(found) == {"": Result.PASS, **ALL, "zk-1": Result.WARN}


def test_a_partition_is_warned_of() -> None:
    found = of(well(statefulset=Known(statefulset(partition=2), "")), "update")
    assert results(found)[""] is Result.WARN
    assert "held below ordinal 2" in found.evidence[0].text


@pytest.mark.parametrize(
    ("document", "leader", "result", "words"),
    [
        (statefulset(), "zk-0", Result.PASS, "goes last"),
        (statefulset(), "zk-2", Result.PASS, "does not go last"),
        (statefulset("OnDelete"), "zk-2", Result.PASS, "takes the leader last"),
        (statefulset(maxUnavailable=2), "zk-0", Result.FAIL, "several members go at once"),
        (statefulset(policy="OrderedReady"), "zk-0", Result.PASS, "goes last"),
        (statefulset(), "none", Result.UNKNOWN, "no member leads"),
    ],
)
def test_what_an_update_does_to_the_leader(document: Any, leader: str, result: Result, words: str) -> None:
    found = of(well(leader, statefulset=Known(document, "")), "strategy")
    assert found.result is result
    assert any(words in e.text for e in found.evidence)


@pytest.mark.parametrize(
    ("memory", "result", "words"),
    [
        ({"limits": {"memory": "1Gi"}}, Result.PASS, "heap 716 MiB, limit 1Gi"),
        ({"limits": {"memory": "1Gi"}, "requests": {"memory": "1Gi"}}, Result.PASS, "heap 716 MiB, limit 1Gi"),
        (RESOURCES, Result.WARN, "the JVM takes up to 70% of the node's memory: there is no limit"),
    ],
)
def test_a_heap_that_is_a_share_of_the_memory(memory: dict[str, Any], result: Result, words: str) -> None:
    share = PS.replace("-Xmx512m", "-XX:MaxRAMPercentage=70")
    found = of(with_command(with_pods(pod_document(memory)), "processes", ran(share)), "heap")
    assert (found.evidence[1].result, found.evidence[1].text) == (result, words)
