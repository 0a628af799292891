"""The cluster as a whole, without members and so without Java; with them it is tried in tests/scenarios."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from zktui import cli, flags, wiring
from zktui.demo import __main__ as program
from zktui.demo import zookeeper
from zktui.demo.cluster import DemoCluster, manifest
from zktui.demo.eviction import evict
from zktui.demo.objects import is_ready
from zktui.demo.requests import DeleteOptions
from zktui.demo.resources import BY_KIND
from zktui.demo.state_folder import NotWritable
from zktui.demo.zookeeper import Distribution
from zktui.rehearsal import rehearsal

DEADLINE = 20.0
CONTAINER = {"containers": [{"name": "c", "image": "busybox:1", "command": ["sleep", "600"]}]}


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def find(_progress: zookeeper.Progress) -> Distribution:
        return Distribution(Path("/bin/false"), "", "3.9.4")

    monkeypatch.setattr(zookeeper, "find", find)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


async def test_a_cluster_serves_inside_its_context_and_nothing_is_left_after_it(tmp_path: Path):
    told: list[str] = []
    kubeconfig = tmp_path / "new" / "kubeconfig"
    cluster = DemoCluster(nodes=2, members=0, on_progress=told.append)
    async with cluster:
        nodes = cluster.store.list("nodes")[0]
        assert [node["metadata"]["name"] for node in nodes] == ["node-1", "node-2"]
        assert all(is_ready(node) for node in nodes)
        await cluster.wait_ready(1)
        cluster.write_kubeconfig(kubeconfig)
        assert len(_clusters(tmp_path)) == 1
        written = yaml.safe_load(kubeconfig.read_text())
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert not kubeconfig.exists(), "it would lead nowhere"
    assert written["current-context"] == "zktui-demo"
    assert written["contexts"][0]["context"]["namespace"] == "default"
    assert any(line.startswith("Kubernetes API on https://127.0.0.1:") for line in told)
    assert _clusters(tmp_path) == []
    with pytest.raises(AssertionError, match="not running"):
        cluster.kubeconfig()


async def test_another_clusters_kubeconfig_is_never_overwritten_nor_removed(tmp_path: Path):
    mine, notes, old, empty = (tmp_path / name for name in ("config", "notes", "old", "empty"))
    mine.write_text("current-context: prod\n")
    notes.write_bytes(b"\xff\xfe: not text")
    old.write_text("current-context: zktui-demo\n")
    empty.touch()
    async with DemoCluster(nodes=1, members=0) as cluster:
        for path in (mine, notes):
            with pytest.raises(NotWritable, match=f"{path}.*choose another with --write-kubeconfig"):
                cluster.write_kubeconfig(path)
        for path in (old, empty):
            cluster.write_kubeconfig(path)
            assert "127.0.0.1" in path.read_text()
        empty.write_text("current-context: prod\n")
    assert not old.exists()
    assert (mine.read_text(), empty.read_text()) == ("current-context: prod\n",) * 2
    assert notes.exists()
    assert not (tmp_path / ".config.new").exists()


async def test_two_clusters_live_side_by_side(tmp_path: Path):
    async with DemoCluster(nodes=1, members=0) as one, DemoCluster(nodes=1, members=0) as other:
        addresses = [
            entry.store.get("nodes", "", "node-1")["status"]["addresses"][0]["address"] for entry in (one, other)
        ]
        assert addresses[0] != addresses[1]
        assert one.server.url != other.server.url
    assert _clusters(tmp_path) == []


async def test_a_failure_while_starting_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise RuntimeError("no manifest")

    monkeypatch.setattr("zktui.demo.cluster.manifest", broken)
    with pytest.raises(RuntimeError, match="no manifest"):
        async with DemoCluster():
            pass
    assert _clusters(tmp_path) == []


async def test_pods_asleep_are_looked_at_drained_and_have_no_processes():
    async with DemoCluster(nodes=260, members=0, sleeping=1000) as cluster:
        pods = cluster.store.list("pods", "sleeping")[0]
        assert len(pods) == 1000 and all(map(is_ready, pods))
        on_nodes = Counter(pod["spec"]["nodeName"] for pod in pods)
        assert on_nodes == {f"node-{number}": 100 for number in range(251, 261)}, "where no real pod would go"
        name, node = pods[0]["metadata"]["name"], pods[0]["spec"]["nodeName"]
        evict(cluster.store, "sleeping", name, DeleteOptions())
        await until(lambda: cluster.store.find("pods", "sleeping", name) is None)
        cluster.store.create("pods", {"metadata": {"name": "real"}, "spec": CONTAINER})
        await until(lambda: cluster.store.get("pods", "default", "real")["spec"].get("nodeName"))
        assert cluster.store.get("pods", "default", "real")["spec"]["nodeName"] != node


async def until(met: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not met():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.01)


def _clusters(folder: Path) -> list[Path]:
    return list(folder.glob("zktui-demo-*"))


def test_every_object_of_the_manifest_is_served():
    kinds = [entry["kind"] for entry in manifest()]
    assert kinds == ["Service", "Service", "PodDisruptionBudget", "ConfigMap", "StatefulSet"]
    assert all((entry["apiVersion"], entry["kind"]) in BY_KIND for entry in manifest())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130), (signal.SIGHUP, 130)])
def test_the_program_ends_by_a_signal_with_its_exit_code(tmp_path: Path, number: signal.Signals, code: int):
    kubeconfig = tmp_path / "kubeconfig"
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"17\"' >&2\n")
    java.chmod(0o755)
    (tmp_path / "cache/zktui" / f"zookeeper-{zookeeper.VERSION}" / "lib").mkdir(parents=True)
    environ = {
        **os.environ,
        "JAVA_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "zktui.demo", "--serve", "--members", "0", "--write-kubeconfig", str(kubeconfig)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if line.startswith("kubectl --kubeconfig"):
                break
        assert kubeconfig.exists()
        program.send_signal(number)
        assert "nothing is left running" in program.stdout.read()
        assert program.wait(DEADLINE) == code
    assert not kubeconfig.exists(), "it would lead nowhere"
    assert _clusters(tmp_path) == []


def test_the_interactive_demo_writes_a_kubeconfig_for_others_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked: list[Sequence[str]] = []

    def run(_settings: object, options: Sequence[str]) -> int:
        asked.append(options)
        return 0

    monkeypatch.setattr(wiring, "run_demo", run)
    kubeconfig = tmp_path / "for-kubectl"
    assert cli.main(["demo", "--nodes", "1", "--members", "0", "--write-kubeconfig", str(kubeconfig)]) == 0
    with rehearsal(asked[0]) as own:
        assert yaml.safe_load(kubeconfig.read_text()) == yaml.safe_load(own.read_text())
    assert not kubeconfig.exists()
    told = capsys.readouterr().out
    assert f"kubectl --kubeconfig {kubeconfig} get pods" in told
    assert str(own) not in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--write-kubeconfig", "{file}/kubeconfig"), "the kubeconfig can't be written to {file}"),
        (("--keep", "{file}"), "the members' disks can't be made in {file}"),
    ],
)
def test_what_can_not_be_written_is_one_sentence_and_exit_code_2(
    tmp_path: Path, options: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "file"
    file.touch()
    assert program.main(["--serve", "--members", "0", options[0], options[1].format(file=file)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"zktui demo: {words.format(file=file)}")
    assert options[0] in told
    assert told.count("\n") == 1
    assert _clusters(tmp_path) == []


def test_options_that_make_no_sense_are_one_sentence(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        program.main(["--nodes", "5001"])
    assert ended.value.code == 2
    told = "zktui demo: argument --nodes: 5001 is not between 1 and 5000. Try: zktui demo --help\n"
    assert capsys.readouterr().err == told


def test_what_the_cluster_s_own_program_takes_zktui_demo_takes_too(monkeypatch: pytest.MonkeyPatch):
    theirs = {action.dest for action in program.parser()._actions} - {"help", "until_eof", "prepare"}
    given = flags.parser().parse_args(["demo", "--contain", "emulation"])
    assert theirs <= set(vars(given))
    passed: list[str] = []
    monkeypatch.setattr(wiring, "serve_demo", passed.extend)
    cli.main(["demo", "--serve", "--contain", "emulation"])
    assert "--contain emulation" in " ".join(passed)


def test_a_missing_java_is_one_sentence_and_exit_code_2(tmp_path: Path):
    environ = {**os.environ, "JAVA_HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-m", "zktui.demo", "--serve"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert ran.returncode == 2
    assert "Install a JDK 11 or later" in ran.stderr
    assert "Traceback" not in ran.stderr
