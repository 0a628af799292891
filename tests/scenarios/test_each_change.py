"""What stands where, and what has been read, at the moment at which each change reaches the API server."""

from __future__ import annotations

import json
import re
import signal
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.api import Api
from tests.scenarios.between import THROTTLED, Between
from tests.scenarios.play import PODS, nodes, whole
from tests.scenarios.sleepers import sleeping
from tests.scenarios.stage import Stage, eventually
from tests.scenarios.test_lost_answers import CORDON, EVICT
from tests.scenarios.test_lost_answers import LEASE as RENEWAL
from tests.scenarios.test_resume import LEASE, journal, maintaining, newest

CHANGES = f"{CORDON}|{EVICT}|{RENEWAL}"
READ = (r"^GET /api/v1/namespaces/default/pods\?", r"^GET /apis/policy/v1/.*/poddisruptionbudgets")
"""What decides on an eviction, beside the members' own answers."""


@dataclass(frozen=True)
class Change:
    """One change as it arrived, and what the Lease and the journal said by then that is being done."""

    line: str
    body: Any
    read: list[str]
    """The requests since the change or the renewal before it."""
    doing: list[str]
    written: list[str]


def test_each_change_is_written_down_and_read_for_before_it_is_made(stage: Stage, api: Api, folder: Path) -> None:
    """The first eviction is refused on the way, so that there is one after a 429, too."""
    before = whole(stage)
    victim = next(member for member in before["members"] if member["role"] == "follower")
    changes: list[Change] = []

    def look(line: str, body: bytes) -> None:
        if not re.search(f"{CORDON}|{EVICT}", line):
            return
        state = json.loads(api.get(LEASE)["metadata"]["annotations"]["zktui/state"])
        kinds = [e["kind"] for e in journal(stage.folder, state["run"]) if e["kind"] in ("cordon", "evict", "uncordon")]
        last = max((n for n, asked in enumerate(between.asked) if re.search(CHANGES, asked)), default=0)
        changes.append(Change(line, json.loads(body), between.asked[last:], state.get("doing", []), kinds[-1:]))

    with Between(stage.kubeconfig, folder / "between", [(EVICT, THROTTLED)], before=look) as between:
        ended = stage.zktui(
            "maintain", victim["node"], "--yes", "--dwell", "2s", "-o", "jsonl", KUBECONFIG=str(between.kubeconfig)
        )

    assert ended.code == 0, ended
    node, uid = victim["node"], victim["uid"]
    wanted = [["cordon", node], ["evict", uid], ["evict", uid], ["uncordon", node]]
    assert [change.doing for change in changes] == wanted, "in the Lease"
    assert [change.written for change in changes] == [what[:1] for what in wanted], "in the journal"
    for change in changes[1:3]:
        assert change.body["deleteOptions"]["preconditions"]["uid"] == uid
        asked = (*READ, *(rf"^GET /api/v1/namespaces/default/pods/{m['pod']}/portforward" for m in before["members"]))
        for what in asked:
            assert any(re.search(what, line) for line in change.read), f"{what} was not read: {change.read}"
    whole(stage)


@contextmanager
def sleeper(api: Api, node: str, grace: int) -> Generator[tuple[str, str]]:
    """A pod of nobody's on this node, Ready; its name and its path."""
    name = f"alone-{uuid.uuid4().hex[:6]}"
    path = f"{PODS}/{name}"
    spec = {**sleeping(grace=grace), "nodeName": node}
    api.create(PODS, {"metadata": {"name": name}, "spec": spec})
    try:
        eventually(f"{name} to run", lambda: api.get(path)["status"].get("phase") == "Running")
        yield name, path
    finally:
        api.delete(path, 0)
        api.gone(path)


def empty_node(stage: Stage) -> str:
    used = {member["node"] for member in whole(stage)["members"]}
    return next(name for name in sorted(nodes(stage)) if name not in used)


def test_a_pod_that_is_gone_when_its_eviction_arrives_is_gone(stage: Stage, api: Api, folder: Path) -> None:
    node = empty_node(stage)
    with sleeper(api, node, 1) as (name, path):

        def first(line: str, _: bytes) -> None:
            if re.search(EVICT, line):
                api.delete(path, 0)
                api.gone(path)

        drain = ("maintain", node, "--yes", "--force", "--delete-emptydir-data", "-o", "jsonl")
        with Between(stage.kubeconfig, folder / "between", before=first) as between:
            ended = stage.zktui(*drain, KUBECONFIG=str(between.kubeconfig))
    assert ended.code == 0, ended
    lines = ended.documents()
    told = [line["text"] for line in lines if name in line.get("text", "")]
    assert any("404" in text for text in told), told
    assert f"{name} is gone" in told
    assert len(between.came(EVICT)) == 1
    assert (lines[-1]["status"], lines[-1]["cordoned"]) == ("done", [])
    whole(stage)


def test_a_node_that_somebody_uncordons_in_mid_drain_pauses_and_stays_theirs(stage: Stage, api: Api) -> None:
    """While a pod takes its time to leave it: nothing more is changed, and the abort undoes nothing."""
    node, last = empty_node(stage), newest(stage.folder)

    def paused() -> list[str]:
        lines = journal(stage.folder, newest(stage.folder)) if newest(stage.folder) != last else []
        return [line["text"] for line in lines if line["kind"] == "pause"]

    with (
        sleeper(api, node, 60) as (_, path),
        maintaining(stage, node, "--force", "--delete-emptydir-data") as process,
    ):
        eventually("the pod to leave", lambda: "deletionTimestamp" in api.get(path)["metadata"])
        api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
        told = eventually("the run to pause", paused)
        assert told == [f"someone uncordoned {node} while it was drained: resume to cordon it again"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    lines = journal(stage.folder, newest(stage.folder))
    assert [line["kind"] for line in lines if line["kind"] in ("cordon", "uncordon")] == ["cordon"]
    assert f"kubectl uncordon {node}" not in "\n".join(line["text"] for line in lines)
    whole(stage)
