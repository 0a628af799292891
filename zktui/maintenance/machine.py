"""The pure state machine of a run: `step(state, input, now) -> (state, effects)`.

Never more than one thing is under way: a reading, or a change. Every change is decided on a reading that came right
before it (a node that the operator gives back: on the last one, while that is evidence), and followed by another, so
that an outcome that nobody told is found out and never sent again blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from zktui.core.kube import Lease, Node
from zktui.core.ports import Answer, Evicted, Reply
from zktui.core.quorum import Health
from zktui.core.zookeeper import Ensemble
from zktui.maintenance import acting, claim, nodes, pods, skipping
from zktui.maintenance.annotations import on_uncordon
from zktui.maintenance.commands import obey
from zktui.maintenance.effects import (
    AnnotateNode,
    Begin,
    CordonNode,
    CreateLease,
    Effect,
    EvictPod,
    Input,
    Replied,
    Survey,
    Surveyed,
    Told,
    Unrecorded,
    UpdateLease,
    Woken,
)
from zktui.maintenance.ending import close, end, left_behind, on_released, wind_up
from zktui.maintenance.journal import IN_DOUBT
from zktui.maintenance.model import CommandKind, NodeRun, NodeStep, Plan, PodStep, Run, RunStatus
from zktui.maintenance.observe import behind, observe
from zktui.maintenance.pacing import pace
from zktui.maintenance.planned import plan_data
from zktui.maintenance.state import OPEN_STEPS, State, Turn
from zktui.maintenance.strangers import foreign_drains, strangers
from zktui.maintenance.survey import Scope

DONE = "Done: every node of the plan"
LAST_WORD = 10.0
"""Seconds for which a run that is done reads on until every ensemble is seen with its quorum."""
_AT_THE_END = "the end"


def begin(run_id: str, plan: Plan, ensembles: Sequence[Ensemble], holder: str, note: str = "") -> State:
    """The state before the first input, which is Begin. `holder` must be unique to this run."""
    rows = tuple(NodeRun(node.name, node.uid) for node in plan.nodes)
    return State(Run(run_id, plan, nodes=rows, note=note), tuple(ensembles), holder)


def step(state: State, event: Input, now: float) -> tuple[State, tuple[Effect, ...]]:
    """Take one input. Effects are to be carried out in their order; a change only once the Record before it is kept.

    `now` is monotonic. Pure: the same arguments give the same result, and nothing outside is touched.
    """
    turn = Turn(state, now)
    if not state.run.status.ended:
        _take(turn, event)
    return turn.state, tuple(turn.effects)


def _take(turn: Turn, event: Input) -> None:
    match event:
        case Begin():
            _begin(turn)
        case Surveyed(facts):
            turn.set(busy=None, facts=facts, scope=_asked(turn.state.busy))
            if not turn.state.started_wall and turn.run.started_at is not None:
                turn.set(started_wall=turn.state.wall_of(turn.run.started_at))
            observe(turn)
            _proceed(turn)
        case Replied():
            _settle(turn, event)
            _work_on(turn, event)
        case Told(command):
            obey(turn, command)
            if command.kind is CommandKind.UNCORDON:
                _give_back(turn)
        case Woken():
            pass
        case Unrecorded(why):
            _unrecorded(turn, why)
            return
    _go_on(turn, at_once=not isinstance(event, Surveyed) and not _only_said(turn, event))


def _begin(turn: Turn) -> None:
    """A new run, or one that is taken up where its lease says that it stands."""
    run = turn.run
    started = run.started_at if run.started_at is not None else turn.now
    turn.set_run(status=RunStatus.RUNNING, started_at=started, message="reading everything afresh")
    if turn.state.taken_up:
        turn.say("note", turn.state.taken_up, data={"resumes": run.id, "part": turn.state.part})
        for pod in (p for n in run.nodes for p in n.pods if p.step is PodStep.EVICT):
            turn.say("note", f"{pod.pod.name}: {pod.note}", pod.pod, {"outcome": IN_DOUBT})
    names = ", ".join(node.name for node in run.nodes)
    turn.say("plan", f"maintenance of {names}", data=plan_data(turn.state))
    if run.note:
        turn.say("note", f"the operator notes: {run.note}", data={"note": run.note})


def _asked(busy: Effect | None) -> Scope | None:
    return busy.scope if isinstance(busy, Survey) else None


def _go_on(turn: Turn, *, at_once: bool) -> None:
    """See to it that something follows: a change that was just decided, the end, a reading now, or one later."""
    if turn.run.status.ended or turn.state.busy is not None:
        return
    if turn.state.closing is None and turn.run.aborting:
        close(turn, RunStatus.ABORTED, "Aborted")
    if turn.state.closing is not None:
        wind_up(turn)
    elif at_once or _hurry(turn):
        turn.survey(_scope(turn))
    else:
        turn.wake(pace(turn))


def _hurry(turn: Turn) -> bool:
    """A step was entered that needs what this reading did not ask for."""
    scope, wanted = turn.state.scope, _scope(turn)
    if scope is None:
        return True
    return wanted.nodes != scope.nodes or (wanted.select and not scope.select) or (wanted.decide and not scope.decide)


def _only_said(turn: Turn, event: Input) -> bool:
    """The Lease says now that a node is held, and nothing else has changed since the last reading: a key that gives the
    node back is not to find another one under way."""
    kept = isinstance(event, Replied) and isinstance(event.change, UpdateLease) and isinstance(event.reply, Answer)
    return kept and _holding(turn) and turn.run.status is RunStatus.RUNNING and not _hurry(turn)


def _holding(turn: Turn) -> bool:
    node = turn.run.node
    return node is not None and node.step is NodeStep.HOLD


def _scope(turn: Turn) -> Scope:
    """What the next reading must ask for, by what the run is at."""
    state, node = turn.state, turn.run.node
    missing = any(namespace not in state.leases for namespace in state.namespaces)
    others = frozenset(p.pod.namespace for p in node.pods if not p.member) if node is not None else frozenset[str]()
    sorting = node is not None and (
        node.step in (NodeStep.PENDING, NodeStep.CLAIM) or (node.step is NodeStep.DRAIN and not state.listed)
    )
    told = bool(state.uncordon_also) or state.asked is not None or bool(state.acting)
    stuck = node is not None and any(pod.member and pod.step is PodStep.WAITS for pod in node.pods)
    return Scope(
        state.ensembles,
        (node.name,) if node is not None else (),
        decide=missing or told or stuck or (node is not None and _deciding(state, node)),
        select=sorting,
        namespaces=others if node is not None and node.step is NodeStep.DRAIN else frozenset(),
        leaders=frozenset(leader.uid for leader in state.leaders.values()),
        proven=frozenset(state.good),
        sync=behind(turn) if state.facts is not None else frozenset(),
    )


def _deciding(state: State, node: NodeRun) -> bool:
    """A gate is ahead. While what was granted leaves there is none, and no configuration is asked of a dying leader."""
    if node.step is NodeStep.DRAIN:
        return not state.listed or any(pod.step in OPEN_STEPS or pod.step is PodStep.EVICT for pod in node.pods)
    return node.step in (NodeStep.PENDING, NodeStep.CLAIM, NodeStep.CORDON)


def _proceed(turn: Turn) -> None:
    """After a reading: keep the leases, do the next thing, and where that is no change, write down what is new."""
    if turn.state.closing is not None:
        claim.last_look(turn)
        return
    if turn.run.aborting:
        return
    claimed = claim.keep(turn)
    if turn.state.busy is None and turn.state.closing is None:
        _work(turn, claimed=claimed)
    if claimed and turn.state.busy is None and turn.state.closing is None:
        claim.report(turn)


def _work(turn: Turn, *, claimed: bool) -> None:
    """Stop for strangers, and do the next thing of the node at work."""
    if turn.state.winding_up:
        if claimed:
            close(turn, RunStatus.ABORTED, "Abandoned: nothing was changed")
        return
    if turn.state.taken_up and not turn.state.held:
        return  # whoever else takes it up at the same time may be faster
    if turn.run.status is RunStatus.PAUSED or skipping.pass_over(turn):
        return
    if acting.go_on(turn, claimed=claimed) or _uncordon_also(turn, claimed=claimed) or _stranger(turn):
        return
    if turn.run.node is not None:
        nodes.work(turn, claimed=claimed)
    idle = turn.state.busy is None and turn.state.closing is None
    if idle and turn.run.node is None:
        _finish(turn)


def _finish(turn: Turn) -> None:
    """Done. But a slow reading, or an election right now, would be the last that the report says of an ensemble."""
    if _AT_THE_END not in turn.state.entered:
        turn.enter(_AT_THE_END)
    unseen = [
        e.name
        for e in turn.state.ensembles
        if (seen := turn.state.seen.get(e.key)) is None or seen.health != Health.QUORUM
    ]
    if unseen and turn.waited(_AT_THE_END) < LAST_WORD:
        turn.tell(f"every node is done; who serves in {', '.join(unseen)} is looked at once more")
        return
    skipped = [node.name for node in turn.run.nodes if node.step is NodeStep.SKIPPED]
    close(turn, RunStatus.DONE, f"{DONE} but {', '.join(skipped)}, skipped" if skipped else DONE)


def _stranger(turn: Turn) -> bool:
    """Pause once for each disruption by others; once resumed, the gate "alone" goes on saying it."""
    if _holding(turn):
        return False
    theirs = [text for e in turn.state.ensembles for text in strangers(turn.facts, e, turn.state.evicted)]
    for text in (*theirs, *foreign_drains(turn)):
        if text not in turn.state.paused_for:
            turn.set(paused_for=turn.state.paused_for | {text})
            nodes.pause(turn, text)
            return True
    return False


SAME_READING = 1.0
"""Seconds for which a reading that a renewal of our Lease came behind serves for what the Lease now announces."""
_STANDS = (NodeStep.CLAIM, NodeStep.DRAINED, NodeStep.HOLD)


def _work_on(turn: Turn, replied: Replied) -> None:
    """Go on with what was read right before, where a Lease says now what is to be done, or a node is given back.

    Never to an eviction: budget, pod and members are read between its Lease and itself.
    """
    state, run = turn.state, turn.run
    if not _may_go_on(turn) or not isinstance(replied.reply, Answer):
        return
    if run.node is None:
        _finish(turn)
        return
    young = state.facts is not None and turn.now - state.facts.at <= SAME_READING
    # What gives a node back looks at the age of that node's reading by itself.
    stands = run.node.step is NodeStep.UNCORDON or (young and run.node.step in _STANDS)
    if isinstance(replied.change, UpdateLease) and _all_ours(turn) and stands:
        nodes.work(turn, claimed=True)


def _may_go_on(turn: Turn) -> bool:
    """The run goes, nothing is under way, and nothing was asked for that has to be read for first."""
    state, run = turn.state, turn.run
    busy = state.busy is not None or state.closing is not None or run.aborting or run.status is not RunStatus.RUNNING
    asked = state.acting or state.asked is not None or state.uncordon_also or state.skipping or state.winding_up
    return not (busy or asked)


def _all_ours(turn: Turn) -> bool:
    return all(namespace in turn.state.renewed for namespace in turn.state.namespaces)


def _give_back(turn: Turn) -> None:
    """The operator is done with the node: whoever waits for a key's effect does not wait for one more reading.

    What was read last serves while it is evidence. The Lease is renewed before the change, and the node's own version
    goes with it, so that neither another run nor another's cordon is overtaken.
    """
    node = turn.run.node
    if node is None or node.step is not NodeStep.UNCORDON or turn.state.facts is None or not _may_go_on(turn):
        return
    if _all_ours(turn) and not _stranger(turn):
        nodes.work(turn, claimed=True)


def _uncordon_also(turn: Turn, *, claimed: bool) -> bool:
    """A node outside this run that the operator named by typing it."""
    name = turn.state.uncordon_also
    found = next((n for n in turn.facts.nodes.value or () if n.name == name), None) if name else None
    if found is None or not claimed:
        return False
    if not found.unschedulable:
        turn.set(uncordon_also="")
        return False
    if claim.ready(turn, "uncordon", name):
        turn.do(CordonNode(found, False, on_uncordon(found)), "uncordon", f"uncordon {name}, as the operator asked")
    return True


def _settle(turn: Turn, replied: Replied) -> None:
    """A change has been answered, or nobody knows: keep what it says; the next reading comes first."""
    turn.set(busy=None)
    turn.set_run(in_flight="")
    change = replied.change
    if turn.state.closing is not None and isinstance(change, UpdateLease):
        on_released(turn, change, cast(Reply[Lease], replied.reply))
        return
    match change:
        case EvictPod():
            pods.on_reply(turn, change, cast(Reply[Evicted], replied.reply))
        case CordonNode():
            nodes.on_cordoned(turn, change, cast(Reply[Node], replied.reply))
        case CreateLease() | UpdateLease():
            claim.on_reply(turn, change, cast(Reply[Lease], replied.reply))
        case AnnotateNode():
            nodes.on_annotated(turn, change, cast(Reply[Node], replied.reply))
        case _:
            acting.on_reply(turn, change, replied.reply)
    if not isinstance(change, CreateLease | UpdateLease):
        turn.set(intent=None)
        going = turn.run.status is RunStatus.RUNNING and not turn.run.pausing and not turn.run.aborting
        if isinstance(change, CordonNode) and going and turn.state.closing is None:
            nodes.announce(turn)
    if turn.run.pausing:
        turn.set_run(pausing=False, status=RunStatus.PAUSED, message="Paused")


def _unrecorded(turn: Turn, why: str) -> None:
    """Without its journal a run changes nothing more, not even its lease, which expires by itself."""
    turn.set(closing=RunStatus.FAILED, busy=None)
    turn.set_run(message=f"{why} {left_behind(turn)}")
    end(turn)
