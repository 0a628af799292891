"""The conditions before one member may go: pure functions from fresh facts to a gate with its evidence.

Complete on `srvr` alone. Evidence older than 2 s is unknown, and unknown is no: such a gate waits. The rules and where
they come from are in docs/maintenance.md; each function names its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from zktui.core.disruption import Allowance, judge_eviction
from zktui.core.kube import Lease, Pod, PodKey
from zktui.core.quorum import Health, majority
from zktui.core.text import count
from zktui.core.zookeeper import Ensemble, Member, Mode
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.landing import openings
from zktui.maintenance.model import Action, ActionKind, Gate, GateName, Options, PlannedMember, PodStep, Standing
from zktui.maintenance.offers import discard_offer
from zktui.maintenance.returning import landing_gate, return_gate
from zktui.maintenance.strangers import strangers

RECENT = 60.0
"""Seconds after which a Ready member is no newcomer: readiness came up to 40 s before serving (docs/maintenance.md)."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A member that this run has moved, as far as it has come."""

    name: str
    ensemble: str
    """UID of the StatefulSet."""
    step: PodStep
    successor: str = ""
    """UID."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who would go, and what the run knows beside the facts."""

    ensemble: Ensemble
    pod: PodKey
    node: str
    options: Options
    holder: str
    """This run's name on the lease."""
    leases: Mapping[str, Lease]
    """By namespace, as the server last gave them to this run."""
    planned: PlannedMember | None = None
    moved: tuple[Moved, ...] = ()
    good_since: Mapping[str, float] = field(default_factory=dict[str, float])
    """Pod UID to since when, without a break, it was seen serving and caught up."""
    evicted: frozenset[str] = frozenset()
    """UIDs whose eviction this run has sent."""
    refused: tuple[str, str] = ("", "")
    """The server's words on this pod's last refused eviction, and the budget's resourceVersion then."""
    stays_cordoned: bool = False
    """This node will be left cordoned."""


def judge(facts: Facts, asked: Asked, now: float) -> tuple[Gate, ...]:
    """All six gates, in the order in which people read them."""
    pod = _pod(facts, asked)
    if pod is None:
        names = tuple(GateName)
        return tuple(Gate(name, Standing.WAITING, f"{asked.pod.name} can't be seen", facts.at) for name in names)
    gates = (
        budget_gate(facts, asked, pod, now),
        quorum_gate(facts, asked, pod, now),
        return_gate(facts, asked.ensemble, pod, now),
        landing_gate(facts, asked.ensemble, pod, asked.node, asked.planned, now, stays_cordoned=asked.stays_cordoned),
        settled_gate(facts, asked, pod, now),
        alone_gate(facts, asked, now),
    )
    listed = facts.pods[asked.ensemble.key]
    return gates if listed.fresh(now) else tuple(_old(gate, listed, now) for gate in gates)


def _pod(facts: Facts, asked: Asked) -> Pod | None:
    return next((p for p in facts.members_pods(asked.ensemble) if p.uid == asked.pod.uid), None)


def _old(gate: Gate, listed: Reading[tuple[Pod, ...]], now: float) -> Gate:
    """Pods that were read too long ago leave nothing to judge by."""
    if gate.standing is not Standing.OK:
        return gate
    return replace(gate, standing=Standing.WAITING, evidence=f"the pods were read {now - listed.at:.1f} s ago")


def _unknown(name: GateName, reading: Reading[object], what: str, now: float) -> Gate:
    if reading.denied:
        return Gate(name, Standing.BLOCKED, reading.why, reading.at, unblock="the permission to read it")
    why = reading.why or f"{what} read {now - reading.at:.1f} s ago: too old to decide on"
    return Gate(name, Standing.WAITING, why, reading.at)


def uncordon_for(facts: Facts, ensemble: Ensemble, besides: str) -> Action | None:
    """The one uncordon that would let a member schedule that has nowhere to go; `besides` is the node at work."""
    for pod in facts.members_pods(ensemble):
        if pod.phase == "Pending" and not pod.node and not pod.terminating:
            for node in openings(pod, facts):
                if node != besides:
                    return Action(ActionKind.UNCORDON, node, f"uncordon {node} so that {pod.name} can schedule")
    return None


def override_for(pod: Pod, what: str) -> Action:
    return Action(ActionKind.OVERRIDE, pod.name, f"type {pod.name} to {what}")


def budget_gate(facts: Facts, asked: Asked, pod: Pod, now: float) -> Gate:
    """As the server would judge this very pod: its status current, one budget only, one disruption allowed."""
    name = GateName.BUDGET
    listed = facts.budgets_in(pod.namespace)
    if not listed.fresh(now):
        return _unknown(name, listed, "budgets", now)
    verdict = judge_eviction(pod, listed.value or ())
    at, why = listed.at, verdict.why
    words, version = asked.refused
    if words and verdict.budget is not None and verdict.budget.resource_version == version:
        why = f"{why}; the server said: {words}"
    if verdict.allowance is Allowance.YES:
        return Gate(name, Standing.OK, why, at)
    if verdict.allowance is Allowance.REFUSED:
        return Gate(name, Standing.BLOCKED, why, at, unblock="let one budget cover this pod")
    if verdict.allowance is Allowance.STALE:
        return Gate(name, Standing.WAITING, why, at, unblock="the disruption controller sees the change")
    budget = verdict.budget
    if budget is not None and pod.name in budget.disrupted and pod.uid not in asked.evicted:
        held = budget.disrupted[pod.name] + 120 - facts.wall
        if held > 0:
            why = f"{why}; held by our refused eviction for up to {held:.0f} s more"
            return Gate(name, Standing.WAITING, why, at)
    if budget is not None and budget.expected and budget.desired >= budget.expected:
        return Gate(name, Standing.BLOCKED, why, at, unblock=f"{budget.name} never allows one to go: change it")
    action = uncordon_for(facts, asked.ensemble, asked.node)
    if action is not None:
        return Gate(name, Standing.BLOCKED, why, at, unblock=action.text, action=action)
    return Gate(name, Standing.WAITING, why, at, unblock="more of its pods become Ready")


def _staying(facts: Facts, ensemble: Ensemble, pod: Pod) -> tuple[Member, ...]:
    """Members other than this one that are not on their way out."""
    budgets = facts.budgets_in(ensemble.namespace).value or ()
    leaving = {name: at for budget in budgets for name, at in budget.disrupted.items()}

    def goes(member: Member) -> bool:
        # An eviction that was granted and whose deletion is still to come; a later pod of that name is not meant.
        granted = leaving.get(member.pod.name)
        return member.pod.terminating or (granted is not None and (member.pod.created_at or 0.0) <= granted)

    return tuple(m for m in facts.members(ensemble) if m.pod.uid != pod.uid and not goes(m))


def quorum_gate(facts: Facts, asked: Asked, pod: Pod, now: float) -> Gate:
    """Serving voters other than this pod must be more than half of all voters of the running configuration.

    With five or more voters one to spare beyond that, by default. The others are counted, so that a broken member
    costs nothing. One or two voters: any eviction is an outage and needs --accept-outage.
    """
    name = GateName.QUORUM
    reading = facts.configs.get(asked.ensemble.key)
    alone_config = reading is not None and reading.value is None and len(facts.members_pods(asked.ensemble)) == 1
    if not alone_config and (reading is None or not reading.fresh(now)):
        return _unknown(name, reading or Reading(facts.at), "the running configuration", now)
    quorum = facts.quorum(asked.ensemble, now)
    at = min((m.report.at for m in facts.members(asked.ensemble) if m.report.at > float("-inf")), default=facts.at)
    config = facts.config(asked.ensemble)
    if config is not None and config.hierarchical:
        return Gate(name, Standing.BLOCKED, quorum.why, at, unblock="plain majority voters", final=True)
    voters = quorum.voters
    if voters in (1, 2) and asked.options.accept_outage:
        return Gate(name, Standing.OK, f"{count(voters, 'voter')}: the outage until it is back is accepted", at)
    if voters in (1, 2):
        why = f"{count(voters, 'voter')}: any eviction is an outage until the member is back (5 to 40 s as a rule)"
        return Gate(name, Standing.BLOCKED, why, at, unblock="--accept-outage", action=override_for(pod, "accept it"))
    ids = {server.myid for server in config.voters} if config else set[int]()
    staying = [m for m in _staying(facts, asked.ensemble, pod) if m.myid in ids and m.report.serving(now)]
    remain = len({m.myid for m in staying if m.report.mode is not Mode.OBSERVER})
    me = next((m for m in facts.members(asked.ensemble) if m.pod.uid == pod.uid), None)
    costs = me is not None and me.myid in ids and _may_serve(me)
    spare = _spare(asked.options, voters) if costs else 0
    need = majority(voters) + spare
    beyond = f" and {spare} to spare" if spare else ""
    figures = f"{remain} of {voters} serve without {pod.name}, majority is {majority(voters)}{beyond}"
    if quorum.health is Health.QUORUM and remain >= need:
        veto = _unsynced(facts, asked.ensemble, ids, now)
        return (
            Gate(name, Standing.WAITING, f"{figures}, but {veto}", at) if veto else Gate(name, Standing.OK, figures, at)
        )
    why = figures if remain < need else f"{figures}, but {quorum.why or quorum.phrase()}"
    action = uncordon_for(facts, asked.ensemble, asked.node)
    if action is not None:
        return Gate(name, Standing.BLOCKED, why, at, unblock=action.text, action=action)
    silent = _missing(facts, asked.ensemble, pod, now)
    standing = Standing.WAITING if quorum.health is not Health.QUORUM else Standing.BLOCKED
    if _coming(facts, asked.ensemble, pod, now):
        standing = Standing.WAITING
    return Gate(name, standing, f"{why}{silent}", at, unblock=f"{max(1, need - remain)} more of the others serve")


def _unsynced(facts: Facts, ensemble: Ensemble, voters: set[int], now: float) -> str:
    """What the leader's `mntr`, where it is open, has against it: fewer synced followers than say that they follow.

    Only a veto: with a follower frozen in mid-sync it went on saying 2 for 14 s (seen on ZooKeeper 3.9.4).
    """
    leader = facts.leader(ensemble)
    synced = leader.detail.synced_followers if leader is not None and leader.detail is not None else None
    if leader is None or synced is None or synced < 0:
        return ""
    mine = [m for m in facts.members(ensemble) if m.myid in voters and m.pod.uid != leader.pod.uid]
    follow = sum(1 for m in mine if m.report.mode is Mode.FOLLOWER and m.report.serving(now))
    return f"{leader.pod.name} counts {synced} of {follow} followers as synced" if synced < follow else ""


def _may_serve(member: Member) -> bool:
    """It says so; or we can't hear it, and its kubelet can: the others may well hear it, too."""
    mode = member.report.mode
    return mode.serving or (mode in (Mode.SILENT, Mode.UNKNOWN) and member.pod.ready)


def _spare(options: Options, voters: int) -> int:
    return options.spare if options.spare is not None else (1 if voters >= 5 else 0)


def _missing(facts: Facts, ensemble: Ensemble, pod: Pod, now: float) -> str:
    """Who does not serve or will not for long, in words; and voters outside this cluster, which nobody asks."""
    stay = {m.pod.uid for m in _staying(facts, ensemble, pod)}
    out: list[str] = []
    for member in facts.members(ensemble):
        if member.pod.uid == pod.uid:
            continue
        if member.pod.uid not in stay:
            out.append(f"{member.pod.name} is leaving")
        elif not member.report.serving(now):
            out.append(f"{member.pod.name} {member.report.mode if member.report.fresh(now) else 'not heard for 2 s'}")
    config = facts.config(ensemble)
    here = {member.myid for member in facts.members(ensemble)}
    out += [f"{s.host} has no pod here" for s in (config.voters if config else ()) if s.myid not in here]
    return f": {', '.join(out)}" if out else ""


def _coming(facts: Facts, ensemble: Ensemble, pod: Pod, now: float) -> bool:
    """Whether a member is on its way: it starts on a node, makes room for its successor, or is yet to be made."""
    others = [m for m in facts.members(ensemble) if m.pod.uid != pod.uid]
    leaving = len(others) > len(_staying(facts, ensemble, pod))
    starting = any(not m.report.serving(now) and m.pod.node for m in others)
    return leaving or starting or len(others) < ensemble.statefulset.replicas - 1


def settled_gate(facts: Facts, asked: Asked, pod: Pod, now: float) -> Gate:
    """The member moved last has come back: new UID, serving and caught up for a dwell of syncLimit x tickTime, Ready.

    A budget opens up to 40 s before that with a readiness that only says alive. Members that started lately by
    themselves are waited for in the same way.
    """
    name = GateName.SETTLED
    dwell = asked.options.dwell if asked.options.dwell is not None else asked.ensemble.dwell
    for moved in asked.moved:
        if moved.ensemble == asked.ensemble.key.uid and moved.step is not PodStep.REJOINED:
            return _unsettled(facts, asked, moved, dwell, now)
    waiting: list[tuple[float, str]] = []
    for member in _staying(facts, asked.ensemble, pod):
        since = asked.good_since.get(member.pod.uid)
        ready = member.pod.ready_since
        lately = ready is None or facts.wall - ready < RECENT
        if since is not None and lately and now - since < dwell:
            waiting.append((now - since, member.pod.name))
    if waiting:
        done, who = min(waiting)
        why = f"{who} started lately and serves for {done:.0f} s of {dwell:.0f} s"
        return Gate(name, Standing.WAITING, why, facts.at, progress=(done, dwell))
    count = sum(1 for m in asked.moved if m.ensemble == asked.ensemble.key.uid)
    return Gate(name, Standing.OK, f"all {count} moved so far are back" if count else "none moved yet", facts.at)


def _unsettled(facts: Facts, asked: Asked, moved: Moved, dwell: float, now: float) -> Gate:
    name = GateName.SETTLED
    successor = next((p for p in facts.members_pods(asked.ensemble) if p.uid == moved.successor), None)
    if successor is None:
        return Gate(name, Standing.WAITING, f"{moved.name} is not back yet", facts.at)
    if not successor.node:
        action = uncordon_for(facts, asked.ensemble, asked.node) or discard_offer(successor, facts)
        why = f"{moved.name} is Pending{': ' + successor.message if successor.message else ''}"
        return Gate(name, Standing.BLOCKED, why, facts.at, unblock=action.text if action else "room", action=action)
    since = asked.good_since.get(successor.uid)
    if since is None or (now - since >= dwell and not successor.ready):
        why = f"{moved.name} on {successor.node}: {lacks(facts, asked.ensemble, successor, now)}"
        return Gate(name, Standing.WAITING, why, facts.at)
    done = min(now - since, dwell)
    why = f"{moved.name} rejoined {done:.0f} s ago, waiting {dwell:.0f} s"
    return Gate(name, Standing.WAITING, why, facts.at, progress=(done, dwell))


def lacks(facts: Facts, ensemble: Ensemble, pod: Pod, now: float) -> str:
    """What a member that came back still lacks, in words."""
    report = facts.reports.get(pod.uid)
    if not pod.ready:
        return f"not Ready ({pod.status})"
    if report is None or not report.serving(now):
        return f"does not serve ({report.mode if report else 'not asked'})"
    leader = facts.leader(ensemble)
    return f"not caught up (zxid {report.zxid}, leader {leader.zxid if leader else 'unknown'})"


def alone_gate(facts: Facts, asked: Asked, now: float) -> Gate:
    """Our lease, read fresh and still as the server gave it to us; and nobody else is disrupting members."""
    name = GateName.ALONE
    at = facts.at
    for namespace in sorted(facts.leases):
        reading = facts.leases[namespace]
        if not reading.fresh(now):
            return replace(_unknown(name, reading, "the lease", now), final=True)
        lease, mine = reading.value, asked.leases.get(namespace)
        if lease is not None and lease.holder and lease.holder != asked.holder:
            return _held(lease, facts.wall, reading.at)
        if lease is None or mine is None or lease.holder != asked.holder:
            return Gate(name, Standing.WAITING, f"the lease in {namespace} is to be taken", reading.at, final=True)
        at = min(at, reading.at)
    found = strangers(facts, asked.ensemble, asked.evicted)
    if found:
        return Gate(name, Standing.BLOCKED, "; ".join(found), at, unblock="the other disruption is over")
    return Gate(name, Standing.OK, "lease held, nobody else disrupts", at)


def _held(lease: Lease, wall: float, at: float) -> Gate:
    ago = f"{wall - lease.renewed_at:.0f} s ago" if lease.renewed_at is not None else "at an unknown time"
    where = f"{lease.namespace}/{lease.name}"
    if lease.expired(wall):
        why = f"{lease.holder} held {where} and renewed it last {ago}: it has expired and is being taken"
        return Gate(GateName.ALONE, Standing.WAITING, why, at, final=True)
    why = f"{lease.holder} holds {where}, renewed {ago}"
    return Gate(GateName.ALONE, Standing.BLOCKED, why, at, unblock=f"{lease.holder} ends", final=True)
