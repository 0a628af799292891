"""The review of a plan as rows: the order and what each node costs, who feels it, and all that stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.maintenance.model import (
    Action,
    Finding,
    HoldKind,
    Level,
    NodePlan,
    Options,
    Plan,
    PlanAct,
    PlannedMember,
    PlanStep,
    Verdict,
)
from zktui.ui.screens.wizard.standing import Answer, Light
from zktui.ui.screens.wizard.words import NEXT, OK, STOP, Cell, count, key, listed, role, span, table
from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Row, row

BLANK = row()
OFFER = "f"
"""The key for what zktui offers to do about a finding."""
LEVELS = {
    Level.STOP: (f" {STOP} ", Tone.BLOCKED),
    Level.WARN: (" ! ", Tone.WAITING),
    Level.INFO: (" · ", Tone.DIM),
}


def answer(plan: Plan) -> Answer:
    """Whether this plan can go, in one second."""
    if not plan.go:
        stops = [(who, finding) for who, finding in told(plan) if finding.level is Level.STOP]
        first = sentence(*stops[0]).rstrip(".")
        more = f" And {count(len(stops) - 1, 'more reason')}." if len(stops) > 1 else ""
        return Answer(Light.BLOCKED, STOP, "STOP", f"{first}.{more}")
    if asked := plan.unacknowledged:
        first = sentence("", asked[0]).rstrip(".")
        more = f" And {count(len(asked) - 1, 'more')}." if len(asked) > 1 else ""
        return Answer(Light.WAITING, "!", "READ THIS", f"{first}.{more} Press k to go on all the same.")
    warnings = sum(finding.level is Level.WARN for _, finding in told(plan))
    cost = f"{count(plan.evictions, 'member eviction')} and {count(plan.elections, 'election')}.".capitalize()
    if plan.would_wait:
        why = next(sentence(who, finding) for who, finding in told(plan) if finding.code == "degraded").rstrip(".")
        return Answer(Light.WAITING, "…", "NOT NOW", f"{why}. A run would wait before its first eviction.")
    if warnings:
        known = "thing" if warnings == 1 else "things"
        return Answer(Light.WAITING, "!", "READY", f"{cost} {warnings} {known} you should know first.")
    return Answer(Light.SAFE, "●", "READY", f"{cost} Nothing stands in the way.")


def rows(plan: Plan, narrow: bool) -> list[Row]:
    """The whole review, in the order in which a person asks."""
    lines = [row([Piece(" Order", Tone.STRONG)]), *_order(plan.nodes, narrow), *_ahead(plan), BLANK]
    if plan.reasons or plan.saves:
        lines.append(row([Piece(" Why this order", Tone.STRONG)]))
        lines += [row(" · ", [Piece(reason)]) for reason in plan.reasons]
        lines += (
            [row([Piece(f" {OK} ", Tone.SAFE)], [Piece(f"{plan.saves[:1].upper()}{plan.saves[1:]}", Tone.SAFE)])]
            if plan.saves
            else []
        )
        lines.append(BLANK)
    found = findings(plan)
    if found:
        lines += [row([Piece(" What to know", Tone.STRONG)]), *found, BLANK]
    nowhere = [(n, m) for n in plan.nodes for m in n.members if m.landing.waits]
    for node, member in nowhere:
        lines.append(_nowhere(node, member))
        lines += [row("     ", [Piece(f"{name}: {why}", Tone.DIM)]) for name, why in member.landing.why]
    if nowhere:
        lines.append(BLANK)
    if each := verdicts(plan.nodes):
        lines += [row([Piece(" Other pods", Tone.STRONG)]), *each, BLANK]
    if feel := who_feels_it(plan):
        lines += [row([Piece(" Who feels it", Tone.STRONG)]), *feel, BLANK]
    if plan.steps:
        lines += [row([Piece(" Step by step, as simulated", Tone.STRONG)]), *simulated(plan.steps), BLANK]
    return [*lines, row([Piece(" Options", Tone.STRONG)]), *options(plan.options)]


def _order(nodes: Sequence[NodePlan], narrow: bool) -> list[Row]:
    heading = ["   #", "NODE", "MEMBER", "ROLE", "LANDS ON", "BUDGET", "" if narrow else "OTHER PODS"]
    cells: list[list[Cell]] = [[Piece(name, Tone.DIM) for name in heading]]
    for number, node in enumerate(nodes, 1):
        first: list[Cell] = [Piece(f"{number:>4}", Tone.DIM), Piece(node.name, Tone.STRONG)]
        others = "" if narrow else _others(node)
        if not node.members:
            cells.append([*first, Piece("no member", Tone.DIM), "", "", "", Piece(others, Tone.DIM)])
        for at, member in enumerate(node.members):
            start: list[Cell] = first if at == 0 else ["", ""]
            cells.append([*start, *_member(member), Piece(others if at == 0 else "", Tone.DIM)])
    lines = [row(line) for line in table(cells, ("right",))]
    if narrow:
        lines += [row("     ", [Piece(f"{node.name}: {pods}", Tone.DIM)]) for node in nodes if (pods := _others(node))]
    return lines


def _member(member: PlannedMember) -> list[Cell]:
    if member.landing.waits:
        lands = Piece("waits for uncordon", Tone.WAITING)
    else:
        first, *more = member.landing.nodes
        lands = Piece(f"{first} +{len(more)}" if more else first)
    return [member.pod.name, role(member.mode), lands, _budget(member)]


def _budget(member: PlannedMember) -> Piece:
    allowed = member.allowed_before
    if allowed is None:
        return Piece("none", Tone.WAITING)
    return Piece(f"{allowed} → {max(0, allowed - 1)}", Tone.SAFE if allowed else Tone.BLOCKED)


VERDICTS = (
    (Verdict.REFUSE, "refused", Tone.BLOCKED),
    (Verdict.EVICT, "evicted", Tone.PLAIN),
    (Verdict.STAY, "stay", Tone.DIM),
)


def verdicts(nodes: Sequence[NodePlan]) -> list[Row]:
    """What becomes of each pod that is no member, by name; why stands among the findings."""
    cells: list[list[Cell]] = []
    for node in nodes:
        first = node.name
        for verdict, word, tone in VERDICTS:
            names = [other.pod.name for other in node.others if other.verdict is verdict]
            if names:
                cells.append([Piece(f"   {first}"), Piece(word, tone), Piece(", ".join(names), tone)])
                first = ""
    # The names wrap beside what stands before them.
    return [row(line[:-1], line[-1:]) for line in table(cells)]


def _others(node: NodePlan) -> str:
    words: list[str] = []
    for verdict, word in ((Verdict.EVICT, "evicted"), (Verdict.STAY, "stay"), (Verdict.REFUSE, "refused")):
        number = sum(other.verdict is verdict for other in node.others)
        if number:
            words.append(f"{number} {word}")
    return ", ".join(words)


def _ahead(plan: Plan) -> list[Row]:
    """Which nodes are cordoned before their own turn; or that none is, where it was switched off."""
    lines = [
        row(
            [Piece(f"   {NEXT} ", Tone.DIM)], [Piece(f"{listed(node.ahead)} cordoned ahead, right before {node.name}.")]
        )
        for node in plan.nodes
        if node.ahead
    ]
    toggle = key("c", "to leave that out" if plan.options.cordon_ahead else "to cordon ahead where there is room")
    if lines or not plan.options.cordon_ahead:
        lines.append(row("     ", [Piece("press", Tone.DIM), *toggle]))
    return lines


def who_feels_it(plan: Plan) -> list[Row]:
    """Clients of each member that moves, and whether a session could end while it does."""
    cells: list[list[Cell]] = []
    for member in (member for node in plan.nodes for member in node.members):
        figures = (
            (member.connections, "connection", "connections"),
            (member.watches, "watch", "watches"),
            (member.ephemerals, "ephemeral znode", "ephemeral znodes"),
        )
        known = [count(number, one, many) for number, one, many in figures if number is not None]
        cells.append([Piece(f"   {member.pod.name}"), Piece(", ".join(known) or "not told by this member", Tone.DIM)])
    lines = [row(line) for line in table(cells)]
    if plan.session_timeout is not None:
        if plan.gap < plan.session_timeout:
            sign, tone, end = OK, Tone.SAFE, ""
        elif plan.gap == plan.session_timeout:  # what a client was seen to take is no bound: no promise
            sign, tone, end = "·", Tone.DIM, ": one as short as that may end, with its ephemeral znodes"
        else:
            sign, tone, end = "!", Tone.WAITING, ": some may end, with their ephemeral znodes"
        words = f"A client is without its member for about {span(plan.gap)}; a session may time out after "
        lines.append(row([Piece(f" {sign} ", tone)], [Piece(f"{words}{span(plan.session_timeout)}{end}.")]))
    return lines


def simulated(steps: Sequence[PlanStep]) -> list[Row]:
    """The whole run on paper; other pods of a node are counted, and their budgets shown only where they would wait."""
    cells: list[list[Cell]] = [[Piece(name, Tone.DIM) for name in ("   ", "", "BUDGET", "SERVING")]]
    for number, node_steps in enumerate(_grouped(steps), 1):
        step = node_steps[-1]
        cells.append([Piece(f"{number:>4}", Tone.DIM), _act(node_steps), _allowed(step), _serving(step)])
    return [row(line) for line in table(cells, ("right",))]


def _grouped(steps: Sequence[PlanStep]) -> list[list[PlanStep]]:
    """Evictions of other pods that follow each other on one node as one, but for those that would wait."""
    groups: list[list[PlanStep]] = []
    for step in steps:
        last = groups[-1][-1] if groups else None
        quiet = [each.act is PlanAct.EVICT and not each.member and not each.waits for each in (last, step) if each]
        if last is not None and all(quiet) and last.node == step.node:
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _act(steps: Sequence[PlanStep]) -> Piece:
    step = steps[-1]
    match step.act:
        case PlanAct.CORDON_AHEAD:
            return Piece(f"cordon {step.node} ahead")
        case PlanAct.CORDON:
            return Piece(f"cordon {step.node}")
        case PlanAct.EVICT if step.member:
            return Piece(f"evict {step.pod} from {step.node}", Tone.STRONG)
        case PlanAct.EVICT:
            what = f"{count(len(steps), 'other pod')}" if len(steps) > 1 else step.pod
            return Piece(f"evict {what} from {step.node}")
        case PlanAct.RETURN:
            return Piece(f"{step.pod} is back on {step.node}")
        case PlanAct.HOLD:
            return Piece(f"hold {step.node}: it is yours")
        case PlanAct.UNCORDON:
            return Piece(f"uncordon {step.node}")


def _allowed(step: PlanStep) -> Piece:
    if step.allowed_before is None or (not step.member and not step.waits):
        return Piece("")
    words = f"{step.allowed_before} → {step.allowed_after}" if step.allowed_after is not None else "…"
    if step.waits:
        return Piece(f"{step.allowed_before}: waits", Tone.WAITING)
    return Piece(words, Tone.SAFE if step.act is not PlanAct.EVICT or step.allowed_before else Tone.BLOCKED)


def _serving(step: PlanStep) -> Piece:
    """Voters that serve after the step, and what a majority needs of them."""
    if step.serving is None or step.majority is None:
        return Piece("")
    spare = step.serving - step.majority
    tone = Tone.BLOCKED if spare < 0 else Tone.WAITING if spare == 0 else Tone.SAFE
    return Piece(f"{step.serving}, majority {step.majority}", tone)


def _nowhere(node: NodePlan, member: PlannedMember) -> Row:
    tied = ": its volume is tied to that node" if member.landing.tied else ""
    text = f"{member.pod.name} has nowhere to go while {node.name} is cordoned{tied}. It comes back after the uncordon."
    return row([Piece(" ! ", Tone.WAITING)], [Piece(text)])


def told(plan: Plan) -> list[tuple[str, Finding]]:
    """Every finding once, with whom it is about: what stops first."""
    found: list[tuple[str, Finding]] = [("", finding) for finding in plan.findings]
    for node in plan.nodes:
        found += [(node.name, finding) for finding in node.findings]
        found += [(member.pod.name, finding) for member in node.members for finding in member.findings]
        found += [(other.pod.name, finding) for other in node.others for finding in other.findings]
    rank = {Level.STOP: 0, Level.WARN: 1, Level.INFO: 2}
    unique = {(who, finding.text): (who, finding) for who, finding in found}
    return sorted(unique.values(), key=lambda pair: rank[pair[1].level])


def sentence(who: str, finding: Finding) -> str:
    return f"{who}: {finding.text}" if who and who not in finding.text else finding.text


def offered(plan: Plan) -> Action | None:
    """What zktui could do about a finding, on `f`; where it could do several things, the first."""
    return next((finding.action for _, finding in told(plan) if finding.action is not None), None)


def findings(plan: Plan) -> list[Row]:
    lines: list[Row] = []
    for who, finding in told(plan):
        sign, tone = LEVELS[finding.level]
        lines.append(row([Piece(sign, tone)], [Piece(sentence(who, finding))]))
        if finding.acknowledge:
            known = finding.code in plan.options.acknowledged
            accepted = [Piece(f"{OK} acknowledged by you", Tone.SAFE)]
            lines.append(row("   → ", accepted if known else [Piece("press"), *key("k", "to go on all the same")]))
        if finding.action is not None and finding.action is offered(plan):
            lines.append(row("   → ", [Piece("press"), *key(OFFER, f"to {finding.action.text}")]))
        elif finding.unblock:
            weight = Tone.STRONG if finding.level is Level.STOP else Tone.DIM
            option = [Piece(" · press"), *key("o", "for options")] if finding.unblock.startswith("--") else []
            lines.append(row("   → ", [Piece(finding.unblock, weight), *option]))
    return lines


def options(chosen: Options) -> list[Row]:
    """The options that a run would go by, by kubectl drain's names where it has them."""
    match chosen.hold.kind:
        case HoldKind.ASK:
            hold = "until you press u"
        case HoldKind.SECONDS:
            hold = f"for {span(chosen.hold.seconds)}"
        case HoldKind.LEAVE:
            hold = "left cordoned"
    flags = [
        name
        for name, on in (
            ("ignore-daemonsets", chosen.ignore_daemonsets),
            ("delete-emptydir-data", chosen.delete_emptydir_data),
            ("force", chosen.force),
            ("accept-outage", chosen.accept_outage),
            ("no-cordon-ahead", not chosen.cordon_ahead),
            ("keep-node", chosen.keep_node),
            ("no-probe", not chosen.probe),
            ("probe-writes", chosen.probe_writes),
            (
                f"skip-wait-for-delete-timeout {chosen.skip_wait_for_delete_timeout} s",
                chosen.skip_wait_for_delete_timeout,
            ),
            (f"pod-selector {chosen.pod_selector}", chosen.pod_selector),
            (f"spare {chosen.spare}", chosen.spare is not None),
            (f"dwell {span(chosen.dwell or 0.0)}", chosen.dwell is not None),
        )
        if on
    ]
    timeout = span(chosen.timeout) if chosen.timeout else "none"
    grace = "each pod's own" if chosen.grace_period is None else span(chosen.grace_period)
    words = f"hold {hold} · timeout {timeout} · grace period {grace}"
    return [row("   ", [Piece(words), Piece(" · " + " · ".join(flags) if flags else "", Tone.WAITING)])]
