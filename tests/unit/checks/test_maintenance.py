"""Chapter 11 over plans that the engine's own planning makes of a simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.inventories import healthy
from tests.unit.maintenance.plans import DRAIN, Edit, budgets, planned, pods, same, world
from tests.unit.maintenance.world import World
from zktui.checks.foresight import OPTIONS, Foresight, foresee
from zktui.checks.inventory import Inventory, Known
from zktui.checks.maintenance import maintenance
from zktui.checks.model import Chapter, Check, Result
from zktui.core.zookeeper import Mode
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Finding, Gate, GateName, Level, Options, Plan, Standing

NODES = ("node-1", "node-2", "node-3")


def foreseen(table: World, edit: Edit = same, options: Options = DRAIN) -> Inventory:
    def plan(*names: str) -> Plan:
        made = planned(table, names, options, edit)
        # The simulated servers tick fast: sessions through them may be shorter than a client's way to the next.
        return replace(made, findings=tuple(f for f in made.findings if f.code != "session-timeout"))

    whole = plan(*NODES)
    alone = {name: plan(name) for name in NODES}
    return replace(healthy(), foresight=Known(Foresight(whole, alone), ""))


def judged(table: World, edit: Edit = same, options: Options = DRAIN) -> tuple[Check, Check]:
    start, order = maintenance(foreseen(table, edit, options))
    return start, order


def mode(table: World, name: str, now: Mode) -> Edit:
    uid = next(p.uid for p in table.members() if p.name == name)

    def edit(facts: Facts) -> Facts:
        return replace(facts, reports={**facts.reports, uid: replace(facts.reports[uid], mode=now)})

    return edit


def test_a_healthy_ensemble_could_start_and_the_leaders_node_goes_last() -> None:
    start, order = judged(world())
    assert (start.result, order.result) == (Result.PASS, Result.PASS)
    assert start.evidence[0].text == (
        "go: nothing in the review of node-2 says stop; its budget allows 1 disruption; "
        "3 evictions and 1 election for all of its nodes"
    )
    assert order.evidence[0].text.startswith("node-2 first: zktui maintain node-2; node-1 (zk-0) last")
    assert [(e.member, e.text) for e in order.evidence[1:]] == [
        ("zk-1", "1. node-2: lands on node-4"),
        ("zk-2", "2. node-3: lands on node-2"),
        ("zk-0", "3. node-1: lands on node-3"),
    ]
    assert (start.patch, order.patch) == ((), ())
    assert {c.chapter for c in (start, order)} == {Chapter.MAINTENANCE}


def test_nothing_is_known_without_a_review() -> None:
    blind = replace(healthy(), foresight=Known[Foresight](None, "no member is on a node"))
    for check in maintenance(blind):
        assert check.result is Result.UNKNOWN
        assert check.evidence[0].text == "no member is on a node"


def test_nowhere_to_land_is_a_warning() -> None:
    start, order = judged(world(spare=0))
    assert start.result is Result.PASS
    assert order.result is Result.WARN
    assert "nowhere to land" in order.evidence[1].text


def test_a_voter_that_is_away_keeps_a_run_waiting() -> None:
    table = world()
    start, order = judged(table, mode(table, "zk-1", Mode.LOOKING))
    assert start.result is Result.FAIL
    assert order.result is Result.WARN
    assert order.evidence[0].text.startswith("none now; once it could start, node-2 first")
    assert "2 of 3 voters serve (can lose none) → the others serve" in start.evidence[0].text
    assert "What would unblock it: the others serve" in start.advice
    assert len(start.evidence) == 1, "the first node is that of the member that is away: its own gates are open"
    start, _ = judged(table, mode(table, "zk-2", Mode.LOOKING))
    gate = start.evidence[1]
    assert (gate.member, gate.result) == ("zk-1", Result.WARN)
    assert gate.text.startswith("its gate quorum is closed: 1 of 3 serve without zk-1")


def test_a_gate_that_an_option_opens_is_no_fault() -> None:
    """As a finding that names an option: one voter is an outage that can be accepted."""
    inventory = foreseen(world())
    seen = inventory.foresight.value
    assert seen is not None
    first = next(n.name for n in seen.whole.nodes if n.members)
    shut = Gate(GateName.QUORUM, Standing.BLOCKED, "any eviction is an outage", 0.0, unblock="--accept-outage")

    def closed(plan: Plan) -> Plan:
        return replace(
            plan,
            nodes=tuple(replace(n, members=tuple(replace(m, gates=(shut,)) for m in n.members)) for n in plan.nodes),
        )

    alone = {**seen.alone, first: closed(seen.alone[first])}
    start, _ = maintenance(replace(inventory, foresight=Known(replace(seen, alone=alone), "")))
    assert (start.result, start.evidence[0].text) == (
        Result.WARN,
        "its gate quorum is closed: any eviction is an outage → --accept-outage",
    )


def test_quorum_that_is_lost_and_one_that_is_not_known() -> None:
    table = world()
    lost = [mode(table, name, Mode.LOOKING) for name in ("zk-0", "zk-1", "zk-2")]
    start, _ = judged(table, lambda facts: lost[0](lost[1](lost[2](facts))))
    assert start.result is Result.FAIL
    assert "no quorum now" in start.evidence[0].text
    start, _ = judged(table, lambda facts: replace(facts, configs={}))
    assert Result.UNKNOWN in {e.result for e in start.evidence}


@pytest.mark.parametrize(
    ("changes", "result", "words"),
    [
        ((), Result.WARN, "no budget covers it"),
        (({"desired": 3, "allowed": 0, "max_unavailable": "0"},), Result.FAIL, "its gate budget is closed"),
        (({"allowed": 0, "current": 2},), Result.WARN, "its gate budget is closed"),
    ],
)
def test_budgets(changes: tuple[dict[str, Any], ...], result: Result, words: str) -> None:
    table = world()
    edit = budgets(*(lambda b, c=c: replace(b, **c) for c in changes))(table)  # pyright: ignore
    start, _ = judged(table, edit)
    assert start.result is result
    assert any(words in e.text for e in start.evidence)


def test_two_budgets_stop_the_members_they_both_cover() -> None:
    table = world()
    start, order = judged(table, budgets(lambda b: b, lambda b: replace(b, name="other", uid="o"))(table))
    assert (start.result, order.result) == (Result.FAIL, Result.FAIL)
    assert start.evidence[0].text.startswith("not on any of its nodes")
    assert order.evidence[0].text == "no node can be drained now"
    assert "more than one budget (other, zk-pdb)" in order.evidence[1].text
    assert "let one budget cover it" in order.advice


def test_a_node_that_is_not_ready_is_not_the_first() -> None:
    table = world()
    table.nodes["node-2"].ready = False
    _, order = judged(table)
    assert order.result is Result.FAIL
    assert order.evidence[0].text.startswith("node-3 first:")
    stopped = next(e for e in order.evidence if e.member == "zk-1")
    assert (stopped.result, "node-2 is not Ready" in stopped.text) == (Result.FAIL, True)


def test_what_an_option_would_let_go_is_a_warning_and_no_fault() -> None:
    _, order = judged(world(), options=Options())
    assert order.result is Result.WARN
    assert any("→ --ignore-daemonsets" in e.text for e in order.evidence)
    assert order.evidence[0].text.startswith("node-2 first")


def test_what_i_may_not_do_somebody_else_may() -> None:
    inventory = foreseen(world())
    seen = inventory.foresight.value
    assert seen is not None
    stop = Finding(Level.STOP, "not permitted: patch nodes", "ask for a role that allows it", "permission")
    refused = replace(seen, whole=replace(seen.whole, findings=(stop,)))
    start, order = maintenance(replace(inventory, foresight=Known(refused, "")))
    assert (start.result, order.result) == (Result.WARN, Result.PASS)
    assert start.evidence[0].text == "not permitted: patch nodes → ask for a role that allows it"


def test_commands_that_unblock_are_lines_to_copy() -> None:
    table = world()
    inventory = foreseen(table, pods(table, lambda p: p))
    seen = inventory.foresight.value
    assert seen is not None
    stop = Finding(Level.STOP, "a rolling update is in progress", "kubectl rollout status sts/zk", "updating")
    alone = {name: replace(each, findings=(*each.findings, stop)) for name, each in seen.alone.items()}
    stopped = Foresight(replace(seen.whole, findings=(stop, stop)), alone)
    start, order = maintenance(replace(inventory, foresight=Known(stopped, "")))
    assert start.patch == ("kubectl rollout status sts/zk",)
    assert start.result is Result.FAIL
    assert order.result is Result.WARN
    assert [e.result for e in order.evidence[1:]] == [Result.PASS] * 3, "what stops all of it is told once"


class Desk:
    """Reviews a world in which zk-1 is away for the first `away` rounds of reviews."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.asked: list[tuple[str, ...]] = []
        self.at_once = self.most = 0

    async def review(self, nodes: Sequence[str], options: Options) -> Plan:
        assert options == OPTIONS
        self.asked.append(tuple(nodes))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        table = world()
        edit = mode(table, "zk-1", Mode.SILENT) if len(self.asked) <= 4 * self.away else same
        return planned(table, tuple(nodes), options, edit)


async def test_every_node_is_reviewed_alone_and_all_of_them_together() -> None:
    desk = Desk()
    seen = await foresee(desk, healthy().pods)
    assert seen is not None
    assert desk.asked == [NODES, *((name,) for name in NODES)]
    assert desk.most == 2
    assert [n.name for n in seen.alone["node-2"].nodes] == ["node-2"]
    assert await foresee(desk, [replace(p, node="") for p in healthy().pods]) is None


@pytest.mark.parametrize(("away", "rounds", "codes"), [(1, 2, set[str]()), (2, 3, set[str]()), (9, 3, {"degraded"})])
async def test_a_member_that_answered_late_is_asked_again(away: int, rounds: int, codes: set[str]) -> None:
    desk = Desk(away)
    seen = await foresee(desk, healthy().pods)
    assert seen is not None
    assert len(desk.asked) == 4 * rounds
    assert {f.code for f in seen.whole.findings} & {"degraded", "no-quorum"} == codes
