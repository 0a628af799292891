"""`zktui runs` as people and programs read it, and the lines of `zktui probe`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zktui.core.ports import ProbeGap
from zktui.errors import EXIT_DONE, EXIT_FAILED, UsageError
from zktui.headless.probe import gap_document, gap_line
from zktui.headless.runs import RunsRequest, runs
from zktui.maintenance.journal import FileJournal
from zktui.maintenance.model import Event

T0 = 1_800_000_000.0


def written(folder: Path, run: str, *, node: str = "node-1", end: str = "done") -> None:
    journal = FileJournal(folder / "runs" / f"{run}.jsonl")
    journal.append(Event(0, T0, "plan", "maintenance", data={"run": run, "who": "ann", "nodes": [node]}))
    if end:
        journal.append(Event(0, T0 + 90, end, "The end.", data={"cordoned": [] if end == "done" else [node]}))
    journal.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path, "20260101-000000-aaaa")
    written(tmp_path, "20260102-000000-bbbb", node="evil\x1b[31m", end="failed")
    (tmp_path / "runs" / "20260103-000000-cccc.jsonl").write_text("no journal\n")
    return tmp_path


def test_the_list_newest_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs(folder, RunsRequest()) == EXIT_DONE
    printed = capsys.readouterr()
    rows = [line.split() for line in printed.out.splitlines()]
    assert rows[0][:4] == ["RUN", "BEGAN", "TOOK", "STATUS"]
    assert [row[0] for row in rows[1:]] == ["20260103-000000-cccc", "20260102-000000-bbbb", "20260101-000000-aaaa"]
    assert "broken" in rows[1]
    assert ("failed" in rows[2], "\x1b" in printed.out) == (True, False)
    assert rows[3][3:] == ["90s", "done", "0", "0", "none", "node-1"]
    assert printed.err.splitlines() == ["20260103-000000-cccc: 20260103-000000-cccc.jsonl is corrupted in line 1."]


def test_the_list_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs(folder, RunsRequest(output="json")) == EXIT_DONE
    document = json.loads(capsys.readouterr().out)
    assert [run["status"] for run in document["runs"]] == ["broken", "failed", "done"]
    assert document["runs"][0]["problem"]
    assert (document["runs"][2]["who"], document["runs"][2]["began"]) == ("ann", T0)
    assert runs(folder, RunsRequest(output="jsonl")) == EXIT_DONE
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()] == ["Run"] * 3


def test_one_run_by_the_beginning_of_its_id(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs(folder, RunsRequest("20260101")) == EXIT_DONE
    assert capsys.readouterr().out.startswith("# Maintenance of node-1: done\n")
    assert runs(folder, RunsRequest("20260102", "json")) == EXIT_DONE
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["status"]) == ("Report", "failed")
    assert runs(folder, RunsRequest("20260101", "jsonl")) == EXIT_DONE
    assert json.loads(capsys.readouterr().out.splitlines()[0])["run"] == "20260101-000000-aaaa"
    with pytest.raises(UsageError, match="may be any of 20260103-000000-cccc, 20260102"):
        runs(folder, RunsRequest("2026"))
    with pytest.raises(UsageError, match="There is no run nothing"):
        runs(folder, RunsRequest("nothing"))
    assert runs(folder, RunsRequest("last")) == EXIT_FAILED
    printed = capsys.readouterr()
    assert (printed.out, "corrupted" in printed.err) == ("", True)


def test_where_none_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs(tmp_path, RunsRequest()) == EXIT_DONE
    assert "No run has been made from here" in capsys.readouterr().out


def test_a_gap_in_a_line() -> None:
    gap = ProbeGap(T0, 1.26, "zk-0", "zk-0", "zk-1", "no answer\x1b[2J")
    assert gap_line(gap).endswith(
        "session of zk-0: 1.3 s without an answer from zk-0 (no answer␛[2J), then zk-1 answered"
    )
    lasts = ProbeGap(T0, 3.0, "zk-0", "", "", "connection refused")
    assert "from any member (connection refused), and it lasts" in gap_line(lasts)
    assert gap_document(gap)["seconds"] == 1.26
