"""The budgets that cover the ensemble, always on screen, and what the ensemble can still lose."""

from __future__ import annotations

from zktui.core.deltas import Kind
from zktui.core.disruption import budgets_of
from zktui.core.kube import Budget
from zktui.core.quorum import Health, Quorum
from zktui.core.view import EnsembleView, SourceState, View
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.oneline import Line, Lines, Part


class BudgetLines(Lines):
    """A line for each budget, and one for what is wrong with them."""

    def paint(self, view: View, ensemble: EnsembleView | None, *, figures: bool) -> None:
        """Without `figures` only what is wrong is said: they stand in the banner then."""
        if figures or ensemble is None:
            self.show(*budget_lines(view, ensemble))
        else:
            self.show(*(line for line in _of_budgets(view, ensemble, ()) if _warns(line)))


def _warns(line: Line) -> bool:
    return any(piece.tone is Tone.BLOCKED for part in line.left for piece in part.pieces)


def unread(view: View) -> str:
    """Why nothing at all is known about budgets; empty once they have been listed."""
    fresh = view.sources.get(Kind.BUDGETS)
    if fresh is None or fresh.state is SourceState.STARTING:
        return "not read yet"
    if fresh.heard_at == float("-inf"):
        return fresh.why or "not read"
    return ""


def budget_lines(view: View, ensemble: EnsembleView | None) -> tuple[Line, ...]:
    """What stands about the budgets that cover the ensemble. Budgets that could not be read are not "no budget"."""
    if ensemble is None:
        return ()
    lose = (Part((lose_piece(ensemble.quorum),)),)
    if ensemble.quorum.health is not Health.QUORUM or not ensemble.budgets:
        # What is wrong needs a line of its own.
        return (*_of_budgets(view, ensemble, ()), Line(lose))
    return _of_budgets(view, ensemble, lose)


def _of_budgets(view: View, ensemble: EnsembleView, beside: tuple[Part, ...]) -> tuple[Line, ...]:
    """A line for each budget, the first with `beside` at its right."""
    stale = Kind.BUDGETS in view.stale()
    if not ensemble.budgets and (why := unread(view)):
        return (Line((Part((Piece(f"? budgets: {why}", Tone.WAITING),)),), beside),)
    if not ensemble.budgets:
        words = "no budget covers these members: every eviction would be granted"
        return (Line((Part((Piece("⚠ " + words, Tone.BLOCKED),)),), beside),)
    doubled = any(len(budgets_of(member.pod, ensemble.budgets)) > 1 for member in ensemble.members)
    lines = [Line(_figures(budget, stale), beside if n == 0 else ()) for n, budget in enumerate(ensemble.budgets)]
    if doubled:
        words = "more than one budget covers a member: the server refuses every eviction of it (500)"
        lines.append(Line((Part((Piece("✗ " + words, Tone.BLOCKED),)),)))
    return tuple(lines)


def _figures(budget: Budget, stale: bool) -> tuple[Part, ...]:
    def part(words: str, number: int, priority: int = 0) -> Part:
        figure = Piece(f"{number:>{digits}}", Tone.STALE if stale else Tone.PLAIN)
        return Part((Piece(f"{words} ", Tone.DIM), figure), priority)

    digits = len(str(budget.expected))

    rule = (
        f"minAvailable {budget.min_available}" if budget.min_available else f"maxUnavailable {budget.max_unavailable}"
    )
    parts = [
        Part((Piece(budget.name, Tone.STRONG), Piece(" allows ", Tone.DIM), allows_piece(budget, stale))),
        part("current", budget.current),
        part("desired", budget.desired),
        part("expected", budget.expected),
    ]
    if not budget.is_current:
        parts.append(Part((Piece("… status older than spec", Tone.WAITING),)))
    parts.append(Part((Piece(rule, Tone.DIM),), 2))
    return tuple(parts)


def allows_piece(budget: Budget, stale: bool) -> Piece:
    """How many evictions the budget would grant now; its tone says whether that helps."""
    tone = Tone.STALE if stale else Tone.SAFE if allows(budget) else Tone.WAITING
    return Piece(f"{budget.allowed:>{len(str(budget.expected))}}", tone)


def allows(budget: Budget) -> bool:
    return budget.is_current and budget.allowed > 0


def lose_piece(quorum: Quorum) -> Piece:
    """The one phrase; as a warning when none may be lost, as an alarm when quorum is gone or not known."""
    phrase = quorum.phrase()
    match quorum.health:
        case Health.NO_QUORUM:
            return Piece(f"✗ {phrase}", Tone.BLOCKED)
        case Health.UNKNOWN:
            return Piece(f"? {phrase}", Tone.WAITING)
        case Health.QUORUM:
            return Piece(f"● {phrase}", Tone.SAFE) if quorum.can_lose else Piece(f"▲ {phrase}", Tone.WAITING)
