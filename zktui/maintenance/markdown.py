"""A report in Markdown, for a ticket or a mail. Whatever the cluster says in it is text, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from zktui.core.ports import ProbeSummary
from zktui.core.text import count, printable, span
from zktui.maintenance.jsonvalues import objects_of, text_of, texts_of
from zktui.maintenance.model import JsonValue
from zktui.maintenance.outages import BELOW, LEADERLESS, UNKNOWN, most_in_words
from zktui.maintenance.report import UNATTENDED, Move, NodePart, Report

LASTED = "and it lasted when the journal ended"
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~&!])")


def to_markdown(report: Report) -> str:
    """The whole report; local times, with their offset where they begin."""
    sections = (
        _head(report),
        _in_short(report),
        _plan(report),
        _nodes(report.nodes),
        _moves(report.moves),
        _servers(report),
        _clients(report.probe),
        _budget(report),
        _lines("Answers of the API server", ((s.wall, s.text) for s in report.answers)),
        _lines("What was said and what stopped it", ((s.wall, s.text) for s in report.words)),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def plain(text: str) -> str:
    """As it is, on one line: no character of it is markup or is obeyed by a terminal."""
    return _MARKUP.sub(r"\\\1", printable(text))


def _head(report: Report) -> list[str]:
    nodes = ", ".join(plain(node) for node in texts_of(report.plan, "nodes")) or "no node"
    took = span(report.ended - report.began)
    lines = [f"# Maintenance of {nodes}: {report.status}", ""]
    lines += [f"- run {plain(report.run_id) or 'without an id'}, by {plain(report.who) or 'nobody knows whom'}"]
    lines += [f"- {_date(report.began)} to {_date(report.ended)}, {took}"]
    if report.parts > 1:
        lines += [f"- resumed: {report.parts} programs worked at it"]
    lines += [f"- note: {plain(note)}" for note in report.notes]
    lines += [f"- {plain(report.message)}"]
    if report.cordoned:
        names = " ".join(plain(name) for name in report.cordoned)
        perhaps = ", as far as its journal goes" if report.status == UNATTENDED else ""
        lines += ["", f"**Still cordoned by this run{perhaps}: {names}.** To undo it: `kubectl uncordon {names}`"]
    return lines


def _in_short(report: Report) -> list[str]:
    felt = report.probe
    rows = [
        ("members moved", _planned(len(report.evicted), report.plan, "evictions")),
        ("elections seen", _planned(len(report.elections), report.plan, "elections")),
        ("members below majority", _outage(report, BELOW)),
        ("members without a leader", _outage(report, LEADERLESS)),
    ]
    if any(outage.what == UNKNOWN for outage in report.outages):
        rows += [("not known who served", _outage(report, UNKNOWN))]
    if felt is not None and felt.sessions:
        rows += [
            ("longest gap that a client session felt", f"{felt.longest_gap:.1f} s"),
            ("operations of these that failed", f"{felt.failures} of {felt.operations}"),
        ]
        if any(session.writes for session in felt.sessions):
            lost = sum(session.lost_writes for session in felt.sessions)
            rows += [("acknowledged writes lost", f"{lost} of {sum(s.writes for s in felt.sessions)}")]
    rows += [("left cordoned", ", ".join(plain(name) for name in report.cordoned) or "none")]
    return ["## In short", "", *_table(("", ""), rows)]


def _planned(number: int, plan: Mapping[str, JsonValue], key: str) -> str:
    expected = plan.get(key)
    return f"{number} (planned: {expected})" if isinstance(expected, int) else str(number)


def _outage(report: Report, what: str) -> str:
    least, most = report.outage(what)
    if most == 0:
        return "never seen"
    mine = [outage for outage in report.outages if outage.what == what]
    return f"{least:.1f} s at least, {most_in_words(mine, LASTED)}"


def _plan(report: Report) -> list[str]:
    plan = report.plan
    if not plan:
        return []
    lines = ["## Plan", ""]
    lines += [f"- {plain(reason)}" for reason in texts_of(plan, "reasons")]
    if text_of(plan, "saves"):
        lines += [f"- {plain(text_of(plan, 'saves'))}"]
    options = plan.get("options")
    if isinstance(options, dict) and options:
        lines += [f"- options: {', '.join(_option(key, value) for key, value in options.items())}"]
    lines += [
        f"- {plain(text_of(finding, 'level'))}: {plain(text_of(finding, 'text'))}"
        for finding in objects_of(plan, "findings")
    ]
    return lines if len(lines) > 2 else []


def _option(key: str, value: JsonValue) -> str:
    told = ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
    return f"--{plain(key.replace('_', '-'))}" + ("" if value is True else f" {plain(told)}")


def _nodes(nodes: Sequence[NodePart]) -> list[str]:
    rows = [
        (plain(n.name), *(_time(at) for at in (n.cordoned, n.drained, n.held, n.uncordoned, n.verified))) for n in nodes
    ]
    return ["## Nodes", "", *_table(("node", "cordoned", "drained", "held", "uncordoned", "verified"), rows)]


def _moves(moves: Sequence[Move]) -> list[str]:
    if not moves:
        return []
    rows = [
        (
            plain(move.pod) + ("" if move.member else " (no member)"),
            plain(move.node),
            plain(move.placed_on) or "–",
            _time(move.evicted),
            _time(move.gone),
            _time(move.rejoined),
            f"{move.rejoined - move.gone:.1f} s" if move.rejoined is not None and move.gone is not None else "–",
        )
        for move in moves
    ]
    header = ("pod", "from", "to", "evicted", "gone", "verified", "away")
    after = "`verified` is once it was Ready, serving and caught up for the whole dwell; `away` counts until then."
    return ["## Pods that were evicted", "", *_table(header, rows), "", after]


def _servers(report: Report) -> list[str]:
    if not report.quorums:
        return []
    rows = [
        (
            _time(seen.wall),
            plain(seen.ensemble),
            f"{seen.serving} of {seen.voters}",
            plain(seen.leader) or "none",
            "–" if seen.epoch is None else str(seen.epoch),
            plain(seen.health),
        )
        for seen in report.quorums
    ]
    lines = ["## Who served", "", *_table(("time", "ensemble", "voters serving", "leader", "epoch", ""), rows), ""]
    lines += [
        f"- {_time(e.wall)} election in {plain(e.ensemble)}: {plain(e.before)}, then {plain(e.leader)}"
        + (f" in epoch {e.epoch}" if e.epoch is not None else "")
        for e in report.elections
    ]
    lines += [
        f"- {_time(o.wall)} {plain(o.ensemble)} {o.what}: {o.at_least:.1f} s at least, " + most_in_words([o], LASTED)
        for o in report.outages
    ]
    if report.readings:
        readings = f"By {count(report.readings, 'reading')} of every member's own answer, at most {report.widest:.1f} s"
        lines += [f"- {readings} apart: what was shorter than that may not have been seen."]
    return lines


def _clients(felt: ProbeSummary | None) -> list[str]:
    if felt is None or not felt.sessions:
        return ["## What clients felt", "", "Was not probed, or the program ended before it could tell."]
    rows = [
        (
            plain(s.home),
            plain(s.through) or "none",
            str(s.operations),
            str(s.failures),
            f"{s.longest_gap:.1f} s",
            str(s.expired),
            plain(s.refused) or (f"{s.writes}, {s.lost_writes} lost" if s.writes else "–"),
        )
        for s in felt.sessions
    ]
    header = ("session of", "ended at", "operations", "failed", "longest gap", "expired", "writes acknowledged")
    lines = ["## What clients felt", "", *_table(header, rows), ""]
    lines += [
        f"- {_time(gap.wall)} session of {plain(gap.session)}: {gap.seconds:.1f} s without an answer from "
        f"{plain(gap.lost) or 'any member'} ({plain(gap.why)})" + (f", then {plain(gap.found)}" if gap.found else "")
        for gap in felt.gaps
    ]
    lines += [
        "- One session at each member, reading ten times a second; lost, it tries the next member after a quarter of "
        "the outage up to then, 0.1 to 1 s. Other clients wait as their own library does. It talks through the API "
        "server, which may pass on a second late that a member has closed a connection."
    ]
    return lines


def _budget(report: Report) -> list[str]:
    if not report.budget:
        return []
    rows = [
        (_time(b.wall), plain(b.budget), str(b.allowed), str(b.current), str(b.desired), str(b.expected))
        for b in report.budget
    ]
    header = ("time", "budget", "disruptions allowed", "healthy", "needed", "expected")
    return ["## Budget", "", *_table(header, rows)]


def _lines(title: str, lines: Iterable[tuple[float, str]]) -> list[str]:
    told = [f"- {_time(wall)} {plain(text)}" for wall, text in lines]
    return [f"## {title}", "", *told] if told else []


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]


def _time(wall: float | None) -> str:
    return datetime.fromtimestamp(wall).astimezone().strftime("%H:%M:%S") if wall is not None else "–"


def _date(wall: float) -> str:
    return datetime.fromtimestamp(wall).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
