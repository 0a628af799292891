"""Plans over the simulated cluster, for the tests of planning: facts as a review reads them, with edits."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.unit.maintenance.schedules import read
from tests.unit.maintenance.world import EPOCH, NAMESPACE, World
from zktui.core.kube import Budget
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.model import Level, Options, Plan
from zktui.maintenance.planning import plan
from zktui.maintenance.survey import Scope

DRAIN = Options(ignore_daemonsets=True)
ALL = ("node-1", "node-2", "node-3", "node-4")
Edit = Callable[[Facts], Facts]


def same(facts: Facts) -> Facts:
    return facts


def world(**fields: Any) -> World:
    made = World(random.Random(1), **fields)
    made.leader = next(p.uid for p in made.members() if p.name == "zk-0")
    return made


def planned(table: World, names: tuple[str, ...], options: Options = DRAIN, edit: Edit = same) -> Plan:
    ensemble = table.ensemble()
    facts = edit(read(table, Scope((ensemble,), tuple(table.nodes), decide=True, select=True)))
    facts = replace(facts, node={**facts.node, **{n: Reading(0, absent=True) for n in names if n not in facts.node}})
    return plan(facts, names, options, EPOCH, (ensemble,))


def pods(table: World, change: Callable[[Any], Any]) -> Edit:
    """An edit of every member, wherever it is listed."""

    def edit(facts: Facts) -> Facts:
        def each(listed: Reading[Any]) -> Reading[Any]:
            value = tuple(change(p) if p.name.startswith("zk-") else p for p in listed.value or ())
            return Reading(listed.at, value, "")

        return replace(
            facts,
            pods={key: each(listed) for key, listed in facts.pods.items()},
            on_node={name: each(listed) for name, listed in facts.on_node.items()},
        )

    return edit


def codes(found: Plan, level: Level) -> set[str]:
    return {f.code for f in found.every_finding() if f.level is level}


def budgets(*changes: Callable[[Budget], Budget]) -> Callable[[World], Edit]:
    def build(table: World) -> Edit:
        listed = tuple(change(table.budget()) for change in changes)
        return lambda facts: replace(facts, budgets={NAMESPACE: Reading(0, listed, "")})

    return build
