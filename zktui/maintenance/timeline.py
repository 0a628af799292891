"""The budget's figures over a run, bounded: a plateau is two points, however long it lasts."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from zktui.core.disruption import budgets_of
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import BudgetSample

LONGEST = 4000
"""Samples kept of each budget; the oldest go first."""


class Timeline:
    def __init__(self) -> None:
        self._samples: dict[str, deque[BudgetSample]] = {}

    def sample(self, facts: Facts, ensembles: Sequence[Ensemble]) -> None:
        """Take what was just read of every budget that covers a member."""
        for ensemble in ensembles:
            listed = facts.budgets_in(ensemble.namespace)
            for budget in listed.value or ():
                if any(budgets_of(pod, (budget,)) for pod in facts.members_pods(ensemble)):
                    name = f"{budget.namespace}/{budget.name}"
                    figures = (budget.allowed, budget.current, budget.desired, budget.expected)
                    self._add(BudgetSample(listed.at, *figures, name))

    def _add(self, new: BudgetSample) -> None:
        kept = self._samples.setdefault(new.budget, deque(maxlen=LONGEST))
        if len(kept) > 1 and replace(kept[-1], at=0) == replace(kept[-2], at=0) == replace(new, at=0):
            kept[-1] = new
        elif not kept or kept[-1].at < new.at:
            kept.append(new)

    @property
    def samples(self) -> tuple[BudgetSample, ...]:
        """Oldest first, over all budgets."""
        merged = [sample for kept in self._samples.values() for sample in kept]
        return tuple(sorted(merged, key=lambda sample: sample.at))
