"""The folder with the members' disks, held by one rehearsal cluster at a time."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

PREFIX = "zktui-demo-"
LOCK = "lock"


class FolderInUse(Exception):
    """Another rehearsal cluster runs on the kept folder."""


class NotWritable(Exception):
    """A file or folder of the rehearsal cluster can't be made; the message says which, why, and what to do."""


class StateFolder:
    """``keep``, or a temporary folder that is removed by :meth:`close`.

    Temporary folders of clusters that were killed are removed on the way: nobody holds their lock any more.
    """

    def __init__(self, keep: Path | None) -> None:
        self._temporary = keep is None
        try:
            if keep is None:
                _sweep()
                self.path, lock = _temporary()
            else:
                keep.mkdir(parents=True, exist_ok=True)
                self.path = keep.resolve()
                lock = _lock(self.path)
        except OSError as why:
            advice = "choose another folder with --keep" if keep else "set TMPDIR to a folder with room"
            where = keep or tempfile.gettempdir()
            raise NotWritable(f"the members' disks can't be made in {where}: {why.strerror}; {advice}") from why
        if lock is None:
            raise FolderInUse(f"another rehearsal cluster runs on {self.path}; end it, or keep this one elsewhere")
        self._lock = lock

    def close(self) -> None:
        """Give the folder back, and remove what need not be kept."""
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            for name in ("run", "pods", "logs"):
                shutil.rmtree(self.path / name, ignore_errors=True)
        self._lock.close()


def _temporary() -> tuple[Path, IO[str]]:
    """A new folder and its lock; another one when a sweep of somebody else's took it before we could."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> IO[str] | None:
    """The folder's lock, held until it is closed or we end; None when somebody else holds it."""
    file = (folder / LOCK).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _sweep() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # One that is not ours, or that is being made right now, has no lock that we could take.
        with contextlib.suppress(OSError):
            if not (left / LOCK).exists():
                continue
            lock = _lock(left)
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                lock.close()
