"""What the machine asks for, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zktui.core.kube import Budget, Claim, Lease, Node, PodKey, Taint
from zktui.core.ports import Evicted, Reply
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Command, Event
from zktui.maintenance.survey import Scope


@dataclass(frozen=True, slots=True)
class Survey:
    """Read; answered by Surveyed. Changes nothing."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class CordonNode:
    """Cordon or uncordon the node as it was read, and change its annotations in the same request."""

    node: Node
    unschedulable: bool
    annotations: Mapping[str, str | None] = field(default_factory=dict[str, str | None])


@dataclass(frozen=True, slots=True)
class EvictPod:
    pod: PodKey
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class CreateLease:
    lease: Lease


@dataclass(frozen=True, slots=True)
class UpdateLease:
    """Take, renew or release, by the resourceVersion in `lease`."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class AnnotateNode:
    """Set annotations of this very node, or remove them with None."""

    node: Node
    annotations: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class TaintNode:
    node: Node
    taint: Taint


@dataclass(frozen=True, slots=True)
class CreateBudget:
    budget: Budget


@dataclass(frozen=True, slots=True)
class DeleteClaim:
    claim: Claim


@dataclass(frozen=True, slots=True)
class DeletePod:
    pod: PodKey


Mend = TaintNode | CreateBudget | DeleteClaim | DeletePod
"""What is done only when the operator asks for it by name (see `offers`)."""

Change = CordonNode | AnnotateNode | EvictPod | CreateLease | UpdateLease | Mend
"""Sent once, never cancelled, answered by Replied; announced in the journal by the Record before it."""


@dataclass(frozen=True, slots=True)
class Record:
    """Append to the journal. Number and wall time are given by whoever appends."""

    event: Event


@dataclass(frozen=True, slots=True)
class Wake:
    """Tell Woken at this monotonic time; replaces an earlier one."""

    at: float


Effect = Survey | Change | Record | Wake


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the run."""


@dataclass(frozen=True, slots=True)
class Surveyed:
    facts: Facts


@dataclass(frozen=True, slots=True)
class Replied:
    """The outcome of a change."""

    change: Change
    reply: Reply[Evicted] | Reply[Node] | Reply[Lease] | Reply[object]


@dataclass(frozen=True, slots=True)
class Told:
    """The operator's word."""

    command: Command


@dataclass(frozen=True, slots=True)
class Woken:
    pass


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """The journal refused a line; what it announced was not carried out."""

    why: str


Input = Begin | Surveyed | Replied | Told | Woken | Unrecorded
