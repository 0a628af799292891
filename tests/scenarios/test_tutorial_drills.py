"""Drills: a server is ended and comes back; the StatefulSet is deleted, applied again, and the data is there."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import PODS, STATEFUL_SET, by_name, container, kubectl, pod, serving, whole
from tests.scenarios.stage import Ended, Stage, eventually, kubectl_program


def drilled(stage: Stage, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The events of `zktui drill … --yes -o jsonl` that ended with this exit code."""
    ended = stage.zktui("drill", *arguments, "--yes", "-o", "jsonl", timeout=600)
    assert ended.code == code, ended
    return ended.documents()


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["kind"] for event in events]


def uids(api: Api) -> dict[str, str]:
    items = api.get(f"{PODS}?labelSelector=app%3Dzk")["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_a_server_is_ended_and_rejoins(stage: Stage, api: Api, role: str) -> None:
    ensemble = whole(stage)
    member = next(m for m in ensemble["members"] if m["role"] == role)
    before = container(pod(api, member["pod"]))
    events = drilled(stage, "process", member["pod"])
    assert [k for k in kinds(events) if k in ("kill", "restarted", "ready", "rejoined", "result")] == [
        "kill",
        "restarted",
        "ready",
        "rejoined",
        "result",
    ]
    result = events[-1]["data"]
    assert result["well"] is True
    assert result["led"] is (role == "leader")
    assert 0 <= result["stopped"] <= result["restarted"] <= result["rejoined"]
    # Without an election nobody else leads; with one, another may.
    assert ("elected" in kinds(events)) is (result["elected"] is not None)
    after = pod(api, member["pod"])
    assert after["metadata"]["uid"] == member["uid"]
    assert container(after)["restartCount"] == before["restartCount"] + 1
    assert container(after)["lastState"]["terminated"]["exitCode"] == 143
    assert serving(stage)["quorum"]["health"] == "quorum"
    (exits,) = [
        check
        for check in stage.zktui("check", "process-failure", "-o", "json").json()["ensembles"][0]["checks"]
        if check["code"] == "process-failure.exits"
    ]
    mine = next(e for e in exits["evidence"] if e["member"] == member["pod"])
    assert mine["result"] == "warn"
    assert "143 (SIGTERM)" in mine["message"]


def test_a_member_whose_loss_would_take_quorum(stage: Stage, api: Api) -> None:
    """With another one Pending, for which there is no node."""
    ensemble = whole(stage)
    members = by_name(ensemble)
    taken = {members[name]["node"] for name in ("zk-0", "zk-1")}
    others = [n["metadata"]["name"] for n in api.get("/api/v1/nodes")["items"] if n["metadata"]["name"] not in taken]
    restarts = container(pod(api, "zk-0"))["restartCount"]
    try:
        for name in others:
            api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
        api.delete(f"{PODS}/zk-2")
        eventually(
            "zk-2 to be made again, and Pending",
            lambda: (
                pod(api, "zk-2")["metadata"].get("uid") not in (None, members["zk-2"]["uid"])
                and pod(api, "zk-2")["status"].get("phase") == "Pending"
            ),
            90.0,
        )
        ended = stage.zktui("drill", "process", "zk-0", "--yes")
        assert ended.code == 3, ended
        assert "quorum" in ended.err
        assert container(pod(api, "zk-0"))["restartCount"] == restarts
        storage = stage.zktui("drill", "storage", "--yes")
        assert storage.code == 3, storage
        assert "not whole" in storage.err
    finally:
        for name in others:
            api.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": None}})
    whole(stage)


def test_nothing_is_broken_unasked(stage: Stage, api: Api) -> None:
    whole(stage)
    before = uids(api)
    for arguments in (("process", "zk-0"), ("storage",)):
        ended = stage.zktui("drill", *arguments)
        assert ended.code == 2, ended
        assert "Give --yes" in ended.err
        ended = stage.zktui("drill", *arguments, "--yes", "--read-only")
        assert ended.code == 2, ended
    unknown = stage.zktui("drill", "process", "zk-9", "--yes")
    assert unknown.code == 2
    assert "There is no zk-9 in default/zk" in unknown.err
    outage = stage.zktui("drill", "storage", "--cascade", "background", "--yes")
    assert outage.code == 3
    assert "--accept-outage" in outage.err
    assert uids(api) == before


def test_deleted_and_applied_again_with_its_pods_where_they_are(stage: Stage, api: Api, znodes: Znodes) -> None:
    members = by_name(whole(stage))
    znodes_before = znodes.children(members["zk-0"], "/")
    pods_before, owner = uids(api), api.get(STATEFUL_SET)
    events = drilled(stage, "storage")
    assert [k for k in kinds(events) if k != "note"] == [
        *("mark", "mark", "delete", "gone", "create", "applied", "whole"),
        *("data", "data", "data", "cleared", "result"),
    ]
    assert events[-1]["data"]["well"] is True
    again = api.get(STATEFUL_SET)
    assert again["metadata"]["uid"] != owner["metadata"]["uid"]
    assert again["spec"] == owner["spec"]
    assert again["metadata"].get("labels") == owner["metadata"].get("labels")
    assert uids(api) == pods_before
    assert znodes.children(by_name(whole(stage))["zk-0"], "/") == znodes_before


@pytest.mark.timeout(500)
def test_deleted_with_its_pods_as_the_tutorial_does(stage: Stage, api: Api, znodes: Znodes) -> None:
    """An outage that was accepted: every pod is another one, on its own claim, and what was written is there."""
    members = by_name(whole(stage))
    pods_before, claims = uids(api), volumes(api)
    events = drilled(stage, "storage", "--cascade", "background", "--accept-outage")
    assert events[-1]["data"]["well"] is True
    assert kinds(events).count("data") == 3
    after = by_name(whole(stage))
    assert not {*uids(api).values()} & {*pods_before.values()}
    assert volumes(api) == claims
    for member in after.values():
        assert member["myid"] == members[member["pod"]]["myid"]
        assert not [name for name in znodes.children(member, "/") if name.startswith("zktui-drill")]


def volumes(api: Api) -> dict[str, str]:
    """The members' claims, and the volume that each is bound to."""
    items = api.get("/api/v1/namespaces/default/persistentvolumeclaims")["items"]
    return {
        c["metadata"]["name"]: c["spec"]["volumeName"] for c in items if c["metadata"]["name"].startswith("datadir-zk-")
    }


def test_deleted_with_its_pods_and_killed_in_the_middle(stage: Stage, api: Api, znodes: Znodes) -> None:
    """SIGKILL once it is deleted: the next drill says so, and what it says brings the ensemble back with its data."""
    members = by_name(whole(stage))
    znodes.create(members["zk-0"], "/hello-drill", b"world")
    pods_before = uids(api)
    command = [sys.executable, "-m", "zktui", "drill", "storage", "--cascade", "background", "--accept-outage"]
    with subprocess.Popen(
        [*command, "--yes", "-o", "jsonl"], env=dict(stage.environment()), stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            eventually("the StatefulSet to be deleted", lambda: api.send("GET", STATEFUL_SET).code == 404, 240.0, 0.05)
        finally:
            program.send_signal(signal.SIGKILL)
    # It may have been quick enough to create it again: then there is less to do by hand.
    left = stage.zktui("drill", "storage", "--yes")
    assert left.code == 3, left
    assert "did not come to its end" in left.err
    where = stage.zktui("where", "-o", "json")
    assert where.code == 3, where
    assert [drill["name"] for drill in where.json()["drills"]] == ["zk"]
    by_hand = _by_hand(left)
    assert "zktui deleted the StatefulSet default/zk" in by_hand.read_text()
    if api.send("GET", STATEFUL_SET).code == 404 and kubectl_program() is not None:
        line = next(line for line in left.err.splitlines() if " -f " in line)
        told = kubectl(stage, *shlex.split(line)[1:])
        assert told.strip() in ("statefulset.apps/zk created", "statefulset.apps/zk serverside-applied")
    events = drilled(stage, "storage", "--finish")
    assert events[-1]["data"]["well"] is True
    assert kinds(events).count("data") == 3
    assert stage.zktui("drill", "storage", "--finish").out == "No storage drill of this cluster waits for its end.\n"
    assert stage.zktui("where", "-o", "json").json()["drills"] == []
    after = by_name(whole(stage))
    assert not {*uids(api).values()} & {*pods_before.values()}
    for member in after.values():
        assert znodes.get(member, "/hello-drill") == b"world"
        assert not [name for name in znodes.children(member, "/") if name.startswith("zktui-drill")]


def _by_hand(ended: Ended) -> Path:
    return Path(next(line for line in ended.err.splitlines() if line.endswith("BY-HAND.txt")).partition(": ")[2])
