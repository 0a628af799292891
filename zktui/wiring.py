"""The composition root: the one module that sees every layer. It connects, starts the streams, and closes all again."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from zktui.core.clock import SystemClock
from zktui.core.ports import Source
from zktui.core.store import Store
from zktui.core.view import View
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.desk import Desk
from zktui.session import Session
from zktui.settings import Settings

if TYPE_CHECKING:
    from zktui.core.kube import Pod
    from zktui.headless.maintain import Request


def run_status(settings: Settings, output: str) -> int:
    """`zktui status`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.status import status

    return asyncio.run(_headless(settings, lambda session: status(session, output)))


def run_maintain(settings: Settings, request: Request) -> int:
    """`zktui maintain`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.maintain import maintain

    return asyncio.run(_headless(settings, lambda session: maintain(session, request)))


def run_interactive(settings: Settings) -> int:
    """The interactive program. Returns its exit code; raises ZktuiError for what is wrong before the screen is taken."""
    return asyncio.run(_interactive(settings))


async def _headless(settings: Settings, command: Callable[[Session], Awaitable[int]]) -> int:
    async with open_session(settings) as session:
        session.begin()
        return await command(session)


async def _interactive(settings: Settings) -> int:
    async with open_session(settings) as session:
        # Imported with the connection made: a wrong context is told in the terminal, not on a screen.
        from zktui.ui.app import ZktuiApp

        app = ZktuiApp(session)
        await app.run_async()
        return app.return_code or 0


@asynccontextmanager
async def open_session(settings: Settings) -> AsyncGenerator[Session]:
    """Connect and hand out a session whose streams start with `Session.begin`; close everything at the end.

    Raises ZktuiError when the cluster can't be reached as the settings say.
    """
    from zktui.cluster.connect import connect
    from zktui.ensemble.polling import PodMembers
    from zktui.ensemble.tree import SessionTrees
    from zktui.ensemble.watcher import MemberWatcher

    clock = SystemClock()
    connection = connect(settings.kubeconfig, settings.context, settings.namespace, clock)
    try:
        await connection.check()
        store = Store(clock, only=lambda e: settings.wants(e.namespace, e.name))
        members = PodMembers(connection.dialer, clock)
        watcher = MemberWatcher(members, clock, lambda: targets(store.view()))
        namespace = None if settings.all_namespaces else connection.place.namespace
        feeds = _Feeds(store, (*connection.sources(namespace), watcher))
        desk = Desk(
            connection.cluster, members, clock, store.view, settings.state, holder(), read_only=settings.read_only
        )
        trees = SessionTrees(connection.dialer)
        session = Session(
            settings=settings,
            place=connection.place,
            clock=clock,
            store=store,
            cluster=connection.cluster,
            members=members,
            logs=connection.logs,
            trees=trees,
            desk=desk,
            begin=feeds.start,
        )
        try:
            yield session
        finally:
            await feeds.stop()
            members.close()
    finally:
        connection.close()


class _Feeds:
    """One task for each source, carrying its batches into the store."""

    def __init__(self, store: Store, sources: Sequence[Source]) -> None:
        self._store = store
        self._sources = sources
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the streams; a second call does nothing."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._feed(source)) for source in self._sources]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _feed(self, source: Source) -> None:
        stream = source.open()
        async with contextlib.aclosing(stream):  # pyright: ignore[reportArgumentType]  # sources are async generators
            async for batch in stream:
                self._store.apply(batch)


def targets(view: View) -> tuple[tuple[Ensemble, tuple[Pod, ...]], ...]:
    """Whom the watcher is to ask: each ensemble with its pods."""
    return tuple((e.ensemble, tuple(m.pod for m in e.members)) for e in view.ensembles)


def holder() -> str:
    """Who this program is, for the Lease that keeps two operators apart: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}/{os.getpid()}"
