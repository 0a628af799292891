"""The right panes: the budget's figures as they change, and the shape of the ensemble."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.core.kube import Budget
from zktui.core.quorum import Quorum, judge, members_of
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import Member, Mode
from zktui.maintenance.model import BudgetSample, PodRun, PodStep, Run
from zktui.ui.screens.wizard import chart
from zktui.ui.screens.wizard.words import LEADER_SIGN, Cell, cells, table
from zktui.ui.text import Piece, fit, printable
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

LEAST_NODE = 6
ROLE_AND_STATE = 26
"""Cells of an ensemble row without the names of pod and node."""
FAR_BEHIND = 1000
"""Transactions; members are asked one after another, so a busy ensemble always shows a few."""
GOING = {
    PodStep.GATE: "going next",
    PodStep.EVICT: "evicting",
    PodStep.LEAVING: "leaving",
    PodStep.GONE: "gone",
    PodStep.PLACED: "starting",
    PodStep.WAITS: "waits",
}


def newest(view: EnsembleView | None, read: Sequence[Member]) -> tuple[Member, ...]:
    """Members as watched, each with the younger of two answers: the poll's, and the engine's own."""
    if view is None:
        return tuple(read)
    reports = {member.pod.uid: member.report for member in view.members}
    for member in read:
        known = reports.get(member.pod.uid)
        if known is not None and member.report.at > known.at:
            reports[member.pod.uid] = member.report
    # Joined anew: the engine does not read the configuration each time, and without it nobody is a voter.
    return members_of([member.pod for member in view.members], reports, view.config)


def quorum(view: EnsembleView | None, members: Sequence[Member], now: float) -> Quorum | None:
    """The ensemble judged at this moment; None when there is no ensemble to judge."""
    return None if view is None else judge(members, view.config, now)


def ensemble(members: Sequence[Member], run: Run | None, now: float, width: int) -> list[Row]:
    """One line a member: role, node, and whether it is in sync, going, or coming back. Long node names are cut."""
    going: dict[str, PodRun] = {}
    for node in run.nodes if run else ():
        for pod in node.pods:
            if pod.member and pod.step in GOING:
                going[pod.pod.name] = pod
    names = max((cells(member.pod.name) for member in members), default=0)
    room = max(LEAST_NODE, width - names - ROLE_AND_STATE)
    lines: list[list[Cell]] = []
    for member in members:
        leads = member.role is Mode.LEADER and member.report.fresh(now)
        node_name = printable(member.pod.node or "–")
        lines.append(
            [
                Piece(f" {member.pod.name}"),
                Piece(LEADER_SIGN if leads else " ", Tone.LEADER),
                _role(member, now),
                Piece(fit(node_name, room) if cells(node_name) > room else node_name, Tone.DIM),
                _state(member, going.get(member.pod.name), now),
            ]
        )
    return [row(line) for line in table(lines, gap=1)] or [row(" ", [Piece("No member is known.", Tone.DIM)])]


def _role(member: Member, now: float) -> Piece:
    if not member.report.fresh(now):
        return Piece("not known", Tone.STALE)
    if member.role is Mode.LEADER:
        return Piece(member.role.value, Tone.LEADER)
    return Piece(member.role.value, Tone.PLAIN if member.role.serving else Tone.BLOCKED)


def _state(member: Member, pod: PodRun | None, now: float) -> Piece:
    if member.pod.terminating:
        return Piece("leaving", Tone.WAITING)
    if pod is not None:
        settling = pod.step is PodStep.PLACED and member.report.serving(now)
        return Piece("settling" if settling else GOING[pod.step], Tone.WAITING)
    if not member.report.serving(now):
        return Piece("not serving", Tone.BLOCKED)
    if member.lag is None:
        return Piece("serving")
    if member.lag:
        return Piece(f"{member.lag} behind", Tone.PLAIN if member.lag < FAR_BEHIND else Tone.WAITING)
    return Piece("in sync", Tone.SAFE)


def samples_of(timeline: Sequence[BudgetSample]) -> list[BudgetSample]:
    """Samples of the budget that was read last."""
    return [sample for sample in timeline if sample.budget == timeline[-1].budget] if timeline else []


def marks(run: Run) -> list[tuple[float, str]]:
    """When members left (▼) and came back (▲)."""
    found: list[tuple[float, str]] = []
    for node in run.nodes:
        for pod in node.pods:
            if pod.member and pod.evicted_at is not None:
                found.append((pod.evicted_at, "▼"))
            if pod.member and pod.rejoined_at is not None:
                found.append((pod.rejoined_at, "▲"))
    return found


def budget_name(timeline: Sequence[BudgetSample], budgets: Sequence[Budget]) -> str:
    """The name for the pane's title."""
    if timeline and timeline[-1].budget:
        return timeline[-1].budget.rpartition("/")[2]
    return budgets[0].name if budgets else "No budget"


def figures(timeline: Sequence[BudgetSample], budgets: Sequence[Budget]) -> BudgetSample | None:
    """The figures of now: as watched, or as the run read them last. None where no budget covers the members."""
    last = timeline[-1] if timeline else None
    for live in budgets:
        name = f"{live.namespace}/{live.name}"
        if last is None or last.budget == name:
            return BudgetSample(0.0, live.allowed, live.current, live.desired, live.expected, name)
    return last


def budget(
    run: Run, timeline: Sequence[BudgetSample], budgets: Sequence[Budget], now: float, begun: float, width: int
) -> list[Row]:
    """Allowed disruptions first, then how they went, then the figures that they follow from.

    `begun` is when the run began, in seconds since the epoch.
    """
    known = figures(timeline, budgets)
    if known is None:
        none = "No budget covers these pods: the server says yes to every eviction, and only the gates hold."
        return [row(" ", [Piece(none, Tone.WAITING)])]
    tone = Tone.SAFE if known.allowed else Tone.WAITING
    noun = "allowed disruption" if known.allowed == 1 else "allowed disruptions"
    lines = [row([Piece(f" {known.allowed:>3} ", tone), Piece(noun, Tone.STRONG)])]
    if run.started_at is not None:
        end = run.ended_at if run.ended_at is not None else now
        samples = samples_of(timeline)
        lines += chart.rows(samples, marks(run), start=run.started_at, end=end, start_wall=begun, width=width)
    healthy = Piece(f"{known.current:>2}", Tone.SAFE if known.current >= known.expected else Tone.WAITING)
    rest = [
        Piece("  needed ", Tone.DIM),
        Piece(f"{known.desired:>2}"),
        Piece("  of ", Tone.DIM),
        Piece(f"{known.expected:>2}"),
    ]
    return [*lines, row([Piece(" healthy ", Tone.DIM), healthy, *rest])]
