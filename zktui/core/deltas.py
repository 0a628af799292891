"""How facts travel from a source to the store: batches of small immutable changes, each with when it was seen."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from zktui.core.kube import Budget, Claim, Node, Pod, StatefulSet, Volume
from zktui.core.zookeeper import EnsembleConfig, EnsembleKey, MemberReport


class Kind(enum.StrEnum):
    """A source of facts. Each has its own freshness."""

    NODES = "nodes"
    PODS = "pods"
    STATEFULSETS = "statefulsets"
    BUDGETS = "poddisruptionbudgets"
    CLAIMS = "persistentvolumeclaims"
    VOLUMES = "persistentvolumes"
    MEMBERS = "members"
    CONFIG = "configuration"


class Identified(Protocol):
    @property
    def uid(self) -> str: ...


Fact = Node | Pod | StatefulSet | Budget | Claim | Volume


@dataclass(frozen=True, slots=True)
class Reset:
    """A full list: whatever is not in it is gone. Ends staleness."""

    kind: Kind
    items: tuple[Fact, ...]
    seen_at: float


@dataclass(frozen=True, slots=True)
class Upsert:
    kind: Kind
    item: Fact
    seen_at: float


@dataclass(frozen=True, slots=True)
class Remove:
    kind: Kind
    uid: str
    seen_at: float


@dataclass(frozen=True, slots=True)
class Alive:
    """A heartbeat: nothing changed, and the connection is known to live (a bookmark, or an answer)."""

    kind: Kind
    seen_at: float


@dataclass(frozen=True, slots=True)
class Lost:
    """The source does not speak any more. What it said is kept, and marked stale."""

    kind: Kind
    why: str
    seen_at: float
    permanent: bool = False
    """True when trying again can't help, such as a missing permission."""


@dataclass(frozen=True, slots=True)
class Polled:
    """One round of asking members of one ensemble."""

    ensemble: EnsembleKey
    reports: tuple[MemberReport, ...]
    seen_at: float


@dataclass(frozen=True, slots=True)
class Configured:
    """The ensemble's running configuration, or why it could not be read (`config` None)."""

    ensemble: EnsembleKey
    config: EnsembleConfig | None
    why: str
    seen_at: float


Delta = Reset | Upsert | Remove | Alive | Lost | Polled | Configured
Batch = tuple[Delta, ...]
