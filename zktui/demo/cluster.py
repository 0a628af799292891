"""The rehearsal cluster as a whole: everything is started here, and everything started is stopped here."""

from __future__ import annotations

import asyncio
import importlib.resources
import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from zktui.demo import control, kubeconfig_file, namespaces, zookeeper
from zktui.demo.container_runner import Host
from zktui.demo.control import CONTEXT
from zktui.demo.controllers.base import Controller
from zktui.demo.controllers.claims import CLASS, PROVISIONER, ClaimController
from zktui.demo.controllers.disruption import DisruptionController
from zktui.demo.controllers.endpoints import EndpointsController
from zktui.demo.controllers.garbage import GarbageCollector
from zktui.demo.controllers.lost_nodes import LostNodeController
from zktui.demo.controllers.nodes import LEASE_NAMESPACE, NodeController, create_node
from zktui.demo.controllers.scheduler import Scheduler
from zktui.demo.controllers.statefulset import StatefulSetController
from zktui.demo.discovery import VERSION
from zktui.demo.events import EventRecorder
from zktui.demo.faults import Faults
from zktui.demo.fieldmanager import LAST_APPLIED, Manager
from zktui.demo.kubelet import Kubelet
from zktui.demo.namespaces import Namespaces
from zktui.demo.network import Network
from zktui.demo.objects import Object, is_ready
from zktui.demo.process import ProcessGuard
from zktui.demo.resources import BY_KIND
from zktui.demo.server import ApiServer
from zktui.demo.sleeping import put_to_sleep
from zktui.demo.state_folder import NotWritable, StateFolder
from zktui.demo.store import Store

CLIENT_SIDE = "kubectl-client-side-apply"
"""How kubectl signs an ``apply`` that is not server-side; it takes such fields over when it applies there."""

CONTAINMENTS = ("auto", "namespaces", "emulation")
"""How pods are kept from the machine's other processes; ``auto`` takes namespaces where they are allowed."""

NAMESPACES = ("default", "kube-system", "kube-public", LEASE_NAMESPACE)


class NotContained(Exception):
    """Namespaces were asked for and are not to be had; the message says why."""


def manifest() -> list[Object]:
    """The objects of ``manifests/zookeeper.yaml``: a part of the installed package, else of the checkout."""
    packaged = importlib.resources.files("zktui") / "manifests" / "zookeeper.yaml"
    if packaged.is_file():
        text = packaged.read_text(encoding="utf-8")
    else:
        text = Path(__file__).parents[2].joinpath("manifests", "zookeeper.yaml").read_text(encoding="utf-8")
    return [entry for entry in yaml.safe_load_all(text) if entry]


def with_members(objects: list[Object], members: int) -> list[Object]:
    """The manifest for that many members: the StatefulSet's replicas and the ``--servers`` of its command."""
    for entry in objects:
        if entry["kind"] == "StatefulSet":
            entry["spec"]["replicas"] = members
            for container in entry["spec"]["template"]["spec"]["containers"]:
                container["command"] = [
                    word.replace("--servers=3", f"--servers={members}") for word in container.get("command", [])
                ]
    return objects


def applied(entry: Object) -> Object:
    """The object as ``kubectl apply`` would send it: with the annotation that the next apply compares with."""
    metadata: Object = {"annotations": {}, "namespace": "default", **entry["metadata"]}
    text = json.dumps({**entry, "metadata": metadata}, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    for sign in "<>&":  # Go's way
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return {**entry, "metadata": {**metadata, "annotations": {LAST_APPLIED: text}}}


class DemoCluster:
    """An async context manager: inside it the cluster serves, after it nothing of it is left.

    ``keep`` is a folder for the members' disks, which then outlive the cluster and are found again by the next
    one; without it they live in a temporary folder. ``members`` 0 starts an empty cluster; ``sleeping`` pods only seem
    to run. ``contain`` is one of :data:`CONTAINMENTS`. ``on_progress`` gets lines for people. Entering raises
    :class:`~zktui.demo.zookeeper.MissingSoftware`, :class:`~zktui.demo.network.NoAddress`, :class:`NotContained`,
    :class:`~zktui.demo.state_folder.FolderInUse` or :class:`~zktui.demo.state_folder.NotWritable` before anything runs.
    """

    def __init__(
        self,
        *,
        nodes: int = 4,
        members: int = 3,
        sleeping: int = 0,
        contain: str = "auto",
        keep: Path | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        self.store = Store()
        self._nodes, self._members, self._keep, self._say = nodes, members, keep, on_progress or _quiet
        self._sleeping, self._contain = sleeping, contain
        self._loops: list[asyncio.Task[None]] = []
        self._state: StateFolder | None = None
        self._guard = ProcessGuard()
        self._network: Network | None = None
        self._kubelet: Kubelet | None = None
        self._server: ApiServer | None = None
        self._faults: Faults | None = None
        self._files: list[tuple[Path, str]] = []
        """The kubeconfigs that were written, with their text."""

    @property
    def server(self) -> ApiServer:
        """The API server (``url``, ``token``, ``deny``, ``intercept``); only inside the context."""
        assert self._server is not None, "the cluster is not running"
        return self._server

    @property
    def kubelet(self) -> Kubelet:
        """The kubelet; ``pid`` tells a member's process. Only inside the context."""
        assert self._kubelet is not None, "the cluster is not running"
        return self._kubelet

    @property
    def faults(self) -> Faults:
        """What can be broken. Only inside the context."""
        assert self._faults is not None, "the cluster is not running"
        return self._faults

    async def __aenter__(self) -> DemoCluster:
        loop = asyncio.get_running_loop()
        distribution = await asyncio.to_thread(zookeeper.find, lambda line: _tell(loop, self._say, line))
        self._say(f"ZooKeeper {distribution.version} on {distribution.java}")
        try:
            await self._start(distribution)
        except OSError as why:
            await self.stop()
            raise NotWritable(f"the cluster can't start: {why}") from why
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self, distribution: zookeeper.Distribution) -> None:
        self._state = StateFolder(self._keep)
        root = self._state.path
        self._network = Network(root / "run")
        events = EventRecorder(self.store)
        spaces = await self._namespaces(root, distribution)
        host = Host(self.store, events, self._network, self._guard, distribution, root, spaces)
        self._kubelet = Kubelet(host)
        self._server = ApiServer(self.store, self._kubelet)
        self._populate(self._network)
        self._kubelet.start()
        controllers: list[Controller] = [
            kind(self.store, events)
            for kind in (
                StatefulSetController,
                Scheduler,
                DisruptionController,
                EndpointsController,
                LostNodeController,
                GarbageCollector,
            )
        ]
        controllers.append(NodeController(self.store, events, self._kubelet.stopped))
        controllers.append(ClaimController(self.store, events, root))
        self._loops = [asyncio.ensure_future(controller.run()) for controller in controllers]
        self._faults = Faults(self.store, self._kubelet, self._server)
        self._server.control = control.handler(self._faults)
        await self._server.start()
        self._say(f"Kubernetes API on {self._server.url}, {self._nodes} nodes")

    async def _namespaces(self, root: Path, distribution: zookeeper.Distribution) -> Namespaces | None:
        """What pods are contained by, told to the person who starts the cluster; None for emulation."""
        found: Namespaces | str = "as asked for"
        if self._contain != "emulation":
            needed = [distribution.java, Path(distribution.classpath.removesuffix("*"))]
            found = await namespaces.find(self._guard, root, needed)
        if isinstance(found, Namespaces):
            self._say("pods are contained by Linux namespaces")
            return found
        if self._contain == "namespaces":
            raise NotContained(f"this machine does not let pods run in namespaces of their own: {found}")
        self._say(f"pods are contained by emulation of their commands ({found})")
        return None

    def _populate(self, network: Network) -> None:
        """What a fresh cluster holds, and the ensemble."""
        for name in NAMESPACES:
            self.store.create("namespaces", {"metadata": {"name": name}})
        for number in range(1, self._nodes + 1):
            create_node(self.store, network, number, str(VERSION["gitVersion"]))
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        body = {"provisioner": PROVISIONER, "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}
        self.store.create(
            "storageclasses.storage.k8s.io", {"metadata": {"name": CLASS, "annotations": annotations}, **body}
        )
        if self._sleeping:
            put_to_sleep(self.store, self._nodes, self._sleeping)
        if self._members:
            for entry in with_members(manifest(), self._members):
                self.store.create(
                    BY_KIND[(entry["apiVersion"], entry["kind"])].key, applied(entry), manager=Manager(CLIENT_SIDE)
                )

    async def stop(self) -> None:
        """Stop everything; may be called more than once."""
        for path, text in self._files:
            kubeconfig_file.remove(path, text)
        if self._faults is not None:
            await self._faults.close()
        if self._server is not None:
            await self._server.stop()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._kubelet is not None:
            await self._kubelet.stop()
        await self._guard.close()
        if self._network is not None:
            self._network.close()
        if self._state is not None:
            self._state.close()
        self._loops, self._server, self._kubelet, self._network, self._state = [], None, None, None, None
        self._files = []

    # -- for those who use it ------------------------------------------------------------------------------

    def kubeconfig(self) -> dict[str, Any]:
        """A kubeconfig whose only context is ``zktui-demo``, in namespace default."""
        return self.server.kubeconfig(CONTEXT)

    def write_kubeconfig(self, path: Path) -> None:
        """Until the cluster stops. Raises :class:`~zktui.demo.state_folder.NotWritable`."""
        self._files.append((path, kubeconfig_file.write(path, self.kubeconfig())))

    async def wait_ready(self, seconds: float = 90) -> None:
        """Until every member that has a node is Ready, which here means that it serves; raises TimeoutError.

        Anti-affinity keeps members apart: with fewer nodes than members the rest stays Pending.
        """
        wanted = min(self._members, self._nodes)
        async with asyncio.timeout(seconds):
            version = self.store.version
            ready = self._count_ready()
            changes = self.store.subscribe("pods", since_rv=version)
            while ready < wanted:
                await anext(changes)
                now_ready = self._count_ready()
                if now_ready != ready:
                    self._say(f"{now_ready} of {self._members} members are ready")
                ready = now_ready
            await changes.aclose()

    def _count_ready(self) -> int:
        return sum(1 for pod in self.store.list("pods", "default", "app=zk")[0] if is_ready(pod))


def _quiet(_line: str) -> None:
    """Progress that nobody wants to hear."""


def _tell(loop: asyncio.AbstractEventLoop, say: Callable[[str], None], line: str) -> None:
    """Progress from a thread; raises once the loop is closed, which ends that thread's work."""
    loop.call_soon_threadsafe(say, line)
