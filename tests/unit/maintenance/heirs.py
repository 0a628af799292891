"""What becomes of a run whose process was killed: another operator takes it up from its lease, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tests.unit.maintenance.operators import Operator
from tests.unit.maintenance.surveying import Look
from zktui.maintenance.claim import LEASE_SECONDS
from zktui.maintenance.facts import Facts
from zktui.maintenance.journal import Fate, fate_of, last_holder
from zktui.maintenance.model import RUN_ANNOTATION, STATE_ANNOTATION, Event
from zktui.maintenance.planning import plan
from zktui.maintenance.record import Record, from_record
from zktui.maintenance.resuming import Circumstances, names_left, restore, unplanned
from zktui.maintenance.survey import Scope

if TYPE_CHECKING:
    from tests.unit.maintenance.schedules import Schedule

PROVED_DEAD = 3.0
"""Seconds in which a process is known to be gone on its own machine, by its journal's lock."""


def kill(play: Schedule, dead: Operator) -> None:
    """SIGKILL: what it has sent may arrive, and it hears nothing more. A person finds that, and takes the run up."""
    dead.dead = True
    play.judge.died.append(dead)
    play.note(f"-- {dead.run_id} is killed")
    here, ending = play.rng.random() < 0.5, play.rng.random() < 0.15
    wait = play.rng.uniform(0.5, PROVED_DEAD) if here else LEASE_SECONDS + play.rng.uniform(1, 30)
    play.awaited += 1
    play.at(play.now + wait, lambda: take_up(play, dead, here=here, ending=ending))


def take_up(play: Schedule, dead: Operator, *, here: bool, ending: bool) -> None:
    play.awaited -= 1
    lease = play.world.leases.get(dead.state.home)
    kept = lease.annotations.get(STATE_ANNOTATION) if lease is not None else None
    mine = lease is not None and lease.annotations.get(RUN_ANNOTATION) == dead.run_id
    record = from_record(kept) if kept is not None and mine else None
    if lease is None or record is None or lease.holder not in ("", dead.holder) or record.status.ended:
        play.judge.orphaned(dead, record)
        return
    rng = play.rng
    base, skew = (dead.base, dead.skew) if here else (rng.uniform(-1e5, 1e5), rng.uniform(-600, 600))
    ensembles = [e for e in play.ensembles if e.key in record.ensembles]
    heir = Operator(play, record.run_id, dead.plan, ensembles, base=base, skew=skew)
    heir.machine = dead.machine if here else dead.machine + 1
    heir.holder = f"ann@machine-{heir.machine} ({record.run_id}.{record.part + 1})"
    heir.state = restore(record, _circumstances(play, record, heir, here=here, ending=ending))
    heir.plan = heir.state.run.plan
    play.operators.append(heir)
    play.judge.taken_up(heir)
    play.note(f"-- {record.run_id} is taken up by {heir.holder}{' to be ended' if ending else ''}")
    heir.start()


def _circumstances(play: Schedule, record: Record, heir: Operator, *, here: bool, ending: bool) -> Circumstances:
    names = tuple(name for name in names_left(record) if name in play.world.nodes)
    facts = looked_at(play, Scope(play.ensembles, names, decide=True, select=True), heir)
    leases = play.world.leases.items()
    ours = {n: held.resource_version for n, held in leases if held.annotations.get(RUN_ANNOTATION) == record.run_id}
    fresh = plan(facts, names, record.options, facts.wall, heir.state.ensembles)
    return Circumstances(
        heir.state.ensembles,
        facts,
        unplanned(record.options, facts.wall) if ending else fresh,
        heir.holder,
        heir.clock,
        fate=_fate(play, record, heir),
        takes=ours,
        winding_up=ending,
        same_clock=here,
    )


def looked_at(play: Schedule, scope: Scope, heir: Operator) -> Facts:
    """What a survey on the heir's machine would have found had it been done in no time."""
    look = Look(play.world, scope, heir.base, heir.wall)
    for questions in look.rounds():
        for question in questions:
            look.answer(question)
    return look.facts


def _fate(play: Schedule, record: Record, heir: Operator) -> Callable[[str], Fate]:
    """From the journals of this machine, where they are those of who wrote the lease last."""
    there = [op for op in play.operators if op.machine == heir.machine and op.run_id == record.run_id]
    written: list[Event] = [event for op in there for event in op.journal]
    if last_holder(written) == record.who:
        return partial(fate_of, written)
    return lambda uid: Fate.UNKNOWN
