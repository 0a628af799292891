"""The tutorial's chapter on managing the process: resources, rolling updates, their history, and holding them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import STATEFUL_SET, by_name, kubectl, pod, whole
from tests.scenarios.stage import Ended, Stage, eventually
from tests.scenarios.test_rollout import order_of_births, settled

CPU = '.spec.containers[name="kubernetes-zookeeper"].resources.requests.cpu'


@pytest.fixture
def as_it_was(stage: Stage, api: Api) -> Generator[None]:
    """Template, strategy and size of before are back in the end, also after a failure in the middle. The mark of a
    restart stays: taking it back would replace every member once more."""
    before = api.get(STATEFUL_SET)["spec"]
    yield
    found = api.get(STATEFUL_SET)
    keys = [key for key in ("updateStrategy", "replicas") if found["spec"][key] != before[key]]
    keys += ["template"] * (_unmarked(found["spec"]["template"]) != _unmarked(before["template"]))
    operations: list[dict[str, Any]] = [{"op": "replace", "path": f"/spec/{k}", "value": before[k]} for k in keys]
    if "zktui/partition" in found["metadata"].get("annotations", {}):
        operations.append({"op": "remove", "path": "/metadata/annotations/zktui~1partition"})
    if operations:
        api.patch(STATEFUL_SET, operations, "json")
        eventually("the update back", lambda: settled(api), 240.0)
    whole(stage)


def _unmarked(template: Any) -> Any:
    """Without when it was restarted."""
    annotations: dict[str, str] = template["metadata"].get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key != "kubectl.kubernetes.io/restartedAt"}
    return {**template, "metadata": {**template["metadata"], "annotations": kept}}


def rollout(stage: Stage, verb: str, *options: str, code: int = 0) -> Ended:
    ended = stage.zktui("rollout", verb, "zk", *options)
    assert ended.code == code, ended
    return ended


def cpu(api: Api, name: str) -> str:
    return pod(api, name)["spec"]["containers"][0]["resources"]["requests"]["cpu"]


def partition(api: Api) -> int:
    rolling: dict[str, int] = api.get(STATEFUL_SET)["spec"]["updateStrategy"].get("rollingUpdate") or {}
    return rolling.get("partition", 0)


@pytest.mark.timeout(500)
@pytest.mark.usefixtures("as_it_was")
def test_resources_changed_then_held_by_the_partition_and_let_go(stage: Stage, api: Api) -> None:
    """CPU is lowered, member by member; the way back is held before anybody goes, and then gone."""
    before = whole(stage)
    strategy = api.get(STATEFUL_SET)["spec"]["updateStrategy"]
    numbers = [r["revision"] for r in rollout(stage, "history", "-o", "json").json()["revisions"]]
    ended = stage.zktui("set-resources", "zk", "--requests", "cpu=300m", "--yes", "--dwell", "2s")
    assert ended.code == 0, ended
    assert "requests cpu: 500m -> 300m" in ended.out
    assert "2 of 3 voters serve" in ended.out, "quorum stands beside it"
    assert "3 members were replaced." in ended.out
    between = whole(stage)
    assert order_of_births(api, before) == ["zk-2", "zk-1", "zk-0"]
    assert cpu(api, "zk-0") == "300m"
    assert api.get(STATEFUL_SET)["spec"]["updateStrategy"] == strategy

    told = rollout(stage, "history", "-o", "json").json()["revisions"]
    # The oldest go beyond revisionHistoryLimit.
    assert [r["revision"] for r in told][-2:] == [numbers[-1], numbers[-1] + 1]
    assert told[-1]["changes"] == [{"path": CPU, "before": "500m", "after": "300m"}]
    assert told[-1]["members"] == ["zk-0", "zk-1", "zk-2"]
    assert f"{CPU}: 500m -> 300m" in rollout(stage, "history").out
    assert "cpu: 300m" in rollout(stage, "history", "--revision", str(numbers[-1] + 1)).out
    assert "The update is complete: 3 members" in rollout(stage, "status").out
    same = stage.zktui("set-resources", "zk", "--requests", "cpu=0.3", "--yes")
    assert (same.code, "nothing was changed" in same.out) == (0, True)

    assert rollout(stage, "pause", "-o", "json").json()["partition"] == 3
    assert partition(api) == 3
    _held(stage, api)
    assert {name: m["uid"] for name, m in by_name(whole(stage)).items()} == {
        name: m["uid"] for name, m in by_name(between).items()
    }
    gone_on = rollout(stage, "resume", "--yes", "--dwell", "1s", "-o", "json").json()
    assert (gone_on["status"], gone_on["replaced"], gone_on["left"]) == ("done", ["zk-2", "zk-1", "zk-0"], [])
    assert gone_on["elections"] >= 1
    assert order_of_births(api, between) == ["zk-2", "zk-1", "zk-0"]
    assert (api.get(STATEFUL_SET)["spec"]["updateStrategy"], cpu(api, "zk-1")) == (strategy, "500m")
    assert "No update is open" in rollout(stage, "resume", "--yes").out


def _held(stage: Stage, api: Api) -> None:
    """A template of another's replaces nobody, and is told; nothing else begins meanwhile."""
    requests = "/spec/template/spec/containers/0/resources/requests/cpu"
    api.patch(STATEFUL_SET, [{"op": "replace", "path": requests, "value": "500m"}], "json")
    eventually("another revision", lambda: not _finished(api))
    status = rollout(stage, "status", "--watch=false", "-o", "json", code=3).json()
    assert (status["partition"], status["complete"]) == (3, False)
    assert [m["updated"] for m in status["members"]] == [False] * 3
    held = stage.zktui("check", "process", "-o", "json").json()["ensembles"][0]["checks"]
    assert next(c for c in held if c["code"] == "process.update")["result"] == "warn"
    refused = stage.zktui("set-resources", "zk", "--requests", "cpu=400m", "--yes")
    assert refused.code == 3, refused
    assert "an update is not finished, held at partition 3" in refused.err


def _finished(api: Api) -> bool:
    found = api.get(STATEFUL_SET)
    seen = found["status"]["observedGeneration"] == found["metadata"]["generation"]
    return not seen or found["status"]["updateRevision"] == found["status"]["currentRevision"]


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("as_it_was")
def test_interrupted_and_taken_up(stage: Stage, api: Api) -> None:
    """Ctrl-C leaves the rest held; nobody else goes until it is resumed."""
    before = by_name(whole(stage))
    command = [sys.executable, "-m", "zktui", "rollout", "restart", "zk", "--yes", "--dwell", "1s"]
    with subprocess.Popen(
        command, env=dict(stage.environment()), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as running:
        eventually("the first member to go", lambda: partition(api) == 2, 60.0)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=120)
    assert running.returncode == 130, out
    assert "stopped: stopped on request" in out
    assert "To go on: zktui rollout resume zk" in out
    assert partition(api) == 2
    held = by_name(whole(stage))
    assert {name: held[name]["uid"] for name in ("zk-0", "zk-1")} == {n: before[n]["uid"] for n in ("zk-0", "zk-1")}
    gone_on = rollout(stage, "resume", "--yes", "--dwell", "1s", "-o", "json").json()
    assert (gone_on["status"], gone_on["replaced"], partition(api)) == ("done", ["zk-1", "zk-0"], 0)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("as_it_was")
def test_under_ondelete_the_leader_goes_last(stage: Stage, api: Api) -> None:
    before = whole(stage)
    leader = stage.member("leader")["pod"]
    api.patch(STATEFUL_SET, {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}})
    ended = rollout(stage, "restart", "--yes", "--dwell", "1s")
    assert f"OnDelete: zktui evicts them, the leader last: {', '.join(_last(leader))}." in ended.out
    assert order_of_births(api, before) == _last(leader)
    assert "3 members were replaced." in ended.out


def _last(leader: str) -> list[str]:
    return [*(name for name in ("zk-2", "zk-1", "zk-0") if name != leader), leader]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("as_it_was")
def test_nothing_begins_while_the_ensemble_is_not_whole(stage: Stage, api: Api) -> None:
    before = by_name(whole(stage))
    api.patch(STATEFUL_SET, {"spec": {"replicas": 2}})
    api.gone("/api/v1/namespaces/default/pods/zk-2")
    _named_and_not_there(stage)
    revision = api.get(STATEFUL_SET)["status"]["updateRevision"]
    for arguments in (("set-resources", "zk", "--requests", "cpu=300m"), ("rollout", "restart", "zk")):
        refused = stage.zktui(*arguments, "--yes")
        assert refused.code == 3, refused
        assert "2 of 3 voters serve" in refused.err
        assert "If you accept that: --override zk" in refused.err
        mistyped = stage.zktui(*arguments, "--yes", "--override", "zk-2")
        assert mistyped.code == 2, mistyped
    assert api.get(STATEFUL_SET)["status"]["updateRevision"] == revision
    now = by_name(stage.status())
    assert {name: now[name]["uid"] for name in ("zk-0", "zk-1")} == {n: before[n]["uid"] for n in ("zk-0", "zk-1")}


def _named_and_not_there(stage: Stage) -> None:
    """Two of two pods are well, and one more would be the end of quorum: no chapter passes that over."""
    ended = stage.zktui("check", "deploy", "discovery", "node-failure", "-o", "json")
    assert ended.code == 1, ended
    (ensemble,) = ended.json()["ensembles"]
    found = {c["code"]: [(e["result"], e["message"]) for e in c["evidence"]] for c in ensemble["checks"]}
    assert ("fail", "voter 3 (zk-2) has no pod: the quorum is counted with it all the same") in found["deploy.members"]
    lines = ("fail", "3 server lines, one for zk-2, which is not there")
    assert found["discovery.server-lines"] == [lines, lines]
    assert {result for result, _ in found["nodes.single-node"]} == {"fail"}
    assert found["nodes.single-node"][0][1].endswith(
        "1 of 3 voters are left, since zk-2 does not serve now; 2 are needed"
    )


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("as_it_was")
def test_a_member_that_can_t_come_back_is_the_last_to_go(stage: Stage, api: Api) -> None:
    """Nothing can schedule it: the update is held, and the two others go on. The undoing lets it back."""
    before = by_name(whole(stage))
    ended = stage.zktui("set-resources", "zk", "--requests", "cpu=900", "--yes", "--timeout", "20s", "-o", "json")
    assert ended.code == 3, ended
    document = ended.json()
    assert (document["status"], document["replaced"]) == ("blocked", [])
    assert document["left"] == ["zk-0", "zk-1"]
    status = stage.status()
    assert status["quorum"]["serving"] == 2
    now = by_name(status)
    assert {name: now[name]["uid"] for name in ("zk-0", "zk-1")} == {n: before[n]["uid"] for n in ("zk-0", "zk-1")}
    refused = rollout(stage, "undo", "--yes", code=3)
    assert "--override zk" in refused.err
    undone = rollout(stage, "undo", "--yes", "--override", "zk", "--dwell", "1s", "-o", "json").json()
    assert (undone["status"], undone["replaced"]) == ("done", ["zk-2"])
    whole(stage)


def test_what_can_t_be_is_refused_before_anything_changes(stage: Stage, api: Api) -> None:
    whole(stage)
    generation = api.get(STATEFUL_SET)["metadata"]["generation"]
    small = stage.zktui("set-resources", "zk", "--requests", "memory=256Mi", "--limits", "memory=512Mi", "--yes")
    assert small.code == 3, small
    assert "the heap of 512 MiB does not fit the limit of 512Mi" in small.err
    assert stage.zktui("set-resources", "zk", "--requests", "cpu=none", "--yes").code == 2
    assert stage.zktui("rollout", "undo", "zk", "--to-revision", "999", "--yes").code == 3
    looked = stage.zktui("--read-only", "rollout", "restart", "zk", "--yes")
    assert (looked.code, "read-only" in looked.err) == (3, True)
    assert stage.zktui("--read-only", "rollout", "history", "zk").code == 0
    assert api.get(STATEFUL_SET)["metadata"]["generation"] == generation


def test_kubectl_s_own_rollout_status_agrees(stage: Stage) -> None:
    whole(stage)
    assert "complete" in kubectl(stage, "rollout", "status", "statefulset", "zk", "--timeout=30s")
    document = json.loads(rollout(stage, "status", "-o", "json").out)
    assert (document["complete"], document["leader"] in by_name(whole(stage))) == (True, True)
