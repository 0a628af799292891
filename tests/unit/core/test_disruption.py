"""The budget's judgement, as the server's eviction handler makes it."""

from __future__ import annotations

import pytest

from tests.unit.core.facts import budget, pod
from zktui.core.disruption import Allowance, judge_eviction
from zktui.core.kube import Budget, Pod


@pytest.mark.parametrize(
    ("one", "budgets", "allowance", "spends"),
    [
        (pod(), [budget()], Allowance.YES, True),
        (pod(), [budget(allowed=0)], Allowance.NO, False),
        (pod(), [], Allowance.YES, False),
        (pod(), [budget(namespace="other")], Allowance.YES, False),
        (pod(), [budget(observed_generation=0)], Allowance.STALE, False),
        (pod(), [budget(), budget(name="second", uid="2")], Allowance.REFUSED, False),
        (pod(ready=False), [budget(allowed=0, current=2)], Allowance.YES, False),
        (pod(ready=False), [budget(allowed=0, current=1)], Allowance.NO, False),
        (pod(ready=False), [budget(allowed=0, current=0, unhealthy_policy="AlwaysAllow")], Allowance.YES, False),
        (pod(phase="Pending", ready=False), [budget(allowed=0)], Allowance.YES, False),
        (pod(phase="Succeeded"), [budget(allowed=0)], Allowance.YES, False),
        (pod(deleting_since=5.0), [budget(allowed=0)], Allowance.YES, False),
    ],
)
def test_what_the_server_would_say(one: Pod, budgets: list[Budget], allowance: Allowance, spends: bool) -> None:
    verdict = judge_eviction(one, budgets)
    assert (verdict.allowance, verdict.spends) == (allowance, spends)
    assert verdict.why


def test_a_pod_that_dies_with_phase_failed_is_terminating_not_finished() -> None:
    dying = pod(phase="Failed", deleting_since=5.0)
    assert dying.terminating
    assert not dying.finished
