"""One container of a pod: started, probed, restarted with back-off, stopped; and its containerStatus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zktui.demo.container import Container, runs_as
from zktui.demo.container_log import ContainerLog
from zktui.demo.events import EventRecorder
from zktui.demo.names import now
from zktui.demo.namespaces import Namespaces
from zktui.demo.network import Network
from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.probes import probe
from zktui.demo.process import Child, ProcessGuard
from zktui.demo.server_config import (
    BadCommand,
    Launch,
    ServerConfig,
    command_line,
    command_words,
    is_zookeeper,
    keeps_its_shell,
    parse,
)
from zktui.demo.store import Store
from zktui.demo.volumes import PodFiles
from zktui.demo.zookeeper import Distribution

log = logging.getLogger(__name__)
BACK_OFF, LONGEST_BACK_OFF, FORGIVEN = 10.0, 300.0, 600.0
"""Seconds: the kubelet's first and longest pause before a restart, and the run after which it starts anew."""


@dataclass(frozen=True)
class Host:
    """What all pods of the cluster share. ``root`` is the state folder."""

    store: Store
    events: EventRecorder
    network: Network
    guard: ProcessGuard
    distribution: Distribution
    root: Path
    namespaces: Namespaces | None = None


class MissingImage(Exception):
    """The container runs something that the rehearsal cluster has no program for."""


class ContainerRunner:
    """Runs one container until :meth:`stop`. ``changed`` is called after each change of :meth:`status`."""

    def __init__(
        self, host: Host, pod: Object, spec: Object, files: PodFiles, ip: str, hosts: Path, changed: Callable[[], None]
    ) -> None:
        self._host, self._pod, self.spec, self._files = host, pod, spec, files
        self._ip, self._hosts, self._changed = ip, hosts, changed
        self._state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self._last: Object = {}
        self._restarts = 0
        self._started = self._ready = False
        self._id = ""
        self._stopping = asyncio.Event()
        self._powered = asyncio.Event()
        self._powered.set()
        self._deadline = float("inf")
        self._killed_by_probe = False
        self.log: ContainerLog | None = None
        self.previous_log: ContainerLog | None = None
        self.running: Container | None = None
        self.done = False

    @property
    def name(self) -> str:
        return self.spec["name"]

    def status(self) -> Object:
        """The v1.ContainerStatus."""
        return {
            "name": self.name,
            "state": self._state,
            "lastState": self._last,
            "ready": self._ready,
            "started": self._started,
            "restartCount": self._restarts,
            "image": self.spec.get("image", ""),
            "imageID": f"rehearsal://{self.spec.get('image', '')}" if self._id else "",
            **({"containerID": self._id} if self._id else {}),
        }

    def _event(self, reason: str, message: str, kind: str = "Normal") -> None:
        node = child(self._pod, "spec")["nodeName"]
        field = f"spec.containers{{{self.name}}}"
        self._host.events.record(self._pod, kind, reason, message, component="kubelet", host=node, field=field)

    # -- life ------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the container is stopped, or has ended and the pod's restartPolicy lets it be."""
        pause, restart = 0.0, child(self._pod, "spec").get("restartPolicy", "Always")
        while not self._stopping.is_set():
            if pause:
                await self._back_off(pause)
                if self._stopping.is_set():
                    break
            if not self._powered.is_set() and not await self._without_power():
                break
            begun = time.monotonic()
            code = await self._run_once()
            if not self._powered.is_set():
                pause = 0.0
                continue
            if code is None or self._stopping.is_set():
                break
            if restart == "Never" or (restart == "OnFailure" and code == 0):
                break
            # The first restart is immediate; a long run is forgiven.
            long_run = time.monotonic() - begun > FORGIVEN
            pause = 0.0 if self._restarts == 0 or long_run else min(max(pause * 2, BACK_OFF), LONGEST_BACK_OFF)
        self.done = True
        self._changed()

    async def _without_power(self) -> bool:
        """Until there is power again; False when the container is stopped meanwhile."""
        waits = {asyncio.ensure_future(self._powered.wait()), asyncio.ensure_future(self._stopping.wait())}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        return not self._stopping.is_set()

    def power(self, *, on: bool) -> None:
        """Off ends the process at once, and starts none until it is on again."""
        if on:
            self._powered.set()
            return
        self._powered.clear()
        if self.running is not None:
            self.running.main.signal(signal.SIGKILL)

    async def _back_off(self, pause: float) -> None:
        pod = f"{name_of(self._pod)}_{namespace_of(self._pod)}({meta(self._pod)['uid']})"
        words = f"back-off {pause:.0f}s restarting failed container={self.name} pod={pod}"
        self._last = self._state if "terminated" in self._state else self._last
        self._state = {"waiting": {"reason": "CrashLoopBackOff", "message": words}}
        self._event("BackOff", f"Back-off restarting failed container {self.name} in pod {pod}", "Warning")
        self._changed()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), pause)

    async def _run_once(self) -> int | None:
        """One run from start to end; None when it can't be started at all."""
        if "terminated" in self._state:
            self._last, self._restarts = self._state, self._restarts + 1
        elif self._last:
            self._restarts += 1
        main = await self._begin()
        if main is None:
            return None
        begun, self._killed_by_probe = now(), False
        self._state = {"running": {"startedAt": begun}}
        self._started = not self.spec.get("startupProbe")
        self._ready = self._started and not self.spec.get("readinessProbe")
        self._event("Started", "Container started")
        self._changed()
        code = await self._attend(main)
        self._ready = self._started = False
        reason = "Completed" if code == 0 else "Error"
        ended = {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": now(), "containerID": self._id}
        self._state = {"terminated": ended}
        self._changed()
        return code

    async def _begin(self) -> Child | None:
        """The started process; None when the container is stopped before there can be one."""
        while not self._stopping.is_set():
            try:
                return await self._start()
            except MissingImage as why:
                self._wait_for("ErrImagePull", f'Failed to pull image "{self.spec.get("image")}": {why}', str(why))
                again = None
            except OSError as why:
                self._wait_for("CreateContainerError", f"Error: {why.strerror}", str(why.strerror))
                again = BACK_OFF
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), again)
        return None

    def _wait_for(self, reason: str, told: str, words: str) -> None:
        self._state = {"waiting": {"reason": reason, "message": words}}
        self._event("Failed", told, "Warning")
        self._changed()

    async def _attend(self, main: Child) -> int:
        """Copy output and probe until the process ends."""
        assert self.log is not None and self.running is not None
        copying = asyncio.ensure_future(self._copy(main, self.log))
        probing = asyncio.ensure_future(self._probe(self.running))
        try:
            return await self._until_end(main)
        finally:
            self.running = None
            probing.cancel()
            for result in await asyncio.gather(copying, probing, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("container %s of %s", self.name, name_of(self._pod), exc_info=result)
            self.log.close()

    async def _until_end(self, main: Child) -> int:
        ended = asyncio.ensure_future(main.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        # stop() may shorten the grace while we wait.
        return await (ended if ended.done() else main.end_by(lambda: self._deadline))

    async def _copy(self, main: Child, log: ContainerLog) -> None:
        async for line in main.lines():
            log.append(line)

    def stop(self, grace: float) -> None:
        """Ask the container to end within ``grace`` seconds; a second call can only shorten that."""
        self._deadline = min(self._deadline, time.monotonic() + grace)
        if self.running is not None and not self._stopping.is_set():
            self._event("Killing", f"Stopping container {self.name}")
        self._stopping.set()

    # -- starting ----------------------------------------------------------------------------------------

    async def _start(self) -> Child:
        """Start the process. A command that is refused is a process that prints why and fails."""
        self._files.renew(self.spec)
        server: ServerConfig | None = None
        try:
            command, server = self._command()
        except BadCommand as why:
            command = ["sh", "-c", 'echo "$0" >&2; exit 2', str(why)]
        self._event("Pulled", f'Container image "{self.spec.get("image")}" already present on machine')
        self._turn_log()
        main = await self._start_process(command, server)
        self._id = f"rehearsal://{uuid.uuid4().hex}"
        self._event("Created", "Container created")
        self.running = Container(
            pod=self._pod,
            spec=self.spec,
            files=self._files,
            ip=self._ip,
            hosts=self._hosts,
            server=server,
            main=main,
            started=time.time(),
            distribution=self._host.distribution,
            guard=self._host.guard,
            namespaces=self._host.namespaces,
        )
        return main

    async def _start_process(self, command: list[str], server: ServerConfig | None) -> Child:
        """The process, in namespaces of its own where there are any; a shell that stays before it comes along there."""
        shell = [*children(self.spec, "command"), *children(self.spec, "args")] if keeps_its_shell(self.spec) else []
        spaces, folder = self._host.namespaces, self._files.folder
        if spaces is None:
            return await self._host.guard.start(command, cwd=folder, deaf=server is not None and bool(shell))
        user, group = runs_as(self._pod, self.spec)
        if server is None:
            contained = spaces.contain(command, user, group)
        else:
            private, title = self._files.private(self.spec), command_line(server, self.spec)
            contained = spaces.contain_server(command, title, shell, private, user, group)
        return await self._host.guard.start(contained, cwd=folder, contained=True)

    def _command(self) -> tuple[list[str], ServerConfig | None]:
        words = command_words(self.spec)
        program = PurePosixPath(words[0]).name if words else ""
        image = PurePosixPath(str(self.spec.get("image", ""))).name
        if is_zookeeper(words):
            config = parse(self._pod, words)
            launch = Launch(config, self._pod, self.spec, self._files, self._ip, self._hosts)
            launch.prepare()
            return launch.command(self._host.distribution), config
        if (program == "sleep" and len(words) == 2) or (not words and image.startswith("pause")):
            seconds = words[1] if words else str(2**31 - 1)
            # Process 1 of a container has no default signal handlers: sleep ends at SIGKILL, pause at SIGTERM.
            ignoring, ending = (
                """trap '' TERM; exec "$0" "$1\"""",
                """trap 'kill $!; exit 0' TERM; "$0" "$1" & wait $!""",
            )
            script = ignoring if program == "sleep" else ending
            return ["sh", "-c", script, shutil.which("sleep") or "/bin/sleep", seconds], None
        raise MissingImage("the rehearsal cluster runs start-zookeeper, sleep and pause, and has no other images")

    def _turn_log(self) -> None:
        """A new log; the one before it is kept, older ones are not."""
        if self.previous_log is not None:
            self.previous_log.delete()
        self.previous_log = self.log
        folder = self._host.root / "logs" / meta(self._pod)["uid"] / self.name
        self.log = ContainerLog(folder / f"{self._restarts}.log")

    # -- probes ------------------------------------------------------------------------------------------

    async def _probe(self, container: Container) -> None:
        """The startup probe first, alone; then readiness and liveness side by side."""
        startup = self.spec.get("startupProbe")
        if startup:
            passed = asyncio.Event()
            trying = asyncio.ensure_future(probe(startup, container, self._startup_reporter(passed)))
            try:
                await passed.wait()
            finally:
                trying.cancel()
            self._started = True
            self._ready = not self.spec.get("readinessProbe")
            self._changed()
        async with asyncio.TaskGroup() as group:
            if self.spec.get("readinessProbe"):
                group.create_task(probe(self.spec["readinessProbe"], container, self._report_readiness))
            if self.spec.get("livenessProbe"):
                group.create_task(probe(self.spec["livenessProbe"], container, self._report_liveness))

    def _startup_reporter(self, passed: asyncio.Event) -> Callable[[bool, bool, str], None]:
        def report(ok: bool, reached: bool, words: str) -> None:
            if ok and reached:
                passed.set()
            elif not ok:
                self._unhealthy("Startup", reached, words)

        return report

    def _report_readiness(self, ok: bool, reached: bool, words: str) -> None:
        if not ok:
            self._event("Unhealthy", f"Readiness probe failed: {words}", "Warning")
        if reached and ok != self._ready:
            self._ready = ok
            self._changed()

    def _report_liveness(self, ok: bool, reached: bool, words: str) -> None:
        if not ok:
            self._unhealthy("Liveness", reached, words)

    def _unhealthy(self, which: str, reached: bool, words: str) -> None:
        """A failed startup or liveness probe; at its threshold the container is killed, to be restarted."""
        self._event("Unhealthy", f"{which} probe failed: {words}", "Warning")
        if reached and not self._killed_by_probe and self.running is not None:
            self._killed_by_probe = True
            words = f"Container {self.name} failed {which.lower()} probe, will be restarted"
            self._event("Killing", words)
            grace = float(child(self._pod, "spec").get("terminationGracePeriodSeconds") or 30)
            self._killing = asyncio.ensure_future(self.running.main.stop(grace))
