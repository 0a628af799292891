"""The programs of a cluster, built from their Go modules in the versions that ``go/*/go.mod`` and ``go.sum`` pin.

Each folder under ``go`` is a module whose ``tool`` lines name what is built; one without them is a program itself.
They are modules of their own because etcd's and Kubernetes' own go.mod hold replace lines, which
`go install …@version` refuses, and because one common module would mix the versions of what they depend on.
Kubernetes' staging modules (k8s.io/api, …) are replaced there by the same modules as published.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e import cache

MODULES = Path(__file__).parent / "go"
KUBERNETES = "v1.37.2"
CONTROL_PLANE = ("kubernetes", "etcd")
SIMULATED_NODES = ("kwok",)
REAL_NODES = ("containerd", "cni", "coredns")

NAMES = {"go.etcd.io/etcd/server/v3": "etcd"}
"""Programs whose package path doesn't end in their name."""

KWOK_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
"""How kwok plays a node and its pods; without them its nodes stay Unknown."""

Say = Callable[[str], None]


class BuildFailed(Exception):
    """A program could not be built; the message ends with what the Go tool said."""


def binaries(module: str) -> Path:
    """The folder with the programs of one module, built or not yet."""
    folder = MODULES / module
    return cache.folder(module, [*sorted(folder.iterdir()), " ".join(_flags()), *KWOK_STAGES])


def build(modules: tuple[str, ...], say: Say) -> None:
    """Build what is not in the cache; minutes for each module the first time. Raises :class:`BuildFailed`."""
    for module in modules:
        started = time.monotonic()
        if cache.make(binaries(module), lambda into, module=module: _build(module, into, say)):
            say(f"{module}: built in {time.monotonic() - started:.0f} s")


def _flags() -> list[str]:
    # Clients show and compare the server's version, which a plain `go build` leaves at v0.0.0.
    package = "k8s.io/component-base/version"
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamps = " ".join(f"-X {package}.{name}={value}" for name, value in values.items())
    return ["-trimpath", "-ldflags", f"-s -w {stamps}"]


def _build(module: str, into: Path, say: Say) -> None:
    folder = MODULES / module
    described = json.loads(_go(folder, "mod", "edit", "-json"))
    tools = [str(tool["Path"]) for tool in described["Tool"] or ()]
    packages = tools or [str(described["Module"]["Path"])]
    # All that is downloaded is downloaded here.
    persistently(f"the modules of {module}", lambda: _go(folder, "list", "-deps", *packages), say)
    for tool in packages:
        name = NAMES.get(tool, tool.rpartition("/")[2])
        say(f"{module}: building {name}")
        compile_one(module, tool, into / name)
    if module == "kwok":
        _kwok_stages(folder, into / "stages.yaml")


def persistently(what: str, fetch: Callable[[], object], say: Say, pauses: tuple[float, ...] = (5.0, 20.0)) -> None:
    """Fetch from a registry, once more after each of the pauses (seconds) when it fails. Raises the last failure."""
    for pause in pauses:
        try:
            fetch()
        except BuildFailed as why:
            say(f"could not fetch {what}, once more in {pause:.0f} s: {str(why).splitlines()[-1]}")
            time.sleep(pause)
        else:
            return
    fetch()


def compile_one(module: str, package: str, into: Path) -> None:
    """One program of the module into that file. Raises :class:`BuildFailed`."""
    _go(MODULES / module, "build", *_flags(), "-o", str(into), package)


def _go(folder: Path, *arguments: str) -> str:
    # Static programs: the C library and the machine the cache was filled on don't matter.
    environment = dict(os.environ) | {"CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run(
        ["nice", "-n", "19", "go", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"go {' '.join(arguments)} in {folder}:\n{done.stderr.strip()[-4000:]}")
    return done.stdout


def _kwok_stages(folder: Path, into: Path) -> None:
    """kwok's own stages, from its module, as one file."""
    source = Path(_go(folder, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip(), "kustomize", "stage")
    files = [path for stage in KWOK_STAGES for path in sorted((source / stage).glob("*.yaml"))]
    into.write_text("\n---\n".join(path.read_text() for path in files if path.name != "kustomization.yaml"))
