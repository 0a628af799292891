"""Taking a run up where its record says that it stands: pure, from the record and what was just read.

Nothing in a record is believed that a reading tells better. What a reading can't tell is whether a change that was
about to be sent has been, and may still arrive: such an eviction is in doubt, and while it is no other is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zktui.core.kube import Node
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.annotations import run_of
from zktui.maintenance.facts import Facts
from zktui.maintenance.journal import Fate
from zktui.maintenance.model import NodePlan, NodeRun, NodeStep, Options, Plan, PodRun, PodStep, Run, RunStatus
from zktui.maintenance.record import OVER, Record
from zktui.maintenance.state import State

IN_DOUBT = 60.0
"""Seconds for which an eviction that may have been sent is awaited before the pod counts as not evicted: the API
server gives up on a request after so long (kube-apiserver --request-timeout, one minute by default)."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a run is taken up with."""

    ensembles: tuple[Ensemble, ...]
    facts: Facts
    plan: Plan
    """As made anew for the nodes that are not over; `merged` puts the others in."""
    holder: str
    now: float
    fate: Callable[[str], Fate] = lambda _: Fate.UNKNOWN
    """By pod UID, from the run's own journal where that is here; nothing is known without it."""
    takes: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str = ""
    """Where the run is taken up from, in words for its journal."""
    winding_up: bool = False
    same_clock: bool = False
    """The record was written on this machine: its times mean the same here."""


def restore(record: Record, found: Circumstances) -> State:
    """The state before Begin."""
    nodes = tuple(_node(record, index, node, found) for index, node in enumerate(record.nodes))
    wall = found.facts.wall + (found.now - found.facts.at)
    run = Run(
        record.run_id,
        merged(record, found.plan, nodes),
        RunStatus.READY,
        nodes,
        record.current,
        started_at=found.now - max(0.0, wall - record.started),
        note=record.note,
    )
    sent = {uid for uid in record.sent if found.fate(uid) is not Fate.NEVER}
    cordon = record.intent[1] if record.intent is not None and record.intent[0] == "cordon" else ""
    doubt = {cordon} if cordon else set[str]()
    doubt |= {n.name for i, n in enumerate(record.nodes) if i == record.current and _at(record, n) is NodeStep.CORDON}
    return State(
        run,
        found.ensembles,
        found.holder,
        evicted=frozenset(sent | _intended(record, found)),
        overrides=record.overrides,
        started_wall=record.started,
        part=record.part + 1,
        taken_up=found.source or f"resumed: run {record.run_id}",
        takes=found.takes,
        winding_up=found.winding_up,
        skipping=record.skipping,
        doubt=frozenset(doubt),
        ahead=frozenset(n.name for n in nodes if n.step is NodeStep.PENDING and n.cordoned_by_us),
    )


def _intended(record: Record, found: Circumstances) -> set[str]:
    """UID of the pod whose eviction was about to be sent, unless the journal shows that it was not."""
    if record.intent is None or record.intent[0] != "evict":
        return set()
    return {record.intent[1]} if found.fate(record.intent[1]) is not Fate.NEVER else set()


def _at(record: Record, node: NodeRun) -> NodeStep:
    return record.stopped_at if node.step is NodeStep.STOPPED and record.stopped_at is not None else node.step


def _node(record: Record, index: int, node: NodeRun, found: Circumstances) -> NodeRun:
    """Where clocks may differ by minutes a step begins anew: a hold that ends too late does no harm."""
    facts = found.facts
    since = found.now
    if node.since is not None and found.same_clock:
        since -= max(0.0, facts.wall + (found.now - facts.at) - node.since)
    ours = is_ours(record, node, facts.nodes.value)
    step = _at(record, node) if index == record.current else node.step
    if step is NodeStep.STOPPED:
        step = NodeStep.DRAIN  # a record that does not say where: what has to go is told by reading
    elif step is NodeStep.CLAIM:
        step = NodeStep.PENDING
    pods = tuple(_pod(pod, record, found) for pod in node.pods)
    return replace(node, step=step, since=since, cordoned_by_us=ours, pods=pods)


def is_ours(record: Record, node: NodeRun, nodes: Sequence[Node] | None) -> bool:
    """Whether the run's own cordon is on this node now.

    The cordon and the run's id came in one request, so that one without the other is somebody else's. Where the nodes
    could not be read, what may have been cordoned is named as ours: nothing may stay so unnamed.
    """
    perhaps = node.cordoned_by_us or record.intent == ("cordon", node.name) or node.step is NodeStep.CORDON
    if nodes is None or not perhaps:
        return perhaps
    seen = next((n for n in nodes if n.name == node.name and n.uid == node.uid), None)
    return seen is not None and run_of(seen) == record.run_id


def _pod(pod: PodRun, record: Record, found: Circumstances) -> PodRun:
    """A pod whose eviction may be on its way waits until that can't be any more; reading may tell sooner."""
    intended = record.intent == ("evict", pod.pod.uid)
    if pod.step is not PodStep.EVICT and not (intended and pod.step is PodStep.PENDING):
        return pod
    match found.fate(pod.pod.uid):
        case Fate.NEVER | Fate.REFUSED:
            return replace(pod, step=PodStep.PENDING)
        case Fate.GRANTED:
            return replace(pod, step=PodStep.LEAVING, note="terminating")
        case Fate.UNKNOWN:
            note = "its eviction may have been sent: reading before anything else"
            return replace(pod, step=PodStep.EVICT, retry_at=found.now + IN_DOUBT, note=note)


def merged(record: Record, fresh: Plan, nodes: Sequence[NodeRun]) -> Plan:
    """The fresh plan in the run's own order, with a line for each node that is over, and our cordons named as ours."""
    anew = {node.name: node for node in fresh.nodes}
    rows: list[NodePlan] = []
    for node in nodes:
        plan = anew.get(node.name)
        if plan is None:
            plan = NodePlan(node.name, node.uid, False, (), ())
        elif node.cordoned_by_us:
            told = tuple(f for f in plan.findings if f.code != "was-cordoned")
            plan = replace(plan, was_cordoned=False, findings=told)
        # It is the node that was planned: one of the same name with another UID is never touched.
        rows.append(replace(plan, uid=node.uid))
    keys = tuple(dict.fromkeys((*record.ensembles, *fresh.ensembles)))
    return replace(fresh, ensembles=keys, nodes=tuple(rows), options=record.options)


def unplanned(options: Options, wall: float) -> Plan:
    """For a run that is only to be ended."""
    return Plan((), (), options, (), wall, 0, 0)


def names_left(record: Record) -> tuple[str, ...]:
    """Nodes that the run still has to do with, in their order."""
    return tuple(node.name for node in record.nodes[record.current :] if node.step not in OVER)


def members_away(record: Record) -> tuple[str, ...]:
    """Names of members that were moved, or may be, and are not known to be back."""
    return _away(record, record.nodes)


def _away(record: Record, nodes: Sequence[NodeRun]) -> tuple[str, ...]:
    steps = (PodStep.EVICT, PodStep.LEAVING, PodStep.GONE, PodStep.PLACED, PodStep.WAITS)
    members = (p for n in nodes for p in n.pods if p.member)
    found = (p.pod.name for p in members if p.step in steps or record.intent == ("evict", p.pod.uid))
    return tuple(dict.fromkeys(found))


def next_step(record: Record) -> str:
    """What the run would do next if it were resumed, in one sentence."""
    if record.current >= len(record.nodes):
        return "Every node is done: it would only be ended."
    node = record.nodes[record.current]
    words = _NEXT.get(_at(record, node), "Read what became of {node}, and go on.")
    pods = _pods_words(record, node)
    several = not pods or ", " in pods
    return words.format(
        node=node.name,
        pods=pods or "its members",
        serve="serve" if several else "serves",
        hold=_hold_words(record.options),
    )


_NEXT = {
    NodeStep.PENDING: "Begin with {node}: pass the first gate, then cordon it.",
    NodeStep.CLAIM: "Begin with {node}: pass the first gate, then cordon it.",
    NodeStep.CORDON: "Read whether {node} was cordoned, then drain it.",
    NodeStep.DRAIN: "Go on draining {node}: {pods}.",
    NodeStep.DRAINED: "Wait until {pods} of {node} {serve} again, then hold {node}.",
    NodeStep.HOLD: "Hold {node} {hold}, then uncordon it.",
    NodeStep.UNCORDON: "Uncordon {node}.",
    NodeStep.REJOIN: "Wait until {pods} of {node} {serve} again.",
}


def _pods_words(record: Record, node: NodeRun) -> str:
    if _at(record, node) is not NodeStep.DRAIN:
        return ", ".join(_away(record, (node,)))
    for pod in node.pods:
        if pod.step is PodStep.EVICT or record.intent == ("evict", pod.pod.uid):
            return f"read whether {pod.pod.name} was evicted"
        if pod.step is PodStep.LEAVING:
            return f"wait until {pod.pod.name} has left"
    left = [pod.pod.name for pod in node.pods if pod.step in (PodStep.PENDING, PodStep.GATE)]
    return f"evict {left[0]} once its gates are open" if left else "read which pods are left"


def _hold_words(options: Options) -> str:
    return f"for {options.hold.seconds:.0f} s" if options.hold.seconds else "until you say so"
