"""The tutorial's "Tolerating Node Failure" and "Surviving Maintenance", as zktui checks them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.scenarios.api import Api
from tests.scenarios.play import PODS, whole
from tests.scenarios.stage import Stage

ZONE = "topology.kubernetes.io/zone"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"


def checks(stage: Stage, chapter: str, code: int = 0) -> dict[str, Any]:
    """Each check of one chapter, by its code without the first word."""
    ended = stage.zktui("check", chapter, "-o", "json")
    assert ended.code == code, ended
    (ensemble,) = ended.json()["ensembles"]
    return {check["code"].partition(".")[2]: check for check in ensemble["checks"]}


def said(check: Any) -> list[str]:
    return [seen["message"] for seen in check["evidence"]]


@contextmanager
def nodes_with(api: Api, part: str, fields: Mapping[str, Mapping[str, Any]]) -> Generator[None]:
    """Nodes by name with these fields of `metadata.labels` or `spec`; afterwards as they were."""

    def patch(name: str, values: Mapping[str, Any]) -> None:
        body = {"metadata": {"labels": values}} if part == "labels" else {"spec": values}
        api.patch(f"/api/v1/nodes/{name}", body)

    before: dict[str, dict[str, Any]] = {}
    for name, values in fields.items():
        node = api.get(f"/api/v1/nodes/{name}")
        had: Mapping[str, Any] = node["metadata"].get("labels", {}) if part == "labels" else node["spec"]
        before[name] = {key: had.get(key) for key in values}
    try:
        for name, values in fields.items():
            patch(name, values)
        yield
    finally:
        for name, values in before.items():
            patch(name, values)


def homes(stage: Stage) -> dict[str, str]:
    """Node of each member, by its pod's name."""
    return {member["pod"]: member["node"] for member in whole(stage)["members"]}


def spares(api: Api, taken: Mapping[str, str]) -> list[str]:
    named = [node["metadata"]["name"] for node in api.get("/api/v1/nodes")["items"]]
    return [name for name in named if name not in taken.values()]


def test_which_member_is_on_which_node_and_what_keeps_them_apart(stage: Stage, api: Api) -> None:
    home = homes(stage)
    found = checks(stage, "node-failure")
    placement = {seen["member"]: seen["message"] for seen in found["placement"]["evidence"]}
    told = {p["metadata"]["name"]: p["spec"]["nodeName"] for p in api.get(f"{PODS}?labelSelector=app%3Dzk")["items"]}
    assert home == told
    assert {pod: message.partition(",")[0] for pod, message in placement.items()} == told
    assert found["anti-affinity"]["result"] == "pass"
    assert said(found["anti-affinity"]) == ["required: no two members on one node, and one that finds none waits"]
    assert sorted(said(found["single-node"])) == sorted(
        f"without node {node} ({pod}) 2 of 3 voters are left, 2 are enough" for pod, node in home.items()
    )


def test_a_zone_that_would_take_quorum(stage: Stage, api: Api) -> None:
    home = homes(stage)
    one = {node: {ZONE: "east" if pod != "zk-2" else "west"} for pod, node in home.items()}
    with nodes_with(api, "labels", one):
        found = checks(stage, "node-failure")
        assert found["single-zone"]["result"] == "warn"
        assert said(found["single-zone"]) == [
            "without zone east (zk-0, zk-1) 1 of 3 voters are left; 2 are needed",
            "without zone west (zk-2) 2 of 3 voters are left, 2 are enough",
        ]
        assert f"{home['zk-2']}, zone west" in said(found["placement"])
    three = {node: {ZONE: f"zone-{pod}"} for pod, node in home.items()}
    with nodes_with(api, "labels", three):
        assert checks(stage, "node-failure")["single-zone"]["result"] == "pass"


def test_a_maintenance_could_start_and_where(stage: Stage, api: Api) -> None:
    home = homes(stage)
    found = checks(stage, "maintenance")
    assert found["start"]["result"] == "pass"
    assert "its budget allows 1 disruption" in said(found["start"])[0]
    # The same order, and the same landings, as the maintenance itself would tell.
    plan = stage.zktui("maintain", *home.values(), "--ignore-daemonsets", "--plan", "-o", "json").json()
    order = [node["name"] for node in plan["nodes"]]
    first, *each = said(found["order"])
    assert first.startswith(f"{order[0]} first: zktui maintain {order[0]}")
    members = {member["pod"]: member["landing"] for node in plan["nodes"] for member in node["members"]}
    assert each == [
        f"{number}. {node}: lands on {', '.join(members[pod])}"
        for number, node in enumerate(order, 1)
        for pod in (next(name for name, where in home.items() if where == node),)
    ]


def test_nowhere_to_land_and_then_two_budgets(stage: Stage, api: Api) -> None:
    home = homes(stage)
    with nodes_with(api, "spec", {name: {"unschedulable": True} for name in spares(api, home)}):
        found = checks(stage, "maintenance")
        assert found["order"]["result"] == "warn"
        # Only the first has no node that is free; the others move to the one before.
        assert "nowhere to land" in said(found["order"])[1]
    budget = api.get(f"{BUDGETS}/zk-pdb")
    second = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "another"},
        "spec": {"maxUnavailable": 1, "selector": budget["spec"]["selector"]},
    }
    api.create(BUDGETS, second)
    try:
        found = checks(stage, "maintenance", code=1)
        assert found["start"]["result"] == found["order"]["result"] == "fail"
        assert said(found["order"])[0] == "no node can be drained now"
        assert "let one budget cover it" in found["order"]["advice"]
    finally:
        api.delete(f"{BUDGETS}/another")
    assert checks(stage, "maintenance")["start"]["result"] == "pass"
