"""The bell of a run: when it rings, and when it must not."""

from __future__ import annotations

from dataclasses import replace

from tests.ui import wizard_states as states
from tests.ui.fakes import NOW, World
from zktui.core.quorum import Health, Quorum
from zktui.core.view import View
from zktui.maintenance.model import PodStep, Run, RunStatus
from zktui.ui.alarm import ELECTION, PATIENCE, Alarm, unplanned


class Listener:
    """An alarm that is told how many voters serve, moment by moment."""

    def __init__(self, run: Run | None, voters: int = 3) -> None:
        world = World()
        world.ensemble()
        self._view = world.store.view()
        self._voters = voters
        self._rung: list[float] = []
        self.alarm = Alarm(lambda: self._rung.append(self._now))
        self.run = run
        self._now = NOW

    def hear(self, serving: int, after: float = 0.0, health: Health = Health.QUORUM) -> int:
        """How often it has rung by now, `after` seconds later."""
        self._now += after
        quorum = Quorum(health, self._voters, serving, "zk-1", 12)
        seen = replace(self._view.ensembles[0], quorum=quorum)
        view: View = replace(self._view, ensembles=(seen,), at=self._now)
        self.alarm.watch(self.run, view)
        return len(self._rung)


def test_it_rings_once_when_none_may_be_lost_that_we_did_not_take() -> None:
    listener = Listener(states.STATES["gates"]())
    assert listener.hear(3) == 0
    assert listener.hear(2) == 0
    assert listener.hear(2, PATIENCE) == 1
    assert listener.hear(2, 60) == 1


def test_one_failed_poll_does_not_ring() -> None:
    listener = Listener(states.STATES["gates"]())
    assert listener.hear(2) == 0
    assert listener.hear(3, 1) == 0
    assert listener.hear(2, 1) == 0
    assert listener.hear(3, PATIENCE) == 0


def test_it_rings_again_the_next_time() -> None:
    listener = Listener(states.STATES["gates"]())
    listener.hear(2)
    assert listener.hear(2, PATIENCE) == 1
    assert listener.hear(3, 1) == 1
    assert listener.hear(2, 1) == 1
    assert listener.hear(2, PATIENCE) == 2


def test_what_the_run_takes_away_is_planned() -> None:
    listener = Listener(states.away(PodStep.GONE))
    assert listener.hear(2) == 0
    assert listener.hear(2, 600) == 0


def test_a_second_member_that_is_lost_rings_though_one_is_away() -> None:
    listener = Listener(states.away(PodStep.WAITS))
    listener.hear(2)
    assert listener.hear(1, 60, Health.NO_QUORUM) == 0
    assert listener.hear(1, PATIENCE, Health.NO_QUORUM) == 1


def test_the_election_that_an_eviction_brings_about_does_not_ring() -> None:
    run = states.away(PodStep.LEAVING, evicted_at=NOW)
    listener = Listener(run)
    assert listener.hear(0, 0.5, Health.NO_QUORUM) == 0
    assert listener.hear(0, ELECTION - 1, Health.NO_QUORUM) == 0
    assert listener.hear(2, 0.2) == 0
    lasting = Listener(run)
    lasting.hear(0, 0.5, Health.NO_QUORUM)
    assert lasting.hear(0, ELECTION + PATIENCE, Health.NO_QUORUM) == 1


def test_five_voters_can_spare_one_more_than_is_away() -> None:
    listener = Listener(states.away(PodStep.GONE), voters=5)
    listener.hear(4)
    assert listener.hear(4, 600) == 0
    listener.hear(3)
    assert listener.hear(3, PATIENCE) == 1


def test_unknown_counts_as_lost() -> None:
    assert unplanned(states.STATES["gates"](), states.KEY, Quorum(Health.UNKNOWN, 3, 2))
    listener = Listener(states.STATES["gates"]())
    listener.hear(0, 0, Health.UNKNOWN)
    assert listener.hear(0, PATIENCE, Health.UNKNOWN) == 1


def test_an_observer_that_is_away_is_not_one_of_the_voters() -> None:
    run = states.away(PodStep.GONE)
    nodes = list(run.plan.nodes)
    nodes[1] = replace(nodes[1], members=(replace(nodes[1].members[0], voter=False),))
    run = replace(run, plan=replace(run.plan, nodes=tuple(nodes)))
    assert unplanned(run, states.KEY, Quorum(Health.QUORUM, 3, 2))


def test_without_a_run_under_way_it_is_silent() -> None:
    for run in (None, states.ended(RunStatus.FAILED), replace(states.STATES["gates"](), started_at=None)):
        listener = Listener(run)
        listener.hear(1, 0, Health.NO_QUORUM)
        assert listener.hear(1, 600, Health.NO_QUORUM) == 0
