"""The judge's arithmetic: what looks at an ensemble amount to. Looks here are a tenth of a second apart."""

from __future__ import annotations

import msgspec
import pytest

from tests.e2e.verdict import Answer, Look, Verdict, Writes, judge

WRITES = Writes(acknowledged=10, unanswered=0, longest_gap=0.1, gap_begins=0.0)
SILENT = ""


def looks(*rows: str, uids: dict[int, str] | None = None, epochs: dict[int, int] | None = None) -> list[Look]:
    """A row is one letter a member: L leads, f follows, o observes, r is read-only, - is silent, . is no such pod.

    `uids` and `epochs` say from which row on there is another UID of zk-0, or another epoch.
    """
    modes = {"L": "leader", "f": "follower", "o": "observer", "r": "read-only", "-": SILENT}
    found: list[Look] = []
    uid, epoch = "first", 1
    for number, row in enumerate(rows):
        uid = (uids or {}).get(number, uid)
        epoch = (epochs or {}).get(number, epoch)
        members = {
            f"zk-{at}": Answer(uid if at == 0 else "kept", modes[letter], epoch if letter not in "-r" else None)
            for at, letter in enumerate(row)
            if letter != "."
        }
        found.append(Look(100.0 + number / 10, members))
    return found


def tenths(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 10)


def told(found: list[Look]) -> Verdict:
    return judge(found, 3, WRITES)


def test_all_well() -> None:
    verdict = told(looks("fLf", "fLf", "fLf"))
    assert (verdict.below_majority, verdict.without_leader, verdict.elections) == (0, 0, 0)
    assert (verdict.evictions, verdict.episodes, verdict.leaders) == ((), (), ("zk-1",))
    assert verdict.whole_since == 0.0
    assert tenths(verdict.seconds) == 2


def test_a_follower_away_costs_no_majority() -> None:
    verdict = told(looks("fLf", ".Lf", "-Lf", "fLf", uids={2: "second"}))
    assert verdict.below_majority == 0
    assert verdict.episodes == ()
    assert verdict.evictions == ("zk-0",)
    assert tenths(verdict.whole_since) == 3


def test_an_election() -> None:
    # The leader goes; its followers notice a look later; the new one leads before the other has followed.
    verdict = told(looks("Lff", "-ff", "---", ".--", ".L-", "fLf", "fLf", uids={5: "second"}, epochs={4: 2}))
    assert tenths(verdict.without_leader) == 3
    assert tenths(verdict.below_majority) == 3
    assert verdict.elections == 1
    assert verdict.leaders == ("zk-0", "zk-1")
    (episode,) = verdict.episodes
    assert (episode.serving_before, episode.epochs) == (3, 1)
    assert tenths(episode.seconds) == 4
    assert verdict.evictions == ("zk-0",)


def test_a_majority_that_was_given_up_is_told_from_an_election() -> None:
    # One was away when the next one went: the leader has lost its followers.
    verdict = told(looks("fLf", "-Lf", "-L-", "---", "-Lf", "fLf", epochs={4: 2}))
    (episode,) = verdict.episodes
    assert episode.serving_before == 2
    assert tenths(episode.below_majority) == 2
    assert tenths(episode.without_leader) == 1


def test_an_election_that_was_tried_twice_counts_twice() -> None:
    assert told(looks("Lff", "---", "-Lf", epochs={2: 3})).elections == 2


def test_read_only_does_not_serve() -> None:
    assert tenths(told(looks("rrL", "rrL")).below_majority) == 1


def test_a_thawed_leader_beside_the_new_one() -> None:
    assert tenths(told(looks("-Lf", "LLf", "fLf")).two_leaders) == 1


def test_an_observer_serves() -> None:
    assert told(looks("oLf", "oLf")).whole_since == 0.0


def test_never_whole_again() -> None:
    verdict = told(looks("fLf", "---", "---"))
    assert verdict.whole_since is None
    (episode,) = verdict.episodes
    assert tenths(episode.seconds) == 1, "what it was after the last look is not known"


def test_the_judges_own_blindness_is_told() -> None:
    before, after = looks("fLf"), looks("fLf")
    late = Look(before[0].at + 2.5, after[0].members)
    assert told([before[0], late]).most_late == 2.5


@pytest.mark.parametrize(
    ("lost", "unchecked", "kept"),
    [
        ({"zk-0": (), "zk-1": ()}, (), True),
        ({"zk-0": (), "zk-1": ("00000007",)}, (), False),
        ({"zk-0": ()}, ("zk-1",), False),
    ],
)
def test_writes_are_kept_only_if_every_member_was_asked(
    lost: dict[str, tuple[str, ...]], unchecked: tuple[str, ...], kept: bool
) -> None:
    assert Writes(10, 1, 0.2, 0.0, lost, unchecked).kept is kept


def test_a_verdict_reads_as_it_was_written() -> None:
    verdict = told(looks("Lff", "---", "fLf", uids={2: "second"}, epochs={2: 2}))
    assert msgspec.convert(verdict.document(), Verdict) == verdict
