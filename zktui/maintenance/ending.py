"""How a run ends: its leases released, and every node that it leaves cordoned named."""

from __future__ import annotations

import json
from dataclasses import replace

from zktui.core.kube import Lease
from zktui.core.ports import Answer, Refused, Reply
from zktui.maintenance.annotations import undo_by_hand
from zktui.maintenance.effects import UpdateLease
from zktui.maintenance.model import STATE_ANNOTATION, JsonValue, NodeStep, PodStep, Run, RunStatus
from zktui.maintenance.record import annotate
from zktui.maintenance.state import Turn
from zktui.maintenance.survey import Scope

LAST_LOOKS = 3
"""Readings that a run which ends makes for leases whose release, or last renewal, was not answered."""


def fail(turn: Turn, why: str, left: str | None = None) -> None:
    """Stop for good, without undoing anything. `left`: what is said of what is left, where it is not this program's."""
    if turn.state.closing is None:
        _stop_node(turn)
        behind = left_behind(turn) if left is None else f"{left}{_not_back(turn.run)}"
        text = f"{why}. {behind.strip()}".rstrip()
        turn.say("failed", text, data=_left_data(turn))
        turn.set(closing=RunStatus.FAILED)
        turn.set_run(message=text)


def close(turn: Turn, status: RunStatus, why: str) -> None:
    """Come to an end that is no failure."""
    if turn.state.closing is None:
        if status is RunStatus.ABORTED:
            _stop_node(turn)
        kind = "abort" if status is RunStatus.ABORTED else "done"
        turn.say(kind, f"{why}. {left_behind(turn)}", data=_left_data(turn))
        turn.set(closing=status)
        turn.set_run(message=f"{why}. {left_behind(turn)}")


def _stop_node(turn: Turn) -> None:
    node = turn.run.node
    if node is not None and node.step not in (NodeStep.PENDING, NodeStep.VERIFIED, NodeStep.LEFT_CORDONED):
        turn.step_node(NodeStep.STOPPED, node.note)


def left_behind(turn: Turn) -> str:
    return words_left_behind(turn.run)


def _left_data(turn: Turn) -> dict[str, JsonValue]:
    return {"cordoned": [*turn.run.cordoned]}


def words_left_behind(run: Run) -> str:
    """What is still cordoned by this run, and which members are not back, in words; a command stands last, alone."""
    names = run.cordoned
    words = "Nothing is left cordoned by this run." if not names else f"Still cordoned: {', '.join(names)}."
    words += _not_back(run)
    if names:
        # The run's id that stays on the node harms nobody; what holds autoscalers off has to be taken off.
        lines = undo_by_hand(names, keep=run.plan.options.keep_node)
        words += f" To undo it: {'; '.join(lines if run.plan.options.keep_node else lines[:1])}"
    return words


def _not_back(run: Run) -> str:
    away = (PodStep.EVICT, PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)
    pods = [p for n in run.nodes for p in n.pods if p.member and p.step in away]
    # One that is placed may serve already, only not for the dwell: its note tells.
    words = [f"{p.pod.name} ({p.note})" if p.step is PodStep.PLACED and p.note else p.pod.name for p in pods]
    return f" Not back yet: {', '.join(words)}." if words else ""


def wind_up(turn: Turn) -> None:
    """Release one lease after another, then end. One whose fate stays unknown is left to expire."""
    for namespace, lease in turn.state.leases.items():
        told = annotate(turn.state, lease)
        released = replace(lease, holder="", renewed_at=turn.wall, annotations=told)
        data = {"state": json.loads(told[STATE_ANNOTATION])} if STATE_ANNOTATION in told else None
        turn.do(UpdateLease(released), "release", f"release the lease in {namespace}", data=data)
        return
    if turn.state.adrift and turn.state.last_looks < LAST_LOOKS:
        turn.set(last_looks=turn.state.last_looks + 1)
        turn.survey(Scope(turn.state.ensembles, decide=True))
        return
    end(turn)


def on_released(turn: Turn, change: UpdateLease, reply: Reply[Lease]) -> None:
    """Whatever is not an answer is found out by reading, unless it is not permitted."""
    namespace = change.lease.namespace
    turn.set(leases={n: lease for n, lease in turn.state.leases.items() if n != namespace})
    if not isinstance(reply, Answer) and not (isinstance(reply, Refused) and reply.forbidden):
        turn.set(adrift=turn.state.adrift | {namespace})


def end(turn: Turn) -> None:
    status = turn.state.closing
    assert status is not None, "a run ends only once it is closing"
    turn.set_run(status=status, ended_at=turn.now, in_flight="", pausing=False)
