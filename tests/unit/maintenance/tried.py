"""What the real cluster said of rules that were experience, and the page that tells it: docs/rules.md.

``python -m tests.unit.maintenance.tried >docs/rules.md``
"""

from __future__ import annotations

import sys

from tests.unit.maintenance.rules import BEFORE, EVIDENCE, NODE, REPLY, RUN, Rule

TRIED: dict[str, str] = {
    "landing: a volume tied to this node": (
        "Volumes with node affinity: the plan says that the member can land nowhere else and waits for the uncordon, "
        "with one member fewer to lose meanwhile, and stays a go."
    ),
    "landing: node gone for good: claim and pod only by a typed word and while all others serve": (
        "A node's power cut and its object deleted: the pod was collected and made again after 77 s, and waited. The "
        "review offers to delete claim and pod; with another member stopped, and with a wrong word, nothing is done; "
        "then both are deleted with their UIDs as preconditions, and on a fresh volume the member served 20 s later."
    ),
    "with several ensembles the fewest elections": (
        "Two ensembles of three in two namespaces on four shared nodes, both leaders found on one node at the end: 6 "
        "evictions and 2 elections for 6 members, with a Lease in each namespace; no node had to be cordoned ahead "
        "there, which takes more nodes than four."
    ),
    "the first cordon comes only after the first gate has passed": (
        "With both ensembles' budgets closed, the empty node was done and no node with a member was cordoned; 0.2 s "
        "after its budget had opened the first one was."
    ),
    "return: another revision is a typed word": (
        "Under OnDelete, with a changed template: the review and the gate name both revisions, no node is cordoned "
        "before the word, a wrong word changes nothing, and the member comes back with the new revision while the "
        "others keep theirs."
    ),
    "alone: our lease, renewed before every change; failing that, stop": (
        "Edited by somebody else eight times in 12 s of Hold: taken up as read each time, renewed on, and the edits "
        "stay (a renewal that met a conflict was not among them; the recorded vectors have one). Given another "
        "holder: the run ends at its next reading, within 3 s, and changes nothing more. It then told to uncordon "
        "what the other was at work on, in one breath with “nothing is to be undone here”: corrected."
    ),
    "alone: foreign disruption taints, DisruptionTarget, and foreign cordons pause, once": (
        "`kubectl drain` of another member's node while ours was on its way: refused by the budget once, granted 5 s "
        "later, when ours was Ready and not yet verified; our run paused at the next reading (EvictionByEvictionAPI) "
        "and evicted nobody. ToBeDeletedByClusterAutoscaler on a member's node is told in the review and pauses once. "
        "DeletionCandidateOfClusterAutoscaler was passed over: it is told now, and pauses nobody."
    ),
    "429 otherwise: Retry-After": (
        "API priority and fairness with one seat, held by others: `429`, `Retry-After: 1`, and a text that is no "
        "Status. Taken as throttled, not as the budget's word; tried again after 1.2 s and 2.8 s, then granted. With "
        "one seat for all questions, and for the Lease alone, runs came to their end as well."
    ),
    "403 NamespaceTerminating: as it says": (
        "The server refuses the eviction from the moment on at which the namespace is deleted, also while the pod "
        "itself does not terminate yet (seen for 3 s), with the cause NamespaceTerminating."
    ),
    "an admission webhook's denial names it; then the UID changes: done": (
        "A webhook's denial comes with whatever code the webhook chose (403, 404, 409, 429 and 500 were tried), "
        "without a reason and without causes; only the words tell. 500 was taken for an unknown outcome, 429 for "
        "throttling, 404 for a pod that is gone: corrected, the words come first. A ValidatingAdmissionPolicy's "
        "denial is known by its words, too (403 with a cause without a reason). The pod was then deleted by somebody "
        "else: done, without a second eviction."
    ),
    "lost: read first, never send twice blindly": (
        "The answers to a cordon, an eviction and an uncordon were swallowed after the server had acted, and a "
        "Lease's renewal on its way: one PATCH each, one eviction, the member back, nothing left cordoned. The "
        "uncordon was told as a stranger's: corrected."
    ),
    "NotReady: refused; out of service only after a typed “powered off”": (
        "A node's power was cut: it counts as Ready for 47 s more, then the review refuses with the offer. A wrong "
        "word does nothing. After “powered off” the pod was marked at once and deleted within 3 s, and its successor "
        "ran on another node 4 s after the taint."
    ),
    "in Hold an autoscaler's candidate: said, and its do-not-disrupt annotations put back afterwards": (
        "Both annotations set by the request that cordons; what scale-down-disabled had said before came back, the "
        "other one went."
    ),
    "takeover after expiry by the typed word": (
        "By another state folder after SIGKILL: not free before 40 s of silence, and not without the run's id."
    ),
}
"""By a rule's text. Without an entry, and not seen before it was written down, a rule rests on its tests alone."""

GROUPS = (
    ("What counts as evidence", EVIDENCE),
    ("Before a member may go", BEFORE),
    ("Replies to an eviction", REPLY),
    ("The node", NODE),
    ("The run", RUN),
)


def page() -> str:
    lines = [
        "# The rules, what was seen, and the tests",
        "",
        "Every rule of [maintenance.md](maintenance.md) with what a real Kubernetes 1.37 with ZooKeeper 3.9 in its "
        "pods (tests/e2e) said of it, and the tests that hold zktui to it: **seen** before the rule was written "
        "down; tried later, with what came of it; **played**, by a scenario that both clusters play; or – on the "
        "embedded cluster and in unit tests only. Tests are named from tests/. This page is made from the data of a "
        "unit test (tests/unit/maintenance/rules.py and tried.py), which holds that each of these tests exists.",
    ]
    for title, rules in GROUPS:
        lines += ["", f"## {title}", "", "| Rule | On the real cluster | Tests |", "| --- | --- | --- |"]
        lines += [f"| {one.text} | {_real(one)} | {_tests(one)} |" for one in rules]
    return "\n".join(lines) + "\n"


def _real(one: Rule) -> str:
    words = ["**seen**"] if one.seen else []
    if one.text in TRIED:
        words.append(TRIED[one.text])
    elif not one.seen and any(test.startswith(("/scenarios/", "/e2e/")) for test in one.tests):
        words.append("**played**")
    return "; ".join(words) or "–"


def _tests(one: Rule) -> str:
    return "<br>".join(f"`{test.lstrip('/') if test.startswith('/') else f'unit/{test}'}`" for test in one.tests)


if __name__ == "__main__":
    sys.stdout.write(page())
