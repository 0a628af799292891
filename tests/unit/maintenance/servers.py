"""Simulated ZooKeeper servers: they start, elect, follow, write, freeze and fall silent.

Written from ZooKeeper's behaviour, not from the engine: a frozen leader is noticed only after its followers'
syncLimit, a dead one at once; on an idle ensemble a healthy follower's zxid stays behind its leader's epoch.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from zktui.core.zookeeper import EnsembleConfig, MemberDetail, Mode, Server, ServerRole, ordinal


@dataclass
class SimPod:
    name: str
    uid: str
    node: str = ""
    member: bool = True
    daemon: bool = False
    created: float = 0.0
    run_at: float = math.inf
    up_at: float = math.inf
    join_delay: float = 1.0
    joined: bool = False
    frozen_until: float = -math.inf
    frozen_at: float = -math.inf
    unready_until: float = -math.inf
    """Its process was started again in its pod, and does not answer before that."""
    deleting: float | None = None
    """Wall time, as the API has it."""
    deleting_at: float = math.inf
    gone_at: float = math.inf
    zxid: int = 0
    last_true: float = -math.inf
    """When it last really served."""
    true_since: float = math.inf
    """Since when it has really served without a break; infinite while it does not."""
    set: str = "zk"
    """The StatefulSet that it is a member of."""
    revision: str = "zk-1"

    def running(self, now: float) -> bool:
        return now >= self.run_at

    def up(self, now: float) -> bool:
        return now >= self.up_at and now >= self.frozen_until and self.running(now)


@dataclass
class Servers:
    """One ensemble's servers, in its pods. `pods` may hold others, too."""

    rng: random.Random
    replicas: int = 3
    observers: int = 0
    """How many of the replicas, the last ones, only observe."""
    outside: int = 0
    """Voters elsewhere, that nobody can reach."""
    groups: bool = False
    """The running configuration has groups, for as long as somebody tries that."""
    mntr: bool = False
    """`mntr` is open: the leader tells how many followers are synced."""
    name: str = "zk"
    namespace: str = "default"
    now: float = 0.0
    pods: dict[str, SimPod] = field(default_factory=dict[str, SimPod])
    leader: str = ""
    epoch: int = 1
    counter: int = 7
    deposed: str = ""
    """The leader before this one, if it was frozen: for a second after its thaw it goes on saying that it leads."""
    lost_at: float | None = None
    elect_at: float = 0.0
    elections: int = 0
    syncs: bool = True
    """A sync and a read through a member that follows succeed."""
    served: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    """Pod UID to (name, when it really served for the first time), of all that ever were."""

    @property
    def voters(self) -> int:
        return self.replicas - self.observers

    @property
    def majority(self) -> int:
        return (self.voters + self.outside) // 2 + 1

    def members(self) -> list[SimPod]:
        return [p for p in self.pods.values() if p.member and p.set == self.name]

    def votes(self, pod: SimPod) -> bool:
        return ordinal(pod.name) < self.voters

    def serve(self) -> None:
        """What the servers do in one tick."""
        now = self.now
        up = [p for p in self.members() if p.up(now)]
        leader = self.pods.get(self.leader)
        if self.leader and (leader is None or not leader.up(now)):
            if self.lost_at is None:
                # A dead leader is noticed at once, a frozen one only after its followers' syncLimit.
                self.lost_at = now
                self.elect_at = now + (0.5 if leader is None else self.rng.uniform(3, 9))
            if leader is None or now >= self.elect_at:
                self._dissolve()
        elif not self.leader and len(self._voting(up)) >= self.majority and now >= self.elect_at:
            self._elect(up)
        elif leader is not None:
            self.lost_at = None
            self._follow(up, leader)
        self._keep_truth(up)

    def _voting(self, pods: list[SimPod]) -> list[SimPod]:
        return [p for p in pods if self.votes(p)]

    def _keep_truth(self, up: list[SimPod]) -> None:
        true = {p.uid for p in up if p.joined} if self.quorum() else set[str]()
        for pod in self.members():
            if pod.uid in true:
                pod.last_true, pod.true_since = self.now, min(pod.true_since, self.now)
                self.served.setdefault(pod.uid, (pod.name, self.now))
            else:
                pod.true_since = math.inf

    def _dissolve(self) -> None:
        self.deposed, self.leader, self.lost_at = self.leader, "", None
        for pod in self.members():
            pod.joined = False
        self.elect_at = max(self.elect_at, self.now + 0.3)

    def _elect(self, up: list[SimPod]) -> None:
        best = max(self._voting(up), key=lambda p: (p.zxid, p.name))
        self.leader = best.uid
        self.elections += 1
        self.epoch, self.counter = self.epoch + 1, 0
        best.zxid = self.epoch << 32
        for pod in up:
            pod.joined = True

    def _follow(self, up: list[SimPod], leader: SimPod) -> None:
        for pod in up:
            if not pod.joined and self.now >= max(pod.up_at, pod.frozen_until) + pod.join_delay:
                pod.joined, pod.zxid = True, leader.zxid
        if sum(p.joined for p in self._voting(up)) < self.majority:
            self.elect_at = self.now + 0.5
            self._dissolve()
        elif self.rng.random() < 0.4:
            self.counter += 1
            self.write()

    def write(self) -> None:
        """A transaction that every joined server has."""
        for pod in self.members():
            if pod.joined and pod.up(self.now):
                pod.zxid = self.epoch << 32 | self.counter

    def quorum(self) -> bool:
        """Whether the ensemble really serves: a leader that is alive, with a majority of the voters joined to it."""
        leader = self.pods.get(self.leader)
        serving = [p for p in self._voting(self.members()) if p.joined and p.up(self.now)]
        return leader is not None and leader.up(self.now) and len(serving) >= self.majority

    def mode(self, pod: SimPod) -> Mode:
        """What it answers to `srvr`: a follower of a frozen leader goes on saying so until it notices."""
        if not pod.up(self.now):
            return Mode.SILENT
        if pod.uid == self.deposed != self.leader and self.now < pod.frozen_until + 1.0:
            return Mode.LEADER
        if not pod.joined:
            return Mode.LOOKING
        if not self.votes(pod):
            return Mode.OBSERVER
        return Mode.LEADER if pod.uid == self.leader else Mode.FOLLOWER

    def freeze(self, pod: SimPod, seconds: float) -> None:
        pod.frozen_at, pod.frozen_until = self.now, self.now + seconds
        pod.join_delay = 1.0
        if pod.uid != self.leader:
            pod.joined = False

    def crash(self, pod: SimPod, seconds: float) -> None:
        """Its server ends and is started again in the same pod, which serves no sooner than after `seconds`."""
        pod.joined, pod.up_at, pod.unready_until = False, self.now + seconds, self.now + seconds / 2

    def config(self) -> EnsembleConfig:
        domain = f"{self.name}-hs.{self.namespace}.svc.cluster.local"
        roles = [ServerRole.PARTICIPANT] * self.voters + [ServerRole.OBSERVER] * self.observers
        group = 1 if self.groups else None
        servers = [Server(n + 1, f"{self.name}-{n}.{domain}", role, group=group) for n, role in enumerate(roles)]
        servers += [Server(90 + n, f"far-{n}.example.com") for n in range(self.outside)]
        return EnsembleConfig(tuple(servers), at=self.now)

    def detail(self, pod: SimPod) -> MemberDetail | None:
        """What `mntr` adds. A leader goes on counting a follower as synced for a while after it froze."""
        if not self.mntr or pod.uid != self.leader:
            return None
        followers = [p for p in self._voting(self.members()) if p.joined and p.uid != pod.uid]
        return MemberDetail(synced_followers=max(0, len(followers) - (self.rng.random() < 0.02)))
