"""The journal of a run: what it was about to do, on disk before it did it.

One JSON object a line, appended, flushed and fsynced before `append` returns. A run that can't write its journal makes
no change: nobody could take it up again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, cast

from zktui.maintenance.model import Event, JsonValue


class JournalError(Exception):
    """The journal can't be trusted to hold another line; the message says why, and what to do. Nothing was changed."""


class Journal(Protocol):
    """An append-only list of events with two readers: the wizard and the headless command."""

    @property
    def events(self) -> tuple[Event, ...]:
        """All of this run, in order."""
        ...

    def append(self, event: Event) -> Event:
        """Give the event its number and keep it, durably. Raises JournalError; then nothing may be changed."""
        ...

    def tail(self, after_seq: int) -> tuple[Event, ...]:
        """Events whose number is greater than `after_seq`; numbers begin with 1 and have no gaps."""
        ...


class MemoryJournal:
    """A journal without a disk, for rehearsals of the engine alone."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def append(self, event: Event) -> Event:
        numbered = _numbered(event, len(self._events) + 1)
        self._events.append(numbered)
        return numbered

    def tail(self, after_seq: int) -> tuple[Event, ...]:
        return tuple(self._events[max(0, after_seq) :])


class FileJournal(MemoryJournal):
    """JSON lines in a file of mode 0600. Blocking: one line and one fsync, a few milliseconds, right before a change.

    A new run has a new file; `path` must not exist, or be empty. Once an append failed, every later one is refused,
    since half a line may be on the disk.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._broken = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(f"The journal {path} can't be opened: {error.strerror}. Nothing was changed.") from error
        if os.fstat(self._fd).st_size:
            os.close(self._fd)
            raise JournalError(f"The journal {path} holds another run already. Nothing was changed.")

    def append(self, event: Event) -> Event:
        if self._broken:
            raise JournalError(self._broken)
        numbered = _numbered(event, len(self._events) + 1)
        line = json.dumps(to_json(numbered), ensure_ascii=False).encode() + b"\n"
        try:
            _write(self._fd, line)
            os.fsync(self._fd)
        except OSError as error:
            self._broken = f"The journal {self.path} can't be written: {error.strerror}. No change is made without it."
            raise JournalError(self._broken) from error
        self._events.append(numbered)
        return numbered

    def close(self) -> None:
        """Further appends are refused."""
        if not self._broken:
            os.close(self._fd)
        self._broken = f"The journal {self.path} is closed."


def _write(fd: int, line: bytes) -> None:
    while line:
        line = line[os.write(fd, line) :]


def _numbered(event: Event, seq: int) -> Event:
    return Event(seq, event.wall, event.kind, event.text, event.node, event.pod, event.uid, event.data)


def to_json(event: Event) -> dict[str, JsonValue]:
    """One line of the file; empty fields are left out."""
    fields: dict[str, JsonValue] = {"seq": event.seq, "time": event.wall, "kind": event.kind, "text": event.text}
    for name, value in (("node", event.node), ("pod", event.pod), ("uid", event.uid)):
        if value:
            fields[name] = value
    if event.data:
        fields["data"] = dict(event.data)
    return fields


def from_json(fields: Mapping[str, JsonValue]) -> Event:
    """The event of one line. Raises ValueError when it is not one."""
    seq, wall, kind, text = fields.get("seq"), fields.get("time"), fields.get("kind"), fields.get("text")
    if not isinstance(seq, int) or not isinstance(wall, int | float):
        raise ValueError("a line without its number or its time")
    if not isinstance(kind, str) or not isinstance(text, str):
        raise ValueError("a line without kind or text")
    data = fields.get("data")
    return Event(
        seq,
        float(wall),
        kind,
        text,
        str(fields.get("node", "")),
        str(fields.get("pod", "")),
        str(fields.get("uid", "")),
        data if isinstance(data, dict) else {},
    )


def read(path: Path) -> tuple[Event, ...]:
    """The events of a journal on disk. A torn last line (the program died in the middle of it) is left out.

    Raises JournalError when the file can't be read, or a line before the last is no event or out of order.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise JournalError(f"The journal {path} can't be read: {error.strerror}.") from error
    whole = raw.split(b"\n")[:-1]  # what follows the last newline is torn, or nothing
    events: list[Event] = []
    for number, line in enumerate(whole, 1):
        try:
            event = from_json(_object(line))
        except ValueError as error:
            raise JournalError(f"The journal {path} is corrupted in line {number}: {error}.") from error
        if event.seq != number:
            raise JournalError(f"The journal {path} is corrupted: line {number} says that it is number {event.seq}.")
        events.append(event)
    return tuple(events)


def _object(line: bytes) -> Mapping[str, JsonValue]:
    found = cast(JsonValue, json.loads(line))
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def journals(folder: Path) -> Iterator[Path]:
    """The journals under a state folder, oldest first by name (a run's id begins with its date)."""
    yield from sorted((folder / "runs").glob("*.jsonl"))
