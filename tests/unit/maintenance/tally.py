"""What schedules have reached: steps with inputs, replies, gates, journal lines, ends. What is missing is told by name.

A generator that never brings a run into a state proves nothing about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zktui.core.ports import Answer, Refused, Reply
from zktui.maintenance.effects import CordonNode, EvictPod, Input, Replied, Told
from zktui.maintenance.model import CommandKind, GateName, NodeStep, PodStep, RunStatus, Standing
from zktui.maintenance.replies import Outcome, judge_reply
from zktui.maintenance.state import State

if TYPE_CHECKING:
    from tests.unit.maintenance.operators import Operator

Reached = tuple[str, ...]
WORKING = (
    NodeStep.CLAIM,
    NodeStep.CORDON,
    NodeStep.DRAIN,
    NodeStep.DRAINED,
    NodeStep.HOLD,
    NodeStep.UNCORDON,
    NodeStep.REJOIN,
)
"""Steps in which a run waits or works, so that anything may come in between."""


@dataclass
class Tally:
    seen: Counter[Reached] = field(default_factory=Counter[Reached])
    ends: Counter[RunStatus] = field(default_factory=Counter[RunStatus])

    def step(self, op: Operator, before: State, event: Input) -> None:
        """After each step of a machine."""
        node = before.run.node
        at = node.step.value if node is not None else "over"
        self.seen["input", at, _name(event)] += 1
        if isinstance(event, Replied):
            self._reply(event)
        run = op.state.run
        if run is not before.run:
            self._steps(before, op.state)
        if run.status.ended and not before.run.status.ended:
            self.ends[run.status] += 1

    def _reply(self, replied: Replied) -> None:
        change, reply = replied.change, replied.reply
        if isinstance(change, EvictPod):
            self.seen["evicted", judge_reply(reply, 1).outcome.value] += 1  # pyright: ignore[reportArgumentType]  # as its change is
        elif isinstance(change, CordonNode):
            verb = "cordoned" if change.unschedulable else "uncordoned"
            told = str(reply.code) if isinstance(reply, Refused) else _told(reply)
            self.seen[verb, told] += 1

    def _steps(self, before: State, after: State) -> None:
        old = {n.name: n for n in before.run.nodes}
        for node in after.run.nodes:
            was = old.get(node.name)
            if was is None or was is node:
                continue
            if was.step is not node.step:
                self.seen["node", was.step.value, node.step.value] += 1
            steps = {p.pod.uid: p for p in was.pods}
            for pod in node.pods:
                earlier = steps.get(pod.pod.uid)
                if earlier is not None and earlier.step is not pod.step:
                    self.seen["pod", earlier.step.value, pod.step.value] += 1
                for gate in pod.gates if earlier is None or earlier.gates is not pod.gates else ():
                    self.seen["gate", gate.name.value, gate.standing.value] += 1
                    if gate.overridden:
                        self.seen["overridden", gate.name.value] += 1

    def add(self, other: Tally) -> None:
        self.seen.update(other.seen)
        self.ends.update(other.ends)

    def missing(self) -> list[Reached]:
        """What must be reached, and was not."""
        return [wanted for wanted in required() if wanted not in self.seen]


def _name(event: Input) -> str:
    match event:
        case Told(command):
            return command.kind.value
        case Replied(change, reply):
            return f"{type(change).__name__} {_told(reply)}"
        case _:
            return type(event).__name__.lower()


def _told(reply: Reply[Any]) -> str:
    return "done" if isinstance(reply, Answer) else "refused" if isinstance(reply, Refused) else "unanswered"


def required() -> Iterable[Reached]:
    """Every command and every kind of reading in every step that lasts; every reply, gate, step and end."""
    for step in WORKING:
        for command in CommandKind:
            yield "input", step.value, command.value
        yield "input", step.value, "surveyed"
        yield "input", step.value, "unrecorded"
        yield from (("input", step.value, f"UpdateLease {told}") for told in ("done", "refused", "unanswered"))
    for outcome in Outcome:
        yield "evicted", outcome.value
    for told in ("done", "unanswered", "403", "404", "409", "429", "500"):
        yield "cordoned", told
        yield "uncordoned", told
    for gate in GateName:
        yield from (("gate", gate.value, standing.value) for standing in Standing)
        yield "overridden", gate.value
    yield from _transitions()


def _transitions() -> Iterable[Reached]:
    for old, new in (
        (NodeStep.PENDING, NodeStep.CLAIM),
        (NodeStep.CLAIM, NodeStep.CORDON),
        (NodeStep.CLAIM, NodeStep.DRAIN),
        (NodeStep.CLAIM, NodeStep.SKIPPED),
        (NodeStep.CORDON, NodeStep.CLAIM),
        (NodeStep.CORDON, NodeStep.DRAIN),
        (NodeStep.DRAIN, NodeStep.CLAIM),
        (NodeStep.DRAIN, NodeStep.DRAINED),
        (NodeStep.DRAINED, NodeStep.HOLD),
        (NodeStep.DRAINED, NodeStep.LEFT_CORDONED),
        (NodeStep.HOLD, NodeStep.UNCORDON),
        (NodeStep.UNCORDON, NodeStep.REJOIN),
        (NodeStep.REJOIN, NodeStep.VERIFIED),
        (NodeStep.REJOIN, NodeStep.SKIPPED),
        *((step, NodeStep.STOPPED) for step in WORKING),
    ):
        yield "node", old.value, new.value
    for was, now in (
        (PodStep.PENDING, PodStep.GATE),
        (PodStep.PENDING, PodStep.LEAVING),
        (PodStep.PENDING, PodStep.SKIPPED),
        (PodStep.GATE, PodStep.EVICT),
        (PodStep.GATE, PodStep.GONE),
        (PodStep.GATE, PodStep.LEAVING),
        (PodStep.EVICT, PodStep.GATE),
        (PodStep.EVICT, PodStep.LEAVING),
        (PodStep.EVICT, PodStep.GONE),
        (PodStep.LEAVING, PodStep.GONE),
        (PodStep.LEAVING, PodStep.SKIPPED),
        (PodStep.GONE, PodStep.PLACED),
        (PodStep.GONE, PodStep.WAITS),
        (PodStep.WAITS, PodStep.PLACED),
        (PodStep.PLACED, PodStep.REJOINED),
        (PodStep.PLACED, PodStep.GONE),
    ):
        yield "pod", was.value, now.value
