"""The plan of a maintenance: which node when, who goes, where to, and what the budget allows at each step.

The run is rehearsed on paper with the facts of the review: empty nodes first, so that members can move to where nobody
has to go again; nodes still to come cordoned ahead, where there is room elsewhere; the nodes with a leader last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from zktui.core.kube import Node
from zktui.core.text import count
from zktui.core.zookeeper import Ensemble, Member, ServerRole
from zktui.maintenance.annotations import run_of
from zktui.maintenance.facts import Facts
from zktui.maintenance.gates import Asked, judge
from zktui.maintenance.model import (
    Finding,
    Gate,
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
from zktui.maintenance.offers import out_of_service_offer
from zktui.maintenance.ordering import Order, elections_of, order_of
from zktui.maintenance.rehearsal import Move, Rehearsal, Visit
from zktui.maintenance.review import ensemble_findings, member_findings, permission_findings
from zktui.maintenance.selection import Selected, select
from zktui.maintenance.sessions import CLIENT_GAP, session_findings, shortest_timeout


def plan(facts: Facts, names: Sequence[str], options: Options, wall: float, ensembles: Sequence[Ensemble]) -> Plan:
    """Plan the drain of the named nodes. Whatever forbids it is a STOP finding; nothing is raised.

    `ensembles` are all that are known: those with a member on one of the nodes are the plan's, or all of them when none
    has. The facts need `decide`, `select`, and to be told of missing rights and of sessions `permissions`, `sessions`.
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
    order = order_of(facts, wanted, mine)
    walked = _best_walk(facts, mine, options, chosen, order)
    review = _Review(facts, options, chosen, order.names, walked, mine)
    nodes = tuple(review.node(name) for name in order.names)
    again = len(walked.evicted) - len(set(walked.evicted))
    if again:
        text = f"{again} member{'s are' if again > 1 else ' is'} evicted twice: no other room while the nodes go"
        findings.append(Finding(Level.WARN, text, "one more node that is not drained", "moves-twice"))
    moves = [e for e in mine if any(m.ensemble == e.key for node in nodes for m in node.members)]
    findings += [finding for ensemble in moves for finding in session_findings(facts, ensemble)]
    return Plan(
        tuple(e.key for e in mine),
        nodes,
        options,
        tuple(findings),
        wall,
        len(walked.evicted),
        elections_of(facts, mine, walked.evicted),
        order.reasons,
        tuple(walked.steps),
        _saves(walked, facts, mine, options, chosen, wanted),
        CLIENT_GAP if moves else 0.0,
        min((shortest_timeout(facts, e)[0] for e in moves), default=None),
    )


def _general(names: Sequence[str], ensembles: Sequence[Ensemble], options: Options) -> Iterable[Finding]:
    if not names:
        yield Finding(Level.STOP, "no node was named", "name a node", "no-node")
    if not ensembles:
        text = "no ZooKeeper ensemble is known here: there is no quorum to keep"
        yield Finding(Level.STOP, text, "kubectl drain", "no-ensemble")
    if options.hold.kind is HoldKind.LEAVE and len(names) > 1:
        text = "only the last node is left cordoned; before, each is held until you uncordon it"
        yield Finding(Level.INFO, text, code="hold-leave")


def _best_walk(
    facts: Facts, ensembles: Sequence[Ensemble], options: Options, chosen: dict[str, Selected], order: Order
) -> Rehearsal:
    """With the nodes cordoned ahead that keep members from moving twice, as long as none is worse off by it."""
    best = Rehearsal(facts, ensembles, options, chosen, order.names).walk()
    if not options.cordon_ahead or not best.risky:
        return best
    plain = best
    tries = [best.risky, *(frozenset({name}) for name in order.names if name in best.risky)]
    for added in tries:
        ahead = best.ahead | added
        tried = Rehearsal(facts, ensembles, options, chosen, order.names, ahead).walk()
        if tried.waiting <= plain.waiting and len(tried.evicted) <= len(plain.evicted):
            best = tried
            if ahead >= plain.risky:
                break
    return best


def _saves(
    walked: Rehearsal,
    facts: Facts,
    ensembles: Sequence[Ensemble],
    options: Options,
    chosen: dict[str, Selected],
    given: Sequence[str],
) -> str:
    """Against the order given, if members land there as unluckily as the scheduler may choose."""
    theirs = Rehearsal(facts, ensembles, options, chosen, tuple(given), unlucky=True).walk().evicted
    moves = len(theirs) - len(walked.evicted)
    elections = elections_of(facts, ensembles, theirs) - elections_of(facts, ensembles, walked.evicted)
    saved = [count(number, what) for number, what in ((moves, "eviction"), (elections, "election")) if number > 0]
    return f"up to {' and '.join(saved)} fewer than in the order given ({', '.join(given)})" if saved else ""


@dataclass(slots=True)
class _Review:
    """Puts what was rehearsed, and what was found, into the plan's words."""

    facts: Facts
    options: Options
    chosen: dict[str, Selected]
    order: Sequence[str]
    walked: Rehearsal
    ensembles: Sequence[Ensemble]
    _now: float = field(init=False)

    def __post_init__(self) -> None:
        # A review is no decision to evict: it is judged as of the survey's own moment, and every gate reads again.
        self._now = max((r.at for r in self.facts.reports.values()), default=self.facts.at)

    def node(self, name: str) -> NodePlan:
        read = self.facts.node.get(name)
        node = read.value if read is not None else None
        visit = self.walked.visits[name]
        others = tuple(verdict for _, verdict in self.chosen[name].others)
        members = tuple(self._planned(name, move) for move in visit.moves)
        findings = (*self._node_findings(name, node, others), *_ahead(visit), *self._two_waiting(name, members))
        return NodePlan(
            name,
            node.uid if node is not None else "",
            node is not None and node.unschedulable,
            members,
            others,
            findings,
            visit.ahead,
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
            action = out_of_service_offer(name)
            yield Finding(Level.STOP, text, f"bring it back; or {action.text}", "not-ready", action=action)
        if node.unschedulable:
            run = run_of(node)
            who = f" by run {run}" if run else ""
            text = f"{name} was cordoned before{who}: this run does not uncordon it"
            yield Finding(Level.WARN, text, f"kubectl uncordon {name}", "was-cordoned")
        listed = self.facts.on_node.get(name)
        if listed is None or listed.value is None:
            yield Finding(Level.STOP, listed.why if listed else f"pods on {name} were not read", code="pods-unknown")
        refused = sum(1 for other in others if other.verdict is Verdict.REFUSE)
        if refused:
            text = f"{refused} other pod{'s' if refused > 1 else ''} on {name} can't be evicted with these options"
            yield Finding(Level.INFO, text, "the options named beside each", "refused")

    def _planned(self, name: str, move: Move) -> PlannedMember:
        member, ensemble = move.member, move.ensemble
        pod, report = member.pod, member.report
        verdict = next((v for _, p, v in self.chosen[name].members if p.uid == pod.uid), None)
        findings = [*(verdict.findings if verdict is not None else ())]
        findings += member_findings(self.facts, ensemble, member)
        findings += self._landing_findings(name, move)
        sessions = self.facts.sessions.get(pod.uid)
        detail = report.detail
        ephemerals = sessions.ephemerals if sessions is not None else None
        planned = PlannedMember(
            ensemble.key,
            pod.key,
            member.role,
            member.server is not None and member.server.role is ServerRole.PARTICIPANT,
            move.found,
            move.allowed,
            tuple(dict.fromkeys(findings)),
            connections=report.connections,
            watches=detail.watches if detail is not None else None,
            ephemerals=ephemerals if ephemerals is not None else (detail.ephemerals if detail is not None else None),
        )
        return replace(planned, gates=self._gates(name, ensemble, member, planned))

    def _gates(self, name: str, ensemble: Ensemble, member: Member, planned: PlannedMember) -> tuple[Gate, ...]:
        asked = Asked(
            ensemble,
            member.pod.key,
            name,
            self.options,
            "",
            {},
            planned,
            stays_cordoned=self._stays(name),
        )
        return judge(self.facts, asked, self._now)

    def _stays(self, name: str) -> bool:
        return name == self.order[-1] and self.options.hold.kind is HoldKind.LEAVE

    def _landing_findings(self, name: str, move: Move) -> Iterable[Finding]:
        found: Landing = move.found
        if found.waits:
            tied = f": its volume is tied to {name}" if found.tied else ""
            end = "until someone uncordons a node for it" if self._stays(name) else f"until {name} is uncordoned"
            text = f"nowhere to land{tied}: it stays Pending {end}, and one member fewer may be lost meanwhile"
            yield Finding(Level.WARN, text, "a node that can take it", "no-landing")
        elif move.risky and len(move.risky) == len(found.nodes):
            text = f"can land only on {', '.join(move.risky)}, still to be drained: it will be evicted again"
            yield Finding(Level.WARN, text, "one more node that is not drained", "moves-twice")
        elif move.risky:
            text = f"may land on {', '.join(move.risky)}, still to be drained: it would be evicted again there"
            yield Finding(Level.WARN, text, "leave out --no-cordon-ahead", "may-move-twice")

    def _two_waiting(self, name: str, members: tuple[PlannedMember, ...]) -> tuple[Finding, ...]:
        """After one that waits for this node's uncordon the settled gate lets no other of its ensemble go."""
        found: list[Finding] = []
        for ensemble in self.ensembles:
            waits = [m.pod.name for m in members if m.ensemble == ensemble.key and m.landing.waits]
            if len(waits) > 1:
                who = f"{' and '.join(waits)} are {'both' if len(waits) == 2 else 'all'} on {name}"
                text = f"{who} and have nowhere to go: it cannot be drained"
                found.append(Finding(Level.STOP, text, "a node that can take one of them", "two-waiting"))
        return tuple(found)


def _ahead(visit: Visit) -> Iterable[Finding]:
    if visit.ahead:
        who = ", ".join(move.member.pod.name for move in visit.moves)
        text = f"{', '.join(visit.ahead)}: cordoned ahead, so that {who} can't land where it would have to go again"
        yield Finding(Level.INFO, text, "--no-cordon-ahead", "cordon-ahead")
