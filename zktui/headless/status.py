"""`zktui status`: every ensemble, its quorum, members and budgets, once."""

from __future__ import annotations

from collections.abc import Mapping

from zktui.core.kube import Budget, Node
from zktui.core.quorum import Health
from zktui.core.text import printable, span
from zktui.core.view import EnsembleView, SourceState, View
from zktui.core.zookeeper import Member, Mode
from zktui.errors import (
    EXIT_BLOCKED,
    EXIT_DONE,
    EXIT_FORBIDDEN,
    ConnectionFailed,
    NoEnsemble,
    NotPermitted,
    ZktuiError,
)
from zktui.headless.output import say, say_json, table, warn
from zktui.maintenance.model import JsonValue
from zktui.session import Session

SETTLE = 10.0
"""Seconds to wait for the first answers of the API server and of every member."""

Document = dict[str, JsonValue]


async def status(session: Session, output: str = "text") -> int:
    """Print the status and return the exit code: 0 quorum everywhere, 3 not or not known, 4 not permitted.

    Raises ZktuiError when there is no ensemble to speak of.
    """
    try:
        await session.store.until(settled, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time; what is missing is shown as unknown.")
    view = session.store.refreshed()
    denied = [f.why for f in view.sources.values() if f.state is SourceState.DENIED]
    if not view.ensembles:
        raise nothing_found(session)
    if output == "json":
        say_json(document(view, session), indent=2)
    else:
        say(_text(view, session))
    for why in denied:
        warn(f"Not permitted: {printable(why)}")
    if denied:
        return EXIT_FORBIDDEN
    healthy = all(e.quorum.health is Health.QUORUM for e in view.ensembles)
    return EXIT_DONE if healthy and not view.stale() else EXIT_BLOCKED


def settled(view: View) -> bool:
    """Every source has spoken, and every running member has been asked once."""
    if not view.loaded:
        return False
    return all(_asked(ensemble) for ensemble in view.ensembles)


def _asked(ensemble: EnsembleView) -> bool:
    running = [m for m in ensemble.members if m.pod.phase == "Running" and not m.pod.terminating]
    if any(m.report.mode is Mode.UNKNOWN and not m.report.error for m in running):
        return False
    return not running or ensemble.config is not None or bool(ensemble.config_why)


def nothing_found(session: Session) -> ZktuiError:
    """Why there is no ensemble to speak of: not permitted, no answer, or nothing that runs ZooKeeper."""
    context = session.place.context
    for freshness in session.store.view().sources.values():
        if freshness.state is SourceState.DENIED:
            return NotPermitted(
                f"{printable(freshness.why)}.", "Ask for a role that allows it, or try another --namespace."
            )
        if freshness.state is SourceState.STALE and freshness.heard_at == float("-inf"):
            hint = f"Nothing was changed. Check context {context}, or choose another with --context."
            return ConnectionFailed(f"The API server does not tell what there is: {printable(freshness.why)}.", hint)
    where = "any namespace" if session.settings.all_namespaces else f"namespace {session.place.namespace}"
    named = f' named "{session.settings.ensemble}"' if session.settings.ensemble else ""
    return NoEnsemble(
        f"No ZooKeeper ensemble{named} was found in {where} of context {context}.",
        "Look elsewhere with --namespace or --all-namespaces, or rehearse on one with: zktui demo",
    )


def document(view: View, session: Session) -> Document:
    """The JSON document of `zktui status -o json`; its keys are stable."""
    return {
        "apiVersion": "zktui/v1",
        "kind": "Status",
        "context": session.place.context,
        "ensembles": [_ensemble(e) for e in view.ensembles],
        "nodes": [_node(node) for node in view.nodes],
        "stale": [kind.value for kind in view.stale()],
    }


def _ensemble(view: EnsembleView) -> Document:
    quorum = view.quorum
    return {
        "namespace": view.ensemble.namespace,
        "name": view.ensemble.name,
        "uid": view.key.uid,
        "quorum": {
            "health": quorum.health.value,
            "voters": quorum.voters,
            "serving": quorum.serving,
            "majority": quorum.majority,
            "canLose": quorum.can_lose,
            "epoch": quorum.epoch,
            "message": quorum.phrase(),
        },
        "leader": quorum.leader or None,
        "members": [_member(m) for m in view.members],
        "budgets": [_budget(b) for b in view.budgets],
    }


def _member(member: Member) -> Document:
    pod, report = member.pod, member.report
    return {
        "pod": pod.name,
        "uid": pod.uid,
        "node": pod.node or None,
        "role": report.mode.value,
        "myid": member.myid,
        "ready": pod.ready,
        "status": pod.status,
        "restarts": pod.restarts,
        "zxid": None if report.zxid is None else f"0x{int(report.zxid):x}",
        "lag": member.lag,
        "connections": report.connections,
        "latencyMs": None if report.latency is None else report.latency[1],
        "version": report.version or None,
        "source": report.source or None,
        "message": report.error or None,
    }


def _budget(budget: Budget) -> Document:
    return {
        "name": budget.name,
        "disruptionsAllowed": budget.allowed,
        "currentHealthy": budget.current,
        "desiredHealthy": budget.desired,
        "expectedPods": budget.expected,
        "minAvailable": budget.min_available or None,
        "maxUnavailable": budget.max_unavailable or None,
        "unhealthyPodEvictionPolicy": budget.unhealthy_policy,
        "current": budget.is_current,
    }


def _node(node: Node) -> Document:
    return {"name": node.name, "uid": node.uid, "ready": node.ready, "unschedulable": node.unschedulable}


def _text(view: View, session: Session) -> str:
    blocks = [_ensemble_text(e, {n.name: n for n in view.nodes}, view.wall) for e in view.ensembles]
    return "\n\n".join([f"context {printable(session.place.context)}", *blocks])


def _ensemble_text(view: EnsembleView, nodes: Mapping[str, Node], wall: float) -> str:
    quorum = view.quorum
    counted = f"{quorum.serving}/{quorum.voters} voters serve" if quorum.voters else "voters not known"
    if quorum.voters and quorum.health is Health.UNKNOWN:
        counted = f"{quorum.voters} voters"  # those that were not heard are not known not to serve
    lines = [f"{printable(view.ensemble.namespace)}/{printable(view.ensemble.name)}   {quorum.health.value}, {counted}"]
    lines[0] += f", {quorum.phrase()}" + (f", leader {printable(quorum.leader)}" if quorum.leader else "")
    header = ("MEMBER", "ROLE", "ID", "NODE", "READY", "ZXID", "LAG", "CONNS", "RST", "AGE")
    rows = [_member_row(m, nodes, wall) for m in view.members]
    lines.append(table(header, rows, frozenset({2, 6, 7, 8})))
    for budget in view.budgets:
        counts = f"({budget.current} healthy, {budget.desired} needed, {budget.expected} expected)"
        lines.append(f"{printable(budget.name)} allows {budget.allowed} {counts}")
    if not view.budgets:
        lines.append("no budget covers its members: the server would let every one of them go")
    return "\n".join(lines)


def _member_row(member: Member, nodes: Mapping[str, Node], wall: float) -> tuple[str, ...]:
    pod, report = member.pod, member.report
    node = nodes.get(pod.node)
    return (
        pod.name,
        report.mode.value,
        _or_dash(member.myid),
        (pod.node or "-") + (" (cordoned)" if node is not None and node.unschedulable else ""),
        "yes" if pod.ready else pod.status,
        _or_dash(report.zxid),
        _or_dash(member.lag),
        _or_dash(report.connections),
        str(pod.restarts),
        "-" if pod.created_at is None else span(wall - pod.created_at),
    )


def _or_dash(value: object | None) -> str:
    return "-" if value is None else str(value)
