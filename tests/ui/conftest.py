from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.fakes import World
from zktui.session import Session


@pytest.fixture
async def world() -> World:
    """A healthy three-member ensemble on four nodes; zk-1 leads."""
    made = World()
    made.ensemble()
    return made


@pytest.fixture
def session(world: World, tmp_path: Path) -> Session:
    return world.session(tmp_path)
