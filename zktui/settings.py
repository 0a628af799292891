"""Settings of one run of the program, frozen once the command line, the environment and the file have been read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zktui.errors import UsageError

APP = "zktui"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to look and what may be done."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    """None: the context's own namespace."""
    all_namespaces: bool = False
    ensemble: str | None = None
    """Name of the one ensemble to show, or `namespace/name`; None shows all that are found."""
    read_only: bool = False
    theme: str | None = None
    state: Path = Path()
    """Folder for journals and the program's own log."""

    def wants(self, namespace: str, name: str) -> bool:
        """Whether --ensemble lets this StatefulSet through."""
        if self.ensemble is None:
            return True
        return self.ensemble in (name, f"{namespace}/{name}")


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """`$XDG_STATE_HOME/zktui`, else `~/.local/state/zktui`. Raises UsageError when there is no home to put it in."""
    env = os.environ if environ is None else environ
    base = env.get("XDG_STATE_HOME", "")
    if base.startswith("/"):
        return Path(base) / APP
    try:
        return Path.home() / ".local" / "state" / APP
    except RuntimeError as error:
        raise UsageError("There is no home folder for zktui's journal.", "Set XDG_STATE_HOME.") from error
