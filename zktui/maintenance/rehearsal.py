"""The run on paper: members move, nodes come back, budgets are spent and refilled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zktui.core.disruption import Allowance, budgets_of, judge_eviction
from zktui.core.kube import Budget, Pod
from zktui.core.quorum import majority
from zktui.core.zookeeper import Ensemble, EnsembleKey, Member, Mode, ServerRole
from zktui.maintenance.facts import Facts
from zktui.maintenance.landing import Terrain, landing, terrain_of
from zktui.maintenance.model import HoldKind, Landing, Options, PlanAct, PlanStep, Verdict
from zktui.maintenance.selection import Selected


@dataclass(frozen=True, slots=True)
class Move:
    """One member's move off one node."""

    ensemble: Ensemble
    member: Member
    found: Landing
    """Without the nodes that are cordoned ahead."""
    risky: tuple[str, ...]
    """Nodes still to be drained among those it could land on."""
    allowed: int | None
    """disruptionsAllowed right before it; None where no single budget covers it."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What happens on one node."""

    moves: tuple[Move, ...] = ()
    ahead: tuple[str, ...] = ()
    """Nodes that are cordoned right before it."""
    risky: frozenset[str] = frozenset()
    """Nodes still to be drained on which its members could land although there is room elsewhere."""


@dataclass(slots=True)
class Rehearsal:
    """Walks through an order once: `walk`. `unlucky`: a member lands where it has to go again, if it can."""

    facts: Facts
    ensembles: Sequence[Ensemble]
    options: Options
    chosen: Mapping[str, Selected]
    order: Sequence[str]
    ahead: frozenset[str] = frozenset()
    unlucky: bool = False
    steps: list[PlanStep] = field(default_factory=list[PlanStep])
    visits: dict[str, Visit] = field(default_factory=dict[str, Visit])
    evicted: list[str] = field(default_factory=list[str])
    """UIDs of members in the order in which they go; one that goes twice is there twice."""
    _home: dict[str, str] = field(default_factory=dict[str, str])
    """Pod UID to the node where its successor is by then."""
    _done: set[str] = field(default_factory=set[str])
    _cordoned: set[str] = field(default_factory=set[str])
    """By us, as far as the walk has come."""
    _allowed: dict[str, int] = field(default_factory=dict[str, int])
    """Budget UID to disruptionsAllowed as simulated."""
    _serving: dict[EnsembleKey, set[str]] = field(default_factory=dict[EnsembleKey, set[str]])

    def walk(self) -> Rehearsal:
        for listed in self.facts.budgets.values():
            self._allowed.update((budget.uid, budget.allowed) for budget in listed.value or ())
        for ensemble in self.ensembles:
            self._serving[ensemble.key] = {m.pod.uid for m in self._voters(ensemble) if m.report.mode.serving}
        for name in self.order:
            read = self.facts.node.get(name)
            self.visits[name] = self._visit(name) if read is not None and read.value is not None else Visit()
            self._done.add(name)
        return self

    @property
    def waiting(self) -> int:
        """Moves that have nowhere to go before an uncordon."""
        return sum(move.found.waits for visit in self.visits.values() for move in visit.moves)

    @property
    def risky(self) -> frozenset[str]:
        return frozenset(name for visit in self.visits.values() for name in visit.risky)

    def _voters(self, ensemble: Ensemble) -> tuple[Member, ...]:
        members = self.facts.members(ensemble)
        return tuple(m for m in members if m.server is not None and m.server.role is ServerRole.PARTICIPANT)

    def _visit(self, name: str) -> Visit:
        here = self._here(name)
        risky = {node for _, member in here for node in self._risky(name, member.pod)}
        ahead = tuple(node for node in self.order if node in risky & self.ahead - self._cordoned)
        for node in ahead:
            self._act(node, PlanAct.CORDON_AHEAD)
        self._cordoned.update(ahead)
        read = self.facts.node[name].value
        foreign = read is not None and read.unschedulable
        if not foreign and name not in self._cordoned:
            self._act(name, PlanAct.CORDON)
        self._others(name)
        moves = tuple(self._move(name, ensemble, member) for ensemble, member in here)
        last = name == self.order[-1] and self.options.hold.kind is HoldKind.LEAVE
        self._act(name, PlanAct.HOLD)
        if not last:
            if not foreign:
                self._act(name, PlanAct.UNCORDON)
            for move in moves:
                if move.found.waits:
                    self._return(move.ensemble, move.member, name)
        self._cordoned.discard(name)
        return Visit(moves, ahead, frozenset(risky))

    def _here(self, name: str) -> list[tuple[Ensemble, Member]]:
        """Members that are on the node by then and have to go, in the order in which they go."""
        verdicts = {pod.uid: verdict for _, pod, verdict in self.chosen[name].members}
        here: list[tuple[Ensemble, Member]] = []
        for ensemble in self.ensembles:
            for member in self.facts.members(ensemble):
                verdict = verdicts.get(member.pod.uid)
                if verdict is not None and verdict.verdict is Verdict.STAY:
                    continue
                if self._home.get(member.pod.uid, member.pod.node) == name and not member.pod.finished:
                    here.append((ensemble, member))
        here.sort(key=lambda item: self._goes(name, item[1]))
        return here

    def _goes(self, name: str, member: Member) -> tuple[bool, bool, bool, str]:
        """Within a node: those that can land first, the leader last, observers before voters."""
        voter = member.server is None or member.server.role is ServerRole.PARTICIPANT
        return (self._landing(name, member.pod).waits, member.role is Mode.LEADER, voter, member.pod.name)

    def _terrain(self, name: str) -> Terrain:
        base = terrain_of(self.facts)
        moved = tuple(replace(p, node=self._home.get(p.uid, p.node)) for p in base.pods)
        ahead = self.ahead - self._done - {name}
        nodes = {n: replace(node, unschedulable=True) if n in ahead else node for n, node in base.nodes.items()}
        return replace(base, nodes=nodes, pods=tuple(p for p in moved if p.node != name), drained=name)

    def _landing(self, name: str, pod: Pod) -> Landing:
        return landing(pod, self._terrain(name))

    def _later(self, name: str) -> set[str]:
        return set(self.order) - self._done - {name}

    def _risky(self, name: str, pod: Pod) -> set[str]:
        """Nodes still to be drained where it could land although there is room elsewhere; ahead or not."""
        open_ = self._terrain(name)
        plain = terrain_of(self.facts).nodes
        found = landing(pod, replace(open_, nodes=plain)).nodes
        risky = self._later(name) & set(found)
        return risky if set(found) - risky else set()

    def _move(self, name: str, ensemble: Ensemble, member: Member) -> Move:
        pod = member.pod
        found = self._landing(name, pod)
        later = self._later(name)
        risky = tuple(node for node in found.nodes if node in later)
        before = self._evict(name, pod, ensemble)
        self.evicted.append(pod.uid)
        stays = [node for node in found.nodes if node not in later]
        liked = (list(risky), stays) if self.unlucky else (stays, list(risky))
        target = (liked[0] or liked[1] or [name])[0]
        self._home[pod.uid] = target
        if not found.waits:
            self._return(ensemble, member, target)
        return Move(ensemble, member, found, risky, before)

    # -- what each step costs the budget and the quorum --

    def _act(self, name: str, act: PlanAct) -> None:
        self.steps.append(PlanStep(name, act))

    def _budget(self, pod: Pod) -> Budget | None:
        mine = budgets_of(pod, self.facts.budgets_in(pod.namespace).value or ())
        return mine[0] if len(mine) == 1 else None

    def _evict(self, name: str, pod: Pod, ensemble: Ensemble | None) -> int | None:
        """What the budget allows right before; spends it, if the server would."""
        budget = self._budget(pod)
        before = after = None
        waits = False
        if budget is not None:
            before = max(0, self._allowed[budget.uid])
            verdict = judge_eviction(pod, (replace(budget, allowed=before),))
            waits = verdict.allowance is not Allowance.YES
            self._allowed[budget.uid] -= verdict.spends
            after = max(0, self._allowed[budget.uid])
        if ensemble is not None:
            self._serving[ensemble.key].discard(pod.uid)
        self._step(name, PlanAct.EVICT, pod, ensemble, (before, after), waits=waits)
        return before

    def _return(self, ensemble: Ensemble, member: Member, node: str) -> None:
        """It serves again before the next may go (the gate "settled"), and its budget has it back."""
        pod, budget = member.pod, self._budget(member.pod)
        before = after = None
        if budget is not None:
            before = max(0, self._allowed[budget.uid])
            self._allowed[budget.uid] += judge_eviction(pod, (replace(budget, allowed=1),)).spends
            after = max(0, self._allowed[budget.uid])
        if any(voter.pod.uid == pod.uid for voter in self._voters(ensemble)):
            self._serving[ensemble.key].add(pod.uid)
        self._step(node, PlanAct.RETURN, pod, ensemble, (before, after))

    def _step(
        self,
        node: str,
        act: PlanAct,
        pod: Pod,
        ensemble: Ensemble | None,
        allowed: tuple[int | None, int | None],
        *,
        waits: bool = False,
    ) -> None:
        serving = need = None
        if ensemble is not None:
            config = self.facts.config(ensemble)
            serving = len(self._serving[ensemble.key])
            need = majority(len(config.voters)) if config is not None else None
        key = ensemble.key if ensemble is not None else None
        self.steps.append(
            PlanStep(node, act, pod.name, pod.namespace, ensemble is not None, key, *allowed, serving, need, waits)
        )

    def _others(self, name: str) -> None:
        """Other pods spend their budgets too; by the next node theirs are taken as refilled."""
        spent = dict(self._allowed)
        for pod, verdict in sorted(self.chosen[name].others, key=lambda item: item[0].key):
            if verdict.verdict is Verdict.EVICT:
                self._evict(name, pod, None)
        mine = {budget.uid for budget in self._members_budgets()}
        self._allowed.update((uid, allowed) for uid, allowed in spent.items() if uid not in mine)

    def _members_budgets(self) -> Iterable[Budget]:
        for ensemble in self.ensembles:
            for pod in self.facts.members_pods(ensemble):
                budget = self._budget(pod)
                if budget is not None:
                    yield budget
