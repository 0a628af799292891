"""An embedded cluster in this process, with two operators' machines beside it, whose clocks can be set."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.audit import Audit, Servers
from tests.scenarios.play import is_ready
from zktui import wiring
from zktui.cluster import connect as connecting
from zktui.cluster.connect import Connection, connect
from zktui.core.clock import SystemClock
from zktui.demo.cluster import DemoCluster
from zktui.session import Session
from zktui.settings import Settings

SETTLE = 100.0
"""Seconds for the ensemble to be well again after a schedule, back-offs of its containers and all."""


class Clock(SystemClock):
    """A machine's, whose wall clock somebody sets, and which somebody suspends."""

    ahead = 0.0
    slept = 0.0

    def now(self) -> float:
        return super().now() + self.slept

    def wall(self) -> float:
        return super().wall() + self.ahead


CLOCK: ContextVar[Clock] = ContextVar("CLOCK")
"""Of the machine whose session is being opened."""


@dataclass
class Place:
    """The cluster with whoever watches it, and the operators' two machines: each has a state folder of its own."""

    cluster: DemoCluster
    folder: Path
    servers: Servers
    audit: Audit
    clocks: list[Clock] = field(default_factory=list[Clock])
    sessions: list[Session] = field(default_factory=list[Session])

    async def well(self) -> None:
        """Three members Ready and serving."""
        await until("three serving members", self._well, SETTLE)

    def _well(self) -> bool:
        pods = self.servers.pods()
        lately = time.monotonic() - 2.0
        served = [self.servers.served.get(p["metadata"]["uid"], ("", 0.0))[1] >= lately for p in pods]
        living = all("deletionTimestamp" not in p["metadata"] and is_ready(p) for p in pods)
        return len(pods) == 3 and living and all(served)


async def until(what: str, look: Callable[[], bool], deadline: float) -> None:
    """Look ten times a second. Fails after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not look():
        assert time.monotonic() < end, f"waited {deadline:.0f} s in vain for: {what}"
        await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[Place]:
    async with contextlib.AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(DemoCluster())
        await cluster.wait_ready()
        cluster.write_kubeconfig(folder / "kubeconfig")
        servers = Servers(cluster)
        place = Place(cluster, folder, servers, Audit(cluster, servers, [folder / f"home-{n}/zktui" for n in (0, 1)]))
        stack.push_async_callback(_ended, asyncio.create_task(servers.watch()))
        for state in place.audit.folders:
            clock = Clock()
            CLOCK.set(clock)
            settings = Settings(kubeconfig=str(folder / "kubeconfig"), state=state)
            connection = await asyncio.to_thread(_connected, settings)
            session = await stack.enter_async_context(wiring.open_session(settings, connection, poll=False))
            session.begin()
            place.clocks.append(clock)
            place.sessions.append(session)
        yield place


def _connected(settings: Settings) -> Connection:
    connection = connect(settings.kubeconfig, settings.context, settings.namespace)
    connection.prepare()
    return connection


async def _ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def clocks_that_can_be_set() -> Generator[None]:
    """Sessions that are opened meanwhile have the clock of their machine."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (wiring, connecting):
            patch.setattr(module, "SystemClock", CLOCK.get)
        yield


async def eventually(what: str, look: Callable[[], Awaitable[bool]], deadline: float = 60.0) -> None:
    """Like `until`, for what itself takes time."""
    end = time.monotonic() + deadline
    while not await look():
        assert time.monotonic() < end, f"waited {deadline:.0f} s in vain for: {what}"
        await asyncio.sleep(0.3)
