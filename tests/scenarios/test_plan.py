"""Planning for the day after: which nodes, what it will cost, what has to be accepted, and what a cordon carries."""

from __future__ import annotations

from typing import Any

from tests.scenarios.api import Api
from tests.scenarios.play import nodes, whole
from tests.scenarios.stage import Stage, eventually

BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
BUDGET = f"{BUDGETS}/zk-pdb"
SHORT = ("--dwell", "2s")


def test_the_nodes_that_carry_the_ensemble_are_planned_to_the_last_step(stage: Stage) -> None:
    before = whole(stage)
    ended = stage.zktui("maintain", "--ensemble-nodes", "--plan", "-o", "json")
    assert ended.code == 0, ended
    plan = ended.json()
    leader = next(m for m in before["members"] if m["role"] == "leader")
    names = [node["name"] for node in plan["nodes"]]
    assert set(names) == {"node-1", "node-2", "node-3", "node-4"}, "the first member that goes has only the empty node"
    assert names[0] not in {member["node"] for member in before["members"]}
    assert plan["nodes"][-1]["name"] == leader["node"]
    assert (plan["evictions"], plan["elections"]) == (3, 1)
    moves = [s for s in plan["steps"] if s["member"]]
    assert [(s["action"], s["allowedBefore"], s["allowedAfter"], s["servingVoters"]) for s in moves] == [
        ("evict", 1, 0, 2),
        ("return", 0, 1, 3),
    ] * 3
    assert plan["clientGapSeconds"] > 0 and plan["shortestSessionTimeoutSeconds"] == 4.0, "min_session_timeout=4000"
    for node in plan["nodes"]:
        for member in node["members"]:
            assert member["connections"] >= 1, "the connection that asks is one"
            assert isinstance(member["watches"], int) and isinstance(member["ephemerals"], int)
            assert {gate["standing"] for gate in member["gates"]} <= {"ok", "waiting"}
    whole(stage)


def test_nodes_by_label_are_joined_with_those_named_and_all_of_it_is_explained(stage: Stage) -> None:
    ended = stage.zktui("maintain", "node-1", "-l", "kubernetes.io/hostname in (node-2,node-3)", "--plan", "--explain")
    assert ended.code == 0, ended
    for said in ("3 nodes in this order", "gates as of now:", "Step by step, as simulated:", "anti-affinity keeps"):
        assert said in ended.out
    none = stage.zktui("maintain", "-l", "zone=moon", "--plan")
    assert none.code == 3 and "No node has the labels zone=moon" in none.err


def test_an_ensemble_without_a_budget_is_moved_only_once_that_is_accepted(stage: Stage, api: Api) -> None:
    kept = api.get(BUDGET)
    member = next(m for m in whole(stage)["members"] if m["role"] == "follower")
    api.delete(BUDGET)
    try:
        plan = stage.zktui("maintain", member["node"], "--plan", "-o", "json")
        assert plan.code == 3 and plan.json()["unacknowledged"] == ["no-budget"]
        refused = stage.zktui("maintain", member["node"], "--yes", *SHORT)
        assert refused.code == 3 and "--acknowledge no-budget" in refused.err
        assert whole(stage)["members"] and nodes(stage)[member["node"]]["unschedulable"] is False
        accepted = stage.zktui("maintain", member["node"], "--yes", *SHORT, "--acknowledge", "no-budget")
        assert accepted.code == 0, accepted
    finally:
        made = {**kept, "metadata": {"name": "zk-pdb", "namespace": "default"}, "status": {}}
        api.create(BUDGETS, made)
        eventually("the budget to allow one", lambda: api.get(BUDGET)["status"].get("disruptionsAllowed") == 1)
    whole(stage)


def test_a_member_that_two_budgets_cover_is_refused_in_the_review(stage: Stage, api: Api) -> None:
    """The server would answer each eviction with 500."""
    before = whole(stage)
    member = next(m for m in before["members"] if m["role"] == "follower")
    spec = api.get(BUDGET)["spec"]
    api.create(BUDGETS, {"metadata": {"name": "another"}, "spec": spec})
    try:
        plan = stage.zktui("maintain", member["node"], "--plan", "-o", "json")
        assert plan.code == 3 and plan.json()["go"] is False
        (planned,) = plan.json()["nodes"][0]["members"]
        assert "two-budgets" in [finding["code"] for finding in planned["findings"]]
        refused = stage.zktui("maintain", member["node"], "--yes", *SHORT)
        assert refused.code == 3 and "covered by more than one budget" in refused.out
    finally:
        api.delete(f"{BUDGETS}/another")
        api.gone(f"{BUDGETS}/another")
    eventually("the budget to allow one", lambda: api.get(BUDGET)["status"].get("disruptionsAllowed") == 1)
    assert [m["uid"] for m in whole(stage)["members"]] == [m["uid"] for m in before["members"]]


def test_a_cordon_carries_the_run_and_autoscalers_are_asked_to_wait(stage: Stage, api: Api) -> None:
    used = {m["node"] for m in whole(stage)["members"]}
    empty = next(n for n in ("node-1", "node-2", "node-3", "node-4") if n not in used)
    path = f"/api/v1/nodes/{empty}"
    theirs = {"cluster-autoscaler.kubernetes.io/scale-down-disabled": "false"}
    api.patch(path, {"metadata": {"annotations": theirs}})
    left = stage.zktui("maintain", empty, "--yes", *SHORT, "--keep-node", "--hold", "leave", "-o", "jsonl")
    try:
        assert left.code == 0, left
        told = carried_by(api, path)
        runs = list((stage.folder / "state" / "zktui" / "runs").glob("*.jsonl"))
        assert told["zktui/run"] in {run.stem for run in runs}
        assert told["karpenter.sh/do-not-disrupt"] == "true"
        assert told["cluster-autoscaler.kubernetes.io/scale-down-disabled"] == "true"
        plan = stage.zktui("maintain", empty, "--plan", "-o", "json").json()
        cordoned = next(f for f in plan["nodes"][0]["findings"] if f["code"] == "was-cordoned")
        assert told["zktui/run"] in cordoned["message"]
    finally:
        api.patch(path, {"spec": {"unschedulable": None}})
        gone = ("zktui/run", "zktui/kept", "karpenter.sh/do-not-disrupt", *theirs)
        api.patch(path, {"metadata": {"annotations": dict.fromkeys(gone)}})

    held = stage.zktui("maintain", empty, "--yes", *SHORT, "--keep-node", "-o", "jsonl")
    assert held.code == 0, held
    assert not any(key.startswith(("zktui/", "karpenter.sh/")) for key in carried_by(api, path)), "put back"
    whole(stage)


def carried_by(api: Api, path: str) -> dict[str, Any]:
    return api.get(path)["metadata"].get("annotations") or {}


def test_the_plan_document_is_one_line_in_json_lines(stage: Stage) -> None:
    ended = stage.zktui("maintain", "--ensemble-nodes", "--plan", "-o", "jsonl")
    assert [line["kind"] for line in ended.documents()] == ["Plan"]
