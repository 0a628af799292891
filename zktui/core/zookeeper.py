"""What zktui knows of a ZooKeeper ensemble and its members.

Times named `at` are monotonic seconds of the program's clock, taken when the question was *sent*: evidence is as old
as its question, not as its answer.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from zktui.core.kube import Pod, PodKey, StatefulSet

EVIDENCE_MAX_AGE = 2.0
"""Seconds after which evidence about a member is unknown, and unknown is no (docs/maintenance.md)."""

DEFAULT_CLIENT_PORT = 2181


class Mode(enum.StrEnum):
    """What a member says of itself when asked `srvr`; the last four are what zktui makes of anything else."""

    LEADER = "leader"
    FOLLOWER = "follower"
    OBSERVER = "observer"
    STANDALONE = "standalone"
    READ_ONLY = "read-only"
    LOOKING = "looking"
    """Up, but "This ZooKeeper instance is not currently serving requests"."""
    SILENT = "silent"
    """No answer: refused, timed out, or cut."""
    UNKNOWN = "unknown"
    """Never asked yet, or answered in words that this version does not know."""

    @property
    def serving(self) -> bool:
        """`Mode: read-only` is not serving: it answers reads from a past without a quorum."""
        return self in (Mode.LEADER, Mode.FOLLOWER, Mode.OBSERVER, Mode.STANDALONE)


class Zxid(int):
    """A 64-bit ZooKeeper transaction id: the epoch in the high 32 bits, a counter in the low ones."""

    @property
    def epoch(self) -> int:
        return self >> 32

    @property
    def counter(self) -> int:
        return self & 0xFFFFFFFF

    def __str__(self) -> str:
        return f"{self.epoch:x}:{self.counter:08x}"


@dataclass(frozen=True, slots=True)
class MemberDetail:
    """What `mntr` or the AdminServer adds when they are open. None means not told."""

    synced_followers: int | None = None
    learners: int | None = None
    pending_syncs: int | None = None
    peer_state: str = ""
    watches: int | None = None
    ephemerals: int | None = None
    data_bytes: int | None = None
    open_files: int | None = None
    min_session_timeout: int | None = None
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class MemberReport:
    """One answer, or the lack of one, of one pod's ZooKeeper server."""

    pod: PodKey
    at: float
    mode: Mode = Mode.UNKNOWN
    zxid: Zxid | None = None
    version: str = ""
    connections: int | None = None
    latency: tuple[float, float, float] | None = None
    """Minimum, average, maximum of request latency in milliseconds, since the server's start."""
    outstanding: int | None = None
    znodes: int | None = None
    source: str = ""
    """Where the facts come from: srvr, mntr or admin."""
    error: str = ""
    """Why there is no answer, in one line for people."""
    took: float = 0.0
    """Seconds from question to answer."""
    detail: MemberDetail | None = None

    def age(self, now: float) -> float:
        return max(0.0, now - self.at)

    def fresh(self, now: float) -> bool:
        return self.age(now) <= EVIDENCE_MAX_AGE

    def serving(self, now: float) -> bool:
        return self.mode.serving and self.fresh(now)


@dataclass(frozen=True, slots=True)
class MemberSessions:
    """What a member tells of its clients' sessions where `conf`, `cons` and `dump` are open. None means not told."""

    min_timeout: int | None = None
    """minSessionTimeout in milliseconds."""
    shortest: int | None = None
    """The shortest timeout of a session that is open through this member, in milliseconds."""
    ephemerals: int | None = None
    """Ephemeral znodes of the sessions through this member."""


class ServerRole(enum.StrEnum):
    PARTICIPANT = "participant"
    OBSERVER = "observer"


@dataclass(frozen=True, slots=True)
class Server:
    """One `server.N=` line of the running configuration."""

    myid: int
    host: str
    role: ServerRole = ServerRole.PARTICIPANT
    client_port: int | None = None
    group: int | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class EnsembleConfig:
    """The ensemble's configuration as its members run it (`/zookeeper/config`, `conf`), never the replica count."""

    servers: tuple[Server, ...]
    version: str = ""
    source: str = ""
    at: float = 0.0

    @property
    def voters(self) -> tuple[Server, ...]:
        return tuple(server for server in self.servers if server.role is ServerRole.PARTICIPANT)

    @property
    def hierarchical(self) -> bool:
        """Groups or weights are in use: quorum is then not a plain majority, and zktui refuses to judge it."""
        return any(server.group is not None or server.weight != 1 for server in self.servers)

    def server_of(self, pod: Pod) -> Server | None:
        """The line that names this pod: by the first label of its host name, or by its address."""
        for server in self.servers:
            if server.host == pod.ip and pod.ip:
                return server
            labels = server.host.split(".")
            if labels[0] == pod.name and (len(labels) < 3 or labels[2] == pod.namespace):
                return server
        return None


class EnsembleKey(NamedTuple):
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Ensemble:
    """A StatefulSet that runs ZooKeeper."""

    statefulset: StatefulSet
    container: str
    client_port: int = DEFAULT_CLIENT_PORT
    evidence: tuple[str, ...] = ()
    """Why zktui takes it for a ZooKeeper ensemble, in words."""
    tick_time: int = 2000
    """Milliseconds, as far as the command or the environment says; ZooKeeper's own default otherwise."""
    init_limit: int = 10
    sync_limit: int = 5
    min_session_timeout: int | None = None
    """Milliseconds, as far as the command or the environment says."""

    @property
    def key(self) -> EnsembleKey:
        return EnsembleKey(self.statefulset.namespace, self.statefulset.name, self.statefulset.uid)

    @property
    def namespace(self) -> str:
        return self.statefulset.namespace

    @property
    def name(self) -> str:
        return self.statefulset.name

    @property
    def dwell(self) -> float:
        """Seconds for which a member that came back must keep serving before the next may go: syncLimit ticks."""
        return self.sync_limit * self.tick_time / 1000

    def owns(self, pod: Pod) -> bool:
        return pod.owner is not None and pod.owner.uid == self.statefulset.uid


@dataclass(frozen=True, slots=True)
class Stat:
    """A znode's stat structure. Times are milliseconds since the epoch, as ZooKeeper gives them."""

    czxid: int = 0
    mzxid: int = 0
    ctime: int = 0
    mtime: int = 0
    version: int = 0
    cversion: int = 0
    aversion: int = 0
    ephemeral_owner: int = 0
    data_length: int = 0
    children: int = 0
    pzxid: int = 0


@dataclass(frozen=True, slots=True)
class Znode:
    path: str
    data: bytes
    stat: Stat
    acl: tuple[str, ...] = ()
    """Each entry as `scheme:id:perms`; empty when it could not be read."""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Children:
    """Names of a znode's children, sorted, with the parent's stat at the same moment."""

    path: str
    names: tuple[str, ...]
    stat: Stat


def ordinal(pod_name: str) -> int:
    """A StatefulSet pod's ordinal; -1 for a name that has none."""
    _, _, tail = pod_name.rpartition("-")
    return int(tail) if tail.isdecimal() else -1


Reports = Mapping[str, MemberReport]
"""Pod UID to that pod's newest report."""


@dataclass(frozen=True, slots=True)
class Member:
    """A pod of an ensemble with what is known of its server."""

    pod: Pod
    report: MemberReport
    server: Server | None = None
    lag: int | None = None
    """Transactions behind the leader; None when they are of different epochs or one of the two is unknown."""

    @property
    def role(self) -> Mode:
        return self.report.mode

    @property
    def myid(self) -> int | None:
        return self.server.myid if self.server else None
