"""The tutorial's first chapter: an ensemble made by `zktui deploy`, in a namespace of its own, and made again."""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import kubectl, whole
from tests.scenarios.stage import CLUSTER, Ended, Stage, eventually

TUTORIAL = Path(__file__).parents[2] / "manifests" / "tutorial-3.4.yaml"
OBJECTS = (
    "service/zk-hs",
    "service/zk-cs",
    "poddisruptionbudget.policy/zk-pdb",
    "configmap/zk-scripts",
    "statefulset.apps/zk",
)
SMALL = ("--cpu", "100m", "--memory", "640Mi")
"""Beside the ensemble of the other scenarios, on the same nodes."""


@pytest.fixture
def space(stage: Stage, api: Api) -> Generator[str]:
    """A namespace with nothing in it, and disks for three members where the cluster makes none by itself."""
    name = f"tut-{uuid.uuid4().hex[:6]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    disks = _disks(stage, api, name) if CLUSTER == "real" else []
    try:
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        if CLUSTER == "real":  # pods are refused until there is one
            eventually("a ServiceAccount", lambda: api.send("GET", account).code == 200)
        yield name
    finally:
        api.delete(f"/api/v1/namespaces/{name}")
        api.gone(f"/api/v1/namespaces/{name}", 120.0)
        for disk in disks:
            api.delete(f"/api/v1/persistentvolumes/{disk}")


def _disks(stage: Stage, api: Api, space: str) -> list[str]:
    from tests.e2e.stage import RealStage
    from tests.e2e.volumes import volume

    assert isinstance(stage, RealStage)
    made = [volume(stage.cluster.folder / "disks", space, f"datadir-zk-{number}") for number in range(3)]
    return [api.create("/api/v1/persistentvolumes", disk)["metadata"]["name"] for disk in made]


def deploy(stage: Stage, space: str, *options: str, code: int = 0) -> Ended:
    ended = stage.zktui("deploy", "-n", space, *options)
    assert ended.code == code, ended
    return ended


def lines(ended: Ended, *words: str) -> list[str]:
    """Those of standard output that end with one of the words."""
    return [line for line in ended.out.splitlines() if line.split()[-1:] and line.split()[-1] in words]


def uids(api: Api, space: str) -> dict[str, str]:
    items = api.get(f"/api/v1/namespaces/{space}/pods")["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


@pytest.mark.timeout(500)
def test_deployed_watched_and_deployed_again(stage: Stage, api: Api, space: str) -> None:
    before = whole(stage)
    shown = deploy(stage, space, "--diff", *SMALL)
    assert [line for line in shown.out.splitlines() if line.startswith("+")] == [f"+ {name}" for name in OBJECTS]
    assert "runAsNonRoot: true" in shown.out
    assert uids(api, space) == {}

    assert deploy(stage, space, *SMALL, code=2).err.startswith("zktui: There is no terminal to ask.")
    assert uids(api, space) == {}

    made = deploy(stage, space, *SMALL, "--yes")
    assert lines(made, "created") == [f"{name} created" for name in OBJECTS]
    assert re.search(r"^\d\d:\d\d:\d\d  zk-2  0/1  \w+", made.out, re.MULTILINE)
    assert re.search(r"^zk is in quorum: 3 members, leader zk-\d\.$", made.out.splitlines()[-1])
    members = uids(api, space)
    assert sorted(members) == ["zk-0", "zk-1", "zk-2"]

    again = deploy(stage, space, *SMALL, "--yes")
    assert lines(again, "unchanged") == [f"{name} unchanged" for name in OBJECTS]
    assert uids(api, space) == members
    checked = stage.zktui("check", "deploy", "-n", space, "-o", "json")
    assert checked.code == 0, checked
    (ensemble,) = checked.json()["ensembles"]
    assert {check["code"]: check["result"] for check in ensemble["checks"]} == {
        f"deploy.{name}": "pass" for name in ("members", "services", "budget", "management")
    }

    _another_s_field(stage, api, space)
    _another_size(stage, space)
    _another_template(stage, api, space)
    assert {m["pod"]: m["uid"] for m in whole(stage)["members"]} == {m["pod"]: m["uid"] for m in before["members"]}


def _another_s_field(stage: Stage, api: Api, space: str) -> None:
    """A field that somebody else has set otherwise is named with them, and taken only by force."""
    path = f"/apis/policy/v1/namespaces/{space}/poddisruptionbudgets/zk-pdb"
    api.patch(f"{path}?fieldManager=somebody", {"spec": {"maxUnavailable": 2}})
    refused = deploy(stage, space, *SMALL, "--yes", code=3)
    assert '.spec.maxUnavailable is set otherwise by "somebody" using policy/v1' in refused.out
    assert "Nothing was changed." in refused.err
    document = deploy(stage, space, *SMALL, "--diff", "-o", "json", code=3).json()
    assert document["result"] == "refused"
    (conflict,) = next(o for o in document["objects"] if o["object"].endswith("zk-pdb"))["conflicts"]
    assert conflict == {"manager": '"somebody" using policy/v1', "field": ".spec.maxUnavailable"}
    assert api.get(path)["spec"]["maxUnavailable"] == 2
    taken = deploy(stage, space, *SMALL, "--yes", "--force")
    assert lines(taken, "configured") == ["poddisruptionbudget.policy/zk-pdb configured"]
    assert "    .spec.maxUnavailable: 2 -> 1" in taken.out.splitlines()
    assert api.get(path)["spec"]["maxUnavailable"] == 1


def _another_size(stage: Stage, space: str) -> None:
    refused = deploy(stage, space, *SMALL, "--members", "5", "--yes", code=3)
    assert "zk has 3 members, not 5" in refused.err


def _another_template(stage: Stage, api: Api, space: str) -> None:
    """It is rolled out member by member."""
    before = uids(api, space)
    more = ("--cpu", "120m", "--memory", "640Mi")
    shown = deploy(stage, space, *more, "--diff")
    assert "~ statefulset.apps/zk   (its members are replaced)" in shown.out.splitlines()
    container = '.spec.template.spec.containers[name="kubernetes-zookeeper"]'
    assert f"    {container}.resources.requests.cpu: 100m -> 120m" in shown.out.splitlines()
    document = deploy(stage, space, *more, "--yes", "--dwell", "2s", "-o", "json").json()
    assert (document["result"], document["rollout"]["replaced"]) == ("done", ["zk-2", "zk-1", "zk-0"])
    after = uids(api, space)
    assert not set(before.values()) & set(after.values())
    found = api.get(f"/apis/apps/v1/namespaces/{space}/statefulsets/zk")
    assert found["spec"]["updateStrategy"] == {"type": "RollingUpdate"}, "as the manifest has it"
    assert "zktui/partition" not in found["metadata"].get("annotations", {})


def test_what_keeps_it_from_quorum_is_told(stage: Stage, space: str) -> None:
    """Its name's claims have no disks made for them, on any cluster."""
    none = ("--name", "zoo", "--members", "1", "--storage-class", "nowhere")
    ended = deploy(stage, space, *none, "--timeout", "15s", "--yes", code=3)
    assert "waits for zoo-0: " in ended.err
    assert "unbound immediate PersistentVolumeClaims" in ended.err
    assert "Not in quorum after 15 s. What was applied stays" in ended.err


def test_not_into_a_namespace_that_is_not_there(stage: Stage) -> None:
    ended = stage.zktui("deploy", "-n", "nowhere", "--yes")
    assert ended.code == 3, ended
    assert 'namespaces "nowhere" not found' in ended.out + ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--name", "My Zoo"), "'My Zoo' is no name"),
        (("--members", "4"), "an even one adds a member and no tolerance"),
        (("--size", "10"), "'10' is too small for a volume"),
        (("--heap", "2G"), "does not fit the 1Gi of memory"),
    ],
)
def test_what_can_not_be_is_refused_in_words(stage: Stage, options: tuple[str, ...], said: str) -> None:
    """Before the server is asked."""
    ended = deploy(stage, "nowhere", *options, "--yes", code=2)
    assert said in ended.err
    assert ended.out == ""


@pytest.mark.timeout(400)
def test_the_tutorial_s_own_manifest(stage: Stage, api: Api, space: str) -> None:
    """Its image can't be had everywhere: real servers are asked whether they would take it."""
    four = [name for name in OBJECTS if not name.startswith("configmap")]
    said = kubectl(stage, "apply", "-n", space, "--dry-run=server", "-f", str(TUTORIAL)).splitlines()
    assert said == [f"{name} created (server dry run)" for name in four]
    shown = deploy(stage, space, "--tutorial", "--diff")
    assert [line for line in shown.out.splitlines() if line.startswith("+")] == [f"+ {name}" for name in four]
    if CLUSTER != "embedded":
        return
    made = deploy(stage, space, "--tutorial", "--yes")
    assert lines(made, "created") == [f"{name} created" for name in four]
    assert made.out.splitlines()[-1].startswith("zk is in quorum: 3 members")
    ended = stage.zktui("check", "1", "2", "3", "6", "7", "9", "-n", space, "-o", "json")
    assert ended.code == 0, ended
    (ensemble,) = ended.json()["ensembles"]
    found: dict[str, Any] = {check["code"]: check["result"] for check in ensemble["checks"]}
    # What manifests/zookeeper.yaml does otherwise, and nothing else.
    assert {code: result for code, result in found.items() if result != "pass"} == {
        "deploy.management": "warn",
        "discovery.publish-not-ready": "warn",
        "discovery.dns-cache": "warn",
        "process-failure.readiness": "warn",
        "process-failure.startup": "warn",
        "process-failure.question": "warn",
        "process-failure.tree": "warn",
    }
    born = [item["metadata"] for item in api.get(f"/api/v1/namespaces/{space}/pods")["items"]]
    assert [m["name"] for m in sorted(born, key=lambda m: m["creationTimestamp"])] == ["zk-0", "zk-1", "zk-2"]
