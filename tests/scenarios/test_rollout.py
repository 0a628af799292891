"""Changes of the StatefulSet's template: a rolling update, its undoing, and one whose probes fail."""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import (
    STATEFUL_SET,
    by_name,
    container,
    events_of,
    is_ready,
    kubectl,
    pod,
    serving,
    whole,
)
from tests.scenarios.stage import Stage, eventually

BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/zk-pdb"
CONTAINER = "/spec/template/spec/containers/0"


@pytest.fixture
def as_it_was(stage: Stage, api: Api) -> Generator[None]:
    """The template of before is back in the end, also after a failure in the middle."""
    before = api.get(STATEFUL_SET)["spec"]["template"]
    yield
    if api.get(STATEFUL_SET)["spec"]["template"] != before:
        api.patch(STATEFUL_SET, [{"op": "replace", "path": "/spec/template", "value": before}], "json")
        eventually("the update back", lambda: settled(api), 240.0)


def patch(stage: Stage, *changes: tuple[str, Any]) -> str:
    operations = [{"op": "replace", "path": f"{CONTAINER}/{path}", "value": value} for path, value in changes]
    return kubectl(stage, "patch", "statefulset", "zk", "--type=json", "-p", json.dumps(operations))


def revision(api: Api, name: str) -> str:
    return pod(api, name)["metadata"].get("labels", {}).get("controller-revision-hash", "")


def order_of_births(api: Api, before: Any) -> list[str]:
    """The members by the age of their pods, the oldest first; all of them must be new."""
    pods = [pod(api, name) for name in by_name(before)]
    assert not {p["metadata"]["uid"] for p in pods} & {m["uid"] for m in before["members"]}
    return [p["metadata"]["name"] for p in sorted(pods, key=lambda p: p["metadata"]["creationTimestamp"])]


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("as_it_was")
def test_rolling_update_and_undo(stage: Stage, api: Api, znodes: Znodes) -> None:
    before = whole(stage)
    path = f"/roll-{uuid.uuid4().hex[:8]}"
    znodes.create(before["members"][0], path, b"kept")
    old = api.get(STATEFUL_SET)["status"]["currentRevision"]
    numbers = history(stage)

    assert patch(stage, ("resources/requests/cpu", "0.3")) == "statefulset.apps/zk patched\n"
    plan = eventually("the update to begin", lambda: no_go(stage), 30.0)
    assert "update" in plan.lower()
    said = kubectl(stage, "rollout", "status", "statefulset", "zk", "--timeout=240s", timeout=260.0)
    new = api.get(STATEFUL_SET)["status"]["updateRevision"]
    assert new != old
    assert said.endswith(f"statefulset rolling update complete 3 pods at revision {new}...\n")
    assert order_of_births(api, before) == ["zk-2", "zk-1", "zk-0"]
    between = whole(stage)
    assert [revision(api, name) for name in by_name(between)] == [new] * 3
    assert pod(api, "zk-0")["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "300m"
    # Beside the two that are in use, the oldest go beyond revisionHistoryLimit: ten.
    assert history(stage)[-2:] == [max(numbers), max(numbers) + 1]

    # Newer clients warn of what was applied before.
    assert kubectl(stage, "rollout", "undo", "statefulset", "zk").startswith("statefulset.apps/zk rolled back\n")
    kubectl(stage, "rollout", "status", "statefulset", "zk", "--timeout=240s", timeout=260.0)
    after = whole(stage)
    assert order_of_births(api, between) == ["zk-2", "zk-1", "zk-0"]
    assert [revision(api, name) for name in by_name(after)] == [old] * 3
    assert history(stage)[-1] == max(numbers) + 2, "the old template is the newest revision now"
    assert pod(api, "zk-0")["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "500m"
    for member in after["members"]:
        assert znodes.get(member, path) == b"kept"


def history(stage: Stage) -> list[int]:
    """The numbers of the revisions, as `rollout history` lists them."""
    lines = kubectl(stage, "rollout", "history", "statefulset", "zk").splitlines()
    return [int(line.split()[0]) for line in lines if line[:1].isdigit()]


def no_go(stage: Stage) -> str | None:
    """The plan for a node, once it says no."""
    ended = stage.zktui("maintain", "node-1", "node-2", "node-3", "--plan")
    return ended.out if ended.code == 3 and "no-go" in ended.out else None


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("as_it_was")
def test_probes_that_fail_and_undo(stage: Stage, api: Api) -> None:
    """Readiness and liveness ask a port that nobody listens on: one member is lost to the update, and no more."""
    before = whole(stage)
    wrong = ["/opt/scripts/zookeeper-ready", "2182"]
    patch(
        stage,
        ("readinessProbe/exec/command", wrong),
        ("livenessProbe/exec/command", wrong),
        ("livenessProbe/periodSeconds", 1),
        ("livenessProbe/failureThreshold", 3),
    )
    bad = eventually("another revision", lambda: other_revision(api), 30.0)
    eventually(
        "zk-2 to be started again by its liveness probe",
        lambda: revision(api, "zk-2") == bad and (container(pod(api, "zk-2")).get("restartCount") or 0) >= 1,
        120.0,
    )
    broken = pod(api, "zk-2")
    assert not is_ready(broken)
    assert container(broken)["ready"] is False
    told = events_of(api, broken["metadata"]["uid"])
    assert any(reason == "Unhealthy" and words.startswith("Readiness probe failed") for reason, words in told)
    assert any(reason == "Unhealthy" and words.startswith("Liveness probe failed") for reason, words in told)
    killed = "Container kubernetes-zookeeper failed liveness probe, will be restarted"
    assert ("Killing", killed) in told
    status = api.get(BUDGET)["status"]
    assert (status["currentHealthy"], status["desiredHealthy"], status["disruptionsAllowed"]) == (2, 2, 0)
    assert no_go(stage) is not None
    said = kubectl(stage, "rollout", "status", "statefulset", "zk", "--timeout=2s", code=1)
    assert "Waiting for" in said
    now, old = by_name(stage.status()), by_name(before)
    assert (now["zk-0"]["uid"], now["zk-1"]["uid"]) == (old["zk-0"]["uid"], old["zk-1"]["uid"])
    assert now["zk-2"]["ready"] is False

    kubectl(stage, "rollout", "undo", "statefulset", "zk")
    after = by_name(serving(stage, 120.0))
    assert (after["zk-0"]["uid"], after["zk-1"]["uid"]) == (old["zk-0"]["uid"], old["zk-1"]["uid"])
    assert after["zk-2"]["uid"] not in (old["zk-2"]["uid"], broken["metadata"]["uid"])
    kubectl(stage, "rollout", "status", "statefulset", "zk", "--timeout=60s")
    whole(stage)


def other_revision(api: Api) -> str | None:
    """The revision that an update goes to, once the controller has seen the change; None when there is none."""
    found = api.get(STATEFUL_SET)
    status = found["status"]
    seen = status["observedGeneration"] == found["metadata"]["generation"]
    return status["updateRevision"] if seen and status["updateRevision"] != status["currentRevision"] else None


def settled(api: Api) -> bool:
    """No update goes on, nor is one about to begin."""
    found = api.get(STATEFUL_SET)
    status = found["status"]
    seen = status["observedGeneration"] == found["metadata"]["generation"]
    return seen and status["updateRevision"] == status["currentRevision"] and status["readyReplicas"] == 3
