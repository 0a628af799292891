"""The plan as the journal keeps it, so that whoever reads of the run needs nothing else."""

from __future__ import annotations

from dataclasses import fields

from zktui.maintenance.model import Finding, Hold, JsonValue, Options, Plan
from zktui.maintenance.state import State


def plan_data(state: State) -> dict[str, JsonValue]:
    """What is worth telling of a plan and of who began it; `nodes` in their order."""
    plan = state.run.plan
    return {
        "run": state.run.id,
        "who": state.holder,
        "nodes": [node.name for node in state.run.nodes],
        "ensembles": [f"{key.namespace}/{key.name}" for key in plan.ensembles],
        "members": [
            {
                "node": node.name,
                "namespace": member.pod.namespace,
                "pod": member.pod.name,
                "role": member.mode.value,
                "landing": [*member.landing.nodes],
            }
            for node in plan.nodes
            for member in node.members
        ],
        "evictions": plan.evictions,
        "elections": plan.elections,
        "reasons": [*plan.reasons],
        "saves": plan.saves,
        "gap": plan.gap,
        "options": options_data(plan.options),
        "findings": [_finding(finding) for finding in _worth(plan)],
    }


def options_data(options: Options) -> dict[str, JsonValue]:
    """Those that are not the default, by their names in the model."""
    found: dict[str, JsonValue] = {}
    for each in fields(Options):
        value: JsonValue | Hold | frozenset[str] = getattr(options, each.name)
        if value == getattr(Options(), each.name):
            continue
        if isinstance(value, Hold):
            found[each.name] = f"{value.seconds:g} s" if value.kind.value == "seconds" else value.kind.value
        else:
            found[each.name] = [*sorted(value)] if isinstance(value, frozenset) else value
    return found


def _worth(plan: Plan) -> tuple[Finding, ...]:
    """Each finding once: the same is often said of every member."""
    return tuple(dict.fromkeys(plan.every_finding()))


def _finding(finding: Finding) -> dict[str, JsonValue]:
    return {"level": finding.level.value, "code": finding.code, "text": finding.text}
