"""A cluster to play scenarios on: the embedded one, as a process of its own, over real HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.e2e import gobuild
from tests.scenarios import nursery
from tests.scenarios.guard import Guard

T = TypeVar("T")

CLUSTER = os.environ.get("ZKTUI_CLUSTER", "embedded")
"""Which cluster the scenarios are played on: embedded, real or kwok."""

START_DEADLINE = 90.0


@dataclass(frozen=True)
class Ended:
    """A command that has run: exit code and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.out, self
        return json.loads(self.out)

    def documents(self) -> list[Any]:
        """One of each line."""
        assert self.out, self
        return [json.loads(line) for line in self.out.splitlines()]


def eventually(what: str, look: Callable[[], T | None], deadline: float = 60.0, every: float = 0.2) -> T:
    """The first value of `look` that is true. Fails, naming what was waited for, after `deadline` seconds."""
    end = time.monotonic() + deadline
    while True:
        if found := look():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain for: {what}")
        time.sleep(every)


class Stage:
    """One running demo cluster and the ways to it. Ends by `strike`."""

    def __init__(self, folder: Path, nodes: int = 4, members: int = 3, *options: str) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.output = folder / "demo.log"
        self._log = self.output.open("wb")
        command = [sys.executable, "-m", "zktui.demo", "--serve", "--nodes", str(nodes), "--members", str(members)]
        self.process = subprocess.Popen(
            [*command, "--write-kubeconfig", str(self.kubeconfig), *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._guard = Guard("kill", "-INT", str(self.process.pid))
        self.members = members

    def ready(self) -> Stage:
        """Wait until every member serves in one quorum."""
        eventually("a quorum of the demo's members", self._serving, START_DEADLINE, 0.5)
        return self

    def _serving(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the demo ended with {self.process.returncode}:\n{self.output.read_text()}")
        if not self.kubeconfig.exists():
            return False
        ended = self.zktui("status", "-o", "json")
        if ended.code != 0:
            return False
        (ensemble,) = ended.json()["ensembles"]
        return ensemble["quorum"]["serving"] == self.members and all(m["ready"] for m in ensemble["members"])

    def environment(self) -> Mapping[str, str]:
        """Nothing of the user's own: kubeconfig, state and home are the stage's."""
        kept = {
            k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "JAVA_HOME", "TERM", "PYTHONPATH")
        }
        # Where there is no kubectl, the one that `make e2e` has built.
        kept["PATH"] = f"{kept.get('PATH', os.defpath)}:{gobuild.binaries('kubernetes')}"
        return kept | {
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.kubeconfig),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }

    def zktui(self, *arguments: str, timeout: float = 240.0, **environment: str) -> Ended:
        """Run the program itself, as a user would; what can be alike without a start of Python, without one."""
        whole = {**self.environment(), **environment}
        if nursery.alike(whole):
            return Ended(*nursery.command(arguments, whole, timeout))
        return run([sys.executable, "-m", "zktui", *arguments], whole, timeout=timeout)

    def kubectl(self, *arguments: str, timeout: float = 60.0) -> Ended:
        return run(["kubectl", *arguments], self.environment(), timeout=timeout)

    def status(self) -> Any:
        """The one ensemble of `zktui status -o json`."""
        (ensemble,) = self.zktui("status", "-o", "json").json()["ensembles"]
        return ensemble

    def member(self, role: str) -> Any:
        """A member that has this role now."""
        return next(m for m in self.status()["members"] if m["role"] == role)

    def strike(self) -> None:
        """End it as Ctrl-C would, and fail when it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(f"the demo did not end after Ctrl-C:\n{self.output.read_text()}") from None
        finally:
            self._guard.dismiss()
            self._log.close()


def run(command: list[str], environment: Mapping[str, str], timeout: float = 60.0) -> Ended:
    done = subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def kubectl_program() -> str | None:
    """The one on the PATH; else the one that `make e2e` has built; None where there is neither."""
    built = gobuild.binaries("kubernetes") / "kubectl"
    return shutil.which("kubectl") or (str(built) if built.exists() else None)


def has(tool: str) -> bool:
    return shutil.which(tool) is not None
