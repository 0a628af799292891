"""Cordons: what they carry on the node, those made ahead of a node's turn, and whose they are when nobody told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.maintenance.schedules import HOLDER
from tests.unit.maintenance.test_machine import QUICK, Stage, both, in_step, once, resuming, stage
from zktui.core.kube import Node, Taint
from zktui.core.ports import Reply, Unanswered
from zktui.maintenance.annotations import KEEP, on_cordon, on_uncordon, run_of, undo_by_hand
from zktui.maintenance.effects import Change, CordonNode
from zktui.maintenance.machine import begin
from zktui.maintenance.model import CommandKind, Hold, HoldKind, NodeStep, Options, RunStatus

RUN = "zktui/run"
SCALE_DOWN, DO_NOT_DISRUPT = KEEP


def ahead(when: Callable[[Stage], None] = lambda _: None, options: Options = QUICK) -> Stage:
    """A run of node-4 and then node-2, in which node-2 is to be cordoned ahead."""
    made = stage(("node-4", "node-2"), when, options)
    first, second = made.plan.nodes
    made.plan = replace(made.plan, nodes=(replace(first, ahead=("node-2",)), second))
    made.first.state = begin("run-1", made.plan, (made.world.ensemble(),), HOLDER)
    return made


def lose(made: Stage, wanted: Callable[[CordonNode], bool], act: Callable[[Callable[[], Any]], None]) -> None:
    """The answer to the first cordon like this is lost; `act` gets what the server would have done."""
    real, lost = made.first.act, list[Change]()

    def serve(change: Change) -> Reply[Any]:
        if isinstance(change, CordonNode) and wanted(change) and not lost:
            lost.append(change)
            act(lambda: real(change))
            return Unanswered("connection reset", made.now)
        return real(change)

    made.first.act = serve


def theirs(made: Stage, name: str) -> None:
    """Somebody runs kubectl cordon."""
    node = made.world.nodes[name]
    node.unschedulable, node.cordoned_by_engine, node.version = True, False, node.version + 1


def cordons(made: Stage, name: str) -> int:
    """How often this node's cordon was sent."""
    return sum(e.kind == "cordon" and e.data.get("node") == name for e in made.first.journal)


def test_a_node_is_cordoned_ahead_before_the_one_at_work_and_given_back_at_its_own_turn() -> None:
    held: list[tuple[str, ...]] = []

    def when(s: Stage) -> None:
        if s.step is NodeStep.HOLD:
            held.append(s.state.run.cordoned)

    played = ahead(when).play()
    assert played.state.run.status is RunStatus.DONE, played.state.run.message
    told = [e.text.partition(",")[0] for e in played.first.journal if e.kind == "cordon"]
    assert told == ["cordon ahead node-2", "cordon node-4"]
    assert set(held[0]) == {"node-2", "node-4"}, "both are named while they are cordoned"
    assert held[-1] == ("node-2",)
    assert not any(node.unschedulable for node in played.world.nodes.values())
    assert cordons(played, "node-2") == 1


def test_an_abort_names_the_node_that_was_cordoned_ahead() -> None:
    when = once(in_step(NodeStep.HOLD), lambda s: s.order(CommandKind.ABORT))
    run = ahead(when, replace(QUICK, hold=Hold(HoldKind.ASK))).play().state.run
    assert set(run.cordoned) == {"node-4", "node-2"}
    assert "kubectl uncordon node-4 node-2" in run.message


def test_an_abort_names_what_still_holds_autoscalers_off() -> None:
    when = once(in_step(NodeStep.HOLD), lambda s: s.order(CommandKind.ABORT))
    options = replace(QUICK, hold=Hold(HoldKind.ASK), keep_node=True)
    message = stage(("node-4",), when, options).play().state.run.message
    assert (
        f"kubectl uncordon node-4; kubectl annotate nodes node-4 {RUN}-" in message and f"{DO_NOT_DISRUPT}-" in message
    )


def test_nothing_is_cordoned_ahead_with_the_option_off() -> None:
    played = ahead(options=replace(QUICK, cordon_ahead=False)).play()
    assert played.state.run.status is RunStatus.DONE and not played.said("cordon ahead")


@pytest.mark.parametrize("name", ["node-2", "node-4"])
def test_a_lost_answer_to_a_cordon_is_found_out_by_the_runs_id_on_the_node(name: str) -> None:
    made = ahead()
    lose(made, lambda c: c.unschedulable and c.node.name == name, lambda act: act())
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert made.said(f"{name} is cordoned, by this run")
    assert cordons(made, name) == 1, "it is not sent again"
    assert not made.world.nodes[name].unschedulable
    assert RUN not in made.world.nodes[name].annotations


def test_a_lost_answer_to_an_uncordon_is_not_told_as_a_strangers_doing() -> None:
    made = ahead()
    lose(made, lambda c: not c.unschedulable and c.node.name == "node-4", lambda act: act())
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert made.said("node-4 was uncordoned as this run has asked: the answer was lost")
    assert not made.said("by someone else")
    assert RUN not in made.world.nodes["node-4"].annotations


@pytest.mark.parametrize("name", ["node-2", "node-4"])
def test_a_strangers_cordon_is_not_taken_for_ours_because_our_answer_was_lost(name: str) -> None:
    """Ours was never carried out; theirs came at the same moment, and carries no run's id."""
    made = ahead(resuming()) if name == "node-2" else stage((name,), resuming())
    lose(made, lambda c: c.unschedulable and c.node.name == name, lambda act: theirs(made, name))
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert made.said(f"{name} is cordoned, by someone else")
    assert made.world.nodes[name].unschedulable, "someone else's cordon is never undone"
    assert made.state.run.cordoned == ()


def test_a_cordon_ahead_that_was_undone_by_others_stays_undone_until_its_turn() -> None:
    def bare(s: Stage) -> None:
        node = s.world.nodes["node-2"]
        node.unschedulable, node.cordoned_by_engine, node.version = False, False, node.version + 1

    played = ahead(once(lambda s: s.said("cordon node-4: done"), bare)).play()
    assert played.state.run.status is RunStatus.DONE, played.state.run.message
    assert played.said("node-2, cordoned ahead, was uncordoned by someone else")
    assert cordons(played, "node-2") == 2 and not played.world.nodes["node-2"].unschedulable


def test_a_node_cordoned_ahead_that_is_deleted_is_nothing_to_uncordon() -> None:
    when = once(lambda s: s.said("cordon node-4: done"), lambda s: s.lose_node("node-2", replaced=True))
    played = ahead(both(when, resuming())).play()
    assert played.state.run.status is RunStatus.DONE, played.state.run.message
    assert played.state.run.cordoned == ()
    assert not played.world.nodes["node-2"].unschedulable and played.world.nodes["node-2"].version == 99


def test_the_operator_may_open_a_node_cordoned_ahead_with_a_key() -> None:
    def when(s: Stage) -> None:
        if s.said("cordon node-4: done") and not s.said("the operator wants"):
            s.tell_uncordon("node-2")

    played = ahead(when).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.said("uncordon node-2: done")


@pytest.mark.parametrize("name", ["node-4", "node-2"])
def test_the_runs_id_is_on_the_node_exactly_as_long_as_our_cordon(name: str) -> None:
    seen: list[tuple[bool, str]] = []

    def when(s: Stage) -> None:
        node = s.world.nodes[name]
        seen.append((node.unschedulable, node.annotations.get(RUN, "")))

    ahead(when).play()
    assert set(seen) == {(False, ""), (True, "run-1")}


def test_autoscalers_are_asked_to_spare_the_node_and_what_they_were_told_before_comes_back() -> None:
    seen: list[dict[str, str]] = []

    def when(s: Stage) -> None:
        if s.step is NodeStep.HOLD:
            seen.append(dict(s.world.nodes["node-4"].annotations))

    made = stage(("node-4",), when, replace(QUICK, keep_node=True))
    made.world.nodes["node-4"].annotations = {SCALE_DOWN: "false", "team": "db"}
    made.play()
    assert {**seen[0], "zktui/kept": ""} == {
        SCALE_DOWN: "true",
        DO_NOT_DISRUPT: "true",
        "team": "db",
        RUN: "run-1",
        "zktui/kept": "",
    }
    assert made.world.nodes["node-4"].annotations == {SCALE_DOWN: "false", "team": "db"}


def test_without_being_asked_no_autoscaler_is_told_anything() -> None:
    assert set(on_cordon(Node("n", "u"), "r", keep=False)) == {RUN}


def test_an_annotation_that_somebody_changed_meanwhile_stays_theirs() -> None:
    put = on_cordon(Node("n", "u"), "r", keep=True)
    there = {key: value for key, value in put.items() if value is not None} | {DO_NOT_DISRUPT: "no longer"}
    undone = on_uncordon(Node("n", "u", annotations=there))
    assert undone == {RUN: None, "zktui/kept": None, SCALE_DOWN: None}


@pytest.mark.parametrize("kept", ["", "[]", "7", "{", '{"app": "x"}', '{"karpenter.sh/do-not-disrupt": 5}'])
def test_an_annotation_that_is_not_ours_to_read_puts_nothing_back(kept: str) -> None:
    annotations = {**KEEP, "zktui/kept": kept, RUN: "r"}
    assert on_uncordon(Node("n", "u", annotations=annotations)) == {RUN: None, "zktui/kept": None}


def test_a_run_is_read_off_a_node_only_while_that_is_cordoned() -> None:
    node = Node("n", "u", unschedulable=True, annotations={RUN: "r"})
    assert run_of(node) == "r"
    assert run_of(replace(node, unschedulable=False)) == ""


def test_what_undoes_our_cordons_by_hand() -> None:
    assert undo_by_hand((), keep=True) == ()
    assert undo_by_hand(("a", "b"), keep=False) == ("kubectl uncordon a b", "kubectl annotate nodes a b zktui/run-")
    assert undo_by_hand(("a",), keep=True)[1].endswith(f"{RUN}- zktui/kept- {SCALE_DOWN}- {DO_NOT_DISRUPT}-")


@pytest.mark.parametrize("again", [False, True])
def test_our_annotations_go_also_when_somebody_else_uncordoned_the_node(again: bool) -> None:
    """Also when they have cordoned it again meanwhile: that stays."""

    def bare(s: Stage) -> None:
        node = s.world.nodes["node-4"]
        node.unschedulable, node.cordoned_by_engine, node.version = False, False, node.version + 1

    first = once(in_step(NodeStep.HOLD), bare)
    second = once(lambda s: again and s.said("node-4 was uncordoned by someone else"), lambda s: theirs(s, "node-4"))
    options = replace(QUICK, keep_node=True, hold=Hold(HoldKind.SECONDS, 5.0))
    played = stage(("node-4",), both(first, second), options).play()
    assert played.state.run.status is RunStatus.DONE
    assert played.world.nodes["node-4"].annotations == {}
    assert played.world.nodes["node-4"].unschedulable is again


# -- what others do --


def test_a_cordon_outside_the_plan_is_noted_and_one_on_a_members_node_pauses_once() -> None:
    made = stage(("node-1",), both(once(in_step(NodeStep.DRAIN), lambda s: theirs(s, "node-4")), resuming()))
    made.play()
    assert made.said("note      node-4 was cordoned by someone else"), "it carries nobody"
    assert not made.said("pause     node-4")
    made = stage(("node-1",), both(once(in_step(NodeStep.DRAIN), lambda s: theirs(s, "node-3")), resuming()))
    made.play()
    assert sum("pause     node-3 was cordoned by someone else" in line for line in made.log) == 1
    assert made.state.run.status is RunStatus.DONE
    assert made.world.nodes["node-3"].unschedulable


def test_what_was_cordoned_before_the_run_pauses_nobody() -> None:
    made = stage(("node-1",))
    theirs(made, "node-3")
    made.play()
    assert made.state.run.status is RunStatus.DONE and not made.said("pause ")


def test_a_strangers_disruption_taint_on_a_members_node_pauses_once() -> None:
    def taint(s: Stage) -> None:
        s.world.nodes["node-3"].taints = (Taint("ToBeDeletedByClusterAutoscaler", "NoSchedule"),)

    def clear(s: Stage) -> None:
        s.world.nodes["node-3"].taints = ()

    first = once(in_step(NodeStep.DRAIN), taint)
    made = stage(("node-1",), both(first, once(lambda s: s.said("pause "), clear), resuming()))
    made.play()
    assert sum("pause     node-3 carries the taint ToBeDeletedByClusterAutoscaler" in line for line in made.log) == 1
    assert made.state.run.status is RunStatus.DONE


def test_a_node_that_an_autoscaler_may_remove_later_is_told_and_pauses_nobody() -> None:
    """Its taint for candidates keeps nobody off by force (PreferNoSchedule), and may stay for as long as it likes."""

    def taint(s: Stage) -> None:
        s.world.nodes["node-3"].taints = (Taint("DeletionCandidateOfClusterAutoscaler", "PreferNoSchedule"),)

    made = stage(("node-1",), once(in_step(NodeStep.DRAIN), taint))
    made.play()
    told = "note      node-3 carries the taint DeletionCandidateOfClusterAutoscaler: an autoscaler may remove it"
    assert sum(told in line for line in made.log) == 1
    assert made.state.run.status is RunStatus.DONE and not made.said("pause ")
