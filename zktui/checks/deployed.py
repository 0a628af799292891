"""Chapter 1: are the tutorial's four objects there, and do they fit each other?

Sources: Kubernetes' tutorial "Creating a ZooKeeper ensemble" (two services, a budget, a StatefulSet);
docs/maintenance.md on what makes a budget count members that serve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zktui.checks.absent import absent_voters, pod_of
from zktui.checks.inventory import Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.documents import Document, child, mapping, number, objects, text, texts
from zktui.core.labels import Requirement, Selector
from zktui.core.quorum import majority
from zktui.core.text import count
from zktui.core.zookeeper import Member, Mode


def deployed(inventory: Inventory) -> Iterable[Check]:
    yield _members(inventory)
    yield _services(inventory)
    yield _budget(inventory)
    yield _management(inventory)


def _members(inventory: Inventory) -> Check:
    """As many as the StatefulSet asks for, all of them serving."""

    def seen() -> Iterator[Evidence]:
        wanted = inventory.ensemble.statefulset.replicas
        there = len(inventory.pods)
        yield Evidence("", Result.PASS if there == wanted else Result.FAIL, f"{there} of {wanted} pods exist")
        voters = len(inventory.config.value.voters) if inventory.config.value is not None else 0
        if not voters:
            yield Evidence("", Result.UNKNOWN, inventory.config.why or "the configuration names no voter")
        else:
            even = voters % 2 == 0
            words = f"{count(voters, 'voter')}, {majority(voters)} {'is' if voters < 2 else 'are'} a quorum"
            yield Evidence("", Result.WARN if even else Result.PASS, words + (", as with one fewer" if even else ""))
        yield from _not_there(inventory)
        for member in inventory.members:
            yield _member(member)

    return Check(
        "deploy.members",
        Chapter.DEPLOY,
        "Every member is up and serves",
        tuple(seen()),
        "An ensemble with a member missing can lose one fewer.",
        by_hand="kubectl get pods -w -l app=zk",
    )


def _not_there(inventory: Inventory) -> Iterator[Evidence]:
    absent = absent_voters(inventory)
    for server in absent.scaled_away:
        words = f"voter {server.myid} ({pod_of(server.host)}) has no pod: the quorum is counted with it all the same"
        yield Evidence("", Result.FAIL, words)
    for server in absent.elsewhere:
        words = f"voter {server.myid} ({server.host}) is no pod of this StatefulSet: whether it serves is not known"
        yield Evidence("", Result.UNKNOWN, words)


def _member(member: Member) -> Evidence:
    """One that we have no way to (no permission, no API server) may serve all the same."""
    report, pod = member.report, member.pod
    ready = "Ready" if pod.ready else "not Ready"
    why = f": {report.error}" if report.error else ""
    words = f"{pod.status}, {ready}, {report.mode.value}{why}"
    if not pod.ready:
        return Evidence(pod.name, Result.FAIL, words)
    if report.mode is Mode.UNKNOWN:
        return Evidence(pod.name, Result.UNKNOWN, words)
    return Evidence(pod.name, Result.PASS if report.mode.serving else Result.FAIL, words)


def _services(inventory: Inventory) -> Check:
    """The headless one gives each member its name; another one takes clients in."""

    def seen() -> Iterator[Evidence]:
        if inventory.services.value is None:
            yield Evidence("", Result.UNKNOWN, inventory.services.why)
            return
        labels = dict(inventory.ensemble.statefulset.template_labels)
        mine = [s for s in inventory.services.value if _selects(mapping(s, "spec", "selector"), labels)]
        name = inventory.ensemble.statefulset.service
        headless = next((s for s in mine if text(s, "metadata", "name") == name), None)
        if headless is None:
            yield Evidence("", Result.FAIL, f"no service {name or 'of its name'} selects the members")
        elif text(headless, "spec", "clusterIP") != "None":
            yield Evidence("", Result.FAIL, f"{name} is not headless: no member has a name of its own")
        else:
            yield Evidence("", Result.PASS, f"{name} is headless and selects the members")
        port = inventory.ensemble.client_port
        clients = [text(s, "metadata", "name") for s in mine if s is not headless and port in _ports(s)]
        words = f"{', '.join(clients)} takes clients in" if clients else f"no service for clients on port {port}"
        yield Evidence("", Result.PASS if clients else Result.WARN, words)

    return Check(
        "deploy.services",
        Chapter.DEPLOY,
        "The services select the members",
        tuple(seen()),
        "Without the headless service no member finds another; without one for clients each of them names members.",
        by_hand="kubectl get svc zk-hs zk-cs",
    )


def _selects(selector: Document, labels: dict[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _ports(service: Document) -> set[int]:
    found = (number(port, name) for port in objects(service, "spec", "ports") for name in ("port", "targetPort"))
    return {port for port in found if port is not None}


def _budget(inventory: Inventory) -> Check:
    """Exactly one covers the members, and it lets no more go than quorum can lose."""

    def seen() -> Iterator[Evidence]:
        if inventory.budgets.value is None:
            yield Evidence("", Result.UNKNOWN, inventory.budgets.why)
            return
        labels = inventory.ensemble.statefulset.template_labels
        mine = [b for b in inventory.budgets.value if _covers(b, dict(labels))]
        if len(mine) != 1:
            names = ", ".join(text(b, "metadata", "name") for b in mine)
            words = f"{names} both cover them: the server refuses every eviction" if mine else "no budget covers them"
            yield Evidence("", Result.FAIL, words)
            return
        yield Evidence("", *_bound(mine[0], inventory))

    sts = inventory.ensemble.statefulset
    found = tuple(seen())
    missing = any(e.text.startswith("no budget") for e in found)
    create = f"kubectl -n {sts.namespace} create pdb {sts.name}-pdb --max-unavailable=1 --selector='{sts.selector}'"
    return Check(
        "deploy.budget",
        Chapter.DEPLOY,
        "One budget covers the members",
        found,
        "Without a budget, a drain may stop all members at once; with two, none at all.",
        patch=(create,) if missing and sts.selector is not None else (),
        by_hand="kubectl get pdb zk-pdb",
    )


def _covers(budget: Document, labels: dict[str, str]) -> bool:
    """A budget without any selector covers nothing, one with an empty selector everything."""
    selector = child(budget, "spec", "selector")
    if not isinstance(selector, dict):
        return False
    wanted = mapping(budget, "spec", "selector", "matchLabels")
    more = objects(budget, "spec", "selector", "matchExpressions")
    requirements = [Requirement(key, "In", (str(value),)) for key, value in wanted.items()]
    requirements += [Requirement(text(e, "key"), text(e, "operator"), texts(e, "values")) for e in more]
    return Selector(tuple(requirements)).matches(labels)


def _bound(budget: Document, inventory: Inventory) -> tuple[Result, str]:
    """Whether the number that may be away leaves a majority, if all of them are voters."""
    replicas = inventory.ensemble.statefulset.replicas
    needed, there = majority(replicas), replicas
    if inventory.config.value is not None and (voters := len(inventory.config.value.voters)):
        needed, there = majority(voters), voters - len(absent_voters(inventory).scaled_away)
    name, version = text(budget, "metadata", "name"), text(budget, "apiVersion")
    most, least = text(budget, "spec", "maxUnavailable"), text(budget, "spec", "minAvailable")
    told = f"{name} ({version or 'policy/v1'}): " + (f"maxUnavailable {most}" if most else f"minAvailable {least}")
    away = _share(most, replicas) if most else replicas - (_share(least, replicas) or 0)
    if away is None:
        return Result.UNKNOWN, told
    if away < 1:
        return Result.WARN, f"{told}: no member may ever go, and no node can be drained"
    if there - away < needed:
        return Result.FAIL, f"{told}: {away} of {there} may be away, and the rest is no quorum"
    return Result.PASS, told


def _share(value: str, replicas: int) -> int | None:
    """Pods of a number or a percentage, which is rounded up."""
    if value.endswith("%") and value[:-1].isdecimal():
        return -(-replicas * int(value[:-1]) // 100)
    return int(value) if value.isdecimal() else None


def _management(inventory: Inventory) -> Check:
    """A readiness that asks for serving can't be waited for one member after another."""

    def seen() -> Iterator[Evidence]:
        if inventory.statefulset.value is None:
            yield Evidence("", Result.UNKNOWN, inventory.statefulset.why)
            return
        policy = text(inventory.statefulset.value, "spec", "podManagementPolicy") or "OrderedReady"
        words = "all members start at once" if policy == "Parallel" else "one member starts after another"
        result = Result.PASS if policy == "Parallel" else Result.WARN
        yield Evidence("", result, f"{policy}: {words}")

    return Check(
        "deploy.management",
        Chapter.DEPLOY,
        "Members start side by side",
        tuple(seen()),
        "Under OrderedReady the first member must be Ready before the second is made: readiness can't ask for serving, "
        "and a broken member keeps those above it from coming back. It can't be changed in place: delete the "
        "StatefulSet with --cascade=orphan and apply it again with podManagementPolicy Parallel.",
        by_hand="kubectl get sts zk -o yaml",
    )
