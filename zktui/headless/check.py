"""`zktui check`: the tutorial's chapters, each check with its evidence, member by member."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.checks.model import Chapter, Check, Report, Result
from zktui.core.text import printable
from zktui.errors import EXIT_BLOCKED, EXIT_DONE, EXIT_FAILED, UsageError
from zktui.headless.output import say, say_json, warn
from zktui.headless.status import SETTLE, nothing_found, settled
from zktui.maintenance.model import JsonValue
from zktui.session import Session

MARKS = {Result.PASS: "✓", Result.WARN: "!", Result.FAIL: "✗", Result.UNKNOWN: "?"}


async def check(session: Session, chapters: Sequence[str], output: str = "text", *, writes: bool = False) -> int:
    """Print every check and return the exit code: 0 none fails, 1 one fails, 3 one could not be told.

    A warning does not fail, and what was skipped counts for nothing. `writes` asks for sanity's round too, which naming
    that chapter does by itself. Raises ZktuiError for an unknown chapter, when there is no ensemble, and for `writes`
    where nothing may be changed.
    """
    wanted = chapters_of(chapters)
    if writes and session.settings.read_only:
        raise UsageError("--writes and --read-only contradict each other.", "Give one of them.")
    if writes:
        wanted = (*wanted, Chapter.SANITY) if wanted else tuple(Chapter)
    try:
        await session.store.until(settled, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time; what is missing is shown as unknown.")
    view = session.store.refreshed()
    if not view.ensembles:
        raise nothing_found(session)
    reports = [await session.inspector.inspect(e.ensemble, wanted) for e in view.ensembles]
    if output == "json":
        say_json({"apiVersion": "zktui/v1", "kind": "Check", "ensembles": [document(r) for r in reports]}, indent=2)
    else:
        say("\n\n".join(text(report) for report in reports))
    return exit_code(reports)


def chapters_of(names: Sequence[str]) -> tuple[Chapter, ...]:
    """Chapters by number or by (the beginning of) their name. Raises UsageError."""
    found: list[Chapter] = []
    for name in names:
        wanted = name.lower().replace(" ", "-")
        by_name = [c for c in Chapter if c.name.lower().replace("_", "-").startswith(wanted)]
        exact = [c for c in by_name if c.name.lower().replace("_", "-") == wanted]
        chosen = [c for c in Chapter if wanted == str(int(c))] or exact or by_name
        if len(chosen) != 1:
            known = ", ".join(f"{int(c)} {c.name.lower().replace('_', '-')}" for c in Chapter)
            raise UsageError(f"There is no chapter {printable(name)}.", f"Choose of: {known}.")
        found += chosen
    return tuple(dict.fromkeys(found))


def exit_code(reports: Sequence[Report]) -> int:
    results = {report.result for report in reports}
    if Result.FAIL in results:
        return EXIT_FAILED
    return EXIT_BLOCKED if Result.UNKNOWN in results else EXIT_DONE


def text(report: Report) -> str:
    lines = [f"{printable(report.namespace)}/{printable(report.name)}   {_tally(report)}"]
    for chapter in Chapter:
        checks = report.of(chapter)
        skipped = report.skipped_of(chapter)
        if checks or skipped:
            lines += ["", f"{int(chapter)}. {chapter.title}"]
        for item in checks:
            lines += _check(item)
        for left in skipped:
            lines += [f"  - {printable(left.title)}", f"      skipped: {printable(left.why)}"]
    return "\n".join(lines)


def _tally(report: Report) -> str:
    counts = {result: sum(1 for c in report.checks if c.result is result) for result in Result}
    words = [f"{count} {result.value}" for result, count in counts.items() if count] or ["nothing was checked"]
    return ", ".join([*words, *([f"{len(report.skipped)} skipped"] if report.skipped else [])])


def _check(item: Check) -> list[str]:
    lines = [f"  {MARKS[item.result]} {printable(item.title)}"]
    for seen in item.evidence:
        mark = "" if seen.result is Result.PASS else f"{MARKS[seen.result]} "
        who = f"{printable(seen.member)}: " if seen.member else ""
        lines.append(f"      {mark}{who}{printable(seen.text)}")
    if item.result in (Result.WARN, Result.FAIL):
        lines += [f"      {printable(item.advice)}"] if item.advice else []
        lines += [f"      $ {printable(line)}" for line in item.patch]
    return lines


def document(report: Report) -> dict[str, JsonValue]:
    """One ensemble in `zktui check -o json`; its keys are stable."""
    return {
        "namespace": report.namespace,
        "name": report.name,
        "result": report.result.value,
        "checks": [_document(item) for item in report.checks],
        "skipped": [
            {"code": item.code, "chapter": int(item.chapter), "title": item.title, "message": item.why}
            for item in report.skipped
        ],
    }


def _document(item: Check) -> dict[str, JsonValue]:
    return {
        "code": item.code,
        "chapter": int(item.chapter),
        "title": item.title,
        "result": item.result.value,
        "evidence": [{"member": e.member or None, "result": e.result.value, "message": e.text} for e in item.evidence],
        "advice": item.advice,
        "patch": list(item.patch),
        "byHand": item.by_hand or None,
    }
