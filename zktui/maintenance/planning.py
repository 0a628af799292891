"""The plan of a maintenance: which node when, who goes, where to, and what the budget allows at each step.

The run is simulated with the facts of the review: empty nodes first, so that members can move to where nobody has to
go again; the nodes with a leader last, so that each ensemble elects once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from zktui.core.disruption import budgets_of
from zktui.core.kube import Node, Pod
from zktui.core.store import natural
from zktui.core.zookeeper import Ensemble, Member, Mode, ServerRole
from zktui.maintenance.facts import Facts
from zktui.maintenance.landing import Terrain, landing, terrain_of
from zktui.maintenance.model import (
    Finding,
    HoldKind,
    Landing,
    Level,
    NodePlan,
    Options,
    Plan,
    PlannedMember,
    PodVerdict,
    Verdict,
)
from zktui.maintenance.review import ensemble_findings, member_findings, permission_findings
from zktui.maintenance.selection import Selected, select


def plan(facts: Facts, names: Sequence[str], options: Options, wall: float, ensembles: Sequence[Ensemble]) -> Plan:
    """Plan the drain of the named nodes. Whatever forbids it is a STOP finding; nothing is raised.

    `ensembles` are all that are known: those with a member on one of the nodes are the plan's, or all of them when none
    has. The facts need `decide`, `select` and, to be told of missing rights, `permissions`.
    """
    wanted = list(dict.fromkeys(names))
    try:
        chosen = {name: select(facts, name, ensembles, options) for name in wanted}
    except ValueError as error:
        stop = Finding(Level.STOP, f"--pod-selector: {error}", code="selector")
        return Plan((), (), options, (stop,), wall, 0, 0)
    touched = {e.key for selected in chosen.values() for e, _, _ in selected.members}
    mine = tuple(e for e in ensembles if e.key in touched) or tuple(ensembles)
    findings = list(_general(wanted, mine, options))
    findings += permission_findings(facts)
    for ensemble in mine:
        findings += ensemble_findings(facts, ensemble, options)
    order, reasons = _order(facts, wanted, mine)
    rehearsal = _Rehearsal(facts, mine, options, chosen, order)
    nodes = tuple(rehearsal.node(name) for name in order)
    evictions = sum(len(node.members) for node in nodes)
    moved = {m.pod.uid for node in nodes for m in node.members}
    if evictions > len(moved):
        again = evictions - len(moved)
        text = f"{again} member{'s are' if again > 1 else ' is'} evicted twice: no other room while the nodes go"
        findings.append(Finding(Level.WARN, text, "one more node that is not drained", "moves-twice"))
    elections = sum(1 for e in mine if (leader := facts.leader(e)) is not None and leader.pod.uid in moved)
    return Plan(tuple(e.key for e in mine), nodes, options, tuple(findings), wall, evictions, elections, tuple(reasons))


def _general(names: Sequence[str], ensembles: Sequence[Ensemble], options: Options) -> Iterable[Finding]:
    if not names:
        yield Finding(Level.STOP, "no node was named", "name a node", "no-node")
    if not ensembles:
        text = "no ZooKeeper ensemble is known here: there is no quorum to keep"
        yield Finding(Level.STOP, text, "kubectl drain", "no-ensemble")
    if options.hold.kind is HoldKind.LEAVE and len(names) > 1:
        text = "only the last node is left cordoned; before, each is held until you uncordon it"
        yield Finding(Level.INFO, text, code="hold-leave")


def _order(facts: Facts, names: Sequence[str], ensembles: Sequence[Ensemble]) -> tuple[list[str], list[str]]:
    """Empty nodes first, then those without a leader, then those with one; by name within each."""
    pods = [(e, p) for e in ensembles for p in facts.members_pods(e) if not p.finished]
    members = {name: [p for _, p in pods if p.node == name] for name in names}
    leaders = {leader.pod.uid for e in ensembles if (leader := facts.leader(e)) is not None}
    led = {name: sum(1 for p in members[name] if p.uid in leaders) for name in names}
    order = sorted(names, key=lambda name: (bool(members[name]), led[name], len(members[name]), natural(name)))
    reasons: list[str] = []
    empty = [name for name in order if not members[name]]
    if empty and len(empty) < len(order):
        reasons.append(f"{', '.join(empty)} first: no member is there, so the next ones can move to it for good")
    last = [f"{name} ({', '.join(p.name for p in members[name] if p.uid in leaders)})" for name in order if led[name]]
    if last and len(order) > 1:
        reasons.append(f"{', '.join(last)} last: the leader goes once, so there is one election")
    return order, reasons


@dataclass(slots=True)
class _Rehearsal:
    """Walks through the plan on paper: members move, nodes come back, budgets are spent and refilled."""

    facts: Facts
    ensembles: tuple[Ensemble, ...]
    options: Options
    chosen: dict[str, Selected]
    order: list[str]
    home: dict[str, str] = field(default_factory=dict[str, str])
    """Pod UID to the node where its successor is by then."""
    done: set[str] = field(default_factory=set[str])

    def node(self, name: str) -> NodePlan:
        read = self.facts.node.get(name)
        node = read.value if read is not None else None
        chosen = self.chosen[name]
        others = tuple(verdict for _, verdict in chosen.others)
        findings = tuple(self._node_findings(name, node, others))
        members = self._members(name, chosen) if node is not None else ()
        self.done.add(name)
        two = self._two_waiting(name, members)
        return NodePlan(
            name,
            node.uid if node is not None else "",
            node is not None and node.unschedulable,
            members,
            others,
            findings + two,
        )

    def _node_findings(self, name: str, node: Node | None, others: tuple[PodVerdict, ...]) -> Iterable[Finding]:
        read = self.facts.node.get(name)
        if node is None:
            absent = read is not None and read.absent
            why = f"node {name} does not exist" if absent else (read.why if read else f"node {name} was not read")
            code = "node-not-found" if absent else "node-unknown"
            yield Finding(Level.STOP, why, "kubectl get nodes" if absent else "", code)
            return
        if node.ready is not True:
            text = f"{name} is not Ready: its kubelet can't end pods, so an eviction would never complete"
            unblock = "bring it back; or, once it is powered off, taint it node.kubernetes.io/out-of-service"
            yield Finding(Level.STOP, text, unblock, "not-ready")
        if node.unschedulable:
            text = f"{name} was cordoned before: this run does not uncordon it"
            yield Finding(Level.WARN, text, f"kubectl uncordon {name}", "was-cordoned")
        listed = self.facts.on_node.get(name)
        if listed is None or listed.value is None:
            yield Finding(Level.STOP, listed.why if listed else f"pods on {name} were not read", code="pods-unknown")
        refused = sum(1 for other in others if other.verdict is Verdict.REFUSE)
        if refused:
            text = f"{refused} other pod{'s' if refused > 1 else ''} on {name} can't be evicted with these options"
            yield Finding(Level.INFO, text, "the options named beside each", "refused")

    def _members(self, name: str, chosen: Selected) -> tuple[PlannedMember, ...]:
        verdicts = {pod.uid: verdict for _, pod, verdict in chosen.members}
        here: list[tuple[Ensemble, Member]] = []
        for ensemble in self.ensembles:
            for member in self.facts.members(ensemble):
                verdict = verdicts.get(member.pod.uid)
                if verdict is not None and verdict.verdict is Verdict.STAY:
                    continue
                if self.home.get(member.pod.uid, member.pod.node) == name and not member.pod.finished:
                    here.append((ensemble, member))
        here.sort(key=lambda item: self._goes(name, item[1]))
        waiting = 0
        planned: list[PlannedMember] = []
        for ensemble, member in here:
            found = self._landing(name, member.pod)
            findings = [*(verdicts[member.pod.uid].findings if member.pod.uid in verdicts else ())]
            findings += member_findings(self.facts, ensemble, member)
            findings += self._landing_findings(name, found)
            planned.append(self._planned(ensemble, member, found, waiting, findings))
            waiting += found.waits
            self._move(name, member.pod, found)
        return tuple(planned)

    def _goes(self, name: str, member: Member) -> tuple[bool, bool, bool, str]:
        """Within a node: those that can land first, the leader last, observers before voters."""
        voter = member.server is None or member.server.role is ServerRole.PARTICIPANT
        return (self._landing(name, member.pod).waits, member.role is Mode.LEADER, voter, member.pod.name)

    def _terrain(self, name: str) -> Terrain:
        base = terrain_of(self.facts)
        moved = tuple(replace(p, node=self.home.get(p.uid, p.node)) for p in base.pods)
        return replace(base, pods=tuple(p for p in moved if p.node != name), drained=name)

    def _landing(self, name: str, pod: Pod) -> Landing:
        return landing(pod, self._terrain(name))

    def _move(self, name: str, pod: Pod, found: Landing) -> None:
        """Where it will be, as far as it can be known: rather where nobody has to go again."""
        later = set(self.order) - self.done - {name}
        stays = [node for node in found.nodes if node not in later]
        target = (stays or list(found.nodes) or [name])[0]
        self.home[pod.uid] = target

    def _landing_findings(self, name: str, found: Landing) -> Iterable[Finding]:
        later = [node for node in self.order if node not in self.done and node != name]
        last = name == self.order[-1] and self.options.hold.kind is HoldKind.LEAVE
        if found.waits:
            tied = f": its volume is tied to {name}" if found.tied else ""
            end = "until someone uncordons a node for it" if last else f"until {name} is uncordoned"
            text = f"nowhere to land{tied}: it stays Pending {end}, and one member fewer may be lost meanwhile"
            yield Finding(Level.WARN, text, "a node that can take it", "no-landing")
            return
        risky = [node for node in found.nodes if node in later]
        if risky and len(risky) == len(found.nodes):
            text = f"can land only on {', '.join(risky)}, still to be drained: it will be evicted again"
            yield Finding(Level.WARN, text, "one more node that is not drained", "moves-twice")
        elif risky:
            text = f"may land on {', '.join(risky)}, still to be drained: it would be evicted again there"
            yield Finding(Level.WARN, text, f"kubectl cordon {' '.join(risky)} ahead", "may-move-twice")

    def _planned(
        self, ensemble: Ensemble, member: Member, found: Landing, waiting: int, findings: list[Finding]
    ) -> PlannedMember:
        budgets = budgets_of(member.pod, self.facts.budgets_in(member.pod.namespace).value or ())
        # Who moved before and landed has come back by then (the settled gate); who waits still spends.
        allowed = max(0, budgets[0].allowed - waiting) if len(budgets) == 1 else None
        voter = member.server is not None and member.server.role is ServerRole.PARTICIPANT
        return PlannedMember(
            ensemble.key, member.pod.key, member.role, voter, found, allowed, tuple(dict.fromkeys(findings))
        )

    def _two_waiting(self, name: str, members: tuple[PlannedMember, ...]) -> tuple[Finding, ...]:
        """After one that waits for this node's uncordon the settled gate lets no other of its ensemble go."""
        found: list[Finding] = []
        for ensemble in self.ensembles:
            waits = [m.pod.name for m in members if m.ensemble == ensemble.key and m.landing.waits]
            if len(waits) > 1:
                text = f"{' and '.join(waits)} are both on {name} and have nowhere to go: it cannot be drained"
                found.append(Finding(Level.STOP, text, "a node that can take one of them", "two-waiting"))
        return tuple(found)
