"""Clusters for the tests that judge the harness itself, and those that need an API server but no kubelet."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e import needs
from tests.e2e.__main__ import build, up
from tests.e2e.cluster import KWOK, Cluster
from tests.e2e.controlplane import ControlPlane
from tests.e2e.stage import RealStage, need


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A cluster's start is part of the first test that needs it. Side by side (pytest -n) goes what has no group."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))
            if item.get_closest_marker("xdist_group") is None:
                item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Generator[ControlPlane]:
    """A real control plane with four nodes played by kwok."""
    need(needs.kwok())
    build(KWOK)
    cluster = Cluster(tmp_path_factory.mktemp("kwok") / "cluster")
    plane = up(cluster, KWOK, 4, affinity=False)
    try:
        yield plane
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def stage(real_stage: RealStage) -> RealStage:
    """Four real nodes and three real members in quorum."""
    return real_stage


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a short name: the paths of a kubelet's sockets, below it, may not be long."""
    return tmp_path_factory.mktemp("e2e")
