"""What the machine does between one eviction and the next: it reads, it heeds refusals, and who goes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.maintenance.schedules import HOLDER, read
from tests.unit.maintenance.test_machine import QUICK, Stage, in_step, once, stage
from tests.unit.maintenance.world import World
from zktui.core.ports import Cause, Refused, Reply, Unanswered
from zktui.maintenance.effects import Change, EvictPod
from zktui.maintenance.machine import begin
from zktui.maintenance.model import CommandKind, Hold, HoldKind, NodeStep, RunStatus
from zktui.maintenance.planning import plan
from zktui.maintenance.survey import Scope

WEBHOOK = 'admission webhook "keeper.example" denied the request: the operator moves it itself'


def refusing(made: Stage, name: str, refusal: Callable[[], Refused], times: int) -> list[float]:
    """The server refuses this pod's first evictions; when they were sent."""
    real, asked = made.first.act, list[float]()

    def act(change: Change) -> Reply[Any]:
        if isinstance(change, EvictPod) and change.pod.name == name:
            asked.append(made.now)
            if len(asked) <= times:
                return refusal()
        return real(change)

    made.first.act = act
    return asked


def closed() -> Refused:
    cause = Cause("DisruptionBudget", "The disruption budget zk-pdb needs 2 healthy pods and has 2 currently")
    return Refused(429, "TooManyRequests", "Cannot evict pod", 0.0, (cause,), retry_after=10)


def test_everything_is_read_again_right_before_each_eviction_and_after_each_refusal() -> None:
    ages: list[float] = []

    def when(s: Stage) -> None:
        busy = s.state.busy
        if isinstance(busy, EvictPod) and s.state.facts is not None and s.state.scope is not None:
            assert s.state.scope.decide
            facts = s.state.facts
            members = [facts.reports[p.uid].at for p in facts.members_pods(s.state.ensembles[0])]
            budgets = facts.budgets["default"].at
            ages.append(s.now - min(facts.pods[s.state.ensembles[0].key].at, budgets, *members))

    made = stage(("node-1",), when)
    asked = refusing(made, "zk-0", closed, 2)
    made.play()
    assert made.state.run.status is RunStatus.DONE
    assert len(asked) == 3 and max(ages) <= 2.0


def test_a_webhook_that_denies_is_named_and_the_pod_that_its_operator_moves_is_done() -> None:
    """As Strimzi's drain cleaner: no eviction, but its operator makes the pod anew elsewhere."""

    def moved(s: Stage) -> None:
        pod = s.world.named("zk-0")
        assert pod is not None
        s.world.delete(pod)

    made = stage(("node-1",), once(lambda s: s.said("denied by keeper.example"), moved))
    asked = refusing(made, "zk-0", lambda: Refused(403, "Forbidden", WEBHOOK, 0.0), 99)
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert len(asked) == 1, "denied once, and not asked again for a pod that goes"
    assert made.world.nodes["node-1"].unschedulable is False


def test_a_namespace_that_terminates_is_told_as_the_server_says_and_the_pod_is_waited_for() -> None:
    def ends(s: Stage) -> None:
        pod = s.world.named("zk-0")
        assert pod is not None
        s.world.delete(pod)

    cause = Cause("NamespaceTerminating", "namespace default is being terminated")
    made = stage(("node-1",), once(lambda s: s.said("is being terminated"), ends))
    asked = refusing(made, "zk-0", lambda: Refused(403, "Forbidden", "forbidden", 0.0, (cause,)), 99)
    made.play()
    assert made.state.run.status is RunStatus.DONE and len(asked) == 1


def test_a_missing_right_ends_the_run_with_verb_and_resource() -> None:
    made = stage(("node-1",))
    refusing(made, "zk-0", lambda: Refused(403, "Forbidden", 'cannot create resource "pods/eviction"', 0.0), 99)
    made.play()
    assert made.state.run.status is RunStatus.FAILED
    assert "not permitted to create pods/eviction" in made.state.run.message
    assert "kubectl uncordon node-1" in made.state.run.message


def test_a_blocked_member_does_not_keep_another_ensembles_from_going() -> None:
    """zk-1 may not go while zk-0 is frozen; keeper-1 on the same node has nothing to do with that."""
    made = stage(("node-2",))
    world = made.world
    World(made.rng, 3, ordered=False, beside=world, name="keeper", scatter=False)
    ensembles = made.ensembles
    facts = read(world, Scope(ensembles, tuple(world.nodes), decide=True, select=True))
    made.plan = plan(facts, ("node-2",), QUICK, 0, ensembles)
    made.first.state = begin("run-1", made.plan, ensembles, HOLDER)
    frozen = world.named("zk-0")
    assert frozen is not None
    made.when = once(in_step(NodeStep.DRAIN), lambda s: s.world.freeze(frozen, 20))
    made.play()
    gone = [key.name for key in world.evicted if not key.name.startswith("web")]
    assert gone == ["keeper-1", "zk-1"]
    assert made.state.run.status is RunStatus.DONE, made.state.run.message


@pytest.mark.parametrize(("keep", "words"), [(False, "candidate for removal"), (True, "asked to spare it")])
def test_in_hold_it_is_said_what_an_autoscaler_may_do(keep: bool, words: str) -> None:
    told: list[str] = []

    def when(s: Stage) -> None:
        if s.step is NodeStep.HOLD:
            told.append(s.state.run.message)

    options = replace(QUICK, keep_node=keep, hold=Hold(HoldKind.SECONDS, 3.0))
    stage(("node-4",), when, options).play()
    assert any(words in text for text in told)


def test_an_eviction_that_was_not_carried_out_is_not_sent_again_once_its_node_is_skipped() -> None:
    """Its answer was lost, and the server never got it: found out, the pod stays where it is."""
    made = stage(("node-1",))
    real, lost = made.first.act, list[Change]()

    def act(change: Change) -> Reply[Any]:
        if isinstance(change, EvictPod) and change.pod.name == "zk-0":
            lost.append(change)
            return Unanswered("connection reset", made.now)
        return real(change)

    made.first.act = act
    made.when = once(lambda s: bool(lost) and s.said("evict zk-0: no answer"), lambda s: s.order(CommandKind.SKIP))
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert len(lost) == 1, "nothing more is evicted"
    assert made.state.run.cordoned == ()
