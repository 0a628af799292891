"""Chapter 3: how members find each other: names in the configuration, addresses behind the names, and for how long a
process goes on believing an old one.

Source: Kubernetes' tutorial ("Achieving consensus"); EndpointSlice API discovery.k8s.io/v1; the JVM's networking
properties (networkaddress.cache.ttl and .negative.ttl of java.security, sun.net.inetaddr.ttl).
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from zktui.checks.absent import is_own_name, pod_of
from zktui.checks.inventory import Inventory
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.core.documents import Document, child, flag, objects, text, texts
from zktui.core.kube import Pod
from zktui.core.text import count
from zktui.core.zookeeper import ordinal

_SERVER = re.compile(r"^server\.(?P<id>\d+)\s*=\s*(?P<host>\[[^\]]+\]|[^:\s]+):", re.MULTILINE)
_TTL = re.compile(r"-Dsun\.net\.inetaddr\.ttl=(?P<seconds>-?\d+)")
_NEGATIVE = re.compile(r"^\s*networkaddress\.cache\.negative\.ttl\s*=\s*(?P<seconds>-?\d+)", re.MULTILINE)
_POSITIVE = re.compile(r"^\s*networkaddress\.cache\.ttl\s*=\s*(?P<seconds>-?\d+)", re.MULTILINE)
_OURS = ("-Dsun.net.inetaddr.ttl=", "-Djava.security.properties=")
_FOLDER = "/etc/zookeeper-dns"
SHORT = 5
"""Seconds for which a looked-up address may be believed: as long as a pod takes to come back."""


def discovery(inventory: Inventory) -> Iterable[Check]:
    yield _server_lines(inventory)
    yield _endpoints(inventory)
    yield _resolved(inventory)
    yield _published(inventory)
    yield _caches(inventory)


def servers_in(config: str) -> Mapping[int, str]:
    """server.N lines of a zoo.cfg or a dynamic file: N to the host."""
    return {int(m["id"]): m["host"].strip("[]") for m in _SERVER.finditer(config)}


def _server_lines(inventory: Inventory) -> Check:
    """Each member's file names every member by the name that its StatefulSet gives it."""
    ensemble = inventory.ensemble
    expected = {pod.name: f"{pod.name}.{ensemble.statefulset.service}" for pod in inventory.pods}

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            told = inventory.in_pod(pod.name).output("config")
            dynamic = inventory.in_pod(pod.name).output("dynamic").value or ""
            if told.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, told.why)
                continue
            named = servers_in(told.value) or servers_in(dynamic)
            if not named:
                alone = Result.PASS if ensemble.statefulset.replicas == 1 else Result.FAIL
                yield Evidence(pod.name, alone, "no server line: this server stands alone")
                continue
            # A manifest may give a server its own line as 0.0.0.0.
            missing = [
                name
                for name, host in expected.items()
                if name != pod.name and not any(h == host or h.startswith(f"{host}.") for h in named.values())
            ]
            wrong = [f"none for {', '.join(missing)}"] if missing else []
            wrong += _of_nobody(inventory, named) + _doubled(named)
            lines = count(len(named), "server line")
            words = f"{lines}, {'; '.join(wrong)}" if wrong else f"{lines}, one for each member"
            yield Evidence(pod.name, Result.FAIL if wrong else Result.PASS, words)

    advice = (
        "A member that no line names is never asked for its vote, and one that is named and not there counts as lost; "
        "scale the configuration together with replicas. Two lines of one server give it two votes."
    )
    return Check(
        "discovery.server-lines",
        Chapter.DISCOVERY,
        "The configuration names every member",
        tuple(seen()),
        advice,
        by_hand="kubectl exec zk-0 -- cat /opt/zookeeper/conf/zoo.cfg",
    )


def _of_nobody(inventory: Inventory, named: Mapping[int, str]) -> list[str]:
    """Lines for pods of this StatefulSet that there are not. Of other names nothing is known here."""
    pods = {pod.name for pod in inventory.pods}
    own = {pod_of(host) for host in named.values() if is_own_name(inventory.ensemble, host)}
    stale = sorted(own - pods, key=ordinal)
    return [f"one for {', '.join(stale)}, which is not there"] if stale else []


def _doubled(named: Mapping[int, str]) -> list[str]:
    times = Counter(host for host in named.values() if host not in ("0.0.0.0", "::"))  # noqa: S104  # nothing is bound
    return [f"{pod_of(host)} is named {number} times" for host, number in times.items() if number > 1]


def headless(inventory: Inventory) -> Document | None:
    """The service that the StatefulSet names; None when it does not exist or is not known."""
    name = inventory.ensemble.statefulset.service
    return next((s for s in inventory.services.value or () if text(s, "metadata", "name") == name), None)


def _endpoints(inventory: Inventory) -> Check:
    service = inventory.ensemble.statefulset.service

    def made(*found: Evidence) -> Check:
        advice = (
            "A missing address is a member that its peers can't find; a stale or doubled one sends them to a pod that "
            "is gone. EndpointSlices follow the pods within about a second: look again, then at the service's selector."
        )
        by_hand = "kubectl get endpointslices -l kubernetes.io/service-name=zk-hs"
        title = "The service has every member's address"
        return Check("discovery.endpoints", Chapter.DISCOVERY, title, found, advice, by_hand=by_hand)

    if not service or inventory.slices.value is None:
        return made(
            Evidence("", Result.UNKNOWN, inventory.slices.why if service else "the StatefulSet names no service")
        )
    label = "kubernetes.io/service-name"
    mine = [s for s in inventory.slices.value if text(s, "metadata", "labels", label) == service]
    endpoints = [endpoint for item in mine for endpoint in objects(item, "endpoints")]
    listed = Counter(_address(e, address) for e in endpoints for address in texts(e, "addresses"))
    # Since publishNotReadyAddresses makes all of them ready, DNS leaves out what is not.
    hidden = {
        _address(e, a) for e in endpoints if child(e, "conditions", "ready") is False for a in texts(e, "addresses")
    }
    found: list[Evidence] = []
    for pod in inventory.pods:
        times = listed.get((pod.ip, pod.uid), 0)
        if not pod.ip:
            found.append(Evidence(pod.name, Result.UNKNOWN, "it has no address yet"))
        elif times == 1 and (pod.ip, pod.uid) in hidden:
            found.append(Evidence(pod.name, Result.FAIL, f"{pod.ip} is listed as not ready: its name leads nowhere"))
        elif times == 1:
            found.append(Evidence(pod.name, Result.PASS, f"{pod.ip} is listed"))
        else:
            words = "is not listed" if not times else f"is listed {times} times"
            found.append(Evidence(pod.name, Result.FAIL, f"{pod.ip} {words}"))
    known = {(address, pod.uid) for pod in inventory.pods for address in _addresses(inventory, pod)}
    stale = [address for address, uid in listed if (address, uid) not in known]
    if stale:
        found.append(Evidence("", Result.FAIL, f"of no pod that there is: {', '.join(sorted(stale))}"))
    return made(*found)


def _address(endpoint: Document, address: str) -> tuple[str, str]:
    """With the UID of the pod that it is said to be of."""
    return address, text(endpoint, "targetRef", "uid")


def _resolved(inventory: Inventory) -> Check:
    """What each name resolves to inside each pod, against the pod's address."""
    addresses = {pod.name: _addresses(inventory, pod) for pod in inventory.pods}

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            asked = {n: c for n, c in inventory.in_pod(pod.name).commands.items() if n.startswith("resolve ")}
            if not asked:
                yield Evidence(pod.name, Result.UNKNOWN, "no name was looked up in it")
            wrong: list[str] = []
            unknown: list[str] = []
            for name, known in asked.items():
                host = name.removeprefix("resolve ")
                wanted = addresses.get(host.split(".")[0], ())
                told = inventory.in_pod(pod.name).output(name)
                ran = known.value
                if ran is not None and ran.code == 2:
                    wrong.append(f"{host} has no address")  # getent's code for a name that is not found
                elif told.value is None:
                    unknown.append(told.why)
                elif wanted:
                    wrong += _other_than(wanted, host, [line.split()[0] for line in told.value.splitlines() if line])
            if wrong:
                yield Evidence(pod.name, Result.FAIL, "; ".join(wrong))
            elif unknown:
                yield Evidence(pod.name, Result.UNKNOWN, unknown[0])
            elif asked:
                yield Evidence(pod.name, Result.PASS, f"{len(asked)} names resolve to their pods")

    return Check(
        "discovery.resolves",
        Chapter.DISCOVERY,
        "Names resolve to the members",
        tuple(seen()),
        "Its process looks the same names up: what does not resolve there is not dialled.",
        by_hand="kubectl exec zk-0 -- getent hosts zk-1.zk-hs",
    )


def _addresses(inventory: Inventory, pod: Pod) -> tuple[str, ...]:
    """The pod's own, of every family."""
    told = objects(inventory.pod_documents.get(pod.name, {}), "status", "podIPs")
    return tuple(dict.fromkeys(ip for ip in (pod.ip, *(text(one, "ip") for one in told)) if ip))


def _other_than(wanted: tuple[str, ...], host: str, found: list[str]) -> list[str]:
    """What is wrong with the addresses that a name has, in a phrase."""
    if not set(wanted) & set(found):
        return [f"{host} is {' '.join(found[:1])}, and the pod {wanted[0]}"]
    stale = [address for address in dict.fromkeys(found) if address not in wanted]
    return [f"{host} is {', '.join(stale)} as well, which is not the pod's"] if stale else []


def _published(inventory: Inventory) -> Check:
    service = headless(inventory)
    name = inventory.ensemble.statefulset.service
    if service is None:
        absent = inventory.services.value is not None
        why = f"service {name or '(none named)'} does not exist" if absent else inventory.services.why
        found = Evidence("", Result.FAIL if absent else Result.UNKNOWN, why)
    elif text(service, "spec", "clusterIP") != "None":
        found = Evidence("", Result.FAIL, f"{name} has a cluster address: only a headless service gives pods names")
    elif flag(service, "spec", "publishNotReadyAddresses"):
        found = Evidence("", Result.PASS, f"{name} publishes members that are not ready")
    else:
        found = Evidence("", Result.WARN, f"{name} hides a member until it is ready")
    advice = (
        "Where ready means serving, its peers can't find a member that comes back until it serves; where it does not, "
        "until its first probe. Measured from a container's start until it served: 16 s (up to 23) without, 5 s with "
        "it, and 3 s with short DNS caches as well; a drained member rejoined in 5 to 8 s instead of 30 to 40."
    )
    return Check(
        "discovery.publish-not-ready",
        Chapter.DISCOVERY,
        "Members are found before they are ready",
        (found,),
        advice,
        patch=(publish(inventory),) if found.result is Result.WARN else (),
    )


def publish(inventory: Inventory) -> str:
    """The line that has the headless service name members before they are ready."""
    sts = inventory.ensemble.statefulset
    patch = '{"spec":{"publishNotReadyAddresses":true}}'
    return f"kubectl -n {sts.namespace} patch service {sts.service} -p '{patch}'"


def _caches(inventory: Inventory) -> Check:
    """How long the server's JVM believes an address, and that there is none."""

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            inside = inventory.in_pod(pod.name)
            processes = inside.output("processes")
            if processes.value is None:
                yield Evidence(pod.name, Result.UNKNOWN, processes.why)
                continue
            server = next((line for line in processes.value.splitlines() if "QuorumPeerMain" in line), "")
            if not server:
                yield Evidence(pod.name, Result.UNKNOWN, "no server process is among its processes")
                continue
            given = inside.output("security").value or ""
            ttl = _POSITIVE.search(given) or _TTL.search(server)
            negative = _NEGATIVE.search(given)
            positive = f"addresses for {ttl['seconds']} s" if ttl else "addresses for 30 s (the JVM's own)"
            failed = f"failures for {negative['seconds']} s" if negative else "failures for 10 s (java.security)"
            short = ttl is not None and 0 <= int(ttl["seconds"]) <= SHORT
            quick = negative is not None and 0 <= int(negative["seconds"]) <= 1
            yield Evidence(pod.name, Result.PASS if short and quick else Result.WARN, f"keeps {positive}, {failed}")

    advice = (
        "A moved member has a new address: its peers dial the old one for as long as they keep it. "
        "-Dsun.net.inetaddr.ttl=1 shortens the one; the other stands in java.security and takes "
        "networkaddress.cache.negative.ttl=0 in a file given by -Djava.security.properties=FILE."
    )
    found = tuple(seen())
    return Check(
        "discovery.dns-cache",
        Chapter.DISCOVERY,
        "The JVM forgets old addresses soon",
        found,
        f"{advice} The lines below do both by SERVER_JVMFLAGS, which zkServer.sh reads; they roll the members.",
        patch=_short_caches(inventory) if any(e.result is Result.WARN for e in found) else (),
    )


def _short_caches(inventory: Inventory) -> tuple[str, ...]:
    """The file for java.security in a ConfigMap of its own, mounted, and named in the flags that the server has now."""
    ensemble = inventory.ensemble
    template = ensemble.statefulset.template
    env = dict(next((c.env for c in template.containers if c.name == ensemble.container), ()))
    kept = [w for w in env.get("SERVER_JVMFLAGS", "").split() if not w.startswith(_OURS)]
    flags = " ".join([*kept, "-Dsun.net.inetaddr.ttl=1", f"-Djava.security.properties={_FOLDER}/dns.security"])
    config = f"{ensemble.name}-dns"
    container = {
        "name": ensemble.container,
        "env": [{"name": "SERVER_JVMFLAGS", "value": flags}],
        "volumeMounts": [{"name": "dns-security", "mountPath": _FOLDER}],
    }
    pod = {"volumes": [{"name": "dns-security", "configMap": {"name": config}}], "containers": [container]}
    patch = json.dumps({"spec": {"template": {"spec": pod}}}, separators=(",", ":"))
    kubectl = f"kubectl -n {ensemble.namespace}"
    return (
        f"{kubectl} create configmap {config} --from-literal=dns.security=networkaddress.cache.negative.ttl=0",
        f"{kubectl} patch statefulset {ensemble.name} -p {shlex.quote(patch)}",
    )
