"""Commands in containers: `pods/exec` over a WebSocket, read to its end.

The protocol is v5.channel.k8s.io, or v4 of older kubelets: each binary message begins with a channel number, 1 for
stdout, 2 for stderr, 3 for the Status at the end, in whose causes the exit code stands (client-go's remotecommand).
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from zktui.cluster import outcomes, wire
from zktui.cluster.access import Access
from zktui.cluster.resources import PODS
from zktui.cluster.websocket import CLOSE, PING, PONG, BrokenFrame, FrameReader, frame, open_websocket
from zktui.cluster.workers import Workers
from zktui.core.kube import PodKey
from zktui.core.ports import Answer, Clock, DialError, Executed, Refused, Reply, Unanswered

PROTOCOLS = "v5.channel.k8s.io, v4.channel.k8s.io"
STDOUT, STDERR, STATUS = 1, 2, 3
THREADS = 8

_READ_STATUS = wire.decoder(wire.Status)


class PodExec:
    """Fulfils `core.ports.Executor`, with threads of its own: a command that hangs holds up no reading."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._workers = Workers("zktui-exec", THREADS)

    async def run(
        self, pod: PodKey, container: str, command: Sequence[str], *, timeout: float = 10.0, limit: int = 262_144
    ) -> Reply[Executed]:
        at = self._clock.now()
        query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", c) for c in command)]
        path = f"{PODS.path(pod.namespace, pod.name)}/exec?{urlencode(query)}"
        return await self._workers.submit(lambda: self._run(path, timeout, limit, at))

    def close(self) -> None:
        self._workers.close()

    def _run(self, path: str, timeout: float, limit: int, at: float) -> Reply[Executed]:
        deadline = time.monotonic() + timeout
        try:
            sock, early = open_websocket(self._access, path, PROTOCOLS, timeout)
        except DialError as error:
            return refusal_of(error, at)
        with sock:
            try:
                return _Output(limit).read(sock, early, deadline, at)
            except TimeoutError:
                return Unanswered(f"the command did not end within {timeout:g} s", at)
            except (OSError, BrokenFrame) as error:
                return Unanswered(f"the connection to the container was cut ({error})", at)


def refusal_of(error: DialError, at: float) -> Refused | Unanswered:
    """A handshake that the server refused carries its HTTP status; without one nobody was reached."""
    if error.status:
        return Refused(error.status, "", str(error), at)
    return Unanswered(str(error), at, sent=False)


@dataclass(slots=True)
class _Output:
    limit: int
    written: dict[int, bytearray] = field(default_factory=dict[int, bytearray])
    cut: bool = False

    def read(self, sock: socket.socket, early: bytes, deadline: float, at: float) -> Reply[Executed]:
        """Raises TimeoutError, OSError, BrokenFrame."""
        reader, data, message = FrameReader(), early, b""
        while True:
            for opcode, last, payload in reader.feed(data):
                if opcode == PING:
                    sock.sendall(frame(PONG, payload))
                elif opcode == CLOSE:
                    return Unanswered("the container's side closed without saying how the command ended", at)
                elif opcode != PONG:
                    message += payload
                    if last:
                        ended = self._take(message, at)
                        message = b""
                        if ended is not None:
                            sock.sendall(frame(CLOSE, b""))
                            return ended
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            data = sock.recv(65536)
            if not data:
                return Unanswered("the connection to the container was cut", at)

    def _take(self, message: bytes, at: float) -> Reply[Executed] | None:
        channel, payload = message[:1], message[1:]
        if channel in (bytes([STDOUT]), bytes([STDERR])):
            kept = self.written.setdefault(channel[0], bytearray())
            room = self.limit - len(kept)
            self.cut = self.cut or len(payload) > room
            kept += payload[: max(0, room)]
            return None
        return self._end(payload, at) if channel == bytes([STATUS]) else None

    def _end(self, payload: bytes, at: float) -> Reply[Executed]:
        try:
            status = _READ_STATUS.decode(payload)
        except msgspec.DecodeError:
            return Unanswered("how the command ended can't be read", at)
        if status.status == "Success":
            return Answer(self._executed(0), at)
        refused = outcomes.refusal(status, status.code or 500, at)
        exit_code = next((c.message for c in refused.causes if c.reason == "ExitCode"), "")
        if exit_code.isdecimal():
            return Answer(self._executed(int(exit_code)), at)
        return refused  # it was never started: no such program, no such container

    def _executed(self, code: int) -> Executed:
        out, err = (bytes(self.written.get(c, b"")).decode("utf-8", "replace") for c in (STDOUT, STDERR))
        return Executed(out, err, code, self.cut)
