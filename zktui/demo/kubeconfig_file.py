"""The way to a rehearsal cluster as a file: for its user alone, gone with the cluster, never in another's place."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, cast

import yaml

from zktui.demo.control import CONTEXT
from zktui.demo.objects import Object
from zktui.demo.state_folder import NotWritable

ADVICE = "choose another with --write-kubeconfig"


def write(path: Path, kubeconfig: Object) -> str:
    """Write it by a rename, so that who waits for the file never reads half of it; the text that was written.

    Raises :class:`~zktui.demo.state_folder.NotWritable`, also where the file is there and leads to another cluster.
    """
    fresh, text = path.parent / f".{path.name}.new", yaml.safe_dump(kubeconfig, sort_keys=False)
    try:
        if path.exists() and not _may_go(path.read_text()):
            raise NotWritable(f"{path} is there, and is no rehearsal cluster's kubeconfig; {ADVICE}")
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(path)
    except (OSError, UnicodeDecodeError) as why:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        words = why.strerror if isinstance(why, OSError) else "it is there, and no text"
        raise NotWritable(f"the kubeconfig can't be written to {path}: {words}; {ADVICE}") from why
    return text


def remove(path: Path, text: str) -> None:
    """Where it still is what was written: it leads nowhere any more."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if path.read_text() == text:
            path.unlink()


def _may_go(text: str) -> bool:
    """Nothing, or the way to a rehearsal cluster."""
    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return found is None or (isinstance(found, dict) and cast("Object", found).get("current-context") == CONTEXT)
