"""What a test run must undo is undone also when the run is killed, which no ``finally`` and no fixture hears."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNLESS_DISMISSED = 'read -r _ || exec "$@"'
"""Its standard input is a pipe from the process that it watches: it ends with that process, without a line."""


class Guard:
    """Runs a command as soon as this process has ended, however that came, unless it was dismissed before."""

    def __init__(self, *command: str | Path, folder: Path | None = None) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", UNLESS_DISMISSED, "sh", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """What it was there for is done. Safe to call again."""
        if self._process.returncode is None:
            self._process.communicate(b"done\n", timeout=10)
