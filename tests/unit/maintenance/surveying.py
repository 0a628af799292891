"""A survey of the simulated cluster, question by question, each seen at a moment of its own.

The real one asks in three rounds, and each round in parallel: what it brings home never was true all at one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.maintenance.servers import SimPod
from tests.unit.maintenance.world import NAMESPACE, World
from zktui.core.kube import Pod
from zktui.core.ports import Answer, Refused, Reply, Unanswered
from zktui.core.zookeeper import EnsembleKey, MemberReport, Mode
from zktui.maintenance.facts import Facts, OwnerKey, Reading, reading_of
from zktui.maintenance.survey import POLL_TIMEOUT, Scope


@dataclass(frozen=True)
class Question:
    """One request. `ask` looks at the world as it is when called; `silent` tells that no answer will come to a poll."""

    name: str
    ask: Callable[[], Reply[Any]]
    keep: Callable[[Reading[Any]], None]
    silent: Callable[[], bool] = lambda: False


@dataclass
class Look:
    """One survey under way, by one operator: `base` is how far its monotonic clock is ahead of the world's."""

    world: World
    scope: Scope
    base: float = 0.0
    wall: float | None = None
    asked_at: float = field(init=False)
    found: dict[str, Any] = field(default_factory=dict[str, Any])
    """The fields of the facts, as far as they are answered."""

    def __post_init__(self) -> None:
        self.asked_at = self.begun_at = self.world.now + self.base
        self.wall = self.world.wall if self.wall is None else self.wall

    @property
    def facts(self) -> Facts:
        """All that was brought home so far."""
        return Facts(self.begun_at, self.wall or 0.0, **self.found)

    def rounds(self) -> Iterator[list[Question]]:
        """Each round is made from what the ones before have brought; the caller answers it before it takes the next."""
        yield [self._pods(e.key) for e in self.scope.ensembles]
        self._begin_round()
        pods = self._to_ask()
        first = [pod for pod in pods if pod.terminating or pod.uid in self.scope.leaders | self.scope.proven]
        yield [*self._objects(), *self._polls(first), *self._configs(), *self._syncs(pods)]
        self._begin_round()
        yield [*self._polls([pod for pod in pods if pod not in first]), *self._more()]

    def _begin_round(self) -> None:
        self.asked_at = self.world.now + self.base

    def answer(self, question: Question, fault: Reply[Any] | None = None) -> None:
        """See what the question asks for, at this very moment; or the fault that comes in its place."""
        reply = fault if fault is not None else question.ask()
        # Evidence is as old as its question, by the asker's clock.
        if isinstance(reply, Answer):
            question.keep(Reading(self.asked_at, reply.value, ""))
        else:
            question.keep(reading_of(replace(reply, at=self.asked_at), question.name))

    def _put(self, name: str, key: Any) -> Callable[[Reading[Any]], None]:
        return lambda reading: self.found.setdefault(name, {}).__setitem__(key, reading)

    def _set(self, name: str) -> Callable[[Reading[Any]], None]:
        return lambda reading: self.found.__setitem__(name, reading)

    def _of(self, key: EnsembleKey) -> World:
        return next(w for w in (self.world, *self.world.company) if w.name == key.name)

    def _in(self, namespace: str) -> list[World]:
        return [w for w in (self.world, *self.world.company) if w.namespace == namespace]

    def _yes(self, value: Any) -> Answer[Any]:
        return Answer(value, 0.0)

    # -- the rounds --

    def _pods(self, key: EnsembleKey) -> Question:
        mine = self._of(key)
        return Question(
            "pods",
            lambda: self._yes(tuple(self.world.pod(p) for p in mine.members())),
            self._put("pods", key),
        )

    def _objects(self) -> Iterator[Question]:
        own = {e.namespace for e in self.scope.ensembles}
        for name in self.scope.nodes:
            yield Question("node", lambda n=name: self._node(n), self._put("node", name))
            yield self._pods_on(name)
        for namespace in sorted(own | self.scope.namespaces):
            yield self._budgets(namespace)
        if not self.scope.decide:
            return
        yield Question(
            "nodes", lambda: self._yes(tuple(self.world.node(n) for n in self.world.nodes.values())), self._set("nodes")
        )
        yield Question("volumes", lambda: self._yes(self.world.volumes()), self._set("volumes"))
        for namespace in sorted(own):
            yield self._statefulsets(namespace)
            yield Question("claims", lambda n=namespace: self._yes(self._claims(n)), self._put("claims", namespace))
            yield Question("lease", lambda n=namespace: self._lease(n), self._put("leases", namespace))

    def _more(self) -> Iterator[Question]:
        facts = self.facts
        if self.scope.decide:
            yield from (self._pods_on(name) for name in self.world.nodes if name not in facts.on_node)
        if self.scope.select:
            there = [p for n in self.scope.nodes for p in facts.on_node[n].value or ()]
            for pod in there:
                if pod.owner is not None and pod.owner.kind == "DaemonSet":
                    key = OwnerKey(pod.namespace, "DaemonSet", pod.owner.name)
                    yield Question("owner", lambda: self._yes(True), self._put("owners", key))
            for namespace in sorted({p.namespace for p in there}):
                if namespace not in facts.budgets:
                    yield self._budgets(namespace)
                if namespace not in facts.statefulsets:
                    yield self._statefulsets(namespace)

    def _claims(self, namespace: str) -> tuple[Any, ...]:
        return tuple(claim for world in self._in(namespace) for claim in world.claims())

    def _budgets(self, namespace: str) -> Question:
        def ask() -> Reply[Any]:
            return self._yes(tuple(b for w in self._in(namespace) for b in w.budgets()))

        return Question("budgets", ask, self._put("budgets", namespace))

    def _statefulsets(self, namespace: str) -> Question:
        def ask() -> Reply[Any]:
            return self._yes(tuple(w.statefulset() for w in self._in(namespace)))

        return Question("statefulsets", ask, self._put("statefulsets", namespace))

    def _pods_on(self, name: str) -> Question:
        def ask() -> Reply[Any]:
            return self._yes(tuple(self.world.pod(p) for p in self.world.pods.values() if p.node == name))

        return Question("on_node", ask, self._put("on_node", name))

    def _node(self, name: str) -> Reply[Any]:
        found = self.world.nodes.get(name)
        return self._yes(self.world.node(found)) if found else Refused(404, "NotFound", "not found", 0.0)

    def _lease(self, namespace: str) -> Reply[Any]:
        found = self.world.leases.get(namespace)
        return self._yes(found) if found else Refused(404, "NotFound", "not found", 0.0)

    # -- members --

    def _to_ask(self) -> list[Pod]:
        """Those whose pod runs, as just listed; of the others it is known that there is no process to ask."""
        running: list[Pod] = []
        facts = self.facts
        for ensemble in self.scope.ensembles:
            for pod in facts.members_pods(ensemble):
                if pod.phase == "Running":
                    running.append(pod)
                else:
                    report = MemberReport(pod.key, facts.at, Mode.SILENT, error=f"the pod is {pod.status}")
                    self._report(pod, report)
        return running

    def _report(self, pod: Pod, report: MemberReport) -> None:
        self.found.setdefault("reports", {})[pod.uid] = report

    def _polls(self, pods: list[Pod]) -> Iterator[Question]:
        for pod in pods:

            def keep(reading: Reading[Any], pod: Pod = pod) -> None:
                told: MemberReport | None = reading.value
                waited = SILENCE if reading.why.endswith("timed out") else 0.0
                silence = MemberReport(pod.key, reading.at, Mode.SILENT, error=reading.why, took=waited)
                self._report(pod, replace(told, at=reading.at) if told is not None else silence)

            yield Question(
                "poll", lambda p=pod: self._poll(p), keep, lambda p=pod: isinstance(self._poll(p), Unanswered)
            )

    def _sim(self, pod: Pod) -> SimPod | None:
        return self.world.pods.get(pod.uid)

    def _poll(self, pod: Pod) -> Reply[MemberReport]:
        found = self._sim(pod)
        report = self.world.of(found).report(found) if found is not None else None
        if report is None or report.mode is Mode.SILENT:
            return Unanswered("timed out", 0.0)
        return Answer(report, 0.0)

    def _configs(self) -> Iterator[Question]:
        if not self.scope.decide:
            return
        facts = self.facts
        for ensemble in self.scope.ensembles:
            mine = self._of(ensemble.key)
            pods = [p for p in facts.members_pods(ensemble) if p.phase == "Running" and not p.terminating]

            def ask(world: World = mine, pods: list[Pod] = pods) -> Reply[Any]:
                up = [p for p in map(self._sim, pods) if p is not None and p.up(world.now)]
                config = replace(world.config(), at=self.asked_at)
                return self._yes(config) if up else Unanswered("no member tells its configuration", 0.0)

            yield Question("config", ask, self._put("configs", ensemble.key))

    def _syncs(self, pods: list[Pod]) -> Iterator[Question]:
        for pod in pods:
            if pod.uid in self.scope.sync:

                def keep(reading: Reading[Any], uid: str = pod.uid) -> None:
                    if reading.value:
                        self.found["synced"] = self.found.get("synced", frozenset[str]()) | {uid}

                yield Question("sync", lambda p=pod: self._sync(p), keep)

    def _sync(self, pod: Pod) -> Reply[bool]:
        found = self._sim(pod)
        mine = self.world.of(found) if found is not None else self.world
        through = found is not None and found.joined and mine.quorum() and mine.syncs
        return Answer(True, 0.0) if through else Unanswered("timed out", 0.0)


def read(world: World, scope: Scope, broken: frozenset[str] = frozenset()) -> Facts:
    """What a survey would have found had it been done in no time; `broken` names the questions that fail."""
    look = Look(world, scope)
    for questions in look.rounds():
        for question in questions:
            fault = Unanswered(f"{question.name}: timed out", 0.0) if question.name in broken else None
            look.answer(question, fault)
    return look.facts


SILENCE = POLL_TIMEOUT
"""Seconds after which a question to a silent member is given up."""

__all__ = ["NAMESPACE", "SILENCE", "Look", "Question", "read"]
