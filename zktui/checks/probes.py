"""What a probe of a ZooKeeper container really tests, read from its command and the script behind it.

Sources: core/v1 Probe; Kubernetes' tutorial, whose `zookeeper-ready` asks `ruok`; ZooKeeper's Administrator's Guide: a
server that is up answers `ruok` with imok whether it serves or not, and `srvr` has a Mode only while it serves. What
is not known is said to be unknown.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from zktui.core.documents import Document, mapping, number, text, texts

_TUTORIAL = re.compile(r"\bzookeeper-ready\s+\d+$")
"""The tutorial's script, in its image's /usr/bin; it takes the port and nothing else."""

_STATUS_WORD = re.compile(r"\b(?:srvr|stat|mntr)\b")
_TELLS_MODE = re.compile(r"\bMode\b|zk_server_state")
_STATUS_SCRIPT = re.compile(r"zkServer\.sh\s+(?:\S+\s+)*status\b")
_RUOK = re.compile(r"\bruok\b")
_WHEN_ASKED = re.compile(r"=\s*[\"']?serving[\"']?\s*\]")
_ECHOED = re.compile(r"\becho\s+(?!-n\b)[\"']?(?:ruok|srvr|stat|mntr|conf|isro)[\"']?\s*\|\s*(?:nc|ncat|netcat)\b")
"""A question that ends with a newline, which ZooKeeper does not read: when it closes, that resets the connection, and
an nc that sees the error (OpenBSD's) drops the answer. On a loaded Kubernetes 1.37 27 of 400 such questions had none,
of 400 without the newline every one."""
_PORT = re.compile(r"\bnc\s+(?:-\w+\s+)*-\w*z|/dev/tcp/")
_PROGRAM = re.compile(r"(?:^|\s)(?P<path>/\S+)")


SERVING = "serving"
"""What the script of zktui's manifest is told to ask for more than an answer."""


class Asks(enum.StrEnum):
    NOTHING = "there is none"
    PORT = "that the port is open"
    ALIVE = "that the process answers, not that it serves"
    SERVING = "that it serves"
    UNKNOWN = "what it tests could not be told"


@dataclass(frozen=True, slots=True)
class Probe:
    asks: Asks
    command: str
    """In one line, as it stands in the specification; empty where there is none."""
    delay: int = 0
    period: int = 10
    failures: int = 3
    echoed: bool = False
    """It asks by `echo WORD | nc`, which can lose the answer."""

    @property
    def patience(self) -> int:
        """Seconds from the container's start until it fails for good."""
        return self.delay + self.period * self.failures


def probe_of(container: Document, which: str, scripts: Mapping[str, str]) -> Probe:
    """The container's `livenessProbe`, `readinessProbe` or `startupProbe`. `scripts`: path to text, as far as known."""
    probe = mapping(container, which)
    if not probe:
        return Probe(Asks.NOTHING, "")
    delay, period, failures = (number(probe, k) for k in ("initialDelaySeconds", "periodSeconds", "failureThreshold"))
    asks, command = _judged(probe, scripts)
    return Probe(asks, command, delay or 0, period or 10, failures or 3, _echoes(command, scripts))


def script_of(container: Document, which: str) -> str:
    """The absolute path of the program that a probe's command starts, as far as it names one."""
    command = " ".join(texts(container, which, "exec", "command"))
    found = [m["path"] for m in _PROGRAM.finditer(command) if not m["path"].startswith(("/bin/", "/dev/"))]
    return found[0] if found else ""


def takes_serving(script: str) -> bool:
    """It is the script of zktui's manifest, or one like it: it asks for serving where it is told to."""
    return _WHEN_ASKED.search(script) is not None


def _echoes(command: str, scripts: Mapping[str, str]) -> bool:
    script = _script(command, scripts)
    by_tutorial = _TUTORIAL.search(command) is not None and not script
    return by_tutorial or any(_ECHOED.search(words) is not None for words in (command, script))


def _script(command: str, scripts: Mapping[str, str]) -> str:
    return next((scripts[path] for path in scripts if path in command.split()), "")


def _judged(probe: Document, scripts: Mapping[str, str]) -> tuple[Asks, str]:
    if command := texts(probe, "exec", "command"):
        return _of_command(" ".join(command), scripts), " ".join(command)
    if mapping(probe, "tcpSocket"):
        return Asks.PORT, f"tcpSocket {text(probe, 'tcpSocket', 'port')}"
    if mapping(probe, "httpGet"):
        path = text(probe, "httpGet", "path")
        # What AdminServer's other commands answer while it does not serve differs between versions.
        return Asks.ALIVE if path.rstrip("/").endswith("/ruok") else Asks.UNKNOWN, f"httpGet {path}"
    return Asks.UNKNOWN, ", ".join(sorted(probe))


def _of_command(command: str, scripts: Mapping[str, str]) -> Asks:
    script = _script(command, scripts)
    if takes_serving(script):
        return Asks.SERVING if SERVING in command.split() else Asks.ALIVE
    for words in (command, script):
        if _STATUS_SCRIPT.search(words) or (_STATUS_WORD.search(words) and _TELLS_MODE.search(words)):
            return Asks.SERVING
        if _RUOK.search(words) or _STATUS_WORD.search(words):
            return Asks.ALIVE
        if _PORT.search(words):
            return Asks.PORT
    return Asks.ALIVE if _TUTORIAL.search(command) and not script else Asks.UNKNOWN
