"""The first process in new namespaces: makes them a container's, gives up its powers, and becomes the program.

Run by :mod:`zktui.demo.namespaces` as a script, so it imports nothing of ours. Arguments: the process that waits for
us, a file with the users' names, argv[0], the program, its arguments.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 1, 47, 4  # <sys/prctl.h>
MS_BIND = 4096  # <sys/mount.h>


def main(waiting: str, passwd: str, title: str, program: str, *words: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), *[ctypes.c_ulong(0)] * 3)
    # Here /proc is the machine's still, and tells our parent's number outside: did it die before prctl was called?
    if Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[1] != waiting:
        sys.exit("who waits for the container is gone")
    for source, target, kind, flags in (("proc", "/proc", b"proc", 0), (passwd, "/etc/passwd", None, MS_BIND)):
        if libc.mount(os.fsencode(source), os.fsencode(target), kind, ctypes.c_ulong(flags), None) != 0:
            sys.exit(f"{target} can't be mounted: {os.strerror(ctypes.get_errno())}")
    libc.prctl(PR_CAP_AMBIENT, ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL), *[ctypes.c_ulong(0)] * 3)
    os.execvp(program, [title, *words])  # noqa: S606 - the container's program


if __name__ == "__main__":
    main(*sys.argv[1:])
