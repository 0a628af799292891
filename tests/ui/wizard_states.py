"""Frozen states of a run, one for each thing that the wizard can have to show, and an engine that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.ui.fakes import NOW, WALL
from zktui.core.kube import PodKey
from zktui.core.ports import ProbeSession, ProbeSummary
from zktui.core.zookeeper import EnsembleKey, Member, Mode
from zktui.maintenance.journal import MemoryJournal
from zktui.maintenance.model import (
    POWERED_OFF,
    Action,
    ActionKind,
    BudgetSample,
    Command,
    Event,
    Finding,
    Gate,
    GateName,
    Landing,
    Level,
    NodePlan,
    NodeRun,
    NodeStep,
    Options,
    Plan,
    PlanAct,
    PlannedMember,
    PlanStep,
    PodRun,
    PodStep,
    PodVerdict,
    Run,
    RunStatus,
    Standing,
    Unfinished,
    Verdict,
)

KEY = EnsembleKey("default", "zk", "sts-zk")
ZK = [PodKey("default", f"zk-{n}", f"uid-zk-{n}") for n in range(3)]
APP = [PodKey("shop", f"web-{n}", f"uid-web-{n}") for n in range(2)]
BEGUN = NOW - 192.0
"""The run began 3 min 12 s ago."""


class StillEngine:
    """A run that a test moves by hand: `become` is a change, `commands` is what the screen sent."""

    def __init__(self, run: Run, timeline: tuple[BudgetSample, ...] = (), members: tuple[Member, ...] = ()) -> None:
        self.run = run
        self.timeline = timeline
        self.members = members
        self.journal = MemoryJournal()
        self.probe: ProbeSummary | None = None
        self.commands: list[Command] = []
        self._readers: set[asyncio.Event] = set()

    def command(self, command: Command) -> None:
        self.commands.append(command)

    def become(self, run: Run) -> None:
        self.run = run
        for reader in self._readers:
            reader.set()

    @asynccontextmanager
    async def changes(self) -> AsyncGenerator[asyncio.Event]:
        event = asyncio.Event()
        self._readers.add(event)
        try:
            yield event
        finally:
            self._readers.discard(event)


def member(number: int, mode: Mode = Mode.FOLLOWER, lands: tuple[str, ...] = ("node-4",)) -> PlannedMember:
    known = (9 + 11 * number, 3 * number or None, number or None)
    return PlannedMember(KEY, ZK[number], mode, True, Landing(lands), 1, (), *known)


def plan(options: Options | None = None, findings: tuple[Finding, ...] = ()) -> Plan:
    """Four nodes: the empty one first, the leader's last."""
    others = (
        PodVerdict(APP[0], Verdict.EVICT),
        PodVerdict(APP[1], Verdict.EVICT),
        PodVerdict(PodKey("kube-system", "proxy-x1", "uid-proxy"), Verdict.STAY),
    )
    return Plan(
        (KEY,),
        (
            NodePlan("node-4", "uid-node-4", False, (), ()),
            NodePlan("node-3", "uid-node-3", False, (member(2),), others, ahead=("node-1",)),
            NodePlan("node-1", "uid-node-1", False, (member(0, lands=("node-3",)),), ()),
            NodePlan("node-2", "uid-node-2", False, (member(1, Mode.LEADER, ("node-1",)),), ()),
        ),
        options or Options(ignore_daemonsets=True),
        findings,
        WALL - 200,
        3,
        1,
        (
            "node-4 carries no member and takes the first that moves",
            "zk-1 leads, so node-2 goes last: one election instead of two",
        ),
        steps(),
        "This order takes 2 evictions and 1 election less than the order given.",
        4.0,
        6.0,
    )


def steps() -> tuple[PlanStep, ...]:
    """The run of `plan` on paper: node-1 is cordoned ahead, so that zk-2 does not land there."""
    made = [
        PlanStep("node-4", PlanAct.CORDON),
        PlanStep("node-4", PlanAct.HOLD),
        PlanStep("node-4", PlanAct.UNCORDON),
        PlanStep("node-1", PlanAct.CORDON_AHEAD),
        PlanStep("node-3", PlanAct.CORDON),
        PlanStep("node-3", PlanAct.EVICT, "web-0", "shop"),
        PlanStep("node-3", PlanAct.EVICT, "web-1", "shop", allowed_before=0, allowed_after=0, waits=True),
    ]
    for node, number, lands in (("node-3", 2, "node-4"), ("node-1", 0, "node-3"), ("node-2", 1, "node-1")):
        moves = PlanStep(node, PlanAct.EVICT, f"zk-{number}", "default", True, KEY, 1, 0, 2, 2)
        made += [PlanStep(node, PlanAct.CORDON)] * (node == "node-2")
        made += [
            moves,
            replace(moves, node=lands, act=PlanAct.RETURN, allowed_before=0, allowed_after=1, serving=3),
            PlanStep(node, PlanAct.HOLD),
            PlanStep(node, PlanAct.UNCORDON),
        ]
    return tuple(made)


NO_BUDGET = Finding(
    Level.WARN,
    "No budget covers zk: the server says yes to every eviction",
    "kubectl create poddisruptionbudget zk --selector app=zk --max-unavailable 1",
    "no-budget",
    acknowledge=True,
    action=Action(ActionKind.CREATE_BUDGET, "default/zk", "create a budget for zk: maxUnavailable 1"),
)


def review(level: Level | None = None) -> Plan:
    """A plan to review: clean, with warnings, to be acknowledged (INFO), or with something that stops it."""
    if level is None:
        return plan()
    warn = Finding(
        Level.WARN,
        "zk-hs lists Ready pods only: a member that comes back is resolved late.",
        "publishNotReadyAddresses: true on the Service zk-hs",
        "not-ready-addresses",
    )
    if level is Level.WARN:
        return plan(findings=(warn,))
    if level is Level.INFO:
        return plan(findings=(NO_BUDGET,))
    stop = Finding(Level.STOP, "web-0 uses emptyDir volumes (cache).", "--delete-emptydir-data", "emptydir")
    base = plan(findings=(warn,))
    nodes = list(base.nodes)
    refused = PodVerdict(APP[0], Verdict.REFUSE, (stop,))
    nodes[1] = replace(nodes[1], others=(refused, *nodes[1].others[1:]))
    nodes[3] = replace(nodes[3], members=(member(1, Mode.LEADER, ()),))
    waits = Landing((), (("node-1", "anti-affinity: zk-0 is there"), ("node-4", "cordoned by this plan")))
    nodes[3] = replace(nodes[3], members=(replace(nodes[3].members[0], landing=waits),))
    return replace(base, nodes=tuple(nodes))


def gate(name: GateName, standing: Standing = Standing.OK, evidence: str = "", **more: object) -> Gate:
    told = (
        evidence
        or {
            GateName.BUDGET: "zk-pdb allows 1, status current",
            GateName.QUORUM: "2 of 3 voters remain, a majority is 2",
            GateName.RETURN: "no rollout, zk-0 and zk-1 are ready, revision is current",
            GateName.LANDING: "node-4 can take it",
            GateName.SETTLED: "no member has moved yet",
            GateName.ALONE: "lease held, no other disruption on node-3",
        }[name]
    )
    return Gate(name, standing, told, NOW - 0.4, **more)  # pyright: ignore[reportArgumentType]  # fields by name


def gates(*changed: Gate) -> tuple[Gate, ...]:
    """All six gates, open but for the changed ones."""
    by_name = {each.name: each for each in changed}
    return tuple(by_name.get(name) or gate(name) for name in GateName)


TOOK = ((NodeStep.CLAIM, 0.1), (NodeStep.CORDON, 0.2))
DONE_4 = NodeRun(
    "node-4",
    "uid-node-4",
    NodeStep.VERIFIED,
    took=((NodeStep.CLAIM, 0.3), (NodeStep.CORDON, 0.2), (NodeStep.HOLD, 31.0)),
)


def at_node_3(step: NodeStep, pods: tuple[PodRun, ...] | None = None, *, cordoned: bool = True, **more: object) -> Run:
    """The run at its second node; `more` are fields of the Run."""
    standing = pods if pods is not None else (*others_gone(), zk2(PodStep.GATE, gates=gates()))
    took = {
        NodeStep.CLAIM: (),
        NodeStep.CORDON: TOOK[:1],
        NodeStep.DRAIN: TOOK,
        NodeStep.DRAINED: (*TOOK, (NodeStep.DRAIN, 9.3)),
        NodeStep.HOLD: (*TOOK, (NodeStep.DRAIN, 9.3), (NodeStep.DRAINED, 12.4)),
        NodeStep.UNCORDON: (*TOOK, (NodeStep.DRAIN, 9.3), (NodeStep.DRAINED, 12.4), (NodeStep.HOLD, 41.0)),
        NodeStep.REJOIN: (*TOOK, (NodeStep.DRAIN, 9.3), (NodeStep.HOLD, 41.0), (NodeStep.UNCORDON, 0.2)),
    }.get(step, TOOK)
    node = NodeRun("node-3", "uid-node-3", step, standing, cordoned, NOW - 9.3, took)
    rest = (NodeRun("node-1", "uid-node-1"), NodeRun("node-2", "uid-node-2"))
    made = Run(
        "20260921-141008-k7",
        plan(),
        RunStatus.RUNNING,
        (DONE_4, node, *rest),
        1,
        BEGUN,
        message=f"Working on node-3: {step.value}.",
    )
    return replace(made, **more)  # pyright: ignore[reportArgumentType]  # fields by name


def zk2(step: PodStep, **more: object) -> PodRun:
    return PodRun(ZK[2], True, step, KEY, **more)  # pyright: ignore[reportArgumentType]  # fields by name


def others_gone() -> tuple[PodRun, ...]:
    proxy = PodKey("kube-system", "proxy-x1", "uid-proxy")
    return (*(PodRun(pod, False, PodStep.GONE) for pod in APP), PodRun(proxy, False, PodStep.STAYS))


def blocked(name: GateName) -> Run:
    """The member at the gates, with one of them blocked, as the engine words it."""
    words: dict[GateName, tuple[str, str, Action | None]] = {
        GateName.BUDGET: (
            "zk-pdb allows 0: needs 2 healthy, has 2",
            "zk-0 becomes Ready, or the budget asks for less",
            Action(ActionKind.OVERRIDE, "zk-2", "send the eviction all the same: the server decides"),
        ),
        GateName.QUORUM: (
            "without zk-2 only zk-1 of 3 voters serves, a majority is 2; zk-0 is silent (timed out after 1.5 s)",
            "zk-0 serves again",
            Action(ActionKind.OVERRIDE, "zk-2", "let zk-2 go without a majority"),
        ),
        GateName.RETURN: (
            "a rolling update of zk is under way (1 of 3 updated); it deletes pods without asking any budget",
            "the rollout ends: kubectl rollout status statefulset/zk",
            Action(ActionKind.ABORT, "", "stop this run"),
        ),
        GateName.LANDING: (
            "no node can take zk-2: node-4 is cordoned by ann; zk-0 and zk-1 are on node-1 and node-2",
            "uncordon node-4",
            Action(ActionKind.UNCORDON, "node-4", "uncordon node-4 so that zk-2 can land there"),
        ),
        GateName.SETTLED: (
            "zk-0 came back 6 min ago as a new pod, and looks for a leader since",
            "zk-0 follows: look at its log (l)",
            Action(ActionKind.OVERRIDE, "zk-2", "go on without zk-0"),
        ),
        GateName.ALONE: (
            "the lease zktui-zk is held by bob@bastion since 14:11:02",
            "bob's run ends, or its lease runs out in 14 s",
            Action(ActionKind.ABORT, "", "stop this run"),
        ),
    }
    evidence, unblock, action = words[name]
    closed = gate(name, Standing.BLOCKED, evidence, unblock=unblock, action=action, since=NOW - 47)
    return at_the_gates(closed)


def at_the_gates(closed: Gate) -> Run:
    """The member at the gates, with this one not open."""
    return at_node_3(NodeStep.DRAIN, (*others_gone(), zk2(PodStep.GATE, gates=gates(closed))))


def blocked_by_ourselves() -> Run:
    """No node can take the member, for this run has cordoned one ahead."""
    offer = Action(ActionKind.UNCORDON, "node-1", "uncordon node-1 so that zk-2 can land there")
    closed = gate(GateName.LANDING, Standing.BLOCKED, "no node can take zk-2", action=offer, since=NOW - 5)
    run = at_node_3(NodeStep.DRAIN, (*others_gone(), zk2(PodStep.GATE, gates=gates(closed))))
    nodes = list(run.nodes)
    nodes[2] = replace(nodes[2], cordoned_by_us=True)
    return replace(run, nodes=tuple(nodes))


def final() -> Run:
    """Blocked by what no typed word opens."""
    closed = gate(GateName.RETURN, Standing.BLOCKED, "its data is in an emptyDir, and zk-0 does not serve", final=True)
    return at_node_3(NodeStep.DRAIN, (*others_gone(), zk2(PodStep.GATE, gates=gates(closed))))


OUT_OF_SERVICE = Action(ActionKind.OUT_OF_SERVICE, "node-3", "taint node-3 as out of service", POWERED_OFF)


def gone_for_good() -> Run:
    """Blocked by a dead node: what zktui offers to do takes a typed word."""
    why = "zk-2 terminates for 75 s on node-3, which is NotReady for 3 min"
    unblock = "node-3 answers again, or is powered off"
    closed = gate(GateName.RETURN, Standing.BLOCKED, why, unblock=unblock, action=OUT_OF_SERVICE, since=NOW - 15)
    return away(PodStep.LEAVING, gates=(closed,))


def stuck() -> Run:
    """Evicted, and it does not terminate."""
    why = "zk-2 terminates for 75 s, and had 30 s: is its node alive?"
    closed = gate(GateName.RETURN, Standing.BLOCKED, why, unblock="kubectl describe pod zk-2", since=NOW - 15)
    return away(PodStep.LEAVING, gates=(closed,))


def waiting() -> Run:
    settled = gate(
        GateName.SETTLED,
        Standing.WAITING,
        "zk-0 rejoined 4 s ago and must serve for 10 s",
        progress=(4.2, 10.0),
        since=NOW - 4.2,
    )
    return at_node_3(NodeStep.DRAIN, (*others_gone(), zk2(PodStep.GATE, gates=gates(settled))))


def away(step: PodStep, **more: object) -> Run:
    fields: dict[str, object] = {"evicted_at": NOW - 8.0}
    if step in (PodStep.GONE, PodStep.PLACED, PodStep.WAITS):
        fields["gone_at"] = NOW - 5.5
    if step is PodStep.PLACED:
        fields |= {"successor": PodKey("default", "zk-2", "uid-new"), "successor_node": "node-4"}
    return at_node_3(NodeStep.DRAIN, (*others_gone(), zk2(step, **(fields | more))), exposed_since=NOW - 7.0, spare=0)


def back() -> PodRun:
    new = PodKey("default", "zk-2", "uid-new")
    times = {"evicted_at": NOW - 60.0, "gone_at": NOW - 57.0, "rejoined_at": NOW - 45.0}
    return zk2(PodStep.REJOINED, successor=new, successor_node="node-4", **times)


def hold(*, waits: bool = False) -> Run:
    pod = zk2(PodStep.WAITS, evicted_at=NOW - 60.0, gone_at=NOW - 57.0, note="nowhere to land") if waits else back()
    run = at_node_3(NodeStep.HOLD, (*others_gone(), pod))
    note = "cordoned and empty, it is a candidate for removal by an autoscaler"
    run = replace(run, note="swapping the disk, ann, back at 15:00")
    if waits:
        run = replace(run, exposed_since=NOW - 59.0, spare=0)
    return replace(run, nodes=(run.nodes[0], replace(run.nodes[1], note=note), *run.nodes[2:]))


def ended(status: RunStatus) -> Run:
    if status is RunStatus.DONE:
        verified = NodeRun("node-3", "uid-node-3", NodeStep.VERIFIED, (*others_gone(), back()), False, NOW, TOOK)
        pods = (
            PodRun(
                ZK[1], True, PodStep.REJOINED, KEY, successor_node="node-1", evicted_at=NOW - 30, rejoined_at=NOW - 9
            ),
        )
        last = NodeRun("node-2", "uid-node-2", NodeStep.VERIFIED, pods, False, NOW, (*TOOK, (NodeStep.DRAIN, 31.0)))
        first = NodeRun("node-1", "uid-node-1", NodeStep.VERIFIED, (), False, NOW, TOOK)
        base = at_node_3(NodeStep.DRAIN)
        nodes = (DONE_4, verified, first, last)
        return replace(
            base,
            status=status,
            nodes=nodes,
            current=3,
            ended_at=NOW,
            message="Done: every node of the plan. Nothing is left cordoned by this run.",
        )
    if status is RunStatus.ABORTED:
        return at_node_3(
            NodeStep.STOPPED,
            status=status,
            ended_at=NOW,
            message="Aborted. Still cordoned: node-3. To undo it: kubectl uncordon node-3",
        )
    pod = zk2(PodStep.PLACED, evicted_at=NOW - 300, gone_at=NOW - 290, note="looks for a leader since 4 min 20 s")
    told = "zk-2 did not come back within 5 min."
    return at_node_3(NodeStep.STOPPED, (*others_gone(), pod), status=status, ended_at=NOW, message=told)


STATES: dict[str, Callable[[], Run]] = {
    "claim": lambda: at_node_3(NodeStep.CLAIM, cordoned=False),
    "cordon": lambda: at_node_3(NodeStep.CORDON, (), in_flight="PATCH node-3: unschedulable"),
    "gates": lambda: at_node_3(NodeStep.DRAIN),
    "waiting": waiting,
    "evict": lambda: at_node_3(
        NodeStep.DRAIN, (*others_gone(), zk2(PodStep.EVICT, tries=1)), in_flight="POST eviction of zk-2 (uid-zk-2)"
    ),
    "leaving": lambda: away(PodStep.LEAVING),
    "stuck": stuck,
    "dead-node": gone_for_good,
    "gone": lambda: away(PodStep.GONE),
    "placed": lambda: away(PodStep.PLACED, note="Ready, looks for a leader"),
    "drained": lambda: at_node_3(NodeStep.DRAINED, (*others_gone(), back())),
    "hold": hold,
    "hold-waits": lambda: hold(waits=True),
    "uncordon": lambda: at_node_3(NodeStep.UNCORDON, (*others_gone(), back())),
    "rejoin": lambda: at_node_3(NodeStep.REJOIN, away(PodStep.PLACED).nodes[1].pods, cordoned=False),
    **{f"blocked-{name.value}": (lambda name=name: blocked(name)) for name in GateName},
    "blocked-final": final,
    "blocked-ahead": blocked_by_ourselves,
    "paused": lambda: replace(waiting(), status=RunStatus.PAUSED, message="Paused"),
    "hold-paused": lambda: replace(hold(), status=RunStatus.PAUSED, message="Paused"),
    "pausing": lambda: replace(STATES["evict"](), pausing=True),
    "aborting": lambda: replace(STATES["evict"](), aborting=True),
    "done": lambda: ended(RunStatus.DONE),
    "aborted": lambda: ended(RunStatus.ABORTED),
    "failed": lambda: ended(RunStatus.FAILED),
}


def timeline() -> tuple[BudgetSample, ...]:
    """One dip for the first member's move, and one now."""
    figures = ((0, 1, 3), (60, 0, 3), (62, 0, 2), (95, 1, 3), (184, 0, 2))
    return tuple(BudgetSample(BEGUN + at, allowed, current, 2, 3, "default/zk-pdb") for at, allowed, current in figures)


def engine(run: Run) -> StillEngine:
    """The run with a budget's history and a journal in which somebody else's text tries to be markup."""
    made = StillEngine(run, timeline())
    sessions = tuple(ProbeSession("default", pod.name, pod.name, 1920, 0, 0.1, 0, writes=640) for pod in ZK)
    made.probe = ProbeSummary(5760, 0, 0.1, {pod.name: 0.1 for pod in ZK}, sessions)
    told = (
        ("plan", "4 nodes: node-4, node-3, node-1, node-2"),
        ("cordon", "cordon node-3"),
        ("evict", "evict web-0 (uid-web-0)"),
        ("gone", "web-0 is gone"),
        (
            "reply",
            "evict zk-2: 429, Cannot evict pod as it would violate the pod's disruption budget. [/needs] 2 healthy",
        ),
        ("budget", "zk-pdb allows 0 (2 healthy, 2 needed)"),
    )
    for number, (kind, text) in enumerate(told):
        made.journal.append(Event(0, WALL - 180 + 20 * number, kind, text))
    return made


def unfinished(**changes: object) -> Unfinished:
    """A run that was killed at its second node, on this machine: it may be taken up without a word."""
    run = away(PodStep.WAITS)
    base = Unfinished(
        run.id,
        "default",
        "ann@desk/4242",
        WALL - 7200,
        WALL - 620,
        RunStatus.RUNNING,
        "zk-2 has nowhere to land and waits for the uncordon",
        run.nodes,
        ("node-3",),
        ("zk-2",),
        "swapping the disk, ann, back at 15:00",
        Options(),
        free=True,
        wait=0.0,
        word="",
        next_step="zk-2 is awaited, then node-3 is yours again",
        by_hand=("kubectl uncordon node-3", "kubectl wait --for=condition=Ready pod/zk-2 -n default --timeout=10m"),
        here=True,
    )
    return replace(base, **changes)  # pyright: ignore[reportArgumentType]  # fields by name


UNFINISHED: dict[str, Callable[[], Unfinished]] = {
    "mine": unfinished,
    "held": lambda: unfinished(holder="bob@bastion/77", renewed=WALL - 6, free=False, wait=9.0, here=False, word="w"),
    "at-work": lambda: unfinished(renewed=WALL - 3, free=False, wait=None, word="w"),
    "expired": lambda: unfinished(holder="bob@bastion/77", word="20260921-141008-k7", here=False),
    "released": lambda: unfinished(
        holder="", status=RunStatus.FAILED, away=(), message="zk-2 did not come back", note=""
    ),
    "refused": lambda: unfinished(refused="its record was written by a newer zktui", nodes=(), next_step=""),
}
