"""Past runs, by their journals under the state folder. Whatever lies there is told as it is and never trusted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from zktui.maintenance.journal import from_json, is_written, journals, part_of
from zktui.maintenance.markdown import to_markdown
from zktui.maintenance.model import Event, JsonValue
from zktui.maintenance.report import UNATTENDED, Report, report
from zktui.maintenance.reportjson import to_jsonl

RUNNING = "running"
"""A program on this machine is at it."""
BROKEN = "broken"
"""There is a file of that name, and not one line of a journal in it."""
LARGEST = 64_000_000
"""Bytes of a journal that are read."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run as its journals tell it."""

    id: str
    paths: tuple[Path, ...]
    """Its journals, in their order: a run that was resumed has several."""
    status: str
    """done, aborted, failed, unattended, running, broken."""
    report: Report | None
    """None when nothing of it could be read."""
    problem: str = ""
    """What is wrong with its files, in one sentence; what could be read of them is told all the same."""

    @property
    def began(self) -> float:
        """Wall seconds; 0 when that is not known."""
        return self.report.began if self.report is not None else 0.0

    @property
    def markdown(self) -> Path:
        """Where its report was written when it ended; it may not be there."""
        return report_path(self.paths[0].parent, self.id, ".md")


def report_path(runs: Path, run_id: str, suffix: str) -> Path:
    """Beside the journals: RUN.md, and RUN.report.jsonl."""
    return runs / f"{run_id}{suffix}"


def list_runs(folder: Path, limit: int = 200) -> tuple[PastRun, ...]:
    """The newest runs of this state folder, newest first. Raises nothing: a folder that is not there has none."""
    return tuple(_run(run_id, paths) for run_id, paths in _newest_first(folder)[:limit])


def find_runs(folder: Path, name: str) -> tuple[PastRun, ...]:
    """Runs whose id begins so, newest first; `last` is the newest of all. Raises nothing."""
    if name == "last":
        return list_runs(folder, 1)
    return tuple(_run(run_id, paths) for run_id, paths in _newest_first(folder) if run_id.startswith(name))


def save_report(journal: Path) -> str:
    """Write the report of the run that this journal is of beside it, all of its parts included, as Markdown and as
    JSON lines. Why it could not be, or empty.
    """
    run_id = (part_of(journal) or (journal.stem, 1))[0]
    mine = dict(_newest_first(journal.parent.parent)).get(run_id, (journal,))
    told, problem = report_of(mine)
    if told is None:
        return problem
    try:
        _write(report_path(journal.parent, run_id, ".md"), to_markdown(told))
        _write(report_path(journal.parent, run_id, ".report.jsonl"), to_jsonl(told))
    except OSError as error:
        return f"The report of the run could not be written: {error.strerror}."
    return ""


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def _newest_first(folder: Path) -> list[tuple[str, tuple[Path, ...]]]:
    """(id, journals in their order) of each run."""
    found: dict[str, list[Path]] = {}
    try:
        for path in journals(folder):
            found.setdefault((part_of(path) or ("", 0))[0], []).append(path)
    except OSError:
        return []
    return [(run_id, tuple(found[run_id])) for run_id in sorted(found, reverse=True)]


def report_of(paths: Sequence[Path]) -> tuple[Report | None, str]:
    """The report by these journals, as far as they can be read, and what is wrong with them."""
    events: list[Event] = []
    problems: list[str] = []
    for path in paths:
        found, problem = salvage(path)
        events += found
        problems += [problem] if problem else []
    return (report(events) if events else None), " ".join(problems)


def salvage(path: Path) -> tuple[tuple[Event, ...], str]:
    """The events of a journal up to the first line that is none, and what is wrong with it. Raises nothing.

    A last line without its end is no fault of the file: its program died in the midst of it, and its change was not
    made.
    """
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return (), f"{path.name} is no file."
        if about.st_size > LARGEST:
            return (), f"{path.name} has {about.st_size // 1_000_000} MB: not read."
        raw = path.read_bytes()
    except OSError as error:
        return (), f"{path.name} can't be read: {error.strerror}."
    events: list[Event] = []
    whole = raw.split(b"\n")[:-1]
    for number, line in enumerate(whole, 1):
        try:
            found = cast(JsonValue, json.loads(line))
            event = from_json(found if isinstance(found, dict) else {})
        except (ValueError, RecursionError):
            return tuple(events), f"{path.name} is corrupted in line {number}."
        if event.seq != number:
            return tuple(events), f"{path.name} is corrupted: line {number} says that it is number {event.seq}."
        events.append(event)
    return tuple(events), "" if events else f"{path.name} is empty."


def _run(run_id: str, paths: Sequence[Path]) -> PastRun:
    told, problem = report_of(paths)
    if told is None:
        return PastRun(run_id, tuple(paths), BROKEN, None, problem)
    told = told if told.run_id else replace(told, run_id=run_id)
    running = told.status == UNATTENDED and any(path.is_file() and is_written(path) for path in paths)
    return PastRun(run_id, tuple(paths), RUNNING if running else told.status, told, problem)
