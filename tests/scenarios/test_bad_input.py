"""Bad input gets one clear sentence and what to do, the right exit code, and never a traceback."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tests.scenarios.stage import Ended, Stage, run

COMMANDS = [("status",), ("maintain", "node-1", "--plan"), ()]
"""Headless, planning, and the interactive program, which must say it in the terminal and take no screen."""


def zktui(folder: Path, *arguments: str, kubeconfig: Path | None = None) -> Ended:
    environment: Mapping[str, str] = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "KUBECONFIG": str(kubeconfig or folder / "nowhere"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    return run([sys.executable, "-m", "zktui", *arguments], environment)


def assert_one_sentence(ended: Ended, code: int, *words: str) -> None:
    said = ended.err.strip()
    assert ended.code == code, ended
    assert "Traceback" not in ended.out + ended.err
    assert "\x1b[?1049h" not in ended.out, "the screen was taken"
    assert said.startswith("zktui: "), said
    assert len(said.splitlines()) == 1, said
    for word in words:
        assert word in said, said


def config(folder: Path, server: str, **user: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    return path


def changed(stage: Stage, folder: Path, **user: str) -> Path:
    """The stage's own kubeconfig with another user."""
    document = cast(dict[str, Any], yaml.safe_load(stage.kubeconfig.read_text()))
    document["users"][0]["user"] = user
    path = folder / "changed"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_no_kubeconfig(folder: Path, command: tuple[str, ...]) -> None:
    assert_one_sentence(zktui(folder, *command), 2, "kubeconfig", "zktui demo")


def test_a_kubeconfig_that_is_not_yaml(folder: Path) -> None:
    path = folder / "broken"
    path.write_text("clusters: [")
    assert_one_sentence(zktui(folder, "status", kubeconfig=path), 2, "broken")


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_context(folder: Path, command: tuple[str, ...]) -> None:
    path = config(folder, "http://127.0.0.1:9")
    assert_one_sentence(zktui(folder, "--context", "prod", *command, kubeconfig=path), 2, "prod", "here")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_server_that_can_not_be_reached(folder: Path, command: tuple[str, ...]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        path = config(folder, f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert_one_sentence(zktui(folder, *command, kubeconfig=path), 1, "127.0.0.1", "Nothing was changed")


@pytest.mark.parametrize(
    "arguments",
    [
        ("maintain",),
        ("--namespace", "a", "--all-namespaces", "status"),
        ("maintain", "node-1", "--timeout", "soon"),
        ("maintain", "node-1", "--hold", "maybe"),
        ("demo", "--members", "-1"),
        ("dance",),
        ("--nonsense",),
    ],
)
def test_flags_that_can_not_be_followed(folder: Path, arguments: tuple[str, ...]) -> None:
    ended = zktui(folder, *arguments)
    assert ended.code == 2
    assert ended.err.startswith("zktui")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_credentials_that_are_not_accepted(stage: Stage, folder: Path, command: tuple[str, ...]) -> None:
    path = changed(stage, folder, token="expired")
    assert_one_sentence(zktui(folder, *command, kubeconfig=path), 4, "401", "--context")


def test_no_ensemble_here(stage: Stage) -> None:
    assert_one_sentence(stage.zktui("--namespace", "kube-system", "status"), 3, "kube-system", "--all-namespaces")
    assert_one_sentence(stage.zktui("--ensemble", "kafka", "status"), 3, "kafka")


def test_a_node_that_is_not_there(stage: Stage) -> None:
    ended = stage.zktui("maintain", "node-9", "--plan")
    assert ended.code == 3
    assert "node-9" in ended.out
    assert "Traceback" not in ended.err


def test_no_terminal_to_ask(stage: Stage) -> None:
    assert_one_sentence(stage.zktui("maintain", "node-1"), 2, "--yes")


def test_read_only_changes_nothing(stage: Stage) -> None:
    ended = stage.zktui("--read-only", "maintain", "node-4", "--yes")
    assert_one_sentence(Ended(ended.code, "", ended.err), 3, "read-only")
    assert not any(node["unschedulable"] for node in stage.zktui("status", "-o", "json").json()["nodes"])
