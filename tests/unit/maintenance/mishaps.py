"""What happens to a cluster, and to a run, at random moments of a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.unit.maintenance import heirs
from tests.unit.maintenance.controllers import SimNode
from tests.unit.maintenance.servers import SimPod
from tests.unit.maintenance.world import World
from zktui.core.kube import Taint
from zktui.maintenance.model import Action, ActionKind, CommandKind, GateName, NodeStep, RunStatus

if TYPE_CHECKING:
    from tests.unit.maintenance.operators import Operator
    from tests.unit.maintenance.schedules import Schedule

Mishap = Callable[["Schedule"], None]
NO_OFFER = Action(ActionKind.ABORT, "", "nothing that zktui offers")
AUTOSCALER = Taint("ToBeDeletedByClusterAutoscaler", "NoSchedule")
OTHER = Taint("example.com/under-repair", "NoSchedule")


def _member(play: Schedule) -> tuple[World, SimPod] | None:
    found = [(w, p) for w in play.worlds for p in w.members() if p.deleting is None and p.node]
    return play.rng.choice(found) if found else None


def _node(play: Schedule) -> SimNode | None:
    nodes = play.world.nodes
    return nodes[play.rng.choice(sorted(nodes))] if nodes else None


def _operator(play: Schedule) -> Operator | None:
    alive = [op for op in play.operators if not op.over]
    return play.rng.choice(alive) if alive else None


# -- members ----------------------------------------------------------------------------------------------------------


def freeze(play: Schedule) -> None:
    if (found := _member(play)) is not None:
        found[0].freeze(found[1], play.rng.uniform(1, 15))


def freeze_leader(play: Schedule) -> None:
    world = play.rng.choice(play.worlds)
    if world.leader in world.pods:
        world.freeze(world.pods[world.leader], play.rng.uniform(1, 15))


def freeze_long(play: Schedule) -> None:
    if (found := _member(play)) is not None:
        found[0].freeze(found[1], play.rng.uniform(30, 90))


def crash(play: Schedule) -> None:
    if (found := _member(play)) is not None:
        found[0].crash(found[1], play.rng.uniform(1, 5))


def delete(play: Schedule) -> None:
    """`kubectl delete pod`, by someone else."""
    if (found := _member(play)) is not None:
        found[0].delete(found[1])


def evict(play: Schedule) -> None:
    """`kubectl drain`, by someone else, as far as the budget lets it."""
    if (found := _member(play)) is not None:
        play.world.evict(play.world.pod(found[1]).key)


def never_up(play: Schedule) -> None:
    """The next pod of this name never serves; perhaps a person mends that later."""
    world = play.rng.choice(play.worlds)
    name = f"{world.name}-{play.rng.randrange(world.replicas)}"
    world.never_up.add(name)

    def mend() -> None:
        world.never_up.discard(name)
        pod = world.named(name)
        if pod is not None and pod.up_at == float("inf"):
            pod.up_at = world.now + 1

    if play.rng.random() < 0.5:
        play.at(play.now + play.rng.uniform(10, 30), mend)


def roll(play: Schedule) -> None:
    """`kubectl rollout restart`, by someone else."""
    play.rng.choice(play.worlds).revise()


def scale(play: Schedule) -> None:
    """`kubectl scale`, by someone else, and back."""
    world = play.rng.choice(play.worlds)
    world.scaled = world.replicas - 1
    play.at(play.now + play.rng.uniform(3, 12), lambda: setattr(world, "scaled", None))


# -- budgets ----------------------------------------------------------------------------------------------------------


def budget(play: Schedule) -> None:
    """Somebody edits it, and takes it back."""
    world = play.rng.choice(play.worlds)
    before = world.max_unavailable
    world.change_budget(play.rng.choice((0, 0, 2)))
    play.at(play.now + play.rng.uniform(2, 20), lambda: world.change_budget(before))


def two_budgets(play: Schedule) -> None:
    world = play.rng.choice(play.worlds)
    before, world.budget_count = world.budget_count, play.rng.choice((0, 2))
    play.at(play.now + play.rng.uniform(2, 20), lambda: setattr(world, "budget_count", before))


def web_budget(play: Schedule) -> None:
    """The budget of the other pods on the nodes closes for a while, or for good."""
    play.world.web_budget = 0
    if play.rng.random() < 0.8:
        play.at(play.now + play.rng.uniform(1, 30), lambda: setattr(play.world, "web_budget", 1))


def groups(play: Schedule) -> None:
    """Somebody tries hierarchical quorums, and takes them back."""
    world = play.rng.choice(play.worlds)
    world.groups = True
    play.at(play.now + play.rng.uniform(2, 10), lambda: setattr(world, "groups", False))


def stuck(play: Schedule) -> None:
    """Pods that terminate take much longer than their grace, as with a kubelet that hangs."""
    for pod in play.world.pods.values():
        if pod.deleting is not None:
            pod.gone_at += play.rng.uniform(20, 70)
            return
    if play.now < play.horizon * 0.6:
        play.at(play.now + 0.4, lambda: stuck(play))


# -- nodes ------------------------------------------------------------------------------------------------------------


def not_ready(play: Schedule) -> None:
    """A kubelet that is not heard of; mostly it comes back."""
    node = _node(play)
    if node is not None:
        node.ready = False
        if play.rng.random() < 0.7:
            play.at(play.now + play.rng.uniform(2, 15), lambda: setattr(node, "ready", True))


def node_gone(play: Schedule) -> None:
    if (node := _node(play)) is not None:
        play.lose_node(node.name, replaced=False)


def node_replaced(play: Schedule) -> None:
    if (node := _node(play)) is not None:
        play.lose_node(node.name, replaced=True)


def node_comes(play: Schedule) -> None:
    name = f"node-{len(play.world.nodes) + 11}"
    play.world.nodes.setdefault(name, SimNode(name, play.world.new_uid("node")))


def cordon_other(play: Schedule) -> None:
    """`kubectl cordon`, by someone else; one that comes right after an uncordon can't be told from the one before."""
    node = _node(play)
    if node is not None and not node.unschedulable and play.now - play.judge.bared.get(node.name, -99) >= 5:
        node.unschedulable, node.cordoned_by_engine, node.version = True, False, node.version + 1
        if play.rng.random() < 0.6:
            play.at(play.now + play.rng.uniform(2, 15), lambda: _bare(play, node))


def uncordon_ours(play: Schedule) -> None:
    """`kubectl uncordon`, by someone else; it leaves annotations as they are."""
    cordoned = [n for n in play.world.nodes.values() if n.unschedulable]
    if cordoned:
        _bare(play, play.rng.choice(cordoned))


def _bare(play: Schedule, node: SimNode) -> None:
    if node.unschedulable:
        play.judge.bared[node.name] = play.now
        node.unschedulable = node.cordoned_by_engine = False
        node.version += 1


def touch(play: Schedule) -> None:
    """A label on a node: its resourceVersion moves on, and nothing else."""
    if (node := _node(play)) is not None:
        node.version += 1


def taint(play: Schedule) -> None:
    node = _node(play)
    if node is not None:
        node.taints = (play.rng.choice((AUTOSCALER, OTHER)),)
        node.version += 1
        play.at(play.now + play.rng.uniform(2, 15), lambda: setattr(node, "taints", ()))


# -- the run ----------------------------------------------------------------------------------------------------------


def thief(play: Schedule) -> None:
    play.steal()


def lease_gone(play: Schedule) -> None:
    """`kubectl delete lease`."""
    if play.world.leases:
        namespace = play.rng.choice(sorted(play.world.leases))
        play.judge.robbed[namespace] = play.now
        del play.world.leases[namespace]


def clock(play: Schedule) -> None:
    """A wall clock is set, back or forward: the servers' or an operator's."""
    jump = play.rng.uniform(-100, 100) * play.rng.choice((1, 1, 100))
    if play.rng.random() < 0.5 and (op := _operator(play)) is not None:
        op.skew += jump
    else:
        play.world.wall_offset += jump


def stop_process(play: Schedule) -> None:
    """SIGSTOP, and SIGCONT some time later."""
    if (op := _operator(play)) is not None:
        op.stopped_until = play.now + play.rng.choice((play.rng.uniform(0.5, 6), play.rng.uniform(6, 70)))


def kill(play: Schedule) -> None:
    """SIGKILL."""
    if (op := _operator(play)) is not None:
        heirs.kill(play, op)


# -- what the operator says -------------------------------------------------------------------------------------------


def pause(play: Schedule) -> None:
    if (op := _operator(play)) is not None:
        op.tell(CommandKind.PAUSE)


def abort(play: Schedule) -> None:
    if (op := _operator(play)) is not None:
        op.tell(CommandKind.ABORT)


def skip(play: Schedule) -> None:
    if (op := _operator(play)) is not None:
        op.tell(CommandKind.SKIP)


def leave_a_note(play: Schedule) -> None:
    if (op := _operator(play)) is not None:
        op.tell(CommandKind.NOTE, text=play.rng.choice(("fans replaced", "")))
        assert op.state.closing or op.state.run.note in ("fans replaced", "")


def uncordon(play: Schedule) -> None:
    """Any node, by its name, or by a wrong one; or the one that is held."""
    op, node = _operator(play), _node(play)
    if op is not None and node is not None:
        typed = play.rng.choice((node.name, node.name, "", "node-99"))
        op.tell(CommandKind.UNCORDON, node=play.rng.choice((node.name, node.name, "")), typed=typed)


def resume(play: Schedule) -> None:
    if (op := _operator(play)) is not None:
        op.tell(CommandKind.RESUME)


def act(play: Schedule) -> None:
    """An action that is on offer is asked for, with the right word or a wrong one."""
    op = _operator(play)
    offers = op.offers() if op is not None else []
    if op is None or not offers:
        if play.now < play.horizon * 0.8:
            play.at(play.now + play.rng.uniform(0.5, 2), lambda: act(play))
        return
    action = play.rng.choice(offers)
    typed = play.rng.choice((action.typed, action.typed, "yes"))
    before = op.state.asked
    op.tell(CommandKind.ACT, action=action, typed=typed)
    assert typed == action.typed or op.state.asked == before, f"{typed!r} was enough for: {action.text}"


def override(play: Schedule) -> None:
    """A word typed for one certain gate, once that is in the way: the right word or a wrong one."""
    _override(play, play.rng.choice(list(GateName)))


def _override(play: Schedule, wanted: GateName) -> None:
    op = _operator(play)
    found = op.before_gate(wanted) if op is not None else None
    if op is None or found is None:
        if play.now < play.horizon * 0.8:
            play.at(play.now + play.rng.uniform(0.3, 1), lambda: _override(play, wanted))
        return
    typed = play.rng.choice((found.name, found.name, found.name, "yes", f"{found.name} ", ""))
    before = op.state.overrides
    op.tell(CommandKind.OVERRIDE, gate=wanted, typed=typed)
    assert typed == found.name or op.state.overrides == before, f"{typed!r} opened the gate {wanted} of {found.name}"


def aim(play: Schedule, op: Operator) -> None:
    """What was meant for a certain step happens there, now or while a change is on its way."""
    node = op.state.run.node
    for step, kind in play.aims if node is not None else ():
        if node is not None and node.step is step:
            play.aims.remove((step, kind))
            play.at(play.now + play.rng.choice((0.0, play.rng.uniform(0, 0.3))), lambda k=kind: _hit(play, op, k))
            return


def _hit(play: Schedule, op: Operator, kind: str) -> None:
    if op.over:
        return
    play.note(f"-- {kind}, aimed")
    match kind:
        case "disk-full":
            op.disk_full = True
        case "delete-successor":
            _delete_successor(play, op)
        case "override":
            _type_anything(play, op)
        case "act":
            op.tell(CommandKind.ACT, action=play.rng.choice([*op.offers(), NO_OFFER]), typed="yes")
        case "note":
            op.tell(CommandKind.NOTE, text="fans replaced")
        case "uncordon":
            op.tell(CommandKind.UNCORDON)
        case _:
            op.tell(CommandKind(kind))


def _delete_successor(play: Schedule, op: Operator) -> None:
    uids = {p.successor.uid for n in op.state.run.nodes for p in n.pods if p.successor is not None}
    for pod in [p for uid in sorted(uids) if (p := play.world.pods.get(uid)) is not None and p.node]:
        play.world.of(pod).delete(pod)
        return


def _type_anything(play: Schedule, op: Operator) -> None:
    """A word for a gate that is in the way; where there is none, for any gate."""
    gate = play.rng.choice(list(GateName))
    found = op.before_gate(gate)
    op.tell(CommandKind.OVERRIDE, gate=gate, typed=found.name if found else f"zk-{play.rng.randrange(3)}")


def attend(play: Schedule, op: Operator) -> None:
    """Somebody sits there: resumes what has paused, and uncordons what is held, after a while."""
    run, node = op.state.run, op.state.run.node
    if run.status is RunStatus.PAUSED and not op.attended:
        op.attended = True
        wait = play.rng.uniform(0.1, 8)

        def resume() -> None:
            op.attended = False
            op.tell(CommandKind.RESUME)

        op.later(play.now + wait, resume)
    elif node is not None and node.step is NodeStep.HOLD and node.name not in op.released:
        op.released.add(node.name)

        def give_back() -> None:
            op.released.discard(node.name)
            op.tell(CommandKind.UNCORDON)

        op.later(play.now + play.rng.uniform(0.5, 6), give_back)


MEMBERS: dict[str, Mishap] = {
    "freeze": freeze,
    "freeze-leader": freeze_leader,
    "freeze-long": freeze_long,
    "crash": crash,
    "delete": delete,
    "evict": evict,
    "never-up": never_up,
    "roll": roll,
    "scale": scale,
    "budget": budget,
    "two-budgets": two_budgets,
    "web-budget": web_budget,
    "groups": groups,
    "stuck": stuck,
}
NODES: dict[str, Mishap] = {
    "not-ready": not_ready,
    "node-gone": node_gone,
    "node-replaced": node_replaced,
    "node-comes": node_comes,
    "cordon-other": cordon_other,
    "uncordon-ours": uncordon_ours,
    "touch": touch,
    "taint": taint,
}
RUNS: dict[str, Mishap] = {
    "thief": thief,
    "lease-gone": lease_gone,
    "clock": clock,
    "stop-process": stop_process,
    "kill": kill,
}
COMMANDS: dict[str, Mishap] = {
    "pause": pause,
    "resume": resume,
    "abort": abort,
    "skip": skip,
    "note": leave_a_note,
    "uncordon": uncordon,
    "override": override,
    "act": act,
}
AIMED = (*(kind.value for kind in CommandKind), "override", "override", "disk-full", "delete-successor")
"""What may be aimed at a step."""
MISHAPS: dict[str, Mishap] = {**MEMBERS, **NODES, **RUNS, **COMMANDS}
