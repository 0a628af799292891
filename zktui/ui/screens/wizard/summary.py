"""The end of a run: what was done, how long it took, what is still cordoned and how to finish by hand."""

from __future__ import annotations

from zktui.maintenance.model import NodeRun, NodeStep, Run, RunStatus
from zktui.ui.screens.wizard.standing import away
from zktui.ui.screens.wizard.words import OK, STOP, WAIT, Cell, count, span, table
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

BLANK = row()
ENDS = {
    NodeStep.VERIFIED: (OK, Tone.SAFE, "done"),
    NodeStep.LEFT_CORDONED: (OK, Tone.WAITING, "left cordoned"),
    NodeStep.SKIPPED: ("–", Tone.DIM, "skipped"),
    NodeStep.PENDING: ("–", Tone.DIM, "not begun"),
}


def title(run: Run) -> str:
    match run.status:
        case RunStatus.DONE:
            return "Done"
        case RunStatus.ABORTED:
            return "Stopped by you"
        case _:
            return "Failed"


def rows(run: Run) -> list[Row]:
    """Every node and member with its times, then what is left to do."""
    lines: list[Row] = []
    if run.message:
        tone = Tone.BLOCKED if run.status is RunStatus.FAILED else Tone.STRONG
        lines += [row(" ", [Piece(run.message, tone)]), BLANK]
    if run.note:
        lines += [row([Piece(" note  ", Tone.DIM)], [Piece(run.note, Tone.STRONG)]), BLANK]
    lines += [row(line) for line in table([_node(node) for node in run.nodes])]
    lines += [BLANK, *_members(run), *_total(run)]
    return [*lines, *_left(run), *_never_back(run)]


def _node(node: NodeRun) -> list[Cell]:
    sign, tone, word = ENDS.get(node.step, (STOP, Tone.BLOCKED, f"stopped in {node.step.value}"))
    if node.step is NodeStep.STOPPED:
        word = "stopped"
    took = sum(seconds for _, seconds in node.took)
    note = f"  {node.note}" if node.note else ""
    time = f"{span(took) if took else '':>12}"
    return [[Piece(f" {sign} ", tone), Piece(node.name)], Piece(word, tone), Piece(f"{time}{note}", Tone.DIM)]


def _members(run: Run) -> list[Row]:
    told: list[list[Piece]] = []
    for node in run.nodes:
        for pod in node.pods:
            if not pod.member or pod.evicted_at is None:
                continue
            back = pod.rejoined_at
            where = f"{node.name} → {pod.successor_node}" if pod.successor_node else node.name
            out = f"away for {span(back - pod.evicted_at)}" if back is not None else "not back"
            told.append(
                [
                    Piece("   "),
                    Piece(pod.pod.name),
                    Piece(where, Tone.DIM),
                    Piece(out, Tone.PLAIN if back else Tone.BLOCKED),
                ]
            )
    return [row(line) for line in table(told)]


def _total(run: Run) -> list[Row]:
    evicted = [pod for node in run.nodes for pod in node.pods if pod.evicted_at is not None]
    members = sum(pod.member for pod in evicted)
    rest = len(evicted) - members
    words = count(members, "member") + (f" and {count(rest, 'other pod')}" if rest else "") + " evicted"
    if run.started_at is not None and run.ended_at is not None:
        words += f" in {span(run.ended_at - run.started_at)}"
    return [BLANK, row(" ", [Piece(f"{words[:1].upper()}{words[1:]}.")])]


def _left(run: Run) -> list[Row]:
    if not run.cordoned:
        return [row(" ", [Piece("No node is left cordoned by this run.", Tone.SAFE)])]
    lines = [row([Piece(f" {WAIT} ", Tone.WAITING)], [Piece("Still cordoned. To finish by hand:", Tone.STRONG)])]
    return [*lines, *(row("     ", [Piece(f"kubectl uncordon {name}", Tone.KEY)]) for name in run.cordoned)]


def _never_back(run: Run) -> list[Row]:
    return [
        row(
            [Piece(f" {STOP} ", Tone.BLOCKED)],
            [Piece(f"{pod.pod.name} was not back when the run ended: {pod.note or pod.step.value}.")],
        )
        for pod in away(run)
    ]
