"""Reports of checks as an ensemble in some trouble would give them."""

from __future__ import annotations

from collections.abc import Sequence

from zktui.checks.model import Chapter, Check, Evidence, Report, Result, Skipped

PATCH = """kubectl -n default patch service zk-hs -p '{"spec":{"publishNotReadyAddresses":true}}'"""
ROGUE = "\x1b[2J[/red][@click=app.exit()]x[/]"


def check(
    code: str,
    chapter: Chapter,
    title: str,
    results: Sequence[Result],
    texts: Sequence[str],
    *,
    advice: str = "",
    patch: Sequence[str] = (),
    by_hand: str = "",
    members: bool = True,
) -> Check:
    names = [f"zk-{n}" if members else "" for n in range(len(results))]
    evidence = tuple(Evidence(n, r, t) for n, r, t in zip(names, results, texts, strict=True))
    return Check(code, chapter, title, evidence, advice, tuple(patch), by_hand)


OK = [Result.PASS] * 3
IDENTITY = (
    check(
        "identity.hostname",
        Chapter.IDENTITY,
        "Host name is the pod's",
        OK,
        [f"its host name is zk-{n}" for n in range(3)],
        by_hand="for i in 0 1 2; do kubectl exec zk-$i -- hostname; done",
    ),
    check(
        "identity.myid",
        Chapter.IDENTITY,
        "myid is what the ensemble expects",
        [Result.PASS, Result.FAIL, Result.UNKNOWN],
        ["myid 1, as the configuration says", f"myid holds {ROGUE}, which is no number", "not permitted: pods/exec"],
        advice="A server with another's myid, or one that no line of the configuration names, never joins the quorum.",
        by_hand='for i in 0 1 2; do echo "myid zk-$i"; kubectl exec zk-$i -- cat /var/lib/zookeeper/data/myid; done',
    ),
)
DISCOVERY = (
    check(
        "discovery.publish-not-ready",
        Chapter.DISCOVERY,
        "The service publishes addresses before readiness",
        [Result.WARN],
        ["zk-hs: publishNotReadyAddresses is not set"],
        members=False,
        advice="A member that comes back is found by its peers only once it is Ready: it rejoins in 40 s instead of 5.",
        patch=[PATCH],
        by_hand="kubectl get svc zk-hs -o yaml",
    ),
)
STORAGE = (check("storage.claims", Chapter.STORAGE, "Each has a claim of its own", OK, ["10Gi, Bound, RWO"] * 3),)
BLIND = (
    check(
        "logging.level",
        Chapter.LOGGING,
        "Root logger is at INFO or above",
        [Result.UNKNOWN] * 3,
        ["not permitted: pods/exec is forbidden"] * 3,
    ),
)
ORDER = (
    check(
        "maintenance.order",
        Chapter.MAINTENANCE,
        "Each member's node can be drained",
        OK,
        ["1. node-1: lands on node-4", "3. node-2: lands on node-3", "2. node-3: lands on node-1"],
    ),
)
SKIPPED = (
    Skipped(
        "sanity.write", Chapter.SANITY, "A write through each member", "the round writes; zktui check sanity plays it"
    ),
)
TROUBLED = Report("default", "zk", (*IDENTITY, *DISCOVERY, *STORAGE, *BLIND, *ORDER), SKIPPED)
FINE = Report("default", "zk", (IDENTITY[0], *STORAGE))
NOTHING_TOLD = Report("default", "zk", BLIND)
