"""What most scenarios look at and wait for: the ensemble as zktui tells it, and whether all of it is well."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.stage import Stage, eventually, kubectl_program

MANIFEST = Path(__file__).parents[2] / "manifests" / "zookeeper.yaml"
PODS = "/api/v1/namespaces/default/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
STATEFUL_SET = "/apis/apps/v1/namespaces/default/statefulsets/zk"


def by_name(ensemble: Any) -> dict[str, Any]:
    return {member["pod"]: member for member in ensemble["members"]}


def nodes(stage: Stage) -> dict[str, Any]:
    return {node["name"]: node for node in stage.zktui("status", "-o", "json").json()["nodes"]}


def serving(stage: Stage, deadline: float = 90.0) -> Any:
    """The ensemble once all three members serve and are Ready, whatever is cordoned."""
    return _well(stage, deadline)["ensembles"][0]


def whole(stage: Stage) -> Any:
    """The ensemble once all of it serves and no node is cordoned: what every scenario must leave behind."""
    document = _well(stage, 90.0)
    assert not [node["name"] for node in document["nodes"] if node["unschedulable"]], "a cordon was left behind"
    return document["ensembles"][0]


def restore(stage: Stage) -> None:
    """What can be put back after a scenario that failed: no cordon, no maintenance under way, three serving members.

    Leaves it to the next scenario to say that this was not enough.
    """
    api = Api(stage.kubeconfig)
    try:
        for node in api.get("/api/v1/nodes")["items"]:
            if node["spec"].get("unschedulable"):
                api.patch(f"/api/v1/nodes/{node['metadata']['name']}", {"spec": {"unschedulable": None}})
        api.delete(f"{LEASES}/zktui-maintenance")
        with contextlib.suppress(AssertionError):
            _well(stage, 90.0)
    finally:
        api.close()


def _well(stage: Stage, deadline: float) -> Any:
    """By the pods first: asking the API server costs little, while each look by zktui starts a program."""
    api = Api(stage.kubeconfig)
    try:
        eventually("three Ready members", lambda: ready_pods(api) == 3, deadline)
    finally:
        api.close()

    def look() -> Any | None:
        ended = stage.zktui("status", "-o", "json")
        if ended.code != 0:
            return None
        document = ended.json()
        (ensemble,) = document["ensembles"]
        fine = ensemble["quorum"]["serving"] == 3 and all(m["ready"] for m in ensemble["members"])
        return document if fine and len(ensemble["members"]) == 3 else None

    return eventually("three serving members", look, deadline, 0.5)


def ready_pods(api: Api) -> int:
    """How many members' pods are Ready."""
    reply = api.send("GET", f"{PODS}?labelSelector=app%3Dzk")
    pods = reply.body["items"] if reply.code == 200 else ()
    return sum(
        (condition["type"], condition["status"]) == ("Ready", "True")
        for pod in pods
        for condition in pod.get("status", {}).get("conditions", ())
    )


def kubectl(stage: Stage, *arguments: str, code: int = 0, timeout: float = 90.0) -> str:
    """What kubectl printed, both streams, once it ended with `code`. Skips where there is none."""
    needs_kubectl()
    ended = stage.kubectl(*arguments, timeout=timeout)
    assert ended.code == code, ended
    return ended.out + ended.err


def needs_kubectl() -> None:
    if kubectl_program() is None:
        pytest.skip("kubectl is not on the PATH, and not built yet (make e2e)")


def pod(api: Api, name: str) -> Any:
    """A member's pod; an empty object while it is absent."""
    reply = api.send("GET", f"{PODS}/{name}")
    return reply.body if reply.code == 200 else {"metadata": {}, "spec": {}, "status": {}}


def is_ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ()))


def container(pod: Any) -> Any:
    """The status of its one container; empty before there is one."""
    statuses: list[Any] = pod["status"].get("containerStatuses") or [{}]
    return statuses[0]


def events_of(api: Api, uid: str) -> list[tuple[str, str]]:
    """(reason, message) of the events about one object in namespace default."""
    items = api.get("/api/v1/namespaces/default/events")["items"]
    return [(item["reason"], item["message"]) for item in items if item["involvedObject"].get("uid") == uid]
