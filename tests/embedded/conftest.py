"""The embedded cluster, whatever ZKTUI_CLUSTER says: what is here is about it alone, and has no counterpart."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.scenarios.api import Api
from tests.scenarios.stage import Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Four nodes, three members, in quorum. Each test leaves the ensemble whole."""
    playing = Stage(tmp_path_factory.mktemp("stage"))
    try:
        yield playing.ready()
    finally:
        playing.strike()


@pytest.fixture
def api(stage: Stage) -> Generator[Api]:
    client = Api(stage.kubeconfig)
    yield client
    client.close()
