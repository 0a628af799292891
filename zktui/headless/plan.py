"""A plan in words and in JSON: what `zktui maintain --plan` prints."""

from __future__ import annotations

from zktui.core.text import count, printable
from zktui.headless.output import table
from zktui.maintenance.model import (
    Finding,
    Gate,
    JsonValue,
    Level,
    NodePlan,
    Plan,
    PlannedMember,
    PlanStep,
    PodVerdict,
    Verdict,
)

MARKS = {Level.INFO: "·", Level.WARN: "!", Level.STOP: "✗"}
Document = dict[str, JsonValue]


def text(plan: Plan) -> str:
    """The whole review: order, members, landings, findings, and go or no-go."""
    lines = [_headline(plan)]
    lines += [f"  · {printable(reason)}" for reason in plan.reasons]
    lines += [f"  · {printable(told)}" for told in (plan.saves, _gap(plan)) if told]
    for number, node in enumerate(plan.nodes, 1):
        lines += ["", *_node(number, node)]
    if plan.findings:
        lines += ["", *(_finding(finding, "") for finding in plan.findings)]
    return "\n".join([*lines, "", verdict(plan)])


def verdict(plan: Plan) -> str:
    """Go or no-go, in one line."""
    if not plan.go:
        return f"no-go: {count(len(plan.stops), 'stop')}"
    if plan.unacknowledged:
        codes = " ".join(f"--acknowledge {finding.code}" for finding in plan.unacknowledged)
        return f"no-go until this is accepted: {codes}"
    if plan.would_wait:
        return "no-go now: a run would wait before its first eviction until the others serve"
    return "go: nothing in the review says stop"


def _headline(plan: Plan) -> str:
    evictions = count(plan.evictions, "eviction of a member", "evictions of members")
    return f"{count(len(plan.nodes), 'node')} in this order, {evictions}, {count(plan.elections, 'election')}"


def _gap(plan: Plan) -> str:
    if plan.session_timeout is None:
        return ""
    return (
        f"a client of a moved member is away for about {plan.gap:g} s; "
        f"the shortest session timeout known is {plan.session_timeout:g} s"
    )


def _node(number: int, node: NodePlan) -> list[str]:
    cordoned = "   cordoned by someone else: it stays so" if node.was_cordoned else ""
    lines = [f"{number}. {printable(node.name)}{cordoned}"]
    if node.members:
        header = ("MEMBER", "ROLE", "BUDGET ALLOWS", "CLIENTS", "LANDS ON")
        rows = [_member(member) for member in node.members]
        lines += ["   " + line for line in table(header, rows, frozenset({2, 3})).splitlines()]
    else:
        lines.append("   no member of the ensemble runs here")
    going = [other for other in node.others if other.verdict is Verdict.EVICT]
    staying = [other for other in node.others if other.verdict is Verdict.STAY]
    if going or staying:
        lines.append(f"   others: {len(going)} to evict, {len(staying)} stay")
    for finding in (*node.findings, *(f for m in node.members for f in m.findings)):
        lines.append(_finding(finding, "   "))
    for other in node.others:
        lines += [_finding(f, "   ", f"{other.pod.namespace}/{other.pod.name}: ") for f in other.findings]
    return lines


def _member(member: PlannedMember) -> tuple[str, ...]:
    landing = ", ".join(member.landing.nodes)
    if member.landing.waits:
        landing = "nowhere: it waits for the uncordon"
    allowed = "no budget" if member.allowed_before is None else str(member.allowed_before)
    clients = "?" if member.connections is None else str(member.connections)
    return (member.pod.name, member.mode.value, allowed, clients, landing)


def _finding(finding: Finding, indent: str, subject: str = "") -> str:
    unblock = f" → {finding.unblock}" if finding.unblock else ""
    return f"{indent}{MARKS[finding.level]} {printable(subject + finding.text + unblock)}"


def document(plan: Plan) -> Document:
    """The JSON document of `zktui maintain --plan -o json`."""
    return {
        "apiVersion": "zktui/v1",
        "kind": "Plan",
        "go": plan.go and not plan.would_wait and not plan.unacknowledged,
        "evictions": plan.evictions,
        "elections": plan.elections,
        "reasons": list(plan.reasons),
        "saves": plan.saves or None,
        "clientGapSeconds": plan.gap,
        "shortestSessionTimeoutSeconds": plan.session_timeout,
        "cordonedAhead": list(plan.ahead),
        "unacknowledged": [finding.code for finding in plan.unacknowledged],
        "steps": [_step_document(step) for step in plan.steps],
        "findings": [_finding_document(f) for f in plan.findings],
        "nodes": [_node_document(node) for node in plan.nodes],
    }


def _node_document(node: NodePlan) -> Document:
    return {
        "name": node.name,
        "uid": node.uid,
        "unschedulable": node.was_cordoned,
        "cordonsAhead": list(node.ahead),
        "members": [
            {
                "namespace": member.pod.namespace,
                "pod": member.pod.name,
                "uid": member.pod.uid,
                "role": member.mode.value,
                "voter": member.voter,
                "disruptionsAllowed": member.allowed_before,
                "landing": list(member.landing.nodes),
                "waitsForUncordon": member.landing.waits,
                "notOn": [{"node": name, "message": why} for name, why in member.landing.why],
                "connections": member.connections,
                "watches": member.watches,
                "ephemerals": member.ephemerals,
                "gates": [_gate_document(gate) for gate in member.gates],
                "findings": [_finding_document(f) for f in member.findings],
            }
            for member in node.members
        ],
        "others": [_verdict_document(other) for other in node.others],
        "findings": [_finding_document(f) for f in node.findings],
    }


def _step_document(step: PlanStep) -> Document:
    return {
        "action": step.act.value,
        "node": step.node,
        "namespace": step.namespace or None,
        "pod": step.pod or None,
        "member": step.member,
        "allowedBefore": step.allowed_before,
        "allowedAfter": step.allowed_after,
        "servingVoters": step.serving,
        "majority": step.majority,
        "waits": step.waits,
    }


def _gate_document(gate: Gate) -> Document:
    return {
        "name": gate.name.value,
        "standing": gate.standing.value,
        "evidence": gate.evidence,
        "unblock": gate.unblock or None,
    }


def _verdict_document(other: PodVerdict) -> Document:
    return {
        "namespace": other.pod.namespace,
        "pod": other.pod.name,
        "uid": other.pod.uid,
        "verdict": other.verdict.value,
        "findings": [_finding_document(f) for f in other.findings],
    }


def _finding_document(finding: Finding) -> Document:
    return {
        "level": finding.level.value,
        "code": finding.code or None,
        "message": finding.text,
        "unblock": finding.unblock or None,
        "acknowledge": finding.acknowledge,
    }
