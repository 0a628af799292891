"""Linux namespaces: what runs in a container sees the processes of that container, and can reach no others.

Each run of a container is a PID namespace of its own, as in Kubernetes, with a ``/proc`` to match, in a user namespace
where we are the container's user. ``unshare`` and ``nsenter`` (util-linux) make and enter them, and the kernel ends all
that is in them with their process 1. Network and files stay this machine's: see :mod:`zktui.demo.network` and
:mod:`zktui.demo.volumes`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zktui.demo import process_one
from zktui.demo.process import LINUX, Child, ProcessGuard

NAMES = {0: "root", 1000: "zookeeper"}
"""Users and groups that the official image knows by name."""

PROGRAMS = ("kill", "pgrep", "pkill", "ps")
"""What is run for real in a container: this machine's own, where it has them."""

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
"""A container's. Ours would have ``ps`` cut its lines at the width of our terminal."""

MAKE = ["--keep-caps", "--mount", "--pid"]
ENTER = ["--user", "--preserve-credentials", "--mount", "--pid", "--"]

WAIT = 'python=$1 first=$2; shift 2; exec 3>&2 2>/dev/null; "$python" -I -S "$first" $$ "$@" 2>&3 3>&-; exit $?'
"""The shell that waits for process 1 and ends with its code. It would write of one that is killed, and may not."""

AS = "import os, sys; os.execvp(sys.argv[2], sys.argv[1:2] + sys.argv[3:])"
"""A program under another name: what ``ps`` shows is argv[0]."""

TRIAL = """
for file do [ -r "$file" ] || { echo "its user could not read $file"; exit 1; }; done
other=$(find "$0" ! -writable | head -n 1)
[ -z "$other" ] || { echo "its user could not write $other"; exit 1; }
echo ready
exec sleep 60
"""
DEADLINE = 20.0


@dataclass(frozen=True)
class Namespaces:
    """How this machine makes them: its ``unshare`` and ``nsenter``, and the list of users that a container sees."""

    unshare: str
    nsenter: str
    passwd: Path

    def contain(self, command: Sequence[str], user: int, group: int, title: str = "") -> list[str]:
        """The command that runs ``command`` as process 1 of new namespaces, and ends as it does."""
        made = [self.unshare, f"--map-user={user}", f"--map-group={group}", *MAKE, "sh", "-c", WAIT, "sh"]
        return [*made, sys.executable, process_one.__file__, str(self.passwd), title or command[0], *command]

    def enter(self, first: int, command: Sequence[str]) -> list[str]:
        """The command that runs ``command`` beside the process 1 that has this number outside."""
        return [self.nsenter, f"--target={first}", *ENTER, *command]

    def contain_server(
        self, command: Sequence[str], title: str, shell: Sequence[str], folder: Path, user: int, group: int
    ) -> list[str]:
        """The same for a JVM, which ``ps`` shows as ``title``: its true arguments are in a file in ``folder``.

        ``shell`` is the container's own command where a shell stays process 1 (see ``keeps_its_shell``); else empty.
        """
        arguments = folder / "java.args"
        arguments.write_text("".join(f'"{_escaped(word)}"\n' for word in command[1:]))
        short = [command[0], f"@{arguments}"]
        if not shell:
            return self.contain(short, user, group, title)
        script = folder / "command.sh"
        script.write_text(shlex.join([sys.executable, "-I", "-S", "-c", AS, title, *short]) + "\nexit $?\n")
        return self.contain(["sh", str(script)], user, group, " ".join(shell))


def _escaped(word: str) -> str:
    """For a Java argument file, in double quotes."""
    return word.replace("\\", "\\\\").replace('"', '\\"')


async def find(guard: ProcessGuard, folder: Path, needed: Sequence[Path]) -> Namespaces | str:
    """Try all that a container needs; the words say what this machine does not allow.

    Its user has to write ``folder`` and to read what is ``needed``, and may not: root is an ordinary user in there.
    """
    unshare, nsenter, ps = (shutil.which(name) for name in ("unshare", "nsenter", "ps"))
    if not LINUX or unshare is None or nsenter is None or ps is None:
        return "it takes Linux, util-linux and procps"
    passwd = folder / "run" / "passwd"
    passwd.parent.mkdir(exist_ok=True)
    passwd.write_text("".join(f"{name}:x:{number}:{number}::/:/bin/sh\n" for number, name in NAMES.items()))
    made, user = Namespaces(unshare, nsenter, passwd), 1000
    command = made.contain(["sh", "-c", TRIAL, str(folder), *map(str, needed)], user, user)
    trial = await guard.start(command, contained=True)
    try:
        async with asyncio.timeout(DEADLINE):
            told = [line.decode(errors="replace") async for line in _until_ready(trial)]
            if told[-1:] != ["ready"]:
                return told[-1] if told else "unshare failed"
            return await _seen(guard, made, trial) or made
    except TimeoutError:
        return f"nothing happened for {DEADLINE:g} s"
    finally:
        await trial.stop(0)


async def _until_ready(trial: Child):
    async for line in trial.lines():
        yield line
        if line == b"ready":
            return


async def _seen(guard: ProcessGuard, made: Namespaces, trial: Child) -> str:
    """What is wrong with the processes that the trial's container shows; empty if nothing is."""
    if trial.first is None:
        return "process 1 can't be told (/proc has no lists of children)"
    asked = await guard.start(made.enter(trial.first, ["ps", "-ef"]), env=ENVIRONMENT)
    lines = [line.decode(errors="replace") async for line in asked.lines()]
    rows = [line.split() for line in lines]
    if [row[:3] for row in rows[:2]] == [["UID", "PID", "PPID"], ["zookeep+", "1", "0"]] and len(rows) == 3:
        return ""
    return lines[-1] if await asked.wait() and lines else "ps shows other processes than the container's"
