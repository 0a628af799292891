"""One demo cluster for all scenarios that leave it as they found it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.scenarios.stage import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Four nodes, three members, in quorum. Scenarios uncordon what they cordon."""
    playing = Stage(tmp_path_factory.mktemp("stage"))
    try:
        yield playing.ready()
    finally:
        playing.strike()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
