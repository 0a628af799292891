"""`kubectl drain` and `zktui maintain` do on the embedded cluster what they must do on a real one (tests/e2e)."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping

import pytest

from tests.e2e import gobuild
from tests.e2e.parity import CASES, Case
from tests.e2e.parity_play import hold_both_to
from tests.e2e.parity_rig import Rig
from tests.scenarios.stage import Stage


class Compared(Stage):
    """With the kubectl that the cases are about: the version that was built for the real cluster."""

    def environment(self) -> Mapping[str, str]:
        found = dict(super().environment())
        return {**found, "PATH": f"{gobuild.binaries('kubernetes')}:{found.get('PATH', os.defpath)}"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    if not (gobuild.binaries("kubernetes") / "kubectl").exists():
        pytest.skip("kubectl of the compared version is not built yet (python -m tests.e2e build)")
    stage = Compared(tmp_path_factory.mktemp("compared"))
    try:
        yield Rig(stage.ready())
    finally:
        stage.strike()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if not case.real_only])
def test_both_do_the_same(rig: Rig, case: Case) -> None:
    hold_both_to(rig, case)
