"""Schedules that lead to what the others come by only at times: each way is laid out, the rest is its seed's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.unit.maintenance.mishaps import AUTOSCALER
from tests.unit.maintenance.operators import Operator
from tests.unit.maintenance.schedules import QUICK, Schedule
from tests.unit.maintenance.world import World
from zktui.maintenance.effects import EvictPod, Input, Surveyed
from zktui.maintenance.machine import step
from zktui.maintenance.model import CommandKind, GateName, NodeStep, Options, PodStep


@dataclass
class Directed(Schedule):
    """Three members, quick options, and nothing that goes wrong but what is laid out."""

    nodes: int = 1
    varied: bool = True
    struck: bool = field(default=False, init=False)
    """It has happened."""

    def any_world(self) -> World:
        return World(self.rng, 3, ordered=False, spare=1)

    def any_options(self) -> Options:
        return QUICK


@dataclass
class DiskFull(Directed):
    """The journal can't be written any more while a member that had to wait is awaited."""

    def any_world(self) -> World:
        return World(self.rng, 3, ordered=False, spare=0)

    def pick(self, count: int) -> list[str]:
        return [f"node-{self.rng.randrange(3) + 1}"]

    def aimed(self) -> list[tuple[NodeStep, str]]:
        return [(NodeStep.REJOIN, "disk-full")]


@dataclass
class FullInHold(Directed):
    """The journal can't be written any more while the node is the operator's, who takes a note."""

    def pick(self, count: int) -> list[str]:
        return [f"node-{self.rng.randrange(3) + 1}"]

    def aimed(self) -> list[tuple[NodeStep, str]]:
        return [(NodeStep.HOLD, "disk-full"), (NodeStep.HOLD, "note")]


@dataclass
class NoRoom(Directed):
    """Two members on one node, and once the first is gone no other node is Ready for a while: it stays Pending."""

    def any_world(self) -> World:
        world = World(self.rng, 3, ordered=False, spare=1, apart=False)
        for pod in world.members():
            pod.node = "node-2" if pod.name == "zk-2" else "node-1"
        return world

    def pick(self, count: int) -> list[str]:
        return ["node-1"]

    def deliver(self, operator: Operator, event: Input) -> None:
        super().deliver(operator, event)
        pods = [pod for node in operator.state.run.nodes for pod in node.pods if pod.member]
        if not self.struck and any(pod.step is PodStep.LEAVING for pod in pods):
            self.struck = True
            others = [node for node in self.world.nodes.values() if node.name != "node-1"]
            for node in others:
                node.ready = False
                self.at(self.now + self.rng.uniform(10, 20), lambda node=node: setattr(node, "ready", True))


@dataclass
class TakenAway(Directed):
    """An autoscaler takes the node at work; somebody resumes all the same, and types the word for it."""

    def pick(self, count: int) -> list[str]:
        return [f"node-{self.rng.randrange(3) + 1}"]

    def deliver(self, operator: Operator, event: Input) -> None:
        super().deliver(operator, event)
        node = operator.state.run.node
        if not self.struck and node is not None and node.step is NodeStep.DRAIN:
            self.struck = True
            self.world.nodes[node.name].taints = (AUTOSCALER,)
            self.world.nodes[node.name].version += 1
        found = operator.before_gate(GateName.ALONE)
        if found is not None and self.struck and not operator.over:
            typed = (found.uid, GateName.ALONE) in operator.state.overrides
            if not typed:
                operator.tell(CommandKind.OVERRIDE, gate=GateName.ALONE, typed=found.name)


@dataclass
class StandsStill(Directed):
    """Its process stands still with a reading that lets a member go; when it goes on, another one has fallen silent."""

    def pick(self, count: int) -> list[str]:
        return [f"node-{self.rng.randrange(3) + 1}"]

    def deliver(self, operator: Operator, event: Input) -> None:
        goes = self._goes(operator, event)
        if not self.struck and goes:
            self.struck = True
            self.note("-- it stands still, and another member freezes")
            operator.stopped_until = self.now + self.rng.uniform(2.5, 20)
            others = [pod for pod in self.world.members() if pod.uid != goes]
            self.world.freeze(self.rng.choice(others), 90)
            operator.later(self.now, lambda: self.deliver(operator, event))
        else:
            super().deliver(operator, event)

    def _goes(self, operator: Operator, event: Input) -> str:
        """UID of the member whose eviction this input would have sent now; empty for none."""
        if not isinstance(event, Surveyed) or operator.over:
            return ""
        _, effects = step(operator.state, event, operator.clock)
        uids = {effect.pod.uid for effect in effects if isinstance(effect, EvictPod)}
        return next((pod.uid for pod in self.world.members() if pod.uid in uids), "")


WAYS: tuple[Callable[[int], Directed], ...] = (DiskFull, FullInHold, NoRoom, TakenAway, StandsStill)
