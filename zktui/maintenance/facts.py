"""What was read fresh for one decision. Immutable; each reading carries when it was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from zktui.core.kube import Budget, Claim, Lease, Node, Pod, StatefulSet, Volume
from zktui.core.ports import Answer, Refused, Reply
from zktui.core.quorum import Quorum, judge, members_of
from zktui.core.zookeeper import (
    EVIDENCE_MAX_AGE,
    Ensemble,
    EnsembleConfig,
    EnsembleKey,
    Member,
    MemberReport,
    MemberSessions,
    Mode,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


# No slots: Python 3.11 sets an attribute on what is made by way of a subscript, such as Reading[Node]().
@dataclass(frozen=True)
class Reading(Generic[T_co]):
    """One question's outcome. `value` None means unknown, and `why` says why; unless `absent`: known not to exist."""

    at: float = float("-inf")
    """Monotonic seconds, when it was asked."""
    value: T_co | None = None
    why: str = "not read"
    absent: bool = False
    denied: bool = False
    """Unknown because it is not permitted: waiting can't help."""

    def fresh(self, now: float) -> bool:
        """Known, and young enough to decide on."""
        return (self.value is not None or self.absent) and now - self.at <= EVIDENCE_MAX_AGE


def reading_of(reply: Reply[T], what: str) -> Reading[T]:
    """A reply as a reading: whatever is not an answer is unknown, save for 404."""
    match reply:
        case Answer(value=value, at=at):
            return Reading(at, value, "")
        case Refused(at=at, code=404):
            return Reading(at, None, f"{what} does not exist", absent=True)
        case Refused(at=at, code=code, message=message):
            return Reading(at, None, f"{what} can't be read: {message}", denied=code in (401, 403))
        case _:
            return Reading(reply.at, None, f"{what} can't be read: {reply.why}")


Pods = tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """Names a controller whose existence was asked for."""

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one decision rests on. A key that is missing from a mapping was not asked for."""

    at: float
    """Monotonic seconds at which the reading began."""
    wall: float
    pods: Mapping[EnsembleKey, Reading[Pods]] = field(default_factory=dict[EnsembleKey, Reading[Pods]])
    """By the StatefulSet's own selector."""
    statefulsets: Mapping[str, Reading[tuple[StatefulSet, ...]]] = field(
        default_factory=dict[str, Reading[tuple[StatefulSet, ...]]]
    )
    """By namespace."""
    budgets: Mapping[str, Reading[tuple[Budget, ...]]] = field(default_factory=dict[str, Reading[tuple[Budget, ...]]])
    """By namespace."""
    configs: Mapping[EnsembleKey, Reading[EnsembleConfig]] = field(
        default_factory=dict[EnsembleKey, Reading[EnsembleConfig]]
    )
    reports: Mapping[str, MemberReport] = field(default_factory=dict[str, MemberReport])
    """By pod UID. The presumed leader was asked before the others (see `core.quorum.caught_up`)."""
    synced: frozenset[str] = frozenset()
    """UIDs of the pods through which a sync and a read succeeded."""
    sessions: Mapping[str, MemberSessions] = field(default_factory=dict[str, MemberSessions])
    """By pod UID, what its member tells of its clients; asked for in review only."""
    node: Mapping[str, Reading[Node]] = field(default_factory=dict[str, Reading[Node]])
    """The nodes at work, by name."""
    on_node: Mapping[str, Reading[Pods]] = field(default_factory=dict[str, Reading[Pods]])
    """All pods bound to a node, by its name: the nodes at work and those where a member might land."""
    nodes: Reading[tuple[Node, ...]] = field(default_factory=Reading[tuple[Node, ...]])
    claims: Mapping[str, Reading[tuple[Claim, ...]]] = field(default_factory=dict[str, Reading[tuple[Claim, ...]]])
    """By namespace."""
    volumes: Reading[tuple[Volume, ...]] = field(default_factory=Reading[tuple[Volume, ...]])
    leases: Mapping[str, Reading[Lease]] = field(default_factory=dict[str, Reading[Lease]])
    """The lease `zktui-maintenance` of a namespace."""
    owners: Mapping[OwnerKey, Reading[bool]] = field(default_factory=dict[OwnerKey, Reading[bool]])
    permissions: Mapping[str, Reading[bool]] = field(default_factory=dict[str, Reading[bool]])
    """`verb resource[/subresource] in namespace` to whether it is allowed; asked for in review only."""

    def members_pods(self, ensemble: Ensemble) -> Pods:
        """The ensemble's pods as far as known; terminating ones included."""
        found = self.pods.get(ensemble.key)
        return tuple(p for p in found.value if ensemble.owns(p)) if found is not None and found.value else ()

    def statefulset(self, ensemble: Ensemble) -> Reading[StatefulSet]:
        listed = self.statefulsets.get(ensemble.namespace, Reading[tuple[StatefulSet, ...]]())
        if listed.value is None:
            return Reading(listed.at, None, listed.why, denied=listed.denied)
        mine = next((s for s in listed.value if s.uid == ensemble.key.uid), None)
        why = "" if mine else f"StatefulSet {ensemble.name} does not exist any more"
        return Reading(listed.at, mine, why, absent=mine is None)

    def config(self, ensemble: Ensemble) -> EnsembleConfig | None:
        found = self.configs.get(ensemble.key)
        return found.value if found is not None else None

    def members(self, ensemble: Ensemble) -> tuple[Member, ...]:
        return members_of(self.members_pods(ensemble), self.reports, self.config(ensemble))

    def quorum(self, ensemble: Ensemble, now: float) -> Quorum:
        return judge(self.members(ensemble), self.config(ensemble), now)

    def leader(self, ensemble: Ensemble) -> MemberReport | None:
        """The report of the one member that says it leads; None when there is none or more than one."""
        mine = [self.reports[p.uid] for p in self.members_pods(ensemble) if p.uid in self.reports]
        leaders = [r for r in mine if r.mode in (Mode.LEADER, Mode.STANDALONE)]
        return leaders[0] if len(leaders) == 1 else None

    def budgets_in(self, namespace: str) -> Reading[tuple[Budget, ...]]:
        return self.budgets.get(namespace, Reading[tuple[Budget, ...]]())

    def bound_pods(self) -> Pods:
        """Every pod known to be bound to a node, each once."""
        found: dict[str, Pod] = {}
        for listed in (*self.on_node.values(), *self.pods.values()):
            found.update((pod.uid, pod) for pod in listed.value or () if pod.node)
        return tuple(found.values())
