"""For all tests: the real cluster that several of them share; and a machine that judges (CI) leaves nothing out."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import cast

import pytest
from _pytest.terminal import TerminalReporter

from tests.scenarios.stage import CLUSTER, Stage

BY_CHOICE = ("not on the embedded cluster: ", "NODES=kwok: ")
"""How the reason of a skip begins that says nothing about the machine."""

LONG = (
    *("test_resume", "test_tutorial_process", "parity-2", "parity-1", "test_tutorial_drills", "test_tutorial_deploy"),
    *("test_drain", "test_takeover", "test_tutorial_keys", "test_proof", "test_harness", "test_check"),
    *("test_tutorial_beside", "test_tutorial_nodes", "test_roles", "test_tutorial_sanity", "test_trouble"),
    *("test_rollout", "test_vectors", "test_measure", "test_plan", "test_by_hand", "test_checks_pane", "test_budgets"),
)
"""Groups that take minutes on the real cluster. They begin first, so that none is left in the end to one worker, with
the others idle."""

_left_out: list[str] = []
_failed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def real_stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    """Four real nodes and three real members in quorum. Skips, saying what is missing, where that can't be."""
    from tests.e2e.stage import RealStage, need_real_nodes

    need_real_nodes()
    playing = RealStage(tmp_path_factory.mktemp("real"))
    try:
        yield playing.ready()
    finally:
        playing.strike()


@pytest.hookimpl(trylast=True)  # once all have their groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CLUSTER == "real":
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    found = item.get_closest_marker("xdist_group")
    return LONG.index(found.args[0]) if found is not None and found.args[0] in LONG else len(LONG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


@pytest.fixture(autouse=True)
def as_found(request: pytest.FixtureRequest) -> Generator[None]:
    """A scenario that failed halfway must not fail all that follow on its cluster."""
    yield
    scenario = cast(pytest.Item, request.node)  # pyright: ignore[reportUnknownMemberType]  pytest leaves it untyped
    if "stage" in request.fixturenames and scenario.stash.get(_failed, False):
        from tests.scenarios.play import restore

        restore(request.getfixturevalue("stage"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if os.environ.get("CI") and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(BY_CHOICE):
            _left_out.append(f"{report.nodeid}: {reason}")


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    if _left_out:
        terminalreporter.section("skipped on a machine that judges", red=True)
        for line in _left_out:
            terminalreporter.line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _left_out:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
