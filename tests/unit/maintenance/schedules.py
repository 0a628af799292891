"""Random schedules: machines driven straight from a heap, with no asyncio, against the simulated cluster.

One seed is one schedule. Every promise of a run is judged as it goes (promises.py); a broken one raises AssertionError.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from tests.unit.maintenance.mishaps import AIMED, MISHAPS, aim, attend
from tests.unit.maintenance.operators import Operator
from tests.unit.maintenance.promises import Judge
from tests.unit.maintenance.surveying import read
from tests.unit.maintenance.tally import WORKING
from tests.unit.maintenance.world import EPOCH, World
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.effects import Input
from zktui.maintenance.model import CommandKind, Hold, HoldKind, NodeStep, Options, Plan
from zktui.maintenance.planning import plan
from zktui.maintenance.state import State
from zktui.maintenance.survey import Scope

__all__ = ["HOLDER", "Faults", "Schedule", "read"]

HOLDER = "ann@laptop (run-1)"
QUICK = Options(ignore_daemonsets=True, hold=Hold(HoldKind.SECONDS, 1.0), dwell=2.0)
LAST_WORDS = 200.0
"""Seconds in which a run must come to its end once it was aborted, its process stopped or not."""


@dataclass
class Faults:
    """How often what goes wrong, as probabilities; `events` is how many things happen to the cluster and the run."""

    refuse: float = 0.0
    lose: float = 0.0
    slow: float = 0.0
    unread: float = 0.0
    journal: float = 0.0
    events: int = 0
    aims: int = 0
    """How many things happen at a certain step, whenever that is."""
    rival: float = 0.0
    """A second operator comes along."""
    kinds: tuple[str, ...] = (*MISHAPS, *["roll"] * 3, *["override"] * 4)


@dataclass
class Schedule:
    """Runs from Begin to their end, or to the horizon and then an abort. `varied`: any ensemble, with any options."""

    seed: int
    faults: Faults = field(default_factory=Faults)
    nodes: int = 2
    horizon: float = 90.0
    options: Options = QUICK
    replicas: int = 3
    ordered: bool | None = None
    spare: int = 1
    """Nodes without a member."""
    varied: bool = False
    log: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = 0
        self.now = 0.0
        self.operators: list[Operator] = []
        self.aims: list[tuple[NodeStep, str]] = []
        self.awaited = 0
        """Killed runs that somebody is still to take up."""
        self.refused = ""
        """Why there is nothing to play: the review says stop."""
        ordered = self.rng.random() < 0.5 if self.ordered is None else self.ordered
        self.world = (
            self.any_world() if self.varied else World(self.rng, self.replicas, ordered=ordered, spare=self.spare)
        )
        self.judge = Judge(self.world)
        if self.varied:
            self.options = self.any_options()
        self.join("run-1")

    @property
    def worlds(self) -> list[World]:
        return [self.world, *self.world.company]

    @property
    def ensembles(self) -> tuple[Ensemble, ...]:
        return tuple(w.ensemble() for w in self.worlds)

    # -- for a test that plays one situation --

    @property
    def first(self) -> Operator:
        return self.operators[0]

    @property
    def state(self) -> State:
        return self.first.state

    @state.setter
    def state(self, state: State) -> None:
        self.first.state = state

    @property
    def plan(self) -> Plan:
        return self.first.plan

    @plan.setter
    def plan(self, made: Plan) -> None:
        self.first.plan = made

    # -- who plays --

    def any_world(self) -> World:
        """An ensemble of any size and shape, and sometimes another one beside it."""
        rng = self.rng
        replicas, observers = rng.choice(((3, 0), (3, 0), (3, 0), (4, 1), (5, 0), (5, 0), (6, 1), (2, 0), (1, 0)))
        first = World(
            rng,
            replicas,
            observers,
            ordered=rng.random() < 0.5,
            spare=rng.choice((0, 1, 1, 2)),
            scatter=rng.random() < 0.7,
            tied=rng.random() < 0.2,
            respawn=rng.random() < 0.5,
            scratch=rng.random() < 0.1,
            lag=rng.choice((0.0, 0.0, 1.1)),
            unhealthy_policy=rng.choice(("IfHealthyBudget", "IfHealthyBudget", "AlwaysAllow")),
            budget_count=0 if rng.random() < 0.1 else 1,
            strategy="OnDelete" if rng.random() < 0.35 else "RollingUpdate",
            partition=rng.choice((0, 0, 0, 1)),
            outside=1 if rng.random() < 0.05 else 0,
            mntr=rng.random() < 0.3,
            apart=rng.random() < 0.5,
            web_budget=rng.choice((None, None, 1)),
            web_kind=rng.choice(("ReplicaSet", "ReplicaSet", "StatefulSet")),
        )
        if not first.ordered:
            first.ready_is_serving = rng.random() < 0.6
        if rng.random() < 0.25 and len(first.nodes) >= 3:
            namespace = rng.choice(("default", "other"))
            World(rng, 3, ordered=rng.random() < 0.5, beside=first, name="keeper", namespace=namespace, scatter=True)
        return first

    def any_options(self) -> Options:
        rng = self.rng
        hold = rng.choice(
            (Hold(HoldKind.SECONDS, 1.0), Hold(HoldKind.SECONDS, 0.0), Hold(HoldKind.ASK), Hold(HoldKind.LEAVE))
        )
        return Options(
            ignore_daemonsets=True,
            delete_emptydir_data=True,
            accept_outage=True,
            hold=hold,
            dwell=rng.choice((None, 1.0, 6.0, 9.0)),
            timeout=rng.choice((0.0, 0.0, 15.0, 40.0)),
            grace_period=rng.choice((None, None, 1)),
            skip_wait_for_delete_timeout=rng.choice((0, 0, 3)),
            spare=rng.choice((None, None, 0)),
            cordon_ahead=rng.random() < 0.6,
            keep_node=rng.random() < 0.3,
            pod_selector="app!=web" if rng.random() < 0.05 else "",
        )

    def join(self, run_id: str, *, base: float = 0.0, skew: float = 0.0) -> Operator | None:
        """One more operator, with the plan that a review makes now; None when that says stop."""
        options, count = self.options, min(self.nodes, len(self.world.nodes))
        if options.hold.kind is HoldKind.LEAVE:
            count = min(1, count)
        names = self.pick(count)
        scope = Scope(self.ensembles, tuple(self.world.nodes), decide=True, select=True)
        facts = read(self.world, scope)
        made = plan(facts, names, options, EPOCH, self.ensembles)
        accepted = frozenset(finding.code for finding in made.unacknowledged)
        if accepted:
            made = plan(facts, names, replace(options, acknowledged=accepted), EPOCH, self.ensembles)
        if not made.go:
            self.refused = made.stops[0].text
            return None
        mine = [e for e in self.ensembles if e.key in made.ensembles]
        joined = Operator(self, run_id, made, mine, base=base, skew=skew)
        self.operators.append(joined)
        return joined

    def pick(self, count: int) -> list[str]:
        """The nodes that an operator asks for."""
        return self.rng.sample(sorted(self.world.nodes), count)

    def aimed(self) -> list[tuple[NodeStep, str]]:
        """What is to happen at which step: one seed after another, all of them in turn."""
        targets = [(step, kind) for step in WORKING for kind in AIMED]
        first = self.seed * self.faults.aims
        return [targets[(first + n) % len(targets)] for n in range(self.faults.aims)]

    def rival(self, tries: int = 8) -> None:
        """A second operator, on another machine; if the review says stop, it is asked again later."""
        rng = self.rng
        joined = self.join(f"run-{len(self.operators) + 1}", base=rng.uniform(-1e5, 1e5), skew=rng.uniform(-90, 90))
        if joined is not None:
            joined.start()
        elif tries:
            self.at(self.now + rng.uniform(2, 6), lambda: self.rival(tries - 1))

    # -- the play --

    def at(self, when: float, act: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.heap, (when, self.serial, act))

    def play(self) -> Self:
        """Raises AssertionError when a promise is broken."""
        if not self.operators:
            return self
        for _ in range(self.faults.events):
            kind = self.rng.choice(self.faults.kinds)
            self.at(self.rng.uniform(0, self.horizon * 0.6), lambda k=kind: self.happen(k))
        self.aims = self.aimed()
        if self.rng.random() < self.faults.rival:
            self.at(self.rng.uniform(0, self.horizon * 0.4), self.rival)
        self.first.start()
        while self.heap and (self.awaited or not all(op.over for op in self.operators)):
            when, _, act = heapq.heappop(self.heap)
            self.now = max(self.now, when)
            self.world.advance(self.now)
            act()
            if self.now > self.horizon:
                self.abort()
            assert self.now < self.horizon + LAST_WORDS, f"no end: {self.state.run.message}"
        unfinished = [op.state.run.message for op in self.operators if not op.over]
        assert not unfinished, unfinished
        return self

    def abort(self) -> None:
        for op in self.operators:
            if not op.over and not op.ending:
                op.ending = True
                op.later(self.now, lambda op=op: op.tell(CommandKind.ABORT))

    def deliver(self, operator: Operator, event: Input) -> None:
        """One input to one operator, unless it is over."""
        if operator.over:
            return
        operator.take(event)
        if operator.state.run.status.ended:
            self.judge.ended(operator)
        elif self.varied:
            attend(self, operator)
            aim(self, operator)

    def happen(self, kind: str) -> None:
        self.note(f"-- {kind}")
        MISHAPS[kind](self)

    def note(self, text: str) -> None:
        self.log.append(f"{self.now:8.2f} {text}")

    def lose_node(self, name: str, *, replaced: bool) -> None:
        self.judge.bared[name] = self.now
        self.world.lose_node(name, replaced=replaced)

    def steal(self) -> None:
        """Another operator takes a lease by force."""
        held = [n for n, lease in self.world.leases.items() if lease.holder]
        if held:
            namespace = self.rng.choice(held)
            old = self.world.leases[namespace]
            self.judge.robbed[namespace] = self.now
            self.world.leases[namespace] = replace(old, holder="bob", resource_version=f"{old.resource_version}x")
