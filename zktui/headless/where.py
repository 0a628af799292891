"""`zktui where`: for a person in a hurry. What is unfinished, whose it is, what is cordoned, and what to do next."""

from __future__ import annotations

from datetime import datetime

from zktui.core.kube import Node
from zktui.core.text import printable, span
from zktui.drills.undo import Undo
from zktui.errors import EXIT_BLOCKED, EXIT_DONE
from zktui.headless.output import say, say_json, table, warn
from zktui.headless.status import SETTLE, settled
from zktui.headless.storagedrill import left_words
from zktui.maintenance.model import RUN_ANNOTATION, JsonValue, NodeStep, RunStatus, Unfinished
from zktui.session import Session

Document = dict[str, JsonValue]


async def where(session: Session, output: str = "text") -> int:
    """Print it and return the exit code: 0 nothing is unfinished, 3 something is. Changes nothing."""
    await ready(session)
    found = await session.desk.unfinished()
    cordoned = [node for node in session.store.refreshed().nodes if node.unschedulable]
    drills = session.drills.unfinished() if session.drills is not None else ()
    if output == "json":
        say_json({**document(found, cordoned), "drills": [_drill(each) for each in drills]}, indent=2)
    else:
        for each in drills:
            say(f"{left_words(each)}\n")
        say(text(found, cordoned, session.clock.wall()) if found or cordoned or not drills else "No run is unfinished.")
    return EXIT_BLOCKED if found or drills else EXIT_DONE


def _drill(which: Undo) -> Document:
    """A storage drill of this machine that was cut off."""
    return {
        "namespace": which.namespace,
        "name": which.name,
        "folder": str(which.folder),
        "underWay": which.under_way,
        "byHand": list(which.lines()),
    }


async def ready(session: Session) -> None:
    """Wait until it is known which ensembles there are. None at all is no reason to fail: a run may be left of one."""
    try:
        await session.store.until(settled, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time; what is missing is not shown.")


def text(found: tuple[Unfinished, ...], cordoned: list[Node], wall: float) -> str:
    """All of it for people. `wall` is now, in seconds since the epoch."""
    blocks = [describe(each, wall) for each in found] or ["Nothing is unfinished."]
    if cordoned:
        rows = [(node.name, _by(node, found)) for node in cordoned]
        blocks.append(table(("CORDONED", "BY"), rows))
    return "\n\n".join(blocks)


def _by(node: Node, found: tuple[Unfinished, ...]) -> str:
    run = node.annotations.get(RUN_ANNOTATION, "")
    if not run:
        return "someone else, not by zktui"
    unfinished = any(each.run_id == run for each in found)
    return f"run {run}{'' if unfinished else ', which is over'}"


def describe(run: Unfinished, wall: float) -> str:
    """One run: whose it is and where it stands, what would come next, and the lines to finish it by hand."""
    lines = [f"Run {printable(run.run_id)}: {headline(run)}"]
    lines.append(f"  begun {_moment(run.started, wall)} by {printable(run.holder) or 'someone who has released it'}")
    lines.append(f"  {standing(run, wall)}")
    if run.note:
        lines.append(f"  note: {printable(run.note)}")
    if run.message:
        lines.append(f"  it said: {printable(run.message)}")
    if run.nodes:
        rows = [(n.name, n.step.value, "by this run" if n.name in run.cordoned else "") for n in run.nodes]
        lines += ["", *(f"  {line}" for line in table(("NODE", "STEP", "CORDONED"), rows).splitlines())]
    if run.away:
        lines += ["", f"  Not known to be back: {printable(', '.join(run.away))}"]
    lines += ["", *(f"  {line}" for line in what_to_do(run))]
    lines += ["  By hand:", *(f"    {printable(line)}" for line in run.by_hand)]
    return "\n".join(lines)


def headline(run: Unfinished) -> str:
    """How it stands, in a few words."""
    if run.status in (RunStatus.FAILED, RunStatus.ABORTED):
        return f"{run.status.value}, and {printable(', '.join(run.cordoned))} is left cordoned"
    if not run.nodes:
        return "unfinished, and what it has written can't be used"
    at = next((node for node in run.nodes if node.step not in _OVER), None)
    if at is None:
        return "every node is done, and it was not ended"
    return f"unfinished, {_WORDS.get(at.step, at.step.value)} {printable(at.name)}"


_OVER = (NodeStep.VERIFIED, NodeStep.SKIPPED, NodeStep.LEFT_CORDONED)
_WORDS = {
    NodeStep.PENDING: "before",
    NodeStep.CLAIM: "before",
    NodeStep.CORDON: "cordoning",
    NodeStep.DRAIN: "draining",
    NodeStep.DRAINED: "with the members back from",
    NodeStep.HOLD: "holding",
    NodeStep.UNCORDON: "uncordoning",
    NodeStep.REJOIN: "awaiting the members of",
    NodeStep.STOPPED: "stopped at",
}


def standing(run: Unfinished, wall: float) -> str:
    """Whether somebody is at it, and since when not."""
    renewed = f"its lease was renewed {span(max(0.0, wall - run.renewed))} ago by its holder's clock"
    if not run.holder:
        return "nobody holds it"
    if run.free and not run.word:
        return "its process, on this machine, is gone"
    if run.wait is None:
        return f"it is under way: {printable(run.holder)} is alive on this machine"
    if run.free:
        return f"nobody renews its lease: {renewed}"
    return f"whether somebody is at it shows only when its lease is watched for {run.wait:.0f} s: {renewed}"


def what_to_do(run: Unfinished) -> list[str]:
    """The next safe command, and what it would do."""
    if run.wait is None:
        return ["Go to the terminal where it runs."]
    take = f" --take-over {run.run_id}" if run.word else f" {run.run_id}"
    lines: list[str] = []
    if run.refused:
        lines.append(printable(run.refused))
    else:
        lines += [f"Next: {printable(run.next_step)}", f"To go on:   zktui resume{printable(take)}"]
    if run.status.ended:
        names = printable(", ".join(run.cordoned))
        return [*lines, f"It is over. Once uncordoned, as below, it leaves nothing: {names}"]
    return [*lines, f"To end it:  zktui abort{printable(take)}"]


def _moment(at: float, wall: float) -> str:
    clock = datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{clock} ({span(max(0.0, wall - at))} ago)"


def document(found: tuple[Unfinished, ...], cordoned: list[Node]) -> Document:
    """The JSON document of `zktui where -o json`; its keys are stable."""
    return {
        "apiVersion": "zktui/v1",
        "kind": "Where",
        "runs": [_run(run) for run in found],
        "cordoned": [{"node": n.name, "uid": n.uid, "run": n.annotations.get(RUN_ANNOTATION)} for n in cordoned],
    }


def _run(run: Unfinished) -> Document:
    return {
        "run": run.run_id,
        "namespace": run.namespace,
        "status": run.status.value,
        "holder": run.holder or None,
        "started": run.started,
        "renewed": run.renewed,
        "free": run.free,
        "wait": run.wait,
        "takeOver": run.word or None,
        "note": run.note or None,
        "message": run.message or None,
        "nodes": [
            {"node": n.name, "uid": n.uid, "step": n.step.value, "cordoned": n.name in run.cordoned} for n in run.nodes
        ],
        "cordoned": list(run.cordoned),
        "away": list(run.away),
        "next": run.next_step or None,
        "refused": run.refused or None,
        "byHand": list(run.by_hand),
    }
