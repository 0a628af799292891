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
from zktui.core.documents import Document
from zktui.core.kube import Budget, Claim, Lease, Node, Pod, PodKey, StatefulSet, Taint, Volume
from zktui.core.logring import LogCursor, LogLine
from zktui.core.rounds import Found, Round
from zktui.core.zookeeper import Children, Ensemble, EnsembleConfig, MemberReport, MemberSessions, Znode

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

    async def cordon(
        self, node: Node, unschedulable: bool, annotations: Mapping[str, str | None] | None = None
    ) -> Reply[Node]:
        """Set spec.unschedulable with the node's UID and resourceVersion as preconditions (409 when it moved on).

        Annotations are set, or removed with None, by the same request: both happen or neither.
        """
        ...

    async def annotate_node(self, node: Node, annotations: Mapping[str, str | None]) -> Reply[Node]:
        """Set (or with None remove) annotations, with the UID as precondition."""
        ...

    async def taint_node(self, node: Node, taint: Taint) -> Reply[Node]:
        """Add one taint, with the node's UID and resourceVersion as preconditions; others stay as they are."""
        ...

    async def create_budget(self, budget: Budget) -> Reply[Budget]:
        """Create a PodDisruptionBudget of this name, selector and maxUnavailable."""
        ...

    async def delete_claim(self, claim: Claim) -> Reply[bool]:
        """Delete a PersistentVolumeClaim with its UID as precondition. True; it may be kept until its user is gone."""
        ...

    async def delete_pod(self, pod: PodKey) -> Reply[bool]:
        """Delete a pod with its UID as precondition and its own grace: no budget is asked."""
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


@dataclass(frozen=True, slots=True)
class Executed:
    """What a command in a container wrote, and how it ended."""

    out: str
    err: str = ""
    code: int = 0
    cut: bool = False
    """More was written than was asked for; the rest was left unread."""


class Executor(Protocol):
    """Commands in containers (`pods/exec`), as `kubectl exec POD -c CONTAINER -- COMMAND` runs them: no terminal."""

    async def run(
        self, pod: PodKey, container: str, command: Sequence[str], *, timeout: float = 10.0, limit: int = 262_144
    ) -> Reply[Executed]:
        """Refused when it is not permitted or could not be started; Unanswered when its end was not heard of in
        `timeout` seconds. At most `limit` bytes of each output are kept; bytes that are no UTF-8 are replaced."""
        ...


@dataclass(frozen=True, slots=True)
class Where:
    """A collection of the API: `root` such as /api/v1 or /apis/apps/v1, and its plural."""

    root: str
    plural: str
    namespaced: bool = True


class Objects(Protocol):
    """Objects of any kind, as documents. Reads are fresh; a change is sent once."""

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]: ...

    async def list(self, where: Where, namespace: str = "", selector: str = "") -> Reply[tuple[Document, ...]]:
        """An empty namespace asks for all of them; `selector` as kubectl's -l takes it."""
        ...

    async def apply(
        self, where: Where, document: Document, *, force: bool = False, dry: bool = False
    ) -> Reply[Document]:
        """Server-side apply as field manager `zktui`. 409 names the fields that another manager owns; `force` takes
        them. `dry` goes through admission and stores nothing. The Answer's code is 201 for a new object, else 200."""
        ...

    async def patch(
        self, where: Where, namespace: str, name: str, patch: Document | Sequence[Document]
    ) -> Reply[Document]:
        """A JSON patch where `patch` is a list, else a strategic merge patch; put a resourceVersion or a `test` in it
        where it must not meet another's change."""
        ...

    async def create(self, where: Where, document: Document) -> Reply[Document]: ...

    async def delete(
        self, where: Where, namespace: str, name: str, *, uid: str, orphan: bool = False
    ) -> Reply[Document]:
        """Of this very object: 409 for another UID. `orphan` leaves what it owns (`--cascade=orphan`)."""
        ...


@dataclass(frozen=True, slots=True)
class Notice:
    """A Kubernetes Event to be written about an object, for whoever asks `kubectl describe` for it."""

    api_version: str
    kind: str
    """Node, StatefulSet, …"""
    namespace: str
    """Of the object; empty for one that has none."""
    name: str
    uid: str
    reason: str
    """One word in CamelCase."""
    message: str
    """For people; at most 1,024 characters are kept."""
    warning: bool = False


class Announcer(Protocol):
    async def announce(self, notice: Notice) -> Reply[str]:
        """Write it once; the answer is the Event's name. Nothing depends on it."""
        ...


class DialError(OSError):
    """A pod's port can't be reached; the message says why in one line."""

    status = 0
    """The HTTP status with which the API server refused; 0 when it did not."""


@dataclass(frozen=True)
class Breakage:
    """One thing that can be broken, or made whole again, in a rehearsal; `target` may be empty."""

    name: str
    target: str
    words: str


class Breaker(Protocol):
    """What can be broken in a rehearsal cluster. No other cluster has one."""

    async def choices(self) -> tuple[tuple[Breakage, ...], str]:
        """What there is to break now, and in words what is broken. Raises ZktuiError when it does not answer."""
        ...

    async def carry_out(self, choice: Breakage) -> str:
        """Break it, or mend it; returns what was done. Raises ZktuiError for a refusal."""
        ...


class Dialer(Protocol):
    """The way to a pod's port. Called from worker threads: it blocks."""

    def dial(self, pod: PodKey, port: int, timeout: float) -> socket.socket:
        """A connected blocking stream socket to the port. The caller closes it. Raises DialError within `timeout` s."""
        ...


class Members(Protocol):
    """Questions to ZooKeeper servers, by way of a Dialer."""

    async def poll(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> MemberReport:
        """Ask one member `srvr` (and for `detail` what else is open). Silence is a report too: never raises."""
        ...

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        """The running configuration, from the first of the pods that tells it."""
        ...

    async def synced_read(self, ensemble: Ensemble, pod: Pod, timeout: float = 5.0) -> Reply[bool]:
        """`sync` and a read of `/` through this very member: proof that it has caught up with its leader."""
        ...

    async def sessions(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5) -> MemberSessions:
        """What `conf`, `cons` and `dump` tell of its clients' sessions, as far as they are open. Never raises."""
        ...


class Words(Protocol):
    async def word(self, ensemble: Ensemble, pod: Pod, word: str, timeout: float = 4.0) -> Reply[str]:
        """One member's reply to a four-letter word. Refused (code 403) where the server has it closed."""
        ...


class Rounds(Protocol):
    """Writes of zktui's own, each to a new znode of its own in the root, and reads of them through chosen members."""

    async def play(self, ensemble: Ensemble, pods: Sequence[Pod], timeout: float = 10.0) -> Round:
        """An ephemeral znode through each of the pods, and each of those read through every other pod.

        Everything is deleted before this returns, also when it fails or is cancelled. `timeout` is for each step.
        Never raises, save that it can be cancelled.
        """
        ...

    async def create(self, ensemble: Ensemble, pod: Pod, path: str, data: bytes, timeout: float = 10.0) -> Reply[Found]:
        """A lasting znode, through this pod. Unanswered: it may be there."""
        ...

    async def find(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[Found]:
        """A `sync`, then the znode, through this pod. Refused with code 404: it does not exist."""
        ...

    async def remove(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[bool]:
        """Delete it, whatever its version. False: it did not exist."""
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
class ProbeGap:
    """A stretch without an answer that one session of the probe has felt."""

    wall: float
    """When the last operation before it had succeeded, in seconds since the epoch."""
    seconds: float
    """Until the next that succeeded."""
    session: str
    """Pod name of the member at which the session began."""
    lost: str
    """Pod name of the member that it talked to before."""
    found: str
    """Pod name of the member that answered after it; empty while none has."""
    why: str
    """What the first operation that failed has said."""


@dataclass(frozen=True, slots=True)
class ProbeSession:
    """One session of the probe."""

    namespace: str
    home: str
    """Pod name of the member at which it began."""
    through: str
    """Pod name of the member that it talks to; empty while it talks to none."""
    operations: int
    failures: int
    longest_gap: float
    expired: int
    """How often the ensemble had given the session up before it could be taken up again."""
    writes: int = 0
    """Writes that were acknowledged."""
    lost_writes: int = 0
    """Writes that were acknowledged, and not there any more after a reconnect."""
    refused: str = ""
    """Why it may not write; empty when it may, or was not asked to."""


@dataclass(frozen=True, slots=True)
class ProbeSummary:
    """What client sessions felt: one session for each member, reading (and when asked writing) all the while."""

    operations: int = 0
    failures: int = 0
    longest_gap: float = 0.0
    """Seconds between two successful operations of the session that fared worst."""
    by_member: Mapping[str, float] = field(default_factory=dict[str, float])
    """Pod name to that session's longest gap in seconds."""
    sessions: tuple[ProbeSession, ...] = ()
    """By namespace and pod name."""
    gaps: tuple[ProbeGap, ...] = ()
    """Those of more than 0.3 s, oldest first, with those that last; bounded."""


class Probe(Protocol):
    """Client sessions beside a maintenance. Nothing here raises or waits for a network."""

    def start(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None:
        """Begin for an ensemble; called again, it tells the pods as they are now, and counting goes on."""
        ...

    def summary(self) -> ProbeSummary: ...

    async def stop(self) -> ProbeSummary:
        """End all sessions in at most a second; what was felt until then."""
        ...
