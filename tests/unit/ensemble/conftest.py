"""Fixtures: scripted servers, and real ZooKeeper where there is a Java to run it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.unit.ensemble.servers import Scripted, ZooKeepers, left_behind
from zktui.demo import zookeeper


@pytest.fixture
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert left_behind(before) == []


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[bytes, socket.socket], bytes | None]], Scripted]]:
    servers: list[Scripted] = []

    def make(reply: Callable[[bytes, socket.socket], bytes | None]) -> Scripted:
        servers.append(Scripted(reply))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def distribution() -> zookeeper.Distribution:
    try:
        return zookeeper.find(print)
    except zookeeper.MissingSoftware as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def zookeepers(distribution: zookeeper.Distribution, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZooKeepers]:
    servers = ZooKeepers(distribution, tmp_path_factory.mktemp("zookeeper"), 3, "srvr,mntr,conf,cons,dump")
    try:
        yield servers
    finally:
        servers.stop()
