"""The middle pane while a run goes: why we wait, on what evidence, and the one key that would change it."""

from __future__ import annotations

from zktui.core.zookeeper import EVIDENCE_MAX_AGE
from zktui.maintenance.model import Action, ActionKind, Gate, NodeStep, PodRun, PodStep, Run, RunStatus, Standing
from zktui.ui.screens.wizard.words import OK, STOP, WAIT, bar, count, key, listed, span
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

UNCORDON = "u"
KEYS = {ActionKind.UNCORDON: UNCORDON, ActionKind.OVERRIDE: "o", ActionKind.ABORT: "a"}
"""What zktui does itself, by one more key, is `f`."""
ACT = "f"
BLANK = row()
UNDATED = "at a time not known"
INDENT = 12
"""Cells before a gate's evidence."""


def gated(run: Run) -> PodRun | None:
    """The pod whose gates `run.gates` are."""
    pods = run.node.pods if run.node else ()
    return next((pod for pod in pods if pod.step in (PodStep.GATE, PodStep.LEAVING) and pod.gates), None)


def overridable(run: Run) -> Gate | None:
    """The closed gate that `o` is about: one that offers it, else a blocked or a waiting one, never a final one."""
    closed = [gate for gate in run.gates if not gate.open and not gate.final]
    offered = [gate for gate in closed if gate.action is not None and gate.action.kind is ActionKind.OVERRIDE]
    blocked = [gate for gate in closed if gate.standing is Standing.BLOCKED]
    return next(iter((*offered, *blocked, *closed)), None)


def uncordon_offered(run: Run) -> Action | None:
    """What a blocked gate offers on `u`: another node whose uncordon would open it."""
    offers = [gate.action for gate in run.blocked if gate.action is not None]
    return next((action for action in offers if action.kind is ActionKind.UNCORDON), None)


def offered(run: Run) -> Action | None:
    """What a blocked gate offers that zktui can do itself, on `f`."""
    offers = [gate.action for gate in run.blocked if gate.action is not None]
    return next((action for action in offers if action.kind not in KEYS), None)


def title(run: Run, now: float) -> str:
    pod = gated(run)
    if pod is None:
        return "Now"
    if pod.step is PodStep.LEAVING:
        return f"{pod.pod.name} does not leave"
    age = max((now - gate.at for gate in run.gates), default=0.0)
    told = f"Why {pod.pod.name} may not go" if run.blocked else f"Before {pod.pod.name} may go"
    return f"{told} · evidence {_age(age)} old"


def rows(run: Run, now: float) -> list[Row]:
    """The gates of the pod that goes next: what is blocked first and large, then the others."""
    lines: list[Row] = []
    for gate in run.blocked:
        lines += _reason(gate, run, now)
    if run.blocked:
        lines.append(row([Piece(" The other gates", Tone.DIM)]))
    for gate in run.gates:
        if gate not in run.blocked:
            lines += _gate(gate, now)
    return lines


def _reason(gate: Gate, run: Run, now: float) -> list[Row]:
    lines = [row([Piece(f" {STOP} {gate.name.value} ", Tone.BLOCKED)], [Piece(gate.evidence, Tone.STRONG)])]
    if gate.since is not None:
        lines.append(row("   ", [Piece(f"closed for {span(now - gate.since)}", Tone.DIM)]))
    if gate.unblock and (gate.action is None or gate.action.text != gate.unblock):
        lines.append(row("   ", [Piece("What would open it: "), Piece(gate.unblock)]))
    if gate.final:
        lines.append(row("   ", [Piece("No typed word opens this gate.", Tone.DIM)]))
    if gate.action is not None:
        lines += [BLANK, _action(gate.action, run)]
    lines.append(BLANK)
    return lines


def _action(action: Action, run: Run) -> Row:
    if action.kind is ActionKind.UNCORDON and run.status is RunStatus.PAUSED:
        return row([Piece("   resume, then"), *key(UNCORDON, " ")], [Piece(action.text, Tone.STRONG)])
    return row([Piece("   press"), *key(KEYS.get(action.kind, ACT), " ")], [Piece(action.text, Tone.STRONG)])


def _gate(gate: Gate, now: float) -> list[Row]:
    age = max(0.0, now - gate.at)
    if gate.overridden:
        sign, tone = "!", Tone.WAITING
    elif gate.standing is Standing.OK:
        sign, tone = OK, Tone.SAFE
    elif gate.standing is Standing.WAITING:
        sign, tone = WAIT, Tone.WAITING
    else:
        sign, tone = STOP, Tone.BLOCKED
    head = [Piece(f" {sign} ", tone), Piece(f"{gate.name.value:<9}")]
    body = [Piece(gate.evidence)]
    if age > EVIDENCE_MAX_AGE:
        body.append(Piece(f" · {_age(age)} old", Tone.STALE))
    if gate.overridden:
        body.append(Piece(" · overridden by you for this one step", Tone.WAITING))
    if gate.progress is None and gate.standing is Standing.WAITING and gate.since is not None:
        body.append(Piece(f" · waiting for {span(now - gate.since)}", Tone.DIM))
    lines = [row(head, body)]
    if gate.standing is Standing.WAITING and gate.unblock and not gate.overridden:
        lines.append(row(" " * INDENT, [Piece(f"What would open it: {gate.unblock}", Tone.DIM)]))
    if gate.progress is not None:
        done, needed = gate.progress
        told = [Piece(f"{bar(done, needed, 16)} ", Tone.WAITING), Piece(f"{done:5.1f} of {needed:.0f} s", Tone.DIM)]
        lines.append(row(" " * INDENT, told))
    return lines


def _age(age: float) -> str:
    return f"{age:.1f} s" if age < 100 else f"{age / 60:.0f} min"


def on_its_way(pod: PodRun, now: float) -> list[Row]:
    """A member between its eviction and its return, as four stations."""
    stations = (
        ("evicted", pod.evicted_at, "the server granted it" if pod.evicted_at is not None else "asking the server"),
        ("gone", pod.gone_at, "its grace period runs"),
        ("placed", None, f"a node for its successor{_where(pod)}"),
        ("rejoined", pod.rejoined_at, "Ready, serving and caught up with its leader"),
    )
    reached = {PodStep.EVICT: 0, PodStep.LEAVING: 1, PodStep.GONE: 2, PodStep.PLACED: 3, PodStep.REJOINED: 4}
    at = reached.get(pod.step, 2)
    lines: list[Row] = []
    for number, (name, when, told) in enumerate(stations):
        if number < at:
            # A run that was taken up elsewhere does not know when.
            sign, tone, words = OK, Tone.SAFE, _since(when, now) or UNDATED
        elif number == at and pod.step is not PodStep.WAITS:
            sign, tone, words = WAIT, Tone.WAITING, pod.note or told
        else:
            sign, tone, words = " ", Tone.DIM, told
        if name == "placed" and number < at and pod.successor_node:
            words = f"on {pod.successor_node}"
        lines.append(
            row(
                [Piece(f" {sign} ", tone), Piece(f"{name:<10}")],
                [Piece(words, Tone.DIM if number > at else Tone.PLAIN)],
            )
        )
    if pod.last_reply and pod.step is PodStep.EVICT:
        lines += [BLANK, row(" the server said  ", [Piece(pod.last_reply, Tone.STRONG)])]
    if pod.tries > 1:
        lines.append(row(" ", [Piece(f"asked {pod.tries} times", Tone.DIM)]))
    return lines


def _where(pod: PodRun) -> str:
    return f": {pod.successor_node}" if pod.successor_node else ""


def _since(when: float | None, now: float) -> str:
    return "" if when is None else f"{span(now - when)} ago"


def holding(run: Run, now: float) -> list[Row]:
    """Hold: the node is the operator's."""
    node = run.node
    if node is None:
        return []
    hold = run.plan.options.hold
    lines = [
        row(" ", [Piece(f"{node.name} is drained. ", Tone.STRONG), Piece("Do your work on it now.")]),
        BLANK,
        row(
            [Piece(" resume, then" if run.status is RunStatus.PAUSED else " press"), *key(UNCORDON, "")],
            [Piece(f"when you are done: uncordon {node.name} and go on", Tone.STRONG)],
        ),
    ]
    if not run.note:
        who = "to say who works on it, and until when"
        lines.append(row([Piece(" press"), *key("n", "")], [Piece(who, Tone.DIM)]))
    if hold.seconds and node.since is not None:
        done = now - node.since
        left = max(0.0, hold.seconds - done)
        lines.append(
            row(" ", [Piece(f"or wait: uncordoned by itself in {span(left)}  {bar(done, hold.seconds)}", Tone.DIM)])
        )
    waits = [pod for pod in node.pods if pod.member and pod.step is PodStep.WAITS]
    lines.append(BLANK)
    for pod in waits:
        out = f", away for {span(now - pod.evicted_at)}" if pod.evicted_at is not None else ""
        text = f"{pod.pod.name} has nowhere else to run and waits for the uncordon{out}."
        lines.append(row([Piece(f" {WAIT} ", Tone.WAITING)], [Piece(text)]))
    lines += returned(run)
    if node.note:
        lines.append(row([Piece(" ! ", Tone.WAITING)], [Piece(node.note, Tone.DIM)]))
    return lines


def returned(run: Run) -> list[Row]:
    """Members of the node at work that are back."""
    lines: list[Row] = []
    for pod in run.node.pods if run.node else ():
        if pod.member and pod.step is PodStep.REJOINED:
            where = f" on {pod.successor_node}" if pod.successor_node else ""
            lines.append(row([Piece(f" {OK} ", Tone.SAFE)], [Piece(f"{pod.pod.name} is back{where} and serves.")]))
    return lines


def noted(note: str) -> list[Row]:
    """The operator's note, above all else."""
    return [row([Piece(" note  ", Tone.DIM)], [Piece(note, Tone.STRONG)]), BLANK] if note else []


def stopped(run: Run) -> list[Row]:
    """What a pause or an abort under way means, above whatever else the pane shows."""
    if run.aborting:
        told = run.in_flight or "nothing is in flight"
        return [row([Piece(" ■ ", Tone.BLOCKED)], [Piece(f"The run is being stopped: {told}.", Tone.STRONG)]), BLANK]
    if run.pausing:
        told = run.in_flight or "nothing is in flight"
        return [row([Piece(" ‖ ", Tone.WAITING)], [Piece(f"Pausing: {told}.", Tone.STRONG)]), BLANK]
    if run.status is RunStatus.PAUSED:
        words = [
            Piece("Paused. ", Tone.STRONG),
            Piece(f"{run.message.removeprefix('Paused: ')}. " if run.message not in ("", "Paused") else ""),
            Piece("Nothing is sent until you press"),
            *key("space", "to resume."),
        ]
        left = listed(run.cordoned, "")
        held = [row("   ", [Piece(f"Cordoned meanwhile: {left}.", Tone.DIM)])] if left else []
        return [row([Piece(" ‖ ", Tone.WAITING)], words), *held, BLANK]
    return []


def working(run: Run) -> list[Row]:
    """Between gates: the change under way, and what the engine says of it."""
    node = run.node
    lines: list[Row] = []
    halted = run.pausing or run.aborting or run.status is RunStatus.PAUSED
    if run.message and not halted:  # else it is said above
        lines.append(row(" ", [Piece(run.message, Tone.STRONG)]))
    if run.in_flight:
        lines.append(row([Piece(f" {WAIT} ", Tone.WAITING)], [Piece(run.in_flight)]))
    if node is not None and node.note:
        lines.append(row(" ", [Piece(node.note, Tone.DIM)]))
    others = [pod for pod in node.pods if not pod.member] if node else []
    leaving = [pod for pod in others if pod.step in (PodStep.EVICT, PodStep.LEAVING, PodStep.GATE)]
    for pod in leaving:
        told = pod.note or pod.last_reply or pod.step.value
        lines.append(row([Piece(f" {WAIT} ", Tone.WAITING), Piece(f"{pod.pod.name}  ")], [Piece(told, Tone.DIM)]))
    return lines


def others(run: Run) -> list[Row]:
    """In one line, what becomes of the pods of the node at work that are no members."""
    node = run.node
    pods = [pod for pod in node.pods if not pod.member] if node else []
    if node is None or not pods:
        return []
    stay = sum(pod.step is PodStep.STAYS for pod in pods)
    gone = sum(pod.step in (PodStep.GONE, PodStep.PLACED, PodStep.REJOINED) for pod in pods)
    words = [f"{gone} of {count(len(pods) - stay, 'pod')} gone"] if len(pods) > stay else []
    if stay:
        words.append(f"{count(stay, 'pod')} {'stays' if stay == 1 else 'stay'}")
    return [BLANK, row(" ", [Piece(f"Others on {node.name}: "), Piece(", ".join(words), Tone.DIM)])]


def middle(run: Run, now: float) -> tuple[str, list[Row]]:
    """Title and rows of the middle pane while the run has not ended."""
    node = run.node
    head = [*noted(run.note), *stopped(run)]
    if run.gates:
        return title(run, now), [*head, *rows(run, now), *others(run)]
    if node is not None and node.step is NodeStep.HOLD:
        return f"{node.name} is yours", [*head, *holding(run, now)]
    moving = [
        pod
        for pod in (node.pods if node else ())
        if pod.member and pod.step in (PodStep.EVICT, PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)
    ]
    lines = [*head, *working(run)]
    for pod in moving:
        lines += [BLANK, row([Piece(f" {pod.pod.name}", Tone.STRONG)]), *on_its_way(pod, now)]
    name = f"{moving[0].pod.name} is on its way" if moving else f"{node.name}: {node.step.value}" if node else "Now"
    return name, [*lines, *returned(run), *others(run)]
