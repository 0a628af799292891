"""The Steps pane: where the run is, node by node, and how long each step took."""

from __future__ import annotations

from zktui.maintenance.model import NodePlan, NodeRun, NodeStep, PodRun, PodStep, Run, RunStatus
from zktui.ui.screens.wizard.words import LEADER_SIGN, NEXT, NOW, OK, STOP, WAIT, count, padded, span
from zktui.ui.text import Piece, fit, printable
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

ORDER = (
    NodeStep.CLAIM,
    NodeStep.CORDON,
    NodeStep.DRAIN,
    NodeStep.DRAINED,
    NodeStep.HOLD,
    NodeStep.UNCORDON,
    NodeStep.REJOIN,
)
NAMES = {
    NodeStep.CLAIM: "claim",
    NodeStep.CORDON: "cordon",
    NodeStep.DRAIN: "drain",
    NodeStep.DRAINED: "verify",
    NodeStep.HOLD: "hold",
    NodeStep.UNCORDON: "uncordon",
    NodeStep.REJOIN: "rejoin",
}
POD_WORDS = {
    PodStep.PENDING: "",
    PodStep.GATE: "gates",
    PodStep.EVICT: "evicting",
    PodStep.LEAVING: "leaving",
    PodStep.GONE: "gone",
    PodStep.PLACED: "starting",
    PodStep.REJOINED: "back",
    PodStep.WAITS: "waits",
    PodStep.SKIPPED: "skipped",
    PodStep.STAYS: "stays",
}
LABEL = 15
TIME = 11
MOST_PODS = 8
"""Other pods shown one by one below the node at work; more are counted."""


def rows(run: Run, now: float) -> list[Row]:
    """Every node of the plan in its order; the one at work with its steps and pods."""
    lines: list[Row] = []
    plans = {node.name: node for node in run.plan.nodes}
    nodes = run.nodes or tuple(NodeRun(node.name, node.uid) for node in run.plan.nodes)
    for number, node in enumerate(nodes):
        working = number == run.current and run.started_at is not None and node.step is not NodeStep.PENDING
        plan = plans.get(node.name)
        lines.append(_heading(node, plan, working and not run.status.ended))
        if working and run.status is not RunStatus.DONE:
            lines += _steps(node, now, run.status.ended, run.ended_at)
    return lines


def _heading(node: NodeRun, plan: NodePlan | None, working: bool) -> Row:
    body = [Piece(node.name, Tone.STRONG if working else Tone.PLAIN)]
    body.append(Piece(f"  {_carried(node, plan)}", Tone.DIM))
    if plan is not None and plan.carries_leader:
        body.append(Piece(f" {LEADER_SIGN}", Tone.LEADER))
    match node.step:
        case NodeStep.VERIFIED:
            sign = Piece(f" {OK} ", Tone.SAFE)
        case NodeStep.LEFT_CORDONED:
            sign = Piece(f" {OK} ", Tone.SAFE)
            body.append(Piece("  left cordoned", Tone.WAITING))
        case NodeStep.STOPPED:
            sign = Piece(f" {STOP} ", Tone.BLOCKED)
            body.append(Piece("  stopped", Tone.BLOCKED))
        case NodeStep.SKIPPED:
            sign = Piece(" – ", Tone.DIM)
            body.append(Piece("  skipped", Tone.DIM))
        case _:
            sign = Piece(f" {NOW} ", Tone.STRONG) if working else Piece("   ")
    total = sum(seconds for _, seconds in node.took)
    if total and node.step in (NodeStep.VERIFIED, NodeStep.LEFT_CORDONED):
        body.append(Piece(f"  {span(total)}", Tone.DIM))
    return row([sign], body)


def _carried(node: NodeRun, plan: NodePlan | None) -> str:
    """Who was to move. A run that was taken up has no plan of nodes that are over, and keeps their members alone."""
    planned = [member.pod.name for member in plan.members] if plan else []
    members = planned or [pod.pod.name for pod in node.pods if pod.member]
    others = len(plan.others) if plan else 0
    return ", ".join(members) or (count(others, "pod") if others else "no member")


def _steps(node: NodeRun, now: float, ended: bool, ended_at: float | None) -> list[Row]:
    took: dict[NodeStep, float] = {}
    for step, seconds in node.took:
        took[step] = took.get(step, 0.0) + seconds
    lines: list[Row] = []
    for step in ORDER:
        here = step is node.step
        spent = took.get(step)
        if here and node.since is not None:
            spent = (spent or 0.0) + (ended_at if ended_at is not None else now) - node.since
        lines.append(_step(step, here and not ended, spent, step in took))
        if step is NodeStep.DRAIN and here:
            lines += _pods(node)
    return lines


def _step(step: NodeStep, here: bool, spent: float | None, over: bool) -> Row:
    if here:
        sign, tone = NOW, Tone.STRONG
    elif over:
        sign, tone = OK, Tone.PLAIN
    else:
        sign, tone = " ", Tone.DIM
    time = "" if spent is None else span(spent)
    mark = Piece(f"   {sign} ", Tone.SAFE if over and not here else tone)
    return row(
        [mark, *padded(Piece(NAMES[step], tone), LABEL), *padded(Piece(time, Tone.DIM), TIME, "right")],
        focus=here,
    )


def _pods(node: NodeRun) -> list[Row]:
    """Pods of the node at work: what is left of the others counted when they are many, the members always."""
    others = [pod for pod in node.pods if not pod.member]
    members = [pod for pod in node.pods if pod.member]
    shown = others if len(others) <= MOST_PODS else [pod for pod in others if _busy(pod)][:MOST_PODS]
    lines = [_pod(pod) for pod in shown]
    if hidden := len(others) - len(shown):
        over = sum(pod.step in (PodStep.GONE, PodStep.REJOINED, PodStep.STAYS, PodStep.SKIPPED) for pod in others)
        lines.append(
            row([Piece(f"      {over} of {count(len(others), 'other pod')} settled, {hidden} not shown", Tone.DIM)])
        )
    return lines + [_pod(pod) for pod in members]


def _busy(pod: PodRun) -> bool:
    return pod.step in (PodStep.GATE, PodStep.EVICT, PodStep.LEAVING)


def _pod(pod: PodRun) -> Row:
    match pod.step:
        case PodStep.REJOINED:
            sign, tone = OK, Tone.SAFE
        case PodStep.GONE | PodStep.PLACED if pod.member:
            sign, tone = WAIT, Tone.WAITING
        case PodStep.GONE:
            sign, tone = OK, Tone.SAFE
        case PodStep.WAITS | PodStep.LEAVING | PodStep.EVICT:
            sign, tone = WAIT, Tone.WAITING
        case PodStep.GATE:
            sign, tone = NOW, Tone.STRONG
        case PodStep.STAYS | PodStep.SKIPPED:
            sign, tone = NEXT, Tone.DIM
        case _:
            sign, tone = " ", Tone.DIM
    name = Piece(fit(printable(pod.pod.name), LABEL - 2), Tone.PLAIN if pod.member else Tone.DIM)
    return row(
        [
            Piece(f"     {sign} ", tone),
            name,
            *padded(Piece(POD_WORDS[pod.step], Tone.DIM), TIME, "right"),
        ]
    )
