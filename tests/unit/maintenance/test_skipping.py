"""The operator leaves a node as it is: nothing more is evicted, and what this run cordoned is given back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.unit.maintenance.operators import Operator
from tests.unit.maintenance.relay import QUICK, Relay, played
from zktui.maintenance.effects import CordonNode, EvictPod, Input
from zktui.maintenance.model import CommandKind, NodeStep, PodStep, RunStatus


@dataclass
class Skipping(Relay):
    """A run in which the operator says skip, once, when `when` is true of it."""

    when: Callable[[Skipping], bool] = lambda _: False
    kind: CommandKind = CommandKind.SKIP
    said: list[str] = field(default_factory=list[str])

    def deliver(self, operator: Operator, event: Input) -> None:
        super().deliver(operator, event)
        if operator is self.first and not self.said and not operator.over and self.when(self):
            self.said.append("skip")
            operator.tell(self.kind)
            self.said.append(operator.state.run.message)

    @property
    def step(self) -> NodeStep | None:
        node = self.state.run.node
        return node.step if node is not None else None

    def evicted(self) -> list[str]:
        return [key.name for key in self.world.evicted]


def skipped(when: Callable[[Skipping], bool], **given: object) -> Skipping:
    made = Skipping(11, options=QUICK, horizon=500, **given)  # pyright: ignore[reportArgumentType]  # fields by name
    made.when = when
    played(made)
    assert made.said, "nothing was skipped"
    return made


def at(step: NodeStep, node: str = "node-1") -> Callable[[Skipping], bool]:
    def there(made: Skipping) -> bool:
        now = made.state.run.node
        return now is not None and now.name == node and now.step is step

    return there


def evicting(name: str) -> Callable[[Skipping], bool]:
    return lambda s: isinstance(s.state.busy, EvictPod) and s.state.busy.pod.name == name


def ended_well(made: Skipping) -> None:
    """Nothing is left behind, and the second node was done as ever."""
    run = made.state.run
    assert run.status is RunStatus.DONE, run.message
    assert not [n.name for n in made.world.nodes.values() if n.unschedulable]
    assert [n.step for n in run.nodes] == [NodeStep.SKIPPED, NodeStep.VERIFIED]
    told = f"Done: every node of the plan but {run.nodes[0].name}, skipped. Nothing is left cordoned"
    assert run.message.startswith(told), run.message
    assert made.world.quorum() and len(made.world.members()) == 3


@pytest.mark.parametrize("step", [NodeStep.PENDING, NodeStep.CLAIM])
def test_not_begun_it_is_passed_over(step: NodeStep) -> None:
    made = skipped(at(step))
    ended_well(made)
    assert "zk-0" not in made.evicted() and "web-1" not in made.evicted()
    assert not any("cordon node-1" in line for line in made.log)


def test_while_it_is_cordoned_it_is_uncordoned_at_once() -> None:
    made = skipped(lambda s: isinstance(s.state.busy, CordonNode))
    ended_well(made)
    assert "web-1" not in made.evicted()
    assert any("uncordon node-1" in line for line in made.log)


def test_in_mid_drain_nothing_more_goes_and_who_is_on_the_way_is_awaited() -> None:
    """web-1 has gone, zk-0 has not."""
    made = skipped(lambda s: at(NodeStep.DRAIN)(s) and "web-1" in s.evicted())
    ended_well(made)
    assert made.evicted() == ["web-1", "web-2", "zk-1"]
    zk0 = next(p for p in made.state.run.nodes[0].pods if p.pod.name == "zk-0")
    assert zk0.step is PodStep.SKIPPED


def test_an_eviction_that_was_sent_is_found_out_first() -> None:
    made = skipped(evicting("zk-0"))
    ended_well(made)
    assert made.evicted().count("zk-0") == 1
    uncordoned = next(i for i, line in enumerate(made.log) if "uncordon node-1" in line)
    rejoined = next(i for i, line in enumerate(made.log) if "zk-0 is Ready" in line)
    next_node = next(i for i, line in enumerate(made.log) if "node-2 is next" in line)
    assert uncordoned < rejoined < next_node, "it is given back, its member is awaited, then the next one's turn comes"


def test_in_hold_it_is_what_uncordon_is() -> None:
    made = skipped(at(NodeStep.HOLD))
    ended_well(made)
    assert "zk-0" in made.evicted()


@pytest.mark.parametrize("step", [NodeStep.UNCORDON, NodeStep.REJOIN])
def test_what_is_being_given_back_is_not_skipped_again(step: NodeStep) -> None:
    made = skipped(at(step), spare=0)
    assert made.said[1] == "node-1 is being given back already"
    assert [n.step for n in made.state.run.nodes] == [NodeStep.VERIFIED, NodeStep.VERIFIED]


def test_it_is_acknowledged_at_once() -> None:
    made = skipped(at(NodeStep.DRAIN))
    assert made.said[1] == "Skipping node-1: nothing more is evicted, and it is uncordoned"


def test_the_last_node_skipped_ends_the_run() -> None:
    made = skipped(at(NodeStep.CLAIM, "node-2"))
    assert made.state.run.status is RunStatus.DONE
    assert [n.step for n in made.state.run.nodes] == [NodeStep.VERIFIED, NodeStep.SKIPPED]


def test_a_paused_run_skips_once_it_goes_on() -> None:
    made = Skipping(11, options=QUICK, horizon=500)
    told: list[str] = []

    def orders(s: Skipping) -> bool:
        if at(NodeStep.DRAIN)(s) and not told:
            told.append("pause")
            s.first.tell(CommandKind.PAUSE)
            s.first.tell(CommandKind.SKIP)
            told.append(s.state.run.message)
            s.at(s.now + 5, lambda: s.first.tell(CommandKind.RESUME))
        return False

    made.when = orders
    played(made)
    ended_well(made)
    assert told[1].startswith("Skipping node-1 once the run is resumed")
    paused_at = next(float(line.split()[0]) for line in made.log if "pauses the run" in line)
    uncordoned = next(float(line.split()[0]) for line in made.log if " uncordon  uncordon node-1" in line)
    assert uncordoned - paused_at >= 5, "nothing is changed while paused"


def test_killed_while_a_node_is_skipped_its_heir_goes_on_skipping() -> None:
    """The lease says that it was skipped."""
    asked = skipped(at(NodeStep.DRAIN))
    number = asked.inputs
    for kill_at in range(12, number, 5):
        made = Skipping(11, options=QUICK, horizon=500, kill_at=kill_at)
        made.when = at(NodeStep.DRAIN)
        played(made)
        last = made.operators[-1]
        assert last.state.run.status is RunStatus.DONE, last.state.run.message
        assert not [n.name for n in made.world.nodes.values() if n.unschedulable]


def test_a_note_is_kept_and_told() -> None:
    made = Skipping(11, options=QUICK, horizon=500)
    done: list[bool] = []

    def orders(s: Skipping) -> bool:
        if at(NodeStep.HOLD)(s) and not done:
            done.append(True)
            s.first.tell(CommandKind.NOTE, text="the fan is loud\x1b[2J")
            assert s.state.run.note == "the fan is loud\x1b[2J"
        return False

    made.when = orders
    played(made)
    (event,) = [e for e in made.first.journal if e.data.get("note")]
    assert event.kind == "note" and event.data["note"] == "the fan is loud\x1b[2J"
    assert made.state.run.note
