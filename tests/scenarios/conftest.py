"""One cluster for all scenarios that leave it as they found it: the embedded one, or the real one.

``ZKTUI_CLUSTER=real`` plays them on real Kubernetes nodes with real ZooKeeper pods (tests/e2e), which takes root on
Linux and, the first time, some twenty minutes of building.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.stage import Stage

CLUSTER = os.environ.get("ZKTUI_CLUSTER", "embedded")

NOT_ON_EMBEDDED = {
    "test_port_forward_by_kubectl": "kubectl forwards ports by SPDY, bare or within a WebSocket; here only the "
    "WebSocket channels of the Python client are served",
}
"""Scenarios, by name, that the embedded cluster can't play yet, and why. This list is to become empty."""


WITHIN = "troubled"
"""The fixture of scenarios that reach into the embedded cluster's process; they have no other to be played on."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real nodes and members start, and move, slower than processes on this machine."""
    if CLUSTER == "real":
        within = [item for item in items if WITHIN in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=within)
        items[:] = [item for item in items if item not in within]
    for item in items:
        if CLUSTER == "real":
            item.add_marker(pytest.mark.timeout(900))
        elif why := NOT_ON_EMBEDDED.get(item.name):
            item.add_marker(pytest.mark.skip(reason=f"not on the embedded cluster: {why}"))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Four nodes, three members, in quorum. Scenarios uncordon what they cordon."""
    playing = raised(tmp_path_factory.mktemp("stage"))
    try:
        yield playing.ready()
    finally:
        playing.strike()


def raised(folder: Path) -> Stage:
    """A stage on the cluster that was asked for; skips, saying what is missing, where that can't be."""
    if CLUSTER == "embedded":
        return Stage(folder)
    if CLUSTER != "real":
        raise pytest.UsageError(f"ZKTUI_CLUSTER={CLUSTER}: embedded or real")
    from tests.e2e.stage import RealStage, lacks

    if missing := lacks():
        # A machine that is there for judging has everything, or judges nothing.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return RealStage(folder)


@pytest.fixture
def api(stage: Stage) -> Generator[Api]:
    client = Api(stage.kubeconfig)
    yield client
    client.close()


@pytest.fixture
def znodes(stage: Stage) -> Generator[Znodes]:
    client = Znodes(stage.kubeconfig)
    yield client
    client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
