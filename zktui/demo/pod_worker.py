"""One pod on its node, from its binding to its last container's end."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from zktui.demo.container_runner import ContainerRunner, Host
from zktui.demo.names import now
from zktui.demo.network import own_name
from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.pod_conditions import pod_status
from zktui.demo.volumes import MountFailure, PodFiles


class PodWorker:
    """Runs the pod's containers and keeps its status. :meth:`run` returns when nothing of the pod is left."""

    def __init__(self, host: Host, pod: Object, node: int) -> None:
        self._host, self._pod, self._node = host, pod, node
        self._space, self._name, self.uid = namespace_of(pod), name_of(pod), meta(pod)["uid"]
        self._started = now()
        self._ip, self._hosts = "", Path()
        self._ending = asyncio.Event()
        self._grace = float("inf")
        self._gone = False
        self._off = False
        self.files = PodFiles(host.root, pod)
        self.containers: dict[str, ContainerRunner] = {}

    async def run(self, before: asyncio.Task[None] | None) -> None:
        """``before`` is the worker of an earlier pod of this name, whose volumes are in use until it ends."""
        try:
            if before is not None:
                await asyncio.wait({before})
            if await self._mounted():
                await self._run_containers()
        finally:
            self._clean_up()

    @property
    def node(self) -> str:
        """The name of its node."""
        return child(self._pod, "spec")["nodeName"]

    def power(self, *, on: bool) -> None:
        """The node's: off kills all processes and keeps silent; on starts them again."""
        self._off = not on
        for runner in self.containers.values():
            runner.power(on=on)
        if on:
            self._write_status()

    @property
    def ip(self) -> str:
        return self._ip

    async def _mounted(self) -> bool:
        """Wait for the volumes; False when the pod was deleted meanwhile."""
        self._write_status()
        while not self._ending.is_set():
            try:
                self.files.mount(self._host.store)
                self._ip = self._ip or self._host.network.new_pod_ip(self._node)
                own, space = own_name(self._pod), namespace_of(self._pod)
                self._hosts = self._host.network.hosts_file(self.uid, own, self._ip, space)
                self._host.network.publish(self._host.store)
            except (MountFailure, OSError) as why:
                words = f"MountVolume.SetUp failed: {why.strerror}" if isinstance(why, OSError) else str(why)
                self._host.events.record(self._pod, "Warning", "FailedMount", words, component="kubelet")
            else:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), 0.5)
        return False

    async def _run_containers(self) -> None:
        for spec in children(self._pod, "spec", "containers"):
            self.containers[spec["name"]] = ContainerRunner(
                self._host, self._pod, spec, self.files, self._ip, self._hosts, self._write_status
            )
        self._write_status()
        if self._ending.is_set():
            return
        async with asyncio.TaskGroup() as group:
            for runner in self.containers.values():
                group.create_task(runner.run())
        # A finished pod stays, with its logs, until it is deleted.
        await self._ending.wait()

    def terminate(self, grace: float) -> None:
        """The pod is being deleted: end its containers; a later call can only shorten the grace (seconds)."""
        if grace >= self._grace:
            return
        self._grace = grace
        self._ending.set()
        for runner in self.containers.values():
            runner.stop(grace)

    def abandon(self) -> None:
        """The pod's object is gone already (a forced deletion): kill what is left."""
        self._gone = True
        self.terminate(0)

    def _write_status(self) -> None:
        """Store the status if it has changed."""
        current = self._host.store.find("pods", self._space, self._name)
        if self._gone or self._off or current is None or meta(current)["uid"] != self.uid:
            return
        statuses = [runner.status() for runner in self.containers.values()] or [
            _creating(spec) for spec in children(self._pod, "spec", "containers")
        ]
        host_ip = self._host.network.node_ip(self._node)
        status = pod_status(current, statuses, host_ip=host_ip, ip=self._ip, started=self._started)
        if status != child(current, "status"):
            fresh = {"metadata": {"namespace": self._space, "name": self._name}, "status": status}
            self._host.store.update_status("pods", fresh)

    def _clean_up(self) -> None:
        self._host.network.drop_hosts_file(self.uid)
        for runner in self.containers.values():
            for log in (runner.log, runner.previous_log):
                if log is not None:
                    log.delete()
        self.files.delete()
        if not self._gone and self._ending.is_set():
            self._host.store.remove("pods", self._space, self._name, self.uid)

    def find(self, path: str, container: str) -> Path:
        """Where a path of the container is on this machine."""
        return self.files.path(self.containers[container].spec, path)


def _creating(spec: Object) -> Object:
    return {
        "name": spec["name"],
        "state": {"waiting": {"reason": "ContainerCreating"}},
        "lastState": {},
        "ready": False,
        "started": False,
        "restartCount": 0,
        "image": spec.get("image", ""),
        "imageID": "",
    }
