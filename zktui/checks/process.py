"""Chapter 8: as whom the server runs, with how much, and how its pods are replaced.

Sources: Kubernetes' tutorial "Managing the ZooKeeper process" (non-root by securityContext, fsGroup, resources, rolling
updates); apps/v1 StatefulSet (a rolling update asks no budget); the JVM (the heap is not all that a process takes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from zktui.checks.inventory import Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.checks.processes import processes_in, servers_of
from zktui.core.documents import Document, child, mapping, number, objects, text, texts
from zktui.core.heap import heap_of, share_of
from zktui.core.kube import Pod
from zktui.core.quantities import amount
from zktui.core.zookeeper import Mode, ordinal

BESIDE_THE_HEAP = Decimal("1.25")
"""How much more than its heap a server takes (metaspace, threads, direct buffers): a rule of thumb, for warnings."""

_ID = re.compile(
    r"uid=(?P<uid>\d+)(?:\((?P<user>[^)]*)\))? gid=(?P<gid>\d+)(?:\((?P<group>[^)]*)\))?(?: groups=(?P<groups>\S+))?"
)
_FOLDER = re.compile(r"^(?P<mode>d\S{9})\S*\s+\d+\s+(?P<user>\S+)\s+(?P<group>\S+)\s")


def process(inventory: Inventory) -> Iterable[Check]:
    yield _user(inventory)
    yield _group(inventory)
    yield _resources(inventory)
    yield _heap(inventory)
    yield _update(inventory)
    yield _strategy(inventory)


def container_of(inventory: Inventory, pod: Pod) -> Document | None:
    """ZooKeeper's container in the pod's own specification."""
    document = inventory.pod_documents.get(pod.name, {})
    found = objects(document, "spec", "containers")
    return next((c for c in found if text(c, "name") == inventory.ensemble.container), None)


def _setting(inventory: Inventory, pod: Pod, field: str) -> object | None:
    """Of the container's securityContext, else of the pod's."""
    own = child(container_of(inventory, pod), "securityContext", field)
    return own if own is not None else child(inventory.pod_documents.get(pod.name), "spec", "securityContext", field)


def _user(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("id")
            found = _ID.search(told.value or "")
            if found is None:
                yield Evidence(pod.name, Result.UNKNOWN, told.why or "id was not understood")
                continue
            listed = inventory.in_pod(pod.name).output("processes").value or ""
            users = sorted({p.user for p in servers_of(processes_in(listed))})
            own = [u for u in users if u in (found["uid"], found["user"]) or _cut(u, found["user"] or "")]
            runs = f", the server as {', '.join(users)}" if users != own else ", the server too" if users else ""
            who, group = (
                f"{n} ({name})" if name else n for n, name in (found.group(1, 2), found.group("gid", "group"))
            )
            as_root = found["uid"] == "0" or "root" in users
            forced = _setting(inventory, pod, "runAsNonRoot") is True or isinstance(
                _setting(inventory, pod, "runAsUser"), int
            )
            words = f"user {who}, group {group}{runs}" + ("" if forced or as_root else ", by the image's own choice")
            yield Evidence(pod.name, Result.FAIL if as_root else Result.PASS if forced else Result.WARN, words)

    fixed = {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
    found = tuple(seen())
    bad = any(e.result in (Result.FAIL, Result.WARN) for e in found)
    return Check(
        "process.user",
        Chapter.PROCESS,
        "The server does not run as root",
        found,
        "Who breaks out of a server that runs as root is root on its node. Set runAsUser, runAsNonRoot and fsGroup in "
        "the pod's securityContext; the files on its volume must then be that user's.",
        patch=(_patch(inventory, {"securityContext": fixed}),) if bad else (),
        by_hand="kubectl exec zk-0 -- ps -elf",
    )


def _cut(shown: str, user: str) -> bool:
    """As ps shortens a name of more than eight letters: `zookeep+`."""
    return shown.endswith("+") and len(shown) > 1 and user.startswith(shown[:-1])


def _patch(inventory: Inventory, spec: Document) -> str:
    sts = inventory.ensemble.statefulset
    body = json.dumps({"spec": {"template": {"spec": spec}}}, separators=(",", ":"))
    return f"kubectl -n {sts.namespace} patch statefulset {sts.name} -p '{body}'"


def _group(inventory: Inventory) -> Check:
    """May the server write to its data folder, by its own user or by fsGroup?"""

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            inside = inventory.in_pod(pod.name)
            told, who = inside.output("data-folder"), _ID.search(inside.output("id").value or "")
            found = _FOLDER.search(told.value or "")
            if found is None or who is None:
                why = told.why if found is None else inside.output("id").why
                yield Evidence(pod.name, Result.UNKNOWN, why or "the folder's owner was not understood")
                continue
            yield Evidence(pod.name, *_may_write(found, who))

    return Check(
        "process.group",
        Chapter.PROCESS,
        "The data folder is the server's own",
        tuple(seen()),
        "A server that can't write to its data folder does not start. fsGroup in the pod's securityContext makes the "
        "volume the group's when it is mounted.",
        by_hand="kubectl exec zk-0 -- ls -ld /var/lib/zookeeper/data",
    )


def _may_write(folder: re.Match[str], who: re.Match[str]) -> tuple[Result, str]:
    groups = set(re.findall(r"(\d+)(?:\(([^)]*)\))?", who["groups"] or ""))
    mine = {part for pair in groups for part in pair if part} | {who["gid"]}
    words = f"{folder['mode']} {folder['user']} {folder['group']}"
    if folder["user"] in (who["uid"], who["user"]) and folder["mode"][2] == "w":
        return Result.PASS, f"{words}: its own"
    if folder["group"] in mine and folder["mode"][5] == "w":
        return Result.PASS, f"{words}: its group's"
    if folder["mode"][8] == "w":
        return Result.WARN, f"{words}: anybody's"
    return Result.FAIL, f"{words}: user {who['uid']} may not write there"


def _resources(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            container = container_of(inventory, pod)
            if container is None:
                yield Evidence(pod.name, Result.UNKNOWN, "its specification is not known")
                continue
            requests, limits = (mapping(container, "resources", kind) for kind in ("requests", "limits"))
            qos = text(inventory.pod_documents[pod.name], "status", "qosClass")
            words = f"requests {_listed(requests)}, limits {_listed(limits)}" + (f", {qos}" if qos else "")
            missing = [name for name in ("cpu", "memory") if not text(requests, name)]
            yield Evidence(pod.name, Result.WARN if missing else Result.PASS, words)

    found = tuple(seen())
    name = inventory.ensemble.name
    mend = f"zktui set-resources {name} --requests cpu=500m,memory=1Gi"
    return Check(
        "process.resources",
        Chapter.PROCESS,
        "CPU and memory are requested",
        found,
        "Without a request nothing is set aside for a member: it is among the first to be killed when its node has no "
        f"memory left, and a slow member loses its leader. To change it with quorum beside it: {mend}",
        patch=(
            f"kubectl -n {inventory.ensemble.namespace} set resources statefulset {name} "
            f"-c {inventory.ensemble.container} --requests=cpu=500m,memory=1Gi",
        )
        if any(e.result is Result.WARN for e in found)
        else (),
        by_hand="kubectl get sts zk -o yaml",
    )


def _listed(resources: Document) -> str:
    return " ".join(f"{key}={value}" for key, value in resources.items()) or "none"


def _heap(inventory: Inventory) -> Check:
    """Does the heap fit the memory limit; where there is none, what was requested?"""

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            container = container_of(inventory, pod)
            if container is None:
                yield Evidence(pod.name, Result.UNKNOWN, "its specification is not known")
                continue
            listed = inventory.in_pod(pod.name).output("processes").value or ""
            running = [p.command for p in servers_of(processes_in(listed))]
            declared = [*texts(container, "command"), *texts(container, "args")]
            env = {text(e, "name"): text(e, "value") for e in objects(container, "env")}
            words, variables = running or declared, {} if running else env
            resources = mapping(container, "resources")
            yield Evidence(pod.name, *_fits(heap_of(words, variables), share_of(words, variables), resources))

    return Check(
        "process.heap",
        Chapter.PROCESS,
        "The heap fits the container's memory",
        tuple(seen()),
        "A JVM takes more than its heap: over the limit the kernel kills it, and over the request it is first in line "
        "when the node runs out. Keep -Xmx at three quarters of the limit, or of the request where there is none.",
        by_hand="kubectl exec zk-0 -- ps -elf",
    )


def _fits(heap: int | None, percent: Decimal | None, resources: Document) -> tuple[Result, str]:
    limit, request = (amount(text(resources, kind, "memory")) for kind in ("limits", "requests"))
    room, what = (limit, "limit") if limit is not None else (request, "request")
    if heap is None and percent is not None:
        if limit is None:
            return Result.WARN, f"the JVM takes up to {percent:f}% of the node's memory: there is no limit"
        heap = int(limit * percent / 100)
    if heap is None:
        share = "a quarter of the limit" if limit is not None else "a quarter of the node's memory"
        return Result.WARN, f"no -Xmx: the JVM takes up to {share}"
    size = f"heap {heap >> 20} MiB"
    if room is None:
        return Result.WARN, f"{size}, and memory is neither limited nor requested"
    told = f"{size}, {what} {text(resources, f'{what}s', 'memory')}"
    if heap >= room:
        return (Result.FAIL if limit is not None else Result.WARN), f"{told}: it does not fit"
    if heap * BESIDE_THE_HEAP > room:
        return Result.WARN, f"{told}: too little beside the heap"
    return Result.PASS, told


def _update(inventory: Inventory) -> Check:
    """Are all members of the newest template, and is none held back?"""

    def seen() -> Iterator[Evidence]:
        found = inventory.statefulset
        if found.value is None:
            yield Evidence("", Result.UNKNOWN, found.why)
            return
        newest = text(found.value, "status", "updateRevision")
        partition = number(found.value, "spec", "updateStrategy", "rollingUpdate", "partition") or 0
        held = f"updates are held below ordinal {partition}" if partition else "no update is held"
        yield Evidence("", Result.WARN if partition else Result.PASS, held)
        for pod in inventory.pods:
            if not newest or not pod.revision:
                yield Evidence(pod.name, Result.UNKNOWN, "its revision is not known")
            elif pod.revision == newest:
                yield Evidence(pod.name, Result.PASS, f"newest template ({newest})")
            else:
                yield Evidence(pod.name, Result.WARN, f"old template ({pod.revision}, newest {newest})")

    name = inventory.ensemble.name
    return Check(
        "process.update",
        Chapter.PROCESS,
        "Every member runs the newest template",
        tuple(seen()),
        "A member that is made again, by a drain for instance, comes back with the newest template: a maintenance "
        f"upgrades it. Go on with: zktui rollout resume {name}; or back with: zktui rollout undo {name}",
        by_hand="kubectl rollout status sts/zk; kubectl rollout history sts/zk",
    )


def _strategy(inventory: Inventory) -> Check:
    """What a rolling update would do to the leader and to quorum."""

    def seen() -> Iterator[Evidence]:
        found = inventory.statefulset
        if found.value is None:
            yield Evidence("", Result.UNKNOWN, found.why)
            return
        kind = text(found.value, "spec", "updateStrategy", "type") or "RollingUpdate"
        if kind == "OnDelete":
            yield Evidence("", Result.PASS, "OnDelete: nothing goes by itself; zktui rollout takes the leader last")
            return
        away = text(found.value, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
        if away not in ("", "1"):
            yield Evidence("", Result.FAIL, f"RollingUpdate with maxUnavailable {away}: several members go at once")
        parallel = text(found.value, "spec", "podManagementPolicy") == "Parallel"
        if parallel:
            words = "RollingUpdate under Parallel: every old pod that is not Ready goes at once"
            yield Evidence("", Result.PASS, f"{words}, unless it is held: zktui rollout lets them go one by one")
        leader = next((m for m in inventory.members if m.report.mode is Mode.LEADER), None)
        alone = next((m for m in inventory.members if m.report.mode is Mode.STANDALONE), None)
        if leader is None and alone is not None:
            yield Evidence(alone.pod.name, Result.WARN, "it stands alone: an update is an outage until it is back")
            return
        if leader is None:
            yield Evidence("", Result.UNKNOWN, "no member leads")
            return
        lowest = min(ordinal(m.pod.name) for m in inventory.members)
        last = ordinal(leader.pod.name) == lowest
        words = "goes last" if last else "does not go last: an election more for each later leader"
        yield Evidence(leader.pod.name, Result.PASS, f"leads now; from the highest ordinal down, it {words}")

    return Check(
        "process.strategy",
        Chapter.PROCESS,
        "An update stops one member at a time",
        tuple(seen()),
        "A rolling update asks no budget and knows no quorum. Leave maxUnavailable at 1; zktui rollout and zktui "
        "set-resources let each member go only while the others are a quorum.",
        by_hand="kubectl get sts zk -o yaml",
    )
