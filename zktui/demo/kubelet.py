"""The kubelets of all nodes in one: runs what is bound to a node, and answers for logs, exec and ports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from zktui.demo import commands, errors
from zktui.demo.container_runner import ContainerRunner, Host
from zktui.demo.errors import ApiError
from zktui.demo.network import own_name
from zktui.demo.objects import Object, child, children, labels_of, meta, name_of, namespace_of
from zktui.demo.pod_worker import PodWorker
from zktui.demo.runtime import ExecProcess, LogOptions
from zktui.demo.sleeping import is_asleep

NODE_NUMBER = "zktui.demo/node-number"
"""The label that tells a node's number, from which its pods' addresses come."""


KUBELET_PORT = 10250
AGAIN = 1.0
"""Seconds until names that could not be written are tried again."""

log = logging.getLogger(__name__)


def _nothing() -> None:
    """There is no subscription to undo."""


def _no_previous(container: str, pod: str) -> str:
    return f'previous terminated container "{container}" in pod "{pod}" not found'


class Kubelet:
    """A :class:`~zktui.demo.runtime.PodRuntime`. Works between :meth:`start` and :meth:`stop`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._latest: dict[tuple[str, str], str] = {}
        self.stopped: set[str] = set()
        self._wake = asyncio.Event()
        self._names = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._undo: Callable[[], None] = _nothing

    def start(self) -> None:
        """Begin to watch the store."""
        self._undo = self._host.store.on_change(self._changed)
        self._loops = [asyncio.ensure_future(self._sync_loop()), asyncio.ensure_future(self._names_loop())]

    async def stop(self) -> None:
        """Kill every container, and wait until all are gone; may be called again. The objects stay as they are."""
        self._undo()
        self._undo = _nothing
        for loop in self._loops:
            loop.cancel()
        for worker in self._workers.values():
            worker.abandon()
        await asyncio.gather(*self._loops, *self._tasks.values(), return_exceptions=True)

    def _changed(self, _kind: str, resource: str, _obj: Object) -> None:
        if resource in ("pods", "nodes"):
            self._wake.set()
        elif resource == "endpointslices.discovery.k8s.io":
            self._names.set()

    async def _names_loop(self) -> None:
        while True:
            await self._names.wait()
            self._names.clear()
            try:
                self._host.network.publish(self._host.store)
            except OSError as why:
                log.warning("names of pods are as they were: %s", why)
                asyncio.get_running_loop().call_later(AGAIN, self._names.set)

    async def _sync_loop(self) -> None:
        while True:
            self._wake.clear()
            self._sync()
            await self._wake.wait()

    def _sync(self) -> None:
        """Start workers for new pods, end those of pods that go."""
        pods = {meta(pod)["uid"]: pod for pod in self._host.store.list("pods")[0] if child(pod, "spec").get("nodeName")}
        for uid, pod in pods.items():
            if child(pod, "spec")["nodeName"] in self.stopped:
                continue
            if (
                uid not in self._workers
                and not is_asleep(pod)
                and child(pod, "status").get("phase") not in ("Succeeded", "Failed")
            ):
                self._begin(uid, pod)
            if meta(pod).get("deletionTimestamp"):
                self._end(uid, pod)
        for uid in self._workers.keys() - pods.keys():
            self._workers[uid].abandon()

    def _begin(self, uid: str, pod: Object) -> None:
        node = self._host.store.find("nodes", "", child(pod, "spec")["nodeName"])
        if node is None:
            return
        worker = PodWorker(self._host, pod, int(labels_of(node).get(NODE_NUMBER, "254")))
        key = (namespace_of(pod), name_of(pod))
        before = self._tasks.get(self._latest.get(key, ""))
        self._workers[uid], self._latest[key] = worker, uid
        task = asyncio.ensure_future(worker.run(before))
        self._tasks[uid] = task
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _end(self, uid: str, pod: Object) -> None:
        grace = float(meta(pod).get("deletionGracePeriodSeconds") or 0)
        if uid in self._workers:
            self._workers[uid].terminate(grace)
        else:
            self._host.store.remove("pods", namespace_of(pod), name_of(pod), uid)

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self._workers.pop(uid, None)
        self._tasks.pop(uid, None)
        if not task.cancelled() and (why := task.exception()) is not None:
            raise why  # a fault of ours: the loop's exception handler tells it, and the next change tries again
        self._wake.set()

    def power(self, node: str, *, on: bool) -> None:
        """Stop a node, or start it again: its kubelet and everything that runs there."""
        (self.stopped.discard if on else self.stopped.add)(node)
        for worker in self._workers.values():
            if worker.node == node:
                worker.power(on=on)
        self._wake.set()

    # -- what the API server asks --------------------------------------------------------------------------

    def _runner(self, namespace: str, pod: str, container: str) -> ContainerRunner:
        """The container; ApiError in the kubelet's words when it isn't there."""
        found = self._host.store.get("pods", namespace, pod)
        name = container or children(found, "spec", "containers")[0]["name"]
        worker = self._workers.get(meta(found)["uid"])
        if child(found, "spec").get("nodeName") in self.stopped:
            host, port = child(found, "status").get("hostIP", ""), KUBELET_PORT
            raise errors.internal_error(
                f'Get "https://{host}:{port}/": dial tcp {host}:{port}: connect: no route to host'
            )
        if worker is None or name not in worker.containers:
            raise errors.bad_request(f'container "{name}" in pod "{pod}" is waiting to start: ContainerCreating')
        return worker.containers[name]

    async def logs(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        """See :class:`~zktui.demo.runtime.PodRuntime`."""
        try:
            runner = self._runner(namespace, pod, options.container)
        except ApiError as why:
            if options.previous and why.code == 400:
                raise errors.bad_request(_no_previous(options.container, pod)) from why
            raise
        log = runner.previous_log if options.previous else runner.log
        if log is None and options.previous:
            raise errors.bad_request(_no_previous(runner.name, pod))
        if log is None:
            words = f'container "{runner.name}" in pod "{pod}" is waiting to start: ContainerCreating'
            raise errors.bad_request(words)
        async for chunk in log.read(options):
            yield chunk

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: list[str],
        stdin: AsyncIterator[bytes] | None = None,
    ) -> ExecProcess:
        """See :class:`~zktui.demo.runtime.PodRuntime`."""
        running = self._running(namespace, pod, container)
        return await commands.run(running, command, stdin)

    def _running(self, namespace: str, pod: str, container: str) -> commands.Container:
        try:
            runner = self._runner(namespace, pod, container)
        except ApiError as why:
            if why.code == 404:
                raise
            raise errors.internal_error(f'unable to upgrade connection: container not found ("{container}")') from why
        if runner.running is None:
            raise errors.internal_error(f'unable to upgrade connection: container not found ("{runner.name}")')
        return runner.running

    async def dial(self, namespace: str, pod: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See :class:`~zktui.demo.runtime.PodRuntime`."""
        try:
            running = self._running(namespace, pod, "")
        except ApiError as why:
            raise ConnectionRefusedError(why.message) from why
        return await asyncio.open_connection(running.ip, port)

    def container(self, namespace: str, pod: str) -> commands.Container:
        """The pod's first container, for rehearsing failures; ApiError when it does not run."""
        return self._running(namespace, pod, "")

    def keep_apart(self, pod: Object, *, apart: bool) -> None:
        """From now on no name resolves to the pod, and none for it; or all is again as services publish it."""
        names = self._host.network.apart
        (names.add if apart else names.discard)(own_name(pod))
        self._names.set()

    def serves(self, namespace: str, pod: Object) -> bool:
        """Does a ZooKeeper server run in the pod?"""
        try:
            return self._running(namespace, name_of(pod), "").server is not None
        except ApiError:
            return False

    def pid(self, namespace: str, pod: str) -> int:
        """The process of the pod's first container, for rehearsing failures; ApiError when none runs."""
        return self._running(namespace, pod, "").main.pid
