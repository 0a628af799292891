"""What `kubectl drain` and `zktui maintain` do with a node's contents: the cases, and docs/drain.md made from them.

Each case is run with both programs on the real cluster, and on the embedded one where it can hold such contents
(test_parity.py here and in tests/embedded). ``python -m tests.e2e.parity >docs/drain.md`` writes the table anew.
"""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "drain.md"


class Fate(enum.StrEnum):
    """What became of one pod, told by its UID afterwards and by what the program said."""

    GONE = "evicted"
    STAYS = "left alone"
    REFUSED = "refused"
    """Named as what forbids the drain; it and everything else on the node stays."""
    ENDING = "still terminating"
    """It has its deletionTimestamp and is held by a finalizer."""


class End(enum.StrEnum):
    DONE = "drained"
    REFUSED = "nothing evicted"
    GAVE_UP = "gives up"
    """After it began: a time-out, or the server's refusal."""


class Owner(enum.StrEnum):
    """The controller in the pod's owner reference."""

    NONE = "none"
    OTHER = "other"
    """An object that exists and is no DaemonSet."""
    DAEMONSET = "daemonset"
    ABSENT_DAEMONSET = "absent-daemonset"
    FOREIGN_DAEMONSET = "foreign-daemonset"
    """Of kind DaemonSet, but not of apps/v1."""


@dataclass(frozen=True)
class Content:
    """One pod on the node. `key` is its name, and its label `parity`."""

    key: str
    told: str
    owner: Owner = Owner.OTHER
    static: bool = False
    """Run by the kubelet from a file: the API server shows its mirror."""
    empty_dir: bool = False
    command: tuple[str, ...] = ()
    phase: str = "Running"
    """In which it is when the drain begins."""
    tier: str = "1"
    """Its label `tier`."""
    grace: int = 1
    held: bool = False
    """By a finalizer: a deleted one stays, terminating."""
    deleted: bool = False
    """Before the drain, and longer ago than the cases' limit."""
    budgets: int = 0
    """PodDisruptionBudgets that cover it and never allow a disruption."""


@dataclass(frozen=True)
class Case:
    key: str
    contents: tuple[Content, ...]
    fates: tuple[Fate, ...]
    """One for each of the contents."""
    end: End = End.DONE
    options: tuple[str, ...] = ()
    """Given to both programs."""
    kubectl_says: tuple[str, ...] = ()
    zktui_says: tuple[str, ...] = ()
    grace: int | None = None
    """deletionGracePeriodSeconds with which the evicted pods went."""
    dry: bool = False
    """kubectl with --dry-run=server, zktui with --plan; the fates are what they announce."""
    cordoned_before: bool = False
    by_label: bool = False
    """Both are given --selector."""
    with_member: bool = False
    """On a follower's node, which goes as well and comes back elsewhere; else on the node without a member."""
    purpose: str = ""
    """Why zktui differs here. Then its own end and fates are these."""
    zktui_end: End | None = None
    zktui_fates: tuple[Fate, ...] | None = None
    real_only: str = ""
    """Why the embedded cluster can't hold these contents."""

    @property
    def name(self) -> str:
        """The key as a test's."""
        return self.key.replace(" ", "-").replace(",", "")

    def expected(self, program: str) -> tuple[End, dict[str, Fate]]:
        ours = program == "zktui"
        fates = self.zktui_fates if ours and self.zktui_fates is not None else self.fates
        end = self.zktui_end if ours and self.zktui_end is not None else self.end
        return end, {content.key: fate for content, fate in zip(self.contents, fates, strict=True)}


MANAGED = Content("managed", "a pod with a controller")
UNMANAGED = Content("unmanaged", "a pod without a controller", Owner.NONE)
EMPTY_DIR = Content("emptydir", "a pod with an emptyDir", empty_dir=True)
DAEMON = Content("daemon", "a DaemonSet's pod", Owner.DAEMONSET)
ORPHAN = Content("orphan", "a pod whose DaemonSet does not exist", Owner.ABSENT_DAEMONSET)
FOREIGN = Content("foreign", "a pod of a DaemonSet of another API group", Owner.FOREIGN_DAEMONSET)
MIRROR = Content("mirror", "a static pod's mirror", static=True)
SUCCEEDED = Content(
    *("succeeded", "a Succeeded pod (no controller, emptyDir)", Owner.NONE),
    empty_dir=True,
    command=("sleep", "0"),
    phase="Succeeded",
)
FAILED = Content(
    *("failed", "a Failed pod (no controller, emptyDir)", Owner.NONE),
    empty_dir=True,
    command=("sleep", "never"),
    phase="Failed",
)
BARE_DIRTY = Content("dirty", "a pod without a controller and with an emptyDir", Owner.NONE, empty_dir=True)
HELD = Content("held", "a pod that a finalizer will hold", held=True)
LONG_GONE = Content("ending", "a pod that terminates for long, held by a finalizer", held=True, deleted=True)
DEAD = Content(
    *("dead", "the same, its containers ended, without a controller and with an emptyDir", Owner.NONE),
    empty_dir=True,
    held=True,
    deleted=True,
)
PATIENT = Content("patient", "a pod with terminationGracePeriodSeconds 7", grace=7)
UPPER = Content("upper", "a pod labelled tier=5", tier="5")
GUARDED = Content("guarded", "a pod whose budget allows 0", budgets=1)
TWICE = Content("twice", "a pod that two budgets cover", budgets=2)

DOZEN = (
    *(MANAGED, UNMANAGED, EMPTY_DIR, DAEMON, FOREIGN, MIRROR, SUCCEEDED, FAILED, BARE_DIRTY, PATIENT, UPPER),
    LONG_GONE,
)
ALL_OPTIONS = ("--force", "--ignore-daemonsets", "--delete-emptydir-data", "--skip-wait-for-delete-timeout=1")
GO, STAY, REFUSE, ENDING = Fate.GONE, Fate.STAYS, Fate.REFUSED, Fate.ENDING
DOZEN_GOES = (GO, GO, GO, STAY, GO, STAY, GO, GO, GO, GO, GO, ENDING)
DOZEN_REFUSED = (STAY, REFUSE, REFUSE, REFUSE, STAY, STAY, STAY, STAY, REFUSE, STAY, STAY, ENDING)

COLLECTED = "the garbage collector deletes such a pod at once, and can't be stopped alone"

UNMANAGED_SAID = "cannot delete Pods that declare no controller (use --force to override)"
LOCAL_SAID = "cannot delete Pods with local storage (use --delete-emptydir-data to override)"
DAEMON_SAID = "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"

CASES = (
    Case("an empty node", (), ()),
    Case("managed", (MANAGED,), (GO,)),
    Case("node selector", (MANAGED,), (GO,), by_label=True),
    Case("cordoned before", (MANAGED,), (GO,), cordoned_before=True, zktui_says=("cordoned already",)),
    Case("unmanaged", (UNMANAGED,), (REFUSE,), End.REFUSED, (), (UNMANAGED_SAID,), ("no controller", "--force")),
    Case("unmanaged, forced", (UNMANAGED,), (GO,), options=("--force",), zktui_says=("nobody makes it again",)),
    Case("emptyDir", (EMPTY_DIR,), (REFUSE,), End.REFUSED, (), (LOCAL_SAID,), ("--delete-emptydir-data",)),
    Case("emptyDir, allowed", (EMPTY_DIR,), (GO,), options=("--delete-emptydir-data",)),
    Case("DaemonSet", (DAEMON,), (REFUSE,), End.REFUSED, (), (DAEMON_SAID,), ("managed by DaemonSet daemon",)),
    Case(
        "DaemonSet, ignored",
        (DAEMON, MANAGED),
        (STAY, GO),
        options=("--ignore-daemonsets",),
        kubectl_says=("ignoring DaemonSet-managed Pods",),
        zktui_says=("managed by DaemonSet daemon: ignored",),
    ),
    Case(
        "DaemonSet that does not exist",
        (ORPHAN,),
        (REFUSE,),
        End.REFUSED,
        ("--ignore-daemonsets",),
        ('daemonsets.apps "absent" not found',),
        ("its DaemonSet absent does not exist", "--force"),
        real_only=COLLECTED,
    ),
    Case(
        "DaemonSet that does not exist, forced",
        (ORPHAN,),
        (GO,),
        options=("--ignore-daemonsets", "--force"),
        zktui_says=("evicted by --force",),
        real_only=COLLECTED,
    ),
    Case("another group's DaemonSet", (FOREIGN,), (GO,)),
    Case("mirror pod", (MIRROR, MANAGED), (STAY, GO), zktui_says=("a mirror pod",)),
    Case("finished", (SUCCEEDED, FAILED), (GO, GO), zktui_says=("finished (Succeeded)", "finished (Failed)")),
    Case(
        "two reasons",
        (BARE_DIRTY,),
        (REFUSE,),
        End.REFUSED,
        (),
        (LOCAL_SAID,),
        ("its emptyDir scratch would be deleted", "no controller"),
        purpose="kubectl names the first reason only; zktui names both, and every option that is missing",
    ),
    Case(
        "pod selector",
        (UPPER, UNMANAGED),
        (GO, STAY),
        options=("--pod-selector=tier in (5,6),parity!=other",),
        zktui_says=("not selected by --pod-selector",),
    ),
    Case("pod selector, compared", (UPPER, MANAGED), (GO, STAY), options=("--pod-selector=tier>3",)),
    Case("the pod's own grace", (PATIENT,), (GO,), grace=7),
    Case("a grace period for all", (PATIENT,), (GO,), options=("--grace-period=2",), grace=2),
    Case("no grace", (PATIENT,), (GO,), options=("--grace-period=0",), grace=0),
    Case(
        "does not end",
        (HELD, MANAGED),
        (ENDING, GO),
        End.GAVE_UP,
        ("--timeout=4s",),
        ('error when waiting for pod "held"',),
        ("did not leave for longer than --timeout",),
    ),
    Case(
        "does not end, not waited for",
        (HELD,),
        (ENDING,),
        options=("--skip-wait-for-delete-timeout=2",),
        kubectl_says=("has DeletionTimestamp older than 2 seconds, skipping",),
        zktui_says=("not waited for",),
    ),
    Case("terminates for long", (LONG_GONE,), (ENDING,), End.GAVE_UP, ("--timeout=3s",)),
    Case(
        "terminates for long, skipped",
        (LONG_GONE, MANAGED),
        (ENDING, GO),
        options=("--skip-wait-for-delete-timeout=1",),
        zktui_says=("past its deletionTimestamp: not waited for",),
    ),
    Case("dying and finished", (DEAD,), (ENDING,), End.GAVE_UP, ("--timeout=3s",)),
    Case(
        "budget closed",
        (GUARDED, MANAGED),
        (STAY, GO),
        End.GAVE_UP,
        ("--timeout=3s",),
        ("Cannot evict pod as it would violate the pod's disruption budget.",),
        ("guarded could not be evicted for longer than --timeout",),
    ),
    Case(
        "two budgets",
        (TWICE, MANAGED),
        (STAY, GO),
        End.GAVE_UP,
        (),
        ("This pod has more than one PodDisruptionBudget",),
        ("covered by more than one budget",),
        purpose="the server will answer 500, which no waiting mends: zktui says so before it begins",
        zktui_end=End.REFUSED,
        zktui_fates=(REFUSE, STAY),
    ),
    Case("dry run", (MANAGED,), (GO,), dry=True),
    Case("dry run, refused", (UNMANAGED,), (REFUSE,), End.REFUSED, (), (UNMANAGED_SAID,), ("--force",), dry=True),
    Case("a dozen, no option", DOZEN, DOZEN_REFUSED, End.REFUSED),
    Case("a dozen, dry run", DOZEN, DOZEN_GOES, options=ALL_OPTIONS, dry=True),
    Case("a dozen and a member", DOZEN, DOZEN_GOES, options=ALL_OPTIONS, with_member=True),
)

ON_PURPOSE = (
    (
        "Before the first change",
        "kubectl cordons, then finds what forbids the drain, and leaves the node cordoned. zktui reviews first: what "
        "is refused has changed nothing, and the node is as it was.",
    ),
    (
        "All findings",
        "kubectl keeps the last warning of a pod and the first reason against it. zktui keeps every one, with the "
        "option that would change it.",
    ),
    (
        "A cordon that fails",
        "kubectl says so and evicts all the same, from a node that is still open. zktui stops; a missing permission "
        "is found in the review (exit code 4). Both are run in the test as a user who may evict and not patch nodes.",
    ),
    (
        "Which pod is meant",
        "kubectl evicts by name: after a refusal it may take a pod that was made again under that name. zktui sends "
        "the UID as a precondition.",
    ),
    (
        "A pod that terminates already",
        "kubectl asks for its eviction once more, to which the server says yes whatever the budget. zktui sends "
        "nothing and waits for it.",
    ),
    (
        "Members of an ensemble",
        "kubectl evicts all pods of a node at once, as far as the budget lets them. zktui evicts the others first and "
        "members last, one after another, each behind its gates; what fails a gate waits and says why.",
    ),
    (
        "Several nodes",
        "kubectl cordons all, then drains one after another, and goes on after a failure. zktui takes one node at a "
        "time to its end, members verified, and stops at a failure.",
    ),
    (
        "--timeout",
        "kubectl's is for a node's whole drain; zktui's is for each pod's leaving and each gate, as a member's return "
        "takes its time.",
    ),
    (
        "A node that is not Ready",
        "kubectl evicts and waits for what never ends. zktui refuses, since a dead kubelet ends no pod.",
    ),
    (
        "Unknown is no",
        "When it can't be read whether a pod's DaemonSet exists, both refuse it; when budgets, pods or members can't "
        "be read, zktui refuses as well.",
    ),
    (
        "--dry-run",
        "server and client are both --plan, which asks the server, changes nothing, and ends with 3 for a no-go.",
    ),
    (
        "--disable-eviction",
        "zktui knows it and refuses it (exit code 2): it never deletes past a budget.",
    ),
    (
        "--chunk-size",
        "zktui takes it and reads lists in chunks of 500 all the same.",
    ),
)


def table() -> str:
    """The text of docs/drain.md."""
    lines = [
        "# As kubectl drain does",
        "",
        "`zktui maintain` moves the pods of a node by the rules of `kubectl drain`, with the same options under the "
        "same names. Every line below is run with both programs on a real Kubernetes 1.37, and on the embedded "
        "cluster (test_parity.py in tests/e2e and in tests/embedded): by the UIDs that are gone afterwards both must "
        "have done the same, and both must have named the same pods. This page is made from the test's own data.",
        "",
        "| On the node | Options | Drain | Pods |",
        "| --- | --- | --- | --- |",
    ]
    lines += [_line(case) for case in CASES]
    lines += ["", "Where both gave up, the node stays cordoned, and so it does with `--hold leave` after a drain.", ""]
    lines += ["## Where zktui differs on purpose", ""]
    lines += [f"- **{what}.** {why}" for what, why in ON_PURPOSE]
    differing = [case for case in CASES if case.purpose]
    lines += [f"- **{case.key[0].upper()}{case.key[1:]}** (above). {_sentence(case.purpose)}" for case in differing]
    return "\n".join(lines) + "\n"


def _line(case: Case) -> str:
    options = " ".join(f"`{option}`" for option in case.options)
    if case.by_label:
        options = "`--selector=kubernetes.io/hostname=NODE`"
    if case.dry:
        options = f"{options} `--dry-run=server`; zktui: `--plan`".strip()
    return f"| {_contents(case)} | {options or '–'} | {_end(case)} | {_fates(case)} |"


def _contents(case: Case) -> str:
    if case.contents == DOZEN:
        more = ", and a member of the ensemble" if case.with_member else ""
        return f"{case.key}: {', '.join(content.key for content in DOZEN)}{more}"
    before = "; cordoned before" if case.cordoned_before else ""
    where = f" (run on the real cluster only: of the embedded one, {case.real_only})" if case.real_only else ""
    return ("; ".join(content.told for content in case.contents) or "nothing") + before + where


def _end(case: Case) -> str:
    end, _ = case.expected("kubectl")
    ours, _ = case.expected("zktui")
    return end.value if end is ours else f"{end.value}; zktui: {ours.value}"


def _fates(case: Case) -> str:
    _, theirs = case.expected("kubectl")
    _, ours = case.expected("zktui")
    words: list[str] = []
    for fate in Fate:
        if named := [key for key, value in theirs.items() if value is fate]:
            going = "to be evicted" if case.dry and fate is Fate.GONE else fate.value
            within = f" with a grace of {case.grace} s" if case.grace is not None else ""
            words.append(f"{', '.join(named)}: {going}{within}")
    if case.with_member:
        words.append("the member: evicted last, back on another node")
    if ours != theirs:
        words.append(f"zktui: {', '.join(f'{key} {value.value}' for key, value in ours.items())}")
    return "; ".join(words) or "–"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    sys.stdout.write(table())
