"""Chapter 5: does the data outlive its pod, is there room for it, and does anybody clear up behind it?

Sources: Kubernetes' tutorial "Providing durable storage"; core/v1 PersistentVolume (reclaim policy, node affinity);
ZooKeeper's Administrator's Guide (autopurge: off unless purgeInterval is set; a full disk stops a server).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from zktui.checks.configuration import settings_in
from zktui.checks.inventory import Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.documents import Document, objects, text, texts
from zktui.core.kube import HOSTNAME_TOPOLOGY, Pod
from zktui.core.text import count

FULL, FILLING = 90, 80
"""Percent of a disk in use from which a check fails, or warns."""
DEFAULT_RETAINED = 3
"""autopurge.snapRetainCount, where it is not set; ZooKeeper keeps no fewer."""

_ROOM = re.compile(r"^\S.*?\s(?P<total>\d+)\s+(?P<used>\d+)\s+(?P<free>\d+)\s+(?P<share>\d+)%\s+(?P<place>/\S*)$")
_FILE = re.compile(
    r"^-\S+\s+\d+\s+\S+\s+\S+\s+(?P<size>\d+)\s.*\s(?P<name>(?:snapshot|log)\.[0-9a-f]+(?:\.\w+)?)$", re.MULTILINE
)
_PURGE = "autopurge.purgeInterval"


def storage(inventory: Inventory) -> Iterable[Check]:
    yield _claims(inventory)
    yield _kept(inventory)
    yield _movable(inventory)
    yield _room(inventory)
    yield _purging(inventory)
    yield _files(inventory)


def claim_under(pod: Pod, path: str) -> str:
    """The claim that the folder is on; empty for a folder on none. The deepest mount above it counts."""
    volumes = dict(pod.spec.claim_volumes)
    above = [(m, v) for v, m in pod.spec.mounts if path == m or path.startswith(m.rstrip("/") + "/")]
    volume = max(above, key=lambda found: len(found[0].rstrip("/")))[1] if above else ""
    return volumes.get(volume, "")


def _claims_of(inventory: Inventory, pod: Pod) -> dict[str, Document]:
    """The claims that the member's folders are on, by name; those that are not known are left out."""
    where = inventory.in_pod(pod.name).places
    names = {claim_under(pod, path) for path in (where.data, where.log) if path}
    found = {text(c, "metadata", "name"): c for c in inventory.claims.value or ()}
    return {name: found[name] for name in sorted(names) if name in found}


def _volume_of(inventory: Inventory, claim: Document) -> Document | None:
    name = text(claim, "spec", "volumeName")
    return next((v for v in inventory.volumes.value or () if name and text(v, "metadata", "name") == name), None)


def _claims(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            where = inventory.in_pod(pod.name).places
            if not where.data:
                yield Evidence(pod.name, Result.UNKNOWN, "where it keeps its data could not be told")
                continue
            loose = [path for path in dict.fromkeys((where.data, where.log)) if not claim_under(pod, path)]
            if loose:
                yield Evidence(pod.name, Result.FAIL, f"{' and '.join(loose)} on no claim: gone with the pod")
                continue
            if inventory.claims.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, inventory.claims.why)
                continue
            found = _claims_of(inventory, pod)
            bound = bool(found) and all(text(c, "status", "phase") == "Bound" for c in found.values())
            words = "; ".join(_claim(name, c) for name, c in found.items()) or "its claim does not exist"
            yield Evidence(pod.name, Result.PASS if bound else Result.FAIL, words)

    return Check(
        "storage.claims",
        Chapter.STORAGE,
        "Data and transaction log are on claims",
        tuple(seen()),
        "A member whose data goes with its pod comes back empty, and has to be sent everything; a majority of such "
        "members loses what was acknowledged.",
        by_hand="kubectl get pvc -l app=zk",
    )


def _claim(name: str, claim: Document) -> str:
    words = [
        text(claim, "status", "phase") or "no phase",
        text(claim, "status", "capacity", "storage"),
        ",".join(texts(claim, "spec", "accessModes")),
        text(claim, "spec", "storageClassName") or "no class",
        text(claim, "spec", "volumeName"),
    ]
    return f"{name}: {' '.join(word for word in words if word)}"


def _kept(inventory: Inventory) -> Check:
    """Would the data outlive the StatefulSet, a scaling down, and its claim?"""

    def seen() -> Iterator[Evidence]:
        if inventory.statefulset.value is None:
            yield Evidence("", Result.UNKNOWN, inventory.statefulset.why)
        else:
            policy = ("spec", "persistentVolumeClaimRetentionPolicy")
            told = {w: text(inventory.statefulset.value, *policy, w) or "Retain" for w in ("whenDeleted", "whenScaled")}
            deletes = [w for w, value in told.items() if value == "Delete"]
            words = ", ".join(f"{w} {value}" for w, value in told.items())
            yield Evidence("", Result.WARN if deletes else Result.PASS, f"claims of the StatefulSet: {words}")
        for pod in inventory.pods:
            claims = _claims_of(inventory, pod)
            if not claims:
                yield _without_claims(inventory, pod)
            for claim in claims.values():
                volume = _volume_of(inventory, claim)
                reclaim = text(volume, "spec", "persistentVolumeReclaimPolicy")
                if not reclaim:
                    yield Evidence(pod.name, Result.UNKNOWN, inventory.volumes.why or "its volume is not known")
                else:
                    after = "is deleted with its claim" if reclaim == "Delete" else f"outlives its claim ({reclaim})"
                    yield Evidence(pod.name, Result.PASS, f"{text(volume, 'metadata', 'name')} {after}")

    found = tuple(seen())
    sts = inventory.ensemble.statefulset
    retain = {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}}
    patch = f"kubectl -n {sts.namespace} patch statefulset {sts.name} -p '{json.dumps(retain, separators=(',', ':'))}'"
    return Check(
        "storage.kept",
        Chapter.STORAGE,
        "The data outlives the StatefulSet",
        found,
        "With the policy Delete the claims go with the StatefulSet: applying it again would find nothing.",
        patch=(patch,) if any(e.result is Result.WARN for e in found) else (),
        by_hand="kubectl delete statefulset zk; kubectl apply -f zookeeper.yaml; "
        "kubectl exec zk-2 -- zkCli.sh get /hello",
    )


def _without_claims(inventory: Inventory, pod: Pod) -> Evidence:
    where = inventory.in_pod(pod.name).places
    if not where.data:
        return Evidence(pod.name, Result.UNKNOWN, "where it keeps its data could not be told")
    if not claim_under(pod, where.data):
        return Evidence(pod.name, Result.FAIL, f"{where.data} is on no claim: gone with the pod")
    return Evidence(pod.name, Result.UNKNOWN, inventory.claims.why or "its claim does not exist")


def _movable(inventory: Inventory) -> Check:
    """Can a member's data follow it to another node? What its volume's node affinity says stands in the evidence."""

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            claims = _claims_of(inventory, pod)
            if not claims:
                yield _without_claims(inventory, pod)
                continue
            found = [_volume_of(inventory, claim) for claim in claims.values()]
            volumes = [volume for volume in found if volume is not None]
            if len(volumes) < len(found):
                why = inventory.volumes.why or "its volume is not known"
                yield Evidence(pod.name, Result.UNKNOWN, why)
                continue
            hosts = sorted({host for volume in volumes for host in _hosts(volume)})
            tied = "; ".join(dict.fromkeys(_tied(volume) for volume in volumes if _tied(volume)))
            if len(hosts) == 1:
                yield Evidence(pod.name, Result.WARN, f"its volume is on {hosts[0]}, and so it runs there or nowhere")
            elif tied:
                yield Evidence(pod.name, Result.PASS, f"its volume is for nodes with {tied}")
            else:
                yield Evidence(pod.name, Result.PASS, "its volume is tied to no node")

    return Check(
        "storage.movable",
        Chapter.STORAGE,
        "Data can follow its member elsewhere",
        tuple(seen()),
        "A local volume keeps its member Pending while its node is away. To give a node up for good, delete the claim "
        "and then the pod: the member is sent everything anew by its leader.",
        by_hand="kubectl get pv -o yaml",
    )


def _tied(volume: Document) -> str:
    """The node affinity that the volume requires, as `kubectl describe pv` has it: terms are alternatives."""
    terms = objects(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms")
    return " or ".join(
        " and ".join(
            f"{text(one, 'key')} {text(one, 'operator').lower()} {', '.join(texts(one, 'values'))}".rstrip()
            for one in objects(term, "matchExpressions")
        )
        for term in terms
    )


def _hosts(volume: Document) -> tuple[str, ...]:
    """Nodes to which the volume's required node affinity ties it, by host name; none when it does not."""
    terms = objects(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms")
    return tuple(
        host
        for term in terms
        for one in objects(term, "matchExpressions")
        if text(one, "key") == HOSTNAME_TOPOLOGY and text(one, "operator") == "In"
        for host in texts(one, "values")
    )


def _room(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            inside = inventory.in_pod(pod.name)
            told = [inside.output(name) for name in ("data-room", "log-room") if name in inside.commands]
            found = [_ROOM.match(t.value.splitlines()[-1]) for t in told if t.value]
            rooms = {m["place"]: m for m in found if m is not None}
            if not rooms or len([m for m in found if m is not None]) < len(told):
                why = next((t.why for t in told if t.value is None), "df was not asked, or not understood")
                yield Evidence(pod.name, Result.UNKNOWN, why)
                continue
            worst = max(int(m["share"]) for m in rooms.values())
            words = (f"{place}: {_used(m)}, {_size(int(m['free']))} left" for place, m in rooms.items())
            result = Result.FAIL if worst >= FULL else Result.WARN if worst >= FILLING else Result.PASS
            yield Evidence(pod.name, result, "; ".join(words))

    return Check(
        "storage.room",
        Chapter.STORAGE,
        "There is room on the disks",
        tuple(seen()),
        "A server that can't write its transaction log stops. Purge, or make the claims larger where their class lets "
        "you (allowVolumeExpansion).",
        by_hand="for i in 0 1 2; do kubectl exec zk-$i -- df -h /var/lib/zookeeper; done",
    )


def _used(room: re.Match[str]) -> str:
    return f"{_size(int(room['used']))} of {_size(int(room['total']))} used ({room['share']}%)"


def _size(kibibytes: float) -> str:
    if kibibytes >= 1048576:
        return f"{kibibytes / 1048576:.1f} GiB"
    return f"{kibibytes / 1024:.0f} MiB" if kibibytes >= 1024 else f"{kibibytes:.0f} KiB"


def _purging(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("config")
            if told.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, told.why)
                continue
            yield _purge(pod.name, settings_in(told.value))

    return Check(
        "storage.autopurge",
        Chapter.STORAGE,
        "Old snapshots and logs are purged",
        tuple(seen()),
        "Without it a server keeps every snapshot and log that it has ever written, until the disk is full. Set "
        "autopurge.purgeInterval (hours) in the start script; the tutorial's image writes purgeInteval, which nothing "
        "reads: there run zkCleanup.sh on a schedule.",
        by_hand="kubectl exec zk-0 -- cat /opt/zookeeper/conf/zoo.cfg",
    )


def _purge(member: str, settings: Mapping[str, str]) -> Evidence:
    close = [k for k in settings if k.lower().startswith("autopurge.purge") and k != _PURGE]
    hours = settings.get(_PURGE, "")
    if hours.isdecimal() and int(hours) > 0:
        kept = settings.get("autopurge.snapRetainCount", str(DEFAULT_RETAINED))
        return Evidence(member, Result.PASS, f"every {hours} h, all but {kept} snapshots")
    if close:
        return Evidence(
            member, Result.FAIL, f"{close[0]}={settings[close[0]]} is misspelt for {_PURGE}: nothing purges"
        )
    return Evidence(member, Result.WARN, f"{_PURGE} is {hours or 'not set'}: nothing purges")


def _files(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            inside = inventory.in_pod(pod.name)
            snapshots = inside.output("snapshots")
            logs = inside.output("transactions") if "transactions" in inside.commands else snapshots
            if snapshots.value is None or logs.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, snapshots.why or logs.why)
                continue
            written = {m["name"]: int(m["size"]) for m in _FILE.finditer(f"{snapshots.value}\n{logs.value}")}
            taken = [size for name, size in written.items() if name.startswith("snapshot.")]
            logged = [size for name, size in written.items() if name.startswith("log.")]
            words = f"{_files_of(taken, 'snapshot')}, {_files_of(logged, 'log')}"
            yield Evidence(pod.name, Result.PASS if logged else Result.WARN, words)

    return Check(
        "storage.files",
        Chapter.STORAGE,
        "Snapshots and logs are in their place",
        tuple(seen()),
        "No log in the folder that the configuration names: nothing was written yet, or it is written elsewhere.",
        by_hand="kubectl exec zk-0 -- ls -l /var/lib/zookeeper/data/version-2",
    )


def _files_of(sizes: Sequence[int], what: str) -> str:
    """How many, and how large by what `ls` says: a log is made in advance for what is still to be written."""
    return count(len(sizes), what) + (f" ({_size(sum(sizes) / 1024)})" if sizes else "")
