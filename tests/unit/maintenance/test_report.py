"""Reports by hand-written journals: outages by readings, hostile texts, and files that are torn or not ours."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from zktui.maintenance.journal import FileJournal
from zktui.maintenance.markdown import plain, to_markdown
from zktui.maintenance.model import Event, JsonValue
from zktui.maintenance.outages import BELOW, LEADERLESS, UNKNOWN
from zktui.maintenance.report import UNATTENDED, report
from zktui.maintenance.reportjson import to_document, to_jsonl
from zktui.maintenance.runs import BROKEN, RUNNING, list_runs, salvage, save_report

T0 = 1_800_000_000.0


def line(seq: int, kind: str, text: str = "", wall: float = 0.0, **data: JsonValue) -> Event:
    return Event(seq, T0 + wall, kind, text, data=data)


def seen(
    seq: int, serving: int, leader: str, at: tuple[float, float], before: tuple[float, float] | None, epoch: int = 1
) -> Event:
    """A reading of three voters that differs from the one before."""
    health = "quorum" if leader and serving >= 2 else "no quorum"
    data: dict[str, JsonValue] = {"ensemble": "default/zk", "serving": serving, "voters": 3, "health": health}
    data |= {"leader": leader, "epoch": epoch, "reading": [*at], "before": [*before] if before else None}
    return Event(seq, T0 + at[1], "quorum", "", data=data)


def test_an_outage_is_known_as_exactly_as_was_looked() -> None:
    events = [
        seen(1, 3, "zk-0", (0.0, 0.1), None),
        seen(2, 1, "", (10.0, 10.2), (9.5, 9.6)),
        seen(3, 2, "zk-1", (12.0, 12.1), (11.5, 11.6), epoch=2),
    ]
    found = report(events)
    assert {outage.what for outage in found.outages} == {BELOW, LEADERLESS}
    for outage in found.outages:
        assert (round(outage.at_least, 3), outage.at_most) == (1.3, pytest.approx(2.6))  # pyright: ignore[reportUnknownMemberType] - pytest's own
    assert [(e.before, e.leader, e.epoch) for e in found.elections] == [("zk-0", "zk-1", 2)]
    assert found.outage(UNKNOWN) == (0, 0)


def test_a_frozen_leader_is_no_leader_while_its_followers_still_say_so() -> None:
    events = [
        seen(1, 3, "zk-0", (0.0, 0.1), None),
        seen(2, 2, "", (5.0, 6.2), (4.5, 4.6)),
        seen(3, 2, "zk-1", (15.0, 15.1), (14.5, 14.6), epoch=2),
    ]
    leaderless, below = report(events).outages
    assert (leaderless.what, round(leaderless.at_least, 3)) == (LEADERLESS, 8.3)
    # Both followers were heard saying that they follow; but while they elected, neither served.
    assert (below.what, below.at_least, round(below.at_most or 0.0, 3)) == (BELOW, 0.0, 10.6)


def test_an_election_between_two_readings_is_an_outage_of_at_most_their_distance() -> None:
    events = [seen(1, 3, "zk-0", (0.0, 0.1), None), seen(2, 2, "zk-2", (8.0, 8.1), (7.4, 7.5), epoch=2)]
    found = report(events)
    assert {(o.what, o.at_least) for o in found.outages} == {(BELOW, 0.0), (LEADERLESS, 0.0)}
    assert all(o.at_most is not None and abs(o.at_most - 0.7) < 1e-6 for o in found.outages)
    same = [seen(1, 3, "zk-0", (0.0, 0.1), None), seen(2, 2, "zk-0", (8.0, 8.1), (7.4, 7.5), epoch=3)]
    assert [(e.before, e.leader) for e in report(same).elections] == [("zk-0", "zk-0")], "elected anew"


def test_an_outage_that_lasts_has_no_most() -> None:
    events = [seen(1, 3, "zk-0", (0.0, 0.1), None), seen(2, 1, "", (5.0, 5.1), (4.5, 4.6))]
    found = report(events)
    assert found.outage(BELOW)[1] is None
    assert "it lasted when the journal ended" in to_markdown(found)
    assert to_document(found)["belowMajority"] == {"atLeast": 0.0, "atMost": None}


def test_what_is_not_known_does_not_end_an_outage() -> None:
    unknown = seen(3, 1, "", (10.0, 10.1), (9.5, 9.6))
    unknown = replace(unknown, data={**unknown.data, "health": "unknown"})
    events = [
        seen(1, 3, "zk-0", (0.0, 0.1), None),
        seen(2, 1, "", (5.0, 5.1), (4.5, 4.6)),
        unknown,
        seen(4, 3, "zk-0", (12.0, 12.1), (11.5, 11.6)),
    ]
    below = next(o for o in report(events).outages if o.what == BELOW)
    assert (round(below.at_least, 3), below.at_most) == (4.4, pytest.approx(7.6))  # pyright: ignore[reportUnknownMemberType] - pytest's own
    not_known = next(o for o in report(events).outages if o.what == UNKNOWN)
    assert not_known.at_most == pytest.approx(2.6)  # pyright: ignore[reportUnknownMemberType] - pytest's own


def test_clocks_of_two_programs_are_never_compared() -> None:
    first = [seen(1, 3, "zk-0", (900.0, 900.1), None), seen(2, 1, "", (905.0, 905.1), (904.5, 904.6))]
    second = [seen(1, 3, "zk-1", (3.0, 3.1), None, epoch=2)]
    found = report([*first, *second])
    assert found.parts == 2
    assert all(outage.at_most is None and outage.over for outage in found.outages)
    assert "1 of 3" in to_markdown(found) and "over when the run was taken up again" in to_markdown(found)
    assert len(found.elections) == 1, "but who leads is the same everywhere"


HOSTILE = "a|b `c` *d* [e](javascript:f) <script>g</script>\n# h\x1b[31m\u202e ![i](j) &amp; ~k~"


def test_whatever_the_cluster_says_is_text() -> None:
    events = [
        line(1, "plan", HOSTILE, run="r|1", who=HOSTILE, nodes=[HOSTILE], reasons=[HOSTILE]),
        line(2, "reply", HOSTILE),
        line(3, "note", HOSTILE, note=HOSTILE),
        line(4, "budget", "", budget=HOSTILE, allowed=1),
        line(5, "failed", HOSTILE, cordoned=[HOSTILE]),
    ]
    text = to_markdown(report(events))
    assert "\x1b" not in text and "\u202e" not in text
    without = re.sub(r"\\[\\`*_\[\]<>|#~&!]", "", text)
    assert "<" not in without and "](" not in without and "h" in without
    assert all(row.count("|") == 7 for row in without.splitlines() if row.startswith(("| 0", "| 1")))
    assert not [row for row in text.splitlines() if row.startswith("# ") and row[2:3] == "h"]
    for row in to_jsonl(report(events)).splitlines():
        json.loads(row)
    assert plain("zk-1") == "zk-1"


def test_values_of_a_wrong_kind_are_left_out() -> None:
    events = [
        line(1, "plan", "", run=7, nodes="node-1", members=[3, {"pod": None}], findings={"a": 1}, options=[1]),
        line(2, "quorum", "", health=3, reading=["a", "b"]),
        line(3, "quorum", "", reading=[1.0, 2.0], before="x", epoch="y"),
        line(4, "budget", "", allowed="many"),
        line(5, "proof", "", readings="x", probe={"sessions": [{"home": 4}], "gaps": 9}),
        line(6, "done", "", cordoned="node-1", state={"nodes": 4, "doing": [1]}),
    ]
    found = report(events)
    assert (found.status, found.cordoned) == ("done", ())
    assert to_markdown(found) and to_jsonl(found) and to_document(found)
    with pytest.raises(ValueError, match="without a line"):
        report([])


def written(folder: Path, name: str, *events: Event) -> Path:
    journal = FileJournal(folder / "runs" / name)
    for event in events:
        journal.append(event)
    journal.close()
    return journal.path


DONE = (line(0, "plan", run="20260101-000000-aaaa", nodes=["node-1"]), line(0, "done", "Done.", cordoned=[]))


def test_files_that_are_torn_or_not_ours_are_told_and_harm_nothing(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    good = written(tmp_path, "20260101-000000-aaaa.jsonl", *DONE)
    torn = written(tmp_path, "20260102-000000-bbbb.jsonl", DONE[0])
    with torn.open("ab") as file:
        file.write(b'{"seq": 2, "time": 18')
    broken = written(tmp_path, "20260103-000000-cccc.jsonl", DONE[0])
    with broken.open("ab") as file:
        file.write(b"\x00\xff not json\n" + good.read_bytes())
    (runs / "20260104-000000-dddd.jsonl").write_text("this is no journal\n")
    (runs / "20260105-000000-eeee.jsonl").mkdir()
    (runs / "20260106-000000-ffff.jsonl").write_text("")
    os.mkfifo(runs / "20260107-000000-gggg.jsonl")
    (runs / "20260108-000000-hhhh.jsonl").symlink_to(runs / "nowhere")
    (runs / "20260109-000000-iiii.jsonl").write_text("[" * 100_000 + "\n")
    (runs / "notes.txt").write_text("mine")
    (runs / ".hidden.jsonl").write_text("{}")
    found = {run.id[9:].partition("-")[2]: (run.status, run.problem) for run in list_runs(tmp_path)}
    assert found == {
        "aaaa": ("done", ""),
        "bbbb": (UNATTENDED, ""),
        "cccc": (UNATTENDED, "20260103-000000-cccc.jsonl is corrupted in line 2."),
        "dddd": (BROKEN, "20260104-000000-dddd.jsonl is corrupted in line 1."),
        "eeee": (BROKEN, "20260105-000000-eeee.jsonl is no file."),
        "ffff": (BROKEN, "20260106-000000-ffff.jsonl is empty."),
        "gggg": (BROKEN, "20260107-000000-gggg.jsonl is no file."),
        "hhhh": (BROKEN, "20260108-000000-hhhh.jsonl can't be read: No such file or directory."),
        "iiii": (BROKEN, "20260109-000000-iiii.jsonl is corrupted in line 1."),
    }
    assert [run.id for run in list_runs(tmp_path, 2)] == ["20260109-000000-iiii", "20260108-000000-hhhh"]
    assert list_runs(tmp_path / "elsewhere") == ()
    assert "corrupted" in save_report(runs / "20260104-000000-dddd.jsonl")


def test_a_journal_whose_program_lives_is_of_a_running_run(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "runs" / "20260101-000000-aaaa.jsonl")
    journal.append(DONE[0])
    assert [run.status for run in list_runs(tmp_path)] == [RUNNING]
    journal.close()
    assert [run.status for run in list_runs(tmp_path)] == [UNATTENDED]


def test_lines_that_are_out_of_order_end_what_is_believed(tmp_path: Path) -> None:
    path = written(tmp_path, "20260101-000000-aaaa.jsonl", *DONE)
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(rows[0] + rows[0])
    events, problem = salvage(path)
    assert (len(events), problem) == (1, f"{path.name} is corrupted: line 2 says that it is number 1.")
