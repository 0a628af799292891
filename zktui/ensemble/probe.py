"""What a client feels during a maintenance: one session for each member, reading all the while.

It is light: ten reads a second and member, for which a server logs nothing. A session that is lost is taken up again
through another member, as a client would, with pauses that grow with the outage.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from zktui.core.kube import Pod, PodKey
from zktui.core.ports import Clock, Dialer, ProbeGap, ProbeSession, ProbeSummary
from zktui.core.zookeeper import Ensemble, EnsembleKey
from zktui.ensemble.session import Client, Pending, Refusal, Session, SessionExpired, SessionId, SessionLost
from zktui.ensemble.threads import aside

PATH = "/zookeeper"
"""Every server has it."""
PERIOD = 0.1
"""Seconds from one read to the next."""
WRITE_PERIOD = 0.5
"""Seconds from one write to the next, when writes were asked for."""
PATIENCE = 1.0
"""Seconds after which an operation or a new connection has failed."""
GOODBYE = 0.5
"""Seconds for a session to be closed by its server in the end."""
LONGEST_PAUSE = 1.0
NOTED = 0.3
"""Seconds without an answer from which a gap is listed."""
HELD_UP = 0.5
"""Seconds by which the program may come late to its next operation before that is taken off the gap."""
KEPT = 200
"""Gaps that are listed of each session; the newest ones."""


@dataclass(slots=True)
class _Group:
    """One ensemble's sessions. `pods` is replaced whole: the sessions' threads look at it without a lock."""

    port: int
    pods: dict[str, PodKey] = field(default_factory=dict[str, PodKey])
    readers: dict[str, _Reader] = field(default_factory=dict[str, "_Reader"])


class SessionProbe:
    """core.ports.Probe. Each session starts at its own member and moves on when that is lost.

    With `writes` each session also has an ephemeral znode of its own in the root, which goes with the session.
    """

    def __init__(self, dialer: Dialer, clock: Clock, *, writes: bool = False) -> None:
        self.dialer = dialer
        self.clock = clock
        self.writes = writes
        self.over = threading.Event()
        self._groups: dict[EnsembleKey, _Group] = {}
        self._told: ProbeSummary | None = None

    def start(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None:
        """Begin; called again, it tells the pods as they are now (a reborn pod has another UID). Nothing after `stop`.

        Only pods that run and are not terminating are dialled, as clients are led by a service.
        """
        if self.over.is_set():
            return
        group = self._groups.setdefault(ensemble.key, _Group(ensemble.client_port))
        group.pods = {pod.name: pod.key for pod in pods if pod.phase == "Running" and not pod.terminating}
        for name in group.pods:
            if name not in group.readers:
                reader = _Reader(name, self, group, ensemble.namespace)
                # Without a thread (none to be had) the member has no session, and the summary shows none.
                with contextlib.suppress(RuntimeError):
                    reader.thread.start()
                    group.readers[name] = reader

    def summary(self) -> ProbeSummary:
        """Up to now; after `stop` as it was then: nobody reads any more, and that is no gap."""
        if self._told is not None:
            return self._told
        readers = [reader for group in self._groups.values() for _, reader in sorted(group.readers.items())]
        sessions = sorted((reader.told() for reader in readers), key=lambda s: (s.namespace, s.home))
        by_member: dict[str, float] = {}
        for session in sessions:
            by_member[session.home] = max(session.longest_gap, by_member.get(session.home, 0.0))
        return ProbeSummary(
            operations=sum(session.operations for session in sessions),
            failures=sum(session.failures for session in sessions),
            longest_gap=max(by_member.values(), default=0.0),
            by_member=by_member,
            sessions=tuple(sessions),
            gaps=tuple(sorted((gap for reader in readers for gap in reader.gaps()), key=lambda gap: gap.wall)),
        )

    async def stop(self) -> ProbeSummary:
        """End all sessions, in at most a second, and say what was felt up to now."""
        told = self._told = self.summary()
        self.over.set()
        readers = [reader for group in self._groups.values() for reader in group.readers.values()]

        def join() -> None:
            for reader in readers:
                reader.thread.join()

        await aside(join, 1.0)
        return told


class _Reader:
    """One session's thread. What it counts is written by that thread alone."""

    def __init__(self, home: str, probe: SessionProbe, group: _Group, namespace: str) -> None:
        self.home = home
        self.thread = threading.Thread(target=self._run, name=f"zk-probe-{home}", daemon=True)
        self._namespace = namespace
        self._probe = probe
        self._group = group
        self._clock = probe.clock
        self._over = probe.over
        self._at = home
        self._session: Session | None = None
        self._id: SessionId | None = None
        self._tally = _Tally(probe.clock, home)
        self._writer = _Writer(f"/zktui-probe-{secrets.token_hex(4)}-{home}") if probe.writes else None

    def told(self) -> ProbeSession:
        tally, writer, session = self._tally, self._writer, self._session
        return ProbeSession(
            self._namespace,
            self.home,
            session.pod.name if session is not None and session.alive else "",
            tally.operations,
            tally.failures,
            tally.longest_gap(),
            tally.expired,
            writer.acknowledged if writer is not None else 0,
            writer.lost if writer is not None else 0,
            writer.refused if writer is not None else "",
        )

    def gaps(self) -> tuple[ProbeGap, ...]:
        return self._tally.gaps()

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                began = self._clock.now()
                why = self._operate()
                now = self._clock.now()
                self._tally.count(why, self._at, now)
                if why:
                    self._move_on()
                wake = now + self._tally.pause(now) if why else max(now, began + PERIOD)
                self._over.wait(wake - now)
                # The program itself was held up: nobody asked, so nobody was kept waiting.
                self._tally.overslept(self._clock.now() - wake)
        finally:
            if self._session is not None:
                # Waited for: what is still on its way when the program ends would be cut, and the session with its
                # znode stay at the server until it expires.
                self._session.close(GOODBYE)

    def _operate(self) -> str:
        """One read, and a write when it is due; why it failed, or empty."""
        try:
            session = self._session
            if session is None or not session.alive:
                session = self._connect()
            with contextlib.suppress(Refusal):  # an answer is an answer
                session.call(_exists, PATIENCE)
            if self._writer is not None and self._clock.now() >= self._writer.due:
                self._writer.write(session)
                self._writer.due = self._clock.now() + WRITE_PERIOD
        except SessionLost as lost:
            return str(lost)
        return ""

    def _connect(self) -> Session:
        if self._session is not None:
            self._session.close(goodbye=False)
            self._session = None
        pod = self._group.pods.get(self._at)
        if pod is None:
            raise SessionLost("its pod does not run")
        session = Session(self._probe.dialer, pod, self._group.port, keep=True)
        try:
            session.open(PATIENCE, self._id)
        except SessionExpired:
            self._id = None
            self._tally.expired += 1
            raise
        self._id, self._session = session.id, session
        if self._writer is not None:
            self._writer.check(session)
        return session

    def _move_on(self) -> None:
        """To the next member by name."""
        names = sorted(self._group.pods)
        later = [name for name in names if name > self._at]
        self._at = (later or names or [self.home])[0]


class _Tally:
    """What a session has felt."""

    def __init__(self, clock: Clock, home: str) -> None:
        self.operations = 0
        self.failures = 0
        self.expired = 0
        self._home = home
        self._clock = clock
        self._longest = 0.0
        self._since = clock.now()
        """The last success, or the start."""
        self._wall = clock.wall()
        self._last = ""
        """The member that answered last; empty before the first answer."""
        self._why = ""
        """The first failure after the last success."""
        self._gaps: deque[ProbeGap] = deque(maxlen=KEPT)

    def count(self, why: str, through: str, now: float) -> None:
        self.operations += 1
        if why:
            self.failures += 1
            self._why = self._why or why
            return
        seconds = now - self._since
        if self._last:  # the time to the first success is that of connecting, no gap
            self._longest = max(self._longest, seconds)
            if seconds > NOTED:
                self._gaps.append(self._gap(seconds, through))
        self._last, self._why = through, ""
        self._since, self._wall = now, self._clock.wall()

    def pause(self, now: float) -> float:
        """Before the next try: a quarter of the outage up to now, so that a long one is not made worse."""
        return min(LONGEST_PAUSE, max(PERIOD, (now - self._since) / 4))

    def overslept(self, seconds: float) -> None:
        if seconds > HELD_UP:
            self._since += seconds

    def longest_gap(self) -> float:
        """In seconds, with the one that lasts until now."""
        return max(self._longest, self._clock.now() - self._since)

    def gaps(self) -> tuple[ProbeGap, ...]:
        lasts = self._clock.now() - self._since
        return (*self._gaps.copy(), self._gap(lasts, "")) if lasts > NOTED else tuple(self._gaps.copy())

    def _gap(self, seconds: float, found: str) -> ProbeGap:
        return ProbeGap(self._wall, seconds, self._home, self._last, found, self._why or "it was slow")


class _Writer:
    """A session's own znode, which holds the number of its newest write."""

    def __init__(self, path: str) -> None:
        self.due = float("-inf")
        self.acknowledged = 0
        self.lost = 0
        self.refused = ""
        self._path = path
        self._made = False
        self._number = 0
        self._safe = 0
        """The newest number that was acknowledged."""

    def write(self, session: Session) -> None:
        """Raises SessionLost; then nobody knows whether it was done."""
        if self.refused:
            return
        self._number += 1
        data = str(self._number).encode()
        try:
            if self._made:
                session.call(lambda client: client.set_async(self._path, data), PATIENCE)
            else:
                session.call(lambda client: client.create_async(self._path, data, ephemeral=True), PATIENCE)
        except Refusal as refusal:
            if refusal.closed:
                self.refused = str(refusal)
            else:  # it went with its session, or is there by a write whose answer was lost
                self._made = not self._made
            return
        self._made, self._safe = True, self._number
        self.acknowledged += 1

    def check(self, session: Session) -> None:
        """After a reconnect: is the newest write that was acknowledged still there? Raises SessionLost."""
        if not self._made or self.refused:
            return
        try:
            session.call(lambda client: client.sync_async(self._path), PATIENCE)
            data, _ = session.call(lambda client: client.get_async(self._path), PATIENCE)
        except Refusal:
            self._made = False  # it went with a session that has expired: there is nothing to compare
            return
        if data.isdigit():
            self.lost += max(0, self._safe - int(data))


def _exists(client: Client) -> Pending[object]:
    return client.exists_async(PATH)
