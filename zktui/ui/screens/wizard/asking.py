"""What is asked before a command is sent to a run: one question for each, with what follows from a yes."""

from __future__ import annotations

from zktui.maintenance.model import Action, ActionKind, Gate, GateName, NodeStep, PodRun, Run
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.wizard.words import listed
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row


def _line(text: str, tone: Tone = Tone.PLAIN) -> Row:
    return row("", [Piece(text, tone)])


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def uncordon(offer: Action, run: Run) -> Confirm:
    """Another node than the one at work. One that is not this run's takes its typed name."""
    lines = [_line(_sentence(offer.text), Tone.STRONG)]
    title = f"Uncordon {offer.target}?"
    if offer.target in run.cordoned:
        lines.append(_line("This run has cordoned it ahead. Members may land there, and be moved once more."))
        return Confirm(title, lines, "uncordon")
    whose = f"! {offer.target} was not cordoned by this run: somebody may be at work on it."
    return Confirm(title, [*lines, _line(whose, Tone.WAITING)], "uncordon", word=offer.target, danger=True)


def abort(run: Run) -> Confirm:
    lines = [_line("No other change is sent. What is in flight is still awaited and told.")]
    if run.cordoned:
        stay, them = ("stay", "them") if run.cordoned[1:] else ("stays", "it")
        left = f"{listed(run.cordoned)} {stay} cordoned until you uncordon {them}: nothing is uncordoned by itself."
        lines.append(_line(f"! {left}", Tone.WAITING))
    return Confirm("Stop this run?", lines, "stop the run", "let it go on", danger=True)


RISKS = {
    GateName.BUDGET: "The API server judges the budget itself, and may refuse.",
    GateName.QUORUM: "The ensemble may lose its quorum.",
    GateName.RETURN: "It may not come back, or not as it was.",
    GateName.LANDING: "It may have nowhere to run until the node is uncordoned, or come back without its data.",
    GateName.SETTLED: "The member moved before may not serve yet: the ensemble may lose its quorum.",
    GateName.ALONE: "Somebody else may take another member down meanwhile.",
}
"""What may follow when a gate is passed all the same."""


def override(gate: Gate, pod: PodRun) -> Confirm:
    """One gate, one step, by the pod's typed name."""
    lines = [
        _line(f"{gate.name.value}: {gate.evidence}", Tone.STRONG),
        _line("This gate alone, for this one step. It is written to the journal."),
        _line(f"! {RISKS[gate.name]}", Tone.WAITING),
    ]
    name = pod.pod.name
    return Confirm(f"Let {name} go all the same?", lines, "override", word=name, danger=True)


def skip(run: Run) -> Confirm:
    """Leave the node at work as it is now."""
    node = run.node
    name = node.name if node is not None else ""
    lines: list[Row] = []
    if node is not None and (node.cordoned_by_us or node.step is NodeStep.CORDON):
        lines.append(_line(f"Nothing more is evicted from {name}, and it is uncordoned.", Tone.STRONG))
        if any(pod.member and pod.evicted_at is not None and pod.rejoined_at is None for pod in node.pods):
            lines.append(_line("Members that are on their way are awaited first."))
    else:
        lines.append(_line(f"{name} stays as it is.", Tone.STRONG))
    following = run.nodes[run.current + 1 :]
    lines.append(
        _line(f"Then {following[0].name} is next." if following else "It is the last node: the run ends then.")
    )
    return Confirm(f"Skip {name}?", lines, f"skip {name}", "go on with it")


DANGERS = {
    ActionKind.OUT_OF_SERVICE: "Volumes are detached by force: data is damaged if that machine still runs.",
    ActionKind.DISCARD_MEMBER: "The member's data on that node is given up. It is copied anew from the others.",
}


def act(action: Action) -> Confirm:
    """What zktui can do itself to open a gate; with the action's own word, where it has one."""
    lines = [_line(_sentence(action.text), Tone.STRONG)]
    if danger := DANGERS.get(action.kind):
        lines.append(_line(f"! {danger}", Tone.WAITING))
    return Confirm("Shall zktui do it?", lines, "do it", word=action.typed, danger=bool(action.typed))
