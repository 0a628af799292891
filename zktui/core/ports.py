"""What the inner layers ask of the outer ones. Adapters fulfil these in `cluster` and `ensemble`; fakes in tests.

A request's outcome is a value, never an exception: `Answer`, `Refused` (the server said no), or `Unanswered` (nobody
knows). A change whose outcome is `Unanswered` is never sent again without reading first.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from zktui.core.deltas import Batch, Kind
from zktui.core.kube import Budget, Claim, Lease, Node, Pod, PodKey, StatefulSet, Volume
from zktui.core.logring import LogCursor, LogLine
from zktui.core.zookeeper import Children, Ensemble, EnsembleConfig, MemberReport, Znode

T_co = TypeVar("T_co", covariant=True)


class Clock(Protocol):
    """Time. `now` is monotonic seconds for ages and deadlines, `wall` seconds since the epoch for people."""

    def now(self) -> float: ...
    def wall(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


# No slots: Python 3.11 sets an attribute on what is made by way of a subscript, such as Answer[Node](…).
@dataclass(frozen=True)
class Answer(Generic[T_co]):
    """The server did it or told it. `at` is monotonic, taken before the request was sent."""

    value: T_co
    at: float
    code: int = 200
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of a Status's details.causes."""

    reason: str
    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with a Status that is not success; nothing was changed by this request.

    (One exception: an eviction refused by its UID precondition has still spent the budget, see docs/maintenance.md.)
    """

    code: int
    reason: str
    message: str
    at: float
    causes: tuple[Cause, ...] = ()
    retry_after: float | None = None
    """Seconds, from the Retry-After header or details.retryAfterSeconds."""

    def caused_by(self, reason: str) -> bool:
        return any(cause.reason == reason for cause in self.causes)

    @property
    def not_found(self) -> bool:
        return self.code == 404

    @property
    def forbidden(self) -> bool:
        return self.code == 403


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer: the request may or may not have been carried out (`sent`), or never left (`sent` False)."""

    why: str
    at: float
    sent: bool = True


Reply = Answer[T_co] | Refused | Unanswered


class Source(Protocol):
    """A stream of facts. Batches until it is closed; it reconnects by itself, says Lost when cut, and never raises."""

    @property
    def kinds(self) -> tuple[Kind, ...]: ...

    def open(self) -> AsyncIterator[Batch]: ...


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines of one pod in the order written, and where to resume. `ended` says why the stream is over, if it is."""

    lines: tuple[LogLine, ...]
    cursor: LogCursor | None
    ended: str = ""


class LogSource(Protocol):
    def follow(
        self, pod: PodKey, container: str, *, cursor: LogCursor | None = None, tail: int = 500
    ) -> AsyncIterator[LogBatch]:
        """Follow one container's log until it ends; never raises. With a cursor it resumes without repeating."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the program is connected to, for the banner and for messages."""

    context: str
    cluster: str
    server: str
    user: str
    namespace: str
    kubeconfig: str = ""
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Evicted:
    """201: the server granted the eviction. The pod is gone only when it is absent or has another UID."""

    message: str = ""


class Cluster(Protocol):
    """Single requests to the API server, each read fresh (quorum read, no resourceVersion)."""

    async def node(self, name: str) -> Reply[Node]: ...
    async def nodes(self) -> Reply[tuple[Node, ...]]: ...
    async def pod(self, namespace: str, name: str) -> Reply[Pod]: ...
    async def pods(self, namespace: str, selector: str = "") -> Reply[tuple[Pod, ...]]:
        """Pods of a namespace; `selector` as kubectl's -l takes it."""
        ...

    async def pods_on(self, node: str) -> Reply[tuple[Pod, ...]]:
        """All pods bound to a node, of every namespace (field selector spec.nodeName)."""
        ...

    async def budgets(self, namespace: str) -> Reply[tuple[Budget, ...]]: ...
    async def statefulset(self, namespace: str, name: str) -> Reply[StatefulSet]: ...
    async def statefulsets(self, namespace: str) -> Reply[tuple[StatefulSet, ...]]:
        """An empty namespace asks for all of them."""
        ...

    async def claims(self, namespace: str) -> Reply[tuple[Claim, ...]]: ...
    async def volumes(self) -> Reply[tuple[Volume, ...]]: ...
    async def owner_exists(self, namespace: str, kind: str, api_version: str, name: str) -> Reply[bool]: ...

    async def cordon(self, node: Node, unschedulable: bool) -> Reply[Node]:
        """Set spec.unschedulable with the node's UID and resourceVersion as preconditions (409 when it moved on)."""
        ...

    async def annotate_node(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        """Set (or with None remove) annotations, with the UID as precondition."""
        ...

    async def evict(self, pod: PodKey, grace: int | None = None) -> Reply[Evicted]:
        """POST an eviction with the UID as precondition, once; never retried by the transport."""
        ...

    async def lease(self, namespace: str, name: str) -> Reply[Lease]: ...
    async def create_lease(self, lease: Lease) -> Reply[Lease]: ...
    async def update_lease(self, lease: Lease) -> Reply[Lease]:
        """Replace; 409 when its resourceVersion is not the current one."""
        ...

    async def allowed(self, verb: str, resource: str, namespace: str = "", subresource: str = "") -> Reply[bool]:
        """SelfSubjectAccessReview; `resource` as `plural.group` (group omitted for core)."""
        ...


class DialError(OSError):
    """A pod's port can't be reached; the message says why in one line."""


class Dialer(Protocol):
    """The way to a pod's port. Called from worker threads: it blocks."""

    def dial(self, pod: PodKey, port: int, timeout: float) -> socket.socket:
        """A connected blocking stream socket to the port. The caller closes it. Raises DialError within `timeout` s."""
        ...


class Members(Protocol):
    """Questions to ZooKeeper servers, by way of a Dialer."""

    async def poll(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5) -> MemberReport:
        """Ask one member `srvr` (and what else is open). Silence is a report too: never raises."""
        ...

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        """The running configuration, from the first of the pods that tells it."""
        ...

    async def synced_read(self, ensemble: Ensemble, pod: Pod, timeout: float = 5.0) -> Reply[bool]:
        """`sync` and a read of `/` through this very member: proof that it has caught up with its leader."""
        ...


class TreeError(Exception):
    """A znode could not be read or the session is gone; the message is one line for people.

    `gone` says that the znode does not exist (any more).
    """

    def __init__(self, reason: str, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.gone = gone


class Tree(Protocol):
    """A read session for the znode browser, through any serving member. Raises TreeError."""

    async def children(self, path: str) -> Children: ...
    async def stat(self, path: str) -> Znode:
        """Stat without data (data is empty, truncated False)."""
        ...

    async def get(self, path: str, limit: int = 1_048_576) -> Znode: ...
    async def close(self) -> None: ...

    @property
    def through(self) -> str:
        """Pod name of the member the session talks to; empty while there is none."""
        ...


class Trees(Protocol):
    def open(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Tree:
        """A lazily connected tree over the given pods, in the order of preference."""
        ...


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """What client sessions felt: one session for each member, reading (and when asked writing) all the while."""

    operations: int = 0
    failures: int = 0
    longest_gap: float = 0.0
    """Seconds between two successful operations of the session that fared worst."""
    by_member: Mapping[str, float] = field(default_factory=dict[str, float])
    """Pod name to that session's longest gap in seconds."""


class Probe(Protocol):
    def start(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None: ...
    def summary(self) -> ProbeSummary: ...
    async def stop(self) -> ProbeSummary: ...
