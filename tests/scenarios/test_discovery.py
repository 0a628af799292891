"""Which StatefulSets are ensembles: told by what they run, in any namespace, whatever their names and labels are."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import whole
from tests.scenarios.stage import Stage, eventually


@pytest.fixture
def namespace(api: Api) -> Generator[str]:
    name = f"found-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")
    api.gone(f"/api/v1/namespaces/{name}")


def make(api: Api, namespace: str, name: str, image: str, *command: str) -> None:
    """A StatefulSet of no pods: what is found must not depend on any that run."""
    labels = {"team": name}
    container: dict[str, Any] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    spec = {
        "serviceName": name,
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    body = {"metadata": {"name": name}, "spec": spec}
    api.create(f"/apis/apps/v1/namespaces/{namespace}/statefulsets", body)


def found(stage: Stage, *arguments: str) -> list[tuple[str, str]]:
    ensembles = stage.zktui(*arguments, "status", "-o", "json").json()["ensembles"]
    return sorted((e["namespace"], e["name"]) for e in ensembles)


def test_ensembles_among_others(stage: Stage, api: Api, namespace: str) -> None:
    whole(stage)
    make(api, namespace, "coordination", "registry.invalid/team/zookeeper:3.8.4")
    make(api, namespace, "own-build", "registry.invalid/team/thing:1", "/opt/zk/bin/zkServer.sh", "start-foreground")
    make(api, namespace, "web", "registry.invalid/team/web:1")
    expected = [("default", "zk"), (namespace, "coordination"), (namespace, "own-build")]
    assert eventually("all of them", lambda: found(stage, "--all-namespaces")) == sorted(expected)
    assert found(stage) == [("default", "zk")], "the context's namespace alone, unless told otherwise"
    assert found(stage, "--namespace", namespace) == expected[1:]
    assert found(stage, "--all-namespaces", "--ensemble", "own-build") == expected[2:]
