"""Carrying out what the operator asked for among the offers: in a run by its machine, and outside of one."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.core.ports import Answer, Clock, Cluster, Members, Refused, Reply, Unanswered
from zktui.core.zookeeper import Ensemble
from zktui.maintenance import claim
from zktui.maintenance.effects import CreateBudget, DeleteClaim, DeletePod, Mend, TaintNode
from zktui.maintenance.journal import Journal
from zktui.maintenance.model import Action, ActionKind, Command, Event
from zktui.maintenance.offers import NotNow, changes_for, words
from zktui.maintenance.refusals import CannotBegin
from zktui.maintenance.state import Turn
from zktui.maintenance.strangers import taint_words
from zktui.maintenance.survey import Scope, survey

KINDS = (ActionKind.OUT_OF_SERVICE, ActionKind.DISCARD_MEMBER, ActionKind.CREATE_BUDGET)


async def send(cluster: Cluster, change: Mend) -> Reply[object]:
    """One request."""
    match change:
        case TaintNode(node, taint):
            return await cluster.taint_node(node, taint)
        case CreateBudget(budget):
            return await cluster.create_budget(budget)
        case DeleteClaim(claim):
            return await cluster.delete_claim(claim)
        case DeletePod(pod):
            return await cluster.delete_pod(pod)


def obey(turn: Turn, command: Command) -> None:
    """Remember what the operator wants; it is prepared from the next reading."""
    action = command.action
    if action is None or action.kind not in KINDS:
        turn.set_run(message="There is no such thing that zktui could do")
    elif command.typed != action.typed:
        turn.set_run(message=f"Not done: type “{action.typed}”")
    else:
        turn.say("act", f"the operator wants: {action.text}")
        turn.set(asked=(action, command.typed))


def go_on(turn: Turn, *, claimed: bool) -> bool:
    """Do the next of what was asked for. True while there is something left of it.

    A reading that was under way when it was asked for may not hold what it rests on: the next one does.
    """
    scope = turn.state.scope
    if turn.state.asked is not None and claimed and scope is not None and scope.decide:
        action, typed = turn.state.asked
        turn.set(asked=None)
        try:
            changes = changes_for(action, typed, turn.facts, turn.state.ensembles, turn.now, turn.state.holder)
        except NotNow as refused:
            turn.say("act", f"not done: {refused}")
            turn.tell(f"Not done: {refused}")
            return False
        turn.set(acting=changes)
    if not turn.state.acting or not claimed:
        return False
    change, *rest = turn.state.acting
    if claim.ready(turn, "act", words(change)):
        turn.set(acting=tuple(rest))
        if isinstance(change, TaintNode):
            # What we have just done ourselves is no stranger's doing.
            turn.set(paused_for=turn.state.paused_for | {taint_words(change.node.name, change.taint.key)})
        turn.do(change, "act", words(change))
    return True


def on_reply(turn: Turn, change: Mend, reply: Reply[object]) -> None:
    """Whatever did not work ends it there: asked for again, it is prepared anew from what is left."""
    told, worked = outcome(reply)
    turn.say("reply", f"{words(change)}: {told}")
    if not worked:
        turn.set(acting=())
        turn.tell(f"{words(change)}: {told}")


def outcome(reply: Reply[object]) -> tuple[str, bool]:
    """In words, and whether the way is free for what comes next: what is gone already is as good as deleted."""
    match reply:
        case Answer():
            return "done", True
        case Refused(code=code, message=message):
            return f"{code}, {message}", code == 404
        case Unanswered(why=why):
            return f"no answer ({why})", False


async def act(
    cluster: Cluster,
    members: Members,
    clock: Clock,
    journal: Journal,
    ensembles: Sequence[Ensemble],
    action: Action,
    typed: str,
) -> str:
    """Read afresh and do it, each change told to the journal before it is sent. What was done, in one sentence.

    Raises CannotBegin when it is not done, or not to its end.
    """
    facts = await survey(cluster, members, clock, Scope(tuple(ensembles), decide=True))
    try:
        changes = changes_for(action, typed, facts, ensembles, clock.now())
    except NotNow as refused:
        raise CannotBegin(f"Not done: {refused}.") from refused
    done: list[str] = []
    for change in changes:
        journal.append(Event(0, clock.wall(), "act", words(change)))
        told, worked = outcome(await send(cluster, change))
        journal.append(Event(0, clock.wall(), "reply", f"{words(change)}: {told}"))
        if not worked:
            before = f" Done before: {'; '.join(done)}." if done else ""
            raise CannotBegin(f"{words(change)}: {told}.{before}", "Look again before you repeat it.")
        done.append(words(change))
    return f"Done: {'; '.join(done)}."
