"""One cluster for all scenarios that leave it as they found it: the embedded one, or the real one.

``ZKTUI_CLUSTER=real`` plays them on real Kubernetes nodes with real ZooKeeper pods (tests/e2e), which takes root on
Linux and, the first time, some twenty minutes of building. ``ZKTUI_CLUSTER=kwok`` plays on a real control plane with
simulated nodes those that need nothing to run in a pod.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.stage import CLUSTER, Stage

NOT_ON_EMBEDDED: dict[str, str] = {}
"""Scenarios, by name, that the embedded cluster can't play, and why: none."""


ON_KWOK = "test_budgets.py"
NOT_ON_KWOK = {
    "test_a_terminating_pod_is_evicted_again": "its pods take no time to end",
    "test_one_eviction_at_a_time": "its pods are Ready from birth",
    "test_an_unready_pod[AlwaysAllow]": "its pods are Ready from birth",
}
"""Scenarios about objects alone, and those of them that kwok can't play, and why."""


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real nodes and members start, and move, slower than processes on this machine."""
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        # Side by side with others (pytest -n), a file's scenarios share one cluster and follow each other.
        item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if CLUSTER != "embedded":
            item.add_marker(pytest.mark.timeout(900))
        if why := _left_out(item):
            item.add_marker(pytest.mark.skip(reason=why))


def _left_out(item: pytest.Item) -> str:
    if CLUSTER == "embedded" and item.name in NOT_ON_EMBEDDED:
        return f"not on the embedded cluster: {NOT_ON_EMBEDDED[item.name]}"
    if CLUSTER == "kwok" and item.path.name != ON_KWOK:
        return "NODES=kwok: it needs pods that run"
    if CLUSTER == "kwok" and item.name in NOT_ON_KWOK:
        return f"NODES=kwok: {NOT_ON_KWOK[item.name]}"
    return ""


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Four nodes, three members, in quorum. Scenarios uncordon what they cordon."""
    if CLUSTER == "real":
        yield request.getfixturevalue("real_stage")
        return
    playing = _raised(tmp_path_factory.mktemp("stage"))
    try:
        yield playing.ready()
    finally:
        playing.strike()


def _raised(folder: Path) -> Stage:
    if CLUSTER == "embedded":
        return Stage(folder)
    if CLUSTER == "kwok":
        from tests.e2e import needs, stage

        stage.need(needs.kwok())
        return stage.SimulatedStage(folder)
    raise pytest.UsageError(f"ZKTUI_CLUSTER={CLUSTER}: embedded, real or kwok")


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
