"""What a client feels during a maintenance: one session for each member, reading all the while."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from zktui.core.kube import Pod, PodKey
from zktui.core.ports import Clock, Dialer, ProbeSummary
from zktui.core.zookeeper import Ensemble
from zktui.ensemble.session import Refusal, Session, SessionLost
from zktui.ensemble.threads import aside

PATH = "/zookeeper"
"""Every server has it."""
PERIOD = 0.1
"""Seconds from one read to the next."""
PATIENCE = 1.0
"""Seconds after which a read or a new session has failed."""


class SessionProbe:
    """core.ports.Probe. Each session starts at its own member and, as a client would, moves on when it is lost."""

    def __init__(self, dialer: Dialer, clock: Clock) -> None:
        self.dialer = dialer
        self.clock = clock
        self.over = threading.Event()
        self._readers: dict[str, _Reader] = {}
        self._pods: dict[str, PodKey] = {}

    def start(self, ensemble: Ensemble, pods: Sequence[Pod]) -> None:
        """Begin; while it runs, tell it the pods as they are now (a reborn pod has another UID), and go on counting."""
        if self.over.is_set():
            self.over = threading.Event()
            self._readers = {}
        # Replaced whole: the readers' threads look at it without a lock.
        self._pods = {pod.name: pod.key for pod in pods}
        for name in self._pods:
            if name not in self._readers:
                reader = _Reader(name, self, ensemble.client_port)
                self._readers[name] = reader
                reader.thread.start()

    @property
    def pods(self) -> dict[str, PodKey]:
        return self._pods

    def summary(self) -> ProbeSummary:
        readers = list(self._readers.values())
        gaps = {reader.home: reader.gap() for reader in readers}
        return ProbeSummary(
            operations=sum(reader.operations for reader in readers),
            failures=sum(reader.failures for reader in readers),
            longest_gap=max(gaps.values(), default=0.0),
            by_member=gaps,
        )

    async def stop(self) -> ProbeSummary:
        """End all sessions, in at most a second, and say what was felt up to now."""
        told = self.summary()
        self.over.set()
        readers = list(self._readers.values())

        def join() -> None:
            for reader in readers:
                reader.thread.join()

        await aside(join, 1.0)
        return told


class _Reader:
    """One session's thread. Its counters are written by that thread alone."""

    def __init__(self, home: str, probe: SessionProbe, port: int) -> None:
        self.home = home
        self.operations = 0
        self.failures = 0
        self.thread = threading.Thread(target=self._run, name=f"zk-probe-{home}", daemon=True)
        self._probe = probe
        self._port = port
        self._clock = probe.clock
        self._over = probe.over
        self._longest = 0.0
        self._since = probe.clock.now()
        """The last success, or the start."""
        self._succeeded = False
        self._session: Session | None = None
        self._at = home

    def gap(self) -> float:
        """The longest gap in seconds, with the one that lasts until now."""
        return max(self._longest, self._clock.now() - self._since)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                began = self._clock.now()
                self._count(self._read())
                self._over.wait(max(0.0, PERIOD - (self._clock.now() - began)))
        finally:
            if self._session is not None:
                self._session.close()

    def _count(self, succeeded: bool) -> None:
        self.operations += 1
        if not succeeded:
            self.failures += 1
            return
        now = self._clock.now()
        if self._succeeded:  # the time to the first success is that of connecting, no gap
            self._longest = max(self._longest, now - self._since)
        self._succeeded = True
        self._since = now

    def _read(self) -> bool:
        try:
            session = self._session
            if session is None or not session.alive:
                session = self._connect()
            session.call(lambda client: client.exists_async(PATH), PATIENCE)
        except Refusal:
            return True  # an answer is an answer
        except SessionLost:
            self._move_on()
            return False
        return True

    def _connect(self) -> Session:
        if self._session is not None:
            self._session.close()
            self._session = None
        pod = self._probe.pods.get(self._at)
        if pod is None:
            raise SessionLost("the pod is gone")
        self._session = Session(self._probe.dialer, pod, self._port)
        self._session.open(PATIENCE)
        return self._session

    def _move_on(self) -> None:
        """To the next member by name."""
        names = sorted(self._probe.pods)
        later = [name for name in names if name > self._at]
        self._at = (later or names or [self.home])[0]
