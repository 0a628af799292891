"""Chapter 11: whether a maintenance could start now, and on which node first, by the maintenance engine's own review.

Source: Kubernetes' tutorial "Surviving Maintenance", which drains node by node until the budget refuses; the rules are
those of docs/maintenance.md. Nothing is judged here a second time: findings and gates are told in the review's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zktui.checks.foresight import Foresight
from zktui.checks.inventory import Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.text import count
from zktui.maintenance.model import (
    Finding,
    Gate,
    GateName,
    Level,
    NodePlan,
    Plan,
    PlannedMember,
    Standing,
)

BUDGET = "kubectl get pdb zk-pdb"
DRAIN = (
    "kubectl drain $(kubectl get pod zk-0 --template {{.spec.nodeName}}) "
    "--ignore-daemonsets --force --delete-emptydir-data"
)
_WAITS = ("degraded",)
"""Findings that let a run begin and then keep it waiting before its first eviction."""


def maintenance(inventory: Inventory) -> Iterable[Check]:
    seen = inventory.foresight
    if seen.value is None:
        for code, title, by_hand in (("start", _START, BUDGET), ("order", _ORDER, DRAIN)):
            why = Evidence("", Result.UNKNOWN, seen.why)
            yield Check(f"maintenance.{code}", Chapter.MAINTENANCE, title, (why,), by_hand=by_hand)
        return
    start = _start(seen.value)
    yield start
    yield _order(seen.value, could_start=start.result in (Result.PASS, Result.WARN))


_START = "A maintenance could start now"
_ORDER = "Each member's node can be drained"


def _start(seen: Foresight) -> Check:
    """What speaks against the ensemble as a whole, and what the first member's gates would wait for."""
    plan = seen.whole
    told = [(finding, _weight(finding)) for finding in plan.findings]
    found = [_evidence("", finding) for finding, result in told if result is not Result.PASS]
    against = [finding for finding, result in told if result is not Result.PASS]
    first = _first(seen)
    closed = _closed(seen.alone[first.name]) if first is not None else ()
    found += [_gate(*each) for each in closed]
    if first is None and all(each.result is Result.WARN for each in found):
        stops = [_weight(stop) for alone in seen.alone.values() for stop in _stops(alone)]
        result = max(stops, key=lambda each: each.rank, default=Result.UNKNOWN)
        found.append(Evidence("", result, "not on any of its nodes: each has something that stops it"))
    if not found:
        name = first.name if first is not None else ""
        allowed = next((m.allowed_before for n in plan.nodes for m in n.members), None)
        budget = f"its budget allows {count(allowed, 'disruption')}" if allowed is not None else "no budget covers it"
        cost = f"{count(plan.evictions, 'eviction')} and {count(plan.elections, 'election')} for all of its nodes"
        found.append(Evidence("", Result.PASS, f"go: nothing in the review of {name} says stop; {budget}; {cost}"))
    unblock = [f.unblock for f in against] + [gate.unblock for _, gate in closed]
    return Check(
        "maintenance.start",
        Chapter.MAINTENANCE,
        _START,
        tuple(found),
        _advice("Until then a drain takes the ensemble's safety away, or waits in vain", unblock),
        patch=_lines(unblock),
        by_hand=BUDGET,
    )


def _order(seen: Foresight, *, could_start: bool) -> Check:
    """The plan's own order, and of each node what stands against draining it alone."""
    first = _first(seen)
    against: list[Finding] = []
    found: list[Evidence] = []
    for number, node in enumerate((n for n in seen.whole.nodes if n.members), 1):
        stops = _stops(seen.alone[node.name])
        against += stops
        for member in node.members:
            place = f"{number}. {node.name}: "
            if stops:
                found += [_evidence(member.pod.name, stop, place) for stop in stops]
            else:
                found.append(_landing(member, place))
    if first is None:
        found.insert(0, Evidence("", _worst(found), "no node can be drained now"))
    else:
        why = "".join(f"; {reason}" for reason in seen.whole.reasons)
        words = f"{first.name} first: zktui maintain {first.name}{why}"
        if could_start:
            found.insert(0, Evidence("", Result.PASS, words))
        else:
            found.insert(0, Evidence("", Result.WARN, f"none now; once it could start, {words}"))
    unblock = [finding.unblock for finding in against]
    return Check(
        "maintenance.order",
        Chapter.MAINTENANCE,
        _ORDER,
        tuple(found),
        _advice("A member with nowhere to land stays Pending until its node is uncordoned", unblock),
        patch=_lines(unblock),
        by_hand=DRAIN,
    )


def _first(seen: Foresight) -> NodePlan | None:
    """The first node of the plan that could be drained by itself."""
    return next((n for n in seen.whole.nodes if n.members and not _barred(seen.alone[n.name])), None)


def _barred(alone: Plan) -> bool:
    return any(_weight(finding) is not Result.WARN for finding in _stops(alone))


def _stops(alone: Plan) -> tuple[Finding, ...]:
    """What stops this one node; what stops the ensemble as a whole is told once, beside it."""
    general = set(alone.findings)
    return tuple(dict.fromkeys(finding for finding in alone.stops if finding not in general))


def _closed(alone: Plan) -> tuple[tuple[PlannedMember, Gate], ...]:
    """Gates that the first member to go would find closed.

    Without the one of the lease: a run takes it as it begins, and another's is among the findings.
    """
    member = next((m for n in alone.nodes for m in n.members), None)
    gates = member.gates if member is not None else ()
    return tuple((member, gate) for gate in gates if member and not gate.open and gate.name is not GateName.ALONE)


def _weight(finding: Finding) -> Result:
    if finding.level is Level.INFO:
        return Result.PASS
    if finding.level is Level.WARN:
        return Result.FAIL if finding.code in _WAITS else Result.WARN
    if finding.code.endswith("-unknown"):
        return Result.UNKNOWN
    # An option lets the run go, and somebody else's rights would: neither is a fault of the ensemble's.
    by_choice = finding.unblock.startswith("--") or finding.code == "permission"
    return Result.WARN if by_choice else Result.FAIL


def _evidence(member: str, finding: Finding, place: str = "") -> Evidence:
    unblock = f" → {finding.unblock}" if finding.unblock else ""
    return Evidence(member, _weight(finding), f"{place}{finding.text}{unblock}")


def _gate(member: PlannedMember, gate: Gate) -> Evidence:
    by_choice = gate.unblock.startswith("--")
    result = Result.WARN if by_choice or gate.standing is Standing.WAITING else Result.FAIL
    unblock = f" → {gate.unblock}" if gate.unblock else ""
    return Evidence(member.pod.name, result, f"its gate {gate.name.value} is closed: {gate.evidence}{unblock}")


def _landing(member: PlannedMember, place: str) -> Evidence:
    if member.landing.waits:
        text = next((f.text for f in member.findings if f.code == "no-landing"), "nowhere to land")
        return Evidence(member.pod.name, Result.WARN, f"{place}{text}")
    return Evidence(member.pod.name, Result.PASS, f"{place}lands on {', '.join(member.landing.nodes)}")


def _worst(found: Iterable[Evidence]) -> Result:
    return max((each.result for each in found), key=lambda result: result.rank, default=Result.UNKNOWN)


def _advice(cost: str, unblock: Iterable[str]) -> str:
    needed = "; ".join(dict.fromkeys(each for each in unblock if each))
    return f"{cost}. What would unblock it: {needed}." if needed else f"{cost}."


def _lines(unblock: Iterable[str]) -> tuple[str, ...]:
    """Those of them that are commands."""

    def commands() -> Iterator[str]:
        for each in unblock:
            yield from (part for part in each.split("; or ") if part.startswith(("kubectl ", "zktui ")))

    return tuple(dict.fromkeys(commands()))
