"""The manifests that are measured: the project's own, and one in the shape of the Kubernetes tutorial."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml

from tests.e2e.stage import MANIFEST, RealStage

OURS, TUTORIAL = "ours", "tutorial"

Object = dict[str, Any]


def ours() -> list[Object]:
    return [cast(Object, found) for found in yaml.safe_load_all(MANIFEST.read_text()) if found]


def tutorial() -> list[Object]:
    """The fields of the tutorial that differ from ours, for an image of ZooKeeper 3.9.

    A readiness that says alive and not serving, asked as seldom as the tutorial asks; members made one after another; a
    headless Service that names Ready pods only; and what the JVM caches of DNS by itself.
    """
    objects = ours()
    (service,) = (o for o in objects if o["metadata"]["name"] == "zk-hs")
    del service["spec"]["publishNotReadyAddresses"]
    (stateful_set,) = (o for o in objects if o["kind"] == "StatefulSet")
    stateful_set["spec"]["podManagementPolicy"] = "OrderedReady"
    (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
    alive: Object = {
        "exec": {"command": ["sh", "-c", "echo ruok | nc -w 2 127.0.0.1 2181 | grep imok"]},
        "initialDelaySeconds": 10,
        "timeoutSeconds": 5,
    }
    del container["env"], container["startupProbe"]
    container["readinessProbe"] = container["livenessProbe"] = alive
    return objects


SHAPES = {OURS: ours, TUTORIAL: tutorial}
SAID = {
    OURS: "The project's own manifest",
    TUTORIAL: "The shape of the Kubernetes tutorial",
}
WORDS = {
    OURS: "`manifests/zookeeper.yaml` as it is: readiness means serving, not-ready addresses are published, the JVM's "
    "DNS caches are short.",
    TUTORIAL: "Readiness by `ruok`, members made one after another, a headless Service of Ready pods only, and the "
    "JVM's own DNS caching, for ZooKeeper 3.9: a pod is Ready long before its server serves, which a budget can't see.",
}


class ShapedStage(RealStage):
    """A real cluster with one of the shapes on it."""

    def __init__(self, folder: Path, shape: str) -> None:
        self._shape = shape
        super().__init__(folder)

    def deploy(self) -> None:
        path = self.folder / "manifest.yaml"
        path.write_text(yaml.safe_dump_all(SHAPES[self._shape]()))
        ended = self.kubectl("apply", "-f", str(path))
        if ended.code != 0:
            raise RuntimeError(f"kubectl apply: {ended.err}")
