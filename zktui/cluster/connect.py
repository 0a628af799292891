"""The way in: one connection to one cluster, and everything that the program asks of it."""

from __future__ import annotations

from zktui.cluster import wire
from zktui.cluster.access import Access
from zktui.cluster.announcing import EventWriter
from zktui.cluster.execs import PodExec
from zktui.cluster.heartbeat import Heartbeat
from zktui.cluster.logs import PodLogs
from zktui.cluster.objects import KubeObjects
from zktui.cluster.portforward import PortForward
from zktui.cluster.requests import KubeCluster
from zktui.cluster.resources import BUDGETS, CLAIMS, NODES, PODS, STATEFULSETS, VOLUMES
from zktui.cluster.transport import Timeouts, Transport
from zktui.cluster.watching import Rhythm, WatchSource
from zktui.core.clock import SystemClock
from zktui.core.deltas import Kind
from zktui.core.ports import Answer, Clock, Place, Refused, Source
from zktui.errors import ConnectionFailed, CredentialsRefused, NotPermitted


class Connection:
    """Ports to one cluster. Made by `connect`; `close` it on the way out."""

    def __init__(self, access: Access, clock: Clock, timeouts: Timeouts, rhythm: Rhythm) -> None:
        self._transport = Transport(access, clock, timeouts)
        self._access = access
        self._rhythm = rhythm
        self._heartbeat = Heartbeat(self._transport, rhythm.beat)
        self.place: Place = access.place
        self.cluster = KubeCluster(self._transport)
        self.announcer = EventWriter(self._transport)
        self.logs = PodLogs(self._transport)
        self.dialer = PortForward(access)
        self.objects = KubeObjects(self._transport)
        self.executor = PodExec(access, clock)
        self.version = ""
        """The server's, such as v1.37.2; known after `prepare`."""

    def prepare(self) -> None:
        """Get credentials and make sure that the API server answers. Blocks; call it before a screen is taken, since a
        credential plugin may ask its user something.

        Raises UsageError, CredentialsRefused, NotPermitted or ConnectionFailed.
        """
        self._access.prepare()
        reply = self._transport.get("/version", wire.decoder(wire.Version).decode)
        if isinstance(reply, Answer):
            self.version = reply.value.git_version
            return
        if not isinstance(reply, Refused):
            raise ConnectionFailed(f"{_capital(reply.why)}.", _what_to_check(self.place))
        if reply.code == 401:
            raise CredentialsRefused(
                f"{self.place.server} does not accept the credentials of {self.place.user or 'nobody'} (401).",
                "Log in again, or choose another context with --context.",
            )
        if reply.code == 403:
            raise NotPermitted(
                f"{self.place.user or 'An anonymous user'} may not read /version (403): {reply.message}.",
                "Ask for a role that allows it.",
            )
        raise ConnectionFailed(
            f"{self.place.server} does not answer as an API server does (HTTP {reply.code}: {reply.message[:200]}).",
            _what_to_check(self.place),
        )

    def sources(self, namespace: str | None) -> tuple[Source, ...]:
        """One source for each kind; None watches all namespaces. Nodes and volumes belong to no namespace."""
        watched = {
            Kind.NODES: NODES,
            Kind.PODS: PODS,
            Kind.STATEFULSETS: STATEFULSETS,
            Kind.BUDGETS: BUDGETS,
            Kind.CLAIMS: CLAIMS,
            Kind.VOLUMES: VOLUMES,
        }
        return tuple(
            WatchSource(self._transport, self._heartbeat, kind, resource, namespace, self._rhythm)
            for kind, resource in watched.items()
        )

    def close(self) -> None:
        """End the threads that are idle; those in the middle of a request end with it, and hold nothing up."""
        self._heartbeat.close()
        self.dialer.close()
        self.cluster.close()
        self.announcer.close()
        self.objects.close()
        self.executor.close()
        self._access.close()


def connect(
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str | None = None,
    *,
    clock: Clock | None = None,
    timeouts: Timeouts | None = None,
    rhythm: Rhythm | None = None,
) -> Connection:
    """Reads the kubeconfig and sends nothing yet. Raises UsageError."""
    access = Access.of(kubeconfig, context, namespace)
    return Connection(access, clock or SystemClock(), timeouts or Timeouts(), rhythm or Rhythm())


def _capital(text: str) -> str:
    return text if text.startswith("http") else text[:1].upper() + text[1:]


def _what_to_check(place: Place) -> str:
    return f"Nothing was changed. Check the network and context {place.context}, or choose another with --context."
