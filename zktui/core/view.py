"""The immutable picture that panes paint and commands print."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from zktui.core.deltas import Kind
from zktui.core.disruption import budgets_of
from zktui.core.kube import Budget, Claim, Node, Pod, StatefulSet, Volume
from zktui.core.quorum import Quorum
from zktui.core.zookeeper import Ensemble, EnsembleConfig, EnsembleKey, Member


class SourceState(enum.StrEnum):
    STARTING = "starting"
    LIVE = "live"
    STALE = "stale"
    DENIED = "denied"
    """Lost for good: not permitted."""


@dataclass(frozen=True, slots=True)
class Freshness:
    state: SourceState
    since: float
    """Monotonic seconds at which it entered this state."""
    heard_at: float
    """Monotonic seconds of the last word of any kind."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class EnsembleView:
    ensemble: Ensemble
    members: tuple[Member, ...]
    """By ordinal; terminating pods included."""
    quorum: Quorum
    budgets: tuple[Budget, ...]
    """Budgets that cover at least one member."""
    config: EnsembleConfig | None
    config_why: str = ""

    @property
    def key(self) -> EnsembleKey:
        return self.ensemble.key

    def member(self, pod_name: str) -> Member | None:
        return next((m for m in self.members if m.pod.name == pod_name), None)

    def on_node(self, node: str) -> tuple[Member, ...]:
        return tuple(m for m in self.members if m.pod.node == node)


@dataclass(frozen=True, slots=True)
class View:
    """All facts at one revision. `at` is monotonic, `wall` seconds since the epoch, both when it was built."""

    revision: int
    at: float
    wall: float
    sources: Mapping[Kind, Freshness]
    ensembles: tuple[EnsembleView, ...]
    nodes: tuple[Node, ...]
    """By name."""
    pods: tuple[Pod, ...]
    """Of the ensembles only."""
    statefulsets: tuple[StatefulSet, ...]
    budgets: tuple[Budget, ...]
    claims: Mapping[tuple[str, str], Claim]
    """By (namespace, name)."""
    volumes: Mapping[str, Volume]

    def ensemble(self, key: EnsembleKey | None) -> EnsembleView | None:
        return next((e for e in self.ensembles if e.key == key), None)

    def node(self, name: str) -> Node | None:
        return next((n for n in self.nodes if n.name == name), None)

    def stale(self) -> tuple[Kind, ...]:
        return tuple(k for k, f in self.sources.items() if f.state in (SourceState.STALE, SourceState.DENIED))

    @property
    def loaded(self) -> bool:
        """Every source that decides what the first screen shows has spoken or has been refused."""
        first = (Kind.NODES, Kind.PODS, Kind.STATEFULSETS, Kind.BUDGETS)
        return all(k in self.sources and self.sources[k].state is not SourceState.STARTING for k in first)


def covering(budgets: tuple[Budget, ...], pods: tuple[Pod, ...]) -> tuple[Budget, ...]:
    """Budgets that cover any of the pods, each once, in the order given."""
    names = {budget.uid for pod in pods for budget in budgets_of(pod, budgets)}
    return tuple(budget for budget in budgets if budget.uid in names)
