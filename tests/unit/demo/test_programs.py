"""Programs that look at the system, as the official image's print it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from zktui.demo.cluster import manifest
from zktui.demo.commands import run
from zktui.demo.container import Container
from zktui.demo.server_config import command_words, parse
from zktui.demo.store import Store
from zktui.demo.volumes import PodFiles

OWN = "zk-1.zk-hs.default.svc.cluster.local"
OTHER = "zk-0.zk-hs.default.svc.cluster.local"
HOSTS = f"""127.0.0.1 localhost
10.0.0.2 {OWN} zk-1.zk-hs.default.svc zk-1.zk-hs zk-1
10.0.0.1 {OTHER} zk-0.zk-hs.default.svc zk-0.zk-hs
10.0.0.1 zk-hs.default.svc.cluster.local zk-hs
10.0.0.2 zk-hs.default.svc.cluster.local zk-hs
"""


def member(folder: Path, **security: int) -> Container:
    """The manifest's member zk-1 with files of its own; nothing runs."""
    sts = next(entry for entry in manifest() if entry["kind"] == "StatefulSet")
    template = sts["spec"]["template"]["spec"]
    pod: dict[str, Any] = {
        "metadata": {"name": "zk-1", "namespace": "default", "uid": "u"},
        "spec": {
            **template,
            "securityContext": security or template["securityContext"],
            "hostname": "zk-1",
            "subdomain": "zk-hs",
            "volumes": [{"name": "datadir", "emptyDir": {}}, {"name": "scripts", "emptyDir": {}}],
        },
    }
    (spec,) = pod["spec"]["containers"]
    files = PodFiles(folder, pod)
    files.renew(spec)
    files.mount(Store())
    hosts = folder / "hosts"
    hosts.write_text(HOSTS)
    return Container(
        pod=pod,
        spec=spec,
        files=files,
        ip="10.0.0.2",
        hosts=hosts,
        server=parse(pod, command_words(spec)),
        main=cast("Any", None),  # nothing here asks for its processes
        started=0.0,
        distribution=cast("Any", None),
        guard=cast("Any", None),
    )


async def outcome(container: Container, *argv: str) -> tuple[str, str, int]:
    process = await run(container, list(argv))
    out = b"".join([chunk async for chunk in process.stdout])
    err = b"".join([chunk async for chunk in process.stderr])
    return out.decode(), err.decode(), await process.wait()


@pytest.mark.parametrize(
    ("name", "out"),
    [
        (OTHER, f"10.0.0.1        {OTHER}\n"),
        ("zk-0.zk-hs", f"10.0.0.1        {OTHER}\n"),
        (OWN, f"10.0.0.2        {OWN} zk-1\n"),
        ("zk-1", f"10.0.0.2        {OWN} zk-1\n"),
        ("zk-hs", "".join(f"10.0.0.{n}        zk-hs.default.svc.cluster.local\n" for n in (1, 2))),
        ("localhost", "127.0.0.1       localhost\n"),
    ],
)
async def test_names_that_resolve(tmp_path: Path, name: str, out: str) -> None:
    assert await outcome(member(tmp_path), "getent", "hosts", name) == (out, "", 0)


async def test_names_that_do_not(tmp_path: Path) -> None:
    container = member(tmp_path)
    assert await outcome(container, "getent", "hosts", "zk-0") == ("", "", 2)
    assert (await outcome(container, "getent", "passwd", "root"))[2] == 1


@pytest.mark.parametrize(
    ("security", "said", "user"),
    [
        ({}, "uid=1000(zookeeper) gid=1000(zookeeper) groups=1000(zookeeper)\n", "zookeep+"),
        (
            {"runAsUser": 1000, "runAsGroup": 0, "fsGroup": 1000},
            "uid=1000(zookeeper) gid=0(root) groups=0(root),1000(zookeeper)\n",
            "zookeep+",
        ),
        ({"runAsUser": 1234, "fsGroup": 7}, "uid=1234 gid=0(root) groups=0(root),7\n", "1234"),
        ({"fsGroup": 7}, "uid=0(root) gid=0(root) groups=0(root),7\n", "root"),
    ],
)
async def test_who_it_runs_as(tmp_path: Path, security: dict[str, int], said: str, user: str) -> None:
    container = member(tmp_path, **security)
    assert await outcome(container, "id") == (said, "", 0)
    processes = (await outcome(container, "ps", "-efww"))[0].splitlines()
    assert {line.split()[0] for line in processes[1:]} == {user}


async def test_the_containers_own_security_context_comes_first(tmp_path: Path) -> None:
    container = member(tmp_path)
    container.spec["securityContext"] = {"runAsUser": 0}
    assert (await outcome(container, "id", "-u"))[0] == "0\n"


async def test_the_process_with_its_flags(tmp_path: Path) -> None:
    out, _, _ = await outcome(member(tmp_path), "ps", "-efww")
    header, server, itself = out.splitlines()
    assert header.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert server.split(maxsplit=7)[7] == (
        "java -Xmx512m -Dsun.net.inetaddr.ttl=1 -Djava.security.properties=/opt/scripts/dns.security "
        "-Dzookeeper.log.dir=/logs -cp /opt/zookeeper/conf:/apache-zookeeper-bin/lib/* "
        "org.apache.zookeeper.server.quorum.QuorumPeerMain /opt/zookeeper/conf/zoo.cfg"
    )
    assert itself.split(maxsplit=7)[7] == "ps -efww"


async def test_room_on_the_disk(tmp_path: Path) -> None:
    out, err, code = await outcome(member(tmp_path), "df", "-Pk", "/var/lib/zookeeper/data/..")
    assert (err, code) == ("", 0)
    header, row = out.splitlines()
    assert header.split() == ["Filesystem", "1024-blocks", "Used", "Available", "Capacity", "Mounted", "on"]
    name, total, used, free, share, place = row.split()
    assert (name, place) == ("/dev/rehearsal", "/var/lib/zookeeper")
    assert int(total) == shutil.disk_usage(tmp_path).total // 1024
    assert 0 < int(used) + int(free) <= int(total)
    assert re.fullmatch(r"\d+%", share)


async def test_the_containers_own_layer(tmp_path: Path) -> None:
    row = (await outcome(member(tmp_path), "df", "-Pk", "/"))[0].splitlines()[1].split()
    assert (row[0], row[-1]) == ("overlay", "/")


async def test_bytes_used(tmp_path: Path) -> None:
    container = member(tmp_path)
    folder = container.files.path(container.spec, "/var/lib/zookeeper/data/version-2")
    folder.mkdir(parents=True)
    (folder / "log.1").write_bytes(b"x" * 100_000)
    out, err, code = await outcome(container, "du", "-sk", "/var/lib/zookeeper/data")
    size, _, name = out.rstrip("\n").partition("\t")
    assert (err, code, name) == ("", 0, "/var/lib/zookeeper/data")
    assert int(size) >= 98


async def test_a_file_is_copied(tmp_path: Path) -> None:
    container = member(tmp_path)
    files = container.files.path(container.spec, "/var/lib/zookeeper")
    (files / "a").write_text("x\n")
    assert await outcome(container, "cp", "/var/lib/zookeeper/a", "/var/lib/zookeeper/b") == ("", "", 0)
    assert (files / "b").read_text() == "x\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("cp", "/no", "/tmp"), "cp: cannot stat '/no': No such file or directory\n"),
        (("df", "-Pk", "/no"), "df: /no: No such file or directory\n"),
        (("du", "-sk", "/no"), "du: cannot access '/no': No such file or directory\n"),
    ],
)
async def test_a_path_that_is_not_there(tmp_path: Path, argv: tuple[str, ...], words: str) -> None:
    assert await outcome(member(tmp_path), *argv) == ("", words, 1)
