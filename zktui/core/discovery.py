"""Which StatefulSets run ZooKeeper: by what they are, not by one label."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zktui.core.kube import Container, StatefulSet
from zktui.core.zookeeper import DEFAULT_CLIENT_PORT, Ensemble

QUORUM_PORTS = frozenset({2888, 3888})
OPERATOR_LABELS = {
    "app.kubernetes.io/name": ("zookeeper",),
    "app.kubernetes.io/component": ("zookeeper",),
    "app": ("zookeeper", "zk"),
    "kind": ("ZookeeperMember",),
    "strimzi.io/kind": (),
    "strimzi.io/component-type": ("zookeeper",),
    "platform.confluent.io/type": ("zookeeper",),
}
_IMAGE = re.compile(r"(^|[/_-])(zookeeper|zk)([:@/_-]|$)", re.IGNORECASE)
_COMMAND = re.compile(r"zookeeper|zkServer|QuorumPeerMain|start-zookeeper", re.IGNORECASE)
# What runs beside ZooKeeper or on it without being a member of an ensemble.
_NOT_A_SERVER = re.compile(r"exporter|operator|navigator|zkui|kafka(?!.*zookeeper)|backup", re.IGNORECASE)
_FLAG = re.compile(r"--(?P<name>[a-z_]+)=(?P<value>\S+)")
_ENV = {
    "ZOO_TICK_TIME": "tick_time",
    "ZOO_INIT_LIMIT": "init_limit",
    "ZOO_SYNC_LIMIT": "sync_limit",
    "ZOO_MIN_SESSION_TIMEOUT": "min_session_timeout",
}


def discover(statefulsets: Iterable[StatefulSet]) -> tuple[Ensemble, ...]:
    """Every StatefulSet that runs ZooKeeper servers, sorted by namespace and name, each with why it is taken for one.

    One strong sign is enough (its image or its command), or ZooKeeper's two quorum ports together with its client
    port or an operator's label.
    """
    found = [ensemble for item in statefulsets if (ensemble := recognise(item)) is not None]
    return tuple(sorted(found, key=lambda e: (e.namespace, e.name)))


def recognise(statefulset: StatefulSet) -> Ensemble | None:
    labels = _label_evidence(statefulset)
    for container in statefulset.template.containers:
        evidence = _container_evidence(container)
        strong = any(not sign.startswith("port") for sign in evidence)
        if strong or (evidence and labels) or len(evidence) >= 2:
            return _ensemble(statefulset, container, (*evidence, *labels))
    return None


def _container_evidence(container: Container) -> tuple[str, ...]:
    if _NOT_A_SERVER.search(container.image):
        return ()
    signs: list[str] = []
    if _IMAGE.search(container.image):
        signs.append(f"image {container.image}")
    command = " ".join(container.command)
    if (found := _COMMAND.search(command)) is not None:
        signs.append(f"command runs {found.group()}")
    numbers = {number for _, number in container.ports}
    if numbers >= QUORUM_PORTS:
        signs.append("ports 2888 and 3888")
        if DEFAULT_CLIENT_PORT in numbers:
            signs.append("port 2181")
    return tuple(signs)


def _label_evidence(statefulset: StatefulSet) -> tuple[str, ...]:
    merged = {**statefulset.template_labels, **statefulset.labels}
    return tuple(f"label {key}={merged[key]}" for key, values in OPERATOR_LABELS.items() if merged.get(key) in values)


def _ensemble(statefulset: StatefulSet, container: Container, evidence: tuple[str, ...]) -> Ensemble:
    settings: dict[str, int] = {}
    for found in _FLAG.finditer(" ".join(container.command)):
        if found["value"].isdecimal():
            settings[found["name"]] = int(found["value"])
    for name, value in container.env:
        if name in _ENV and value.isdecimal():
            settings.setdefault(_ENV[name], int(value))
    return Ensemble(
        statefulset,
        container.name,
        client_port=_client_port(container, settings.get("client_port")),
        evidence=evidence,
        tick_time=settings.get("tick_time", 2000),
        init_limit=settings.get("init_limit", 10),
        sync_limit=settings.get("sync_limit", 5),
        min_session_timeout=settings.get("min_session_timeout"),
    )


def _client_port(container: Container, flag: int | None) -> int:
    if flag is not None:
        return flag
    named = [number for name, number in container.ports if name in ("client", "zk-client", "zookeeper", "clientport")]
    return named[0] if named else DEFAULT_CLIENT_PORT
