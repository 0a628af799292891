"""Questions to single servers: who they are, what their ensemble is, and whether they have caught up."""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from zktui.core.kube import Pod, PodKey
from zktui.core.ports import Answer, Clock, Dialer, DialError, Executor, Refused, Reply, Unanswered
from zktui.core.zookeeper import Ensemble, EnsembleConfig, EnsembleKey, MemberReport, MemberSessions, Mode
from zktui.ensemble.session import Refusal, Session, SessionLost
from zktui.ensemble.threads import Threads
from zktui.ensemble.words import (
    NOT_SERVING,
    Monitor,
    NoAnswer,
    Unreadable,
    ask,
    closed,
    named,
    parse_conf,
    parse_config,
    parse_cons,
    parse_dump,
    parse_mntr,
    parse_srvr,
    printable,
    told_all,
)
from zktui.ensemble.written import WrittenMembership, untold

CONFIG_PATH = "/zookeeper/config"
CONFIG_TIMEOUT = 5.0
"""Seconds for reading the configuration, over all pods."""
_CONF_SECONDS = 1.5
"""Of these, kept for `conf`: with a frozen leader every session takes all the time it gets, and none is had."""
_EACH = 2.0
_MNTR_AGAIN = 300.0
"""Seconds until a server that has `mntr` closed is asked again: an upgrade or a new command line may open it."""
_GRACE = 0.5
# Failures of a dial by which the pod was reached; after any other one can't know.
_THEIRS = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT})


class Look(NamedTuple):
    """A report, and whether the question came as far as the pod: when it came to none, that says nothing of them."""

    report: MemberReport
    reached: bool


class PodMembers:
    """core.ports.Members over a Dialer, with a pool of threads of its own. Stamps are the Clock's; `close` ends it.

    Deadlines of sockets are real seconds, whatever the clock.
    """

    def __init__(self, dialer: Dialer, clock: Clock, *, threads: int = 16, executor: Executor | None = None) -> None:
        """With an `executor` the membership of ZooKeeper 3.4 is read from its zoo.cfg."""
        self._dialer = dialer
        self._clock = clock
        self._threads = Threads("zk-ask", threads)
        self._mntr_closed: dict[str, float] = {}
        self._sessions: dict[EnsembleKey, Session] = {}
        self._locks: dict[EnsembleKey, threading.Lock] = {}
        self._lock = threading.Lock()
        self._written = WrittenMembership(executor) if executor is not None else None
        self._versions: dict[tuple[str, str], str] = {}
        """Namespace and name of a pod to the version that its server said last: without a quorum it says none."""

    def close(self, patience: float = 0.0) -> None:
        """End threads and sessions; wait for them at most `patience` seconds."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        deadline = time.monotonic() + patience
        for session in sessions:
            session.close()
        for session in sessions:
            session.close(max(0.0, deadline - time.monotonic()))
        self._threads.close(max(0.0, deadline - time.monotonic()))

    async def poll(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> MemberReport:
        """Ask `srvr`, and with `detail` also `mntr` where it is open, in at most `timeout` seconds.

        Mode UNKNOWN with an empty `source` means that the way to the member was refused for a reason that is not its
        own (no permission, no API server); SILENT, that no answer came, wherever the question was lost.
        """
        return (await self.look(ensemble, pod, timeout, detail=detail)).report

    async def look(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5, *, detail: bool = True) -> Look:
        """As `poll`, with whether the member was reached; without `detail` mntr is not asked."""
        asked = self._clock.now()
        if reason := _not_there(pod):
            return Look(MemberReport(pod.key, asked, Mode.SILENT, error=reason), reached=True)
        work = partial(self._look, ensemble.client_port, pod.key, timeout, detail)
        try:
            async with asyncio.timeout(timeout + _GRACE):
                found = await self._threads.run(work)
        except TimeoutError:
            why = f"no answer in {timeout:g} s"
            return Look(MemberReport(pod.key, asked, Mode.SILENT, error=why, took=timeout + _GRACE), reached=False)
        except RuntimeError as error:  # the pool is closed: the program is ending
            return Look(MemberReport(pod.key, asked, Mode.UNKNOWN, error=str(error)), reached=False)
        if found.report.version:
            self._versions[pod.namespace, pod.name] = found.report.version
        return found

    async def config(self, ensemble: Ensemble, pods: Sequence[Pod]) -> Reply[EnsembleConfig]:
        """Read `/zookeeper/config` through the pods in their order, after a `sync`; failing that, ask each for `conf`.

        The session is kept for the next reading: opening one is a write to the ensemble. ZooKeeper 3.4 tells no
        membership: there it is read from zoo.cfg. Nor does a standalone server: Unanswered.
        """
        asked = self._clock.now()
        there = [pod for pod in pods if not _not_there(pod)]
        if not there:
            return Unanswered("no pod of the ensemble runs", asked, sent=False)
        if self._written is None:
            return await self._told(ensemble, there, asked)
        if not untold(self._versions_of(there)):
            told = await self._told(ensemble, there, asked)
            if isinstance(told, Answer):
                return told
            if not any(self._versions_of(there)):
                await asyncio.gather(*(self.poll(ensemble, pod, detail=False) for pod in there))
            if not untold(self._versions_of(there)):
                return told
        return await self._written.read(ensemble, there, self._clock.now())

    def _versions_of(self, pods: Sequence[Pod]) -> list[str]:
        return [self._versions.get((pod.namespace, pod.name), "") for pod in pods]

    async def _told(self, ensemble: Ensemble, there: Sequence[Pod], asked: float) -> Reply[EnsembleConfig]:
        try:
            async with asyncio.timeout(CONFIG_TIMEOUT + _GRACE):
                return await self._threads.run(partial(self._config, ensemble, there, asked))
        except TimeoutError:
            return Unanswered(f"no configuration in {CONFIG_TIMEOUT:g} s", asked)
        except RuntimeError as error:
            return Unanswered(str(error), asked, sent=False)

    async def word(self, ensemble: Ensemble, pod: Pod, word: str, timeout: float = 4.0) -> Reply[str]:
        """One four-letter word, as its server answers it."""
        asked = self._clock.now()
        if reason := _not_there(pod):
            return Unanswered(reason, asked, sent=False)
        try:
            async with asyncio.timeout(timeout + _GRACE):
                text = await self._threads.run(partial(ask, self._dialer, pod.key, ensemble.client_port, word, timeout))
        except TimeoutError:
            return Unanswered(f"no answer in {timeout:g} s", asked)
        except (NoAnswer, OSError, RuntimeError) as error:
            return Unanswered(_line(error), asked)
        if shut := closed(text):
            return Refused(403, "Forbidden", shut, asked)
        return Answer(text, asked)

    async def synced_read(self, ensemble: Ensemble, pod: Pod, timeout: float = 5.0) -> Reply[bool]:
        """`sync`, then a read of `/`, in a session of its own through this very member: Answer(True), or Unanswered."""
        asked = self._clock.now()
        if reason := _not_there(pod):
            return Unanswered(reason, asked, sent=False)
        try:
            async with asyncio.timeout(timeout + _GRACE):
                return await self._threads.run(partial(self._synced_read, ensemble, pod.key, timeout))
        except TimeoutError:
            return Unanswered(f"no answer in {timeout:g} s", asked)
        except RuntimeError as error:
            return Unanswered(str(error), asked, sent=False)

    async def sessions(self, ensemble: Ensemble, pod: Pod, timeout: float = 1.5) -> MemberSessions:
        """Ask `conf`, `cons` and `dump`, each within `timeout` seconds; what is closed or silent is not told."""
        if _not_there(pod):
            return MemberSessions()
        try:
            words = [
                self._threads.run(partial(self._word, ensemble.client_port, pod.key, word, timeout))
                for word in ("conf", "cons", "dump")
            ]
            async with asyncio.timeout(timeout + _GRACE):
                conf, cons, dump = await asyncio.gather(*words)
        except (TimeoutError, RuntimeError):  # or the pool is closed: the program is ending
            return MemberSessions()
        return _sessions_of(conf, cons, dump)

    def _word(self, port: int, pod: PodKey, word: str, timeout: float) -> str:
        try:
            text = ask(self._dialer, pod, port, word, timeout)
        except (NoAnswer, OSError):
            return ""
        return "" if closed(text) or text.startswith(NOT_SERVING) else text

    def _look(self, port: int, pod: PodKey, timeout: float, detail: bool) -> Look:
        asked = self._clock.now()
        deadline = time.monotonic() + timeout
        try:
            text = ask(self._dialer, pod, port, "srvr", timeout)
        except DialError as error:
            theirs = error.errno in _THEIRS
            silent = theirs or isinstance(error.__cause__, TimeoutError)
            mode = Mode.SILENT if silent else Mode.UNKNOWN
            took = self._clock.now() - asked
            return Look(MemberReport(pod, asked, mode, error=_line(error), took=took), reached=theirs)
        except (NoAnswer, OSError) as error:
            took = self._clock.now() - asked
            return Look(MemberReport(pod, asked, Mode.SILENT, error=_line(error), took=took), reached=True)
        return Look(self._report(port, pod, asked, deadline, text, detail), reached=True)

    def _report(self, port: int, pod: PodKey, asked: float, deadline: float, text: str, detail: bool) -> MemberReport:
        status = parse_srvr(text)
        report = MemberReport(
            pod,
            asked,
            status.mode,
            status.zxid,
            status.version,
            status.connections,
            status.latency,
            status.outstanding,
            status.znodes,
            source="srvr",
            error=status.error,
            took=self._clock.now() - asked,
        )
        shut = bool(closed(text))
        if (detail or shut) and status.mode is not Mode.LOOKING:
            monitor = self._mntr(port, pod, deadline)
            if monitor is not None and shut:
                return replace(report, mode=monitor.mode, version=monitor.version, detail=monitor.detail, source="mntr")
            if monitor is not None:
                return replace(report, detail=monitor.detail)
        return report

    def _mntr(self, port: int, pod: PodKey, deadline: float) -> Monitor | None:
        now = time.monotonic()
        if self._mntr_closed.get(pod.uid, 0.0) > now or deadline <= now:
            return None
        try:
            text = ask(self._dialer, pod, port, "mntr", deadline - now, told_all)
        except (NoAnswer, OSError):
            return None  # srvr has answered: the report stands without it
        if closed(text):
            self._remember_closed(pod.uid, now)
            return None
        return parse_mntr(text)

    def _remember_closed(self, uid: str, now: float) -> None:
        with self._lock:
            self._mntr_closed = {u: until for u, until in self._mntr_closed.items() if until > now}
            self._mntr_closed[uid] = now + _MNTR_AGAIN

    def _config(self, ensemble: Ensemble, pods: Sequence[Pod], asked: float) -> Reply[EnsembleConfig]:
        end = time.monotonic() + CONFIG_TIMEOUT
        deadline = end - _CONF_SECONDS
        with self._lock:
            lock = self._locks.setdefault(ensemble.key, threading.Lock())
        reasons: list[str] = []
        with lock:
            for pod in self._kept_first(ensemble.key, pods):
                try:
                    config = self._read_config(ensemble, pod, deadline)
                except (SessionLost, Refusal, Unreadable) as error:
                    reasons.append(f"{pod.name}: {_line(error)}")
                    if isinstance(error, Refusal):
                        break  # the others would answer the same
                    continue
                return Answer(replace(named(config, pod), source=CONFIG_PATH, at=asked), asked)
        for left, pod in zip(range(len(pods), 0, -1), pods, strict=True):
            try:
                text = ask(self._dialer, pod.key, ensemble.client_port, "conf", _share(end, left))
                conf = parse_conf(text)
            except (NoAnswer, OSError, Unreadable) as error:
                reasons.append(f"{pod.name}: {_line(error)}")
                continue
            if conf is not None and conf.config is not None:
                return Answer(replace(named(conf.config, pod), source="conf", at=asked), asked)
        return Unanswered("; ".join(dict.fromkeys(reasons)) or "no member tells its membership", asked)

    def _kept_first(self, key: EnsembleKey, pods: Sequence[Pod]) -> list[Pod]:
        kept = self._sessions.get(key)
        uid = kept.pod.uid if kept is not None and kept.alive else ""
        return sorted(pods, key=lambda pod: pod.uid != uid)

    def _read_config(self, ensemble: Ensemble, pod: Pod, deadline: float) -> EnsembleConfig:
        session = self._sessions.get(ensemble.key)
        if session is None or not session.alive or session.pod.uid != pod.uid:
            if session is not None:
                session.close()
            session = Session(self._dialer, pod.key, ensemble.client_port)
            self._sessions[ensemble.key] = session
            session.open(_share(deadline))
        synced = session.send(lambda client: client.sync_async(CONFIG_PATH))
        read = session.send(lambda client: client.get_async(CONFIG_PATH))
        session.answer(synced, _share(deadline))
        data, _ = session.answer(read, _share(deadline))
        config = parse_config(data.decode("utf-8", "replace"))
        if not config.servers:
            raise Refusal("a standalone server has no membership")
        return config

    def _synced_read(self, ensemble: Ensemble, pod: PodKey, timeout: float) -> Reply[bool]:
        asked = self._clock.now()
        deadline = time.monotonic() + timeout
        session = Session(self._dialer, pod, ensemble.client_port)
        try:
            session.open(timeout)
            synced = session.send(lambda client: client.sync_async("/"))
            read = session.send(lambda client: client.exists_async("/"))
            session.answer(synced, max(0.0, deadline - time.monotonic()))
            try:
                session.answer(read, max(0.0, deadline - time.monotonic()))
            except Refusal as refusal:
                if not refusal.closed:
                    raise
                # Not permitted (3.9.4 asks for the read permission even here), but judged by this very member's tree.
        except (SessionLost, Refusal) as error:
            return Unanswered(_line(error), asked)
        finally:
            session.close()
        return Answer(True, asked)


def _sessions_of(conf: str, cons: str, dump: str) -> MemberSessions:
    """An empty text is a word that was not answered."""
    try:
        told = parse_conf(conf)
    except Unreadable:
        told = None
    sessions, ephemerals = parse_cons(cons), parse_dump(dump)
    return MemberSessions(
        told.min_session_timeout if told is not None else None,
        min(sessions.values(), default=None),
        sum(ephemerals.get(session, 0) for session in sessions) if cons and dump else None,
    )


def _not_there(pod: Pod) -> str:
    """Why there is nothing to ask; empty when there is. A terminating pod is asked: it may serve to its last second."""
    if not pod.node:
        return "the pod is not scheduled"
    if pod.finished:
        return f"the pod has {pod.phase.lower()}"
    return "the pod is pending" if pod.phase == "Pending" else ""


def _share(deadline: float, steps: int = 1) -> float:
    """Seconds for the next of so many steps; no more than `_EACH`, so that a frozen member leaves some."""
    return max(0.05, min(_EACH, (deadline - time.monotonic()) / steps))


def _line(error: Exception) -> str:
    told = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return printable(told, 160) or type(error).__name__
