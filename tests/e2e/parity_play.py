"""One case of the comparison on one cluster: both programs on the same contents, and what they must have done."""

from __future__ import annotations

from contextlib import nullcontext

from tests.e2e.parity import Case, End, Fate, Owner
from tests.e2e.parity_rig import Rig, Seen
from tests.scenarios.stage import eventually

PROGRAMS = ("kubectl", "zktui")


def hold_both_to(rig: Rig, case: Case) -> None:
    """Fails where one of them did otherwise than the case says."""
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
