"""The budget's judgement of one eviction, as the API server's eviction handler makes it.

Source of the rules: pods/eviction in kubernetes (registry/core/pod/storage) as of 1.31 and later, with the answers seen
on 1.37 in docs/maintenance.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from zktui.core.kube import Budget, Pod


class Allowance(enum.StrEnum):
    """What the server would say to an eviction sent now."""

    YES = "yes"
    NO = "no"
    """429: the budget does not allow it."""
    STALE = "stale"
    """429: the budget's status is older than its specification."""
    REFUSED = "refused"
    """500: more than one budget covers the pod."""


@dataclass(frozen=True, slots=True)
class BudgetVerdict:
    allowance: Allowance
    why: str
    budget: Budget | None = None
    spends: bool = False
    """A granted eviction takes one from disruptionsAllowed."""


def budgets_of(pod: Pod, budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    return tuple(budget for budget in budgets if budget.covers(pod))


def judge_eviction(pod: Pod, budgets: Iterable[Budget]) -> BudgetVerdict:
    """How the server would judge the eviction of this very pod.

    A pending or finished or terminating pod is evicted without a look at any budget. A pod that is not ready goes with
    0 allowed if enough others are healthy (IfHealthyBudget) or always (AlwaysAllow).
    """
    if pod.phase in ("Pending", "Succeeded", "Failed") or pod.terminating:
        return BudgetVerdict(Allowance.YES, f"a {pod.status.lower()} pod is not counted by any budget")
    mine = list(budgets_of(pod, budgets))
    if not mine:
        return BudgetVerdict(Allowance.YES, "no budget covers this pod: the server always says yes")
    if len(mine) > 1:
        names = ", ".join(sorted(budget.name for budget in mine))
        return BudgetVerdict(Allowance.REFUSED, f"{names} all cover this pod: the server refuses it (500)", mine[0])
    budget = mine[0]
    if not pod.ready:
        if budget.unhealthy_policy == "AlwaysAllow":
            return BudgetVerdict(Allowance.YES, f"{budget.name} lets pods that are not ready go (AlwaysAllow)", budget)
        if budget.is_current and budget.current >= budget.desired and budget.desired > 0:
            why = f"not ready, and {budget.name} has its {budget.desired} healthy without it"
            return BudgetVerdict(Allowance.YES, why, budget)
    if not budget.is_current:
        seen, wanted = budget.observed_generation, budget.generation
        why = f"{budget.name}'s status is older than its specification ({seen} < {wanted})"
        return BudgetVerdict(Allowance.STALE, why, budget)
    if budget.allowed < 1:
        why = f"{budget.name} allows 0: needs {budget.desired} healthy, has {budget.current}"
        return BudgetVerdict(Allowance.NO, why, budget)
    return BudgetVerdict(Allowance.YES, f"{budget.name} allows {budget.allowed}, status current", budget, spends=True)
