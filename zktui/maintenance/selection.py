"""Which pods of a node a drain moves: kubectl drain's own filters, with every finding kept.

Source: k8s.io/kubectl/pkg/drain (filters.go). kubectl reports only the last warning of a pod; here all of them stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from zktui.core.disruption import Allowance, budgets_of, judge_eviction
from zktui.core.kube import Pod
from zktui.core.labels import Selector
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts, OwnerKey
from zktui.maintenance.model import Finding, Level, Options, PodVerdict, Verdict
from zktui.maintenance.selectors import parse_selector

_DATA_DIR = re.compile(r"--data_dir=(\S+)|-?dataDir=(\S+)")
_DATA_ENV = ("ZOO_DATA_DIR", "ZOOKEEPER_DATA_DIR", "ZK_DATA_DIR")
_DAEMONSET_GROUP = "apps/v1"
_FINISHED = ("Succeeded", "Failed")
USUAL_DATA_DIRS = ("/var/lib/zookeeper", "/data", "/bitnami/zookeeper", "/zookeeper/data", "/opt/zookeeper/data")


@dataclass(frozen=True, slots=True)
class Selected:
    """A node's pods by what becomes of them."""

    members: tuple[tuple[Ensemble, Pod, PodVerdict], ...]
    others: tuple[tuple[Pod, PodVerdict], ...]


def select(facts: Facts, node: str, ensembles: Iterable[Ensemble], options: Options) -> Selected:
    """Sort the pods of a node into members and others. Raises ValueError when --pod-selector can't be understood."""
    selector = parse_selector(options.pod_selector)
    known = tuple(ensembles)
    members: list[tuple[Ensemble, Pod, PodVerdict]] = []
    others: list[tuple[Pod, PodVerdict]] = []
    listed = facts.on_node.get(node)
    for pod in (listed.value if listed else None) or ():
        verdict = judge_pod(pod, facts, selector, options)
        ensemble = next((e for e in known if e.owns(pod)), None)
        if ensemble is None:
            others.append((pod, _with_its_budget(pod, verdict, facts)))
        else:
            members.append((ensemble, pod, verdict))
    return Selected(tuple(members), tuple(others))


def judge_pod(pod: Pod, facts: Facts, selector: Selector, options: Options) -> PodVerdict:
    """One pod's verdict. A pod that stays keeps no other finding than why: the rest does not matter for it."""
    stays = _stays(pod, selector, options, facts.wall)
    if stays is not None:
        return PodVerdict(pod.key, Verdict.STAY, (stays,))
    daemon = _daemonset(pod, facts, options)
    if daemon is not None and daemon.code == "daemonset" and daemon.level is Level.INFO:
        return PodVerdict(pod.key, Verdict.STAY, (daemon,))
    found = [f for f in (daemon, _empty_dir(pod, options), _unmanaged(pod, options), _two_budgets(pod, facts)) if f]
    if pod.finished:
        found.append(Finding(Level.INFO, f"finished ({pod.phase}): it is removed", code="finished"))
    if pod.terminating:
        found.append(Finding(Level.INFO, "is terminating already: it is waited for", code="terminating"))
    refused = any(finding.level is Level.STOP for finding in found)
    return PodVerdict(pod.key, Verdict.REFUSE if refused else Verdict.EVICT, tuple(found))


def _stays(pod: Pod, selector: Selector, options: Options, wall: float) -> Finding | None:
    if not selector.matches(pod.labels):
        return Finding(Level.INFO, f"not selected by --pod-selector {options.pod_selector}", code="not-selected")
    if pod.mirror:
        return Finding(Level.INFO, "a mirror pod: the kubelet runs it from a file on the node", code="mirror")
    return overdue(pod, options, wall)


def overdue(pod: Pod, options: Options, wall: float) -> Finding | None:
    """Why a terminating pod is not waited for any more, by --skip-wait-for-delete-timeout; None when it is.

    kubectl counts from the deletionTimestamp, which lies the grace period after the request, in whole seconds.
    """
    limit = options.skip_wait_for_delete_timeout
    if limit <= 0 or pod.deleting_since is None:
        return None
    past = int(wall - (pod.deleting_since + pod.deletion_grace))
    if past <= limit:
        return None
    text = f"terminating, {past} s past its deletionTimestamp: not waited for"
    return Finding(Level.WARN, text, code="terminating")


def _over(pod: Pod) -> bool:
    """By its phase alone, as kubectl judges: also while it terminates, when `finished` is not said."""
    return pod.phase in _FINISHED


def _daemonset(pod: Pod, facts: Facts, options: Options) -> Finding | None:
    if pod.owner is None or pod.owner.kind != "DaemonSet" or _over(pod):
        return None
    if pod.owner.api_version not in ("", _DAEMONSET_GROUP):
        return None  # another group's kind of that name is a controller like any other
    name = pod.owner.name
    asked = facts.owners.get(OwnerKey(pod.namespace, "DaemonSet", name))
    if asked is not None and (asked.absent or asked.value is False):
        if options.force:
            return Finding(Level.WARN, f"its DaemonSet {name} does not exist: evicted by --force", code="orphan")
        return Finding(Level.STOP, f"its DaemonSet {name} does not exist", "--force", "orphan")
    if asked is None or asked.value is None:
        why = asked.why if asked is not None else "not asked"
        return Finding(Level.STOP, f"whether its DaemonSet {name} exists is not known: {why}", code="daemonset-unknown")
    if options.ignore_daemonsets:
        return Finding(Level.INFO, f"managed by DaemonSet {name}: ignored", code="daemonset")
    text = f"managed by DaemonSet {name}, which would make it again here"
    return Finding(Level.STOP, text, "--ignore-daemonsets", "daemonset")


def _empty_dir(pod: Pod, options: Options) -> Finding | None:
    if not pod.spec.empty_dirs or _over(pod):
        return None
    names = ", ".join(pod.spec.empty_dirs)
    if options.delete_emptydir_data:
        return Finding(Level.WARN, f"the data in its emptyDir {names} is deleted", code="emptydir")
    return Finding(Level.STOP, f"its emptyDir {names} would be deleted", "--delete-emptydir-data", "emptydir")


def _unmanaged(pod: Pod, options: Options) -> Finding | None:
    if pod.owner is not None or _over(pod):
        return None
    if options.force:
        return Finding(Level.WARN, "no controller: nobody makes it again (--force)", code="unmanaged")
    return Finding(Level.STOP, "no controller: nobody would make it again", "--force", "unmanaged")


def _two_budgets(pod: Pod, facts: Facts) -> Finding | None:
    """The eviction handler answers 500 when more than one budget covers a pod, unless it is not counted at all."""
    if pod.phase in ("Pending", "Succeeded", "Failed") or pod.terminating:
        return None
    names = sorted(b.name for b in budgets_of(pod, facts.budgets_in(pod.namespace).value or ()))
    if len(names) < 2:
        return None
    text = f"covered by more than one budget ({', '.join(names)}): the server refuses to evict it"
    return Finding(Level.STOP, text, "let one budget cover it", "two-budgets")


def _with_its_budget(pod: Pod, verdict: PodVerdict, facts: Facts) -> PodVerdict:
    """Members have a gate for it. For any other pod whose budget is closed the drain would wait, perhaps for ever."""
    judged = judge_eviction(pod, facts.budgets_in(pod.namespace).value or ())
    if verdict.verdict is not Verdict.EVICT or judged.allowance not in (Allowance.NO, Allowance.STALE):
        return verdict
    text = f"{judged.why}: the members of its node wait until it may go"
    closed = Finding(Level.WARN, text, "its budget allows one to go", "budget-waits")
    return replace(verdict, findings=(*verdict.findings, closed))


def data_on_empty_dir(pod: Pod, ensemble: Ensemble) -> str:
    """Name of the emptyDir that holds the member's dataDir; empty when it is elsewhere or not told."""
    container = next((c for c in pod.spec.containers if c.name == ensemble.container), None)
    if container is None or not pod.spec.empty_dirs:
        return ""
    found = _DATA_DIR.search(" ".join(container.command))
    told = (found.group(1) or found.group(2)) if found else ""
    told = told or next((value for name, value in container.env if name in _DATA_ENV), "")
    for folder in (told,) if told else USUAL_DATA_DIRS:
        # Where only the usual place is known, a mount below it counts too: its data folder is what is mounted there.
        holders = [
            (path, volume)
            for volume, path in pod.spec.mounts
            if _inside(folder, path) or (not told and _inside(path, folder))
        ]
        if holders:
            _, volume = max(holders, key=lambda holder: len(holder[0]))
            return volume if volume in pod.spec.empty_dirs else ""
    return ""


def _inside(folder: str, mount: str) -> bool:
    top = mount.rstrip("/")
    return folder == top or folder.startswith(top + "/")
