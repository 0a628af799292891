"""Quorum, from the members' own answers only."""

from __future__ import annotations

import pytest

from tests.unit.core.facts import config, members, pod, report
from zktui.core.quorum import Health, caught_up, judge, lag, majority, members_of
from zktui.core.zookeeper import EnsembleConfig, Mode, Server, ServerRole

L, F, O, S, LOOKING, RO = (  # noqa: E741  # the letters ZooKeeper people use
    Mode.LEADER,
    Mode.FOLLOWER,
    Mode.OBSERVER,
    Mode.SILENT,
    Mode.LOOKING,
    Mode.READ_ONLY,
)


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_a_majority_is_more_than_half_of_all_voters(voters: int, needed: int) -> None:
    assert majority(voters) == needed


@pytest.mark.parametrize(
    ("modes", "health", "serving", "can_lose"),
    [
        ((L, F, F), Health.QUORUM, 3, 1),
        ((L, F, S), Health.QUORUM, 2, 0),
        ((L, F, LOOKING), Health.QUORUM, 2, 0),
        ((L, F, RO), Health.QUORUM, 2, 0),
        ((L, S, S), Health.NO_QUORUM, 1, 0),
        # Followers go on saying follower for seconds after their leader froze.
        ((S, F, F), Health.NO_QUORUM, 2, 0),
        # A thawed leader and its successor: two leaders for a second.
        ((L, L, F), Health.UNKNOWN, 3, 0),
        ((L, F, F, F, F), Health.QUORUM, 5, 2),
        ((L, F, F, S, S), Health.QUORUM, 3, 0),
    ],
)
def test_judged_by_what_members_say(modes: tuple[Mode, ...], health: Health, serving: int, can_lose: int) -> None:
    quorum = judge(members(*modes), config(len(modes)), 1001.0)
    assert (quorum.health, quorum.serving, quorum.can_lose) == (health, serving, can_lose)


def test_evidence_older_than_two_seconds_is_unknown_and_unknown_is_no() -> None:
    fresh = judge(members(L, F, F, at=1000.0), config(), 1002.0)
    old = judge(members(L, F, F, at=1000.0), config(), 1002.1)
    assert fresh.health is Health.QUORUM
    assert old.health is Health.UNKNOWN
    assert (old.serving, old.can_lose) == (0, 0)


def test_members_that_could_not_be_asked_are_unknown_not_silent() -> None:
    unknown = Mode.UNKNOWN
    assert judge(members(L, F, unknown), config(), 1000.0).health is Health.QUORUM
    assert judge(members(unknown, F, F), config(), 1000.0).health is Health.UNKNOWN
    assert judge(members(L, S, unknown), config(), 1000.0).health is Health.UNKNOWN
    assert judge(members(L, S, S), config(), 1000.0).health is Health.NO_QUORUM
    assert judge(members(S, S, unknown), config(), 1000.0).health is Health.NO_QUORUM
    assert judge(members(L, S, S, at=990.0), config(), 1000.0).health is Health.NO_QUORUM
    assert "zk-0" in judge(members(unknown, F, F), config(), 1000.0).why


def test_a_voter_without_a_pod_counts_as_not_serving() -> None:
    quorum = judge(members(L, F, F), config(5), 1000.0)
    assert (quorum.voters, quorum.serving, quorum.can_lose) == (5, 3, 0)


def test_observers_never_count() -> None:
    one, two, three = members(L, F, O)
    running = EnsembleConfig((*config(2).servers, Server(3, "zk-2.zk-hs.default.svc", ServerRole.OBSERVER)))
    joined = members_of([m.pod for m in (one, two, three)], {m.pod.uid: m.report for m in (one, two, three)}, running)
    quorum = judge(joined, running, 1000.0)
    assert (quorum.voters, quorum.serving, quorum.can_lose) == (2, 2, 0)


def test_without_a_configuration_nothing_is_known() -> None:
    assert judge(members(L, F, F), None, 1000.0).health is Health.UNKNOWN


def test_one_standalone_server_is_its_own_quorum() -> None:
    quorum = judge(members(Mode.STANDALONE), None, 1000.0)
    assert (quorum.health, quorum.can_lose) == (Health.QUORUM, 0)


def test_groups_and_weights_are_refused_with_the_reason() -> None:
    weighted = EnsembleConfig(
        tuple(Server(s.myid, s.host, s.role, weight=2 if s.myid == 1 else 1) for s in config().servers)
    )
    quorum = judge(members(L, F, F), weighted, 1000.0)
    assert quorum.health is Health.UNKNOWN
    assert "weights" in quorum.why


class TestCaughtUp:
    """docs/maintenance.md, "Caught up": never compare zxids across epochs, never demand equal epochs."""

    leader_pod, member_pod = pod("zk-0").key, pod("zk-1").key

    def test_same_epoch_needs_the_leaders_counter(self) -> None:
        leader = report(self.leader_pod, L, 0x200000010)
        assert caught_up(report(self.member_pod, F, 0x200000010), leader)
        assert caught_up(report(self.member_pod, F, 0x200000011), leader)
        assert not caught_up(report(self.member_pod, F, 0x20000000F), leader)

    def test_idle_after_an_election_a_follower_shows_the_old_epoch(self) -> None:
        leader = report(self.leader_pod, L, 0x200000000)
        assert caught_up(report(self.member_pod, F, 0x100000007), leader)

    def test_another_epoch_proves_nothing_once_the_leader_has_written(self) -> None:
        leader = report(self.leader_pod, L, 0x200000001)
        assert not caught_up(report(self.member_pod, F, 0x1FFFFFFFF), leader)
        assert caught_up(report(self.member_pod, F, 0x1FFFFFFFF), leader, synced_read=True)

    def test_the_leader_must_have_been_asked_first(self) -> None:
        leader = report(self.leader_pod, L, 0x200000010, at=1001.0)
        assert not caught_up(report(self.member_pod, F, 0x200000010, at=1000.0), leader)

    @pytest.mark.parametrize("mode", [L, LOOKING, S, RO, Mode.UNKNOWN])
    def test_only_followers_and_observers_catch_up(self, mode: Mode) -> None:
        leader = report(self.leader_pod, L, 0x200000000)
        assert not caught_up(report(self.member_pod, mode, 0x200000000), leader, synced_read=True)


def test_lag_is_a_number_only_within_one_epoch() -> None:
    leader = report(pod("zk-0").key, L, 0x200000010)
    follower = pod("zk-1").key
    assert lag(report(follower, F, 0x20000000C), leader) == 4
    assert lag(report(follower, F, 0x100000010), leader) is None
    assert lag(report(follower, F, 0x100000010), report(pod("zk-0").key, L, 0x200000000)) == 0
    assert lag(report(follower, S, None), leader) is None
