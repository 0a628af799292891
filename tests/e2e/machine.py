"""What the clusters with real nodes share of one machine: subnets, and settings of the kernel.

A register in ``/run`` tells which cluster has which subnet, and who started it. So two runs side by side never take
the same one; what a killed run has left behind is found, whichever folder it was in; and the kernel's settings are
put back when the last cluster has gone.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.e2e import network
from tests.e2e.ledger import Ledger, Started
from tests.e2e.network import Net

REGISTER = Path("/run/zktui-e2e")
SETTINGS = tuple(
    f"/proc/sys/{name}"
    for name in (
        *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
        *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
    )
)
"""The kubelet sets these (its container manager's setupKernelTunables); they have no namespace."""

INOTIFY = "/proc/sys/fs/inotify/max_user_instances"
INSTANCES = 1024
"""A node takes nine; of the usual 128 three clusters of four nodes leave none, and then a kubelet ends."""


@dataclass(frozen=True)
class Entry:
    """One cluster in the register."""

    net: Net
    folder: Path
    starter: Started
    kept: bool
    """It is meant to outlive its starter."""

    @property
    def abandoned(self) -> bool:
        """Nobody will end it any more."""
        if self.starter.alive():
            return False
        return not self.kept or not any(one.alive() for one in Ledger(self.folder).processes)


def reserve(folder: Path, *, kept: bool) -> Net:
    """A subnet of its own for the cluster in that folder. The first one remembers the kernel's settings.

    Raises RuntimeError when no subnet is free.
    """
    with _register():
        known = entries()
        if not known:
            _write(_kernel(), {path: _read(path) for path in (*SETTINGS, INOTIFY) if Path(path).exists()})
            if int(_read(INOTIFY)) < INSTANCES:
                Path(INOTIFY).write_text(str(INSTANCES))
        net = network.free({entry.net.index for entry in known})
        record = {"folder": str(folder), "starter": asdict(Started.of("starter", os.getpid())), "kept": kept}
        _write(REGISTER / f"{net.index}.json", record)
        return net


def release(net: Net) -> None:
    """The subnet is free again. With the last one the kernel is set as it was before the first. Safe to call again."""
    with _register():
        (REGISTER / f"{net.index}.json").unlink(missing_ok=True)
        if not entries() and _kernel().exists():
            for path, value in json.loads(_kernel().read_text()).items():
                if _read(path) != value:
                    Path(path).write_text(value)
            _kernel().unlink()


def entries() -> list[Entry]:
    """All that are in the register."""
    found: list[Entry] = []
    for path in sorted(REGISTER.glob("[0-9]*.json")):
        record = json.loads(path.read_text())
        starter = Started(**record["starter"])
        found.append(Entry(Net(int(path.stem)), Path(record["folder"]), starter, record["kept"]))
    return found


def _kernel() -> Path:
    return REGISTER / "kernel.json"


def _write(path: Path, content: object) -> None:
    """All of it or nothing."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


def _read(path: str) -> str:
    return Path(path).read_text().strip()


@contextmanager
def _register() -> Generator[None]:
    REGISTER.mkdir(mode=0o700, exist_ok=True)
    with (REGISTER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
