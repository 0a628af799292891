"""What zktui does about a dead end when it is asked to: by its own word, and never while that could harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import bench
from tests.unit.maintenance.plans import DRAIN, budgets, codes, pods, world
from tests.unit.maintenance.schedules import read
from tests.unit.maintenance.test_machine import QUICK, Stage, both, in_step, once, resuming, stage
from tests.unit.maintenance.world import EPOCH, NAMESPACE, World
from zktui.core.kube import Lease, Taint
from zktui.core.zookeeper import Mode
from zktui.maintenance.effects import CreateBudget, DeleteClaim, DeletePod, TaintNode
from zktui.maintenance.facts import Facts
from zktui.maintenance.journal import read as read_journal
from zktui.maintenance.machine import begin
from zktui.maintenance.model import Action, ActionKind, CommandKind, GateName, Level, NodeStep, RunStatus
from zktui.maintenance.offers import NotNow, changes_for, discard_offer, out_of_service_offer, stranded
from zktui.maintenance.planning import plan
from zktui.maintenance.refusals import CannotBegin, ReadOnlyError
from zktui.maintenance.survey import Scope

OFF = "powered off"
BUDGET = Action(ActionKind.CREATE_BUDGET, f"{NAMESPACE}/zk", "make a budget")


def facts_of(table: World) -> Facts:
    return read(table, Scope((table.ensemble(),), tuple(table.nodes), decide=True, select=True))


def widowed() -> World:
    """zk-1's node, to which its volume is tied, is gone for good, and zk-1 waits."""
    table = world(tied=True, ordered=False)
    del table.nodes["node-2"]
    pod = table.named("zk-1")
    assert pod is not None
    table.delete(pod)
    table.advance(10)
    waiting = table.named("zk-1")
    assert waiting is not None and not waiting.node and table.quorum()
    return table


def discard(table: World) -> Action:
    facts = facts_of(table)
    pod = next(p for p in facts.members_pods(table.ensemble()) if p.name == "zk-1")
    found = discard_offer(pod, facts)
    assert found is not None
    return found


# -- a node that is dead --


def test_a_node_that_is_not_ready_is_refused_with_the_offer_to_take_it_out_of_service() -> None:
    table = world()
    table.nodes["node-2"].ready = False
    found = plan(facts_of(table), ("node-2",), DRAIN, EPOCH, (table.ensemble(),))
    stop = next(f for f in found.stops if f.code == "not-ready")
    assert stop.action == out_of_service_offer("node-2")
    assert stop.action is not None and stop.action.typed == OFF
    change = changes_for(stop.action, OFF, facts_of(table), (), table.now)
    assert [(type(c), c.node.name, c.taint) for c in change if isinstance(c, TaintNode)] == [
        (TaintNode, "node-2", Taint("node.kubernetes.io/out-of-service", "NoExecute", "nodeshutdown"))
    ]


@pytest.mark.parametrize(
    ("typed", "ready", "name", "why"),
    [
        ("yes", False, "node-2", "type “powered off”"),
        (OFF, True, "node-2", "node-2 is Ready"),
        (OFF, False, "node-9", "node-9 does not exist"),
    ],
)
def test_a_node_is_taken_out_of_service_by_its_word_and_only_when_it_is_dead(
    typed: str, ready: bool, name: str, why: str
) -> None:
    table = world()
    table.nodes["node-2"].ready = ready
    with pytest.raises(NotNow, match=why):
        changes_for(out_of_service_offer(name), typed, facts_of(table), (table.ensemble(),), table.now)


def test_a_node_that_dies_in_mid_drain_blocks_and_its_pods_are_let_go_by_the_typed_word() -> None:
    """The eviction was granted; the kubelet that should end the pod is gone."""

    def die(s: Stage) -> None:
        s.world.nodes["node-1"].ready = False
        pod = s.world.named("zk-0")
        assert pod is not None
        pod.gone_at = pod.up_at = float("inf")

    def act(s: Stage) -> None:
        blocked = [
            g for g in s.state.run.blocked if g.action is not None and g.action.kind is ActionKind.OUT_OF_SERVICE
        ]
        if blocked and blocked[0].action is not None:
            s.first.tell(CommandKind.ACT, action=blocked[0].action, typed="yes")
            assert s.state.run.message == "Not done: type “powered off”"
            s.first.tell(CommandKind.ACT, action=blocked[0].action, typed=OFF)

    granted = once(lambda s: s.said("evict zk-0: 201"), die)
    taken = once(lambda s: any("is not Ready" in g.evidence for g in s.state.run.blocked), act)
    played = stage(("node-1",), both(granted, taken, resuming())).play()
    assert played.state.run.status is RunStatus.DONE, played.state.run.message
    assert played.said("act       taint node-1 with node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
    assert not played.said("pause     node-1 carries the taint"), "what we have done ourselves is no stranger's doing"


def test_nothing_more_is_evicted_from_a_node_that_is_not_ready_any_more() -> None:
    def die(s: Stage) -> None:
        s.world.nodes["node-1"].ready = False

    seen: list[str] = []

    def when(s: Stage) -> None:
        seen.extend(g.evidence for g in s.state.run.blocked if g.name is GateName.RETURN)

    made = stage(("node-1",), both(once(in_step(NodeStep.DRAIN), die), when))
    made.horizon = 20
    made.play()
    assert made.world.evicted == []
    assert any("node-1 is not Ready: its kubelet can't end pods" in text for text in seen)


# -- a member whose node is gone for good --


def test_a_member_tied_to_a_node_that_is_gone_can_be_made_anew_while_all_others_serve() -> None:
    table = widowed()
    facts = facts_of(table)
    offer = discard(table)
    assert offer.typed == "zk-1"
    changes = changes_for(offer, "zk-1", facts, (table.ensemble(),), table.now)
    assert [type(change) for change in changes] == [DeleteClaim, DeletePod], (
        "the pod goes last: it makes its claim anew"
    )
    found = plan(facts, ("node-1",), DRAIN, EPOCH, (table.ensemble(),))
    assert "lost-volume" in codes(found, Level.WARN)


def test_a_members_data_is_not_given_up_while_another_does_not_serve() -> None:
    table = widowed()
    uid = next(p.uid for p in table.members() if p.name == "zk-2")
    facts = facts_of(table)
    facts = replace(facts, reports={**facts.reports, uid: replace(facts.reports[uid], mode=Mode.LOOKING)})
    with pytest.raises(NotNow, match="zk-2: not serving, and only while all others serve"):
        changes_for(discard(table), "zk-1", facts, (table.ensemble(),), table.now)
    with pytest.raises(NotNow, match="only while all others serve"):
        changes_for(discard(table), "zk-1", facts_of(table), (table.ensemble(),), table.now + 5)


def test_a_members_data_is_given_up_only_by_its_name_and_when_its_node_is_gone() -> None:
    table = widowed()
    with pytest.raises(NotNow, match="type “zk-1”"):
        changes_for(discard(table), "zk-2", facts_of(table), (table.ensemble(),), table.now)
    offer = discard(table)
    healthy = world(tied=True)
    with pytest.raises(NotNow, match="no volume of zk-1 is tied to a node that is gone"):
        changes_for(offer, "zk-1", facts_of(healthy), (healthy.ensemble(),), healthy.now)


def test_a_cordoned_node_is_not_gone_for_good() -> None:
    """zk-1 waits for its node's uncordon: nothing is lost, and nothing is offered."""
    table = world(tied=True, ordered=False)
    table.nodes["node-2"].unschedulable = True
    pod = table.named("zk-1")
    assert pod is not None
    table.delete(pod)
    table.advance(10)
    facts = facts_of(table)
    waiting = next(p for p in facts.members_pods(table.ensemble()) if p.name == "zk-1")
    assert not waiting.node and stranded(waiting, facts) == ()


def test_while_another_run_holds_the_lease_nothing_is_done() -> None:
    table = widowed()
    offer = discard(table)
    held = Lease(NAMESPACE, "zktui-maintenance", holder="bob", duration=30, renewed_at=table.wall)
    table.leases[NAMESPACE] = held
    with pytest.raises(NotNow, match="is held by bob"):
        changes_for(offer, "zk-1", facts_of(table), (table.ensemble(),), table.now)
    assert changes_for(offer, "zk-1", facts_of(table), (table.ensemble(),), table.now, "bob"), "that is us"


def test_a_node_lost_in_hold_leaves_a_member_that_the_run_offers_to_make_anew() -> None:
    def act(s: Stage) -> None:
        action = next(g.action for g in s.state.run.blocked if g.action is not None)
        s.first.tell(CommandKind.ACT, action=action, typed=action.typed)

    lost = once(in_step(NodeStep.HOLD), lambda s: s.lose_node("node-1", replaced=False))
    offered = once(lambda s: any(g.action is not None for g in s.state.run.blocked), act)
    made = stage(("node-1",), both(lost, offered))
    made.world.tied = True
    made.plan = plan(facts_of(made.world), ("node-1",), QUICK, 0, (made.world.ensemble(),))
    made.first.state = begin("run-1", made.plan, (made.world.ensemble(),), made.first.holder)
    made.play()
    assert made.state.run.status is RunStatus.DONE, made.state.run.message
    assert made.said("act       delete claim default/data-zk-0") and made.said("act       delete pod default/zk-0")


# -- a budget --


def test_a_budget_is_offered_where_none_covers_the_ensemble() -> None:
    table = world()
    facts = budgets()(table)(facts_of(table))
    changes = changes_for(BUDGET, "", facts, (table.ensemble(),), table.now)
    assert [type(change) for change in changes] == [CreateBudget]
    made = changes[0]
    assert isinstance(made, CreateBudget)
    assert (made.budget.name, made.budget.max_unavailable, str(made.budget.selector)) == ("zk-pdb", "1", "app=zk")
    with pytest.raises(NotNow, match="zk-pdb covers it already"):
        changes_for(BUDGET, "", facts_of(table), (table.ensemble(),), table.now)


def test_a_pod_that_waits_is_no_reason_to_offer_anything_without_its_volumes_known() -> None:
    table = world()
    facts = pods(table, lambda p: replace(p, node="", phase="Pending"))(facts_of(table))
    pod = facts.members_pods(table.ensemble())[0]
    assert discard_offer(pod, facts) is None


# -- outside of a run --


async def test_the_desk_does_it_with_each_change_in_a_journal_before_it_is_sent(tmp_path: Path) -> None:
    table = bench(tmp_path)
    table.world.nodes["node-2"].ready = False
    told = await table.finish(table.desk.act(out_of_service_offer("node-2"), OFF))
    assert told == "Done: taint node-2 with node.kubernetes.io/out-of-service=nodeshutdown:NoExecute."
    assert table.cluster.calls == ["taint node-2 node.kubernetes.io/out-of-service"]
    kept = read_journal(next((tmp_path / "acts").glob("*.jsonl")))
    assert [event.kind for event in kept] == ["act", "reply"]


async def test_the_desk_refuses_in_words_and_changes_nothing(tmp_path: Path) -> None:
    table = bench(tmp_path)
    with pytest.raises(CannotBegin, match="node-2 is Ready"):
        await table.finish(table.desk.act(out_of_service_offer("node-2"), OFF))
    with pytest.raises(CannotBegin, match="type “powered off”"):
        await table.finish(table.desk.act(out_of_service_offer("node-2"), ""))
    assert table.cluster.calls == []
    with pytest.raises(ReadOnlyError):
        await bench(tmp_path, read_only=True).desk.act(out_of_service_offer("node-2"), OFF)


def test_a_run_refuses_what_is_none_of_its_offers() -> None:
    def when(s: Stage) -> None:
        s.first.tell(CommandKind.ACT, action=Action(ActionKind.ABORT, "", "abort"))
        words.append(s.state.run.message)

    words: list[str] = []
    stage(("node-4",), once(in_step(NodeStep.HOLD), when)).play()
    assert words == ["There is no such thing that zktui could do"]
