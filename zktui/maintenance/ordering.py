"""In which order the nodes go: what costs the fewest moves, then the fewest elections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from zktui.core.kube import Pod
from zktui.core.quorum import majority
from zktui.core.store import natural
from zktui.core.zookeeper import Ensemble, EnsembleKey, Member, Mode
from zktui.maintenance.facts import Facts

MOST_TRIED = 7
"""Nodes with members up to which every order is tried: 5,040 of them. With more, the rule of thumb stands alone."""


@dataclass(frozen=True, slots=True)
class Order:
    names: tuple[str, ...]
    reasons: tuple[str, ...]


def order_of(facts: Facts, names: Sequence[str], ensembles: Sequence[Ensemble]) -> Order:
    """Empty nodes first, so that members can move to them for good; the rest so that the fewest elections follow.

    Of orders with equally many, the one that takes nodes without a leader first, by name.
    """
    pods = [(e, p) for e in ensembles for p in facts.members_pods(e) if not p.finished]
    members = {name: [p for _, p in pods if p.node == name] for name in names}
    leaders = {leader.pod.uid for e in ensembles if (leader := facts.leader(e)) is not None}
    led = {name: sum(1 for p in members[name] if p.uid in leaders) for name in names}
    base = sorted(names, key=lambda name: (bool(members[name]), led[name], len(members[name]), natural(name)))
    empty = [name for name in base if not members[name]]
    rest = [name for name in base if members[name]]
    best = tuple(rest)
    if 1 < len(rest) <= MOST_TRIED and leaders:
        best = min(permutations(rest), key=lambda tried: _elections_if(facts, ensembles, tried, members, leaders))
    reasons: list[str] = []
    if empty and rest:
        reasons.append(f"{', '.join(empty)} first: no member is there, so the next ones can move to it for good")
    order = (*empty, *best)
    last = [f"{n} ({', '.join(p.name for p in members[n] if p.uid in leaders)})" for n in order if led[n]]
    if last and len(order) > 1:
        reasons.append(f"{', '.join(last)} last: the leader goes once, so there is one election")
    return Order(order, tuple(reasons))


def _elections_if(
    facts: Facts,
    ensembles: Sequence[Ensemble],
    names: Iterable[str],
    members: Mapping[str, Sequence[Pod]],
    leaders: set[str],
) -> int:
    """If each member moves once: within a node its leader goes last."""
    gone = [pod.uid for name in names for pod in sorted(members[name], key=lambda p: p.uid in leaders)]
    return elections_of(facts, ensembles, gone)


def elections_of(facts: Facts, ensembles: Sequence[Ensemble], evicted: Sequence[str]) -> int:
    """Elections that follow from evicting the members with these UIDs one after another, each back before the next.

    A successor keeps its predecessor's UID here. Of voters that hold the same transactions, the one with the highest
    id wins (FastLeaderElection.totalOrderPredicate); an observer, which often has the highest of all, is no candidate.
    A leader whose last majority goes with a follower steps down, and is elected anew with its return: of two voters
    each eviction costs an election (seen on ZooKeeper 3.9.4).
    """
    count = 0
    leads: dict[EnsembleKey, str] = {}
    home: dict[str, tuple[Ensemble, tuple[Member, ...]]] = {}
    for ensemble in ensembles:
        voters = tuple(m for m in facts.members(ensemble) if m.report.mode is not Mode.OBSERVER)
        home.update((member.pod.uid, (ensemble, voters)) for member in voters)
        leader = facts.leader(ensemble)
        if leader is not None:
            leads[ensemble.key] = leader.pod.uid
    for uid in evicted:
        if uid not in home:
            continue
        ensemble, members = home[uid]
        leader, config = leads.get(ensemble.key), facts.config(ensemble)
        others = [m for m in members if m.pod.uid != uid and m.myid is not None and m.report.mode.serving]
        if leader == uid:
            leads[ensemble.key] = max(others, key=lambda m: m.myid or 0).pod.uid if others else ""
            count += 1
        elif leader and config is not None and len(config.voters) - 1 < majority(len(config.voters)):
            count += 1
    return count
