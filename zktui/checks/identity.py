"""Chapter 2: who each member is. A StatefulSet gives a pod its name for good; ZooKeeper knows a server by myid.

Source: Kubernetes' tutorial "Running ZooKeeper", "Facilitating leader election" (hostname, myid, FQDN).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zktui.checks.inventory import STANDALONE, Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.text import count
from zktui.core.zookeeper import ordinal


def identity(inventory: Inventory) -> Iterable[Check]:
    yield _hostnames(inventory)
    yield _full_names(inventory)
    yield _ids(inventory)
    yield _distinct(inventory)


def _hostnames(inventory: Inventory) -> Check:
    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("hostname")
            if told.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, told.why)
            else:
                result = Result.PASS if told.value == pod.name else Result.FAIL
                yield Evidence(pod.name, result, f"its host name is {told.value}, its ordinal {ordinal(pod.name)}")

    advice = "The start script makes myid of the host name: another name makes it another server."
    return Check(
        "identity.hostname",
        Chapter.IDENTITY,
        "Host name is the pod's",
        tuple(seen()),
        advice,
        by_hand="for i in 0 1 2; do kubectl exec zk-$i -- hostname; done",
    )


def _full_names(inventory: Inventory) -> Check:
    ensemble = inventory.ensemble
    service = ensemble.statefulset.service

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("fqdn")
            start = f"{pod.name}.{service}.{ensemble.namespace}.svc."
            if told.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, told.why)
            elif not service:
                yield Evidence(pod.name, Result.FAIL, f"{told.value}: the StatefulSet names no service")
            else:
                result = Result.PASS if told.value.startswith(start) else Result.FAIL
                yield Evidence(pod.name, result, told.value if result is Result.PASS else f"{told.value}, not {start}…")

    advice = (
        "A pod has a name of its own in DNS only through the headless service that its StatefulSet names in "
        "spec.serviceName; without one its peers can't find it after a move."
    )
    return Check(
        "identity.fqdn",
        Chapter.IDENTITY,
        "Each has a name in DNS",
        tuple(seen()),
        advice,
        by_hand="for i in 0 1 2; do kubectl exec zk-$i -- hostname -f; done",
    )


def _ids(inventory: Inventory) -> Check:
    """myid = what the configuration says of this host; failing that, ordinal + 1 as the tutorial's script makes it."""

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("myid")
            number = told.value.strip() if told.value is not None else ""
            config = inventory.config.value
            server = config.server_of(pod) if config is not None and config.source != STANDALONE else None
            wanted = server.myid if server is not None else ordinal(pod.name) + 1
            source = "as the configuration says" if server is not None else "its ordinal and one"
            if told.value is None:
                # zoo.cfg itself says where the file has to be.
                named = inventory.in_pod(pod.name).output("config").value is not None
                missing = named and told.why.endswith("No such file or directory")
                yield Evidence(pod.name, Result.FAIL if missing else Result.UNKNOWN, told.why)
            elif not number.isdecimal():
                yield Evidence(pod.name, Result.FAIL, f"myid holds {number[:40]!r}, which is no number")
            elif int(number) == wanted:
                yield Evidence(pod.name, Result.PASS, f"myid {number}, {source}")
            else:
                yield Evidence(pod.name, Result.FAIL, f"myid {number}, but {wanted} {source}")

    advice = "A server with another's myid, or one that no line of the configuration names, never joins the quorum."
    return Check(
        "identity.myid",
        Chapter.IDENTITY,
        "myid is what the ensemble expects",
        tuple(seen()),
        advice,
        by_hand='for i in 0 1 2; do echo "myid zk-$i"; kubectl exec zk-$i -- cat /var/lib/zookeeper/data/myid; done',
    )


def _distinct(inventory: Inventory) -> Check:
    ids = {pod.name: inventory.in_pod(pod.name).output("myid").value for pod in inventory.pods}
    told = {name: value.strip() for name, value in ids.items() if value is not None}
    doubled = sorted({v for v in told.values() if list(told.values()).count(v) > 1})
    if doubled:
        whose = "; ".join(f"{v}: {', '.join(n for n, w in told.items() if w == v)}" for v in doubled)
        found = Evidence("", Result.FAIL, f"the same myid twice ({whose})")
    elif len(told) < len(ids) or not ids:
        found = Evidence("", Result.UNKNOWN, f"read of {len(told)} of {len(ids)} members")
    else:
        found = Evidence("", Result.PASS, f"{count(len(told), 'member')}, {count(len(told), 'number')}")
    advice = "Two servers of one number break each other's connections: the ensemble flaps."
    return Check("identity.distinct", Chapter.IDENTITY, "No two members share a number", (found,), advice)
