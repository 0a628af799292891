"""What `--explain` adds to a plan: each landing with why not, each gate as of now, and the run step by step."""

from __future__ import annotations

from collections.abc import Iterator

from zktui.core.text import printable
from zktui.headless.output import table
from zktui.maintenance.model import Gate, NodePlan, Plan, PlanAct, PlannedMember, PlanStep, PodVerdict, Standing

MARKS = {Standing.OK: "✓", Standing.WAITING: "…", Standing.BLOCKED: "✗"}
ACTS = {
    PlanAct.CORDON_AHEAD: "cordon ahead",
    PlanAct.CORDON: "cordon",
    PlanAct.EVICT: "evict",
    PlanAct.RETURN: "serves again",
    PlanAct.HOLD: "hold",
    PlanAct.UNCORDON: "uncordon",
}


def text(plan: Plan) -> str:
    """Every node's members and pods in full, then the steps."""
    lines: list[str] = []
    for node in plan.nodes:
        lines += _node(node)
    if plan.steps:
        lines += ["", "Step by step, as simulated:", _steps(plan.steps)]
    return "\n".join(lines)


def _node(node: NodePlan) -> Iterator[str]:
    yield f"\n{printable(node.name)}"
    if not node.members and not node.others:
        yield "  nothing runs here that a drain is about"
    for member in node.members:
        yield from _member(member)
    for other in node.others:
        yield _other(other)


def _member(member: PlannedMember) -> Iterator[str]:
    yield f"  {printable(member.pod.name)}, {member.mode}{'' if member.voter else ', no voter'}"
    yield f"    felt by: {_felt(member)}"
    landing = member.landing
    where = ", ".join(landing.nodes) or "nowhere before the uncordon"
    yield f"    lands on: {printable(where)}"
    for name, why in landing.why:
        yield f"      not on {printable(name)}: {printable(why)}"
    yield "    gates as of now:"
    for gate in member.gates:
        yield f"      {MARKS[gate.standing]} {gate.name}: {printable(gate.evidence)}{_unblock(gate)}"


def _unblock(gate: Gate) -> str:
    return f" → {printable(gate.unblock)}" if gate.unblock and not gate.open else ""


def _felt(member: PlannedMember) -> str:
    figures = (
        (member.connections, "connection", "connections"),
        (member.watches, "watch", "watches"),
        (member.ephemerals, "ephemeral znode", "ephemeral znodes"),
    )
    return ", ".join(
        f"{'?' if number is None else number} {one if number == 1 else many}" for number, one, many in figures
    )


def _other(other: PodVerdict) -> str:
    why = f": {printable('; '.join(finding.text for finding in other.findings))}" if other.findings else ""
    return f"  {printable(f'{other.pod.namespace}/{other.pod.name}')}, {other.verdict}{why}"


def _steps(steps: tuple[PlanStep, ...]) -> str:
    header = ("#", "NODE", "STEP", "POD", "BUDGET ALLOWS", "VOTERS THAT SERVE")
    rows = [
        (str(number), step.node, ACTS[step.act], step.pod, _allowed(step), _serving(step))
        for number, step in enumerate(steps, 1)
    ]
    return table(header, rows, frozenset({0}))


def _allowed(step: PlanStep) -> str:
    if step.allowed_before is None or step.allowed_after is None:
        return "no budget" if step.act is PlanAct.EVICT else ""
    waits = ", waits until it allows one" if step.waits else ""
    return f"{step.allowed_before} → {step.allowed_after}{waits}"


def _serving(step: PlanStep) -> str:
    if step.serving is None:
        return ""
    return f"{step.serving}, majority {step.majority}" if step.majority is not None else str(step.serving)
