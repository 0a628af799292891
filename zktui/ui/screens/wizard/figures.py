"""The band's figures: quorum and budget, how long the ensemble has been exposed, and what clients felt."""

from __future__ import annotations

from zktui.core.ports import ProbeSummary
from zktui.core.quorum import Health, Quorum
from zktui.maintenance.model import BudgetSample, Run
from zktui.ui.screens.wizard.words import span, stopwatch
from zktui.ui.text import Piece
from zktui.ui.theme import Tone

LONG_GAP = 0.5
"""Seconds from which a gap is one that a person may ask about."""


def figures(
    run: Run,
    quorum: Quorum | None,
    budget: BudgetSample | None,
    probe: ProbeSummary | None,
    now: float,
    *,
    short: bool = False,
) -> list[list[Piece]]:
    """Lines of pieces, each always in the same place; `short` so that all of them fit into one line of 78 cells."""
    lines = [_counts(quorum, budget, short=short), [exposure(run, now)]]
    return [line for line in (*lines, felt(probe)) if line]


def _counts(quorum: Quorum | None, budget: BudgetSample | None, *, short: bool) -> list[Piece]:
    if quorum is None:
        return []
    # Of voters that were not heard nobody knows whether they serve: a count of the others is no answer.
    serving = "?" if quorum.health is Health.UNKNOWN else quorum.serving
    allowed = budget.allowed if budget else None
    words = "budget" if short else "budget allows"
    return [
        Piece(f"quorum {serving}/{quorum.voters or '?'}", Tone.SAFE if quorum.can_lose else Tone.WAITING),
        Piece(" · ", Tone.DIM),
        Piece(f"{words} {'–' if allowed is None else allowed}", Tone.SAFE if allowed else Tone.WAITING),
    ]


def exposure(run: Run, now: float) -> Piece:
    """For how long fewer than all voters have served by the run's doing."""
    if run.exposed_since is None:
        return Piece("not exposed", Tone.DIM)
    end = run.ended_at if run.ended_at is not None else now
    return Piece(f"exposed {stopwatch(end - run.exposed_since)}", Tone.WAITING)


def felt(probe: ProbeSummary | None) -> list[Piece]:
    """What the probe's sessions lost, and the longest time that one of them was without an answer."""
    if probe is None or not probe.operations:
        return []
    writes = sum(session.writes for session in probe.sessions)
    lost = sum(session.lost_writes for session in probe.sessions)
    worst = Tone.WAITING if probe.longest_gap >= LONG_GAP else Tone.DIM
    what = Piece(f"writes lost {lost}", Tone.BLOCKED if lost else Tone.SAFE)
    if not writes and not lost:
        what = Piece(f"reads failed {probe.failures}", Tone.WAITING if probe.failures else Tone.DIM)
    return [what, Piece(" · ", Tone.DIM), Piece(f"longest gap {span(probe.longest_gap)}", worst)]
