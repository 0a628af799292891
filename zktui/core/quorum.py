"""Quorum as ZooKeeper's default verifier (QuorumMaj) counts it: more than half of all configured voters."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zktui.core.kube import Pod
from zktui.core.zookeeper import EnsembleConfig, Member, MemberReport, Mode, Zxid


class Health(enum.StrEnum):
    """The ensemble in one word. Only QUORUM is safe; UNKNOWN is not."""

    QUORUM = "quorum"
    NO_QUORUM = "no quorum"
    UNKNOWN = "unknown"


def majority(voters: int) -> int:
    """The least number of voters that is a quorum."""
    return voters // 2 + 1


@dataclass(frozen=True, slots=True)
class Quorum:
    """The state of quorum at one moment, and what it rests on.

    `serving` counts voters whose own fresh answer says leader or follower. `voters` is 0 when the running
    configuration is not known.
    """

    health: Health
    voters: int
    serving: int
    leader: str = ""
    """Pod name of the one serving leader; empty when there is none or more than one."""
    epoch: int | None = None
    why: str = ""
    """What is wrong, in one phrase; empty when nothing is."""

    @property
    def majority(self) -> int:
        return majority(self.voters)

    @property
    def can_lose(self) -> int:
        """How many more voters may stop serving before quorum is lost; 0 when there is none to lose."""
        if self.health is not Health.QUORUM:
            return 0
        return max(0, self.serving - self.majority)

    def phrase(self) -> str:
        """In one phrase, how many members the ensemble can still lose."""
        if self.health is Health.UNKNOWN:
            return f"not known: {self.why}" if self.why else "not known"
        if self.health is Health.NO_QUORUM:
            return f"quorum is lost: {self.why}" if self.why else "quorum is lost"
        match self.can_lose:
            case 0:
                return "can lose none"
            case 1:
                return "can lose 1 more member"
            case count:
                return f"can lose {count} more members"


def judge(members: Sequence[Member], config: EnsembleConfig | None, now: float) -> Quorum:
    """Judge quorum from the members' own answers.

    A silent leader means no quorum, since followers go on saying `follower` for seconds after it froze; two leaders
    are the seconds in which a frozen one thaws (both seen on ZooKeeper 3.9.4). A voter that has no pod, or whose
    answer is older than `EVIDENCE_MAX_AGE`, counts as not serving.
    """
    if config is None:
        standalone = [m for m in members if m.report.mode is Mode.STANDALONE and m.report.fresh(now)]
        if len(members) == 1 and standalone:
            return Quorum(Health.QUORUM, 1, 1, members[0].pod.name, _epoch(standalone[0].report.zxid))
        return Quorum(Health.UNKNOWN, 0, 0, why="the running configuration has not been read")
    voters = config.voters
    if config.hierarchical:
        return Quorum(Health.UNKNOWN, len(voters), 0, why="groups or weights decide this ensemble's quorum")
    ids = {server.myid for server in voters}
    mine = [m for m in members if m.server is not None and m.server.myid in ids]
    serving = [m for m in mine if m.report.serving(now) and m.report.mode is not Mode.OBSERVER]
    leaders = [m for m in serving if m.report.mode in (Mode.LEADER, Mode.STANDALONE)]
    count = len({m.server.myid for m in serving if m.server})
    # Not the same as silent: a silent member was asked and did not answer, and its silence does not grow old.
    unknown = [m for m in mine if m.report.mode is not Mode.SILENT and not _known(m.report, now)]
    if len(leaders) > 1:
        names = ", ".join(sorted(m.pod.name for m in leaders))
        return Quorum(Health.UNKNOWN, len(voters), count, why=f"{names} all say that they lead")
    leader = leaders[0] if leaders else None
    if leader is None or count < majority(len(voters)):
        name, epoch = (leader.pod.name, _epoch(leader.report.zxid)) if leader else ("", None)
        if unknown and count + len(unknown) >= majority(len(voters)):
            names = ", ".join(m.pod.name for m in unknown)
            why = f"nothing new from {names}"
            return Quorum(Health.UNKNOWN, len(voters), count, name, epoch, why)
        # A leader's word alone is not a quorum to count on: without its followers it steps down within a tick.
        why = f"{count} of {len(voters)} voters serve" if leader else "no member leads"
        return Quorum(Health.NO_QUORUM, len(voters), count, name, epoch, why)
    epoch = _epoch(leader.report.zxid)
    return Quorum(Health.QUORUM, len(voters), count, leader.pod.name, epoch)


def _known(report: MemberReport, now: float) -> bool:
    return report.mode is not Mode.UNKNOWN and report.fresh(now)


def _epoch(zxid: Zxid | None) -> int | None:
    return None if zxid is None else zxid.epoch


def lag(member: MemberReport, leader: MemberReport | None) -> int | None:
    """Transactions by which a member is behind; None across epochs, where zxids can't be compared.

    On an idle ensemble after an election the leader shows the new epoch with counter 0 and a healthy follower the old
    epoch for as long as nobody writes (seen on ZooKeeper 3.9.4).
    """
    if leader is None or member.zxid is None or leader.zxid is None or not member.mode.serving:
        return None
    if member.pod == leader.pod:
        return 0
    if member.zxid.epoch == leader.zxid.epoch:
        return max(0, leader.zxid.counter - member.zxid.counter)
    return 0 if leader.zxid.counter == 0 and member.zxid.epoch < leader.zxid.epoch else None


def caught_up(member: MemberReport, leader: MemberReport, *, synced_read: bool = False) -> bool:
    """Whether a member that came back holds what the leader held when it was asked *before* the member.

    True when the member follows or observes, and its zxid has reached the leader's within one epoch, or the leader's
    counter in the current epoch is still 0, or a `sync` and a read through that very member succeeded.
    """
    if member.mode not in (Mode.FOLLOWER, Mode.OBSERVER):
        return False
    if synced_read:
        return True
    if member.zxid is None or leader.zxid is None or leader.at > member.at:
        return False
    if leader.zxid.counter == 0:
        return True
    return member.zxid.epoch == leader.zxid.epoch and member.zxid >= leader.zxid


def members_of(
    pods: Sequence[Pod], reports: Mapping[str, MemberReport], config: EnsembleConfig | None
) -> tuple[Member, ...]:
    """Join pods, answers and configuration into members, in the order of the pods."""
    unknown = {pod.uid: reports.get(pod.uid) or MemberReport(pod.key, float("-inf")) for pod in pods}
    leader = next((r for r in unknown.values() if r.mode is Mode.LEADER), None)
    return tuple(
        Member(pod, unknown[pod.uid], config.server_of(pod) if config else None, lag(unknown[pod.uid], leader))
        for pod in pods
    )
