"""Four-letter words: asking a server, and reading what ZooKeeper 3.4 to 3.9 answer.

Only `srvr` is open by default (`4lw.commands.whitelist`, ZooKeeper 3.5.3 and later, and 3.4.10 of the old line).
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from zktui.core.kube import Pod, PodKey
from zktui.core.ports import Dialer, DialError
from zktui.core.zookeeper import EnsembleConfig, MemberDetail, Mode, Server, ServerRole, Zxid

MAX_REPLY = 4 * 1024 * 1024
"""Bytes. `mntr` has 17 to 19 kB; what is longer than this is no ZooKeeper."""

NOT_SERVING = "This ZooKeeper instance is not currently serving requests"
_CLOSED = re.compile(r"^(\w{4}) is not executed because it is not in the whitelist")
_VERSION = re.compile(r"(?P<version>[^,\s]+?)(?:--?[0-9a-f]{7,})?(?:,|\s|$)")
_ADDRESS = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+):(?P<peer>\d+)(?::(?P<election>\d+))?(?::(?P<role>\w+))?")
_NOBODY = re.compile(r"connection refused|failed to connect to localhost", re.IGNORECASE)
_MODES = (Mode.LEADER, Mode.FOLLOWER, Mode.OBSERVER, Mode.STANDALONE, Mode.READ_ONLY)


_COMPLETE = {
    "srvr": re.compile(rb"\nNode count: \d+\r?\n"),
    "": re.compile(rb"is not executed because it is not in the whitelist\.|is not currently serving requests"),
}
"""What makes a reply whole, by word; "" for every word. See `ask`. A leader's `srvr` says more behind its node count
(sizes of proposals), of which nothing is needed."""
_LAST = {
    "mntr": re.compile(rb"\n\Z"),
    "cons": re.compile(rb"\)\n\n\Z"),
    "dump": re.compile(rb"\n\Z"),
    "conf": re.compile(rb"\nversion=[0-9a-f]+\s*\Z"),
}
"""How a reply without a certain end may end: any line of `mntr`, on which no decision rests; the membership's version
in `conf`. Silence after it ends the reply."""
_QUIET = 0.2
"""Seconds of that silence."""
_REST = 3.0
"""Seconds in which the rest of a reply is read that nobody waits for."""


class NoAnswer(Exception):
    """The connection stood, and a whole reply did not come. The message is one line for people."""


class Unreadable(ValueError):
    """A configuration in words that are not understood: better none than one with a voter too few."""


def ask(
    dialer: Dialer, pod: PodKey, port: int, word: str, timeout: float, enough: Callable[[str], bool] | None = None
) -> str:
    """The whole reply to a four-letter word, in at most `timeout` seconds. Blocks; for worker threads.

    With `enough`, which is given the whole lines that have come, those alone as soon as it is true of them.

    The server closes the connection after it. Through the API server that is not heard until a second later: when the
    pod's side has closed, containerd waits one second for the client's to close too (sandbox_portforward_linux.go),
    and a port-forward has no way to close one direction. So a reply that is known to be whole is not waited upon, and
    of one that may go on the rest is read in the background: a server whose client closes while it sends logs an error
    with its stack trace (ServerCnxn.sendBufferSync).

    Raises DialError when the way to the port could not be had, and NoAnswer when the reply did not come or was cut.
    """
    deadline = time.monotonic() + timeout
    sock = dialer.dial(pod, port, timeout)
    over = True
    try:
        sock.settimeout(_left(deadline))
        sock.sendall(word.encode("ascii"))
        text, over = _reply(sock, word, deadline, enough)
    except TimeoutError:
        raise NoAnswer(f"no answer in {timeout:g} s") from None
    except _Cut as cut:
        raise NoAnswer(f"only {cut.size} bytes of an answer in {timeout:g} s") from None
    except DialError as error:  # a forwarded port: what the pod's side found comes with the reply
        raise NoAnswer(_refused(str(error))) from error
    except OSError as error:
        raise NoAnswer(f"the connection was lost: {error.strerror or error}") from error
    finally:
        if over or not _read_out(sock):
            sock.close()
    return text


class _Cut(Exception):
    """The deadline came in the middle of a reply, after `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def _reply(sock: socket.socket, word: str, deadline: float, enough: Callable[[str], bool] | None) -> tuple[str, bool]:
    """What is wanted of a reply, and whether nothing can come behind it."""
    parts: list[bytes] = []
    size = 0
    over = False
    while not over and not _whole_reply(word, parts):
        try:
            part = _receive(sock, word, parts, deadline)
        except TimeoutError:
            if size:
                raise _Cut(size) from None
            raise
        if part is None:
            break
        over = not part
        parts.append(part)
        size += len(part)
        if size > MAX_REPLY:
            raise NoAnswer(f"the answer to {word} does not end: this is not a ZooKeeper server")
        if enough is not None and enough(lines := _lines(parts)):
            return lines, False
    if not size:
        raise NoAnswer("the connection was closed without an answer")
    return b"".join(parts).decode("utf-8", "replace"), over or word not in _LAST


def _read_out(sock: socket.socket) -> bool:
    """Read in the background until the server closes, a few seconds at most, and close. False where no thread is."""

    def read() -> None:
        deadline = time.monotonic() + _REST
        with sock, contextlib.suppress(OSError):
            while True:
                sock.settimeout(_left(deadline))
                if not sock.recv(65536):
                    return

    try:
        threading.Thread(target=read, name="zk-rest", daemon=True).start()
    except RuntimeError:
        return False
    return True


def _whole_reply(word: str, parts: list[bytes]) -> bool:
    text = b"".join(parts[-2:])  # an end that was cut in two
    return any(_COMPLETE[key].search(text) for key in (word, "") if key in _COMPLETE)


def _lines(parts: list[bytes]) -> str:
    """What has come, without a last line that may be cut."""
    return b"".join(parts).rpartition(b"\n")[0].decode("utf-8", "replace")


def _receive(sock: socket.socket, word: str, parts: list[bytes], deadline: float) -> bytes | None:
    """The next part; empty at the end of the connection, None when it is silent after what may be the last line."""
    left = _left(deadline)
    # An end that was cut in two.
    quiet = _QUIET if word in _LAST and _LAST[word].search(b"".join(parts[-2:])) else left
    sock.settimeout(min(left, quiet))
    try:
        return sock.recv(65536)
    except TimeoutError:
        if quiet < left:
            return None
        raise


def _refused(told: str) -> str:
    """The kubelet's sentence names its sandbox and its addresses; what matters is that nothing listens."""
    return "connection refused" if _NOBODY.search(told) else printable(told, 160)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def closed(text: str) -> str:
    """The server's sentence when it has the word closed; empty when it answered."""
    return text.strip() if _CLOSED.match(text) else ""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What `srvr` says, or why it says nothing: UNKNOWN with an `error`, or LOOKING."""

    mode: Mode
    zxid: Zxid | None = None
    version: str = ""
    connections: int | None = None
    latency: tuple[float, float, float] | None = None
    """Minimum, average and maximum in milliseconds; whole numbers before ZooKeeper 3.6."""
    outstanding: int | None = None
    znodes: int | None = None
    error: str = ""


def parse_srvr(text: str) -> ServerStatus:
    """Read a reply to `srvr`. Whatever it is, the outcome is a status."""
    if text.startswith(NOT_SERVING):
        return ServerStatus(Mode.LOOKING)
    if reason := closed(text):
        return ServerStatus(Mode.UNKNOWN, error=reason)
    found = dict(_pairs(text, ":"))
    mode = next((m for m in _MODES if m == found.get("Mode")), Mode.UNKNOWN)
    error = ""
    if mode is Mode.UNKNOWN:
        error = f"its mode is {printable(found['Mode'])}" if "Mode" in found else f"it said: {printable(text)}"
    return ServerStatus(
        mode,
        zxid=_zxid(found.get("Zxid", "")),
        version=parse_version(found.get("Zookeeper version", "")),
        connections=_whole(found.get("Connections")),
        latency=_latency(found.get("Latency min/avg/max", "")),
        outstanding=_whole(found.get("Outstanding")),
        znodes=_whole(found.get("Node count")),
        error=error,
    )


def parse_version(text: str) -> str:
    """The release alone: without the revision and the date at which it was built."""
    match = _VERSION.match(text.strip())
    return match["version"] if match else ""


class Monitor(NamedTuple):
    """What `mntr` says: who it is (UNKNOWN when it does not say) and the details."""

    mode: Mode
    version: str
    detail: MemberDetail


def parse_mntr(text: str) -> Monitor | None:
    """Read a reply to `mntr`; None when it is closed, not serving, or something else."""
    found = dict(_pairs(text, "\t"))
    if "zk_version" not in found:
        return None
    mode = next((m for m in _MODES if m == found.get("zk_server_state")), Mode.UNKNOWN)
    learners = found.get("zk_learners", found.get("zk_followers"))  # named followers before ZooKeeper 3.6
    detail = MemberDetail(
        synced_followers=_whole(found.get("zk_synced_followers")),
        learners=_whole(learners),
        pending_syncs=_whole(found.get("zk_pending_syncs")),
        peer_state=found.get("zk_peer_state", ""),
        watches=_whole(found.get("zk_watch_count")),
        ephemerals=_whole(found.get("zk_ephemerals_count")),
        data_bytes=_whole(found.get("zk_approximate_data_size")),
        open_files=_whole(found.get("zk_open_file_descriptor_count")),
    )
    return Monitor(mode, parse_version(found["zk_version"]), detail)


_OF_ALL = ("peer_state", "watch_count", "ephemerals_count", "approximate_data_size", "open_file_descriptor_count")
_OF_LEADERS = ("synced_followers", "learners", "pending_syncs")


def told_all(text: str) -> bool:
    """Whether these lines of a reply to `mntr` have all that `parse_mntr` looks for, by ZooKeeper 3.6 and later.

    Its end is not known, and some 500 lines of figures that nobody asked for come behind these.
    """
    found = {key.removeprefix("zk_"): value for key, value in _pairs(text, "\t")}
    wanted = (*_OF_ALL, *_OF_LEADERS) if found.get("server_state") == Mode.LEADER else _OF_ALL
    return "version" in found and "server_state" in found and all(key in found for key in wanted)


class Conf(NamedTuple):
    """What `conf` says. `config` is None where the server does not tell its membership: 3.4, and standalone."""

    server_id: int | None
    min_session_timeout: int | None
    """Milliseconds."""
    config: EnsembleConfig | None


def parse_conf(text: str) -> Conf | None:
    """Read a reply to `conf`; None when it is closed or not serving. Raises Unreadable as `parse_config` does."""
    found = dict(_pairs(text, "="))
    if "clientPort" not in found and "serverId" not in found:
        return None
    config = parse_config(text)
    if config.servers and not config.version:
        raise Unreadable("the membership in conf is cut")  # its last line is the version
    server_id = _whole(found.get("serverId"))
    return Conf(server_id, _whole(found.get("minSessionTimeout")), config if config.servers else None)


_SESSION = re.compile(r"\bsid=(0x[0-9a-fA-F]+)")
_TIMEOUT = re.compile(r"\bto=(\d+)")


def parse_cons(text: str) -> dict[str, int]:
    """Read a reply to `cons`: session id (as it is written there) to its timeout in milliseconds."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        session, timeout = _SESSION.search(line), _TIMEOUT.search(line)
        if session is not None and timeout is not None:
            found[session[1].lower()] = int(timeout[1])
    return found


def parse_dump(text: str) -> dict[str, int]:
    """Read the ephemeral part of a reply to `dump`: session id to how many ephemeral znodes it has."""
    found: dict[str, int] = {}
    session = ""
    for line in text.splitlines():
        if line.startswith("0x") and line.rstrip().endswith(":"):
            session = line.rstrip().rstrip(":").lower()
        elif line.startswith("\t/") and session:
            found[session] = found.get(session, 0) + 1
        elif not line.startswith("\t"):
            session = ""
    return found


def parse_config(text: str) -> EnsembleConfig:
    """Read `server.N`, `group.N`, `weight.N` and `version` of `/zookeeper/config` or of `conf`; the rest is skipped.

    `servers` is empty where there is none (a standalone server's znode is empty). Raises Unreadable for a server's
    line that is not understood.
    """
    lines: dict[int, str] = {}
    groups: dict[int, int] = {}
    weights: dict[int, int] = {}
    version = ""
    for key, value in _pairs(text, "="):
        kind, _, number = key.partition(".")
        if key == "version":
            version = value
        elif kind in ("server", "group", "weight") and not number.isdecimal():
            raise Unreadable(f"{printable(key)} has no number")
        elif kind == "server":
            lines[int(number)] = value
        elif kind == "group":
            groups.update((_member(member), int(number)) for member in value.split(":"))
        elif kind == "weight":
            weights[int(number)] = _member(value)
    servers = tuple(
        parse_server(myid, line, group=groups.get(myid), weight=weights.get(myid, 1))
        for myid, line in sorted(lines.items())
    )
    return EnsembleConfig(servers, version=version)


def named(config: EnsembleConfig, pod: Pod) -> EnsembleConfig:
    """Where a manifest gives a server its own line as 0.0.0.0, that line is the one of the pod that told it."""
    servers = tuple(
        replace(server, host=pod.name) if server.host in ("0.0.0.0", "::") else server  # noqa: S104 - compared
        for server in config.servers
    )
    return replace(config, servers=servers)


def parse_server(myid: int, line: str, *, group: int | None = None, weight: int = 1) -> Server:
    """Read the value of a `server.N` line: `host:port:port[:role][|host:port:port…][;[address:]clientPort]`.

    Of several addresses (3.6 and later) the first names the server. Raises Unreadable.
    """
    peers, _, client = line.partition(";")
    role = ServerRole.PARTICIPANT
    host = ""
    for address in peers.split("|"):
        match = _ADDRESS.fullmatch(address.strip())
        if match is None or match["role"] not in (None, "participant", "observer"):
            raise Unreadable(f"server.{myid}={printable(line)} is not understood")
        host = host or match["host"].strip("[]")
        role = ServerRole(match["role"]) if match["role"] else role
    return Server(myid, host, role, _whole(client.rpartition(":")[2]), group, weight)


def printable(text: str, limit: int = 80) -> str:
    """Untrusted text as one short line without control characters."""
    line = " ".join(text.split())
    safe = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def _pairs(text: str, separator: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, found, value = line.partition(separator)
        if found:
            yield key.strip(), value.strip()


def _member(text: str) -> int:
    if not text.strip().isdecimal():
        raise Unreadable(f"{printable(text)} is not a number")
    return int(text)


def _whole(text: str | None) -> int | None:
    """A count; mntr writes some as floats (`zk_synced_followers 2.0`) in some versions."""
    try:
        return None if text is None else int(float(text))
    except (ValueError, OverflowError):
        return None


def _zxid(text: str) -> Zxid | None:
    try:
        return Zxid(int(text, 16))
    except ValueError:
        return None


def _latency(text: str) -> tuple[float, float, float] | None:
    try:
        low, average, high = (float(part) for part in text.split("/"))
    except ValueError:
        return None
    return low, average, high
