"""Clusters for the tests that judge the harness itself, and those that need an API server but no kubelet."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e import needs
from tests.e2e.__main__ import build, up
from tests.e2e.cluster import KWOK, Cluster
from tests.e2e.controlplane import ControlPlane
from tests.e2e.needs import Part
from tests.e2e.stage import RealStage, lacks

ONLY_KWOK = os.environ.get("ZKTUI_NODES") == KWOK
"""`make e2e NODES=kwok`: what needs a kubelet is left out, by name."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A cluster's start is part of the first test that needs it."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Generator[ControlPlane]:
    """A real control plane with four nodes played by kwok."""
    can_run(needs.kwok())
    build(KWOK)
    cluster = Cluster(tmp_path_factory.mktemp("kwok") / "cluster")
    plane = up(cluster, KWOK, 4, affinity=False)
    try:
        yield plane
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[RealStage]:
    """Four real nodes and three real members in quorum."""
    if ONLY_KWOK:
        pytest.skip("real nodes: NODES=kwok asks for simulated ones")
    if missing := lacks():
        can_run(Part("real nodes", (missing,)))
    playing = RealStage(tmp_path_factory.mktemp("stage"))
    try:
        playing.ready()
        yield playing
    finally:
        playing.strike()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def can_run(part: Part) -> None:
    """Skip, saying what is missing. A machine that is there for judging must have everything."""
    if part.lacks:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{part.name}: {'; '.join(part.lacks)}")
