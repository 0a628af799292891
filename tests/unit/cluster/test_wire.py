"""Decoders, made by many threads at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import zktui.cluster

SIDE_BY_SIDE = """
import sys, threading
from zktui.cluster import wire

sys.setswitchinterval(1e-6)
KINDS = (wire.Pod, wire.Node, wire.StatefulSet, wire.Budget, wire.Object)
OWNED = b'{"metadata": {"name": "a", "ownerReferences": [{"kind": "b"}]}}'
together = threading.Barrier(2 * len(KINDS))
read = []

def list_them(kind):
    together.wait()
    read.append(wire.decoder(wire.Page[kind]).decode(b'{"items": [' + OWNED + b']}').items[0].metadata.name)

threads = [threading.Thread(target=list_them, args=(kind,)) for kind in KINDS * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(read))
"""


def test_threads_that_list_different_kinds_at_once() -> None:
    """A process each: what msgspec knows of a struct it learns once. Without the lock two of three end by SIGSEGV."""
    for _ in range(6):
        done = subprocess.run([sys.executable, "-c", SIDE_BY_SIDE], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "10\n"), done


def test_decoders_come_from_one_place() -> None:
    folder = Path(zktui.cluster.__file__).parent
    making = [path.name for path in folder.rglob("*.py") if re.search(r"json\.(Decoder|decode)\(", path.read_text())]
    assert making == ["wire.py"]
