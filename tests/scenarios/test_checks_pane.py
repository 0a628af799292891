"""The pane of checks in a real terminal, by keys, on a running cluster."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.scenarios.api import Api
from tests.scenarios.keys import Terminal
from tests.scenarios.play import whole
from tests.scenarios.stage import Stage, eventually, has
from tests.scenarios.test_tutorial_nodes import homes, nodes_with, spares


@pytest.mark.timeout(300)
def test_by_keys(stage: Stage, api: Api, folder: Path) -> None:
    """All chapters, then one alone after something has changed, at two sizes; and a key right after Escape."""
    if not has("tmux"):
        pytest.skip("tmux is not on the PATH")
    whole(stage)
    home = homes(stage)
    terminal = Terminal([sys.executable, "-m", "zktui"], stage.environment(), folder, 140, 40)
    try:
        terminal.wait("quorum 3/3", "follower")
        terminal.press("4")
        terminal.wait("· not run  11 Maintenance", "Not run yet: c runs this chapter, r runs all.")
        terminal.press("r")
        screen = terminal.wait("looked at", "2 Identity", deadline=90.0)
        assert re.search(r"✓ pass +2 Identity", screen), screen
        assert "✗" not in screen, "nothing fails on a healthy ensemble"
        terminal.press("End")
        terminal.wait("11 Maintenance · maintenance.order", "first: zktui maintain", "lands on")
        with nodes_with(api, "spec", {name: {"unschedulable": True} for name in spares(api, home)}):
            terminal.press("c")
            terminal.wait("! warn", "nowhere to land", deadline=60.0)
        terminal.resize(80, 24)
        terminal.wait("▸4 Checks", "! warn")
        terminal.press("/")
        terminal.wait("filter: type words")
        terminal.type("identity.myid")
        terminal.press("Enter")
        terminal.wait("zk-2  myid 3, as the configuration says")
        terminal.press(":")
        terminal.wait("Search for commands")
        terminal.type("Run checks: 10")
        terminal.wait("zktui check 10")
        terminal.press("Enter")
        eventually("the palette to close", lambda: "zktui check 10" not in terminal.screen(), 30.0)
        terminal.wait("looked at")
        terminal.press("?")
        terminal.wait("Keys and marks")
        terminal.press("Escape", "q")
        assert terminal.exit_code() == 0
    finally:
        terminal.close()
    whole(stage)
