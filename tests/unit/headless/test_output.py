from __future__ import annotations

import argparse

import pytest

from zktui import wiring
from zktui.cli import main
from zktui.core.kube import PodKey
from zktui.core.text import count, printable, span
from zktui.flags import as_kubectl, duration, parser
from zktui.headless.maintain import Request, exit_code, go_or_no_go, line
from zktui.headless.output import table
from zktui.headless.plan import document, text
from zktui.maintenance.model import (
    Event,
    Finding,
    Gate,
    GateName,
    Level,
    NodePlan,
    NodeRun,
    NodeStep,
    Options,
    Plan,
    PodRun,
    PodStep,
    Run,
    RunStatus,
    Standing,
)


def plan(*findings: Finding) -> Plan:
    return Plan((), (NodePlan("node-1", "n1", False, (), ()),), Options(), findings, 0.0, 0, 0)


def run(status: RunStatus, *gates: Gate) -> Run:
    pod = PodRun(PodKey("default", "zk-0", "u"), True, PodStep.GATE, gates=gates)
    return Run("r", plan(), status, (NodeRun("node-1", "n1", NodeStep.CLAIM, (pod,)),))


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("0", 0.0), ("90", 90.0), ("1.5", 1.5), ("90s", 90.0), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25)],
)
def test_durations_as_kubectl_takes_them(typed: str, seconds: float) -> None:
    assert duration(typed) == seconds


@pytest.mark.parametrize("typed", ["", "soon", "-5", "5x", "m5", "5m5", "1d"])
def test_what_is_no_duration(typed: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(typed)


def test_flags_of_where_survive_the_command() -> None:
    given = parser().parse_args(["--context", "prod", "-A", "status", "-o", "json"])
    assert (given.context, given.all_namespaces, given.command, given.output) == ("prod", True, "status", "json")
    given = parser().parse_args(["status", "--context", "prod"])
    assert given.context == "prod"


def test_wrong_flags_are_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["maintain", "node-1", "--spare", "some"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "zktui maintain: argument --spare: 'some' is not a whole number. Try: zktui maintain --help\n"
    )


def test_every_option_of_kubectl_drain_has_its_name_here() -> None:
    """`kubectl drain --help` of 1.32 to 1.37, each as it may be typed there."""
    typed = ["--chunk-size=250", "--delete-emptydir-data=true", "--disable-eviction=false", "--dry-run=server"]
    typed += ["--force=false", "--grace-period=-1", "--ignore-daemonsets=1", "--pod-selector=app=web", "-l", "pool=zk"]
    typed += ["--skip-wait-for-delete-timeout=5", "--timeout=0s"]
    given = parser().parse_args(as_kubectl(["maintain", "node-1", *typed]))
    assert (given.delete_emptydir_data, given.ignore_daemonsets) == (True, True)
    assert (given.force, given.disable_eviction) == (False, False)
    assert (given.dry_run, given.nodes, given.selector) == ("server", ["node-1"], "pool=zk")


@pytest.mark.parametrize("dry", ["server", "client"])
def test_a_dry_run_is_a_plan(dry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []

    def planned(_settings: object, request: Request) -> int:
        asked.append(request)
        return 0

    monkeypatch.setattr(wiring, "run_maintain", planned)
    assert main(["maintain", "node-1", f"--dry-run={dry}"]) == 0
    assert main(["maintain", "node-1", "--dry-run=none"]) == 0
    assert [request.plan_only for request in asked] == [True, False]


def test_deleting_past_a_budget_is_known_and_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintain", "node-1", "--disable-eviction", "--yes"]) == 2
    told = capsys.readouterr().err
    assert "deletes pods past their budgets, which zktui never does: nothing was changed." in told


@pytest.mark.parametrize("option", ["--selector", "--pod-selector"])
def test_a_selector_that_is_none_is_a_wrong_command_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintain", "node-1", option, "pool=("]) == 2
    assert f"{option}: not a label selector: 'pool=('." in capsys.readouterr().err


def test_maintain_needs_nodes_in_one_way_or_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintain"]) == 2
    told = capsys.readouterr().err
    assert told == "zktui: No node was named. Name nodes, or give --selector or --ensemble-nodes.\n"


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    shown = table(("NAME", "N"), [("zk-0", "1"), ("zookeeper-10", "200")], frozenset({1}))
    assert shown == "NAME             N\nzk-0             1\nzookeeper-10   200"


def test_wide_characters_take_two_columns() -> None:
    assert table(("A", "B"), [("日本", "x"), ("abc", "y")]) == "A      B\n日本   x\nabc    y"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [("plain", "plain"), ("\x1b[31mred\x07", "␛[31mred␇"), ("a\u202eb", "a\\u202eb"), ("tab\there", "tab␉here")],
)
def test_nothing_from_outside_is_obeyed(raw: str, shown: str) -> None:
    assert printable(raw) == shown
    assert table(("A",), [(raw,)]).splitlines()[1] == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (130, "2m10s"),
        (180, "3m"),
        (3000, "50m"),
        (12000, "3h20m"),
        (40000, "11h"),
        (200000, "2d7h"),
    ],
)
def test_ages_as_kubectl_shows_them(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_counting() -> None:
    assert (count(1, "node"), count(2, "node"), count(0, "eviction")) == ("1 node", "2 nodes", "0 evictions")


CLOSED = Gate(GateName.BUDGET, Standing.BLOCKED, "allows 0", 0.0)
OPEN = Gate(GateName.BUDGET, Standing.OK, "allows 1", 0.0)


@pytest.mark.parametrize(
    ("ended", "interrupted", "code"),
    [
        (run(RunStatus.DONE), False, 0),
        (run(RunStatus.DONE), True, 0),
        (run(RunStatus.ABORTED), True, 130),
        (run(RunStatus.ABORTED), False, 1),
        (run(RunStatus.FAILED, OPEN), False, 1),
        (run(RunStatus.FAILED, OPEN, CLOSED), False, 3),
    ],
)
def test_exit_codes_of_a_run(ended: Run, interrupted: bool, code: int) -> None:
    assert exit_code(ended, interrupted=interrupted) == code


STOP = Finding(Level.STOP, "no quorum", "bring it back", "no-quorum")
DENIED = Finding(Level.STOP, "not permitted: patch nodes", "", "permission")
DEGRADED = Finding(Level.WARN, "2 of 3 voters serve", "", "degraded")


@pytest.mark.parametrize(
    ("findings", "code", "last"),
    [
        ((), 0, "go: nothing in the review says stop"),
        ((STOP,), 3, "no-go: 1 stop"),
        ((STOP, DENIED), 3, "no-go: 2 stops"),
        ((DENIED,), 4, "no-go: 1 stop"),
        ((DEGRADED,), 3, "no-go now: a run would wait before its first eviction until the others serve"),
    ],
)
def test_go_or_no_go(findings: tuple[Finding, ...], code: int, last: str) -> None:
    reviewed = plan(*findings)
    assert go_or_no_go(reviewed) == code
    assert text(reviewed).splitlines()[-1] == last
    assert document(reviewed)["go"] is (code == 0)


def test_a_line_of_the_journal_obeys_nothing() -> None:
    shown = line(Event(1, 1_700_000_000.0, "note", "pod \x1b[2Jgone"))
    assert shown.endswith("  pod ␛[2Jgone")
    assert len(shown.split("  ")[0]) == len("10:21:02")
