"""zktui is killed while a node is drained, and while it is held: what it was at is found, and finished."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import by_name, kubectl, nodes, whole
from tests.scenarios.stage import Ended, Stage, eventually, kubectl_program, run

LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/zktui-maintenance"
RUNS = Path("state") / "zktui" / "runs"


@contextmanager
def maintaining(stage: Stage, *arguments: str, **environment: str) -> Generator[subprocess.Popen[bytes]]:
    """`zktui maintain` in the background, in a process that a test may kill; ended at the latest here."""
    command = [sys.executable, "-m", "zktui", "maintain", *arguments, "--yes", "--dwell", "2s", "-o", "jsonl"]
    with (stage.folder / f"maintain-{uuid.uuid4().hex[:8]}.log").open("wb") as out:
        process = subprocess.Popen(
            command, env={**stage.environment(), **environment}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)


def journal(folder: Path, run_id: str, part: int = 1) -> list[dict[str, Any]]:
    """The lines of a run's journal so far; a torn last one is left out."""
    path = folder / RUNS / (f"{run_id}.jsonl" if part == 1 else f"{run_id}.{part}.jsonl")
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def newest(folder: Path) -> str:
    """Id of the newest run in a state folder; empty while there is none."""
    return max((path.name.split(".")[0] for path in (folder / RUNS).glob("*.jsonl")), default="")


SENT_AGAIN = "one that was cut off on its way may be sent again; by its UID it takes nobody twice"


def killed_once(stage: Stage, process: subprocess.Popen[bytes], before: str, kind: str, pod: str = "") -> str:
    """SIGKILL as soon as the journal of the new run has such a line; the run's id."""

    def told() -> str:
        run_id = newest(stage.folder)
        lines = journal(stage.folder, run_id) if run_id != before else []
        return run_id if any(e["kind"] == kind and pod in e.get("pod", "") for e in lines) else ""

    run_id = eventually(f"the journal to tell of {kind} {pod}", told, 90.0, 0.02)
    kill(process)
    return run_id


def held(api: Api, before: str = "") -> str:
    """Id of a run other than `before` of which the lease says that it holds a node: up to a second after a screen."""
    reply = api.send("GET", LEASE)
    kept: Any = json.loads(reply.body["metadata"]["annotations"]["zktui/state"]) if reply.code == 200 else {}
    new = kept.get("run", before) != before
    return kept["run"] if new and any(node["step"] == "hold" for node in kept["nodes"]) else ""


def killed_in_hold(stage: Stage, api: Api, process: subprocess.Popen[bytes], before: str) -> str:
    """SIGKILL once the lease of the new run says that a node is held; the run's id."""
    run_id = eventually("the lease to say that a node is held", lambda: held(api, before), 90.0)
    kill(process)
    return run_id


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.returncode == -signal.SIGKILL, "it has ended by itself"


def where(stage: Stage, code: int = 3, state: str = "") -> Any:
    """`state`: another folder for it, as on another machine."""
    ended = stage.zktui("where", "-o", "json", XDG_STATE_HOME=state or stage.environment()["XDG_STATE_HOME"])
    assert ended.code == code, ended
    return ended.json()


def evictions(lines: list[dict[str, Any]]) -> list[str]:
    """UIDs whose eviction was sent."""
    return [line["uid"] for line in lines if line["kind"] == "evict"]


def assert_kubectl_sees_cordon(stage: Stage, node: str, cordoned: bool) -> None:
    """What kubectl says of the node, where there is a kubectl."""
    if kubectl_program() is not None:
        assert ("SchedulingDisabled" in kubectl(stage, "get", "node", node)) is cordoned


def assert_finished(stage: Stage, before: Any, victim: Any, run_id: str, ended: Ended, znodes: Znodes) -> None:
    """The member has moved once, and nothing is left of the run: not for zktui, and not for kubectl."""
    assert ended.code == 0, ended
    result = json.loads(ended.out.splitlines()[-1])
    assert (result["status"], result["cordoned"]) == ("done", [])
    old, new = by_name(before), by_name(whole(stage))
    assert new[victim["pod"]]["uid"] != old[victim["pod"]]["uid"]
    for other in old.keys() - {victim["pod"]}:
        assert new[other]["uid"] == old[other]["uid"], f"{other} was moved as well"
    assert where(stage, code=0)["runs"] == []
    assert_kubectl_sees_cordon(stage, victim["node"], False)
    assert f"run {run_id}" not in stage.zktui("where").out


@pytest.mark.parametrize("kind", ["evict", "gone"])
def test_killed_in_the_middle_of_a_drain(stage: Stage, api: Api, znodes: Znodes, kind: str) -> None:
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == "follower")
    path, last = f"/resume-{uuid.uuid4().hex[:8]}", newest(stage.folder)
    znodes.create(victim, path, b"written before")

    with maintaining(stage, victim["node"], "--note", "new kernel") as process:
        run_id = killed_once(stage, process, last, kind, victim["pod"])

    lease = api.get(LEASE)
    assert run_id in lease["metadata"]["annotations"]["zktui/run"]
    state = json.loads(lease["metadata"]["annotations"]["zktui/state"])
    assert (state["run"], state["status"], state["note"]) == (run_id, "running", "new kernel")
    (found,) = where(stage)["runs"]
    assert found["run"] == run_id
    assert found["cordoned"] == [victim["node"]]
    assert (found["free"], found["takeOver"]) == (True, None), "its process is known to be dead: no word, no waiting"
    assert found["note"] == "new kernel"
    assert f"kubectl uncordon {victim['node']}" in found["byHand"]
    assert_kubectl_sees_cordon(stage, victim["node"], True)
    told = stage.zktui("where")
    assert told.code == 3
    for text in (run_id, "is gone", "To go on:   zktui resume", f"kubectl uncordon {victim['node']}", "new kernel"):
        assert text in told.out, told.out
    plan = stage.zktui("maintain", victim["node"], "--plan", "-o", "json")
    assert plan.code == 3, "two runs would undo each other"
    assert "unfinished" in [finding["code"] for finding in plan.json()["findings"]]

    ended = stage.zktui("resume", "--yes", "-o", "jsonl")

    assert_finished(stage, before, victim, run_id, ended, znodes)
    first, second = journal(stage.folder, run_id), journal(stage.folder, run_id, 2)
    assert second[0]["kind"] == "note" and f"{run_id}.jsonl" in second[0]["text"]
    sent = evictions(first) + evictions(second)
    assert set(sent) == {victim["uid"]}, SENT_AGAIN
    for member in whole(stage)["members"]:
        assert znodes.get(member, path) == b"written before"


def test_killed_in_hold(stage: Stage, api: Api, znodes: Znodes) -> None:
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == "leader")
    last = newest(stage.folder)

    with maintaining(stage, victim["node"], "--hold", "600") as process:
        run_id = killed_in_hold(stage, api, process, last)

    (found,) = where(stage)["runs"]
    assert [(n["node"], n["step"]) for n in found["nodes"]] == [(victim["node"], "hold")]
    assert found["away"] == []
    assert nodes(stage)[victim["node"]]["unschedulable"] is True
    ended = stage.zktui("resume", run_id, "--yes", "--hold", "1", "-o", "jsonl")
    assert_finished(stage, before, victim, run_id, ended, znodes)
    assert evictions(journal(stage.folder, run_id, 2)) == []


def test_ended_instead_of_resumed(stage: Stage, api: Api) -> None:
    """Nothing is uncordoned but named, and the lines that are printed do finish it by hand."""
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == "follower")
    last = newest(stage.folder)
    with maintaining(stage, victim["node"], "--hold", "600") as process:
        run_id = killed_in_hold(stage, api, process, last)

    ended = stage.zktui("abort", "--yes")

    assert ended.code == 0, ended
    assert f"kubectl uncordon {victim['node']}" in ended.out
    assert nodes(stage)[victim["node"]]["unschedulable"] is True
    (found,) = where(stage)["runs"]
    assert (found["run"], found["status"]) == (run_id, "aborted")
    if kubectl_program() is not None:
        for line in found["byHand"]:
            done = run(["sh", "-c", line], stage.environment())
            assert done.code == 0, (line, done)
    else:
        resumed = stage.zktui("resume", run_id, "--yes", "--hold", "0")
        assert resumed.code == 0, resumed
    assert where(stage, code=0)["runs"] == []
    whole(stage)


@pytest.mark.timeout(420)  # a lease is watched for its whole duration before it counts as expired
def test_taken_over_from_another_state_folder_by_the_typed_word(stage: Stage, znodes: Znodes) -> None:
    """Another machine has no journal of it: only the lease's own silence tells, and a person who types."""
    before = whole(stage)
    victim = next(m for m in before["members"] if m["role"] == "follower")
    last = newest(stage.folder)
    with maintaining(stage, victim["node"]) as process:
        run_id = killed_once(stage, process, last, "evict", victim["pod"])
    elsewhere = str(stage.folder / "elsewhere" / "state")

    (found,) = where(stage, state=elsewhere)["runs"]
    assert (found["free"], found["takeOver"]) == (False, run_id)
    assert 0 < found["wait"] <= 40
    refused = stage.zktui("resume", "--yes", XDG_STATE_HOME=elsewhere)
    assert refused.code == 3
    assert f"zktui resume --take-over {run_id}" in refused.err
    wrong = stage.zktui("resume", "--take-over", "20000101-000000-0000", XDG_STATE_HOME=elsewhere)
    assert wrong.code == 2, wrong

    ended = stage.zktui("resume", "--take-over", run_id, "-o", "jsonl", timeout=400, XDG_STATE_HOME=elsewhere)

    assert "Watching its lease" in ended.err
    assert_finished(stage, before, victim, run_id, ended, znodes)
    sent = evictions(journal(stage.folder, run_id)) + evictions(journal(stage.folder / "elsewhere", run_id, 2))
    assert set(sent) == {victim["uid"]}, SENT_AGAIN


def test_a_living_run_is_nobody_elses(stage: Stage) -> None:
    whole(stage)
    follower = next(m for m in stage.status()["members"] if m["role"] == "follower")
    last = newest(stage.folder)
    with maintaining(stage, follower["node"], "--hold", "600") as process:

        def held() -> bool:
            run_id = newest(stage.folder)
            return run_id != last and any(e["kind"] == "hold" for e in journal(stage.folder, run_id))

        eventually("the node to be held", held, 60.0)
        (found,) = where(stage)["runs"]
        assert (found["free"], found["wait"]) == (False, None)
        refused = stage.zktui("resume", "--take-over", found["run"])
        assert refused.code == 3 and "under way" in refused.err
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
    # It named what it left; whoever resumes it gives that back.
    resumed = stage.zktui("resume", "--yes", "--hold", "0")
    assert resumed.code == 0, resumed
    whole(stage)
