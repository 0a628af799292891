"""The real cluster as a stage for the scenarios: the same ways to it as the embedded one has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.e2e import gobuild, needs
from tests.e2e.__main__ import build, say, up
from tests.e2e.cluster import KWOK, REAL, Cluster
from tests.e2e.needs import Part
from tests.scenarios.api import Api
from tests.scenarios.play import ready_pods
from tests.scenarios.stage import Ended, Stage, eventually, run
from zktui.demo.cluster import with_members

MANIFEST = Path(__file__).parents[2] / "manifests" / "zookeeper.yaml"
START_DEADLINE = 180.0
"""For members whose JVMs start side by side on few cores."""

ATTACH = "ZKTUI_E2E_FOLDER"
"""The folder of a cluster that `python -m tests.e2e up` started: used as it is, and left running."""

ONLY = "ZKTUI_NODES"
"""`kwok`: what needs a kubelet is left out, by name."""


class BuiltStage(Stage):
    """A cluster whose programs were built here, with its own kubectl before any other."""

    cluster: Cluster

    def environment(self) -> Mapping[str, str]:
        environment = dict(super().environment())
        environment["PATH"] = f"{gobuild.binaries('kubernetes')}:{environment.get('PATH', os.defpath)}"
        return environment

    def kubectl(self, *arguments: str, timeout: float = 60.0) -> Ended:
        program = gobuild.binaries("kubernetes") / "kubectl"
        return run([str(program), *arguments], self.environment(), timeout=timeout)

    def strike(self) -> None:
        """End everything of it."""
        self.cluster.down()


class SimulatedStage(BuiltStage):
    """A real control plane whose four nodes and all pods are kwok's: objects with a status, and nothing that runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = Cluster(folder / "cluster")
        self.kubeconfig = self.cluster.kubeconfig
        build(KWOK)
        up(self.cluster, KWOK, 4, affinity=False)

    def ready(self) -> Stage:
        """There are no members: nothing to wait for."""
        return self


class RealStage(BuiltStage):
    """A running cluster of real nodes with the project's manifest applied. Ends by `strike`.

    Builds what the cache lacks first (many minutes). Raises RuntimeError with what did not start.
    """

    def __init__(self, folder: Path, nodes: int = 4, members: int = 3, *, affinity: bool = False) -> None:
        self.folder = folder
        self.members = members
        attached = os.environ.get(ATTACH)
        self.cluster = Cluster(Path(attached) if attached else folder / "cluster")
        self.attached = bool(attached)
        self.kubeconfig = self.cluster.kubeconfig
        if attached and not self.cluster.running:
            raise RuntimeError(f"{ATTACH}={attached}: no cluster is running there (python -m tests.e2e up)")
        if not attached:
            build(REAL)
            up(self.cluster, REAL, nodes, affinity)
        try:
            self.deploy()
        except BaseException:
            self.strike()
            raise

    def deploy(self) -> None:
        """Apply the manifest, as it is for three members, for as many as this stage has."""
        if self.members == 3:
            ended = self.kubectl("apply", "-f", str(MANIFEST))
        else:
            objects = with_members([o for o in yaml.safe_load_all(MANIFEST.read_text()) if o], self.members)
            path = self.folder / "manifest.yaml"
            path.write_text(yaml.safe_dump_all(objects))
            ended = self.kubectl("apply", "-f", str(path))
        if ended.code != 0:
            raise RuntimeError(f"kubectl apply: {ended.err}")

    def ready(self) -> Stage:
        """Wait until every member serves in one quorum. Fails with what the pods and their logs say."""
        api = Api(self.kubeconfig)
        try:
            # By the pods first: each look by zktui starts a program.
            eventually(
                "real members to be Ready", lambda: self._living() and ready_pods(api) == self.members, START_DEADLINE
            )
            eventually("a quorum of real members", self._serving, START_DEADLINE, 1.0)
        except AssertionError as why:
            pods = self.kubectl("describe", "pods").out[-6000:]
            logs = self.kubectl("logs", "--selector", "app=zk", "--prefix", "--tail", "20").out
            raise AssertionError(f"{why}\n{self.zktui('status')}\n{pods}\n{logs}") from why
        finally:
            api.close()
        return self

    def _living(self) -> bool:
        if dead := self.cluster.dead():
            raise AssertionError(f"ended by itself: {dead}")
        return True

    def _serving(self) -> bool:
        self._living()
        ended = self.zktui("status", "-o", "json")
        if ended.code != 0:
            return False
        (ensemble,) = ended.json()["ensembles"]
        return ensemble["quorum"]["serving"] == self.members and all(m["ready"] for m in ensemble["members"])

    def strike(self) -> None:
        """End everything of it; an attached one stays as it is."""
        if not self.attached:
            super().strike()


def need_real_nodes() -> None:
    """Skip, saying what is missing, where there can be none. May install small packages."""
    if os.environ.get(ONLY) == KWOK:
        pytest.skip("NODES=kwok: real nodes were not asked for")
    need(needs.real(say))


def need(part: Part) -> None:
    """Skip, saying what is missing for it. On a machine that judges (CI) a skip counts as a failure."""
    if part.lacks:
        pytest.skip(f"{part.name}: this machine lacks {'; '.join(part.lacks)}")
