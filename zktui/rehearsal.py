"""The rehearsal cluster beside the program: a process of its own, so that neither can hold the other up.

The program reaches it as it reaches any cluster, by a kubeconfig and HTTP; the user's own kubeconfig is never touched.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from zktui.core.ports import Breakage
from zktui.errors import EXIT_USAGE, UsageError, ZktuiError

READY = "members serve after"
"""What the demo prints once every member serves; with --members 0 too."""
ITS_ERROR = "zktui demo: "
LATE = "not all members are ready yet"
LEADER, SECONDS, NOTHING = "leader", "20", "nothing"
UNDONE = {"start-node": "stopped", "join-member": "cut", "thaw-member": "frozen"}
"""What mends a thing, and under what name the things are told that are broken so."""
MOST = 12
"""Nodes to choose from: a menu of a thousand is none."""
STOP = 20.0
"""Seconds for its servers to end; then it is killed, and they die with it."""


class Demo:
    """A Breaker of the demo that a kubeconfig leads to."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    async def choices(self) -> tuple[tuple[Breakage, ...], str]:
        found = await self._ask(None)
        broken: dict[str, str | list[str]] = found["broken"]
        named = {what: names if isinstance(names, str) else ", ".join(names) for what, names in broken.items()}
        targets = {"node": found["nodes"][:MOST], "member": [LEADER, *found["members"]], "seconds": [SECONDS]}
        made = [Breakage(NOTHING, "", "Make everything whole again")]
        for fault in found["faults"]:
            undone = UNDONE.get(fault["name"])
            names = broken.get(undone, []) if undone else targets[fault["target"]]
            made += [Breakage(fault["name"], name, fault["words"]) for name in names]
        return tuple(made), "; ".join(f"{what} {words}" for what, words in named.items() if words)

    async def carry_out(self, choice: Breakage) -> str:
        body = {"mend": True} if choice.name == NOTHING else {"break": choice.name, "target": choice.target}
        return str((await self._ask(body))["done"])

    async def _ask(self, body: dict[str, Any] | None) -> dict[str, Any]:
        from zktui.demo.control import NotARehearsal, ask  # noqa: PLC0415  # only who breaks something pays for it

        try:
            return await asyncio.to_thread(ask, self._kubeconfig, body)
        except NotARehearsal as why:
            raise ZktuiError(f"{why}.") from why


@contextmanager
def rehearsal(options: Sequence[str]) -> Generator[Path]:
    """Start a demo with these options, wait until it is ready, hand out its kubeconfig, and stop it at the end.

    What it prints on the way is shown. Raises ZktuiError when it can't start. It ends with this program however that
    ends, since it reads from a pipe which then closes.
    """
    with tempfile.TemporaryDirectory(prefix="zktui-demo-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        command = [sys.executable, "-m", "zktui.demo", "--serve", "--until-eof", "--write-kubeconfig", str(kubeconfig)]
        process = subprocess.Popen(  # noqa: S603  # our own program with options checked by the command line
            [*command, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A Ctrl-C is for the program; it stops the demo when it is done with it.
            start_new_session=True,
        )
        try:
            _await_ready(process, kubeconfig)
            yield kubeconfig
        finally:
            _stop(process)


def _await_ready(process: subprocess.Popen[str], kubeconfig: Path) -> None:
    said = ""
    for line in _lines(process.stdout):
        if READY in line or LATE in line:
            sys.stdout.write(line.replace("; Ctrl-C ends", "").replace(" Ctrl-C ends", "") + "\n")
            return
        said = line
        # What the demo says of itself in dying is told once, as this program's error.
        if str(kubeconfig) not in line and not line.startswith(ITS_ERROR):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
    code = process.wait()
    if code == EXIT_USAGE:
        raise UsageError(said.removeprefix(ITS_ERROR))
    raise ZktuiError(f"The demo cluster ended while it started (exit code {code}).", "What it said is above.")


def _lines(stream: IO[str] | None) -> Generator[str]:
    if stream is not None:
        for line in stream:
            yield line.rstrip("\n")


def _stop(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
