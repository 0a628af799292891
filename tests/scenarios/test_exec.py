"""Commands in a member's container: by kubectl, and by the API as the Python client speaks it."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.scenarios.api import Api
from tests.scenarios.play import by_name, kubectl, whole
from tests.scenarios.stage import Stage

IDENTITY = [
    (("hostname",), "zk-{n}\n"),
    (("hostname", "-f"), "zk-{n}.zk-hs.default.svc.cluster.local\n"),
    (("cat", "/var/lib/zookeeper/data/myid"), "{myid}\n"),
    (("sh", "-c", "hostname -s"), "zk-{n}\n"),
]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_identity(stage: Stage, api: Api, number: int) -> None:
    whole(stage)
    for command, expected in IDENTITY:
        ended = api.exec("default", f"zk-{number}", *command)
        assert (ended.code, ended.out, ended.err) == (0, expected.format(n=number, myid=number + 1), ""), command


def test_the_roles_that_the_servers_name_themselves(stage: Stage, api: Api) -> None:
    for name, member in by_name(whole(stage)).items():
        said = api.exec("default", name, "zkServer.sh", "--config", "/opt/zookeeper/conf", "status")
        found = re.search(r"Mode: (\S+)", said.out)
        assert found is not None, said
        assert found[1] == member["role"]


def test_the_configuration(stage: Stage, api: Api) -> None:
    whole(stage)
    lines = api.exec("default", "zk-0", "cat", "/opt/zookeeper/conf/zoo.cfg").out.splitlines()
    for line in (
        "clientPort=2181",
        "dataDir=/var/lib/zookeeper/data",
        "dataLogDir=/var/lib/zookeeper/data/log",
        "tickTime=2000",
        "initLimit=10",
        "syncLimit=5",
        "maxClientCnxns=60",
        "minSessionTimeout=4000",
        "maxSessionTimeout=40000",
        "autopurge.snapRetainCount=3",
        "autopurge.purgeInterval=12",
        "4lw.commands.whitelist=srvr,mntr,ruok,conf",
        "server.1=zk-0.zk-hs.default.svc.cluster.local:2888:3888",
        "server.2=zk-1.zk-hs.default.svc.cluster.local:2888:3888",
        "server.3=zk-2.zk-hs.default.svc.cluster.local:2888:3888",
    ):
        assert line in lines


def test_the_process_and_whose_it_is(stage: Stage, api: Api) -> None:
    whole(stage)
    header, *rows = [line.split(maxsplit=7) for line in api.exec("default", "zk-0", "ps", "-ef").out.splitlines()]
    assert header == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    (server,) = [row for row in rows if "QuorumPeerMain" in row[7]]
    assert (server[0], server[1], server[2]) == ("zookeep+", "1", "0")
    folder = api.exec("default", "zk-0", "ls", "-ld", "/var/lib/zookeeper/data").out.split()
    assert folder[0].startswith("drwx")
    assert folder[2:4] == ["zookeeper", "zookeeper"]


def test_exit_codes_and_streams(stage: Stage, api: Api) -> None:
    whole(stage)
    assert api.exec("default", "zk-0", "true").code == 0
    assert api.exec("default", "zk-0", "false").code == 1
    missing = api.exec("default", "zk-0", "cat", "/nowhere")
    assert (missing.code, missing.out, missing.err) == (1, "", "cat: /nowhere: No such file or directory\n")
    unknown = api.exec("default", "zk-0", "sh", "-c", "no-such-program")
    assert (unknown.code, unknown.out, unknown.err) == (127, "", "sh: 1: no-such-program: not found\n")
    read_only = api.exec("default", "zk-0", "rm", "/opt/scripts/zookeeper-ready")
    assert (read_only.code, read_only.out) == (1, "")
    assert read_only.err == "rm: cannot remove '/opt/scripts/zookeeper-ready': Read-only file system\n"


def test_by_kubectl(stage: Stage) -> None:
    whole(stage)
    assert kubectl(stage, "exec", "zk-1", "--", "hostname") == "zk-1\n"
    said = kubectl(stage, "exec", "zk-0", "--", "cat", "/nowhere", code=1)
    assert said.splitlines() == ["cat: /nowhere: No such file or directory", "command terminated with exit code 1"]
    assert "NotFound" in kubectl(stage, "exec", "zk-7", "--", "hostname", code=1)
    said = kubectl(stage, "exec", "zk-0", "-c", "nobody", "--", "hostname", code=1)
    assert "container nobody is not valid for pod zk-0" in said or "container not found" in said


def test_a_program_that_is_not_there(stage: Stage) -> None:
    said = kubectl(stage, "exec", "zk-0", "--", "no-such-program", code=1)
    assert 'exec: "no-such-program": executable file not found in $PATH' in said


def test_zookeepers_own_client(stage: Stage) -> None:
    """The tutorial's sanity check: written through one member, read through another."""
    whole(stage)
    path = f"/cli-{uuid.uuid4().hex[:8]}"
    assert f"Created {path}" in kubectl(stage, "exec", "zk-0", "--", "zkCli.sh", "create", path, "world")
    assert "world" in kubectl(stage, "exec", "zk-1", "--", "zkCli.sh", "get", path).splitlines()
    kubectl(stage, "exec", "zk-2", "--", "zkCli.sh", "delete", path)
    said = kubectl(stage, "exec", "zk-0", "--", "zkCli.sh", "get", path, code=1)
    assert f"Node does not exist: {path}" in said
