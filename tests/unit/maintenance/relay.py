"""Runs that are killed and taken up again: one operator's process dies, another goes on from what the Lease says."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.unit.maintenance.operators import Operator
from tests.unit.maintenance.promises import Judge
from tests.unit.maintenance.schedules import HOLDER, Faults, Schedule
from tests.unit.maintenance.surveying import Look, read
from tests.unit.maintenance.world import EPOCH, NAMESPACE, World
from zktui.core.kube import Lease
from zktui.maintenance.effects import Begin, Change, CordonNode, EvictPod, Input
from zktui.maintenance.facts import Facts
from zktui.maintenance.journal import Fate, fate_of, last_holder
from zktui.maintenance.machine import begin
from zktui.maintenance.model import STATE_ANNOTATION, Event, Hold, HoldKind, NodeStep, Options, PodStep
from zktui.maintenance.planning import plan
from zktui.maintenance.record import Record, from_record
from zktui.maintenance.resuming import Circumstances, names_left, restore, unplanned
from zktui.maintenance.survey import Scope

QUICK = Options(ignore_daemonsets=True, hold=Hold(HoldKind.SECONDS, 1.0), dwell=2.0)


def looked_at(world: World, scope: Scope, base: float, wall: float) -> Facts:
    """What a survey on a machine with these clocks would have found had it been done in no time."""
    look = Look(world, scope, base, wall)
    for questions in look.rounds():
        for question in questions:
            look.answer(question)
    return look.facts


def nobody_knows(uid: str) -> Fate:
    return Fate.UNKNOWN


class RelayJudge(Judge):
    """Of two that take a run up only one has it: the promises at the end are that one's."""

    def ended(self, op: Operator) -> None:
        lease = self.world.leases.get(NAMESPACE)
        if lease is None or lease.holder in ("", op.holder):
            super().ended(op)


class Runner(Operator):
    """An operator whose process may be killed, with what it sends last lost, or on its way for long."""

    play: Relay
    inputs: int = 0
    wire: str = ""
    """What becomes of the next change: "" it arrives as ever, "lost" never, "late" long after its sender's death."""

    def send(self, change: Change) -> None:
        self.play.posted(self, change)
        if not self.wire:
            super().send(change)
            return
        self.sent = change
        if self.wire == "late":
            self.play.at(self.play.world.now + self.play.late, lambda: self.acted(change))

    def acted(self, change: Change, *, half: bool = False) -> None:
        super().acted(change, half=half)
        self.play.arrived(change)


@dataclass
class Relay(Schedule):
    """Killed at the `kill_at`-th input. `here`: taken up on the same machine, with the journal, else on another one."""

    kill_at: int = 0
    wire: str = ""
    here: bool = True
    late: float = 20.0
    ending: bool = False
    """Taken up only to be ended."""
    names: tuple[str, ...] = ("node-1", "node-2")
    inputs: int = 0
    deaths: int = 1
    """How many operators die, one after another: each heir but the last some inputs later than the one before."""
    company: bool = False
    """Another ensemble in another namespace has members on the same nodes: there are two leases."""
    takers: int = 1
    """How many operators try to take the run up at the same time."""
    steps: list[tuple[int, NodeStep | None, frozenset[PodStep]]] = field(
        default_factory=list[tuple[int, NodeStep | None, frozenset[PodStep]]]
    )
    """Of the first operator: (input, step of the node at work, steps of its members)."""
    changed: list[int] = field(default_factory=list[int])
    """Inputs of the first operator after which it sent a cordon or an eviction."""
    awaited: int = 0
    """Deaths that nobody has taken up yet."""
    flying: dict[str, int] = field(default_factory=dict[str, int])
    """UID to evictions that were sent, and neither arrived nor were lost."""
    arrivals: dict[str, int] = field(default_factory=dict[str, int])
    """UID to evictions that the server has granted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.operators.clear()
        if self.company:
            World(self.rng, 3, beside=self.world, name="keeper", namespace="other", scatter=True)
        self.judge: Judge = RelayJudge(self.world)
        scope = Scope(self.ensembles, tuple(self.world.nodes), decide=True, select=True)
        made = plan(read(self.world, scope), self.names, self.options, EPOCH, self.ensembles)
        assert made.go and not made.unacknowledged, (made.stops, made.unacknowledged)
        first = Runner(self, "run-1", made, self.ensembles)
        first.state = begin("run-1", made, self.ensembles, HOLDER)
        first.holder = HOLDER
        self.operators.append(first)

    # -- what is watched beside the promises --

    def posted(self, operator: Runner, change: Change) -> None:
        if not isinstance(change, EvictPod):
            if isinstance(change, CordonNode) and operator is self.first:
                self.changed.append(self.inputs + 1)
            return
        uid = change.pod.uid
        if operator is self.first:
            self.changed.append(self.inputs + 1)
        assert not self.flying.get(uid), f"{change.pod.name} is evicted again while the first try may still arrive"
        assert not self.arrivals.get(uid), f"{change.pod.name} is evicted again after the server has granted it"
        if operator.wire == "late":
            self.flying[uid] = 1

    def arrived(self, change: Change) -> None:
        if isinstance(change, EvictPod):
            self.flying.pop(change.pod.uid, None)

    def deliver(self, operator: Operator, event: Input) -> None:
        before = len(self.world.evicted)
        if operator is self.first and not operator.dead and self.inputs + 1 == self.kill_at:
            assert isinstance(operator, Runner)
            operator.wire = self.wire
        super().deliver(operator, event)
        for key in self.world.evicted[before:]:
            self.arrivals[key.uid] = self.arrivals.get(key.uid, 0) + 1
        if operator is not self.first or operator.dead:
            self._die_again(operator)
            return
        self.inputs += 1
        node = operator.state.run.node
        members = frozenset(p.step for p in node.pods if p.member) if node is not None else frozenset[PodStep]()
        self.steps.append((self.inputs, node.step if node is not None else None, members))
        if self.inputs == self.kill_at and not operator.state.run.status.ended:
            self.kill(operator)

    def _die_again(self, heir: Operator) -> None:
        assert isinstance(heir, Runner)
        heir.inputs += 1
        dead = sum(op.dead for op in self.operators)
        if 0 < dead < self.deaths and heir.inputs == self.kill_at + 7 * dead and not heir.over:
            self.kill(heir)

    def kill(self, operator: Operator) -> None:
        """SIGKILL: what it has sent may arrive, and nothing is heard by it any more."""
        operator.dead = True
        self.note(f"-- {operator.run_id} is killed")
        self.awaited += 1
        self.at(self.now + (3.0 if self.here else 45.0), self.take_up)

    def play(self) -> Relay:
        """As ever, and on after a death."""
        self.at(self.horizon, self.abort)
        self.first.start()
        while self.heap and (self.awaited or not all(op.over for op in self.operators)):
            when, _, act = heapq.heappop(self.heap)
            self.now = max(self.now, when)
            self.world.advance(self.now)
            act()
        return self

    # -- taking up --

    def lease(self) -> Lease | None:
        return self.world.leases.get(NAMESPACE)

    def take_up(self) -> None:
        self.awaited -= 1
        for number in range(self.takers):
            self._take_up(number)

    def _take_up(self, number: int) -> None:
        lease = self.lease()
        if lease is None:
            # Killed before it had so much as a lease: nothing was changed, and there is nothing to take up.
            assert not any(n.unschedulable for n in self.world.nodes.values()) and not self.world.evicted
            return
        record = from_record(lease.annotations[STATE_ANNOTATION])
        rng = random.Random(self.seed + self.kill_at + number)
        base, skew = (0.0, 0.0) if self.here else (rng.uniform(-1e5, 1e5), rng.uniform(-600, 600))
        heir = Runner(self, record.run_id, self.first.plan, self.ensembles, base=base, skew=skew)
        heir.holder = f"bob@desk ({record.run_id}.{record.part + 1 + number})"
        heir.state = restore(record, self._circumstances(record, heir))
        heir.plan = heir.state.run.plan
        self.operators.append(heir)
        self.note(f"-- taken up by {heir.holder}")
        self.deliver(heir, Begin())

    def _circumstances(self, record: Record, heir: Operator) -> Circumstances:
        names = tuple(name for name in names_left(record) if name in self.world.nodes)
        scope = Scope(self.ensembles, names, decide=True, select=True)
        facts = looked_at(self.world, scope, heir.base, heir.wall)
        made = plan(facts, names, record.options, facts.wall, self.ensembles)
        return Circumstances(
            self.ensembles,
            facts,
            unplanned(record.options, facts.wall) if self.ending else made,
            heir.holder,
            heir.clock,
            fate=self._fate(record),
            takes={name: lease.resource_version for name, lease in self.world.leases.items()},
            winding_up=self.ending,
            same_clock=self.here,
        )

    def _fate(self, record: Record) -> Any:
        """From the journals of this machine, where they are those of who wrote the lease last."""
        written: list[Event] = [event for op in self.operators for event in op.journal]
        if self.here and last_holder(written) == record.who:
            return partial(fate_of, written)
        return nobody_knows

    # -- the end --

    def all_is_well(self) -> None:
        """Every node was done, nobody went twice, nothing is left behind."""
        last = self.operators[-1]
        if last.dead:
            return  # before it had so much as a lease: `take_up` has seen that nothing was changed
        assert last.state.run.status == "done", last.state.run.message
        cordoned = [node.name for node in self.world.nodes.values() if node.unschedulable]
        assert not cordoned, f"{cordoned} stay cordoned"
        assert all(count == 1 for count in self.arrivals.values()), self.arrivals
        gone = [node for node in last.state.run.nodes if node.step is not NodeStep.VERIFIED]
        assert not gone, gone


def relay(
    kill_at: int, *, wire: str = "", here: bool = True, seed: int = 11, faults: Faults | None = None, **given: Any
) -> Relay:
    made = Relay(seed, faults or Faults(), options=given.pop("options", QUICK), horizon=500, kill_at=kill_at, **given)
    made.wire, made.here = wire, here
    return made


def played(made: Relay) -> Relay:
    """Play it; a failure shows the last lines of the log."""
    try:
        made.play()
    except AssertionError as error:
        tail = "\n".join(made.log[-40:])
        where = f"kill_at={made.kill_at} wire={made.wire!r} here={made.here}"
        raise AssertionError(f"{where}: {error}\n{tail}") from error
    return made


__all__ = ["QUICK", "Relay", "Runner", "played", "relay", "replace"]
