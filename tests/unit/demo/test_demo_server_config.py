"""zoo.cfg and myid from a pod's command; the manifest's own script must write the same."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from zktui.demo.cluster import manifest, with_members
from zktui.demo.server_config import BadCommand, Launch, command_words, is_zookeeper, keeps_its_shell, parse, unwrap
from zktui.demo.store import Store
from zktui.demo.volumes import PodFiles
from zktui.demo.zookeeper import Distribution

TUTORIAL = """clientPort=2181
dataDir=/var/lib/zookeeper/data
dataLogDir=/var/lib/zookeeper/data/log
tickTime=2000
initLimit=10
syncLimit=5
maxClientCnxns=60
minSessionTimeout=4000
maxSessionTimeout=40000
autopurge.snapRetainCount=3
autopurge.purgeInterval=12
4lw.commands.whitelist=srvr,mntr,ruok,conf
server.1=zk-0.zk-hs.default.svc.cluster.local:2888:3888
server.2=zk-1.zk-hs.default.svc.cluster.local:2888:3888
server.3=zk-2.zk-hs.default.svc.cluster.local:2888:3888
"""


def objects(kind: str) -> dict[str, Any]:
    return next(entry for entry in manifest() if entry["kind"] == kind)


def pod(ordinal: int = 1) -> dict[str, Any]:
    spec = objects("StatefulSet")["spec"]["template"]["spec"]
    name = f"zk-{ordinal}"
    volumes: list[Any] = [*spec["volumes"], {"name": "datadir", "emptyDir": {}}]
    metadata = {"name": name, "namespace": "default", "uid": f"uid-{ordinal}", "labels": {"app": "zk"}}
    return {"metadata": metadata, "spec": {**spec, "hostname": name, "subdomain": "zk-hs", "volumes": volumes}}


def test_the_manifests_command_makes_the_tutorials_zoo_cfg():
    member = pod(1)
    config = parse(member, command_words(member["spec"]["containers"][0]))
    assert config.zoo_cfg() == TUTORIAL
    assert config.myid == 2
    assert config.client_port == 2181


def test_the_manifests_script_writes_what_the_rehearsal_writes(tmp_path: Path):
    """The script is for a real cluster; run it with stand-ins for the pod's host name and for the server."""
    tools = tmp_path / "bin"
    tools.mkdir()
    hostname = 'case "$1" in -s) echo zk-1 ;; -d) echo zk-hs.default.svc.cluster.local ;; esac'
    for name, body in (("hostname", hostname), ("zkServer.sh", f'echo "$@ $ZK_SERVER_HEAP" > {tmp_path}/started')):
        (tools / name).write_text(f"#!/bin/sh\n{body}\n")
        (tools / name).chmod(0o755)
    for name, text in objects("ConfigMap")["data"].items():
        (tmp_path / name).write_text(text)
    script = tmp_path / "start-zookeeper"
    words = command_words(pod()["spec"]["containers"][0])[1:]
    folders = {"data_dir": tmp_path / "data", "data_log_dir": tmp_path / "data/log", "conf_dir": tmp_path / "conf"}
    flags = [word for word in words if word.split("=")[0].removeprefix("--") not in folders]
    flags += [f"--{name}={place}" for name, place in folders.items()]
    subprocess.run(["bash", str(script), *flags], check=True, env={"PATH": f"{tools}:/usr/bin:/bin"}, timeout=20)
    written = (tmp_path / "conf/zoo.cfg").read_text()
    assert written.replace(str(tmp_path / "data"), "/var/lib/zookeeper/data") == TUTORIAL
    assert (tmp_path / "data/myid").read_text() == "2\n"
    assert (tmp_path / "started").read_text() == f"--config {tmp_path}/conf start-foreground 512\n"
    assert '<root level="INFO">' in (tmp_path / "conf/logback.xml").read_text()


def test_the_script_refuses_an_unknown_flag_as_the_rehearsal_does(tmp_path: Path):
    script = tmp_path / "start-zookeeper"
    script.write_text(objects("ConfigMap")["data"]["start-zookeeper"])
    ran = subprocess.run(["bash", str(script), "--nonsense=1"], capture_output=True, text=True, timeout=20, check=False)
    assert ran.returncode == 2
    with pytest.raises(BadCommand) as refused:
        parse(pod(), ["start-zookeeper", "--nonsense=1"])
    assert ran.stderr.strip() == str(refused.value)


def test_a_launch_listens_only_on_the_pods_address_and_keeps_its_disk_in_the_claim(tmp_path: Path):
    member = pod(0)
    store = Store()
    store.create("namespaces", {"metadata": {"name": "default"}})
    store.create("configmaps", objects("ConfigMap"))
    files = PodFiles(tmp_path, member)
    files.mount(store)
    container = member["spec"]["containers"][0]
    config = parse(member, command_words(container))
    launch = Launch(config, member, container, files, "127.5.1.2", tmp_path / "hosts")
    launch.prepare()
    command = launch.command(Distribution(Path("/bin/java"), "/jars/*", "3.9.4"))
    real = Path(command[-1]).read_text().splitlines()
    assert "clientPortAddress=127.5.1.2" in real
    assert "admin.serverAddress=127.5.1.2" in real
    data = files.path(container, "/var/lib/zookeeper/data")
    assert f"dataDir={data}" in real
    assert (data / "myid").read_text() == "1\n"
    assert files.path(container, "/opt/zookeeper/conf/zoo.cfg").read_text() == TUTORIAL
    assert "-Dsun.net.inetaddr.ttl=1" in command
    security = next(word for word in command if word.startswith("-Djava.security.properties="))
    assert Path(security.partition("=")[2]).read_text() == "networkaddress.cache.negative.ttl=0\n"
    assert f"-Djdk.net.hosts.file={tmp_path / 'hosts'}" in command


def test_no_path_of_a_container_leads_out_of_its_folders(tmp_path: Path):
    member = pod()
    files = PodFiles(tmp_path, member)
    container = member["spec"]["containers"][0]
    for inside in ("/etc/passwd", "/../../etc/passwd", "/opt/../../../etc/passwd", "../etc/passwd"):
        found = files.path(container, inside).resolve()
        assert found.is_relative_to(tmp_path.resolve()), found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["sh", "-c", "start-zookeeper --servers=3"], ["start-zookeeper", "--servers=3"]),
        (["/bin/bash", "-c", "exec start-zookeeper"], ["start-zookeeper"]),
        (["sh", "-c", "echo 'a b'"], ["echo", "a b"]),
        (["hostname", "-f"], ["hostname", "-f"]),
    ],
)
def test_a_shell_around_one_command_is_unwrapped(given: list[str], words: list[str]):
    assert unwrap(given) == words


@pytest.mark.parametrize("script", ["a; b", "a && b", "a > f", "echo $HOME", "a | b", "`a`", "echo $(a)", "'"])
def test_a_shell_script_is_refused_and_never_run(script: str):
    with pytest.raises(BadCommand):
        unwrap(["sh", "-c", script])


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["sh", "-c", "start-zookeeper --servers=3"], True),
        (["sh", "-c", "exec start-zookeeper --servers=3"], False),
        (["bash", "-c", "start-zookeeper"], False),
        (["start-zookeeper", "--servers=3"], False),
    ],
)
def test_which_shell_stays_process_1(command: list[str], kept: bool):
    assert keeps_its_shell({"command": command}) is kept
    assert keeps_its_shell({"command": command[:1], "args": command[1:]}) is kept


def test_only_the_starting_command_makes_a_zookeeper():
    assert is_zookeeper(["/opt/scripts/start-zookeeper"])
    assert not is_zookeeper(["sleep", "1"])
    assert not is_zookeeper([])


def test_a_pod_without_an_ordinal_is_refused():
    member = pod()
    member["spec"]["hostname"] = "lonely"
    with pytest.raises(BadCommand, match="Failed to parse name and ordinal of Pod lonely"):
        parse(member, ["start-zookeeper"])


def test_another_number_of_members_changes_replicas_and_servers():
    found = next(entry for entry in with_members(manifest(), 5) if entry["kind"] == "StatefulSet")
    member = pod()
    member["spec"]["containers"] = found["spec"]["template"]["spec"]["containers"]
    config = parse(member, command_words(member["spec"]["containers"][0]))
    assert found["spec"]["replicas"] == 5
    assert config.zoo_cfg().count("\nserver.") == 5
