"""What was started, on disk: so that another process, or one after a crash, can end exactly that and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
LIGHT = {"GOGC": "400"}
"""For all that is written in Go: a fifth less of the processors for an idle cluster, for memory, of which there is
enough: several clusters share two cores here."""


@dataclass(frozen=True)
class Started:
    """A process by its pid and its start time (clock ticks since boot), which tells it from a later one of that pid."""

    name: str
    pid: int
    since: int

    @classmethod
    def of(cls, name: str, pid: int) -> Started:
        """The process that has this pid now."""
        return cls(name, pid, _since(pid) or 0)

    def alive(self) -> bool:
        return _since(self.pid) == self.since


class Ledger:
    """The record of one cluster: its processes in the order of their start, and what else `down` must undo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "ledger.json"
        self.processes: list[Started] = []
        self.facts: dict[str, Any] = {}
        if self._file.exists():
            document = cast(dict[str, Any], json.loads(self._file.read_text()))
            self.processes = [Started(**entry) for entry in document["processes"]]
            self.facts = document["facts"]

    def note(self, **facts: Any) -> None:
        """Keep something to be undone. Call it before it is done: a crash in between must leave a trace."""
        self.facts |= facts
        self._save()

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Started:
        """Start a process that outlives this one. Its output goes to ``log/NAME.log``."""
        logs = self.folder / "log"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as output:
            process = subprocess.Popen(
                [str(word) for word in command],
                env=LIGHT | dict(os.environ) | dict(environment or {}),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[process.pid] = process
        started = Started.of(name, process.pid)
        self.processes.append(started)
        self._save()
        return started

    def adopt(self, name: str, pid: int) -> Started:
        """Keep a process that one of ours started, to be ended before that."""
        started = Started.of(name, pid)
        self.processes.append(started)
        self._save()
        return started

    def stop(self, started: Started) -> None:
        """End one process: SIGTERM, then SIGKILL. Returns when it is gone."""
        for sign, seconds in ((signal.SIGTERM, PATIENCE), (signal.SIGKILL, PATIENCE)):
            if not started.alive():
                break
            os.kill(started.pid, sign)
            _wait(started, seconds)
        if started.alive():
            raise RuntimeError(f"{started.name} (pid {started.pid}) did not end after SIGKILL")
        if child := _children.pop(started.pid, None):
            child.wait(PATIENCE)
        self.processes.remove(started)
        self._save()

    def stop_all(self) -> list[str]:
        """End every process, newest first; the names of those that ran. Raises RuntimeError with those that did not
        end, after all others have."""
        ended: list[str] = []
        stuck: list[str] = []
        for started in reversed(list(self.processes)):
            if started.alive():
                ended.append(started.name)
            try:
                self.stop(started)
            except RuntimeError as why:
                stuck.append(str(why))
        if stuck:
            raise RuntimeError("; ".join(stuck))
        return ended

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of a process's log."""
        path = self.folder / "log" / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def _save(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(
            json.dumps({"processes": [asdict(one) for one in self.processes], "facts": self.facts}, indent=1)
        )
        fresh.replace(self._file)


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Those that this very process started: it must reap them."""


def _since(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot; None if there is none, or only its exit status."""
    if child := _children.get(pid):
        child.poll()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _wait(started: Started, seconds: float) -> None:
    end = time.monotonic() + seconds
    while started.alive() and time.monotonic() < end:
        time.sleep(0.05)
