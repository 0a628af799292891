"""An operator's program is killed with SIGKILL; another, at another machine, takes the run over on screen."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.scenarios.api import Api
from tests.scenarios.keys import Terminal, to_node
from tests.scenarios.play import by_name, nodes, serving, whole
from tests.scenarios.stage import Stage, eventually, has
from tests.scenarios.test_resume import SENT_AGAIN, evictions, held, journal, newest, where

EXPIRES = 75.0
"""Seconds for a lease of 40 s to be seen unchanged for its whole duration, on a busy machine."""
SPENT = 120.0
"""Seconds for which an eviction that was cut off in the middle spends its budget: the API server counts it in the
budget's status first and deletes then, and the disruption controller forgets it after this (DeletionTimeout)."""
WRONG = "19700101-000000-0000"


def sits_down(stage: Stage, name: str, folder: Path) -> Terminal:
    """An operator's own terminal: their name, and a machine that has no journal but theirs."""
    environment = {**stage.environment(), "LOGNAME": name, "XDG_STATE_HOME": str(stage.folder / name / "state")}
    return Terminal([sys.executable, "-m", "zktui"], environment, folder)


def drain_by_keys(terminal: Terminal, node: str, note: str) -> None:
    """From the main screen to a run of this node, with a note from its review on."""
    terminal.wait("quorum 3/3", "zk-pdb allows 1", deadline=60)
    terminal.press("m")
    terminal.wait("Which nodes?", node)
    to_node(terminal, node)
    terminal.press("Space", "Enter")
    terminal.wait("READY")
    terminal.press("n")
    terminal.wait("for whoever finds this run")
    terminal.type(note)
    terminal.press("Enter")
    terminal.wait(f"note  {note}")
    terminal.press("s")
    terminal.wait(f"Drain {node}?", note)
    terminal.press("y")


def evicted(stage: Stage, name: str, pod: str) -> str:
    """Id of the operator's run, once its journal says that this pod's eviction is sent."""

    def told() -> str:
        run_id = newest(stage.folder / name)
        lines = journal(stage.folder / name, run_id) if run_id else []
        return run_id if any((line["kind"], line.get("pod")) == ("evict", pod) for line in lines) else ""

    return eventually(f"the journal to tell of {pod}'s eviction", told, 60.0, 0.02)


def another_word(terminal: Terminal) -> None:
    """Than the run's own is not taken; leaves the field empty."""
    terminal.type(WRONG)
    terminal.press("Enter")
    terminal.type("x")
    assert "Resume this run?" in terminal.wait(f"{WRONG}x"), "another word than the run's own was taken"
    terminal.press("C-u")
    # What is typed at once, as no person does, may come to the field before the key that empties it.
    eventually("the field to be empty", lambda: WRONG not in terminal.screen())


@pytest.mark.timeout(420)  # a lease is watched for its whole duration before it counts as expired
def test_taken_over_by_the_typed_word_and_ended_where_it_was_begun(stage: Stage, api: Api, folder: Path) -> None:
    if not has("tmux"):
        pytest.skip("tmux is not on the PATH")
    before = whole(stage)
    victim = next(member for member in before["members"] if member["role"] == "follower")
    node = victim["node"]
    ann = sits_down(stage, "ann", folder)
    bob = back = None
    try:
        drain_by_keys(ann, node, "new disk")
        run_id = evicted(stage, "ann", victim["pod"])
        ann.kill()

        bob = sits_down(stage, "bob", folder)
        bob.wait("HELD", "ann@", "It is free in", run_id, "new disk", node, deadline=30)
        bob.wait("UNATTENDED", "resume:", deadline=EXPIRES)
        bob.press("r")
        bob.wait("Resume this run?", "is not known to be gone", f"type {run_id} to resume it")
        another_word(bob)
        bob.type(run_id)
        bob.wait("enter resume it")
        bob.press("Enter")
        bob.wait("YOURS", f"{node} is drained", "new disk", deadline=SPENT + 60)
        moved = by_name(serving(stage))[victim["pod"]]["uid"]
        sent = evictions(journal(stage.folder / "ann", run_id)) + evictions(journal(stage.folder / "bob", run_id, 2))
        assert set(sent) == {victim["uid"]}, SENT_AGAIN
        eventually("the lease to say that the node is held", lambda: held(api) == run_id, 10.0)
        bob.kill()

        # At the same machine it is known to be dead: no word, and no waiting.
        back = sits_down(stage, "bob", folder)
        back.wait("UNATTENDED", "bob@", "from this machine", f"Hold {node}", deadline=30)
        back.press("a")
        back.wait("End this run?", f"{node} stays cordoned")
        back.press("y")
        back.wait("ABORTED", f"kubectl uncordon {node}", deadline=30)
        assert nodes(stage)[node]["unschedulable"] is True, "nothing is uncordoned by itself"
        back.press("Enter")
        back.wait("Znodes", "quorum 3/3")
        back.press("q")
        assert back.exit_code() == 0
    finally:
        for terminal in (ann, bob, back):
            if terminal is not None:
                terminal.close()
    api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})
    after = by_name(whole(stage))
    old = by_name(before)
    assert after[victim["pod"]]["uid"] == moved != victim["uid"], "it was moved a second time"
    assert {name: after[name]["uid"] for name in old.keys() - {victim["pod"]}} == {
        name: old[name]["uid"] for name in old.keys() - {victim["pod"]}
    }
    assert where(stage, code=0, state=str(stage.folder / "bob" / "state"))["runs"] == []
