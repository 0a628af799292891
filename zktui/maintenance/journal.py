"""The journal of a run: what it was about to do, on disk before it did it.

One JSON object a line, appended, flushed and fsynced before `append` returns. A run that can't write its journal makes
no change: nobody could take it up again.
"""

from __future__ import annotations

import enum
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
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

    A new run has a new file, and so has one that is taken up again; `path` must not exist, or be empty. Once an append
    failed, every later one is refused, since half a line may be on the disk. The file is locked for as long as its
    process lives: `is_written` asks for that.
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
        if os.fstat(self._fd).st_size or _locked(self._fd):
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


def _locked(fd: int) -> bool:
    """Take the lock of an open journal; True when another process has it. Where there are no locks nobody has."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def is_written(path: Path) -> bool:
    """Whether a living process may still write this journal: True also where that can't be told."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


_NAME = re.compile(r"(?P<run>[^.]+)(\.(?P<part>\d+))?\.jsonl")


def part_of(path: Path) -> tuple[str, int] | None:
    """(run, part) of a journal's name: `RUN.jsonl` is part 1, `RUN.2.jsonl` is what followed when it was resumed."""
    match = _NAME.fullmatch(path.name)
    return (match["run"], int(match["part"] or 1)) if match is not None else None


def path_for(folder: Path, run_id: str, part: int = 1) -> Path:
    """Where the journal of a run, or of its part, is under a state folder."""
    return folder / "runs" / (f"{run_id}.jsonl" if part == 1 else f"{run_id}.{part}.jsonl")


def journals(folder: Path) -> Iterator[Path]:
    """The journals under a state folder, oldest first (a run's id begins with its date), parts in their order."""
    named = [(part, path) for path in (folder / "runs").glob("*.jsonl") if (part := part_of(path)) is not None]
    yield from (path for _, path in sorted(named))


def journals_of(folder: Path, run_id: str) -> tuple[Path, ...]:
    """The journals of one run, in their order; none when it was begun and resumed elsewhere."""
    return tuple(path for path in journals(folder) if (part_of(path) or ("", 0))[0] == run_id)


IN_DOUBT = "in-doubt"
"""The `outcome` of an eviction that a run was resumed with and that may still arrive."""


class Fate(enum.StrEnum):
    """What a journal says of the last eviction of one pod."""

    NEVER = "never"
    """It was not announced, so it was not sent."""
    UNKNOWN = "unknown"
    """Announced, and nothing after it tells how it ended."""
    GRANTED = "granted"
    REFUSED = "refused"


def fate_of(events: Sequence[Event], uid: str) -> Fate:
    """Read from the journal that the run itself has written, all of its parts in their order."""
    fate = Fate.NEVER
    for event in events:
        if event.uid != uid:
            continue
        if event.kind == "evict" or event.data.get("outcome") == IN_DOUBT:
            fate = Fate.UNKNOWN
        elif event.kind == "reply" and fate is Fate.UNKNOWN:
            outcome = event.data.get("outcome")
            if outcome in _ENDED:
                fate = _ENDED[outcome]
        elif event.kind == "gone":
            fate = Fate.GRANTED
    return fate


def last_state(events: Sequence[Event]) -> tuple[str, str]:
    """(holder, record) as the journal's last line about the lease that has the state; empty when there is none."""
    for event in reversed(events):
        if "state" in event.data:
            return str(event.data.get("holder", "")), json.dumps(event.data["state"], ensure_ascii=False)
    return "", ""


def last_holder(events: Sequence[Event]) -> str:
    """Who wrote the lease last, as far as this journal goes: it says so before each time."""
    return next((str(e.data["holder"]) for e in reversed(events) if e.data.get("holder")), "")


_ENDED: dict[object, Fate] = {
    "granted": Fate.GRANTED,
    "replan": Fate.REFUSED,
    "closed": Fate.REFUSED,
    "throttled": Fate.REFUSED,
    "held": Fate.REFUSED,
    "forbidden": Fate.REFUSED,
    "broken": Fate.REFUSED,
    "not-sent": Fate.REFUSED,
}
"""By the outcome that a reply's line carries (see `replies`); of "unknown" and "gone" reading has the last word."""
