"""The rehearsal cluster beside the program: a process of its own, so that neither can hold the other up.

The program reaches it as it reaches any cluster, by a kubeconfig and HTTP; the user's own kubeconfig is never touched.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zktui.errors import EXIT_USAGE, UsageError, ZktuiError

READY = "members serve after"
"""What the demo prints once every member serves; with --members 0 too."""
ITS_ERROR = "zktui demo: "
LATE = "not all members are ready yet"
STOP = 20.0
"""Seconds for its servers to end; then it is killed, and they die with it."""


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
            _await_ready(process)
            yield kubeconfig
        finally:
            _stop(process)


def _await_ready(process: subprocess.Popen[str]) -> None:
    said = ""
    for line in _lines(process.stdout):
        if READY in line or LATE in line:
            sys.stdout.write(line.replace("; Ctrl-C ends", "").replace(" Ctrl-C ends", "") + "\n")
            return
        said = line
        # What the demo says of itself in dying is told once, as this program's error.
        if "kubectl --kubeconfig" not in line and not line.startswith(ITS_ERROR):
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
