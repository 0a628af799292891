"""Transitions of the machine, one situation at a time, driven without asyncio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.maintenance.operators import Operator
from tests.unit.maintenance.schedules import HOLDER, Faults, Schedule, read
from tests.unit.maintenance.world import NAMESPACE, SimPod
from zktui.core.kube import Pod
from zktui.core.ports import Refused, Reply
from zktui.core.zookeeper import MemberReport, Mode, Zxid
from zktui.maintenance.effects import (
    Change,
    CordonNode,
    CreateLease,
    EvictPod,
    Input,
    Survey,
    Surveyed,
    Told,
    UpdateLease,
)
from zktui.maintenance.machine import begin
from zktui.maintenance.model import (
    Command,
    CommandKind,
    GateName,
    Hold,
    HoldKind,
    NodeStep,
    Options,
    PodStep,
    RunStatus,
)
from zktui.maintenance.planning import plan
from zktui.maintenance.report import report
from zktui.maintenance.survey import Scope

QUICK = Options(ignore_daemonsets=True, hold=Hold(HoldKind.SECONDS, 1.0), dwell=2.0)


class Stage(Schedule):
    """A calm schedule on which a test lets things happen: `when` is asked after each input."""

    when: Callable[[Stage], None]
    readings: int = 0

    def deliver(self, operator: Operator, event: Input) -> None:
        self.readings += isinstance(event, Surveyed)
        super().deliver(operator, event)
        self.when(self)

    @property
    def step(self) -> NodeStep:
        node = self.state.run.node
        return node.step if node is not None else NodeStep.PENDING

    def said(self, text: str) -> bool:
        return any(text in line for line in self.log)

    def order(self, kind: CommandKind, gate: GateName | None = None, typed: str = "") -> None:
        super().deliver(self.first, Told(Command(kind, gate, typed)))

    def tell_uncordon(self, node: str) -> None:
        super().deliver(self.first, Told(Command(CommandKind.UNCORDON, node=node)))


def once(condition: Callable[[Stage], bool], act: Callable[[Stage], None]) -> Callable[[Stage], None]:
    done: list[bool] = []

    def when(stage: Stage) -> None:
        if not done and condition(stage):
            done.append(True)
            act(stage)

    return when


def stage(names: tuple[str, ...], when: Callable[[Stage], None] = lambda _: None, options: Options = QUICK) -> Stage:
    made = Stage(5, Faults(), nodes=len(names), options=options, horizon=200)
    scope = Scope((made.world.ensemble(),), tuple(made.world.nodes), decide=True, select=True)
    made.plan = plan(read(made.world, scope), names, options, 0, (made.world.ensemble(),))
    made.state = begin("run-1", made.plan, (made.world.ensemble(),), HOLDER)
    made.when = when
    return made


def in_step(step: NodeStep) -> Callable[[Stage], bool]:
    return lambda s: s.step is step


def both(*acts: Callable[[Stage], None]) -> Callable[[Stage], None]:
    def when(stage: Stage) -> None:
        for act in acts:
            act(stage)

    return when


def resuming() -> Callable[[Stage], None]:
    """Resume whenever the run has paused by itself."""

    def when(stage: Stage) -> None:
        if stage.state.run.status is RunStatus.PAUSED:
            stage.order(CommandKind.RESUME)

    return when


def claiming(s: Stage) -> bool:
    return isinstance(s.state.busy, CreateLease)


def evicting(s: Stage, name: str = "zk-") -> bool:
    return isinstance(s.state.busy, EvictPod) and s.state.busy.pod.name.startswith(name)


def test_others_go_first_and_members_last() -> None:
    played = stage(("node-1",)).play()
    evicted = [k.name for k in played.world.evicted]
    assert evicted == ["web-1", "zk-0"]


def test_a_node_replaced_under_its_name_is_never_touched() -> None:
    played = stage(("node-1",), once(in_step(NodeStep.HOLD), lambda s: s.lose_node("node-1", replaced=True))).play()
    assert played.state.run.status is RunStatus.DONE
    assert not played.said("uncordon node-1")
    assert played.world.nodes["node-1"].version == 99


def test_a_deleted_node_is_nothing_to_uncordon_and_a_success() -> None:
    played = stage(("node-1",), once(in_step(NodeStep.HOLD), lambda s: s.lose_node("node-1", replaced=False))).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.said("node-1 was deleted: nothing to uncordon")


def test_a_node_deleted_before_its_turn_is_nobodys_skip() -> None:
    """It was told as skipped by the operator, who had skipped nothing."""
    lost = once(in_step(NodeStep.HOLD), lambda s: s.lose_node("node-2", replaced=False))
    played = stage(("node-4", "node-2"), lost).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.said("node-2 was deleted: nothing to drain")
    assert "every node of the plan but node-2, skipped." in played.state.run.message
    assert "operator" not in played.state.run.message


def test_a_node_deleted_while_it_is_drained_is_not_called_yours() -> None:
    """It was said to be cordoned and empty, and a candidate for removal, when it had been removed."""
    lost = once(lambda s: evicting(s, "web-1"), lambda s: s.lose_node("node-1", replaced=False))
    played = stage(("node-1",), lost).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.said("hold      node-1 was deleted: nothing is there to hold")
    assert not played.said("is yours") and not played.said("candidate for removal")


def test_a_node_not_ready_when_we_come_to_it_ends_the_run() -> None:
    def lost(s: Stage) -> None:
        s.world.nodes["node-2"].ready = False

    played = stage(("node-4", "node-2"), once(in_step(NodeStep.HOLD), lost)).play()
    assert played.state.run.status is RunStatus.FAILED
    assert "node-2 is not Ready" in played.state.run.message


def test_someone_elses_cordon_is_never_undone() -> None:
    def cordon(s: Stage) -> None:
        s.world.nodes["node-4"].unschedulable = True
        s.world.nodes["node-4"].version += 1

    first, then = once(claiming, cordon), resuming()
    played = stage(("node-4",), both(first, then)).play()
    assert played.said("pause     node-4 was cordoned by someone else")
    assert played.state.run.status is RunStatus.DONE
    assert played.world.nodes["node-4"].unschedulable
    assert not played.said("uncordon node-4")


def test_a_refused_cordon_ends_the_run() -> None:
    made = stage(("node-1",))
    real = made.first.act

    def act(change: Change) -> Reply[Any]:
        if isinstance(change, CordonNode):
            return Refused(403, "Forbidden", 'cannot patch resource "nodes"', made.now)
        return real(change)

    made.first.act = act
    made.play()
    assert made.state.run.status is RunStatus.FAILED
    assert "could not be cordoned" in made.state.run.message and "Nothing is left cordoned" in made.state.run.message


def test_an_exhausted_timeout_ends_the_run_and_names_what_is_cordoned() -> None:
    def broken(s: Stage) -> None:
        s.world.never_up.add("zk-0")

    played = stage(("node-1",), once(in_step(NodeStep.DRAIN), broken), replace(QUICK, timeout=20)).play()
    run = played.state.run
    assert run.status is RunStatus.FAILED and "did not come back" in run.message
    assert "kubectl uncordon node-1" in run.message
    assert played.world.nodes["node-1"].unschedulable, "nothing is undone after a failure"


def test_a_pod_that_terminates_already_is_not_evicted() -> None:
    def condemn(s: Stage) -> None:
        pod = s.world.named("zk-0")
        assert pod is not None
        s.world.delete(pod)

    played = stage(("node-1",), once(in_step(NodeStep.CORDON), condemn)).play()
    assert played.state.run.status is RunStatus.DONE
    assert all(k.name != "zk-0" for k in played.world.evicted)
    assert played.said("zk-0 is terminating: no eviction is needed") or played.said("zk-0 is gone, though not by")


def test_an_overdue_pod_is_told_and_never_deleted_by_force() -> None:
    overdue: list[str] = []

    def stick(s: Stage) -> None:
        pod = s.world.named("zk-0")
        assert pod is not None
        pod.gone_at = s.now + 60

    def when(s: Stage) -> None:
        leaving = [p for n in s.state.run.nodes for p in n.pods if p.step is PodStep.LEAVING and p.member]
        if leaving and not overdue:
            first(s)
        if s.state.run.blocked:
            overdue.append(s.state.run.blocked[0].evidence)

    first = once(lambda s: True, stick)
    played = stage(("node-1",), when).play()
    assert overdue and "zk-0 terminates for 4" in overdue[0] and "had 10 s" in overdue[0]
    assert played.state.run.status is RunStatus.DONE


@pytest.mark.parametrize(("name", "waited"), [("web-1", False), ("zk-0", True)])
def test_what_does_not_end_is_not_waited_for_as_asked_but_for_a_member(name: str, waited: bool) -> None:
    """kubectl drain stops waiting for such a pod too; a member that may still write is another matter."""

    def stick(s: Stage) -> None:
        pod = s.world.named(name)
        assert pod is not None
        pod.gone_at = s.now + 60

    when = once(lambda s: any(k.name == name for k in s.world.evicted), stick)
    played = stage(("node-1",), when, replace(QUICK, skip_wait_for_delete_timeout=5)).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.said("not waited for") is not waited
    assert (played.now > 60) is waited


def test_a_uid_that_moved_on_is_planned_anew_and_its_new_pod_is_not_taken_for_the_old() -> None:
    """409: the pod was reborn elsewhere between the reading and the eviction."""
    made = stage(("node-1",))
    real = made.first.act
    moved_on: list[str] = []

    def act(change: Change) -> Reply[Any]:
        pod = made.world.named("zk-0")
        if isinstance(change, EvictPod) and change.pod.name == "zk-0" and pod is not None and not moved_on:
            moved_on.append(pod.uid)
            pod.gone_at = made.now
            made.world.advance(made.now + 2)
        return real(change)

    made.first.act = act
    made.play()
    assert made.state.run.status is RunStatus.DONE
    assert made.said("evict zk-0: 409") or made.said("evict zk-0: 201, ") or made.said("evict zk-0: 404")
    assert all(key.name != "zk-0" for key in made.world.evicted), "the reborn pod was not evicted"


def test_the_order_is_made_anew_when_the_leader_moves() -> None:
    def elect(s: Stage) -> None:
        old = s.world.leader
        target = s.world.named("zk-1")
        assert target is not None
        s.world.leader = target.uid
        assert old != target.uid

    made = stage(("node-4", "node-2", "node-3"))
    made.world.leader = next(p.uid for p in made.world.members() if p.name == "zk-2")
    made = stage(("node-4", "node-2", "node-3"), once(in_step(NodeStep.HOLD), elect))
    assert made.plan.nodes[0].name == "node-4"
    made.play()
    order = [n.name for n in made.state.run.nodes]
    assert order == ["node-4", "node-3", "node-2"], "zk-1 on node-2 leads now"


@pytest.mark.parametrize("waits", ["moves", "was not heard"])
def test_a_leader_found_on_a_node_that_waits_for_its_gates_lets_the_others_go_first(waits: str) -> None:
    """Else it goes first, and whoever is elected then has to go as well: one election too many."""
    made = stage(("node-1", "node-2", "node-3"))
    first = "zk-2" if waits == "moves" else "zk-0"
    made.world.leader = next(p.uid for p in made.world.members() if p.name == first)
    real = made.world.report

    def report(pod: SimPod) -> MemberReport:
        told = real(pod)
        unheard = pod.name == ("zk-1" if waits == "moves" else "zk-0") and made.now < 6
        return replace(told, mode=Mode.SILENT) if unheard else told

    def elect(s: Stage) -> None:
        target = s.world.named("zk-0")
        assert target is not None
        s.world.leader = target.uid

    made.world.report = report
    made.plan = replace(made.plan, nodes=tuple(sorted(made.plan.nodes, key=lambda node: node.name)))
    made.state = begin("run-1", made.plan, (made.world.ensemble(),), HOLDER)
    made.when = once(lambda s: s.now > 3 and s.step is NodeStep.CLAIM, elect)
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert [key.name for key in made.world.evicted if key.name.startswith("zk-")][-1] == "zk-0"
    assert made.state.run.nodes[-1].name == "node-1"
    assert sum(event.kind == "cordon" for event in made.first.journal) == 3, "nothing was cordoned before it could go"


def test_a_disruption_by_others_pauses_the_run_once() -> None:
    def condemn(s: Stage) -> None:
        pod = s.world.named("zk-2")
        assert pod is not None
        s.world.deleted_by_us.add(pod.uid)

    made = stage(("node-1",), once(claiming, condemn))
    made.horizon = 40
    made.play()
    assert made.state.run.status is RunStatus.ABORTED
    assert made.said("pause     zk-2 is being disrupted by someone else")
    assert all(not k.name.startswith("zk-") for k in made.world.evicted)


def test_an_override_wants_the_pods_name_and_opens_one_gate_for_one_pod() -> None:
    words: list[str] = []

    def when(s: Stage) -> None:
        blocked = [g.name for g in s.state.run.blocked]
        if GateName.LANDING in blocked and not words:
            s.order(CommandKind.OVERRIDE, gate=GateName.LANDING, typed="yes")
            words.append(s.state.run.message)
            s.order(CommandKind.OVERRIDE, gate=GateName.ALONE, typed="zk-0")
            words.append(s.state.run.message)
            s.order(CommandKind.OVERRIDE, gate=GateName.LANDING, typed="zk-0")

    made = stage(("node-1",), when)
    made.world.nodes["node-4"].unschedulable = True
    made.play()
    assert words == ["Not overridden: type zk-0, the pod's own name", "There is no such closed gate to override"]
    assert made.said("override  landing overridden for zk-0: nowhere to land now")
    assert made.state.run.status is RunStatus.DONE


def test_losing_the_lease_stops_the_run() -> None:
    played = stage(("node-1",), once(in_step(NodeStep.DRAIN), lambda s: s.steal())).play()
    assert played.state.run.status is RunStatus.FAILED
    assert "was lost to bob" in played.state.run.message
    assert played.world.leases[NAMESPACE].holder == "bob", "another's lease is not released"


def test_an_uncordon_by_someone_else_during_the_drain_pauses() -> None:
    def bare(s: Stage) -> None:
        s.world.nodes["node-1"].unschedulable = False
        s.world.nodes["node-1"].version += 1

    made = stage(("node-1",), once(lambda s: evicting(s, "web"), bare))
    made.horizon = 30
    made.play()
    assert made.said("someone uncordoned node-1")
    assert all(not k.name.startswith("zk-") for k in made.world.evicted)


@pytest.mark.parametrize("kind", [CommandKind.PAUSE, CommandKind.ABORT])
def test_a_command_is_acknowledged_in_the_very_state_whatever_is_under_way(kind: CommandKind) -> None:
    seen: list[bool] = []

    def when(s: Stage) -> None:
        if s.now > len(seen) and not s.state.run.status.ended and s.state.closing is None and not seen:
            s.order(kind)
            run = s.state.run
            seen.append(run.aborting or run.pausing or run.status is RunStatus.PAUSED)

    for moment in (0.0, 1.0, 3.0, 6.0, 9.0):
        seen.clear()
        made = stage(("node-1",), lambda s, m=moment: when(s) if s.now >= m else None)
        made.horizon = 30
        made.play()
        assert seen == [True]


def test_an_abort_is_heard_while_a_run_ends_already_and_changes_nothing() -> None:
    heard: list[bool] = []

    def when(s: Stage) -> None:
        if s.state.closing is not None and not s.state.run.status.ended:
            s.order(CommandKind.ABORT)
            heard.append(s.state.run.aborting)

    made = stage(("node-1",), when)
    made.play()
    assert heard and all(heard)
    assert made.state.run.status is RunStatus.DONE
    assert not made.said("the operator aborts")


def test_a_cordoned_node_under_the_old_name_is_not_uncordoned() -> None:
    def replace_it(s: Stage) -> None:
        s.lose_node("node-1", replaced=True)
        s.world.nodes["node-1"].unschedulable = True

    played = stage(("node-1",), once(in_step(NodeStep.HOLD), replace_it)).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.world.nodes["node-1"].unschedulable and played.world.nodes["node-1"].version == 99


def test_a_cordon_that_came_after_ours_was_undone_is_theirs() -> None:
    def bare(s: Stage) -> None:
        node = s.world.nodes["node-1"]
        node.unschedulable, node.cordoned_by_engine, node.version = False, False, node.version + 1

    def theirs(s: Stage) -> None:
        node = s.world.nodes["node-1"]
        node.unschedulable, node.version = True, node.version + 1

    first, second = once(in_step(NodeStep.HOLD), bare), once(lambda s: s.said("uncordoned by someone else"), theirs)

    def when(s: Stage) -> None:
        first(s)
        second(s)

    played = stage(("node-1",), when, replace(QUICK, hold=Hold(HoldKind.SECONDS, 10))).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.world.nodes["node-1"].unschedulable
    assert played.state.run.cordoned == ()


def test_a_member_is_back_only_after_it_served_for_the_dwell() -> None:
    served: dict[str, float] = {}

    def when(s: Stage) -> None:
        pod = s.world.named("zk-0")
        if pod is not None and pod.created > 0 and pod.joined:
            served.setdefault("since", s.now)
        rejoined = [p for n in s.state.run.nodes for p in n.pods if p.step is PodStep.REJOINED]
        if rejoined:
            served.setdefault("rejoined", s.now)

    stage(("node-1",), when, replace(QUICK, dwell=7)).play()
    assert served["rejoined"] - served["since"] >= 7


def test_a_member_is_back_only_once_it_has_caught_up() -> None:
    """It follows, and its zxid stays behind its leader's of the same epoch: Ready and serving are not enough."""
    made = stage(("node-1",))
    made.world.leader = next(p.uid for p in made.world.members() if p.name == "zk-2")
    real = made.world.report

    def report(pod: SimPod) -> MemberReport:
        told = real(pod)
        behind = pod.name == "zk-0" and pod.created > 0 and told.mode.serving
        return replace(told, zxid=Zxid(made.world.epoch << 32 | 1)) if behind else told

    made.world.report = report
    made.world.syncs = False
    made.horizon = 40
    made.play()
    assert made.state.run.status is RunStatus.ABORTED
    assert not made.said("rejoined ")
    assert any("not caught up" in p.note for n in made.state.run.nodes for p in n.pods)


def _ready(made: Stage, ready: Callable[[float], bool]) -> None:
    """What the kubelet says of zk-0's successor, by how long that has served."""
    real, served = made.world.pod, list[float]()

    def told_of(pod: SimPod) -> Pod:
        told = real(pod)
        if pod.name != "zk-0" or pod.created <= 0 or not pod.joined:
            return told
        served.append(made.now)
        return replace(told, ready=ready(made.now - served[0]))

    made.world.pod = told_of


def _rejoined_after(made: Stage) -> float:
    """Seconds from its first answer as a follower until it counts as back."""
    seen: dict[str, float] = {}

    def when(s: Stage) -> None:
        pod = s.world.named("zk-0")
        if pod is not None and pod.created > 0 and pod.joined:
            seen.setdefault("serves", s.now)
        if any(p.step is PodStep.REJOINED for n in s.state.run.nodes for p in n.pods):
            seen.setdefault("rejoined", s.now)

    made.when = when
    made.play()
    assert made.state.run.status is RunStatus.DONE
    return seen["rejoined"] - seen["serves"]


def test_the_dwell_counts_from_serving_and_readiness_may_follow_in_it() -> None:
    """A probe says two seconds later what `srvr` says itself; these are no seconds more."""
    made = stage(("node-1",), options=replace(QUICK, dwell=7))
    _ready(made, lambda served: served >= 3)
    assert 7 <= _rejoined_after(made) < 8


def test_a_member_is_not_back_before_it_is_ready_however_long_it_serves() -> None:
    made = stage(("node-1",), options=replace(QUICK, dwell=7))
    _ready(made, lambda served: served >= 15)
    assert 15 <= _rejoined_after(made) < 16


def test_readiness_that_is_taken_back_begins_the_dwell_anew() -> None:
    made = stage(("node-1",), options=replace(QUICK, dwell=7))
    _ready(made, lambda served: not 4 <= served < 6)
    assert 11 <= _rejoined_after(made) < 12.5


@pytest.mark.parametrize(("unheard", "least", "most"), [(0.6, 7.0, 8.0), (4.0, 14.0, 16.0)])
def test_one_answer_that_did_not_come_is_no_break_and_silence_is(unheard: float, least: float, most: float) -> None:
    """What it said before is evidence for 2 s, and after that nobody knows."""
    made = stage(("node-1",), options=replace(QUICK, dwell=7))
    served: list[float] = []
    real = made.world.report

    def report(pod: SimPod) -> MemberReport:
        told = real(pod)
        if pod.name != "zk-0" or pod.created <= 0 or not pod.joined:
            return told
        served.append(made.now)
        silent = 3.0 <= made.now - served[0] < 3.0 + unheard
        return replace(told, mode=Mode.SILENT) if silent else told

    made.world.report = report
    assert least - unheard <= _rejoined_after(made) < most


def test_from_a_member_that_is_back_to_the_next_cordon_it_reads_once_more() -> None:
    """Each reading is time in which nothing else happens; the first one says that it is back."""
    readings: dict[str, int] = {}

    def when(s: Stage) -> None:
        if s.said("zk-0 is Ready"):
            readings.setdefault("back", s.readings)
        if isinstance(s.state.busy, CordonNode) and s.state.busy.node.name == "node-2":
            readings.setdefault("next", s.readings)

    played = stage(("node-1", "node-2"), when, replace(QUICK, hold=Hold(HoldKind.SECONDS, 0.0))).play()
    assert played.state.run.status is RunStatus.DONE
    assert readings["next"] - readings["back"] == 1


@pytest.mark.parametrize(("age", "reads"), [(0.5, 0), (1.7, 0), (2.5, 1)])
def test_a_node_that_is_given_back_waits_for_no_reading_while_the_last_one_is_evidence(age: float, reads: int) -> None:
    """From the key to the change there is the Lease's renewal alone."""
    readings: list[int] = []

    def when(s: Stage) -> None:
        held = s.step is NodeStep.HOLD and s.state.busy is None and s.state.facts is not None
        if held and not readings:
            assert s.state.facts is not None
            s.first.base += s.state.facts.at + age - s.first.clock  # so much later
            readings.append(s.readings)
            s.order(CommandKind.UNCORDON)
            assert isinstance(s.state.busy, Survey if reads else UpdateLease)
        if isinstance(s.state.busy, CordonNode) and not s.state.busy.unschedulable and len(readings) == 1:
            readings.append(s.readings)

    played = stage(("node-1",), when, replace(QUICK, hold=Hold(HoldKind.ASK))).play()
    assert played.state.run.status is RunStatus.DONE
    assert readings[1] - readings[0] == reads


def test_a_hold_that_was_just_written_down_is_not_read_after_at_once() -> None:
    """A person who saw it and presses the key would wait for that reading."""
    seen: list[bool] = []

    def when(s: Stage) -> None:
        told = s.state.renewed and s.state.written and not isinstance(s.state.busy, UpdateLease)
        if s.step is NodeStep.HOLD and '"step":"hold"' in s.state.written and told and not seen:
            seen.append(isinstance(s.state.busy, Survey))

    stage(("node-1",), when).play()
    assert seen == [False]


def test_an_eviction_rests_on_a_reading_after_its_lease() -> None:
    """Budget, pod and members are read again right before each of them, whatever came before."""
    last: list[str] = []
    order: list[list[str]] = []

    def when(s: Stage) -> None:
        busy = s.state.busy
        if busy is not None and (not last or last[-1] != type(busy).__name__):
            last.append(type(busy).__name__)
        if isinstance(busy, EvictPod):
            order.append(last[-2:])

    stage(("node-1", "node-2"), when).play()
    assert order and all(two == ["Survey", "EvictPod"] for two in order), order


def test_a_run_that_is_done_looks_until_it_sees_who_serves() -> None:
    """Else the report's last word would be that nobody knows, of an ensemble that has long been well."""

    def freeze(s: Stage) -> None:
        s.world.freeze(s.world.pods[s.world.leader], 4.0)

    made = stage(("node-1",), once(in_step(NodeStep.HOLD), freeze), replace(QUICK, hold=Hold(HoldKind.SECONDS, 3.0)))
    made.play()
    assert made.state.run.status is RunStatus.DONE
    told = [event for event in made.first.journal if event.kind == "quorum"]
    assert any(event.data["health"] != "quorum" for event in told), "it was seen"
    assert told[-1].data["health"] == "quorum"
    assert not [outage for outage in report(made.first.journal).outages if not outage.over]


def test_an_ensemble_that_stays_ill_does_not_keep_a_run_from_its_end() -> None:
    def freeze(s: Stage) -> None:
        for pod in s.world.members():
            if pod.uid != s.world.leader:
                s.world.freeze(pod, 100.0)

    made = stage(("node-1",), once(in_step(NodeStep.HOLD), freeze))
    made.play()
    assert made.state.run.status is RunStatus.DONE
    assert any(not outage.over for outage in report(made.first.journal).outages)
