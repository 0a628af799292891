"""`kubectl drain` and `zktui maintain` on the same node contents evict the same pods and refuse the same ones.

tests/embedded/test_parity.py plays the same cases on the embedded cluster.
"""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

from tests.e2e import parity
from tests.e2e.parity import CASES, Case
from tests.e2e.parity_play import hold_both_to
from tests.e2e.parity_rig import Rig
from tests.e2e.stage import RealStage

MANAGED = next(case for case in CASES if case.key == "managed")


@pytest.fixture(scope="module")
def rig(stage: RealStage) -> Rig:
    return Rig(stage)


def test_the_page_says_what_is_tested() -> None:
    assert parity.DOCUMENT.read_text() == parity.table(), "python -m tests.e2e.parity >docs/drain.md"


def grouped(case: Case) -> ParameterSet:
    """Side by side (pytest -n) the cases are two groups, of which each can have a cluster of its own."""
    half = 1 if CASES.index(case) < len(CASES) // 2 else 2
    return pytest.param(case, id=case.name, marks=pytest.mark.xdist_group(f"parity-{half}"))


@pytest.mark.parametrize("case", map(grouped, CASES))
def test_both_do_the_same(rig: Rig, case: Case) -> None:
    hold_both_to(rig, case)


@pytest.mark.xdist_group("parity-1")
def test_a_cordon_that_fails(rig: Rig) -> None:
    """kubectl goes on and evicts from a node that is still open; zktui changes nothing. On purpose.

    On the embedded cluster tests/scenarios/test_trouble.py takes the right away.
    """
    node, who = rig.spare(), f"--kubeconfig={rig.user_without_cordon()}"
    try:
        rig.lay(MANAGED, node)
        before = rig.pods()
        ended = rig.stage.zktui("maintain", node, "--yes", "--hold", "leave", who)
        assert ended.code == 4, ended
        assert "not permitted: patch nodes" in ended.out
        assert rig.pods().keys() == before.keys() and not rig.cordoned(node)

        drained = rig.kubectl("drain", node, who)
        assert f'unable to cordon node "{node}"' in drained.err, drained
        assert drained.code == 0 and not rig.pods() and not rig.cordoned(node)
    finally:
        rig.tidy(node, last=True)
