"""The banner: where am I, is there quorum, may I disrupt, how old is what I see, and does a run go on."""

from __future__ import annotations

from zktui.core.deltas import Kind
from zktui.core.kube import Budget
from zktui.core.ports import Place
from zktui.core.quorum import Health, Quorum
from zktui.core.text import span
from zktui.core.view import EnsembleView, SourceState, View
from zktui.maintenance.model import Run, RunStatus
from zktui.ui.panes.budget import allows_piece, lose_piece, unread
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.oneline import Line, Lines, Part


def where(place: Place, ensemble: EnsembleView | None, read_only: bool) -> tuple[Part, ...]:
    """Program, context, namespace and ensemble, and whether anything can be changed from here."""
    names = (place.context, ensemble.ensemble.namespace, ensemble.ensemble.name) if ensemble else (place.context,)
    pieces = [Piece("zktui  ", Tone.KEY)]
    for n, name in enumerate(names):
        pieces += [Piece(" / ", Tone.DIM)] if n else []
        pieces.append(Piece(name, Tone.STRONG if n == len(names) - 1 else Tone.PLAIN))
    parts = [Part(tuple(pieces))]
    if place.demo:
        parts.append(Part((Piece("rehearsal", Tone.DIM),), 6))
    if read_only:
        parts.append(Part((Piece("READ-ONLY", Tone.WAITING),)))
    return tuple(parts)


def quorum_parts(quorum: Quorum) -> tuple[Part, ...]:
    match quorum.health:
        case Health.QUORUM:
            mark, tone = ("●", Tone.SAFE) if quorum.can_lose else ("▲", Tone.WAITING)
            parts = [Part((Piece(f"{mark} quorum {quorum.serving}/{quorum.voters}", tone),))]
        case Health.NO_QUORUM:
            parts = [Part((Piece(f"✗ NO QUORUM {quorum.serving}/{quorum.voters}", Tone.BLOCKED),))]
        case Health.UNKNOWN:
            parts = [Part((Piece("? quorum not known", Tone.WAITING),))]
    if quorum.leader:
        parts.append(Part((Piece(f"★ {quorum.leader}", Tone.LEADER),), 1))
    if quorum.epoch is not None:
        parts.append(Part((Piece(f"epoch {quorum.epoch}", Tone.DIM),), 4))
    return tuple(parts)


def parts_of(budget: Budget, stale: bool, *, long: bool) -> tuple[Part, ...]:
    """What the budget allows, and its figures: in the tabbed layout they stand nowhere else, and are never dropped."""
    allows = Part((Piece(budget.name), Piece(" allows ", Tone.DIM), allows_piece(budget, stale)))
    if long:
        words = f"current {budget.current}  desired {budget.desired}  expected {budget.expected}"
        return (allows, Part((Piece(words, Tone.DIM),)))
    return (allows, Part((Piece(f"({budget.current} healthy, {budget.desired} needed)", Tone.DIM),), 3))


def budget_parts(view: View, ensemble: EnsembleView, *, long: bool) -> tuple[Part, ...]:
    """The first two budgets that cover the ensemble, or what is known instead."""
    stale = Kind.BUDGETS in view.stale()
    if ensemble.budgets:
        return tuple(part for budget in ensemble.budgets[:2] for part in parts_of(budget, stale, long=long))
    if unread(view):
        return (Part((Piece("? budget not known", Tone.WAITING),)),)
    return (Part((Piece("⚠ no budget", Tone.BLOCKED),)),)


def stale_part(view: View) -> tuple[Part, ...]:
    """How long ago the oldest silent source spoke, by the view's own time."""
    lost = [(kind, view.sources[kind]) for kind in view.stale()]
    cut = [(kind, fresh) for kind, fresh in lost if fresh.state is SourceState.STALE]
    if not cut:
        return ()
    kind, fresh = min(cut, key=lambda one: one[1].heard_at)
    age = "" if fresh.heard_at == float("-inf") else f" {span(view.at - fresh.heard_at)}"
    more = f" +{len(cut) - 1}" if len(cut) > 1 else ""
    return (Part((Piece(f"⚠ stale: {kind}{more}{age}", Tone.BLOCKED),)),)


def run_part(run: Run | None, unfinished: int = 0) -> tuple[Part, ...]:
    """A run that goes on while the wizard is closed, or that nobody drives, with the key that opens it again."""
    if run is None or run.status.ended or run.status is RunStatus.READY:
        if not unfinished:
            return ()
        words = "unfinished run" if unfinished == 1 else f"{unfinished} unfinished runs"
        return (Part((Piece(f"⚠ {words}", Tone.BLOCKED), Piece(" u", Tone.KEY))),)
    at = f"maintenance {run.current + 1}/{len(run.nodes)}"
    step = f" {run.node.step}" if run.node is not None else ""
    if run.blocked:
        piece = Piece(f"✗ {at} blocked", Tone.BLOCKED)
    elif run.status is RunStatus.PAUSED or run.pausing:
        piece = Piece(f"‖ {at} paused", Tone.WAITING)
    else:
        piece = Piece(f"▸ {at}{step}", Tone.WAITING)
    return (Part((piece, Piece(" m", Tone.KEY))),)


class Banner(Lines):
    """One line when the terminal is wide; two in the tabbed layout, where the panes with the figures may be hidden."""

    DEFAULT_CSS = """
    Banner { background: $panel; }
    """

    def paint(
        self,
        view: View,
        ensemble: EnsembleView | None,
        place: Place,
        run: Run | None,
        *,
        read_only: bool,
        tabbed: bool,
        unfinished: int = 0,
    ) -> None:
        """`unfinished` is how many runs nobody drives here."""
        here = (*where(place, ensemble, read_only), *run_part(run, unfinished))
        stale = stale_part(view)
        if ensemble is None:
            self.show(Line(here, stale))
            return
        quorum = quorum_parts(ensemble.quorum)
        budgets = budget_parts(view, ensemble, long=tabbed)
        if tabbed:
            lose = (Part((lose_piece(ensemble.quorum),), 1),)
            self.show(Line(here, (*stale, *quorum)), Line(budgets, lose))
        else:
            self.show(Line(here, (*stale, *quorum, *budgets)))
