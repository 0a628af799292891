"""The right panes: the budget's figures as they change, and the shape of the ensemble."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.core.kube import Budget
from zktui.core.quorum import Quorum, judge
from zktui.core.view import EnsembleView
from zktui.core.zookeeper import Member, Mode
from zktui.maintenance.model import BudgetSample, PodRun, PodStep, Run
from zktui.ui.screens.wizard import chart
from zktui.ui.screens.wizard.words import LEADER_SIGN, table
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

GOING = {
    PodStep.GATE: "going next",
    PodStep.EVICT: "being evicted",
    PodStep.LEAVING: "leaving",
    PodStep.GONE: "gone",
    PodStep.PLACED: "starting",
    PodStep.WAITS: "waits",
}


def newest(view: EnsembleView | None, read: Sequence[Member]) -> tuple[Member, ...]:
    """Members as watched, each with the younger of the two answers: the poll's and the engine's own."""
    if view is None:
        return tuple(read)
    mine = {member.pod.uid: member for member in read}
    return tuple(
        fresh if (fresh := mine.get(m.pod.uid)) is not None and fresh.report.at > m.report.at else m
        for m in view.members
    )


def quorum(view: EnsembleView | None, members: Sequence[Member], now: float) -> Quorum | None:
    """The ensemble judged at this moment; None when there is no ensemble to judge."""
    return None if view is None else judge(members, view.config, now)


def ensemble(members: Sequence[Member], run: Run | None, now: float) -> list[Row]:
    """One line a member: role, node, and whether it is in sync, going, or coming back."""
    going: dict[str, PodRun] = {}
    for node in run.nodes if run else ():
        for pod in node.pods:
            if pod.member and pod.step in GOING:
                going[pod.pod.name] = pod
    lines = [
        [
            Piece(f" {member.pod.name}"),
            Piece(LEADER_SIGN if member.role is Mode.LEADER and member.report.fresh(now) else " ", Tone.LEADER),
            _role(member, now),
            Piece(member.pod.node or "no node", Tone.DIM),
            _state(member, going.get(member.pod.name), now),
        ]
        for member in members
    ]
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
        return Piece(GOING[pod.step], Tone.WAITING)
    if not member.report.serving(now):
        return Piece("not serving", Tone.BLOCKED)
    if member.lag:
        return Piece(f"{member.lag} behind", Tone.WAITING)
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


def budget(run: Run, timeline: Sequence[BudgetSample], budgets: Sequence[Budget], now: float, width: int) -> list[Row]:
    """Allowed disruptions large, the chart, and the figures that they follow from.

    The watched budget is the newest; the timeline's last sample stands in where it is not watched.
    """
    samples = samples_of(timeline)
    live = next((b for b in budgets if not samples or f"{b.namespace}/{b.name}" == samples[-1].budget), None)
    if live is None and not samples:
        none = "No budget covers these pods: the server says yes to every eviction, and only the gates hold."
        return [row(" ", [Piece(none, Tone.WAITING)])]
    figures = (live.allowed, live.current, live.desired, live.expected) if live else _figures(samples[-1])
    allowed, current, desired, expected = figures
    tone = Tone.SAFE if allowed else Tone.WAITING
    lines = [
        row([Piece(f" {allowed:>3} ", tone), Piece("allowed disruptions" if allowed != 1 else "allowed disruption")])
    ]
    if run.started_at is not None and samples:
        end = run.ended_at if run.ended_at is not None else now
        lines += chart.rows(
            samples, marks(run), start=run.started_at, end=end, start_wall=run.started_wall or 0.0, width=width
        )
    lines.append(
        row(
            [
                Piece(" healthy ", Tone.DIM),
                Piece(f"{current:>2}", Tone.SAFE if current >= expected else Tone.WAITING),
                Piece("  needed ", Tone.DIM),
                Piece(f"{desired:>2}"),
                Piece("  of ", Tone.DIM),
                Piece(f"{expected:>2}"),
            ]
        )
    )
    return lines


def _figures(sample: BudgetSample) -> tuple[int, int, int, int]:
    return sample.allowed, sample.current, sample.desired, sample.expected
