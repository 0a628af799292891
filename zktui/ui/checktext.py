"""The tutorial's checks in words: their lines in the list, and what is told of the one under the cursor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zktui.checks.model import Chapter, Check, Evidence, Report, Result, Skipped
from zktui.core.text import count, span
from zktui.ui.text import Piece, fit, printable, width
from zktui.ui.theme import Tone
from zktui.ui.widgets import grid
from zktui.ui.widgets.columns import Column
from zktui.ui.widgets.grid import Cell, cell
from zktui.ui.widgets.page import Row, row

COLUMNS = (
    Column("RESULT", 9),
    Column("CHECK", 24, 64),
    Column("AGE", 4, 6, "right"),
    Column("CODE", 10, 30, priority=1),
)
SIGNS = {
    Result.PASS: ("✓", Tone.SAFE),
    Result.WARN: ("!", Tone.WAITING),
    Result.FAIL: ("✗", Tone.BLOCKED),
    Result.UNKNOWN: ("?", Tone.STALE),
}
WORST_FIRST = (Result.FAIL, Result.UNKNOWN, Result.WARN, Result.PASS)
VERBS = {
    Chapter.DEPLOY: ("zktui deploy --diff", "zktui deploy"),
    Chapter.STORAGE: ("zktui drill storage",),
    Chapter.PROCESS_FAILURE: ("zktui drill process zk-0",),
    Chapter.PROCESS: ("zktui rollout status", "zktui rollout history", "zktui set-resources --requests cpu=300m"),
    Chapter.MAINTENANCE: ("zktui maintain --ensemble-nodes --plan",),
}
"""What else does a chapter's work."""
BLANK = row()
JUST_NOW = 1.5
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in one chapter, and when: seconds by the program's clock."""

    checks: tuple[Check, ...]
    at: float
    skipped: tuple[Skipped, ...] = ()

    @property
    def result(self) -> Result | None:
        """The worst; None where there is nothing to check."""
        return max((c.result for c in self.checks), key=lambda r: r.rank, default=None)


Findings = Mapping[Chapter, Looked]
"""Of one ensemble, by chapter; a chapter that was never looked at is not in it."""


def merged(known: Findings, report: Report, asked: Collection[Chapter], now: float) -> Findings:
    """With the chapters that were asked for (all when none was named) as they are now."""
    looked = {chapter: Looked(report.of(chapter), now, report.skipped_of(chapter)) for chapter in asked or Chapter}
    return {**known, **looked}


def every(findings: Findings) -> tuple[Check, ...]:
    return tuple(check for chapter in Chapter if chapter in findings for check in findings[chapter].checks)


def nothing_told(findings: Findings) -> str:
    """Why, where not one check could be told; else empty."""
    checks = every(findings)
    if not checks or any(check.result is not Result.UNKNOWN for check in checks):
        return ""
    return next((seen.text for check in checks for seen in check.evidence), "nobody says why")


def ago(seconds: float) -> str:
    return "just now" if seconds < JUST_NOW else f"{span(seconds)} ago"


# -- the list


def sign(result: Result) -> Piece:
    """The sign and the word, in the colour of the result."""
    mark, tone = SIGNS[result]
    return Piece(f"{mark} {result.value}", tone)


def heading_uid(chapter: Chapter) -> str:
    return f"chapter {int(chapter)}"


def list_rows(findings: Findings, now: float, *, passed: bool = True) -> list[grid.Row]:
    """A line for each chapter, with its checks below it; without what passes, where that is not wanted."""
    lines: list[grid.Row] = []
    for chapter in Chapter:
        looked = findings.get(chapter)
        wanted = [c for c in looked.checks if passed or c.result is not Result.PASS] if looked else []
        if passed or wanted:
            lines.append(_heading(chapter, looked, now))
            lines += [_line(check) for check in wanted]
        if passed and looked is not None:
            lines += [_skipped_line(item) for item in looked.skipped]
    return lines


def _heading(chapter: Chapter, looked: Looked | None, now: float) -> grid.Row:
    name = cell(f"{int(chapter)} {chapter.title}", Tone.STRONG, float(chapter))
    code = cell(_name(chapter), Tone.DIM)
    if looked is None:
        return grid.Row(heading_uid(chapter), (cell("· not run", Tone.DIM), name, cell(""), code))
    if looked.result is None:
        words = "– skipped" if looked.skipped else "– none"
        return grid.Row(heading_uid(chapter), (cell(words, Tone.DIM), name, cell(""), code))
    age = cell(span(now - looked.at), Tone.DIM, now - looked.at)
    return grid.Row(heading_uid(chapter), (Cell((sign(looked.result),)), name, age, code))


def _line(check: Check) -> grid.Row:
    title = Cell((Piece("  "), Piece(check.title)))
    return grid.Row(check.code, (Cell((sign(check.result),)), title, cell(""), cell(check.code, Tone.DIM)))


def _skipped_line(item: Skipped) -> grid.Row:
    title = Cell((Piece("  "), Piece(item.title, Tone.DIM)))
    return grid.Row(item.code, (cell("– skipped", Tone.DIM), title, cell(""), cell(item.code, Tone.DIM)))


def _name(chapter: Chapter) -> str:
    """As the command line knows it."""
    return chapter.name.lower().replace("_", "-")


def tally(checks: Iterable[Check], *, words: bool) -> list[Piece]:
    """How many of each result, the worst first; without `words` only the signs."""
    found = [check.result for check in checks]
    pieces: list[Piece] = []
    for result in WORST_FIRST:
        number = found.count(result)
        if number:
            mark, tone = SIGNS[result]
            pieces.append(Piece(f"{'  ' if pieces else ''}{mark} {number}{f' {result.value}' if words else ''}", tone))
    return pieces


# -- the detail


def check_rows(check: Check, looked: Looked, now: float) -> list[Row]:
    """All of one check."""
    chapter = check.chapter
    lines = [
        row(" ", [sign(check.result), Piece("  "), Piece(check.title, Tone.STRONG)]),
        row(" ", [Piece(f"{int(chapter)} {chapter.title} · {check.code} · {ago(now - looked.at)}", Tone.DIM)]),
        BLANK,
        *_evidence(check.evidence),
    ]
    if check.advice and check.result is not Result.PASS:
        lines += [BLANK, _title("What to know"), row("   ", check.advice)]
    if check.patch:
        lines += [BLANK, _title("What mends it", "y copies"), *(_command(line, Tone.STRONG) for line in check.patch)]
    if check.by_hand:
        lines += [BLANK, _title("By hand"), _command(check.by_hand, Tone.DIM)]
    return lines


def skipped_rows(item: Skipped) -> list[Row]:
    """A check that was not made."""
    return [
        row(" ", [Piece("– skipped  ", Tone.DIM), Piece(item.title, Tone.STRONG)]),
        row(" ", [Piece(f"{int(item.chapter)} {item.chapter.title} · {item.code}", Tone.DIM)]),
        BLANK,
        row(" ", f"It was not made: {item.why}."),
        row(" ", [Piece("c runs this chapter", Tone.KEY), Piece(", and asks before anything is written.", Tone.DIM)]),
    ]


def _title(words: str, key: str = "") -> Row:
    return row([Piece(f" {words}", Tone.STRONG), Piece(f"   {key}" if key else "", Tone.KEY)])


def _command(line: str, tone: Tone) -> Row:
    return row([Piece("   $ ", Tone.DIM)], [Piece(line, tone)])


def _evidence(evidence: Sequence[Evidence]) -> list[Row]:
    """One line for each; the members' names as one column."""
    names = max((width(printable(seen.member)) for seen in evidence), default=0)
    lines: list[Row] = []
    for seen in evidence:
        mark, tone = SIGNS[seen.result]
        name = [Piece(fit(seen.member, names)), Piece("  ")] if seen.member else []
        told = tone if seen.result in (Result.WARN, Result.FAIL) else Tone.PLAIN
        lines.append(row([Piece(f" {mark} ", tone), *name], [Piece(seen.text, told)]))
    return lines


def chapter_rows(chapter: Chapter, looked: Looked | None, now: float) -> list[Row]:
    """What a chapter's own line tells: what was found wrong, and how to run it."""
    lines = [row(" ", [Piece(f"{int(chapter)} {chapter.title}", Tone.STRONG)])]
    if looked is None:
        lines.append(row(" ", [Piece("Not run yet: c runs this chapter, r runs all.", Tone.DIM)]))
    elif not looked.checks and looked.skipped:
        lines.append(row(" ", [Piece("Nothing of it was checked: c runs this chapter.", Tone.DIM)]))
    elif not looked.checks:
        lines.append(row(" ", [Piece("There is nothing to check in this chapter.", Tone.DIM)]))
    else:
        age = Piece(f"   {ago(now - looked.at)}", Tone.DIM)
        lines.append(row(" ", [*tally(looked.checks, words=True), age]))
        lines += [BLANK, *_wrong(looked.checks)]
    verbs = (f"zktui check {_name(chapter)}", *VERBS.get(chapter, ()))
    return [*lines, BLANK, _title("Without a screen"), *(_command(verb, Tone.DIM) for verb in verbs)]


def _wrong(checks: Sequence[Check]) -> list[Row]:
    wrong = [check for check in checks if check.result is not Result.PASS]
    if not wrong:
        return [row(" ", [Piece(f"{count(len(checks), 'check')}, and all of them pass.", Tone.SAFE)])]
    lines: list[Row] = []
    for check in wrong:
        lines.append(row([Piece(" "), sign(check.result), Piece("  ")], [Piece(check.title)]))
        told = (seen for seen in check.evidence if seen.result is check.result)
        lines += [row("      ", [Piece(_said(seen), Tone.DIM)]) for seen in told]
    return lines


def _said(seen: Evidence) -> str:
    return f"{seen.member}: {seen.text}" if seen.member else seen.text


def to_copy(check: Check) -> str:
    """What `y` copies: the lines that mend it, else the tutorial's own. One line each, nothing hidden in them."""
    return "\n".join(printable(line) for line in check.patch or ([check.by_hand] if check.by_hand else []))
