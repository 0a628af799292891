"""`zktui runs`: past runs of this machine, and the report of each, read anew from its journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from zktui.core.text import printable, span
from zktui.errors import EXIT_DONE, EXIT_FAILED, UsageError
from zktui.headless.output import say, say_json, table, warn
from zktui.maintenance.jsonvalues import texts_of
from zktui.maintenance.markdown import to_markdown
from zktui.maintenance.model import JsonValue
from zktui.maintenance.reportjson import to_document, to_jsonl
from zktui.maintenance.runs import PastRun, find_runs, list_runs

Output = Literal["text", "json", "jsonl"]


@dataclass(frozen=True, slots=True)
class RunsRequest:
    """What the command line asked for; `run` empty lists them."""

    run: str = ""
    output: Output = "text"


def runs(state_folder: Path, request: RunsRequest) -> int:
    """Print the list, or one report. 1 when a run could not be read at all. Raises UsageError for an unknown one."""
    if not request.run:
        return _list(list_runs(state_folder), state_folder, request.output)
    found = find_runs(state_folder, request.run)
    exact = [run for run in found if run.id == request.run] or list(found)
    if not exact:
        raise UsageError(f"There is no run {printable(request.run)} in {state_folder / 'runs'}.", "See: zktui runs")
    if len(exact) > 1:
        names = ", ".join(run.id for run in exact[:5])
        raise UsageError(f"{printable(request.run)} may be any of {printable(names)}.", "Give more of its id.")
    return _show(exact[0], request.output)


def _list(found: Sequence[PastRun], folder: Path, output: Output) -> int:
    if output == "json":
        say_json({"apiVersion": "zktui/v1", "kind": "RunList", "runs": [_row(run) for run in found]}, indent=2)
    elif output == "jsonl":
        for run in found:
            say_json({"kind": "Run", **_row(run)})
    elif not found:
        say(f"No run has been made from here: {folder / 'runs'} has none.")
    else:
        header = ("RUN", "BEGAN", "TOOK", "STATUS", "MOVED", "ELECTIONS", "CORDONED", "NODES")
        say(table(header, [_cells(run) for run in found], right=frozenset({2, 4, 5})))
    for run in found:
        if run.problem:
            warn(f"{printable(run.id)}: {printable(run.problem)}")
    return EXIT_DONE


def _cells(run: PastRun) -> tuple[str, ...]:
    told = run.report
    if told is None:
        return (run.id, "", "", run.status, "", "", "", "")
    return (
        run.id,
        datetime.fromtimestamp(told.began).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        span(told.ended - told.began),
        run.status,
        str(len(told.evicted)),
        str(len(told.elections)),
        ",".join(told.cordoned) or "none",
        ",".join(texts_of(told.plan, "nodes")),
    )


def _row(run: PastRun) -> dict[str, JsonValue]:
    told = run.report
    return {
        "run": run.id,
        "status": run.status,
        "who": told.who if told else None,
        "began": told.began if told else None,
        "ended": told.ended if told else None,
        "nodes": [*texts_of(told.plan, "nodes")] if told else [],
        "membersMoved": len(told.evicted) if told else None,
        "electionsSeen": len(told.elections) if told else None,
        "cordoned": [*told.cordoned] if told else [],
        "message": told.message if told else None,
        "problem": run.problem or None,
        "journals": [str(path) for path in run.paths],
    }


def _show(run: PastRun, output: Output) -> int:
    if run.problem:
        warn(f"{printable(run.id)}: {printable(run.problem)}")
    if run.report is None:
        return EXIT_FAILED
    if output == "json":
        say_json(to_document(run.report), indent=2)
    else:
        say((to_jsonl(run.report) if output == "jsonl" else to_markdown(run.report)).rstrip("\n"))
    return EXIT_DONE
