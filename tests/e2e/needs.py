"""What this machine must have for each part, and how it is got or what is skipped without it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import network
from tests.e2e.gobuild import Say

KWOK_TOOLS = ("go", "openssl", "nice")
REAL_TOOLS = (*KWOK_TOOLS, "java", "mvn", "debootstrap", "runc", "ip", "nsenter", "unshare", "mount", "chroot", "tar")
PACKAGES = {
    "debootstrap": "debootstrap",
    "runc": "runc",
    "ip": "iproute2",
    "mvn": "maven",
    "java": "openjdk-17-jdk-headless",
    "openssl": "openssl",
    "go": "golang",
    "tmux": "tmux",
}
"""What has a tool, on Debian."""

INSTALLABLE = ("debootstrap", "runc", "ip", "openssl", "tmux")
"""Small ones, which root on Debian gets installed; a JDK or a Go is the owner's choice. Without tmux only those tests
are skipped that type keys."""

_LINUX = f"Linux (this is {sys.platform})"


@dataclass(frozen=True)
class Part:
    """A part of the end-to-end tests, and why it can't run here; an empty tuple when it can."""

    name: str
    lacks: tuple[str, ...]


def real(say: Say, install: bool = True) -> Part:
    """Four real nodes. Installs small packages when it may: as root, on Debian, with ``install``."""
    lacks = list(_system())
    if not lacks:
        missing = [tool for tool in REAL_TOOLS if not shutil.which(tool)]
        wanted = [tool for tool in INSTALLABLE if not shutil.which(tool)]
        if install and wanted and shutil.which("apt-get"):
            _install([PACKAGES[tool] for tool in wanted], say)
            missing = [tool for tool in missing if not shutil.which(tool)]
        lacks += [_without(tool) for tool in missing]
    if not lacks and (device := network.missing()):
        lacks.append(device)
    return Part("real nodes", tuple(lacks))


def kwok() -> Part:
    """A real control plane with simulated nodes."""
    system = () if sys.platform == "linux" else (_LINUX,)  # processes are known by what /proc tells
    tools = (_without(tool) for tool in KWOK_TOOLS if not shutil.which(tool))
    return Part("simulated nodes (kwok)", (*system, *tools))


def _system() -> list[str]:
    checks: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: sys.platform == "linux", _LINUX),
        (lambda: os.geteuid() == 0, "root (containers, namespaces and network bridges need it)"),
        (lambda: platform.machine() == "x86_64", f"x86_64 (the image is made for it; this is {platform.machine()})"),
        (lambda: Path("/sys/fs/cgroup").is_dir(), "cgroups at /sys/fs/cgroup"),
    )
    return [said for holds, said in checks if not holds()]


def _without(tool: str) -> str:
    package = PACKAGES.get(tool)
    return f"{tool} (on Debian: apt-get install {package})" if package else tool


def _install(packages: list[str], say: Say) -> None:
    say(f"installing {', '.join(packages)}")
    environment = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "-o", "Acquire::Retries=3", "update"],
        ["apt-get", "-qq", "-o", "Acquire::Retries=3", "install", "--no-install-recommends", "-y", *packages],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            say(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
