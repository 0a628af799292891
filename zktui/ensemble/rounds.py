"""Rounds through an ensemble: one session at each member, a write through each, and reads of it through all others."""

from __future__ import annotations

import asyncio
import errno
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from zktui.core.kube import Pod, PodKey
from zktui.core.ports import Answer, Clock, Dialer, Refused, Reply, Unanswered
from zktui.core.rounds import Found, Read, Round, Trouble, Write
from zktui.core.zookeeper import Ensemble, Zxid
from zktui.ensemble.session import SESSION_TIMEOUT, Refusal, Session, SessionLost
from zktui.ensemble.threads import Threads

PREFIX = "/zktui-sanity-"
DATA = b"zktui check: written and deleted by its sanity round"
GOODBYE = 1.0
"""Seconds for a session to close: what it has left behind is gone with it."""
# Failures of a dial by which the pod was reached; after any other one can't know.
_THEIRS = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT})

T = TypeVar("T")


class MemberRounds:
    """core.ports.Rounds over a Dialer, with threads of its own that exist only while there is work."""

    def __init__(self, dialer: Dialer, clock: Clock) -> None:
        self._dialer = dialer
        self._clock = clock

    async def play(self, ensemble: Ensemble, pods: Sequence[Pod], timeout: float = 10.0) -> Round:
        if not pods:
            return Round()
        threads = Threads("zk-round", len(pods))
        name = f"{PREFIX}{secrets.token_hex(4)}"
        members = [_Member(self._dialer, pod.key, ensemble.client_port, f"{name}-{pod.name}") for pod in pods]
        ended: dict[str, bool] = {}
        try:
            writes = await _all(threads, [partial(member.write, timeout) for member in members])
            written = {w.member: w for w in writes if w.trouble is None}
            looks = await _all(threads, [partial(member.look, written, timeout) for member in members])
        finally:
            # Its own threads: those of the round may still wait for an answer when it is cancelled.
            ending = asyncio.ensure_future(_end(members))
            ended = await _finish(ending)
            threads.close()
        left = tuple(member.path for member in members if not ended[member.path])
        return Round(tuple(writes), tuple(read for look in looks for read in look), left, SESSION_TIMEOUT)

    async def create(self, ensemble: Ensemble, pod: Pod, path: str, data: bytes, timeout: float = 10.0) -> Reply[Found]:
        def work(session: Session, left: Callable[[], float]) -> Found:
            made = session.send(lambda client: client.create_async(path, data, ephemeral=False))
            there = session.send(lambda client: client.get_async(path))
            session.answer(made, left())
            found, stat = session.answer(there, left())
            return Found(found, Zxid(stat.czxid))

        return await self._through(ensemble, pod, timeout, work)

    async def find(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[Found]:
        def work(session: Session, left: Callable[[], float]) -> Found:
            synced = session.send(lambda client: client.sync_async(path))
            there = session.send(lambda client: client.get_async(path))
            session.answer(synced, left())
            found, stat = session.answer(there, left())
            return Found(found, Zxid(stat.czxid))

        return await self._through(ensemble, pod, timeout, work)

    async def remove(self, ensemble: Ensemble, pod: Pod, path: str, timeout: float = 10.0) -> Reply[bool]:
        def work(session: Session, left: Callable[[], float]) -> bool:
            try:
                session.answer(session.send(lambda client: client.delete_async(path)), left())
            except Refusal as refusal:
                if not refusal.gone:
                    raise
                return False
            return True

        return await self._through(ensemble, pod, timeout, work)

    async def _through(
        self, ensemble: Ensemble, pod: Pod, timeout: float, work: Callable[[Session, Callable[[], float]], T]
    ) -> Reply[T]:
        """In a session of its own through this pod."""
        asked = self._clock.now()
        threads = Threads("zk-round", 1)
        try:
            return await threads.run(partial(self._session, ensemble, pod.key, timeout, work, asked))
        finally:
            threads.close()

    def _session(
        self,
        ensemble: Ensemble,
        pod: PodKey,
        timeout: float,
        work: Callable[[Session, Callable[[], float]], T],
        asked: float,
    ) -> Reply[T]:
        deadline = time.monotonic() + timeout
        session = Session(self._dialer, pod, ensemble.client_port)

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        try:
            try:
                session.open(timeout)
            except SessionLost as lost:
                return Unanswered(str(lost), asked, sent=False)
            try:
                return Answer(work(session, left), asked)
            except SessionLost as lost:
                return Unanswered(str(lost), asked)
            except Refusal as refusal:
                code = 404 if refusal.gone else 403 if refusal.closed else 409
                return Refused(code, "", str(refusal), asked)
        finally:
            session.close(GOODBYE)


class _Noting:
    """A Dialer that remembers whether the pod itself was reached."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self.reached = True

    def dial(self, pod: PodKey, port: int, timeout: float) -> Any:
        try:
            return self._dialer.dial(pod, port, timeout)
        except OSError as error:
            self.reached = error.errno in _THEIRS or isinstance(error.__cause__, TimeoutError)
            raise


class _Member:
    """One member's session in a round. All of it blocks; `end` may come from another thread at any moment."""

    def __init__(self, dialer: Dialer, pod: PodKey, port: int, path: str) -> None:
        self._dialer = _Noting(dialer)
        self._session = Session(self._dialer, pod, port)
        self._name = pod.name
        self._lock = threading.Lock()
        self._over = False
        self._made = False
        self._lost: Trouble | None = None
        self.path = path

    def write(self, timeout: float) -> Write:
        """Open the session, and create the znode through it."""
        try:
            self._session.open(timeout)
        except SessionLost as lost:
            self._lost = Trouble(f"no session: {lost}", self._dialer.reached)
            return Write(self._name, self.path, trouble=self._lost)
        began = time.monotonic()
        try:
            with self._lock:
                if self._over:
                    self._session.close()  # it was opened behind the back of `end`
                    raise SessionLost("the round was broken off")
                made = self._session.send(lambda client: client.create_async(self.path, DATA, ephemeral=True))
                self._made = True
            try:
                self._session.answer(made, timeout)
            except Refusal:
                self._made = False
                raise
            took = time.monotonic() - began
            stat = self._session.call(lambda client: client.exists_async(self.path), timeout)
        except SessionLost as lost:
            self._lost = Trouble(str(lost))
            return Write(self._name, self.path, trouble=self._lost)
        except Refusal as refusal:
            return Write(self._name, self.path, trouble=Trouble(str(refusal), told=not refusal.closed))
        return Write(self._name, self.path, took, Zxid(stat.czxid) if stat is not None else None)

    def look(self, written: Mapping[str, Write], timeout: float) -> list[Read]:
        """Read what was written through the others, one after another."""
        return [self._read(write, timeout) for write in written.values() if write.member != self._name]

    def _read(self, write: Write, timeout: float) -> Read:
        if self._lost is not None:
            return Read(self._name, write.member, trouble=self._lost)
        began = time.monotonic()
        try:
            self._session.call(lambda client: client.sync_async(write.path), timeout)
            synced = time.monotonic()
            data, stat = self._session.call(lambda client: client.get_async(write.path), timeout)
        except SessionLost as lost:
            self._lost = Trouble(str(lost))
            return Read(self._name, write.member, trouble=self._lost)
        except Refusal as refusal:
            why = "it is not there after a sync" if refusal.gone else str(refusal)
            return Read(self._name, write.member, trouble=Trouble(why, told=not refusal.closed))
        same = data == DATA and stat.czxid == write.zxid
        took = (synced - began, time.monotonic() - synced)
        return Read(self._name, write.member, *took, Zxid(stat.czxid), same)

    def end(self, timeout: float) -> bool:
        """Delete what was made, and close the session. Whether it is known to be gone."""
        with self._lock:
            self._over = True
            made = self._made
        gone = not made
        if made and self._session.alive:
            try:
                self._session.call(lambda client: client.delete_async(self.path), timeout)
                gone = True
            except Refusal as refusal:
                gone = refusal.gone
            except SessionLost:
                gone = False
        self._session.close(GOODBYE)
        return gone


async def _all(threads: Threads, work: Sequence[Callable[[], T]]) -> list[T]:
    return list(await asyncio.gather(*(threads.run(item) for item in work)))


async def _end(members: Sequence[_Member]) -> dict[str, bool]:
    threads = Threads("zk-round-end", len(members))
    try:
        ended = await _all(threads, [partial(member.end, GOODBYE) for member in members])
    finally:
        threads.close()
    return {member.path: gone for member, gone in zip(members, ended, strict=True)}


async def _finish(ending: asyncio.Future[dict[str, bool]]) -> dict[str, bool]:
    """Await it whatever comes: who cancels a round twice waits for its clearing up all the same, which is bounded."""
    cancelled: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return ending.result()
