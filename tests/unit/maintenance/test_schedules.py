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

from tests.unit.maintenance.schedules import Faults, Schedule
from tests.unit.maintenance.tally import Tally
from zktui.maintenance import claim, commands, cordoning, gates, machine, nodes, observe
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Gate, GateName, RunStatus, Standing

SEED = os.environ.get("SEED", "")
FACTOR = float(os.environ.get("SCHEDULES", "1"))
SHARE = 100
"""Schedules in one test: well within a test's time."""
MIXES = {
    "calm": Faults(),
    "aimed": Faults(lose=0.02, aims=1),
    "lossy": Faults(refuse=0.15, lose=0.15, slow=0.05, unread=0.05),
    "stormy": Faults(refuse=0.05, lose=0.05, slow=0.05, unread=0.02, events=3, aims=2, rival=0.2),
    "worst": Faults(refuse=0.15, lose=0.15, slow=0.15, unread=0.05, journal=0.003, events=6, aims=2, rival=0.4),
}
SHARES = {"calm": 1, "aimed": 3, "lossy": 4, "stormy": 6, "worst": 6}


def schedule(mix: str, seed: int) -> Schedule:
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


@pytest.mark.skipif(not SEED, reason="SEED names no schedule")
def test_replayed() -> None:
    mix, _, seed = SEED.rpartition(":")
    made = play(mix or "stormy", int(seed), Tally())
    sys.stdout.write("\n".join(made.log) + "\n")


RARE = (("input", "rejoin", "unrecorded"), ("gate", "settled", "blocked"), ("overridden", "alone"))
"""What these seeds come by or miss as the code around them changes."""


@pytest.mark.skipif(bool(SEED), reason="one seed is replayed")
@pytest.mark.timeout(900)
def test_every_step_was_met_by_every_input_and_every_gate_and_reply_was_seen() -> None:
    """A generator that never brings a run somewhere proves nothing about it."""
    whole = Tally()
    for mix, share in shares():
        whole.add(played(mix, share))
    missing = [what for what in whole.missing() if what not in RARE]
    assert not missing, f"never reached: {missing}"


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
        "lease": [(claim, "ready", _says(True))],
        "abort": [(commands, "_abort", _says(None))],
        "cordon of a gateway": [(nodes, "perhaps_done", _says(False))],
        "another node of the name": [(module, "vanished", _says(False)) for module in (observe, nodes)],
        "whose cordon": [(cordoning, "run_of", _says("run-1"))],
        "what is left": [(machine, "left_behind", _says(""))],
    }


@pytest.mark.skipif(bool(SEED), reason="one seed is replayed")
@pytest.mark.parametrize("rule", _broken_rules())
def test_a_broken_rule_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for broken in _broken_rules()[rule]:
        monkeypatch.setattr(*broken)
    for seed in range(600):
        try:
            schedule(tuple(MIXES)[seed % len(MIXES)], seed).play()
        except AssertionError:
            return
    pytest.fail(f"600 schedules did not find that the rule is broken: {rule}")
