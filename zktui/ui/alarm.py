"""The bell of a run: it rings when no further voter may be lost, and that was not the run's doing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zktui.core.quorum import Quorum
from zktui.core.view import View
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.model import PodRun, PodStep, Run

LEFT = (PodStep.EVICT, PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)
"""Steps in which a member may be silent by our doing."""
PATIENCE = 2.0
"""Seconds for which it must be so: one poll may fail, and evidence is good for so long."""
ELECTION = 5.0
"""Seconds after an eviction in which members that do not serve may be in the election that it brought about; it took
half a second as measured on ZooKeeper 3.9.4."""


def missing(run: Run, key: EnsembleKey) -> tuple[PodRun, ...]:
    """Voters of that ensemble that this run has taken away, or is about to."""
    # By name: one that was born again has another UID than the one that was planned.
    observers = {m.pod.name for n in run.plan.nodes for m in n.members if m.ensemble == key and not m.voter}
    mine = (pod for node in run.nodes for pod in node.pods if pod.member and pod.ensemble == key)
    return tuple(pod for pod in mine if pod.step in LEFT and pod.pod.name not in observers)


def unplanned(run: Run, key: EnsembleKey, quorum: Quorum) -> bool:
    """No further voter may be lost, and more are missing than this run has taken away. Unknown counts as lost."""
    return quorum.can_lose == 0 and quorum.voters - quorum.serving > len(missing(run, key))


class Alarm:
    """Rings once for each time that it becomes so, and is ready again as soon as it is no more so."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._since: dict[EnsembleKey, float] = {}
        self._rung: set[EnsembleKey] = set()

    def watch(self, run: Run | None, view: View) -> None:
        """To be called with each new view; a run that has ended is not watched."""
        if run is None or run.status.ended or run.started_at is None:
            self._since.clear()
            self._rung.clear()
            return
        judged = [(e.key, e.quorum) for e in view.ensembles if e.key in run.plan.ensembles]
        begun = [key for key, quorum in judged if self._becomes(run, key, quorum, view.at)]
        if begun:
            self._ring()

    def _becomes(self, run: Run, key: EnsembleKey, quorum: Quorum, now: float) -> bool:
        if not unplanned(run, key, quorum):
            self._since.pop(key, None)
            self._rung.discard(key)
            return False
        since = self._since.setdefault(key, now)
        if key in self._rung or now - since < _patience(missing(run, key), now):
            return False
        self._rung.add(key)
        return True


def _patience(gone: Sequence[PodRun], now: float) -> float:
    """Seconds to wait before it is an alarm: an election that we asked for is none."""
    evicted = max((pod.evicted_at for pod in gone if pod.evicted_at is not None), default=None)
    return ELECTION if evicted is not None and now - evicted < ELECTION else PATIENCE
