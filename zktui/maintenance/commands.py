"""The operator's words, acknowledged at once: pause, resume, abort, uncordon, override, skip, note, act."""

from __future__ import annotations

from zktui.maintenance import acting
from zktui.maintenance.effects import Survey
from zktui.maintenance.model import Command, CommandKind, NodeStep, PodStep, RunStatus
from zktui.maintenance.skipping import skip
from zktui.maintenance.state import Turn


def obey(turn: Turn, command: Command) -> None:
    """Follow a command, or say in the run's message why it can't be followed."""
    if turn.state.closing is not None:
        if command.kind is CommandKind.ABORT:
            # It ends already, and may wait for its lease to be given up: whoever wants that is heard all the same.
            turn.set_run(aborting=True)
        return
    match command.kind:
        case CommandKind.PAUSE:
            _pause(turn)
        case CommandKind.RESUME:
            _resume(turn)
        case CommandKind.ABORT:
            _abort(turn)
        case CommandKind.UNCORDON:
            _uncordon(turn, command)
        case CommandKind.OVERRIDE:
            _override(turn, command)
        case CommandKind.SKIP:
            skip(turn)
        case CommandKind.NOTE:
            _note(turn, command)
        case CommandKind.ACT:
            acting.obey(turn, command)


def _in_flight(turn: Turn) -> str:
    """The change that has been sent and not answered; its outcome is awaited and told whatever is commanded."""
    busy = turn.state.busy
    if busy is not None and not isinstance(busy, Survey):
        return turn.run.in_flight or "the lease"
    return ""


def _pause(turn: Turn) -> None:
    if turn.run.status is not RunStatus.RUNNING or turn.run.pausing:
        return
    turn.say("pause", "the operator pauses the run")
    sent = _in_flight(turn)
    if sent:
        turn.set_run(pausing=True, message=f"Pausing: waiting for the answer to: {sent}")
    else:
        turn.set_run(status=RunStatus.PAUSED, message="Paused")


def _resume(turn: Turn) -> None:
    if turn.run.status is not RunStatus.PAUSED and not turn.run.pausing:
        return
    turn.say("resume", "the operator resumes the run")
    turn.set_run(status=RunStatus.RUNNING, pausing=False, message="Resumed: reading everything afresh")
    # What passed while paused does not count towards --timeout.
    turn.set(entered=dict.fromkeys(turn.state.entered, turn.now))


def _abort(turn: Turn) -> None:
    if turn.run.aborting:
        return
    sent = _in_flight(turn)
    turn.say("abort", "the operator aborts the run")
    waiting = f": waiting for the answer to: {sent}" if sent else ""
    turn.set_run(aborting=True, pausing=False, message=f"Aborting{waiting}")


def _uncordon(turn: Turn, command: Command) -> None:
    node = turn.run.node
    if turn.run.status is RunStatus.PAUSED:
        turn.set_run(message="Paused: resume before you uncordon")
    elif node is not None and command.node in ("", node.name):
        if node.step is NodeStep.HOLD:
            turn.say("uncordon", f"the operator is done with {node.name}")
            turn.step_node(NodeStep.UNCORDON)
        elif node.step not in (NodeStep.UNCORDON, NodeStep.REJOIN):
            turn.set_run(message=f"{node.name} is not held yet: it is uncordoned once it is drained")
    elif command.node in turn.run.cordoned:
        turn.say("uncordon", f"the operator wants {command.node}, cordoned ahead, uncordoned")
        turn.set(uncordon_also=command.node)
    elif command.node and command.typed == command.node:
        turn.say("uncordon", f"the operator typed {command.node}, to have it uncordoned")
        turn.set(uncordon_also=command.node)
    elif command.node:
        text = f"{command.node} was not cordoned by this run: type its name, or run kubectl uncordon {command.node}"
        turn.set_run(message=text)


def _note(turn: Turn, command: Command) -> None:
    words = f"the operator notes: {command.text}" if command.text else "the operator takes the note away"
    turn.say("note", words, data={"note": command.text})
    turn.set_run(note=command.text)


def _override(turn: Turn, command: Command) -> None:
    """One gate, for one pod, in one step; by the pod's name, and recorded."""
    node = turn.run.node
    pod = next((p for p in node.pods if p.step is PodStep.GATE and p.member), None) if node is not None else None
    gate = next((g for g in pod.gates if g.name is command.gate), None) if pod is not None else None
    if pod is None or gate is None or gate.open:
        turn.set_run(message="There is no such closed gate to override")
    elif gate.final:
        turn.set_run(message=f"The gate {gate.name} can't be overridden: {gate.evidence}")
    elif command.typed != pod.pod.name:
        turn.set_run(message=f"Not overridden: type {pod.pod.name}, the pod's own name")
    else:
        turn.say("override", f"{gate.name} overridden for {pod.pod.name}: {gate.evidence}", pod.pod)
        turn.set(overrides=turn.state.overrides | {(pod.pod.uid, gate.name)})
