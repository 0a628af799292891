"""`kubectl drain` and `zktui maintain` on the same node contents evict the same pods and refuse the same ones."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import nullcontext

import pytest
from _pytest.mark import ParameterSet

from tests.e2e import gobuild, parity
from tests.e2e.parity import CASES, Case, End, Fate, Owner
from tests.e2e.parity_rig import Rig, Seen
from tests.scenarios.stage import Stage, eventually

MANAGED = next(case for case in CASES if case.key == "managed")
PROGRAMS = ("kubectl", "zktui")


class Embedded(Stage):
    """The embedded cluster, with the kubectl that was built with the real one."""

    def environment(self) -> Mapping[str, str]:
        found = dict(super().environment())
        return {**found, "PATH": f"{gobuild.binaries('kubernetes')}:{found['PATH']}"}


@pytest.fixture(scope="module")
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig]:
    """On the cluster that the test's parameter names."""
    if request.param == "real":
        yield Rig(request.getfixturevalue("stage"))
        return
    if not (gobuild.binaries("kubernetes") / "kubectl").exists():
        pytest.skip("the embedded cluster's drains: kubectl is not built yet (python -m tests.e2e build)")
    stage = Embedded(tmp_path_factory.mktemp("embedded"))
    try:
        stage.ready()
        yield Rig(stage)
    finally:
        stage.strike()


def test_the_page_says_what_is_tested() -> None:
    assert parity.DOCUMENT.read_text() == parity.table(), "python -m tests.e2e.parity >docs/drain.md"


def played_on(cluster: str, case: Case) -> ParameterSet:
    """Side by side (pytest -n) each cluster's cases are two groups, of which each can have a cluster of its own."""
    half = 1 if CASES.index(case) < len(CASES) // 2 else 2
    group = pytest.mark.xdist_group(f"parity-{cluster}-{half}")
    return pytest.param(cluster, case, id=f"{cluster}-{case.key.replace(' ', '-').replace(',', '')}", marks=group)


@pytest.mark.parametrize(
    ("rig", "case"),
    [
        played_on(cluster, case)
        for cluster in ("real", "embedded")
        for case in CASES
        if cluster == "real" or not case.real_only
    ],
    indirect=["rig"],
)
def test_both_do_the_same(rig: Rig, case: Case) -> None:
    orphan = any(content.owner is Owner.ABSENT_DAEMONSET for content in case.contents)
    with rig.without_garbage_collector() if orphan else nullcontext():
        seen = played(rig, case)

    for program in PROGRAMS:
        end, fates = case.expected(program)
        assert (seen[program].end, seen[program].fates) == (end, fates), seen[program].said
    if not case.purpose:
        assert seen["kubectl"].fates == seen["zktui"].fates
    for said, words in ((seen["kubectl"].said, case.kubectl_says), (seen["zktui"].said, case.zktui_says)):
        for phrase in words:
            assert phrase in said
    if case.grace is not None:
        for program in PROGRAMS:
            went = [key for key, fate in seen[program].fates.items() if fate is Fate.GONE]
            assert {seen[program].graces[key] for key in went} == {case.grace}, program


@pytest.mark.xdist_group("parity-real-1")
@pytest.mark.parametrize("rig", ["real"], indirect=True)
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


def played(rig: Rig, case: Case) -> dict[str, Seen]:
    """Both programs on the same contents, laid afresh unless the first has left them as they were."""
    seen: dict[str, Seen] = {}
    for program in PROGRAMS:
        node = follower_node(rig) if case.with_member else rig.spare()
        try:
            if rig.laid != case:
                rig.lay(case, node)
            seen[program] = rig.drain(program, case, node)
            cordoned = rig.cordoned(node)
        finally:
            rig.tidy(node, last=program == PROGRAMS[-1])
        assert cordoned == leaves_cordoned(case, program, seen[program].end), (
            f"{program} left {node}'s cordon otherwise"
        )
        if case.with_member:
            eventually("the ensemble to be whole again", lambda: whole(rig), 180.0, 1.0)
    return seen


def leaves_cordoned(case: Case, program: str, end: End) -> bool:
    """kubectl cordons before it looks; zktui changes nothing that it reviewed as a no-go."""
    if case.dry:
        return False
    return case.cordoned_before or program == "kubectl" or end is not End.REFUSED


def follower_node(rig: Rig) -> str:
    return str(rig.stage.member("follower")["node"])


def whole(rig: Rig) -> bool:
    ensemble = rig.stage.status()
    return ensemble["quorum"]["serving"] == 3 and all(member["ready"] for member in ensemble["members"])
