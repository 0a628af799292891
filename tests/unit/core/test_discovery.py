"""What is taken for an ensemble, and what is not."""

from __future__ import annotations

import pytest

from tests.unit.core.facts import statefulset
from zktui.core.discovery import discover, recognise
from zktui.core.kube import Container, PodSpec

PORTS = (("client", 2181), ("server", 2888), ("leader-election", 3888))


@pytest.mark.parametrize(
    "container",
    [
        Container("k8szk", "registry.k8s.io/kubernetes-zookeeper:1.0-3.4.10"),
        Container("zookeeper", "docker.io/bitnami/zookeeper:3.9.2"),
        Container("zookeeper", "zookeeper"),
        Container("zk", "pravega/zookeeper:0.2.15"),
        Container("zookeeper", "confluentinc/cp-zookeeper:7.6.0"),
        Container("main", "private/thing:1", ("sh", "-c", "start-zookeeper --servers=3")),
        Container("main", "private/thing:1", (), PORTS),
        Container("main", "private/thing:1", ("/opt/zk/bin/zkServer.sh", "start-foreground")),
    ],
)
def test_found_by_what_it_runs(container: Container) -> None:
    found = recognise(statefulset(template=PodSpec(containers=(container,)), template_labels={}))
    assert found is not None
    assert found.evidence


@pytest.mark.parametrize(
    "container",
    [
        Container("kafka", "apache/kafka:3.9.0", (), (("broker", 9092),)),
        Container("exporter", "private/zookeeper-exporter:1"),
        Container("operator", "private/zookeeper-operator:0.2"),
        Container("db", "postgres:16", (), (("client", 2181),)),
    ],
)
def test_not_everything_near_zookeeper_is_one(container: Container) -> None:
    assert recognise(statefulset(template=PodSpec(containers=(container,)), template_labels={})) is None


def test_the_second_container_may_be_the_server() -> None:
    spec = PodSpec(containers=(Container("metrics", "private/zookeeper-exporter:1"), Container("zk", "zookeeper:3.9")))
    found = recognise(statefulset(template=spec))
    assert found is not None
    assert found.container == "zk"


def test_ports_and_ticks_come_from_the_command() -> None:
    command = ("sh", "-c", "start-zookeeper --client_port=2281 --tick_time=1000 --sync_limit=4 --init_limit=7")
    found = recognise(statefulset(template=PodSpec(containers=(Container("zk", "zookeeper:3.9", command),))))
    assert found is not None
    assert (found.client_port, found.tick_time, found.sync_limit, found.init_limit) == (2281, 1000, 4, 7)
    assert found.dwell == 4.0


def test_ports_and_ticks_come_from_the_environment() -> None:
    container = Container("zk", "zookeeper:3.9", ports=(("client", 12181),), env=(("ZOO_TICK_TIME", "3000"),))
    found = recognise(statefulset(template=PodSpec(containers=(container,))))
    assert found is not None
    assert (found.client_port, found.dwell) == (12181, 15.0)


def test_sorted_by_namespace_and_name() -> None:
    found = discover([statefulset("zk"), statefulset("b", namespace="aaa"), statefulset("a")])
    assert [(e.namespace, e.name) for e in found] == [("aaa", "b"), ("default", "a"), ("default", "zk")]
