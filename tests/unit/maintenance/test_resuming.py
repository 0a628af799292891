"""A run survives SIGKILL: whatever it was at, what its Lease says is enough to go on, here or on another machine."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from tests.unit.maintenance.relay import QUICK, Relay, played, relay
from tests.unit.maintenance.schedules import Faults
from tests.unit.maintenance.world import NAMESPACE
from zktui.maintenance.effects import CordonNode, EvictPod
from zktui.maintenance.model import STATE_ANNOTATION, Hold, HoldKind, NodeStep, PodStep, RunStatus
from zktui.maintenance.record import from_record
from zktui.maintenance.resuming import IN_DOUBT


@functools.cache
def unharmed() -> Relay:
    """The run as it goes when nobody kills it."""
    made = played(relay(0))
    made.all_is_well()
    return made


def every_input() -> list[int]:
    return list(range(1, unharmed().inputs + 1))


def changes() -> list[int]:
    return unharmed().changed


@functools.cache
def cramped() -> Relay:
    """The same where no node has room: each member waits for the uncordon of its own, and is awaited after it."""
    made = played(relay(0, spare=0))
    made.all_is_well()
    return made


def test_the_runs_that_are_killed_pass_through_every_state() -> None:
    """The two lists above are what they are meant to be: all steps are among them, and every change."""
    seen = {step for made in (unharmed(), cramped()) for _, step, _ in made.steps}
    assert seen >= set(NodeStep) - {NodeStep.LEFT_CORDONED, NodeStep.SKIPPED, NodeStep.STOPPED, NodeStep.VERIFIED}
    members = set[PodStep]().union(*(steps for _, _, steps in unharmed().steps))
    assert members >= {PodStep.PENDING, PodStep.EVICT, PodStep.LEAVING, PodStep.PLACED, PodStep.REJOINED}
    assert len(changes()) == 8, "two cordons, two uncordons, four evictions"


@pytest.mark.parametrize("share", range(10))
def test_killed_after_any_input_it_is_resumed_here_and_nobody_goes_twice(share: int) -> None:
    """What it had sent last arrives, and with the journal that is known."""
    for kill_at in every_input()[share::10]:
        played(relay(kill_at, here=True)).all_is_well()


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
def test_killed_while_a_member_waits_and_comes_back(here: bool) -> None:
    steps = [at for at, step, _ in cramped().steps if step in (NodeStep.HOLD, NodeStep.UNCORDON, NodeStep.REJOIN)]
    assert len(steps) > 8
    for kill_at in steps[::3]:
        played(relay(kill_at, here=here, spare=0)).all_is_well()


@pytest.mark.parametrize("share", range(4))
def test_killed_after_any_input_it_is_resumed_elsewhere_and_nobody_goes_twice(share: int) -> None:
    """Of what it had sent only what the lease says is known, on a machine with other clocks."""
    for kill_at in every_input()[share::12]:
        played(relay(kill_at, here=False)).all_is_well()


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
@pytest.mark.parametrize("wire", ["lost", "late"])
def test_killed_while_it_sends_any_change(wire: str, here: bool) -> None:
    """The lease says what it was about to send; whether it was, and whether it will arrive yet, nobody knows."""
    for kill_at in changes():
        played(relay(kill_at, wire=wire, here=here)).all_is_well()


def test_while_an_eviction_is_in_doubt_no_other_pod_goes() -> None:
    member = next(at for at, _, steps in unharmed().steps if PodStep.EVICT in steps)
    made = played(relay(member, wire="lost", here=False))
    made.all_is_well()
    heir = made.operators[-1]
    sent = [(event.wall, event) for event in heir.journal if event.kind == "evict"]
    assert sent, "it was evicted after all, once"
    killed_at = float(next(line for line in made.log if "is killed" in line).split()[0])
    first = float(
        next(line for line in made.log[made.log.index(_line(made, "taken up")) :] if " evict " in line).split()[0]
    )
    assert first - killed_at >= IN_DOUBT, "not before the API server must have given up on the first try"


def _line(made: Relay, text: str) -> str:
    return next(line for line in made.log if text in line)


def test_with_the_journal_what_was_never_announced_needs_no_waiting() -> None:
    """Killed between the lease's intent and the journal's line: the eviction was not sent, and that is known here."""
    announced = next(at for at, _, steps in unharmed().steps if PodStep.EVICT in steps)
    made = played(relay(announced - 1, here=True))
    made.all_is_well()
    assert made.now < unharmed().now + IN_DOUBT


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
def test_killed_in_hold_the_node_is_still_held(here: bool) -> None:
    holding = next(at for at, step, _ in unharmed().steps if step is NodeStep.HOLD)
    made = relay(holding, here=here, options=replace(QUICK, hold=Hold(HoldKind.SECONDS, 120.0)))
    played(made).all_is_well()
    held = float(_line(made, "is yours" if here else "taken up").split()[0])
    uncordoned = float(_line(made, "uncordon node-1").split()[0])
    # By a clock that may be minutes off nothing is told: the hold begins anew.
    assert 118 <= uncordoned - held <= 125, "the hold goes on from when it began"


def test_killed_twice_and_a_third_time() -> None:
    """Each heir writes its own record, so that the next one can go on from there."""
    most = 0
    for kill_at in every_input()[5::9]:
        made = played(relay(kill_at, here=False, deaths=3))
        made.all_is_well()
        most = max(most, sum(op.dead for op in made.operators))
    assert most == 3, "no run was killed three times"


def test_with_two_ensembles_in_two_namespaces_there_are_two_leases() -> None:
    whole = played(relay(0, company=True))
    whole.all_is_well()
    assert set(whole.world.leases) == {"default", "other"}
    for kill_at in range(3, whole.inputs, 11):
        for here in (True, False):
            played(relay(kill_at, here=here, company=True)).all_is_well()


@pytest.mark.parametrize("share", range(4))
def test_killed_in_bad_weather(share: int) -> None:
    """Answers that are lost or refused before and after a death, on the lease as well: every promise holds."""
    weather, ends = Faults(lose=0.12, refuse=0.08, unread=0.05, slow=0.05), set[str]()
    for seed in range(share, 28, 4):
        made = played(relay(10 + seed, here=seed % 2 == 0, seed=seed, faults=weather, deaths=2))
        ends.add(made.operators[-1].state.run.status)
        assert all(count == 1 for count in made.arrivals.values()), (seed, made.arrivals)
    assert RunStatus.DONE in ends


def test_two_operators_take_it_up_at_once_and_one_goes_on() -> None:
    for kill_at in every_input()[6::6]:
        made = played(relay(kill_at, here=False, takers=2))
        if len(made.operators) < 3:
            continue
        ends = sorted(op.state.run.status for op in made.operators[1:])
        assert ends == [RunStatus.DONE, RunStatus.FAILED], [op.state.run.message for op in made.operators]
        loser = next(op for op in made.operators[1:] if op.state.run.status is RunStatus.FAILED)
        sent = [e for e in loser.journal if e.kind in ("evict", "cordon", "uncordon") and e.text.startswith(e.kind)]
        assert not sent, "who has not the lease changes nothing"
        assert "lease" in loser.state.run.message


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_the_node_vanished_meanwhile(replaced: bool) -> None:
    """Nothing to uncordon, and another node of that name is never touched."""
    for step in (NodeStep.DRAIN, NodeStep.HOLD, NodeStep.UNCORDON):
        at = next(at for at, found, _ in unharmed().steps if found is step)
        made = relay(at)

        def killed(operator: object, made: Relay = made) -> None:
            Relay.kill(made, operator)  # pyright: ignore[reportArgumentType]  # as it is called
            made.lose_node("node-1", replaced=replaced)

        made.kill = killed
        played(made)
        heir = made.operators[-1]
        assert heir.state.run.status is RunStatus.DONE, heir.state.run.message
        assert not heir.state.run.cordoned
        if replaced:
            assert made.world.nodes["node-1"].version == 99, "it was changed"


def test_ended_instead_of_resumed_names_what_it_leaves_and_changes_nothing() -> None:
    for kill_at in every_input()[4::5]:
        made = played(relay(kill_at, ending=True))
        if len(made.operators) < 2:
            continue
        heir = made.operators[-1]
        assert heir.state.run.status is RunStatus.ABORTED, heir.state.run.message
        left = {n.name for n in made.world.nodes.values() if n.unschedulable}
        assert set(heir.state.run.cordoned) == left
        assert all(name in heir.state.run.message for name in left)
        lease = made.world.leases[NAMESPACE]
        assert lease.holder == "" and from_record(lease.annotations[STATE_ANNOTATION]).status is RunStatus.ABORTED


def test_someone_uncordoned_it_meanwhile_and_cordoned_it_again() -> None:
    """A cordon without our mark on it is not ours, and stays."""
    holding = next(at for at, step, _ in unharmed().steps if step is NodeStep.HOLD)
    made = relay(holding)

    def killed(operator: object) -> None:
        Relay.kill(made, operator)  # pyright: ignore[reportArgumentType]  # as it is called
        node = made.world.nodes["node-1"]
        node.annotations.clear()
        node.version += 1
        node.cordoned_by_engine = False

    made.kill = killed
    played(made)
    assert made.operators[-1].state.run.status is RunStatus.DONE
    assert made.world.nodes["node-1"].unschedulable
    assert not any(e.text == "uncordon node-1" for op in made.operators for e in op.journal)


def test_every_change_stands_in_the_lease_before_it_is_sent() -> None:
    made = relay(0)
    said: list[tuple[str, str]] = []
    post = made.posted

    def posted(operator: object, change: object) -> None:
        post(operator, change)  # pyright: ignore[reportArgumentType]  # as it is called
        if isinstance(change, EvictPod | CordonNode):
            record = from_record(made.world.leases[NAMESPACE].annotations[STATE_ANNOTATION])
            assert record.intent is not None
            said.append(record.intent)
            whom = change.pod.uid if isinstance(change, EvictPod) else change.node.name
            assert record.intent[1] == whom

    made.posted = posted
    played(made).all_is_well()
    assert [what for what, _ in said] == ["cordon", "evict", "evict", "uncordon"] * 2
