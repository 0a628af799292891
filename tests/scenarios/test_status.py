"""`zktui status` against what the cluster itself says."""

from __future__ import annotations

import json

from tests.scenarios.play import needs_kubectl
from tests.scenarios.stage import Stage


def test_every_member_with_its_role(stage: Stage) -> None:
    ended = stage.zktui("status", "-o", "json")
    assert ended.code == 0
    document = ended.json()
    (ensemble,) = document["ensembles"]
    assert (ensemble["namespace"], ensemble["name"]) == ("default", "zk")
    roles = sorted(m["role"] for m in ensemble["members"])
    assert roles == ["follower", "follower", "leader"]
    assert [m["pod"] for m in ensemble["members"]] == ["zk-0", "zk-1", "zk-2"]
    assert [m["myid"] for m in ensemble["members"]] == [1, 2, 3]
    assert len({m["uid"] for m in ensemble["members"]}) == 3
    assert len({m["node"] for m in ensemble["members"]}) == 3
    assert all(m["ready"] and m["zxid"].startswith("0x") and m["source"] for m in ensemble["members"])
    assert ensemble["leader"] == next(m["pod"] for m in ensemble["members"] if m["role"] == "leader")
    assert ensemble["quorum"]["health"] == "quorum"
    assert (ensemble["quorum"]["voters"], ensemble["quorum"]["serving"], ensemble["quorum"]["canLose"]) == (3, 3, 1)
    (budget,) = ensemble["budgets"]
    assert (budget["name"], budget["disruptionsAllowed"]) == ("zk-pdb", 1)
    assert (budget["currentHealthy"], budget["desiredHealthy"], budget["expectedPods"]) == (3, 2, 3)
    assert [n["name"] for n in document["nodes"]] == ["node-1", "node-2", "node-3", "node-4"]
    assert document["stale"] == []


def test_kubectl_says_the_same(stage: Stage) -> None:
    needs_kubectl()
    pods = {p["metadata"]["name"]: p for p in json.loads(stage.kubectl("get", "pods", "-o", "json").out)["items"]}
    for member in stage.status()["members"]:
        pod = pods[member["pod"]]
        assert (pod["metadata"]["uid"], pod["spec"]["nodeName"]) == (member["uid"], member["node"])
    budget = json.loads(stage.kubectl("get", "pdb", "zk-pdb", "-o", "json").out)["status"]
    (ours,) = stage.status()["budgets"]
    for key in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        assert budget[key] == ours[key]


def test_for_people(stage: Stage) -> None:
    ended = stage.zktui("status")
    assert ended.code == 0
    assert "default/zk   quorum, 3/3 voters serve, can lose 1 more member" in ended.out
    assert "zk-pdb allows 1 (3 healthy, 2 needed, 3 expected)" in ended.out
    assert ended.err == ""


def test_flags_stand_before_or_after_the_command(stage: Stage) -> None:
    before = stage.zktui("--all-namespaces", "status", "-o", "json").json()
    after = stage.zktui("status", "--all-namespaces", "-o", "json").json()
    assert [e["name"] for e in before["ensembles"]] == [e["name"] for e in after["ensembles"]] == ["zk"]


def test_headless_commands_load_no_textual(stage: Stage) -> None:
    ended = stage.zktui("status", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in ended.err.splitlines()}
    assert "zktui.headless.status" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("textual", "aiohttp", "rich")}
    ended = stage.zktui("maintain", "node-4", "--plan", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in ended.err.splitlines()}
    assert "zktui.maintenance.machine" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("textual", "aiohttp", "rich")}
