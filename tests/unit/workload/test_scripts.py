"""The manifest's own scripts, run here by bash: what they write is what the rehearsal cluster writes as well."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from zktui.demo.server_config import LOGBACK, ServerConfig, parse
from zktui.workload.manifest import Wanted, manifest

HOSTNAME = '#!/bin/sh\n[ "$1" = -s ] && echo zk-1 || echo zk-hs.default.svc.cluster.local\n'
SERVER = '#!/bin/sh\necho "$@" "$ZOOCFGDIR" "$ZK_SERVER_HEAP"\n'
POD = {"metadata": {"name": "zk-1", "namespace": "default"}, "spec": {"hostname": "zk-1", "subdomain": "zk-hs"}}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The ConfigMap as it is mounted, and programs that stand for the image's."""
    (configured,) = (d for d in manifest(Wanted("default")) if d["kind"] == "ConfigMap")
    data: Any = configured["data"]
    for name, text in {**data, "bin/hostname": HOSTNAME, "bin/zkServer.sh": SERVER}.items():
        path = tmp_path / "scripts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return tmp_path / "scripts"


def run(scripts: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{scripts / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        words, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=30, check=False
    )


def flags(folder: Path, **more: str) -> list[str]:
    """Those of the manifest's command, with folders here."""
    (stateful_set,) = (d for d in manifest(Wanted("default")) if d["kind"] == "StatefulSet")
    spec: Any = stateful_set["spec"]
    words = shlex.split(spec["template"]["spec"]["containers"][0]["command"][2].removeprefix("exec "))[1:]
    given = dict(word.removeprefix("--").split("=", 1) for word in words)
    places = {"data_dir": folder / "data", "data_log_dir": folder / "data/log", "conf_dir": folder / "conf"}
    return [f"--{name}={value}" for name, value in {**given, **places, **more}.items()]


def test_the_server_it_becomes_and_what_it_writes_before(scripts: Path, tmp_path: Path) -> None:
    given = flags(tmp_path, log_level="WARN", heap="1G")
    ended = run(scripts, str(scripts / "start-zookeeper"), *given)
    conf = tmp_path / "conf"
    assert (ended.returncode, ended.stdout.split()) == (
        0,
        ["--config", str(conf), "start-foreground", str(conf), "1024"],
    )
    expected: ServerConfig = parse(POD, ["start-zookeeper", *given])
    assert (conf / "zoo.cfg").read_text() == expected.zoo_cfg()
    assert "server.2=zk-1.zk-hs.default.svc.cluster.local:2888:3888" in (conf / "zoo.cfg").read_text()
    assert (conf / "logback.xml").read_text() == LOGBACK.format(level="WARN")
    assert (tmp_path / "data" / "myid").read_text() == "2\n"


def test_characters_that_a_shell_would_read_stay_as_they_are(scripts: Path, tmp_path: Path) -> None:
    run(scripts, str(scripts / "start-zookeeper"), *flags(tmp_path, commands_whitelist="*, a&b$(c)\\1"))
    assert "4lw.commands.whitelist=*, a&b$(c)\\1\n" in (tmp_path / "conf" / "zoo.cfg").read_text()


@pytest.mark.parametrize(
    ("answer", "alive", "serving"),
    [
        ("Zookeeper version: 3.9.4\nMode: follower\n", 0, 0),
        ("Zookeeper version: 3.9.4\nMode: read-only\n", 0, 1),
        ("This ZooKeeper instance is not currently serving requests\n", 0, 1),
        ("", 1, 1),
    ],
)
def test_readiness_asks_for_serving_and_liveness_does_not(scripts: Path, answer: str, alive: int, serving: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])

        def reply() -> None:
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    assert connection.recv(16) == b"srvr"
                    connection.sendall(answer.encode())

        server = threading.Thread(target=reply)
        server.start()
        ready = str(scripts / "zookeeper-ready")
        assert run(scripts, ready, port).returncode == alive
        assert run(scripts, ready, port, "serving").returncode == serving
        server.join(10)
    assert run(scripts, ready, port).returncode == 1, "nobody listens"
