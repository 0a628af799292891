"""A past run in words: its line in the list, and its report."""

from __future__ import annotations

import time
from collections.abc import Sequence

from zktui.core.quorum import Health
from zktui.core.text import homely
from zktui.maintenance.jsonvalues import objects_of, text_of, texts_of
from zktui.maintenance.outages import BELOW, LEADERLESS, UNKNOWN, QuorumSeen, most_in_words
from zktui.maintenance.report import UNATTENDED, Move, Report
from zktui.maintenance.runs import BROKEN, RUNNING, PastRun
from zktui.ui.screens.wizard.words import Cell, count, span, table
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets import grid
from zktui.ui.widgets.page import Row, row

BLANK = row()
LASTED = "not over when the journal ended"
STATUS_TONES = {"done": Tone.SAFE, "failed": Tone.BLOCKED, BROKEN: Tone.BLOCKED, RUNNING: Tone.STRONG}
SIGNS = {"done": "✓ ", "failed": "✖ ", BROKEN: "✖ ", RUNNING: "▸ "}


def row_of(run: PastRun) -> grid.Row:
    """One line of the list."""
    told = run.report
    tone = STATUS_TONES.get(run.status, Tone.WAITING)
    status = grid.cell(f"{SIGNS.get(run.status, '! ')}{run.status}", tone)
    if told is None:
        return grid.Row(run.id, (grid.cell(run.id), status, *(grid.cell("–", Tone.DIM) for _ in range(6))))
    took = told.ended - told.began
    gap = told.probe.longest_gap if told.probe is not None and told.probe.sessions else None
    return grid.Row(
        run.id,
        (
            grid.cell(_date(told.began), rank=told.began),
            status,
            grid.cell(", ".join(texts_of(told.plan, "nodes")) or "–"),
            grid.cell(str(len(told.evicted)), rank=len(told.evicted)),
            grid.cell(span(took), rank=took),
            _below(told),
            grid.cell("–", Tone.DIM) if gap is None else grid.cell(span(gap), rank=gap),
            grid.cell(told.who.partition(" ")[0] or "–", Tone.DIM),
        ),
    )


def _below(report: Report) -> grid.Cell:
    least, most = report.outage(BELOW)
    if most == 0:
        return grid.cell("never seen", Tone.SAFE, 0)
    return grid.cell(f"{least:.1f} s at least", Tone.WAITING, least)


def rows(run: PastRun) -> list[Row]:
    """The whole report."""
    told = run.report
    problem = [row([Piece(" ! ", Tone.WAITING)], [Piece(run.problem, Tone.WAITING)])] if run.problem else []
    if told is None:
        return [*problem, row(" ", [Piece("Nothing of this run can be told.", Tone.DIM)])]
    sections = (
        [*problem, *_head(run, told)],
        _left(told),
        _short(told),
        _nodes(told),
        _moves(told.moves),
        _servers(told),
        _clients(told),
        _plan(told),
        _budget(told),
        _said("Answers of the API server", [(said.wall, said.text) for said in told.answers]),
        _said("What was said, and what stopped it", [(said.wall, said.text) for said in told.words]),
    )
    lines: list[Row] = []
    for section in sections:
        lines += [*([BLANK] if lines and section else []), *section]
    return lines


def _title(text: str) -> Row:
    return row([Piece(f" {text}", Tone.STRONG)])


def _head(run: PastRun, told: Report) -> list[Row]:
    tone = STATUS_TONES.get(run.status, Tone.WAITING)
    lines = [
        row(" ", [Piece(told.message, tone)]),
        row(" ", f"{_date(told.began)}, {span(told.ended - told.began)}, by {told.who or 'nobody knows whom'}"),
    ]
    if told.parts > 1:
        lines.append(row(" ", [Piece(f"resumed: {told.parts} programs worked at it", Tone.DIM)]))
    lines += [row([Piece(" note  ", Tone.DIM)], [Piece(note, Tone.STRONG)]) for note in told.notes]
    lines.append(row([Piece(" file  ", Tone.DIM)], [Piece(homely(run.markdown), Tone.DIM)]))
    return lines


def _left(told: Report) -> list[Row]:
    if not told.cordoned:
        return []
    perhaps = ", as far as its journal goes" if told.status == UNATTENDED else ""
    lines = [row([Piece(" ! ", Tone.WAITING)], [Piece(f"Left cordoned by this run{perhaps}:", Tone.WAITING)])]
    return [*lines, *(row("   ", [Piece(f"kubectl uncordon {name}", Tone.KEY)]) for name in told.cordoned)]


def _short(told: Report) -> list[Row]:
    felt = told.probe
    facts: list[tuple[str, Piece]] = [
        ("members moved", _planned(len(told.evicted), told, "evictions")),
        ("elections seen", _planned(len(told.elections), told, "elections")),
        ("below majority", _outage(told, BELOW)),
        ("without a leader", _outage(told, LEADERLESS)),
    ]
    if any(outage.what == UNKNOWN for outage in told.outages):
        facts.append(("not known who served", _outage(told, UNKNOWN)))
    if felt is not None and felt.sessions:
        facts.append(("longest gap felt", Piece(f"{felt.longest_gap:.1f} s")))
        failed = f"{felt.failures} of {felt.operations}"
        facts.append(("operations that failed", Piece(failed, Tone.WAITING if felt.failures else Tone.SAFE)))
        if writes := sum(session.writes for session in felt.sessions):
            lost = sum(session.lost_writes for session in felt.sessions)
            facts.append(("writes lost", Piece(f"{lost} of {writes}", Tone.BLOCKED if lost else Tone.SAFE)))
    cells: list[list[Cell]] = [[Piece(f"   {name}", Tone.DIM), value] for name, value in facts]
    return [_title("In short"), *(row(line) for line in table(cells))]


def _planned(number: int, told: Report, key: str) -> Piece:
    expected = told.plan.get(key)
    if not isinstance(expected, int):
        return Piece(str(number))
    return Piece(f"{number}, {expected} planned", Tone.SAFE if number <= expected else Tone.WAITING)


def _outage(told: Report, what: str) -> Piece:
    least, most = told.outage(what)
    if most == 0:
        return Piece("never seen", Tone.SAFE)
    mine = [outage for outage in told.outages if outage.what == what]
    return Piece(f"{least:.1f} s at least, {most_in_words(mine, LASTED)}", Tone.WAITING)


def _nodes(told: Report) -> list[Row]:
    if not told.nodes:
        return []
    cells: list[list[Cell]] = [_heads("   NODE", "CORDONED", "DRAINED", "HELD", "UNCORDONED", "VERIFIED")]
    for node in told.nodes:
        times = (node.cordoned, node.drained, node.held, node.uncordoned, node.verified)
        cells.append([Piece(f"   {node.name}"), *(_time(at) for at in times)])
    return [_title("Nodes"), *(row(line) for line in table(cells))]


def _moves(moves: Sequence[Move]) -> list[Row]:
    if not moves:
        return []
    cells: list[list[Cell]] = [_heads("   POD", "FROM", "TO", "EVICTED", "GONE", "VERIFIED", "AWAY")]
    for move in moves:
        away = move.rejoined - move.gone if move.rejoined is not None and move.gone is not None else None
        name = Piece(f"   {move.pod}", Tone.STRONG if move.member else Tone.DIM)
        times = (_time(move.evicted), _time(move.gone), _time(move.rejoined))
        lost = away is None and move.member
        back = Piece("–" if away is None else span(away), Tone.BLOCKED if lost else Tone.DIM)
        cells.append([name, Piece(move.node), Piece(move.placed_on or "–"), *times, back])
    return [_title("Pods that were evicted"), *(row(line) for line in table(cells))]


def _servers(told: Report) -> list[Row]:
    if not told.quorums:
        return []
    cells: list[list[Cell]] = []
    for seen in told.quorums:
        whole = seen.serving == seen.voters and seen.health == Health.QUORUM.value
        voters = Piece(f"{seen.serving} of {seen.voters}", Tone.SAFE if whole else Tone.WAITING)
        cells.append([_indented(seen.wall), Piece(seen.ensemble), voters, _leader(seen)])
    lines = [_title("Who served"), *(row(line) for line in table(cells))]
    for election in told.elections:
        epoch = f" in epoch {election.epoch}" if election.epoch is not None else ""
        words = f"{election.ensemble}: {election.leader} elected{epoch}, before it {election.before} led"
        lines.append(row([_indented(election.wall), Piece("  ")], [Piece(words)]))
    for outage in told.outages:
        most = most_in_words([outage], LASTED)
        words = f"{outage.ensemble} {outage.what}: {outage.at_least:.1f} s at least, {most}"
        lines.append(row([_indented(outage.wall), Piece("  ")], [Piece(words, Tone.WAITING)]))
    if told.readings:
        words = (
            f"By {count(told.readings, 'reading')}, at most {told.widest:.1f} s apart: shorter ones may not be seen."
        )
        lines.append(row("   ", [Piece(words, Tone.DIM)]))
    return lines


def _leader(seen: QuorumSeen) -> Piece:
    if seen.health == Health.UNKNOWN.value:
        return Piece("not known", Tone.STALE)
    if seen.health == Health.NO_QUORUM.value:
        return Piece("no quorum", Tone.BLOCKED)
    return Piece(f"★ {seen.leader}", Tone.LEADER)


def _clients(told: Report) -> list[Row]:
    felt = told.probe
    if felt is None or not felt.sessions:
        return [_title("What clients felt"), row("   ", [Piece("Was not probed, or its end is not known.", Tone.DIM)])]
    cells: list[list[Cell]] = [_heads("   SESSION OF", "OPERATIONS", "FAILED", "LONGEST GAP", "EXPIRED", "WRITES")]
    for session in felt.sessions:
        writes = session.refused or f"{session.writes}, {session.lost_writes} lost"
        cells.append(
            [
                Piece(f"   {session.home}"),
                Piece(str(session.operations)),
                Piece(str(session.failures), Tone.WAITING if session.failures else Tone.PLAIN),
                Piece(f"{session.longest_gap:.1f} s"),
                Piece(str(session.expired), Tone.BLOCKED if session.expired else Tone.PLAIN),
                Piece(writes, Tone.BLOCKED if session.lost_writes else Tone.PLAIN),
            ]
        )
    lines = [_title("What clients felt"), *(row(line) for line in table(cells))]
    for gap in felt.gaps:
        then = f", then {gap.found}" if gap.found else ""
        words = (
            f"{gap.session}: {gap.seconds:.1f} s without an answer from {gap.lost or 'any member'} ({gap.why}){then}"
        )
        lines.append(row([_indented(gap.wall), Piece("  ")], [Piece(words)]))
    return lines


def _plan(told: Report) -> list[Row]:
    lines = [row(" · ", [Piece(reason)]) for reason in texts_of(told.plan, "reasons")]
    if saves := text_of(told.plan, "saves"):
        lines.append(row(" · ", [Piece(saves)]))
    for finding in objects_of(told.plan, "findings"):
        lines.append(row([Piece(" ! ", Tone.WAITING)], [Piece(text_of(finding, "text"))]))
    return [_title("Plan"), *lines] if lines else []


def _budget(told: Report) -> list[Row]:
    if not told.budget:
        return []
    cells: list[list[Cell]] = [_heads("   TIME", "BUDGET", "ALLOWED", "HEALTHY", "NEEDED", "EXPECTED")]
    for point in told.budget:
        allowed = Piece(str(point.allowed), Tone.SAFE if point.allowed else Tone.WAITING)
        figures = (Piece(str(number)) for number in (point.current, point.desired, point.expected))
        cells.append([_indented(point.wall), Piece(point.budget), allowed, *figures])
    return [_title("Budget"), *(row(line) for line in table(cells))]


def _said(title: str, lines: Sequence[tuple[float, str]]) -> list[Row]:
    told = [row([_indented(wall), Piece("  ")], [Piece(text)]) for wall, text in lines]
    return [_title(title), *told] if told else []


def _heads(*names: str) -> list[Cell]:
    return [Piece(name, Tone.DIM) for name in names]


def _indented(wall: float) -> Piece:
    return Piece(f"   {_clock(wall)}", Tone.DIM)


def _time(wall: float | None) -> Piece:
    return Piece("–", Tone.DIM) if wall is None else Piece(_clock(wall))


def _clock(wall: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(wall))


def _date(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(wall))
