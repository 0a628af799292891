"""The two images of the real cluster, made here because no image registry is asked: pause, and ZooKeeper 3.9.

Each is a docker-archive (a tar of manifest.json, a configuration and one layer) that `ctr images import` reads.
ZooKeeper's is laid out like the official one, so that a manifest for that runs unchanged: user 1000 ``zookeeper``,
``/apache-zookeeper-3.9.x-bin`` with its scripts on PATH, ``/conf``, ``/data``, ``/datalog``, ``/logs``, a JRE, bash,
hostname, numfmt, ps, pkill and nc. Debian by debootstrap, the jars by Maven.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.e2e import cache, gobuild
from tests.e2e.gobuild import BuildFailed, Say
from zktui.demo import zookeeper

HERE = Path(__file__).parent
SUITE = "bookworm"
PACKAGES = ("openjdk-17-jre-headless", "netcat-openbsd", "procps", "hostname")
JAVA_HOME = "/usr/lib/jvm/java-17-openjdk-amd64"
HOME = f"/apache-zookeeper-{zookeeper.VERSION}-bin"
UNUSED = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/i18n"),
    *("var/cache/apt", "var/lib/apt/lists", "var/log", "proc", "sys", "dev", "run"),
)
"""Emptied: four nodes unpack the image each, and nothing of this is needed to run a server."""

PAUSE = "docker.io/library/pause:e2e"
ZOOKEEPER = "docker.io/library/zookeeper:3.9"
ARCHITECTURE = "amd64"


def archives() -> dict[str, Path]:
    """Each image's name and its archive, made or not yet."""
    recipe = Path(__file__)
    pause = cache.folder("image-pause", [recipe, *sorted((gobuild.MODULES / "pause").iterdir())])
    context = sorted(path for path in (HERE / "image").rglob("*") if path.is_file())
    server = cache.folder("image-zookeeper", [recipe, Path(zookeeper.__file__), *context])
    return {PAUSE: pause / "pause.tar", ZOOKEEPER: server / "zookeeper.tar"}


def build(say: Say) -> None:
    """Make what is not in the cache; root only (debootstrap). Raises :class:`BuildFailed`."""
    made = archives()
    started = time.monotonic()
    cache.make(made[PAUSE].parent, _pause)
    if cache.make(made[ZOOKEEPER].parent, lambda into: _zookeeper(into, say)):
        say(f"images: made in {time.monotonic() - started:.0f} s")


def _pause(into: Path) -> None:
    root = into / "root"
    root.mkdir()
    gobuild.compile_one("pause", "e2e/pause", root / "pause")
    _archive(root, into / "pause.tar", PAUSE, {"Entrypoint": ["/pause"], "User": "65535:65535"})
    shutil.rmtree(root)


def _zookeeper(into: Path, say: Say) -> None:
    root = into / "root"
    say(f"images: Debian {SUITE} with a JRE, by debootstrap")
    gobuild.persistently("Debian's packages", lambda: _debian(root, into / "debootstrap.log"), say)
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/log/apt").mkdir()
    _lay_out(root, _jars(say))
    environment = {
        "PATH": f"{HOME}/bin:{JAVA_HOME}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "JAVA_HOME": JAVA_HOME,
        "LANG": "C.UTF-8",
        "ZOOKEEPER_HOME": HOME,
        "ZOOCFGDIR": "/conf",
        "ZOO_CONF_DIR": "/conf",
        "ZOO_DATA_DIR": "/data",
        "ZOO_DATA_LOG_DIR": "/datalog",
        "ZOO_LOG_DIR": "/logs",
    }
    configuration = {
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Entrypoint": ["/docker-entrypoint.sh"],
        "Cmd": ["zkServer.sh", "start-foreground"],
        "WorkingDir": HOME,
    }
    _archive(root, into / "zookeeper.tar", ZOOKEEPER, configuration)
    shutil.rmtree(root)


def _debian(root: Path, log: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)  # of an attempt before
    # What it mounts in there is gone when it ends, even by SIGKILL: a /proc is nothing to remove by its files.
    unshare = ("unshare", "--mount", "--fork", "--kill-child")
    packages = f"--include={','.join(PACKAGES)}"
    _run(*unshare, "debootstrap", "--variant=minbase", "--merged-usr", packages, SUITE, str(root), log=log)


def _jars(say: Say) -> Path:
    """ZooKeeper's jars, from the cache that the embedded cluster's members run from as well."""
    home = zookeeper.cache_folder()
    if not (home / "lib").is_dir():
        try:
            zookeeper.fill_cache(home, say)
        except zookeeper.MissingSoftware as why:
            raise BuildFailed(str(why)) from why
    return home / "lib"


def _lay_out(root: Path, jars: Path) -> None:
    home = root / HOME.removeprefix("/")
    shutil.copytree(HERE / "image" / "bin", home / "bin")
    shutil.copytree(jars, home / "lib")
    shutil.copy2(HERE / "image" / "docker-entrypoint.sh", root / "docker-entrypoint.sh")
    (home / "conf").mkdir()
    shutil.copy2(HERE / "image" / "logback.xml", home / "conf" / "logback.xml")
    # The home stands at the root as in the official image; /opt/zookeeper is where the tutorial's image had it.
    (root / "opt" / "zookeeper").mkdir(parents=True)
    _run("chroot", str(root), "groupadd", "--gid", "1000", "zookeeper")
    _run("chroot", str(root), "useradd", "--uid", "1000", "--gid", "1000", "--home-dir", "/data", "zookeeper")
    for name in ("conf", "data", "datalog", "logs"):
        (root / name).mkdir()
        shutil.chown(root / name, 1000, 1000)
    shutil.copy2(HERE / "image" / "logback.xml", root / "conf" / "logback.xml")


def _archive(root: Path, into: Path, name: str, configuration: Mapping[str, Any]) -> None:
    """The folder as an image of one layer."""
    layer = into.with_suffix(".layer")
    _run("tar", "--numeric-owner", "--sort=name", "--mtime=@0", "-C", str(root), "-cf", str(layer), ".")
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    image = {
        "architecture": ARCHITECTURE,
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": configuration,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tests/e2e"}],
    }
    with tarfile.open(into, "w") as archive:
        config = json.dumps(image).encode()
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        _add(archive, config_name, config)
        archive.add(layer, "layer.tar")
        manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    layer.unlink()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _run(*command: str, log: Path | None = None) -> None:
    done = subprocess.run(
        ["nice", "-n", "19", *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if log is not None:
        log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
