"""A server that ends by itself: the kubelet starts it again in its pod, and the ensemble takes it back."""

from __future__ import annotations

import uuid

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import by_name, container, events_of, is_ready, kubectl, pod, whole
from tests.scenarios.stage import Stage, eventually


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_pkill_java(stage: Stage, api: Api, znodes: Znodes, role: str) -> None:
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == role)
    name, restarts = victim["pod"], container(pod(api, victim["pod"]))["restartCount"]
    path = f"/crash-{uuid.uuid4().hex[:8]}"
    znodes.create(victim, path, b"kept")

    api.exec("default", name, "pkill", "java")

    eventually(
        "the container to be started again",
        lambda: container(pod(api, name)).get("restartCount") == restarts + 1,
        60.0,
    )
    eventually("its readiness to be back", lambda: is_ready(pod(api, name)), 60.0)
    after = whole(stage)
    found = pod(api, name)
    assert {m["pod"]: m["uid"] for m in after["members"]} == {m["pod"]: m["uid"] for m in before["members"]}
    assert found["spec"]["nodeName"] == victim["node"]
    ended = container(found)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (143, "Error")
    assert "running" in container(found)["state"]
    assert ("Started", "Container started") in events_of(api, found["metadata"]["uid"])
    if role == "follower":
        assert after["leader"] == before["leader"], "losing a follower elects nobody"
    else:
        assert by_name(after)[after["leader"]]["role"] == "leader"
    for member in after["members"]:
        assert znodes.get(member, path) == b"kept"
    # A busy kubelet can fail to ask containerd about a container that has ended, and says so in place of its log.
    eventually("its log", lambda: "ZooKeeper" in kubectl(stage, "logs", name, "--previous", "--tail", "200"), 30.0, 1.0)
