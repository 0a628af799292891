"""Patches as documents: RFC 6902, RFC 7386 and Kubernetes' strategic merge."""

from __future__ import annotations

from typing import Any

import pytest

from zktui.demo.errors import ApiError
from zktui.demo.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, apply_patch
from zktui.demo.resources import BY_KEY

POD = BY_KEY["pods"]


def pod() -> dict[str, Any]:
    return {
        "metadata": {"name": "zk-0", "finalizers": ["a"]},
        "spec": {
            "containers": [
                {"name": "zk", "image": "1", "ports": [{"containerPort": 2181}], "env": [{"name": "A", "value": "1"}]},
                {"name": "side", "image": "1", "args": ["x", "y"]},
            ]
        },
    }


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    [
        ({"op": "add", "path": "/spec/containers/1/args/-", "value": "z"}, ("spec", "containers", 1, "args", 2), "z"),
        ({"op": "add", "path": "/spec/containers/1/args/0", "value": "w"}, ("spec", "containers", 1, "args", 1), "x"),
        ({"op": "replace", "path": "/spec/containers/0/image", "value": "2"}, ("spec", "containers", 0, "image"), "2"),
        ({"op": "copy", "from": "/spec/containers/0/image", "path": "/spec/x~1y"}, ("spec", "x/y"), "1"),
        ({"op": "move", "from": "/spec/containers/1", "path": "/spec/moved"}, ("spec", "moved", "name"), "side"),
        ({"op": "test", "path": "/metadata/name", "value": "zk-0"}, ("metadata", "name"), "zk-0"),
    ],
)
def test_json_patch(operation: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    found: Any = apply_patch(POD, pod(), JSON_PATCH, [operation])
    for step in path:
        found = found[step]
    assert found == value


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/spec/nothing"},
        {"op": "replace", "path": "/spec/nothing", "value": 1},
        {"op": "test", "path": "/metadata/name", "value": "zk-1"},
        {"op": "add", "path": "/spec/containers/7", "value": {}},
        {"op": "dance", "path": "/spec"},
        {"path": "/spec"},
        {"op": "add", "path": "spec", "value": 1},
    ],
)
def test_json_patch_that_fails_changes_nothing(operation: dict[str, Any]) -> None:
    held = pod()
    with pytest.raises(ApiError) as caught:
        apply_patch(POD, held, JSON_PATCH, [{"op": "remove", "path": "/metadata/finalizers"}, operation])
    assert caught.value.code == 422
    assert held == pod()


def test_merge_patch_replaces_lists() -> None:
    patched = apply_patch(POD, pod(), MERGE_PATCH, {"spec": {"containers": []}, "metadata": {"finalizers": None}})
    assert patched == {"metadata": {"name": "zk-0"}, "spec": {"containers": []}}


def test_strategic_merge_joins_lists_by_their_keys() -> None:
    patch = {"spec": {"containers": [{"name": "zk", "image": "2", "env": [{"name": "B", "value": "2"}]}]}}
    containers = apply_patch(POD, pod(), STRATEGIC_PATCH, patch)["spec"]["containers"]
    assert [entry["image"] for entry in containers] == ["2", "1"]
    assert [entry["name"] for entry in containers[0]["env"]] == ["A", "B"]
    assert containers[0]["ports"] == [{"containerPort": 2181}]


def test_strategic_merge_directives() -> None:
    patch: dict[str, Any] = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]},
        "spec": {
            "containers": [
                {"name": "side", "$patch": "delete"},
                {"name": "zk", "ports": [{"containerPort": 9, "$patch": "delete"}, {"containerPort": 3888}]},
            ],
            "$setElementOrder/containers": [{"name": "zk"}],
        },
    }
    patched = apply_patch(POD, pod(), STRATEGIC_PATCH, patch)
    assert patched["metadata"]["finalizers"] == []
    (container,) = patched["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 2181}, {"containerPort": 3888}]
    assert "$setElementOrder/containers" not in patched["spec"]


def test_strategic_merge_adds_to_finalizers_and_replaces_args() -> None:
    patch = {"metadata": {"finalizers": ["b"]}, "spec": {"containers": [{"name": "side", "args": ["z"]}]}}
    patched = apply_patch(POD, pod(), STRATEGIC_PATCH, patch)
    assert patched["metadata"]["finalizers"] == ["a", "b"]
    assert patched["spec"]["containers"][1]["args"] == ["z"]


@pytest.mark.parametrize(("media", "body"), [(JSON_PATCH, {}), (MERGE_PATCH, []), (STRATEGIC_PATCH, "x")])
def test_a_body_of_the_wrong_shape(media: str, body: Any) -> None:
    with pytest.raises(ApiError) as caught:
        apply_patch(POD, pod(), media, body)
    assert caught.value.code == 400


def test_a_budget_s_selector_is_replaced_as_a_whole() -> None:
    held = {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "zk", "tier": "a"}}}}
    patch = {"spec": {"selector": {"matchLabels": {"app": "zk"}}}}
    found = apply_patch(BY_KEY["poddisruptionbudgets.policy"], held, STRATEGIC_PATCH, patch)
    assert found["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "zk"}}}
