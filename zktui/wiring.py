"""The composition root: the one module that sees every layer. It connects, starts the streams, and closes all again."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zktui.checks.gather import Ports
from zktui.checks.inspector import Inspector
from zktui.core.clock import SystemClock
from zktui.core.ports import Breaker, Source
from zktui.core.store import Store
from zktui.core.tasks import begin
from zktui.core.view import View
from zktui.core.zookeeper import Ensemble
from zktui.drills.desk import Drills
from zktui.drills.model import DrillPorts
from zktui.errors import EXIT_FAILED
from zktui.faults import Faults
from zktui.maintenance.desk import Desk
from zktui.session import Session
from zktui.settings import Settings

if TYPE_CHECKING:
    from zktui.cluster.connect import Connection
    from zktui.core.kube import Pod
    from zktui.headless.deploy import Request as DeployRequest
    from zktui.headless.drill import ProcessRequest
    from zktui.headless.maintain import Request
    from zktui.headless.probe import ProbeRequest
    from zktui.headless.resume import Taking
    from zktui.headless.rollout import Request as RolloutRequest
    from zktui.headless.runs import RunsRequest
    from zktui.headless.storagedrill import StorageRequest


GOODBYE = 0.5
"""Seconds for ZooKeeper sessions to close: one that is just dropped stays on its server until it expires."""


def run_status(settings: Settings, output: str) -> int:
    """`zktui status`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.status import status

    return _headless(settings, lambda session: status(session, output))


def run_maintain(settings: Settings, request: Request) -> int:
    """`zktui maintain`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.maintain import maintain

    return _headless(settings, lambda session: maintain(session, request))


def run_drill(settings: Settings, request: ProcessRequest | StorageRequest) -> int:
    """`zktui drill`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.drill import ProcessRequest, drill_process
    from zktui.headless.storagedrill import drill_storage

    if isinstance(request, ProcessRequest):
        return _headless(settings, lambda session: drill_process(session, request))
    return _headless(settings, lambda session: drill_storage(session, request))


def run_probe(settings: Settings, request: ProbeRequest) -> int:
    """`zktui probe`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.probe import probe

    return _headless(settings, lambda session: probe(session, request), poll=False)


def run_check(settings: Settings, chapters: Sequence[str], output: str, *, writes: bool = False) -> int:
    """`zktui check`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.check import check

    return _headless(settings, lambda session: check(session, chapters, output, writes=writes))


def run_deploy(settings: Settings, request: DeployRequest) -> int:
    """`zktui deploy`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.deploy import deploy

    return _headless(settings, lambda session: deploy(session, request), poll=False)


def run_rollout(settings: Settings, request: RolloutRequest) -> int:
    """`zktui rollout` and `zktui set-resources`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.rollout import rollout

    return _headless(settings, lambda session: rollout(session, request), poll=False)


def run_where(settings: Settings, output: str) -> int:
    """`zktui where`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.where import where

    return _headless(settings, lambda session: where(session, output))


def run_take_up(settings: Settings, taking: Taking) -> int:
    """`zktui resume` and `zktui abort`. Returns its exit code; raises ZktuiError."""
    from zktui.headless.resume import take_up

    return _headless(settings, lambda session: take_up(session, taking))


def run_runs(settings: Settings, request: RunsRequest) -> int:
    """`zktui runs`, which needs no cluster. Returns its exit code; raises UsageError."""
    from zktui.headless.runs import runs

    return runs(settings.state, request)


def run_interactive(settings: Settings, breaker: Breaker | None = None) -> int:
    """The interactive program. Returns its exit code; raises ZktuiError for what is wrong before the screen.

    On a rehearsal cluster a `breaker` breaks what the operator wants to see broken.
    """
    connection = _connected(settings)
    from zktui.ui.app import ZktuiApp

    async def interact(faults: Faults) -> int:
        async with open_session(settings, connection) as session:
            app = ZktuiApp(session, faults.add, breaker)
            # What went wrong unseen leaves a screen that can't be trusted.
            faults.listen(app.exit)
            try:
                await app.run_async()
            except Exception as error:  # noqa: BLE001  # whatever it was, a run that goes on is not left alone
                faults.add(error)
            # What was begun on the screen is not cut off in the midst of a change.
            await app.works.finish()
            faults.tell()
            return await _see_out(session, unattended=app.leaves_unattended) or app.return_code or 0

    return _run(settings, interact)


def _run(settings: Settings, work: Callable[[Faults], Coroutine[Any, Any, int]]) -> int:
    """In an event loop. Returns the work's exit code, and EXIT_FAILED for 0 if there was a fault; those are told."""
    faults = Faults(settings.state)

    async def heard() -> int:
        faults.listen()
        return await work(faults)

    try:
        code = asyncio.run(heard())
    finally:
        faults.tell()
    return code or (EXIT_FAILED if faults.any else code)


async def _see_out(session: Session, *, unattended: bool) -> int:
    """A run does not end with the screen, whether that was closed or crashed: it goes on in the terminal to its end.

    But where it is to be left unattended.
    """
    engine = session.desk.engine
    if engine is None or engine.run.status.ended:
        return 0
    from zktui.headless.maintain import attend, leave

    if unattended:
        return await leave(session.desk, engine.run)
    return await attend(engine)


def _headless(settings: Settings, command: Callable[[Session], Awaitable[int]], *, poll: bool = True) -> int:
    connection = _connected(settings)

    async def carry_out(_: Faults) -> int:
        async with open_session(settings, connection, poll=poll) as session:
            session.begin()
            return await command(session)

    return _run(settings, carry_out)


def _connected(settings: Settings) -> Connection:
    """Connect before any event loop or screen: a wrong context is told in the terminal, and Ctrl-C ends a long wait."""
    from zktui.cluster.connect import connect

    connection = connect(settings.kubeconfig, settings.context, settings.namespace)
    try:
        connection.prepare()
    except BaseException:
        connection.close()
        raise
    return connection


@asynccontextmanager
async def open_session(settings: Settings, connection: Connection, *, poll: bool = True) -> AsyncGenerator[Session]:
    """A session over the connection, whose streams start with `Session.begin`. Closes both at the end.

    Without `poll` the members are not asked who they are, which each of them would log.
    """
    from zktui.ensemble.polling import PodMembers
    from zktui.ensemble.probe import SessionProbe
    from zktui.ensemble.rounds import MemberRounds
    from zktui.ensemble.tree import SessionTrees
    from zktui.ensemble.watcher import MemberWatcher

    clock = SystemClock()
    store = Store(clock, only=lambda e: settings.wants(e.namespace, e.name))
    members = PodMembers(connection.dialer, clock, executor=connection.executor)
    watcher = MemberWatcher(members, clock, lambda: targets(store.view()))
    namespace = None if settings.all_namespaces else connection.place.namespace
    feeds = _Feeds(store, (*connection.sources(namespace), *([watcher] if poll else [])))

    def probe(writes: bool) -> SessionProbe:
        return SessionProbe(connection.dialer, clock, writes=writes)

    desk = Desk(
        connection.cluster,
        members,
        clock,
        store.view,
        state_folder=settings.state,
        holder=holder(),
        read_only=settings.read_only,
        witness=probe,
        announcer=connection.announcer,
        store_changes=store.changes,
    )
    rounds = MemberRounds(connection.dialer, clock)
    drills = Drills(
        DrillPorts(connection.cluster, members, connection.objects, connection.executor, rounds, clock),
        state_folder=settings.state,
        holder=holder(),
        place=connection.place,
        read_only=settings.read_only,
    )
    try:
        yield Session(
            settings=settings,
            place=connection.place,
            clock=clock,
            store=store,
            cluster=connection.cluster,
            members=members,
            logs=connection.logs,
            trees=SessionTrees(connection.dialer),
            desk=desk,
            inspector=Inspector(
                Ports(
                    connection.cluster,
                    members,
                    members,
                    connection.objects,
                    connection.executor,
                    rounds,
                    clock,
                ),
                desk,
                read_only=settings.read_only,
            ),
            objects=connection.objects,
            drills=drills,
            probe=probe,
            begin=feeds.start,
        )
    finally:
        await feeds.stop()
        members.close(GOODBYE)
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
            self._tasks = [begin(self._feed(source), type(source).__name__) for source in self._sources]

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


def serve_demo(options: Sequence[str]) -> int:
    """`zktui demo --serve`: the rehearsal cluster alone, until Ctrl-C. Returns its exit code."""
    from zktui.demo.__main__ import main

    return main(options)


def run_demo(settings: Settings, options: Sequence[str]) -> int:
    """`zktui demo`: a rehearsal cluster, and the interactive program on it. Returns the program's exit code."""
    from zktui.rehearsal import Demo, rehearsal

    with rehearsal(options) as kubeconfig:
        its_own = replace(settings, kubeconfig=str(kubeconfig), context=None, namespace=None)
        code = run_interactive(its_own, Demo(kubeconfig))
        sys.stdout.write("Stopping the demo cluster ...\n")
        sys.stdout.flush()
        return code
