"""A znode's data and stat as rows of text. No Textual in here; what is shown is made printable where it is painted."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from zktui.core.text import span
from zktui.core.zookeeper import Stat, Znode, Zxid

FOLD = 2_000
"""Characters after which a line of data is folded: a row is painted whole even when little of it is in view."""
PRETTY = 4_000_000
"""Characters beyond which JSON is not indented: a small text can nest so deep that its indents fill the memory."""
AUTOMATIC = 262_144
"""Bytes up to which JSON is indented without being asked for: some 0.1 s."""
_CONTROLS = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"


class Form(enum.StrEnum):
    """How data is shown. AUTO takes the first of json, text and hex that fits."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"
    HEX = "hex"

    @property
    def next(self) -> Form:
        order = list(Form)
        return order[(order.index(self) + 1) % len(order)]


@dataclass(frozen=True, slots=True)
class Document:
    """Rows to show, and what they turned out to be."""

    form: Form
    rows: Sequence[str]


class HexRows(Sequence[str]):
    """Rows of a hex dump, each made when it is asked for."""

    def __init__(self, data: bytes, columns: int = 16) -> None:
        self._data = data
        self._columns = columns

    def __len__(self) -> int:
        return (len(self._data) + self._columns - 1) // self._columns

    def __getitem__(self, index: int | slice) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        if isinstance(index, slice) or not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self._columns
        piece = self._data[start : start + self._columns]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in piece)
        return f"{start:06x}  {piece.hex(' ', -4):<{self._columns * 2 + self._columns // 4}} {text}"


def document(data: bytes, form: Form = Form.AUTO, columns: int = 16) -> Document:
    """The data in the form wished for, or in the next best one when it is not of that form."""
    if not data:
        return Document(form, ())
    text = _decoded(data) if form in (Form.AUTO, Form.JSON) else None
    if text is not None and (form is Form.JSON or (text.lstrip()[:1] in _OPEN and len(data) <= AUTOMATIC)):
        rows = pretty(text)
        if rows is not None:
            return Document(Form.JSON, rows)
    if form is Form.TEXT or (form is not Form.HEX and text is not None):
        return Document(Form.TEXT, list(_folded(data.decode("utf-8", "backslashreplace"))))
    return Document(Form.HEX, HexRows(data, columns))


def _decoded(data: bytes) -> str | None:
    """UTF-8 text without control characters other than white space; None for anything else."""
    if len(data.translate(None, _CONTROLS)) != len(data):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _folded(text: str) -> Iterator[str]:
    for raw in text.split("\n"):
        line = raw.removesuffix("\r")
        yield line[:FOLD]
        for start in range(FOLD, len(line), FOLD):
            yield line[start : start + FOLD]


_OPEN, _CLOSE = ("{", "["), ("}", "]")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def pretty(text: str) -> list[str] | None:
    """JSON indented, its tokens exactly as they were written; None when it is not JSON or too much of it."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return None
    rows: list[str] = []
    line, depth, length = "", 0, 0
    parts = _TOKEN.findall(text)
    for part, after in zip(parts, [*parts[1:], ""], strict=True):
        opens = part in _OPEN
        depth += opens - (part in _CLOSE)
        line += part + " " * (part == ":")
        closing = after in _CLOSE
        if part == "," or opens != closing:
            rows += _folded(line)
            line = "  " * (depth - closing)
            length += len(rows[-1])
            if length > PRETTY:
                return None
    return [*rows, *_folded(line)]


def stat_rows(znode: Znode, now: float) -> list[tuple[str, str]]:
    """(name, value) rows of a stat, named as zkCli.sh names them. `now` is seconds since the epoch."""
    stat = znode.stat
    return [
        ("cZxid", f"{Zxid(stat.czxid)}"),
        ("ctime", moment(stat.ctime, now)),
        ("mZxid", f"{Zxid(stat.mzxid)}"),
        ("mtime", moment(stat.mtime, now)),
        ("pZxid", f"{Zxid(stat.pzxid)}"),
        ("cversion", f"{stat.cversion}"),
        ("dataVersion", f"{stat.version}"),
        ("aclVersion", f"{stat.aversion}"),
        ("ephemeralOwner", owner(stat) or "0x0, persistent"),
        ("dataLength", f"{stat.data_length:,} B" + (", cut for the screen" if znode.truncated else "")),
        ("numChildren", f"{stat.children:,}"),
        *(("acl" if n == 0 else "", entry) for n, entry in enumerate(znode.acl or ("not readable",))),
    ]


def moment(millis: int, now: float) -> str:
    """A time of a stat for people, in UTC, with its age."""
    if millis <= 0:
        return "never (since the beginning)"
    try:
        at = datetime.fromtimestamp(millis / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{millis} ms"
    return f"{at:%Y-%m-%d %H:%M:%S}Z, {span(now - millis / 1000)} ago"


def summary(znode: Znode, shown: Form) -> list[str]:
    """What the title of the data says of a znode, in order of weight."""
    stat = znode.stat
    words = [shown.value] if stat.data_length else []
    words += [f"v{stat.version}", size(stat.data_length)]
    return [*words, owner(stat)] if stat.ephemeral_owner else words


def owner(stat: Stat) -> str:
    """What the ephemeralOwner field says; empty for a persistent znode.

    Container and TTL znodes keep what they are in it (EphemeralType of ZooKeeper 3.5 and later).
    """
    value = stat.ephemeral_owner & 0xFFFF_FFFF_FFFF_FFFF
    if value == 1 << 63:
        return "container"
    if value >> 56 == 0xFF:
        return f"TTL {(value & 0xFF_FFFF_FFFF) / 1000:g} s"
    return f"ephemeral 0x{value:x}" if value else ""


def size(count: int) -> str:
    if count < 10_000:
        return f"{count:,} B"
    return f"{count / 1024:,.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):,.1f} MiB"
