"""The real program in a real terminal: keys in, the screen out, through tmux."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.scenarios.guard import Guard
from tests.scenarios.stage import eventually


class Terminal:
    """A tmux server of its own with one window. Ends by `close`."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path, columns: int = 120, rows: int = 36
    ) -> None:
        self._socket = str(folder / f"tmux-{uuid.uuid4().hex[:8]}")
        self._pid = Path(f"{self._socket}.pid")
        line = f"sh -c 'echo $$ >$0; exec \"$@\"' {shlex.quote(str(self._pid))} env -i "
        line += " ".join(shlex.quote(f"{k}={v}") for k, v in environment.items() if k != "TERM")
        line += " TERM=tmux-256color COLORTERM=truecolor " + shlex.join(command)
        # The exit code stays readable after the program has ended.
        line += "; echo EXIT-CODE $?; exec sleep 600"
        self._guard = Guard("tmux", "-S", self._socket, "kill-server")
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), line)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, "-f", "/dev/null", *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names (`Enter`, `Space`, `C-c`); one that is no name is typed as it is."""
        for key in keys:
            self._tmux("send-keys", key)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def wait(self, *texts: str, deadline: float = 30.0) -> str:
        """The screen once it shows all of the texts. Fails with the screen as it is."""

        def shown() -> str | None:
            screen = self.screen()
            return screen if all(text in screen for text in texts) else None

        try:
            return eventually(" and ".join(texts), shown, deadline, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None

    def exit_code(self, deadline: float = 20.0) -> int:
        screen = self.wait("EXIT-CODE", deadline=deadline)
        code = int(screen.split("EXIT-CODE")[1].split()[0])
        if code:
            print(self._tmux("capture-pane", "-p", "-S", "-"))  # noqa: T201  what it said stands beside a failure
        return code

    def kill(self) -> None:
        """SIGKILL the program: nothing of what it does at an end is done."""
        os.kill(int(self._pid.read_text()), signal.SIGKILL)
        self.wait(f"EXIT-CODE {128 + signal.SIGKILL}")

    def close(self) -> None:
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False)
        self._guard.dismiss()


def to_node(terminal: Terminal, node: str) -> None:
    """Move the cursor of the wizard's list of nodes down to this one, looking at the screen after each key."""

    def under_cursor() -> str:
        # Between the cursor and the name stands the mark of a node that is marked.
        found = re.search(r"^▸\W*([\w.-]+)", terminal.screen(), re.MULTILINE)
        return found[1] if found is not None else ""

    while (at := eventually("the cursor", under_cursor, 5.0, 0.05)) != node:
        terminal.press("Down")
        eventually(f"the cursor to leave {at}", lambda old=at: under_cursor() not in ("", old), 5.0, 0.05)
