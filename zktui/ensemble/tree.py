"""The znode browser's reads, through any serving member."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from zktui.core.kube import Pod, PodKey
from zktui.core.ports import Dialer, TreeError
from zktui.core.zookeeper import Children, Ensemble, Znode
from zktui.ensemble.session import Client, Pending, RawAcl, RawStat, Refusal, Session, SessionLost, stat_of
from zktui.ensemble.threads import Threads, aside

T = TypeVar("T")

CONNECT_TIMEOUT = 3.0
"""Seconds given to each member."""
READ_TIMEOUT = 5.0
_CLOSING = 0.8
_RUN = 20_000
# Seconds more for each child or byte of a long reply: 12 MB over a slow line take their time.
_PER_CHILD = 1 / 50_000
_PER_BYTE = 1 / 250_000
_PERMS = ((4, "c"), (8, "d"), (1, "r"), (2, "w"), (16, "a"))
"""Bits of org.apache.zookeeper.ZooDefs.Perms, in zkCli's order."""


class SessionTrees:
    """core.ports.Trees: each tree has its own session and threads, so that a long listing holds up nobody else."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer

    def open(self, ensemble: Ensemble, pods: Sequence[Pod]) -> SessionTree:
        """No connection yet. Give the members that serve first, and a new tree when pods are reborn."""
        return SessionTree(self._dialer, ensemble, [pod.key for pod in pods])


class SessionTree:
    """core.ports.Tree. A read that loses its session is asked again through the next pod, each pod once."""

    def __init__(self, dialer: Dialer, ensemble: Ensemble, pods: Sequence[PodKey]) -> None:
        self._dialer = dialer
        self._port = ensemble.client_port
        self._pods = list(pods)
        self._threads = Threads("zk-tree", 3)
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._closed = False

    @property
    def through(self) -> str:
        session = self._session
        return session.pod.name if session is not None and session.alive else ""

    async def children(self, path: str) -> Children:
        return await self._read(path, _children)

    async def stat(self, path: str) -> Znode:
        return await self._read(path, _stat)

    async def get(self, path: str, limit: int = 1_048_576) -> Znode:
        """The server sends the data whole; `limit` is what is kept of it, in bytes."""
        return await self._read(path, partial(_get, limit=limit))

    async def close(self) -> None:
        """End the session; takes less than a second, whatever the server does. Reads under way raise TreeError."""
        self._closed = True
        self._threads.close()
        session, self._session = self._session, None
        if session is not None:
            await aside(partial(session.close, _CLOSING), _CLOSING + 0.1)

    async def _read(self, path: str, read: Callable[[Session, str], T]) -> T:
        if self._closed:
            raise TreeError("the tree is closed")
        try:
            return await self._threads.run(partial(self._through_any, path, read))
        except RuntimeError:
            raise TreeError("the tree is closed") from None
        except ValueError as error:  # kazoo's for a path that is none, and for names that are not UTF-8
            raise TreeError(f"{path}: {error}") from None

    def _through_any(self, path: str, read: Callable[[Session, str], T]) -> T:
        reasons: dict[str, str] = {}
        for _ in range(len(self._pods) + 1):  # the session at hand, then each pod once
            session: Session | None = None
            try:
                session = self._connected(reasons)
                return read(session, path)
            except Refusal as refusal:
                raise TreeError(f"{path}: {refusal}", gone=refusal.gone) from None
            except SessionLost as lost:
                if session is None:
                    break
                reasons[session.pod.name] = str(lost)
        if self._closed:
            raise TreeError("the tree is closed")
        told = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        raise TreeError(f"no member serves ({told})" if told else "no member to read through")

    def _connected(self, tried: dict[str, str]) -> Session:
        """The session at hand, or a new one through the first pod not tried yet. Raises SessionLost: there is none."""
        with self._lock:
            if self._session is not None and self._session.alive:
                return self._session
            if self._session is not None:
                self._session.close()  # lost while nobody read: kazoo still holds threads and sockets for it
            for pod in self._pods:
                if pod.name in tried or self._closed:
                    continue
                session = Session(self._dialer, pod, self._port)
                self._session = session
                try:
                    session.open(CONNECT_TIMEOUT)
                except SessionLost as lost:
                    tried[pod.name] = str(lost)
                    continue
                if self._closed:
                    session.close()
                    break
                return session
            raise SessionLost("no member serves")


def _exists(session: Session, path: str) -> RawStat:
    raw = session.call(lambda client: client.exists_async(path), READ_TIMEOUT)
    if raw is None:
        raise Refusal("it is gone", gone=True)
    return raw


def _children(session: Session, path: str) -> Children:
    count = _exists(session, path).numChildren

    def request(client: Client) -> Pending[tuple[list[str], RawStat]]:
        return client.get_children_async(path, include_data=True)

    names, raw = session.call(request, READ_TIMEOUT + count * _PER_CHILD)
    return Children(path, tuple(in_order(names)), stat_of(raw))


def _stat(session: Session, path: str) -> Znode:
    acl = session.send(lambda client: client.get_acls_async(path))
    raw = _exists(session, path)
    return Znode(path, b"", stat_of(raw), _acl(session, acl))


def _get(session: Session, path: str, limit: int) -> Znode:
    length = _exists(session, path).dataLength
    acl = session.send(lambda client: client.get_acls_async(path))
    data, raw = session.call(lambda client: client.get_async(path), READ_TIMEOUT + length * _PER_BYTE)
    return Znode(path, data[:limit], stat_of(raw), _acl(session, acl), truncated=len(data) > limit)


def _acl(session: Session, pending: Pending[tuple[list[RawAcl], RawStat]]) -> tuple[str, ...]:
    """Where it can't be read there is none to show: it is no reason to show nothing at all."""
    try:
        entries, _ = session.answer(pending, READ_TIMEOUT)
    except Refusal:
        return ()
    return tuple(f"{entry.id.scheme}:{entry.id.id}:{_perms(entry.perms)}" for entry in entries)


def _perms(bits: int) -> str:
    return "".join(letter for bit, letter in _PERMS if bits & bit)


def in_order(names: list[str]) -> Iterator[str]:
    """Sorted, in short runs: one `sort` of a million names keeps every other thread waiting for its whole length."""
    runs: list[list[str]] = []
    for start in range(0, len(names), _RUN):
        run = names[start : start + _RUN]
        run.sort()
        runs.append(run)
        time.sleep(0)
    return heapq.merge(*runs)
