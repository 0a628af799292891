"""The plan as it is printed: in full with --explain, and as a document."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.maintenance.plans import ALL, DRAIN, budgets, planned, world
from zktui.headless import explain
from zktui.headless.maintain import go_or_no_go
from zktui.headless.plan import document, text, verdict


def test_explain_tells_each_landing_each_gate_and_each_step() -> None:
    told = explain.text(planned(world(), ALL))
    assert "zk-1, follower" in told
    assert "not on node-3: zk-2 is there, and anti-affinity keeps them apart" in told
    assert "✓ quorum: 2 of 3 serve without zk-1, majority is 2" in told
    assert "… alone: the lease in default is to be taken" in told
    assert "default/daemon-2, stay: managed by DaemonSet" in told
    rows = [" ".join(line.split()) for line in told.splitlines()]
    assert "7 node-2 evict zk-1 1 → 0 2, majority 2" in rows
    assert "8 node-4 serves again zk-1 0 → 1 3, majority 2" in rows


def test_figures_of_clients_agree_with_their_words() -> None:
    found = planned(world(), ("node-2",))
    (member,) = found.nodes[0].members
    told = replace(member, connections=1, watches=2, ephemerals=None)
    nodes = (replace(found.nodes[0], members=(told,)),)
    assert "felt by: 1 connection, 2 watches, ? ephemeral znodes" in explain.text(replace(found, nodes=nodes))


def test_the_plan_says_what_its_order_saves_and_what_clients_feel() -> None:
    told = text(planned(world(), ALL))
    assert "up to 1 eviction and 1 election fewer than in the order given" in told
    assert "away for about 4 s; the shortest session timeout known is 1 s" in told


def test_a_plan_that_is_to_be_accepted_is_no_go_until_it_is() -> None:
    table = world()
    edit = budgets()(table)
    found = planned(table, ("node-2",), edit=edit)
    assert verdict(found) == "no-go until this is accepted: --acknowledge no-budget"
    assert go_or_no_go(found) == 3 and document(found)["go"] is False
    assert document(found)["unacknowledged"] == ["no-budget"]
    known = planned(table, ("node-2",), replace(DRAIN, acknowledged=frozenset({"no-budget"})), edit)
    assert go_or_no_go(known) == 0 and document(known)["go"] is True


def test_the_document_has_the_steps_and_who_feels_them() -> None:
    told = document(planned(world(), ("node-2",)))
    steps = told["steps"]
    assert isinstance(steps, list)
    assert [step["action"] for step in steps if isinstance(step, dict)] == [
        "cordon",
        "evict",
        "evict",
        "return",
        "hold",
        "uncordon",
    ]
    assert steps[2] == {
        "action": "evict",
        "node": "node-2",
        "namespace": "default",
        "pod": "zk-1",
        "member": True,
        "allowedBefore": 1,
        "allowedAfter": 0,
        "servingVoters": 2,
        "majority": 2,
        "waits": False,
    }
    nodes = told["nodes"]
    assert isinstance(nodes, list) and isinstance(nodes[0], dict)
    members = nodes[0]["members"]
    assert isinstance(members, list) and isinstance(members[0], dict)
    assert members[0]["connections"] is None
    gates = members[0]["gates"]
    assert isinstance(gates, list) and len(gates) == 6
    assert {"clientGapSeconds", "shortestSessionTimeoutSeconds", "cordonedAhead", "saves"} <= told.keys()
