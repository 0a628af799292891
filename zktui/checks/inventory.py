"""Everything that the checks of one ensemble look at, gathered at one time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from zktui.checks.foresight import Foresight
from zktui.checks.places import Places
from zktui.core.documents import Document
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Executed, Refused, Reply
from zktui.core.rounds import Round
from zktui.core.zookeeper import Ensemble, EnsembleConfig, Member, MemberReport

STANDALONE = "standalone"
"""The source of a configuration that is none: that of a server that stands alone."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


# No slots: Python 3.11 sets an attribute on what is made by way of a subscript.
@dataclass(frozen=True)
class Known(Generic[T_co]):
    """A value, or why it is not known. `absent`: it is known not to exist."""

    value: T_co | None = None
    why: str = "not asked"
    absent: bool = False


def known(reply: Reply[T], what: str) -> Known[T]:
    """A reply as knowledge: 404 is absence, every other refusal and every silence is not knowing."""
    match reply:
        case Answer(value=value):
            return Known(value, "")
        case Refused(code=404):
            return Known(None, f"{what} does not exist", absent=True)
        case Refused(code=403, message=message):
            return Known(None, f"not permitted: {message}")
        case Refused(message=message):
            return Known(None, f"{what}: {message}")
        case _:
            return Known(None, f"{what}: {reply.why}")


Documents = tuple[Document, ...]
Commands = Mapping[str, Known[Executed]]
"""By the name of what was asked for."""


@dataclass(frozen=True, slots=True)
class Inside:
    """What was read in one member's container, each a command's outcome by the name of what was asked for."""

    commands: Commands = field(default_factory=dict[str, Known[Executed]])
    places: Places = field(default_factory=Places)

    def output(self, name: str) -> Known[str]:
        """Standard output of a command that ended well, without its last newline; else why there is none."""
        ran = self.commands.get(name, Known[Executed]())
        if ran.value is None:
            return Known(None, ran.why, ran.absent)
        if ran.value.code != 0:
            why = (ran.value.err or ran.value.out).strip().splitlines()
            return Known(None, why[-1] if why else f"{name} ended with exit code {ran.value.code}")
        return Known(ran.value.out.rstrip("\n"), "")


@dataclass(frozen=True, slots=True)
class Inventory:
    """Facts of one ensemble for the rules. What was not asked for is unknown, with the reason "not asked"."""

    ensemble: Ensemble
    wall: float
    """Seconds since the epoch, when it was gathered."""
    pods: tuple[Pod, ...] = ()
    reports: Mapping[str, MemberReport] = field(default_factory=dict[str, MemberReport])
    """By pod UID."""
    members: tuple[Member, ...] = ()
    config: Known[EnsembleConfig] = field(default_factory=Known[EnsembleConfig])
    inside: Mapping[str, Inside] = field(default_factory=dict[str, Inside])
    """By pod name."""
    words: Mapping[tuple[str, str], Known[str]] = field(default_factory=dict[tuple[str, str], Known[str]])
    """(pod name, four-letter word) to its reply: conf, envi."""
    statefulset: Known[Document] = field(default_factory=Known[Document])
    pod_documents: Mapping[str, Document] = field(default_factory=dict[str, Document])
    """By pod name, as the server tells them."""
    services: Known[Documents] = field(default_factory=Known[Documents])
    """Of the namespace."""
    slices: Known[Documents] = field(default_factory=Known[Documents])
    """EndpointSlices of the namespace."""
    claims: Known[Documents] = field(default_factory=Known[Documents])
    volumes: Known[Documents] = field(default_factory=Known[Documents])
    classes: Known[Documents] = field(default_factory=Known[Documents])
    configmaps: Known[Documents] = field(default_factory=Known[Documents])
    revisions: Known[Documents] = field(default_factory=Known[Documents])
    """ControllerRevisions that the StatefulSet owns, oldest first."""
    budgets: Known[Documents] = field(default_factory=Known[Documents])
    nodes: Known[Documents] = field(default_factory=Known[Documents])
    synced: Mapping[str, Known[bool]] = field(default_factory=dict[str, Known[bool]])
    """By pod name, whether a `sync` and a read through this member have succeeded."""
    sanity: Known[Round] = field(default_factory=Known[Round])
    """The round of writes and reads, where it was asked for: it alone writes."""

    foresight: Known[Foresight] = field(default_factory=Known[Foresight])
    """What the maintenance engine's own review says."""

    def in_pod(self, name: str) -> Inside:
        """What was read in this pod's container; empty (not asked) for one that does not run."""
        return self.inside.get(name, Inside())
