from __future__ import annotations

from pathlib import Path

import pytest

from zktui.core.text import homely


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/ann/.local/state/zktui/runs", "~/.local/state/zktui/runs"),
        ("/home/ann", "~"),
        ("/home/anna/runs", "/home/anna/runs"),
        ("/var/lib/zktui", "/var/lib/zktui"),
    ],
)
def test_a_path_below_home_is_told_from_home(monkeypatch: pytest.MonkeyPatch, path: str, shown: str) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert homely(Path(path)) == shown
