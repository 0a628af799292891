"""One operator in a random schedule: a machine of the engine's, with clocks, a journal and a wire of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from tests.unit.maintenance.promises import LEASE, Judge
from tests.unit.maintenance.surveying import SILENCE, Look, Question
from tests.unit.maintenance.world import EPOCH, World
from zktui.core.kube import PodKey
from zktui.core.ports import Answer, Cause, Refused, Reply, Unanswered
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.effects import (
    AnnotateNode,
    Begin,
    Change,
    CordonNode,
    CreateLease,
    Effect,
    EvictPod,
    Input,
    Record,
    Replied,
    Survey,
    Surveyed,
    Told,
    Unrecorded,
    UpdateLease,
    Wake,
    Woken,
)
from zktui.maintenance.machine import begin, step
from zktui.maintenance.model import Action, ActionKind, Command, CommandKind, Event, GateName, Plan
from zktui.maintenance.state import State


class Play(Protocol):
    """What an operator needs of the schedule that it is in."""

    rng: random.Random
    world: World
    judge: Judge

    @property
    def faults(self) -> Any: ...
    def at(self, when: float, act: Callable[[], None]) -> None: ...
    def deliver(self, operator: Operator, event: Input) -> None: ...
    def note(self, text: str) -> None: ...


class Operator:
    """Carries out what its machine asks for; every promise is judged as it goes.

    `base` is how far its monotonic clock is ahead of the world's, `skew` how far its wall clock is.
    """

    def __init__(
        self,
        play: Play,
        run_id: str,
        plan: Plan,
        ensembles: Sequence[Ensemble],
        *,
        base: float = 0.0,
        skew: float = 0.0,
    ) -> None:
        self.play = play
        self.plan = plan
        self.holder = f"ann@laptop ({run_id})"
        self.base, self.skew = base, skew
        self.state: State = begin(run_id, plan, ensembles, self.holder)
        self.journal: list[Event] = []
        self.stopped_until = float("-inf")
        """Its process stands still (SIGSTOP, a laptop's lid) until then."""
        self.disk_full = False
        self.on_wire: set[str] = set()
        """UIDs of pods whose eviction it has sent and that may still reach the server."""
        self.dead = False
        self.machine = 0
        """Where it runs, and where its journal is."""
        self.ending = False
        """A person has told it to come to its end."""
        self.attended = False
        """A person is about to resume it."""
        self.released: set[str] = set()
        """Nodes that a person is about to give back."""
        self.release_failed = False
        """Its last word to a lease may not have been heard."""
        self.awake: object = None
        self.sent: Change | None = None
        """The change that has not been answered to it yet."""

    @property
    def run_id(self) -> str:
        return self.state.run.id

    @property
    def clock(self) -> float:
        """Monotonic, its own."""
        return self.play.world.now + self.base

    @property
    def wall(self) -> float:
        return EPOCH + self.play.world.now + self.skew

    @property
    def over(self) -> bool:
        return self.dead or self.state.run.status.ended

    # -- inputs --

    def start(self) -> None:
        self.play.deliver(self, Begin())

    def tell(self, kind: CommandKind, **fields: Any) -> None:
        self.play.deliver(self, Told(Command(kind, **fields)))

    def later(self, when: float, act: Callable[[], None]) -> None:
        """Something that reaches its process: never while that stands still, and never once it is dead."""

        def reach() -> None:
            if self.dead:
                return
            if self.play.world.now < self.stopped_until:
                self.play.at(self.stopped_until, reach)
            else:
                act()

        self.play.at(when, reach)

    def take(self, event: Input) -> None:
        """One input, and what it asks for, in its order."""
        before = self.state
        self.state, effects = step(before, event, self.clock)
        if self.play.rng.random() < 0.01:
            assert step(before, event, self.clock) == (self.state, effects), "the machine is not pure"
        self.play.judge.stepped(self, before, event)
        record: Record | None = None
        for effect in effects:
            if isinstance(effect, Record):
                if not self._append(effect.event):
                    self.release_failed = True
                    self.take(Unrecorded("The disk is full."))
                    return
                record = effect
            else:
                self._carry_out(effect, record)
                record = None
        self.play.judge.goes_on(self)

    def _append(self, event: Event) -> bool:
        self.play.note(f"{self.run_id} {event.kind:9} {event.text}")
        if self.disk_full or self.play.rng.random() < self.play.faults.journal:
            return False
        self.journal.append(event)
        return True

    def _carry_out(self, effect: Effect, record: Record | None) -> None:
        match effect:
            case Record():
                pass
            case Wake(at):
                token = self.awake = object()
                self.later(at - self.base, lambda: self._wake(token))
            case Survey():
                self._survey(Look(self.play.world, effect.scope, self.base, self.wall))
            case _:
                self.play.judge.before(self, effect, record)
                self.send(effect)

    def _wake(self, token: object) -> None:
        if self.awake is token:
            self.awake = None
            self.play.deliver(self, Woken())

    # -- reading --

    def _survey(self, look: Look) -> None:
        rounds = look.rounds()
        self._round(look, next(rounds), lambda: self._next_round(look, rounds))

    def _next_round(self, look: Look, rounds: Any) -> None:
        questions = next(rounds, None)
        if questions is None:
            self.play.deliver(self, Surveyed(look.facts))
        else:
            self._round(look, questions, lambda: self._next_round(look, rounds))

    def _round(self, look: Look, questions: list[Question], done: Callable[[], None]) -> None:
        """All at once; the round is over when the slowest has been answered."""
        rng, now = self.play.rng, self.play.world.now
        slow = rng.random() < self.play.faults.slow
        last = now
        for question in questions:
            took = rng.uniform(0.005, 0.1)
            if slow and rng.random() < 0.3:
                took = rng.choice((rng.uniform(0.3, 3.5), rng.uniform(0.3, 12)))
            fault = self._misread(question)
            if fault is None and question.silent():
                took = SILENCE
            # The server sees to it whether or not the asker's process stands still meanwhile.
            self.play.at(now + took * rng.random(), lambda q=question, f=fault: look.answer(q, f))
            last = max(last, now + took)
        self.later(last, done)

    def _misread(self, question: Question) -> Reply[Any] | None:
        rng = self.play.rng
        if rng.random() >= self.play.faults.unread:
            return None
        if question.name in ("poll", "sync", "config"):
            return Unanswered("connection reset", 0.0)
        return rng.choice(
            (
                Unanswered("timed out", 0.0),
                Unanswered("connection refused", 0.0, sent=False),
                Refused(500, "InternalError", "etcdserver: request timed out", 0.0),
                Refused(503, "ServiceUnavailable", "apiserver is shutting down", 0.0),
                Refused(429, "TooManyRequests", "too many requests", 0.0, retry_after=1.0),
                Refused(401, "Unauthorized", "Unauthorized", 0.0),
                Refused(403, "Forbidden", f"cannot list {question.name}", 0.0),
            )
        )

    # -- changing --

    def send(self, change: Change) -> None:
        """On the wire to the server and back, as far as the faults let it."""
        rng, faults, now = self.play.rng, self.play.faults, self.play.world.now
        self.sent = change
        if isinstance(change, EvictPod):
            self.on_wire.add(change.pod.uid)
        there = rng.uniform(0.3, 2) if rng.random() < faults.slow else rng.uniform(0.005, 0.1)
        back = there + (rng.uniform(0.3, 2) if rng.random() < faults.slow else rng.uniform(0.005, 0.1))
        chance = rng.random()
        if chance < faults.refuse:
            self._never_arrives(change)
            self._answer(now + back, change, self.refusal(change))
        elif chance < faults.refuse + faults.lose:
            self._lose(change, there, back)
        else:
            asked = self.clock
            self.play.at(now + there, lambda: self._answer(now + back, change, replace(self.act(change), at=asked)))

    def _lose(self, change: Change, there: float, back: float) -> None:
        """Before the server acted, after it, or long before: the request still arrives when nobody waits any more."""
        rng, now = self.play.rng, self.play.world.now
        words = rng.choice(("timed out", "connection reset"))
        match rng.randrange(6):
            case 0:
                self._never_arrives(change)
                self._answer(now + back, change, Unanswered("connection refused", 0.0, sent=False))
            case 1:
                self._never_arrives(change)
                self._answer(now + back, change, Unanswered(words, 0.0))
            case 2 | 3:
                self.play.at(now + there, lambda: self.acted(change))
                self._answer(now + back, change, Unanswered(words, 0.0))
            case 4:
                self._answer(now + back, change, Unanswered(words, 0.0))
                self.play.at(now + back + rng.uniform(0.05, 1.5), lambda: self.acted(change))
            case _:
                # A gateway gives up; the server behind it does not, or a server dies with its work half done.
                self.play.at(now + there, lambda: self.acted(change, half=rng.random() < 0.3))
                code = rng.choice((500, 503, 504))
                self._answer(now + back, change, Refused(code, "Timeout", "upstream request timeout", 0.0))

    def _never_arrives(self, change: Change) -> None:
        if isinstance(change, EvictPod):
            self.on_wire.discard(change.pod.uid)

    def acted(self, change: Change, *, half: bool = False) -> None:
        """The server does it, and its answer reaches nobody."""
        if half and isinstance(change, EvictPod):
            self._never_arrives(change)
            self.play.world.evict(change.pod, half=True)
        else:
            self.act(change)

    def _answer(self, when: float, change: Change, reply: Reply[Any]) -> None:
        # As old as its request, by the asker's clock.
        told = replace(reply, at=reply.at or self.clock)
        self.later(when, lambda: self._replied(change, told))

    def _replied(self, change: Change, reply: Reply[Any]) -> None:
        self.sent = None
        barred = isinstance(change, LEASE) and isinstance(reply, Refused) and reply.code in (401, 403)
        if barred or (isinstance(change, UpdateLease) and not change.lease.holder and not isinstance(reply, Answer)):
            self.release_failed = True
        self.play.judge.answered(self, change, reply)
        self.play.deliver(self, Replied(change, reply))

    def refusal(self, change: Change) -> Refused:
        rng = self.play.rng
        choices = [
            Refused(500, "InternalError", "etcdserver: leader changed", 0.0),
            Refused(503, "ServiceUnavailable", "apiserver is shutting down", 0.0),
            Refused(429, "TooManyRequests", "too many requests", 0.0, retry_after=1.0),
            Refused(429, "TooManyRequests", "too many requests", 0.0),
        ]
        if isinstance(change, EvictPod):
            webhook = 'admission webhook "keeper.example" denied the request: not now'
            closed = "Cannot evict pod as it would violate the pod's disruption budget."
            two = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
            choices += [
                Refused(403, "Forbidden", webhook, 0.0),
                Refused(400, "BadRequest", webhook, 0.0),
                Refused(403, "Forbidden", "forbidden", 0.0, (Cause("NamespaceTerminating", "is being terminated"),)),
                Refused(409, "Conflict", "the object has been modified", 0.0),
                Refused(429, "TooManyRequests", closed, 0.0, (Cause("DisruptionBudget", "is still processed"),), 10.0),
                Refused(500, "InternalError", two, 0.0),
                Refused(404, "NotFound", f'pods "{change.pod.name}" not found', 0.0),
                Refused(422, "Invalid", "is invalid", 0.0),
            ]
        else:
            choices += [Refused(409, "Conflict", "the object has been modified", 0.0)] * 2
            choices += [Refused(404, "NotFound", "not found", 0.0)]
        if rng.random() < (0.15 if isinstance(change, CordonNode) else 0.06):
            verb = "create" if isinstance(change, EvictPod | CreateLease) else "patch"
            choices = [
                Refused(403, "Forbidden", f"cannot {verb} resource", 0.0),
                Refused(401, "Unauthorized", "Unauthorized", 0.0),
            ]
        return rng.choice(choices)

    def act(self, change: Change) -> Reply[Any]:
        """The server carries it out now."""
        world = self.play.world
        before = len(world.evicted)
        self._never_arrives(change)  # again
        match change:
            case EvictPod(pod):
                reply: Reply[Any] = world.evict(pod)
            case CordonNode(node, flag, annotations):
                reply = world.cordon(node, flag, annotations)
            case AnnotateNode(node, annotations):
                reply = world.annotate(node, annotations)
            case CreateLease(lease):
                reply = world.put_lease(lease, create=True)
            case UpdateLease(lease):
                reply = world.put_lease(lease, create=False)
            case _:
                reply = world.mend(change)
        if isinstance(reply, Answer) and not (isinstance(change, EvictPod) and len(world.evicted) == before):
            self.play.judge.done(self, change)
        return reply

    # -- what a person does --

    def offers(self) -> list[Action]:
        """What the gates and the findings of this run offer to do, uncordons and overrides aside."""
        gates = [gate.action for node in self.state.run.nodes for pod in node.pods for gate in pod.gates]
        findings = [finding.action for finding in self.plan.every_finding()]
        mends = (ActionKind.CREATE_BUDGET, ActionKind.OUT_OF_SERVICE, ActionKind.DISCARD_MEMBER)
        return [action for action in (*gates, *findings) if action is not None and action.kind in mends]

    def before_gate(self, name: GateName) -> PodKey | None:
        """The member that waits before this gate."""
        node = self.state.run.node
        for pod in node.pods if node is not None else ():
            if pod.member and any(gate.name is name and not gate.open for gate in pod.gates):
                return pod.pod
        return None
