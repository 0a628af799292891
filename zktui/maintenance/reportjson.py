"""A report for programs: one document, or JSON lines of which each stands for itself. Keys are stable."""

from __future__ import annotations

import json
from collections.abc import Iterator

from zktui.core.ports import ProbeGap, ProbeSession, ProbeSummary
from zktui.maintenance.model import JsonValue
from zktui.maintenance.outages import BELOW, LEADERLESS, UNKNOWN, Election, Outage, QuorumSeen
from zktui.maintenance.report import BudgetPoint, Move, NodePart, Report, Said

Document = dict[str, JsonValue]


def to_document(report: Report) -> Document:
    """One document. Times are seconds since the epoch; what is not known is null."""
    return {
        "apiVersion": "zktui/v1",
        **_head(report),
        "nodes": [_node(node) for node in report.nodes],
        "moves": [_move(move) for move in report.moves],
        "elections": [_election(election) for election in report.elections],
        "outages": [_outage(outage) for outage in report.outages],
        "quorums": [_quorum(seen) for seen in report.quorums],
        "budget": [_budget(point) for point in report.budget],
        "probe": _probe(report.probe),
        "replies": [_said(said) for said in report.answers],
        "words": [_said(said) for said in report.words],
    }


def to_jsonl(report: Report) -> str:
    """One object a line, each with its `kind`; the first has the figures of the whole run."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[Document]:
    yield _head(report)
    for kind, items in (
        ("node", [_node(node) for node in report.nodes]),
        ("move", [_move(move) for move in report.moves]),
        ("election", [_election(election) for election in report.elections]),
        ("outage", [_outage(outage) for outage in report.outages]),
        ("quorum", [_quorum(seen) for seen in report.quorums]),
        ("budget", [_budget(point) for point in report.budget]),
        ("session", [_session(session) for session in report.probe.sessions] if report.probe else []),
        ("gap", [_gap(gap) for gap in report.probe.gaps] if report.probe else []),
        ("reply", [_said(said) for said in report.answers]),
        ("word", [_said(said) for said in report.words]),
    ):
        for item in items:
            yield {"kind": kind, **item}


def _head(report: Report) -> Document:
    return {
        "kind": "Report",
        "run": report.run_id,
        "who": report.who,
        "status": report.status,
        "message": report.message,
        "began": report.began,
        "ended": report.ended,
        "parts": report.parts,
        "notes": [*report.notes],
        "plan": {**report.plan},
        "membersMoved": len(report.evicted),
        "electionsSeen": len(report.elections),
        "belowMajority": _span(report, BELOW),
        "withoutLeader": _span(report, LEADERLESS),
        "notKnown": _span(report, UNKNOWN),
        "longestGap": round(report.probe.longest_gap, 3) if report.probe else None,
        "readings": report.readings or None,
        "widestStep": report.widest if report.readings else None,
        "cordoned": [*report.cordoned],
    }


def _span(report: Report, what: str) -> Document:
    least, most = report.outage(what)
    return {"atLeast": round(least, 3), "atMost": round(most, 3) if most is not None else None}


def _node(node: NodePart) -> Document:
    return {
        "node": node.name,
        "cordoned": node.cordoned,
        "drained": node.drained,
        "held": node.held,
        "uncordoned": node.uncordoned,
        "verified": node.verified,
    }


def _move(move: Move) -> Document:
    return {
        "namespace": move.namespace,
        "pod": move.pod,
        "uid": move.uid,
        "member": move.member,
        "from": move.node,
        "to": move.placed_on or None,
        "evicted": move.evicted,
        "gone": move.gone,
        "verified": move.rejoined,
        "replies": [*move.answers],
    }


def _election(election: Election) -> Document:
    return {
        "time": election.wall,
        "ensemble": election.ensemble,
        "leader": election.leader,
        "before": election.before,
        "epoch": election.epoch,
    }


def _outage(outage: Outage) -> Document:
    return {
        "time": outage.wall,
        "ensemble": outage.ensemble,
        "what": outage.what,
        "atLeast": round(outage.at_least, 3),
        "atMost": round(outage.at_most, 3) if outage.at_most is not None else None,
        "over": outage.over,
    }


def _quorum(seen: QuorumSeen) -> Document:
    return {
        "time": seen.wall,
        "ensemble": seen.ensemble,
        "health": seen.health,
        "serving": seen.serving,
        "voters": seen.voters,
        "leader": seen.leader or None,
        "epoch": seen.epoch,
    }


def _budget(point: BudgetPoint) -> Document:
    return {
        "time": point.wall,
        "budget": point.budget,
        "disruptionsAllowed": point.allowed,
        "currentHealthy": point.current,
        "desiredHealthy": point.desired,
        "expectedPods": point.expected,
    }


def _probe(felt: ProbeSummary | None) -> JsonValue:
    if felt is None:
        return None
    return {
        "operations": felt.operations,
        "failures": felt.failures,
        "longestGap": round(felt.longest_gap, 3),
        "sessions": [_session(session) for session in felt.sessions],
        "gaps": [_gap(gap) for gap in felt.gaps],
    }


def _session(session: ProbeSession) -> Document:
    return {
        "namespace": session.namespace,
        "session": session.home,
        "through": session.through or None,
        "operations": session.operations,
        "failures": session.failures,
        "longestGap": round(session.longest_gap, 3),
        "expired": session.expired,
        "writes": session.writes,
        "lostWrites": session.lost_writes,
        "refused": session.refused,
    }


def _gap(gap: ProbeGap) -> Document:
    return {
        "time": gap.wall,
        "seconds": round(gap.seconds, 3),
        "session": gap.session,
        "lost": gap.lost or None,
        "found": gap.found or None,
        "message": gap.why,
    }


def _said(said: Said) -> Document:
    found: Document = {"time": said.wall, "kind": said.kind, "text": said.text}
    return {**found, **{key: value for key, value in (("node", said.node), ("pod", said.pod)) if value}}
