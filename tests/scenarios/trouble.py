"""Rights that are taken away and servers that are frozen, on either cluster."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios.stage import Ended, Stage, eventually
from zktui.demo.cluster import DemoCluster

ROLES = Path(__file__).parents[2] / "manifests" / "rbac.yaml"
USER = "troubled"


class Troubled(ABC):
    """A cluster whose user loses rights, and whose members' servers are stopped."""

    @abstractmethod
    async def zktui(self, *arguments: str) -> Ended:
        """The program, run by the user who may have lost rights."""

    @abstractmethod
    def deny(self, verb: str, resource: str) -> None:
        """Take one right away: a resource as roles name it, `pods/eviction`."""

    @abstractmethod
    def listed(self, kind: str) -> list[dict[str, Any]]:
        """`pods` (of the ensemble's namespace) or `nodes`, as somebody with all rights sees them."""

    @abstractmethod
    def pid(self, pod: str) -> int:
        """Of the member's server on this machine."""

    def uids(self) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self.listed("pods")}

    def node(self, pod: str) -> str:
        return next(p["spec"]["nodeName"] for p in self.listed("pods") if p["metadata"]["name"] == pod)

    def cordoned(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.listed("nodes") if node["spec"].get("unschedulable")]

    @contextmanager
    def frozen(self, *pods: str) -> Generator[None]:
        """Stopped in all of its threads, each of these members' servers: it stays connected, and says nothing."""
        pids = [self.pid(pod) for pod in pods]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            for pid in pids:
                eventually(f"process {pid} to stop", lambda pid=pid: _stopped(pid), 10.0, 0.02)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


class InProcess(Troubled):
    """A demo inside this process."""

    def __init__(self, cluster: DemoCluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder
        self._kubeconfig = folder / "kubeconfig"
        cluster.write_kubeconfig(self._kubeconfig)

    async def zktui(self, *arguments: str) -> Ended:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "KUBECONFIG": str(self._kubeconfig),
            "XDG_STATE_HOME": str(self._folder / "state"),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "zktui", *arguments),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())

    def deny(self, verb: str, resource: str) -> None:
        self._cluster.server.deny(verb, resource)

    def listed(self, kind: str) -> list[dict[str, Any]]:
        return self._cluster.store.list(kind, *(["default"] if kind == "pods" else []))[0]

    def pid(self, pod: str) -> int:
        found = self._cluster.kubelet.pid("default", pod)
        assert found is not None
        return found


class OnStage(Troubled):
    """The real cluster, and a user who has these roles of manifests/rbac.yaml, less what is denied."""

    def __init__(self, stage: Stage, role: str = "zktui-maintain", *more: str) -> None:
        self._stage = stage
        known: dict[str, Any] = {each["metadata"]["name"]: each for each in yaml.safe_load_all(ROLES.read_text())}
        self._role: dict[str, Any] = {
            **known[role],
            "rules": [rule for name in (role, *more) for rule in known[name]["rules"]],
        }
        self._role["metadata"]["name"] = USER
        grants: dict[str, Any] = {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": USER},
            "subjects": [{"kind": "ServiceAccount", "name": USER, "namespace": "default"}],
        }
        binding = {**self._role, "kind": "ClusterRoleBinding", **grants}
        del binding["rules"]
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": USER, "namespace": "default"}}
        self._apply(self._role)
        self._apply(binding)
        self._apply(account)
        config = json.loads(self._must("config", "view", "--raw", "-o", "json"))
        token = self._must("create", "token", USER).strip()
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        self._kubeconfig = stage.folder / f"{USER}.kubeconfig"
        self._kubeconfig.write_text(json.dumps(config))
        self._kubeconfig.chmod(0o600)

    def close(self) -> None:
        self._must("delete", f"clusterrole/{USER}", f"clusterrolebinding/{USER}", f"serviceaccount/{USER}")

    async def zktui(self, *arguments: str) -> Ended:
        return await asyncio.to_thread(self._stage.zktui, *arguments, KUBECONFIG=str(self._kubeconfig))

    def deny(self, verb: str, resource: str) -> None:
        """The role without it; a rule that names several resources keeps the verb for the others."""
        rules: list[dict[str, Any]] = []
        for rule in self._role["rules"]:
            others = [other for other in rule["resources"] if other != resource]
            if len(others) < len(rule["resources"]):
                left = [other for other in rule["verbs"] if other != verb]
                rules.append({**rule, "resources": [resource], "verbs": left})
            rules.append({**rule, "resources": others})
        self._role["rules"] = [rule for rule in rules if rule["resources"] and rule["verbs"]]
        self._apply(self._role)
        question = ["auth", "can-i", verb, resource, "--kubeconfig", str(self._kubeconfig)]
        eventually("the right to be gone", lambda: self._stage.kubectl(*question).out.strip() == "no", 30.0)

    def listed(self, kind: str) -> list[dict[str, Any]]:
        return json.loads(self._must("get", kind, "-n", "default", "-o", "json"))["items"]

    def pid(self, pod: str) -> int:
        """By its container's cgroup: a pod's processes are processes of this machine."""
        found = next(each for each in self.listed("pods") if each["metadata"]["name"] == pod)
        container = found["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if container in (place / "cgroup").read_text() and (place / "comm").read_text().strip() == "java":
                    return int(place.name)
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
        raise AssertionError(f"no server of {pod} runs on this machine")

    def _apply(self, document: dict[str, Any]) -> None:
        path = self._stage.folder / "trouble.json"
        path.write_text(json.dumps(document))
        self._must("apply", "-f", str(path))

    def _must(self, *words: str) -> str:
        ended = self._stage.kubectl(*words)
        assert ended.code == 0, ended
        return ended.out


def _stopped(pid: int) -> bool:
    if not Path("/proc").is_dir():
        return True  # not on Linux, where it can't be seen like this
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)
