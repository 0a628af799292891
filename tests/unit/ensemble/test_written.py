"""Membership of ZooKeeper 3.4, which its servers tell to nobody: read from the zoo.cfg that they were started with."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tests.unit.ensemble.servers import LoopbackDialer, RealClock, Scripted, make_ensemble, make_pod
from tests.unit.ensemble.test_polling import recorded, saying
from zktui.core.kube import PodKey
from zktui.core.ports import Answer, Executed, Refused, Reply, Unanswered
from zktui.core.zookeeper import EnsembleConfig
from zktui.ensemble.polling import PodMembers

Make = Callable[[Callable[[bytes, socket.socket], bytes | None]], Scripted]

PS = (
    "UID          PID    PPID  C STIME TTY          TIME CMD\n"
    "zookeep+       1       0  0 20:00 ?        00:00:00 sh -c start-zookeeper --servers=3\n"
    "zookeep+       7       1  1 20:00 ?        00:00:09 java -cp /usr/lib org.apache.zookeeper.server.quorum."
    "QuorumPeerMain /opt/zookeeper/bin/../conf/zoo.cfg\n"
)
ZOO_CFG = (
    "clientPort=2181\ndataDir=/var/lib/zookeeper/data\nautopurge.purgeInteval=12\n"
    "server.1=zk-0.zk-hs.default.svc.cluster.local:2888:3888\n"
    "server.2=zk-1.zk-hs.default.svc.cluster.local:2888:3888\n"
    "server.3 = zk-2.zk-hs.default.svc.cluster.local:2888:3888:observer\n"
)


class Containers:
    """What commands in containers print; `files` by pod name."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {f"zk-{n}": ZOO_CFG for n in range(3)}
        self.denied = False
        self.ran: list[tuple[str, ...]] = []

    async def run(
        self, pod: PodKey, container: str, command: Sequence[str], *, timeout: float = 10.0, limit: int = 262_144
    ) -> Reply[Executed]:
        self.ran.append((pod.name, container, *command))
        if self.denied:
            return Refused(403, "Forbidden", "pods/exec is forbidden", 0.0)
        if command[0] == "ps":
            return Answer(Executed(PS, "", 0), 0.0)
        assert tuple(command) == ("cat", "/opt/zookeeper/bin/../conf/zoo.cfg")
        if pod.name not in self.files:
            return Answer(Executed("", "cat: zoo.cfg: No such file or directory\n", 1), 0.0)
        return Answer(Executed(self.files[pod.name], "", 0), 0.0)


class Bench:
    def __init__(self, scripted: Make) -> None:
        self.scripted = scripted
        self.dialer = LoopbackDialer({})
        self.containers = Containers()
        self.members = PodMembers(self.dialer, RealClock(), executor=self.containers)
        self.pods = [make_pod(f"zk-{n}") for n in range(3)]

    def serve(self, version: str, *names: str) -> None:
        replies = {b"srvr": recorded(f"srvr-{version}-follower"), b"conf": recorded("conf-3.4.14")}
        for name in names or ("zk-0", "zk-1", "zk-2"):
            self.dialer.addresses[name] = self.scripted(saying(replies)).address

    async def config(self) -> Reply[EnsembleConfig]:
        return await self.members.config(make_ensemble(), self.pods)


@pytest.fixture
async def bench(scripted: Make) -> AsyncIterator[Bench]:
    bench = Bench(scripted)
    yield bench
    bench.members.close(1.0)


async def test_it_is_what_the_servers_were_started_with(bench: Bench) -> None:
    bench.serve("3.4.14")
    reply = await bench.config()
    assert isinstance(reply, Answer), reply
    assert (reply.value.source, [s.myid for s in reply.value.servers]) == ("zoo.cfg", [1, 2, 3])
    assert [s.myid for s in reply.value.voters] == [1, 2]
    assert reply.value.server_of(bench.pods[1]) == reply.value.servers[1]
    assert reply.value.at == reply.at
    bench.containers.ran.clear()
    again = await bench.config()
    assert isinstance(again, Answer)
    assert {command for _, _, command, *_ in bench.containers.ran} == {"cat"}, "where it is was asked once"


async def test_a_server_that_could_tell_is_not_gone_around(bench: Bench) -> None:
    """Of 3.5 and later, which are silent for another reason: a dynamic configuration may differ from the file."""
    bench.serve("3.4.14", "zk-0", "zk-1")
    bench.serve("3.5.10", "zk-2")
    assert isinstance(await bench.config(), Unanswered)
    assert bench.containers.ran == []


async def test_files_that_differ_are_no_answer(bench: Bench) -> None:
    bench.serve("3.4.14")
    bench.containers.files["zk-2"] = ZOO_CFG.replace(":observer", "")
    reply = await bench.config()
    assert isinstance(reply, Unanswered)
    assert reply.why == "the members' zoo.cfg name different servers"


async def test_one_that_can_t_be_read_leaves_the_others_word(bench: Bench) -> None:
    bench.serve("3.4.14")
    del bench.containers.files["zk-1"]
    assert isinstance(await bench.config(), Answer)


async def test_its_own_line_may_be_any_address(bench: Bench) -> None:
    bench.serve("3.4.14")
    for number in range(3):
        host = f"zk-{number}.zk-hs.default.svc.cluster.local"
        bench.containers.files[f"zk-{number}"] = ZOO_CFG.replace(host, "0.0.0.0")
    reply = await bench.config()
    assert isinstance(reply, Answer), reply
    assert all(reply.value.server_of(pod) is not None for pod in bench.pods)


async def test_it_says_why_when_nobody_may_look(bench: Bench) -> None:
    bench.serve("3.4.14")
    bench.containers.denied = True
    reply = await bench.config()
    assert isinstance(reply, Unanswered)
    assert reply.why.startswith("ZooKeeper 3.4.x tells its voters to nobody, and zoo.cfg: zk-0: pods/exec is forbidden")


async def test_without_a_quorum_the_version_of_before_counts(bench: Bench) -> None:
    bench.serve("3.4.14")
    assert isinstance(await bench.config(), Answer)
    looking = {b"srvr": "This ZooKeeper instance is not currently serving requests\n"}
    for pod in bench.pods:
        bench.dialer.addresses[pod.name] = bench.scripted(saying(looking)).address
    assert isinstance(await bench.config(), Answer)
