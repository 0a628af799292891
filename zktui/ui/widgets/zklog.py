"""Reads the lines that a ZooKeeper server logs."""

from __future__ import annotations

import enum
import re
from typing import NamedTuple


class Level(enum.StrEnum):
    """The level of a log event; NONE for a line that says none, such as one of a stack trace."""

    NONE = ""
    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    FATAL = "FATAL"


class Event(NamedTuple):
    level: Level
    message: str
    source: str = ""
    """Thread, class and line number, as `[%t:%C{1}@%L]` wrote them; empty when the line is not ZooKeeper's own form."""


# conf/logback.xml of ZooKeeper 3.8 and 3.9, and the log4j.properties before it, all write
# `%d{ISO8601} [myid:%X{myid}] - %-5p [%t:%C{1}@%L] - %m%n`; thread names hold brackets themselves.
_ZOOKEEPER = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[,.]\d+ +(?:\[myid:[^\]]*\] +)?- +(TRACE|DEBUG|INFO|WARN|ERROR|FATAL) +"
    r"\[(.*?)\] - (.*)",
    re.DOTALL,
)
_WORD = re.compile(r"\b(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)(?:ING)?\b")
_FAR = 60
"""Cells into a line of unknown form within which a word is taken for its level."""


def read(text: str) -> Event:
    """What a raw log line says."""
    match = _ZOOKEEPER.match(text)
    if match is not None:
        return Event(Level(match[1]), match[3], match[2])
    found = _WORD.search(text, 0, _FAR)
    return Event(Level(found[1]) if found else Level.NONE, text)


def is_poll(text: str) -> bool:
    """Whether a server only says that it was asked a four-letter word.

    Readiness probes and whoever watches an ensemble, zktui too, cause such a line every second (NettyServerCnxn and
    NIOServerCnxn, "Processing srvr command from /10.2.0.7:51788").
    """
    return " command from /" in text and "Processing " in text
