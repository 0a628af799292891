"""What a run leaves to be read, held against what kubectl, the members and a judge from outside say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.measure import judging
from tests.e2e.verdict import Verdict
from tests.e2e.ways import Bench
from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import by_name, kubectl, needs_kubectl, nodes, pod, serving, whole
from tests.scenarios.stage import Stage, eventually

LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/zktui-maintenance"
BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/zk-pdb"
SLACK = 0.4
"""Seconds by which two who look ten times a second, or twice, may differ on a busy machine."""
RETURN = 10.0
"""Seconds in which a client finds a member that serves: a second for each of three to fail, as much for a pause."""


def test_a_whole_maintenance_and_its_report(stage: Stage, api: Api, znodes: Znodes, folder: Path) -> None:
    needs_kubectl()
    before = whole(stage)
    leader = next(m for m in before["members"] if m["role"] == "leader")
    other = next(m for m in before["members"] if m["role"] == "follower")
    why = f"disk {uuid.uuid4().hex[:8]}"
    names = [leader["node"], other["node"]]
    with judging(Bench(stage), folder / "judge.log") as judgement:
        asked = ("--yes", "--dwell", "2s", "--probe-writes", "--note", why)
        ended = stage.zktui("maintain", *names, *asked, timeout=600.0)
    assert ended.code == 0, ended
    after = whole(stage)
    told = stage.zktui("runs", "last", "-o", "json").json()

    assert (told["status"], told["cordoned"], told["notes"]) == ("done", [], [why])
    assert told["plan"]["nodes"] == [other["node"], leader["node"]]
    assert f"({told['run']})" in told["who"]
    moved = {move["pod"]: move for move in told["moves"] if move["member"]}
    assert set(moved) == {leader["pod"], other["pod"]}
    by_the_api(stage, api, told, moved, by_name(before))
    assert judgement.verdict is not None
    by_the_members(told, after, judgement.verdict)
    by_clients(told, {m["pod"] for m in before["members"]}, judgement.verdict)
    eventually("the probe's znodes to be gone", lambda: not probes(znodes, after["members"][0]))
    as_files(stage, told)
    described(stage, told, moved)


def by_the_api(stage: Stage, api: Api, told: Any, moved: Any, before: Any) -> None:
    """What moved where, what is cordoned, and the budget as its status is."""
    for name, move in moved.items():
        now = pod(api, name)
        assert (move["uid"], move["from"]) == (before[name]["uid"], before[name]["node"])
        assert now["metadata"]["uid"] != move["uid"]
        assert move["to"] == now["spec"]["nodeName"]
        assert move["replies"] == [f"evict {name}: 201"]
        assert move["evicted"] < move["gone"] < move["verified"]
    assert not [node for node in nodes(stage).values() if node["unschedulable"]]
    assert api.get(LEASE)["spec"].get("holderIdentity", "") == ""
    status, last = api.get(BUDGET)["status"], told["budget"][-1]
    keys = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
    assert {key: last[key] for key in keys} == {key: status[key] for key in keys}
    assert {point["disruptionsAllowed"] for point in told["budget"]} == {0, 1}


def by_the_members(told: Any, after: Any, verdict: Verdict) -> None:
    """Who leads; and how long nobody did, by the judge, who asked each member ten times a second."""
    assert told["electionsSeen"] == verdict.elections == len(told["elections"])
    assert told["elections"][-1]["leader"] == next(m["pod"] for m in after["members"] if m["role"] == "leader")
    assert told["elections"][-1]["epoch"] == after["quorum"]["epoch"]
    judged = {"belowMajority": verdict.below_majority, "withoutLeader": verdict.without_leader}
    for key, seconds in judged.items():
        span = told[key]
        assert span["atLeast"] - SLACK <= seconds <= span["atMost"] + SLACK, (span, seconds)
    assert not any(verdict.writes.lost.values()), verdict.writes


def by_clients(told: Any, members: set[str], verdict: Verdict) -> None:
    sessions = told["probe"]["sessions"]
    assert {session["session"] for session in sessions} == members
    for session in sessions:
        assert session["writes"] > 5
        assert (session["lostWrites"], session["expired"]) == (0, 0)
        assert session["failures"] >= 1, "an election is felt by every session"
    assert 0.0 < told["probe"]["longestGap"] < verdict.without_leader + RETURN


def as_files(stage: Stage, told: Any) -> None:
    """Beside the journal, and the same as what is printed."""
    runs = Path(stage.environment()["XDG_STATE_HOME"]) / "zktui" / "runs"
    text = (runs / f"{told['run']}.md").read_text()
    assert text == stage.zktui("runs", told["run"]).out
    assert told["notes"][0] in text and "| left cordoned | none |" in text
    lines = [json.loads(line) for line in (runs / f"{told['run']}.report.jsonl").read_text().splitlines()]
    assert (lines[0]["run"], lines[0]["membersMoved"]) == (told["run"], 2)
    listed = stage.zktui("runs", "-o", "json").json()["runs"]
    assert (listed[0]["run"], listed[0]["status"], listed[0]["nodes"]) == (told["run"], "done", told["plan"]["nodes"])
    assert told["run"] in stage.zktui("runs").out


def described(stage: Stage, told: Any, moved: Any) -> None:
    """Events that kubectl describe shows, on the nodes and on the StatefulSet."""
    for name in told["plan"]["nodes"]:
        text = kubectl(stage, "describe", "node", name)
        lines = [line for line in text.splitlines() if told["run"] in line]
        # By name: kubectl orders events by the second, and a member can be verified and its node uncordoned in one.
        assert sorted(word for line in lines for word in line.split() if word.startswith("Zktui")) == [
            "ZktuiCordoned",
            "ZktuiDrained",
            "ZktuiUncordoned",
            "ZktuiVerified",
        ], text
        (drained,) = [line for line in lines if "ZktuiDrained" in line]
        assert [pod for pod, move in moved.items() if move["from"] == name and pod in drained]
    text = kubectl(stage, "describe", "statefulset", "zk")
    verified = [line for line in text.splitlines() if "ZktuiVerified" in line and told["run"] in line]
    assert len(verified) == 2, text
    for name, move in moved.items():
        assert [line for line in verified if f"{name} on {move['to']}" in line]


@contextmanager
def probing(stage: Stage, *arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "zktui", "probe", "-o", "jsonl", *arguments]
    process = subprocess.Popen(
        command,
        env=dict(stage.environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_the_probe_through_an_election(stage: Stage, api: Api, znodes: Znodes, folder: Path) -> None:
    needs_kubectl()
    before = whole(stage)
    leader = next(m for m in before["members"] if m["role"] == "leader")
    member = next(m for m in before["members"] if m["role"] == "follower")
    with judging(Bench(stage), folder / "judge.log") as judgement, probing(stage, "--writes") as process:
        eventually("writes in all sessions", lambda: len(written(znodes, member, 3)) == 3)
        api.delete(f"/api/v1/namespaces/default/pods/{leader['pod']}")
        after = serving(stage)
        numbers = written(znodes, by_name(after)[member["pod"]])
        later = {name: number + 3 for name, number in numbers.items()}

        def goes_on() -> bool:
            now = written(znodes, by_name(after)[member["pod"]])
            return all(now.get(name, 0) >= number for name, number in later.items())

        eventually("more writes in all sessions", goes_on)
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert judgement.verdict is not None
    assert process.returncode == 3, err
    *lines, result = [json.loads(line) for line in out.splitlines()]
    sessions = {s["session"]: s for s in result["sessions"]}
    assert set(sessions) == {m["pod"] for m in before["members"]}
    gaps = [line for line in lines if line["kind"] == "gap"]
    for name, session in sessions.items():
        assert session["failures"] >= 1, "an election is felt by every session"
        assert (session["expired"], session["lostWrites"], session["refused"]) == (0, 0, "")
        assert session["through"] in {m["pod"] for m in after["members"]}
        assert session["writes"] > 4
        assert 0.2 < session["longestGap"] < judgement.verdict.without_leader + RETURN
        mine = [gap["seconds"] for gap in gaps if gap["session"] == name]
        assert session["longestGap"] <= 0.3 or max(mine) == session["longestGap"]
    assert [gap for gap in gaps if gap["lost"] == leader["pod"]], "who was lost is named"
    assert result["longestGap"] == max(s["longestGap"] for s in sessions.values())
    eventually("its znodes to be gone", lambda: not probes(znodes, by_name(after)[member["pod"]]))
    whole(stage)


def written(znodes: Znodes, member: dict[str, Any], least: int = 0) -> dict[str, int]:
    """Name of each session's znode to the number of its newest write, from `least` on."""
    numbers = {name: int(znodes.get(member, f"/{name}")) for name in probes(znodes, member)}
    return {name: number for name, number in numbers.items() if number >= least}


def probes(znodes: Znodes, member: dict[str, Any]) -> list[str]:
    return [name for name in znodes.children(member, "/") if name.startswith("zktui-probe-")]


def test_the_probe_is_light(stage: Stage) -> None:
    ensemble = whole(stage)
    with probing(stage, "--output", "text") as process:
        assert process.stdout is not None
        assert "3 sessions" in process.stdout.readline()
        measured(1.0)  # they connect
        spent, began = cpu(process.pid), time.monotonic()
        logged = {m["pod"]: len(unasked(stage, m["pod"])) for m in ensemble["members"]}
        measured(5.0)
        share = (cpu(process.pid) - spent) / (time.monotonic() - began)
        more = {name: living(unasked(stage, name)[lines:]) for name, lines in logged.items()}
        assert not any(more.values()), f"its reads are logged: {more}"
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    rows = [line.split() for line in out.splitlines()[-3:]]
    assert {(row[0], row[1], row[3]) for row in rows} == {(m["pod"], m["pod"], "0") for m in ensemble["members"]}
    assert all(int(row[2]) > 30 for row in rows)
    assert share < 0.10, f"{share:.1%} of a processor"


def measured(seconds: float) -> None:
    """Let so much time pass: it is what is measured."""
    began = time.monotonic()
    eventually(f"{seconds:g} s", lambda: time.monotonic() - began >= seconds)


def cpu(pid: int) -> float:
    """Seconds of processor time that a process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def unasked(stage: Stage, name: str) -> list[str]:
    """Lines of a member's log, but for the four-letter words that probes of the kubelet ask."""
    log = kubectl(stage, "logs", name)
    return [line for line in log.splitlines() if "command from" not in line]


def living(lines: list[str]) -> list[str]:
    """Without what is said of sessions that expire: those are of clients that went before, and none of the probe's
    does, by its own figures."""
    expired = [
        line.rpartition("Expiring session ")[2].partition(",")[0] for line in lines if "Expiring session" in line
    ]
    return [line for line in lines if not any(session in line for session in expired)]
