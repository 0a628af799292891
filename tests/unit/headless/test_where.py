"""What `zktui where` says, and which run `resume` and `abort` take."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from zktui.cli import main
from zktui.core.kube import Node
from zktui.errors import Blocked, UsageError
from zktui.flags import parser
from zktui.headless.resume import Taking, chosen
from zktui.headless.resume import _refuse as refuse  # pyright: ignore[reportPrivateUsage]  # its table of refusals
from zktui.headless.where import describe, document, headline, standing, text
from zktui.maintenance.model import Hold, HoldKind, NodeRun, NodeStep, Options, RunStatus, Unfinished

NOW = 1_800_000_000.0
RUN = Unfinished(
    run_id="20261123-210635-ab12",
    namespace="default",
    holder="ann@laptop/1 (20261123-210635-ab12)",
    started=NOW - 725,
    renewed=NOW - 90,
    status=RunStatus.RUNNING,
    message="zk-1 terminates",
    nodes=(
        NodeRun("node-1", "n1", NodeStep.VERIFIED),
        NodeRun("node-2", "n2", NodeStep.DRAIN, cordoned_by_us=True),
        NodeRun("node-3", "n3"),
    ),
    cordoned=("node-2",),
    away=("zk-1",),
    note="new kernel",
    options=Options(hold=Hold(HoldKind.SECONDS, 1.0)),
    free=True,
    wait=0.0,
    word="",
    next_step="Go on draining node-2: wait until zk-1 has left.",
    by_hand=("kubectl uncordon node-2",),
)
ANOTHERS = replace(RUN, free=False, wait=40.0, word=RUN.run_id)
ALIVE = replace(RUN, free=False, wait=None, word=RUN.run_id)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zktui.headless.resume.interactive", lambda: False)


def test_a_person_in_a_hurry_is_told_everything() -> None:
    assert describe(RUN, NOW).splitlines()[2:] == [
        "  its process, on this machine, is gone",
        "  note: new kernel",
        "  it said: zk-1 terminates",
        "",
        "  NODE     STEP       CORDONED",
        "  node-1   verified",
        "  node-2   drain      by this run",
        "  node-3   pending",
        "",
        "  Not known to be back: zk-1",
        "",
        "  Next: Go on draining node-2: wait until zk-1 has left.",
        "  To go on:   zktui resume 20261123-210635-ab12",
        "  To end it:  zktui abort 20261123-210635-ab12",
        "  By hand:",
        "    kubectl uncordon node-2",
    ]
    assert describe(RUN, NOW).startswith("Run 20261123-210635-ab12: unfinished, draining node-2\n  begun ")
    assert "(12m ago) by ann@laptop/1" in describe(RUN, NOW)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (RUN, "its process, on this machine, is gone"),
        (replace(RUN, holder=""), "nobody holds it"),
        (ALIVE, "it is under way: ann@laptop/1"),
        (ANOTHERS, "whether somebody is at it shows only when its lease is watched for 40 s"),
        (
            replace(ANOTHERS, free=True, wait=0.0),
            "nobody renews its lease: its lease was renewed 90s ago by its holder",
        ),
    ],
)
def test_whose_it_is(run: Unfinished, words: str) -> None:
    assert standing(run, NOW).startswith(words)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (replace(RUN, status=RunStatus.FAILED), "failed, and node-2 is left cordoned"),
        (replace(RUN, nodes=()), "unfinished, and what it has written can't be used"),
        (replace(RUN, nodes=RUN.nodes[:1]), "every node is done, and it was not ended"),
    ],
)
def test_how_it_stands(run: Unfinished, words: str) -> None:
    assert headline(run) == words


def test_anothers_run_takes_its_id() -> None:
    told = describe(ANOTHERS, NOW)
    assert f"zktui resume --take-over {RUN.run_id}" in told
    assert "zktui resume" not in describe(ALIVE, NOW), "it goes on where it is"
    refused = replace(RUN, refused="The state of the run is corrupted.")
    over = replace(RUN, status=RunStatus.ABORTED)
    assert "It is over. Once uncordoned, as below, it leaves nothing: node-2" in describe(over, NOW)
    assert "To end it" not in describe(over, NOW), "it was ended, and ending it once more changes nothing"
    assert "To go on" not in describe(refused, NOW) and "To end it" in describe(refused, NOW)


def test_every_cordon_is_named_with_whose_it_is() -> None:
    nodes = [
        Node("node-2", "n2", unschedulable=True, annotations={"zktui/run": RUN.run_id}),
        Node("node-7", "n7", unschedulable=True, annotations={"zktui/run": "20260101-000000-0000"}),
        Node("node-9", "n9", unschedulable=True),
    ]
    told = text((), nodes, NOW)
    assert told.startswith("Nothing is unfinished.")
    assert "node-7     run 20260101-000000-0000, which is over" in told
    assert "node-9     someone else, not by zktui" in told
    assert f"node-2     run {RUN.run_id}\n" in text((RUN,), nodes, NOW)


def test_nothing_in_it_is_obeyed_by_a_terminal() -> None:
    evil = "\x1b[2J\u202e\r"
    told = describe(replace(RUN, note=evil, message=evil, holder=evil, next_step=evil, by_hand=(evil,)), NOW)
    assert "\x1b" not in told and "\u202e" not in told and "\r" not in told


def test_the_document_can_be_read_by_programs() -> None:
    told = json.loads(json.dumps(document((RUN, ANOTHERS), [])))
    assert told["kind"] == "Where"
    first, second = told["runs"]
    assert (first["free"], first["wait"], first["takeOver"]) == (True, 0.0, None)
    assert (second["free"], second["takeOver"]) == (False, RUN.run_id)
    assert first["nodes"][1] == {"node": "node-2", "uid": "n2", "step": "drain", "cordoned": True}


def test_which_run_is_meant() -> None:
    other = replace(RUN, run_id="20261123-220000-cd34")
    assert chosen((), Taking()) is None
    assert chosen((RUN,), Taking()) is RUN
    assert chosen((RUN, other), Taking(run=other.run_id)) is other
    with pytest.raises(UsageError, match="Several runs are unfinished"):
        chosen((RUN, other), Taking())
    with pytest.raises(UsageError, match="no unfinished run nonsense"):
        chosen((RUN,), Taking(run="nonsense"))


@pytest.mark.parametrize(
    ("run", "taking", "error", "words"),
    [
        (ALIVE, Taking(typed=RUN.run_id), Blocked, "under way"),
        (ANOTHERS, Taking(yes=True), Blocked, f"zktui resume --take-over {RUN.run_id}"),
        (ANOTHERS, Taking(yes=True, ending=True), Blocked, f"zktui abort --take-over {RUN.run_id}"),
        (RUN, Taking(), UsageError, "no terminal to ask"),
        (replace(RUN, refused="It is corrupted."), Taking(yes=True), Blocked, "It is corrupted."),
        (replace(RUN, options=Options()), Taking(yes=True), UsageError, "asks before it uncordons"),
    ],
)
def test_what_is_refused_without_a_terminal(
    run: Unfinished, taking: Taking, error: type[Exception], words: str
) -> None:
    """--yes answers the question whether to begin, and nothing else."""
    with pytest.raises(error) as refused:
        refuse(run, taking)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("run", "taking"),
    [
        (RUN, Taking(yes=True)),
        (ANOTHERS, Taking(typed=RUN.run_id)),
        (replace(RUN, options=Options()), Taking(yes=True, hold=Hold(HoldKind.SECONDS, 0.0))),
        (replace(RUN, options=Options(), refused="It is corrupted."), Taking(yes=True, ending=True)),
    ],
)
def test_what_is_not_refused(run: Unfinished, taking: Taking) -> None:
    refuse(run, taking)


def test_flags() -> None:
    given = parser().parse_args(["resume", "--take-over", "r", "--hold", "30s", "-o", "jsonl", "-n", "kafka"])
    assert (given.command, given.take_over, given.hold, given.output) == (
        "resume",
        "r",
        Hold(HoldKind.SECONDS, 30.0),
        "jsonl",
    )
    assert main(["abort", "one", "--take-over", "two"]) == 2
