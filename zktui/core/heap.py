"""How large a server's heap may grow, as its command line or its variables say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

_XMX = re.compile(r"-Xmx(?P<size>\d+[kKmMgGtT]?)(?!\w)")
_SHARE = re.compile(r"-XX:MaxRAMPercentage=(?P<percent>\d+(?:\.\d+)?)")
_FLAG = re.compile(r"--heap=(?P<size>\S+)")
_HEAP = re.compile(r"(?P<number>\d+)(?P<unit>[kKmMgGtT]?)")
_HEAP_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def heap_bytes(text: str) -> int | None:
    """Bytes of a JVM's `512m` or `2G` (its units are powers of 1024); None for anything else."""
    found = _HEAP.fullmatch(text)
    return int(found["number"]) * _HEAP_UNITS[found["unit"].lower()] if found else None


def heap_of(words: Sequence[str], env: Mapping[str, str]) -> int | None:
    """Bytes of the heap that a container's command and variables ask for; None where they do not say.

    In the order in which they win: -Xmx (the last one), the tutorial's --heap, ZK_SERVER_HEAP (MiB, zkEnv.sh).
    """
    joined = " ".join(words)
    if sizes := [m["size"] for m in _XMX.finditer(f"{_flags(env)} {joined}")]:
        return heap_bytes(sizes[-1])
    if found := _FLAG.search(joined):
        return heap_bytes(found["size"])
    mebibytes = env.get("ZK_SERVER_HEAP", "")
    return int(mebibytes) << 20 if mebibytes.isdecimal() else None


def share_of(words: Sequence[str], env: Mapping[str, str]) -> Decimal | None:
    """Percent of the memory that the JVM may take for its heap; None where -XX:MaxRAMPercentage is not given.

    Of the container's limit, else of the node's memory; the last one counts, and only without -Xmx.
    """
    found = [m["percent"] for m in _SHARE.finditer(f"{_flags(env)} {' '.join(words)}")]
    return Decimal(found[-1]) if found else None


def _flags(env: Mapping[str, str]) -> str:
    return " ".join(env.get(name, "") for name in ("SERVER_JVMFLAGS", "JVMFLAGS", "JAVA_TOOL_OPTIONS"))
