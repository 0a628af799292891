"""Columns of ``kubectl get``: the words for a pod's state, ages, selectors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zktui.demo.podstatus import pod_restarts, pod_status
from zktui.demo.quantities import human_duration
from zktui.demo.resources import RESOURCES
from zktui.demo.store import Store
from zktui.demo.tables import COLUMNS, selector_text, table

DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def pod(phase: str = "Running", metadata: Any = None, reason: str = "", **state: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": phase}
    if reason:
        status["reason"] = reason
    if state:
        status["containerStatuses"] = [{"name": "a", "ready": "running" in state, "state": state}]
    return {"metadata": {"name": "zk-0", **(metadata or {})}, "spec": {"containers": [{}]}, "status": status}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (pod("Pending"), "Pending"),
        (pod("Pending", waiting={"reason": "ContainerCreating"}), "ContainerCreating"),
        (pod(running={}), "Running"),
        (pod(waiting={"reason": "CrashLoopBackOff"}), "CrashLoopBackOff"),
        (pod(terminated={"reason": "Error", "exitCode": 1}), "Error"),
        (pod(terminated={"exitCode": 137}), "ExitCode:137"),
        (pod(terminated={"signal": 9}), "Signal:9"),
        (pod("Failed", reason="Evicted"), "Evicted"),
        (pod(metadata=DELETED, running={}), "Terminating"),
        (pod("Failed", metadata=DELETED, terminated={"reason": "Error"}), "Error"),
        (pod(metadata=DELETED, reason="NodeLost"), "Unknown"),
    ],
)
def test_pod_status(given: dict[str, Any], words: str) -> None:
    assert pod_status(given) == words


def test_init_containers_come_first() -> None:
    given = pod("Pending", waiting={"reason": "PodInitializing"})
    given["spec"]["initContainers"] = [{}, {}]
    given["status"]["initContainerStatuses"] = [{"state": {"terminated": {"exitCode": 0}}}, {"state": {"running": {}}}]
    assert pod_status(given) == "Init:1/2"


def test_restarts_tell_when() -> None:
    ended = (datetime.now(UTC) - timedelta(seconds=42)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = pod(running={})
    given["status"]["containerStatuses"][0].update(restartCount=2, lastState={"terminated": {"finishedAt": ended}})
    assert pod_restarts(given) in ("2 (42s ago)", "2 (43s ago)")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (119, "119s"),
        (121, "2m1s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (9 * 86400, "9d"),
        (800 * 86400, "2y70d"),
        (-5, "<invalid>"),
    ],
)
def test_human_duration(seconds: float, words: str) -> None:
    assert human_duration(seconds) == words


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"app": "zk"}, "app=zk"),
        ({}, "<none>"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, "a in (1,2)"),
    ],
)
def test_selector_text(selector: dict[str, Any], words: str) -> None:
    assert selector_text(selector) == words


@pytest.mark.parametrize("resource", [entry for entry in RESOURCES if "list" in entry.verbs], ids=lambda one: one.key)
def test_every_resource_has_a_table_for_the_barest_object(resource: Any) -> None:
    bare: dict[str, Any] = {"metadata": {"name": "x", "resourceVersion": "1"}, "status": {"phase": "Bound"}}
    made = table(resource, [bare], {"resourceVersion": "1"})
    assert len(made["rows"][0]["cells"]) == len(made["columnDefinitions"])
    assert "x" in made["rows"][0]["cells"]


def test_the_columns_of_a_budget(store: Store) -> None:
    columns = [(name, cell) for name, _, cell in COLUMNS["poddisruptionbudgets.policy"]]
    budget = store.get("poddisruptionbudgets.policy", "default", "zk-pdb")
    cells = {name: cell(budget) for name, cell in columns}
    assert (cells["Min Available"], cells["Max Unavailable"], cells["Allowed Disruptions"]) == ("N/A", "1", 1)
