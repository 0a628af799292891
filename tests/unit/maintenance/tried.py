"""What the real cluster said of rules that were experience, and the page that tells it: docs/rules.md.

``python -m tests.unit.maintenance.tried >docs/rules.md``
"""

from __future__ import annotations

import sys

from tests.unit.maintenance.rules import BEFORE, EVIDENCE, NODE, REPLY, RUN, Rule

TRIED: dict[str, str] = {
    "every gate is complete on srvr alone": (
        "srvr the only word in the whitelist, no AdminServer (mntr, conf and ruok answered that they are not in the "
        "whitelist): all nodes of three members in 60 s, the dwell of 10 s each time, with 3 evictions and one "
        "election; the review had evidence for every gate."
    ),
    "evidence older than 2 s is unknown, and unknown is no": (
        "A member's kubelet frozen, so that nobody reaches a member that serves: silent to us, the gate waits, no node "
        "is cordoned, and the run came to its end 22 s after the thaw. The API server frozen for 8 s in Hold: nothing "
        "was changed before it had been read again. With a load of 60 on two processors members answered too late: for "
        "seven minutes nobody was evicted, though the budget had last allowed it."
    ),
    "voters come from the running configuration; one outside the cluster counts as not serving": (
        "Three pods whose servers know a fourth, under a name that leads nowhere: 3 of 4 voters serve and none may be "
        "lost; the budget allows 1, the gate is blocked (2 of 4 serve without it, majority is 3), no node is cordoned. "
        "It did not say whom it missed: it names the host that has no pod here."
    ),
    "observers never count": (
        "Three voters and an observer that has the highest id. With a voter frozen another voter has to wait (1 of 3 "
        "serve without it) and the observer has not; with the observer frozen quorum is 3 of 3 as before. All four "
        "nodes: 4 evictions and one election, and while the observer was away nothing was said of quorum. The budget "
        "counts it like the voters. The count of elections, read again with this, took it for a candidate: corrected."
    ),
    "groups and weights are refused with the reason": (
        "One group with weights 1, 1 and 2: the review refuses it with the reason while every member serves and the "
        "budget allows 1; with --yes, too, nothing is changed."
    ),
    "quorum without it: the others are counted, so that a broken member costs nothing": (
        "One of three frozen: another member's node was waited for, and not cordoned. The frozen one's own node was "
        "drained at once: killed at the end of its grace, it served again 6 s after it was gone."
    ),
    "quorum: five or more voters keep one to spare": (
        "Five members under a budget that allows 2. With one server frozen its pod stayed Ready, and the budget went "
        "on allowing 2 for 18 s and more; the gate waited (3 of 5 serve without it, majority is 3 and 1 to spare) with "
        "no node cordoned, and the run was done 10 s after the thaw. Two frozen: not with --spare 0 either. All "
        "five nodes: 5 evictions and one election, and nobody moved twice."
    ),
    "quorum: one or two voters need --accept-outage": (
        "Two members: refused in the review, with --yes too, and nothing changed. With --accept-outage a follower "
        "moved: below majority for 4 to 9 s, and one election, for the leader steps down and is elected anew. The plan "
        "had told of none: corrected."
    ),
    "return: data size against initLimit x tickTime": (
        "27 MB under two ticks of half a second: the review tells the size and the limit, and stays a go. With its "
        "volume the member was back 6 s after it was gone; a full snapshot was not tried."
    ),
    "landing: which nodes can take it, by the scheduler's required rules": (
        "Seven nodes: two with other members, one tainted, one without CPU left, one cordoned, its own; the plan "
        "named the seventh alone, with a reason for each other, and there it landed. With that one cordoned as well: "
        "nowhere, and the scheduler's own words counted the same reasons."
    ),
    "landing: none, so it waits for the uncordon, said before": (
        "Said in the review, by `zktui where` and in Hold; the pod was Pending (0/7 nodes are available), landed on "
        "the node once that was uncordoned, and the run ended with it serving."
    ),
    "landing: two voters on one node with nowhere to go can't be drained": (
        "Three without anti-affinity on the one node that was open: no-go, and nothing changed with --yes. With one "
        "more node open it is a go: one after another they moved there, each back before the next, with one election."
    ),
    "one typed override, the pod's name, for one gate and one step, recorded": (
        "By keys, two members in one run that a changed template under OnDelete would upgrade: another word changed "
        "nothing, the first one's name let that member go and no other; the second blocked again until its own name "
        "was typed. Both stand in the journal with the gate's evidence."
    ),
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
    "leader last is a preference, made anew at each step, not a gate": (
        "The leader was killed after the review had put its node last: the run took its node second and the new "
        "leader's node last, with one election of its own."
    ),
    "other pods first, members last": (
        "Another pod, whose budget never allows it, beside a member: the run waited for it, and the member stayed "
        "untouched; with its budget gone it went first, and the member once it was gone. The review was a go without a "
        "word on that budget: it warns now."
    ),
    "nodes still to be drained are cordoned ahead where there is room, seen and refusable": (
        "Three members without anti-affinity on seven nodes: the two nodes still to come were cordoned before the "
        "first, each was uncordoned at the end of its own turn, nobody moved twice. Aborted in the first Hold, it left "
        "all three cordoned and named them, as `zktui where` did. With --no-cordon-ahead only the node at work is "
        "cordoned, and the plan warns of where a member may land."
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
    "deleted: nothing to uncordon, success; same name and new UID: never touched": (
        "The node's object deleted in Hold: nothing to uncordon, and done. Deleted and made again under its name, "
        "cordoned: done, and the new one stayed cordoned, without an annotation of ours. Deleted while another pod "
        "left it: the member there was left alone, and kept its pod. That node was called ours to hold, cordoned, and "
        "a candidate for removal: corrected."
    ),
    "never uncordon what we did not cordon, and never after a failure": (
        "A run that --timeout ended left its node cordoned, with its name and the lines to undo it; the next run over "
        "that node left the cordon there as well."
    ),
    "in Hold an autoscaler's candidate: said, and its do-not-disrupt annotations put back afterwards": (
        "Both annotations set by the request that cordons; what scale-down-disabled had said before came back, the "
        "other one went."
    ),
    "quitting leaves a run unattended, says so, and it can be resumed": (
        "Left by q and w 2 s after an eviction: away within 2 s, with the node that stays cordoned and the way on. "
        "`zktui where` told that its process was gone, who was not known to be back, and kubectl's lines; `zktui "
        "resume` finished it without a second eviction."
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
