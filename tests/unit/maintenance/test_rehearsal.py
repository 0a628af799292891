"""The run on paper: cordons ahead, what each step costs, what the order saves, and who feels it."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from tests.unit.core.facts import pod, report
from tests.unit.maintenance.plans import ALL, DRAIN, Edit, budgets, codes, planned, pods, world
from tests.unit.maintenance.world import EPOCH, NAMESPACE, SPEC, World
from zktui.core.kube import PodSpec
from zktui.core.zookeeper import Ensemble, EnsembleConfig, MemberDetail, MemberSessions, Mode, Server
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.model import ActionKind, GateName, Level
from zktui.maintenance.ordering import elections_of, order_of


def loosely(table: World) -> Edit:
    """Members that may share a node."""
    return pods(table, lambda p: replace(p, spec=PodSpec(containers=SPEC.containers)))


def test_nodes_still_to_be_drained_are_cordoned_ahead_where_there_is_room_elsewhere() -> None:
    table = world(spare=0)
    found = planned(table, ("node-1", "node-2"), edit=loosely(table))
    first, second = found.nodes
    assert (first.name, first.ahead, second.ahead) == ("node-2", ("node-1",), ())
    assert found.ahead == ("node-1",)
    assert first.members[0].landing.nodes == ("node-3",)
    assert found.evictions == 2
    assert {"cordon-ahead"} <= codes(found, Level.INFO)
    assert not {"may-move-twice", "moves-twice"} & codes(found, Level.WARN)
    acts = [(s.node, s.act.value, s.pod) for s in found.steps if s.member or not s.pod]
    assert acts[:4] == [
        ("node-1", "cordon-ahead", ""),
        ("node-2", "cordon", ""),
        ("node-2", "evict", "zk-1"),
        ("node-3", "return", "zk-1"),
    ]
    assert ("node-1", "cordon", "") not in acts, "it is cordoned by then"
    assert acts[-1] == ("node-1", "uncordon", "")


def test_no_node_is_cordoned_ahead_for_which_a_member_would_have_to_wait() -> None:
    """node-2 is the only room that there is: better to move twice than to wait."""
    table = world(spare=0)
    loose = loosely(table)

    def edit(facts: Facts) -> Facts:
        nodes = tuple(replace(n, unschedulable=n.name == "node-3") for n in facts.nodes.value or ())
        return replace(loose(facts), nodes=Reading(0, nodes, ""))

    found = planned(table, ("node-1", "node-2"), edit=edit)
    assert found.ahead == ()
    assert not any(m.landing.waits for n in found.nodes for m in n.members)
    assert "moves-twice" in codes(found, Level.WARN)


def test_the_budget_and_the_quorum_are_simulated_at_each_step() -> None:
    found = planned(world(), ALL)
    told = [(s.act.value, s.node, s.pod, s.allowed_before, s.allowed_after, s.serving) for s in found.steps if s.member]
    assert told == [
        ("evict", "node-2", "zk-1", 1, 0, 2),
        ("return", "node-4", "zk-1", 0, 1, 3),
        ("evict", "node-3", "zk-2", 1, 0, 2),
        ("return", "node-2", "zk-2", 0, 1, 3),
        ("evict", "node-1", "zk-0", 1, 0, 2),
        ("return", "node-3", "zk-0", 0, 1, 3),
    ]
    assert {s.majority for s in found.steps if s.member} == {2}
    assert not any(s.waits for s in found.steps)
    others = [s for s in found.steps if s.pod and not s.member]
    assert [s.pod for s in others] == ["web-4", "web-2", "web-3", "web-1"]
    assert all(s.allowed_before is None for s in others), "no budget covers them"


def test_a_member_that_waits_for_the_uncordon_returns_after_it_and_spends_the_budget_until_then() -> None:
    found = planned(world(spare=0), ("node-2",))
    acts = [(s.act.value, s.pod, s.allowed_after) for s in found.steps if s.member or not s.pod]
    assert acts == [
        ("cordon", "", None),
        ("evict", "zk-1", 0),
        ("hold", "", None),
        ("uncordon", "", None),
        ("return", "zk-1", 1),
    ]


def test_a_closed_budget_is_a_step_that_waits() -> None:
    table = world()
    found = planned(table, ("node-2",), edit=budgets(lambda b: replace(b, allowed=0, current=2))(table))
    step = next(s for s in found.steps if s.member)
    assert step.waits and step.allowed_before == 0


def test_what_the_order_saves_is_told_against_the_order_given() -> None:
    """As measured with kubectl drain in a loop: four evictions and two elections where three and one are enough."""
    found = planned(world(), ALL)
    text = "up to 1 eviction and 1 election fewer than in the order given (node-1, node-2, node-3, node-4)"
    assert found.saves == text
    assert planned(world(), ("node-4", "node-2", "node-3", "node-1")).saves == ""


def test_each_member_says_who_will_feel_it() -> None:
    table = world()
    uid = next(p.uid for p in table.members() if p.name == "zk-1")

    def edit(facts: Facts) -> Facts:
        detail = MemberDetail(watches=7, ephemerals=40)
        report = replace(facts.reports[uid], connections=5, detail=detail)
        return replace(
            facts, reports={**facts.reports, uid: report}, sessions={uid: MemberSessions(4000, 30000, ephemerals=2)}
        )

    found = planned(table, ("node-2",), edit=edit)
    member = found.nodes[0].members[0]
    assert (member.connections, member.watches, member.ephemerals) == (5, 7, 2)
    assert (found.gap, found.session_timeout) == (4.0, 30.0)
    assert "session-timeout" not in codes(found, Level.WARN)


@pytest.mark.parametrize(
    ("sessions", "timeout", "warned"),
    [
        (MemberSessions(), 1.0, True),  # 2 x tickTime of 500 ms
        (MemberSessions(min_timeout=5000), 5.0, False),
        (MemberSessions(min_timeout=1000, shortest=3900), 3.9, True),
        (MemberSessions(min_timeout=1000, shortest=4000), 4.0, False),
    ],
)
def test_the_shortest_session_timeout_is_held_against_the_gap(
    sessions: MemberSessions, timeout: float, warned: bool
) -> None:
    table = world()
    found = planned(
        table, ("node-2",), edit=lambda facts: replace(facts, sessions={p.uid: sessions for p in table.members()})
    )
    assert found.session_timeout == timeout
    assert ("session-timeout" in codes(found, Level.WARN)) is warned


def test_a_node_without_members_costs_no_client_anything() -> None:
    found = planned(world(), ("node-4",))
    assert (found.gap, found.session_timeout) == (0.0, None)


def test_without_a_budget_a_run_asks_to_be_told_that_this_is_known() -> None:
    table = world()
    edit = budgets()(table)
    found = planned(table, ("node-2",), edit=edit)
    assert found.go and [f.code for f in found.unacknowledged] == ["no-budget"]
    assert found.unacknowledged[0].action is not None
    assert found.unacknowledged[0].action.kind is ActionKind.CREATE_BUDGET
    known = replace(DRAIN, acknowledged=frozenset({"no-budget"}))
    assert planned(table, ("node-2",), known, edit).unacknowledged == ()


def test_each_gate_is_told_as_of_the_review() -> None:
    gates = planned(world(), ("node-2",)).nodes[0].members[0].gates
    assert [g.name for g in gates] == list(GateName)
    assert {g.name for g in gates if not g.open} == {GateName.ALONE}, "the lease is yet to be taken"


def test_a_node_that_a_run_of_ours_left_cordoned_is_told_from_a_strangers() -> None:
    table = world()
    node = table.nodes["node-4"]
    node.unschedulable, node.annotations = True, {"zktui/run": "20260101-120000-beef"}
    found = planned(table, ("node-4",))
    assert any("by run 20260101-120000-beef" in f.text for f in found.nodes[0].findings if f.code == "was-cordoned")


# -- the order, with several ensembles --


def _seats(*led: tuple[str, str]) -> tuple[Facts, tuple[Ensemble, ...]]:
    """Two ensembles of three on node-1 to node-3; `led` names each one's leader's node."""
    ensembles: list[Ensemble] = []
    facts = Facts(0.0, EPOCH)
    for name, leader in led:
        base = world().ensemble()
        owner = replace(base.statefulset, name=name, uid=f"sts-{name}")
        ensemble = replace(base, statefulset=owner)
        made = tuple(pod(f"{name}-{n}", owner=owner.uid, node=f"node-{n + 1}") for n in range(3))
        servers = tuple(Server(n + 1, f"{name}-{n}.hs.{NAMESPACE}") for n in range(3))
        modes = {p.uid: Mode.LEADER if p.node == leader else Mode.FOLLOWER for p in made}
        facts = replace(
            facts,
            pods={**facts.pods, ensemble.key: Reading(0, made, "")},
            configs={**facts.configs, ensemble.key: Reading(0, EnsembleConfig(servers), "")},
            reports={**facts.reports, **{p.uid: report(p.key, modes[p.uid]) for p in made}},
        )
        ensembles.append(ensemble)
    return facts, tuple(ensembles)


def test_with_several_ensembles_the_fewest_elections_follow() -> None:
    """Every order is tried: a leader that goes early hands over to a voter that may have to go itself."""
    facts, ensembles = _seats(("zk", "node-3"), ("kv", "node-1"))
    names = ["node-1", "node-2", "node-3"]
    order = order_of(facts, names, ensembles).names
    costs = {
        tried: elections_of(facts, ensembles, [f"uid-{name}-{int(n[-1]) - 1}" for n in tried for name in ("zk", "kv")])
        for tried in permutations(names)
    }
    assert costs[order] == min(costs.values()) < max(costs.values())


def test_of_equal_voters_the_one_with_the_highest_id_is_elected() -> None:
    facts, ensembles = _seats(("zk", "node-1"))
    assert elections_of(facts, ensembles, ["uid-zk-0", "uid-zk-2", "uid-zk-1"]) == 3
    assert elections_of(facts, ensembles, ["uid-zk-1", "uid-zk-2", "uid-zk-0"]) == 1
    assert elections_of(facts, ensembles, ["uid-zk-0", "uid-zk-1"]) == 1


def test_an_observer_is_never_elected() -> None:
    facts, (ensemble,) = _seats(("zk", "node-1"))
    watching = replace(facts.reports["uid-zk-2"], mode=Mode.OBSERVER)
    facts = replace(facts, reports={**facts.reports, "uid-zk-2": watching})
    assert elections_of(facts, (ensemble,), ["uid-zk-0", "uid-zk-2", "uid-zk-1"]) == 2, "zk-1 leads after zk-0"
    assert elections_of(facts, (ensemble,), ["uid-zk-0", "uid-zk-2"]) == 1


def test_of_two_voters_each_eviction_costs_an_election() -> None:
    """Without its one follower a leader steps down: a follower's move was planned with none, and one was seen."""
    facts, (ensemble,) = _seats(("zk", "node-2"))
    servers = facts.configs[ensemble.key].value
    assert servers is not None
    facts = replace(
        facts,
        pods={ensemble.key: Reading(0, facts.members_pods(ensemble)[:2], "")},
        configs={ensemble.key: Reading(0, replace(servers, servers=servers.servers[:2]), "")},
    )
    assert elections_of(facts, (ensemble,), ["uid-zk-0"]) == 1
    assert elections_of(facts, (ensemble,), ["uid-zk-1"]) == 1


def test_a_voter_that_is_silent_now_costs_no_election() -> None:
    """The gate waits for it: by the time another goes, it serves."""
    facts, (ensemble,) = _seats(("zk", "node-2"))
    silent = replace(facts.reports["uid-zk-2"], mode=Mode.SILENT)
    facts = replace(facts, reports={**facts.reports, "uid-zk-2": silent})
    assert elections_of(facts, (ensemble,), ["uid-zk-0"]) == 0
