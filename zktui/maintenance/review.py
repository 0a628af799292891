"""What a review says about an ensemble and its members, apart from where the members land."""

from __future__ import annotations

from collections.abc import Iterator

from zktui.core.disruption import budgets_of
from zktui.core.kube import Pod
from zktui.core.quorum import Health
from zktui.core.zookeeper import Ensemble, Member
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Action, ActionKind, Finding, Level, Options
from zktui.maintenance.offers import discard_offer
from zktui.maintenance.returning import missing_before, next_revision
from zktui.maintenance.selection import data_on_empty_dir
from zktui.maintenance.strangers import candidates, strangers

SNAPSHOT_RATE = 20_000_000
"""Bytes a second at which a member is taken to receive a snapshot from the leader: a cautious network and disk."""


def ensemble_findings(facts: Facts, ensemble: Ensemble, options: Options) -> Iterator[Finding]:
    """What speaks against touching this ensemble at all, and what the person should know."""
    name = f"{ensemble.namespace}/{ensemble.name}"
    yield from _quorum_findings(facts, ensemble, options, name)
    owner = facts.statefulset(ensemble)
    if owner.value is None:
        yield Finding(Level.STOP, owner.why, code="statefulset-unknown")
    elif owner.value.is_updating:
        text = f"{name}: a rolling update is in progress, which deletes pods without asking any budget"
        yield Finding(Level.STOP, text, f"kubectl rollout status sts/{ensemble.name}", "updating")
    yield from _budget_findings(facts, ensemble, name)
    pods = facts.members_pods(ensemble)
    for term in (pods[0].spec if pods else ensemble.statefulset.template).anti_affinity:
        if pods and not any(term.selector is not None and term.selector.matches(p.labels) for p in pods):
            text = f"{name}: its anti-affinity ({term.selector}) does not match its own pods, so it keeps nothing apart"
            yield Finding(Level.WARN, text, "make the selector match the pods' labels", "anti-affinity")
    for pod in pods:
        action = discard_offer(pod, facts)
        if action is not None:
            text = f"{pod.name} waits for a volume that is tied to a node that does not exist any more"
            yield Finding(Level.WARN, text, action.text, "lost-volume", action=action)
    for text in strangers(facts, ensemble, frozenset()):
        yield Finding(Level.WARN, f"{name}: {text}", "wait until it is over", "stranger")
    for text in candidates(facts, (pod.node for pod in pods)):
        yield Finding(Level.INFO, f"{name}: {text}", "--keep-node while it is held", "candidate")
    lease = facts.leases.get(ensemble.namespace)
    if lease is not None and lease.value is not None and not lease.value.expired(facts.wall):
        text = f"{lease.value.holder} holds the lease {ensemble.namespace}/{lease.value.name}"
        yield Finding(Level.WARN, f"{text}: a run waits until it ends", code="lease")
    elif lease is not None and lease.denied:
        yield Finding(Level.STOP, lease.why, "permission to get leases.coordination.k8s.io", "permission")


def _quorum_findings(facts: Facts, ensemble: Ensemble, options: Options, name: str) -> Iterator[Finding]:
    config = facts.configs.get(ensemble.key)
    # Evidence is judged as of the survey's own moment: a review is no decision to evict, every gate reads again.
    now = max((r.at for r in facts.reports.values()), default=facts.at)
    quorum = facts.quorum(ensemble, now)
    if config is not None and config.value is not None and config.value.hierarchical:
        text = f"{name}: groups or weights decide its quorum, which zktui does not judge"
        yield Finding(Level.STOP, text, "plain majority voters", "hierarchical")
        return
    if quorum.health is Health.UNKNOWN:
        why = config.why if config is not None and config.value is None else quorum.why
        yield Finding(Level.STOP, f"{name}: quorum is not known: {why}", code="quorum-unknown")
        return
    if quorum.health is Health.NO_QUORUM:
        text = f"{name} has no quorum now: {quorum.why}"
        yield Finding(Level.STOP, text, "bring it back first: taking more away can't help", "no-quorum")
    if quorum.voters in (1, 2):
        text = f"{name} has {quorum.voters} voter{'s'[: quorum.voters - 1]}: any eviction is an outage, 5 to 40 s each"
        level = Level.WARN if options.accept_outage else Level.STOP
        yield Finding(level, text, "" if options.accept_outage else "--accept-outage", "outage")
    elif quorum.health is Health.QUORUM and quorum.serving < quorum.voters:
        text = f"{name}: {quorum.serving} of {quorum.voters} voters serve ({quorum.phrase()})"
        yield Finding(Level.WARN, text, "the others serve", "degraded")


def _budget_findings(facts: Facts, ensemble: Ensemble, name: str) -> Iterator[Finding]:
    listed = facts.budgets_in(ensemble.namespace)
    if listed.value is None:
        yield Finding(Level.STOP, listed.why, code="budgets-unknown")
        return
    pods = facts.members_pods(ensemble)
    covering = {b.name: b for p in pods for b in budgets_of(p, listed.value)}
    if pods and not covering:
        text = f"{name}: no budget covers it, so the server says yes to every eviction, whoever asks"
        what = f"a PodDisruptionBudget with maxUnavailable: 1 for {name}"
        action = Action(ActionKind.CREATE_BUDGET, name, f"make {what}")
        yield Finding(Level.WARN, text, f"--acknowledge no-budget; or {what}", "no-budget", True, action)
    for budget in covering.values():
        if budget.unhealthy_policy == "AlwaysAllow":
            text = f"{budget.name} lets every pod go that is not Ready (AlwaysAllow): in an election that may be all"
            yield Finding(Level.WARN, text, "unhealthyPodEvictionPolicy: IfHealthyBudget", "always-allow")
        if budget.is_current and budget.expected and budget.desired >= budget.expected:
            text = f"{budget.name} never allows a disruption (needs {budget.desired} of {budget.expected})"
            yield Finding(Level.WARN, text, f"change {budget.name}", "budget-closed")


def member_findings(facts: Facts, ensemble: Ensemble, member: Member) -> Iterator[Finding]:
    """What its gates will ask for before this member goes."""
    pod = member.pod
    owner = facts.statefulset(ensemble).value
    if owner is not None:
        missing = missing_before(owner, facts.members_pods(ensemble), pod)
        if missing:
            yield Finding(Level.WARN, missing, "the lower ordinals become Ready", "ordered")
        revision = next_revision(owner, pod)
        if pod.revision and revision and pod.revision != revision:
            text = f"this drain will also upgrade it: revision {pod.revision}, it comes back as {revision}"
            yield Finding(Level.WARN, text, f"type {pod.name} when its gate asks", "upgrade")
    volume = data_on_empty_dir(pod, ensemble)
    if volume:
        text = f"its dataDir is the emptyDir {volume}: its data is lost with the pod"
        yield Finding(Level.WARN, text, f"type {pod.name} when its gate asks", "emptydir-data")
    yield from _data_size(ensemble, member, pod)


def _data_size(ensemble: Ensemble, member: Member, pod: Pod) -> Iterator[Finding]:
    """A member that must fetch a snapshot has initLimit ticks for it, or never joins."""
    size = member.report.detail.data_bytes if member.report.detail is not None else None
    limit = ensemble.init_limit * ensemble.tick_time / 1000
    if size is not None and size / SNAPSHOT_RATE > limit:
        text = f"{pod.name} holds {size / 1e6:.0f} MB: a full snapshot may take longer than initLimit's {limit:.0f} s"
        yield Finding(Level.WARN, text, "a larger initLimit", "init-limit")


def permission_findings(facts: Facts) -> Iterator[Finding]:
    for words, reading in facts.permissions.items():
        if reading.value is False:
            yield Finding(Level.STOP, f"not permitted: {words}", "ask for a role that allows it", "permission")
        elif reading.value is None:
            yield Finding(Level.WARN, f"whether you may {words} is not known: {reading.why}", code="permission-unknown")
