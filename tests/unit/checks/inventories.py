"""A healthy ensemble of the manifest, as gathering finds it; each test spoils one thing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.unit.core.facts import config, pod, statefulset
from zktui.checks.inventory import Inside, Inventory, Known
from zktui.checks.model import Check, Result
from zktui.checks.places import Places
from zktui.core.kube import AffinityTerm, Container, Pod, PodSpec
from zktui.core.labels import Selector
from zktui.core.ports import Executed
from zktui.core.zookeeper import Ensemble

NAMES = ("zk-0", "zk-1", "zk-2")
DOMAIN = "zk-hs.default.svc.cluster.local"
COMMAND = (
    "sh",
    "-c",
    "exec /opt/scripts/start-zookeeper --servers=3 --data_dir=/var/lib/zookeeper/data "
    "--data_log_dir=/var/lib/zookeeper/data/log --conf_dir=/opt/zookeeper/conf --client_port=2181 "
    "--tick_time=2000 --init_limit=10 --sync_limit=5 --heap=512M --snap_retain_count=3 --purge_interval=12",
)
SERVERS = "".join(f"server.{n + 1}={name}.{DOMAIN}:2888:3888\n" for n, name in enumerate(NAMES))
ZOO_CFG = (
    "clientPort=2181\ndataDir=/var/lib/zookeeper/data\ndataLogDir=/var/lib/zookeeper/data/log\ntickTime=2000\n"
    "initLimit=10\nsyncLimit=5\nmaxClientCnxns=60\nminSessionTimeout=4000\nmaxSessionTimeout=40000\n"
    f"autopurge.snapRetainCount=3\nautopurge.purgeInterval=12\n{SERVERS}"
)
PS = (
    "UID          PID    PPID  C STIME TTY          TIME CMD\n"
    "zookeep+       1       0  1 20:00 ?        00:00:09 java -Xmx512m -Dsun.net.inetaddr.ttl=1 "
    "-Djava.security.properties=/opt/scripts/dns.security -cp /opt/zookeeper/conf:/zookeeper/lib/* "
    "org.apache.zookeeper.server.quorum.QuorumPeerMain /opt/zookeeper/conf/zoo.cfg\n"
    "zookeep+      99       0  0 20:10 ?        00:00:00 ps -efww\n"
)
LOGBACK = """<configuration>
  <appender name="CONSOLE" class="ch.qos.logback.core.ConsoleAppender"/>
  <root level="INFO"><appender-ref ref="CONSOLE"/></root>
</configuration>
"""
DF = (
    "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
    "/dev/vda         264212084 43521136  51980128      46% /var/lib/zookeeper\n"
)
PLACES = Places(
    "/opt/zookeeper/conf/zoo.cfg",
    "/var/lib/zookeeper/data",
    "/var/lib/zookeeper/data/log",
    security="/opt/scripts/dns.security",
)


def conf(number: int) -> str:
    return (
        "clientPort=2181\nsecureClientPort=-1\ndataDir=/var/lib/zookeeper/data/version-2\n"
        f"dataDirSize={number * 1000}\ndataLogDir=/var/lib/zookeeper/data/log/version-2\ndataLogSize={number}\n"
        "tickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\nmaxSessionTimeout=40000\n"
        f"clientPortListenBacklog=-1\nserverId={number + 1}\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\n"
        f"electionPort=3888\nquorumPort=2888\npeerType=0\nmembership: \n{SERVERS}version=0"
    )


def ran(out: str = "", code: int = 0, err: str = "") -> Known[Executed]:
    return Known(Executed(out, err, code), "")


DENIED = Known[Executed](None, "not permitted: pods/exec is forbidden")


def ensemble(**changes: Any) -> Ensemble:
    apart = AffinityTerm("kubernetes.io/hostname", Selector.of_labels({"app": "zk"}))
    template = PodSpec(containers=(Container("zookeeper", "zookeeper:3.9", COMMAND),), anti_affinity=(apart,))
    fields: dict[str, Any] = {"service": "zk-hs", "template": template, **changes}
    return Ensemble(statefulset(**fields), "zookeeper")


def inside(number: int) -> Inside:
    name = NAMES[number]
    commands = {
        "hostname": ran(f"{name}\n"),
        "fqdn": ran(f"{name}.{DOMAIN}\n"),
        f"probe {PROGRAM}": ran(READY.partition("# Failed lookups")[0]),
        "id": ran("uid=1000(zookeeper) gid=1000(zookeeper) groups=1000(zookeeper)\n"),
        "processes": ran(PS),
        "config": ran(ZOO_CFG),
        "dynamic": ran(code=1, err="cat: /opt/zookeeper/conf/zoo.cfg.dynamic: No such file or directory\n"),
        "security": ran("networkaddress.cache.negative.ttl=0\n"),
        "myid": ran(f"{number + 1}\n"),
        "data-room": ran(DF),
        "log-room": ran(DF),
        "snapshots": ran("total 4\n-rw-r--r-- 1 zookeeper zookeeper 596 Nov 23 20:00 snapshot.0\n"),
        "transactions": ran("total 4\n-rw-r--r-- 1 zookeeper zookeeper 67108880 Nov 23 20:01 log.100000001\n"),
        "logback.xml": ran(LOGBACK),
        "log4j.properties": ran(code=1, err="cat: /opt/zookeeper/conf/log4j.properties: No such file or directory\n"),
        **{f"resolve {n}.{DOMAIN}": ran(f"10.0.0.{i + 1}      {n}.{DOMAIN}\n") for i, n in enumerate(NAMES)},
    }
    return Inside(commands, PLACES)


def service(**spec: Any) -> Mapping[str, Any]:
    fields = {"clusterIP": "None", "publishNotReadyAddresses": True, **spec}
    return {"metadata": {"name": "zk-hs", "namespace": "default"}, "spec": fields}


def slices(*pods: Pod) -> tuple[Mapping[str, Any], ...]:
    endpoints = [{"addresses": [p.ip], "targetRef": {"kind": "Pod", "name": p.name, "uid": p.uid}} for p in pods]
    labels = {"kubernetes.io/service-name": "zk-hs"}
    return ({"metadata": {"name": "zk-hs-abc", "labels": labels}, "endpoints": endpoints},)


def node(name: str, zone: str = "", ready: bool = True, **spec: Any) -> Mapping[str, Any]:
    labels = {"kubernetes.io/hostname": name, **({"topology.kubernetes.io/zone": zone} if zone else {})}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"conditions": conditions}}


def claim(member: str, phase: str = "Bound") -> Mapping[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "volumeName": f"pv-{member}"}
    status = {"phase": phase, "capacity": {"storage": "10Gi"}}
    return {"metadata": {"name": f"datadir-{member}"}, "spec": spec, "status": status}


def volume(member: str, *hosts: str, reclaim: str = "Delete") -> Mapping[str, Any]:
    one = {"key": "kubernetes.io/hostname", "operator": "In", "values": [*hosts]}
    tied = {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [one]}]}}} if hosts else {}
    return {"metadata": {"name": f"pv-{member}"}, "spec": {"persistentVolumeReclaimPolicy": reclaim, **tied}}


READY = (Path(__file__).parents[3] / "manifests" / "zookeeper.yaml").read_text().partition("zookeeper-ready: |\n")[2]
PROGRAM = "/opt/scripts/zookeeper-ready"


def pod_document(**status: Any) -> dict[str, Any]:
    """A member's pod as the manifest makes it."""

    def probe(*more: str, period: int, failures: int) -> dict[str, Any]:
        command = [PROGRAM, "2181", *more]
        return {"exec": {"command": command}, "periodSeconds": period, "failureThreshold": failures}

    container = {
        "name": "zookeeper",
        "startupProbe": probe(period=1, failures=120),
        "readinessProbe": probe("serving", period=2, failures=3),
        "livenessProbe": probe(period=10, failures=6),
    }
    running: dict[str, Any] = {"name": "zookeeper", "restartCount": 0, "state": {"running": {}}, **status}
    return {
        "spec": {"restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "containers": [container]},
        "status": {"containerStatuses": [running]},
    }


def healthy() -> Inventory:
    spec = ensemble().statefulset.template
    mounts = (("datadir", "/var/lib/zookeeper"), ("scripts", "/opt/scripts"))
    specs = {n: replace(spec, mounts=mounts, claim_volumes=(("datadir", f"datadir-{n}"),)) for n in NAMES}
    pods = tuple(pod(n, node=f"node-{i + 1}", ip=f"10.0.0.{i + 1}", spec=specs[n]) for i, n in enumerate(NAMES))
    return Inventory(
        ensemble=ensemble(),
        wall=1_700_000_000.0,
        pods=pods,
        config=Known(config(), ""),
        inside={name: inside(number) for number, name in enumerate(NAMES)},
        words={(name, "conf"): Known(conf(number), "") for number, name in enumerate(NAMES)},
        synced={name: Known(True, "") for name in NAMES},
        services=Known((service(),), ""),
        slices=Known(slices(*pods), ""),
        statefulset=Known({"metadata": {"name": "zk"}, "spec": {"podManagementPolicy": "Parallel"}}, ""),
        pod_documents={name: pod_document() for name in NAMES},
        claims=Known(tuple(claim(name) for name in NAMES), ""),
        volumes=Known(tuple(volume(name) for name in NAMES), ""),
        nodes=Known(tuple(node(f"node-{n + 1}", zone=f"zone-{n + 1}") for n in range(4)), ""),
    )


def with_command(inventory: Inventory, name: str, outcome: Known[Executed], members: Iterable[str] = ()) -> Inventory:
    """The same with another outcome of one command in these members (in all when none is named)."""
    spoiled = {n: replace(i, commands={**i.commands, name: outcome}) for n, i in inventory.inside.items()}
    kept = {n: spoiled[n] if n in (members or NAMES) else i for n, i in inventory.inside.items()}
    return replace(inventory, inside=kept)


def check_of(rule: Callable[[Inventory], Iterable[Check]], inventory: Inventory, code: str) -> Check:
    return next(check for check in rule(inventory) if check.code == code)


def results(check: Check) -> dict[str, Result]:
    return {seen.member: seen.result for seen in check.evidence}
