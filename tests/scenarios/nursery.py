"""zktui's commands in processes of their own that do not import everything anew: half of what a short one costs.

A server process has the modules loaded, and forks for each command; what is run is `zktui.cli.main`, with the command
line, environment, output and exit code of a process. What a scenario signals, or types into, is started as a user
would start it.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from tempfile import TemporaryDirectory

LOADED = (
    *("zktui.cli", "zktui.wiring", "zktui.cluster.connect", "zktui.ensemble.polling", "zktui.ensemble.probe"),
    *("zktui.ensemble.rounds", "zktui.ensemble.tree", "zktui.ensemble.watcher", "zktui.headless.check"),
    *("zktui.headless.maintain", "zktui.headless.plan", "zktui.headless.status", "zktui.headless.where"),
    *("kubernetes.client", "kubernetes.config", "yaml", "tests.scenarios.nursery"),
)


def command(arguments: Sequence[str], environment: Mapping[str, str], timeout: float) -> tuple[int, str, str]:
    """Exit code, output and errors of one command. Raises subprocess.TimeoutExpired, once it has been killed."""
    with TemporaryDirectory(prefix="zktui-command-") as name:
        folder = Path(name)
        process = _nursery().Process(target=_live, args=(tuple(arguments), dict(environment), folder), daemon=True)
        process.start()
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(["zktui", *arguments], timeout)
            return process.exitcode, (folder / "out").read_text(), (folder / "err").read_text()
        finally:
            # Also when the tests are broken off: no command outlives them.
            if process.exitcode is None:
                process.kill()
                process.join()
            process.close()


def alike(environment: Mapping[str, str]) -> bool:
    """Whether a fork can stand for a process with this environment: Python reads some of it only when it starts."""
    return not any(name.startswith("PYTHON") and name != "PYTHONPATH" for name in environment)


def _nursery() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*LOADED])
    return context


def _live(arguments: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
    from zktui.cli import main

    for descriptor, name in ((1, "out"), (2, "err")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["zktui", *arguments]
    try:
        code = main()
    finally:
        # multiprocessing ends its processes without it, and ZooKeeper sessions say goodbye in it.
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
    sys.exit(code)
