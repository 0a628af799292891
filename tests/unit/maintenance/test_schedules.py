"""Thousands of random schedules; a failure prints its seed and the command that replays it.

`SCHEDULES=10 pytest …` plays ten times as many; `SEED=stormy:17 pytest … -s` plays that one and prints its log.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.maintenance.directed import WAYS, DiskFull, FullInHold, NoRoom, TakenAway
from tests.unit.maintenance.schedules import Faults, Schedule
from tests.unit.maintenance.tally import Reached, Tally
from zktui.core import zookeeper
from zktui.maintenance import claim, commands, cordoning, ending, facts, gates, machine, nodes, observe
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Gate, GateName, RunStatus, Standing

SEED = os.environ.get("SEED", "")
FACTOR = float(os.environ.get("SCHEDULES", "1"))
SHARE = 100
"""Schedules in one test: well within a test's time."""
DIRECTED = "directed"
MIXES = {
    "calm": Faults(),
    "aimed": Faults(lose=0.02, aims=1),
    "lossy": Faults(refuse=0.15, lose=0.15, slow=0.05, unread=0.05),
    "stormy": Faults(refuse=0.05, lose=0.05, slow=0.05, unread=0.02, events=3, aims=2, rival=0.2),
    "worst": Faults(refuse=0.15, lose=0.15, slow=0.15, unread=0.05, journal=0.003, events=6, aims=2, rival=0.4),
}
SHARES = {"calm": 1, "aimed": 3, "lossy": 4, "stormy": 6, "worst": 6, DIRECTED: 1}


def schedule(mix: str, seed: int) -> Schedule:
    if mix == DIRECTED:
        return WAYS[seed % len(WAYS)](seed)
    return Schedule(seed, MIXES[mix], nodes=1 + seed % 3, horizon=90, varied=True)


def play(mix: str, seed: int, tally: Tally) -> Schedule:
    """Raises AssertionError with the seed, the last lines of the log, and the command that plays it again."""
    made = schedule(mix, seed)
    made.judge.on_step = tally.step
    try:
        made.play()
    except Exception as error:
        tail = "\n".join(made.log[-60:])
        again = f"SEED={mix}:{seed} .venv/bin/pytest {os.path.relpath(__file__)} -k replayed -s"
        raise AssertionError(f"{type(error).__name__}: {error}\n{tail}\nAgain: {again}") from error
    return made


@functools.cache
def played(mix: str, share: int) -> Tally:
    tally = Tally()
    for seed in range(share * SHARE, (share + 1) * SHARE):
        play(mix, seed, tally)
    return tally


def shares() -> list[tuple[str, int]]:
    return [(mix, share) for mix, count in SHARES.items() for share in range(round(count * FACTOR) or 1)]


@pytest.mark.skipif(bool(SEED), reason="one seed is replayed")
@pytest.mark.parametrize(("mix", "share"), shares())
def test_promises_hold_whatever_happens(mix: str, share: int) -> None:
    ends = played(mix, share).ends
    assert ends[RunStatus.DONE] >= SHARE // 20, f"hardly any run came to its end: {ends}"


if SEED:  # without it there is nothing to play, and on a machine that judges nothing is skipped

    def test_replayed() -> None:
        mix, _, seed = SEED.rpartition(":")
        made = play(mix or "stormy", int(seed), Tally())
        sys.stdout.write("\n".join(made.log) + "\n")


LAID_OUT: dict[Reached, str] = {
    ("input", "rejoin", "unrecorded"): DiskFull.__name__,
    ("input", "hold", "unrecorded"): FullInHold.__name__,
    ("gate", "settled", "blocked"): NoRoom.__name__,
    ("overridden", "alone"): TakenAway.__name__,
}
"""What random schedules come by only at times, and the way that leads there."""


@pytest.mark.skipif(bool(SEED), reason="one seed is replayed")
@pytest.mark.timeout(900)
def test_every_step_was_met_by_every_input_and_every_gate_and_reply_was_seen() -> None:
    """A generator that never brings a run somewhere proves nothing about it."""
    whole, directed = Tally(), Tally()
    for mix, share in shares():
        whole.add(played(mix, share))
        if mix == DIRECTED:
            directed.add(played(mix, share))
    assert not whole.missing(), f"never reached: {whole.missing()}"
    for reached, way in LAID_OUT.items():
        assert directed.seen[reached] >= SHARE // 10, f"{way} leads to {reached} only {directed.seen[reached]} times"


# -- the judge is judged: a rule that is broken is found ---------------------------------------------------------------


def _open(name: GateName) -> Callable[..., Gate]:
    def gate(facts: Facts, *_: Any, **__: Any) -> Gate:
        return Gate(name, Standing.OK, "broken for this test", facts.at)

    return gate


def _says(answer: Any) -> Callable[..., Any]:
    def say(*_: Any) -> Any:
        return answer

    return say


def _broken_rules() -> dict[str, list[tuple[Any, str, Any]]]:
    """What is broken: where, and by what."""
    return {
        "quorum": [(gates, "quorum_gate", _open(GateName.QUORUM))],
        "settled": [(gates, "settled_gate", _open(GateName.SETTLED))],
        "return": [(gates, "return_gate", _open(GateName.RETURN))],
        "old evidence": [(module, "EVIDENCE_MAX_AGE", 1e9) for module in (facts, zookeeper)],
        "lease": [(claim, "ready", _says(True))],
        "abort": [(commands, "_abort", _says(None))],
        "cordon of a gateway": [(nodes, "perhaps_done", _says(False))],
        "another node of the name": [(module, "vanished", _says(False)) for module in (observe, nodes)],
        "whose cordon": [(cordoning, "run_of", _says("run-1"))],
        "what is left at the end": [(ending, "left_behind", _says(""))],
        "what is left without a journal": [(machine, "left_behind", _says(""))],
    }


TO_FIND_IT = {
    "quorum": Faults(events=6, kinds=("freeze", "freeze-long")),
    "return": Faults(events=4, kinds=("roll",)),
    "another node of the name": Faults(events=3, kinds=("node-replaced",)),
    "whose cordon": Faults(lose=0.3, events=6, kinds=("cordon-other",)),
    "what is left at the end": Faults(events=2, kinds=("abort",)),
    "what is left without a journal": Faults(journal=0.02),
}
"""What goes wrong in the schedules that are to find a rule broken; in turn all that goes wrong in any mix, if empty."""


def _to_find(rule: str, seed: int) -> Schedule:
    if rule in TO_FIND_IT:
        return Schedule(seed, TO_FIND_IT[rule], nodes=1 + seed % 3, horizon=90, varied=True)
    return schedule(tuple(SHARES)[seed % len(SHARES)], seed)


@pytest.mark.skipif(bool(SEED), reason="one seed is replayed")
@pytest.mark.parametrize("rule", _broken_rules())
def test_a_broken_rule_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in _broken_rules()[rule]:
        monkeypatch.setattr(*broken)
    for seed in range(600):
        try:
            _to_find(rule, seed).play()
        except AssertionError:
            return
    pytest.fail(f"600 schedules did not find that the rule is broken: {rule}")
