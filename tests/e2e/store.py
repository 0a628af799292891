"""What the containerd of each node begins with: both images, imported and unpacked once and kept between runs.

A node's own is made of hard links to these files: layers below a container's own are only read. Each node importing
the images for itself would cost a cluster ten seconds of processor time and gigabytes written.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.e2e import cache, gobuild, images
from tests.e2e.gobuild import BuildFailed, Say

HERE = Path(__file__).parent
SOCKET = "/run/containerd/containerd.sock"
NAME = "node-store"


def folder() -> Path:
    """Where it is, made or not yet."""
    made_of = [path.parent.name for path in images.archives().values()]
    return cache.folder(NAME, [*made_of, gobuild.binaries("containerd").name, Path(__file__), HERE / "store.sh"])


def build(say: Say) -> None:
    """Make it unless it is there; root only. Raises :class:`BuildFailed`."""
    if cache.make(folder(), _import):
        say("images: unpacked for the nodes")


def _import(into: Path) -> None:
    settings = into / "containerd.toml"
    settings.write_text(configuration(into / "containerd", into / "cni"))
    spaces = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--mount-proc"]
    command = [*spaces, HERE / "store.sh", into, gobuild.binaries("containerd"), *images.archives().values()]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"the images were not imported:\n{(done.stdout + done.stderr)[-4000:]}")


def configuration(root: Path, cni: Path) -> str:
    """containerd's, with its data below ``root``; CNI is configured in the folder ``cni``."""
    unused = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
    unused += [f"io.containerd.snapshotter.v1.{kind}" for kind in ("blockfile", "btrfs", "devmapper", "erofs", "zfs")]
    # Without CAP_SYS_RESOURCE a sandbox can't lower its OOM score, and runc fails with "can't get final child's PID
    # from pipe"; restrict_oom_score_adj leaves the score as it may be.
    return f"""version = 3
root = "{root}"
state = "/run/containerd"
disabled_plugins = {json.dumps(unused)}
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{images.PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{gobuild.binaries("cni")}"]
conf_dir = "{cni}"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""
