"""Where what was built is kept between runs: outside the checkout, under a name that tells what went into it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

KEPT = 2
"""How many versions of one part stay: the present one and the one before, for going back and forth in history."""


def root() -> Path:
    """``$XDG_CACHE_HOME/zktui/e2e``; the cache of the user's home when the variable is not set."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "zktui", "e2e")


def key(ingredients: Iterable[bytes | str | Path]) -> str:
    """A short hash of everything that decides what a part is. A path stands for its content."""
    digest = hashlib.sha256()
    for one in ingredients:
        data = one.read_bytes() if isinstance(one, Path) else one.encode() if isinstance(one, str) else one
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def folder(name: str, ingredients: Iterable[bytes | str | Path]) -> Path:
    """Where a part made of these ingredients is, or will be."""
    return root() / f"{name}-{key(ingredients)}"


def make(target: Path, fill: Callable[[Path], None]) -> bool:
    """Fill ``target`` by ``fill(new folder)`` unless it is there. True if it had to be made.

    All of it or nothing: it appears by one rename, so that a build that was interrupted is never taken for a
    finished one. Of two at once the second waits for the first, and finds its result.
    """
    if target.is_dir():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    name = target.name.rpartition("-")[0]
    with (target.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return False
        for left in target.parent.glob(f".{name}-*"):  # by a build that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            work.chmod(0o755)
            fill(work)
            work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        _forget_older(target, name)
    return True


def _forget_older(newest: Path, name: str) -> None:
    versions = [p for p in newest.parent.glob(f"{name}-*") if p.name.rpartition("-")[0] == name]
    versions.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for old in versions[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
