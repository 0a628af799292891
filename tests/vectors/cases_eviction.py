"""``pods/eviction``: each reply that there is, and what a refused or granted one leaves behind."""

from __future__ import annotations

from typing import Any

from tests.vectors.wire import MERGE, Case, Object, Wire

OTHER = "11111111-2222-4333-8444-555555555555"


def eviction(name: str, version: str = "policy/v1", **options: Any) -> Object:
    body: Object = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": name}}
    return {**body, "deleteOptions": options} if options else body


async def evict(wire: Wire, said: str, pod: str = "zk-0", query: str = "", **options: Any) -> Object:
    return await wire.ask(said, "POST", wire.core("pods", pod, f"eviction{query}"), eviction(pod, **options))


async def allowed(wire: Wire) -> None:
    pod = await wire.make_pod("zk-0")
    await wire.make_budget()
    await evict(wire, "with its uid", preconditions={"uid": pod["metadata"]["uid"]}, gracePeriodSeconds=7)
    await wire.ask("the pod after it", "GET", wire.core("pods", "zk-0"))
    await wire.ask("the budget after it", "GET", wire.budget())
    await evict(wire, "again, while it terminates", gracePeriodSeconds=60)
    await wire.ask("the pod after the second", "GET", wire.core("pods", "zk-0"))
    await evict(wire, "again, with another uid", preconditions={"uid": OTHER})


async def closed(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_budget(disruptionsAllowed=0, currentHealthy=2)
    await evict(wire, "too few healthy")
    await evict(wire, "with another uid", preconditions={"uid": OTHER})
    await evict(wire, "dry run", dryRun=["All"])
    await wire.ask("the budget after it", "GET", wire.budget())


async def closed_otherwise(wire: Wire) -> None:
    """The condition DisruptionAllowed has the last word."""
    await wire.make_pod("zk-0")
    await wire.make_budget(disruptionsAllowed=0)
    await evict(wire, "no condition")
    for reason, message in (("SyncFailed", "found no controllers for pod"), ("InsufficientPods", "so few"), ("X", "")):
        told = {"type": "DisruptionAllowed", "status": "False", "reason": reason, "message": message}
        told["lastTransitionTime"] = "2026-01-01T00:00:00Z"
        await wire.do("PATCH", f"{wire.budget()}/status", {"status": {"conditions": [told]}}, MERGE)
        await evict(wire, f"{reason} {message}".strip())


async def behind(wire: Wire) -> None:
    """The controller has not seen the budget's newest generation: the one refusal that says when to come back."""
    await wire.make_pod("zk-0")
    await wire.make_budget()
    await wire.do("PATCH", wire.budget(), {"spec": {"maxUnavailable": 2}}, MERGE)
    await evict(wire, "status is behind")
    await evict(wire, "status is behind, dry run", dryRun=["All"])


async def absent(wire: Wire) -> None:
    await evict(wire, "no such pod", "zk-9")
    await wire.make_pod("zk-0")
    await evict(wire, "no budget")
    await wire.ask("the pod after it", "GET", wire.core("pods", "zk-0"))


async def another_uid(wire: Wire) -> None:
    """A refused eviction that spends the budget all the same."""
    pod = await wire.make_pod("zk-0")
    await wire.make_budget()
    await evict(wire, "another uid", preconditions={"uid": OTHER})
    await wire.ask("the budget after it", "GET", wire.budget())
    await wire.ask("the pod after it", "GET", wire.core("pods", "zk-0"))
    await evict(wire, "another uid, again", preconditions={"uid": OTHER})
    await evict(wire, "its own uid", preconditions={"uid": pod["metadata"]["uid"]})


async def another_version(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_budget()
    await evict(wire, "another resourceVersion", preconditions={"resourceVersion": "1"})
    await wire.ask("the budget after it", "GET", wire.budget())


async def two_budgets(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_budget()
    await wire.make_budget("second")
    await evict(wire, "two budgets")


async def empty_selector(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_budget(spec={"selector": {}}, disruptionsAllowed=0)
    await evict(wire, "a closed budget that selects everything")
    await wire.make_pod("zk-1")
    await wire.do("PATCH", wire.budget(), {"spec": {"selector": None}}, MERGE)
    await evict(wire, "a closed budget without a selector", "zk-1")


async def unready(wire: Wire) -> None:
    """An unready pod with a closed budget: healthy others decide, or the policy."""
    tries = (
        ("others enough", None, 2, 2),
        ("others too few", None, 1, 2),
        ("none wanted", None, 0, 0),
        ("IfHealthyBudget, others enough", "IfHealthyBudget", 2, 2),
        ("IfHealthyBudget, others too few", "IfHealthyBudget", 1, 2),
        ("AlwaysAllow, others too few", "AlwaysAllow", 0, 2),
    )
    for place, (said, policy, healthy, desired) in enumerate(tries):
        name = f"zk-{place}"
        await wire.make_pod(name, ready=False)
        await wire.make_budget(
            spec={"unhealthyPodEvictionPolicy": policy} if policy else None,
            disruptionsAllowed=0,
            currentHealthy=healthy,
            desiredHealthy=desired,
        )
        await evict(wire, said, name)
        await wire.ask(f"the budget after it: {said}", "GET", wire.budget())
        await wire.do("DELETE", wire.budget())


async def behind_and_unready(wire: Wire) -> None:
    await wire.make_pod("zk-0", ready=False)
    await wire.make_budget(disruptionsAllowed=0, currentHealthy=2, observedGeneration=0)
    await evict(wire, "others enough, status is behind")
    await wire.make_pod("zk-1", ready=False)
    await wire.do("PATCH", wire.budget(), {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}, MERGE)
    await evict(wire, "AlwaysAllow, status is behind", "zk-1")


async def no_budget_needed(wire: Wire) -> None:
    """Pods that have not started or are finished go with a closed budget."""
    await wire.make_budget(disruptionsAllowed=0, currentHealthy=0)
    for place, phase in enumerate(("Pending", "Failed", "Succeeded", "Unknown")):
        await wire.make_pod(f"zk-{place}", phase=phase, ready=False)
        await evict(wire, phase, f"zk-{place}")


async def dry_run(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    await wire.make_budget()
    await evict(wire, "by its options", dryRun=["All"])
    await evict(wire, "by the query", query="?dryRun=All")
    await evict(wire, "by the query, another uid", query="?dryRun=All", preconditions={"uid": OTHER})
    await evict(wire, "no such run", dryRun=["Some"])
    await wire.ask("the budget after it", "GET", wire.budget())
    await wire.ask("the pod after it", "GET", wire.core("pods", "zk-0"))


async def malformed(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    path = wire.core("pods", "zk-0", "eviction")
    await wire.ask("another name", "POST", path, eviction("zk-1"))
    await wire.ask("no name", "POST", path, {"apiVersion": "policy/v1", "kind": "Eviction"})
    await wire.ask("another kind", "POST", path, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "zk-0"}})
    await wire.ask("no JSON", "POST", path, "{", headers={"Content-Type": "application/json"})
    await wire.ask("read", "GET", path)
    await evict(wire, "grace below nothing", gracePeriodSeconds=-5, dryRun=["All"])
    await evict(wire, "both propagation and orphans", propagationPolicy="Orphan", orphanDependents=True)
    await wire.ask("the older version", "POST", path, eviction("zk-0", "policy/v1beta1"))


async def not_permitted(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    path = wire.core("pods", "zk-0", "eviction")
    await wire.ask("no rights", "POST", path, eviction("zk-0"), denied=("create", "pods/eviction"))


CASES: dict[str, Case] = {
    "eviction-allowed": allowed,
    "eviction-closed": closed,
    "eviction-closed-otherwise": closed_otherwise,
    "eviction-behind": behind,
    "eviction-absent": absent,
    "eviction-another-uid": another_uid,
    "eviction-another-version": another_version,
    "eviction-two-budgets": two_budgets,
    "eviction-empty-selector": empty_selector,
    "eviction-unready": unready,
    "eviction-behind-and-unready": behind_and_unready,
    "eviction-no-budget-needed": no_budget_needed,
    "eviction-dry-run": dry_run,
    "eviction-malformed": malformed,
    "eviction-not-permitted": not_permitted,
}
