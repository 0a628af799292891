"""A process of ours without its network: each of its connections is shut, again and again, as long as that lasts.

On Linux a process may have a child's sockets as its own (``pidfd_getfd``), and so shut them, without being root and
without a firewall. Connections to us stay: ours are those of a kubelet, which reaches into a pod's network.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

PIDFD_GETFD = 438
"""The system call's number, on every architecture."""
EVERY = 0.1
"""Seconds between two looks. By itself too long: who is cut off must not find the others by name either."""

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def possible() -> bool:
    """Does this system have what it takes?"""
    return _libc is not None and hasattr(os, "pidfd_open")


def cut(pid: int) -> int:
    """Shut every connection of that child but those to us; returns how many. OSError when it is gone or not ours."""
    own = _own_addresses()
    shut = 0
    pidfd = os.pidfd_open(pid)
    try:
        for number in _sockets(pid):
            taken = _take(pidfd, number)
            if taken is None:
                continue
            with taken:
                if _is_apart(taken, own):
                    with contextlib.suppress(OSError):
                        taken.shutdown(socket.SHUT_RDWR)
                        shut += 1
    finally:
        os.close(pidfd)
    return shut


def _sockets(pid: int) -> Iterator[int]:
    """The descriptors of a process that are sockets."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(entry.readlink()).startswith("socket:"):
                yield int(entry.name)


def _take(pidfd: int, number: int) -> socket.socket | None:
    assert _libc is not None
    taken = _libc.syscall(PIDFD_GETFD, pidfd, number, 0)
    if taken < 0:
        code = ctypes.get_errno()
        if code in (1, 38):  # EPERM, ENOSYS
            raise OSError(code, os.strerror(code))
        return None  # closed meanwhile
    return socket.socket(fileno=taken)


def _is_apart(taken: socket.socket, own: set[tuple[str, int]]) -> bool:
    """A TCP connection whose other end is not ours?"""
    if taken.family not in (socket.AF_INET, socket.AF_INET6) or taken.type != socket.SOCK_STREAM:
        return False
    try:
        host, port = taken.getpeername()[:2]
    except OSError:
        return False  # it listens, or connects only now
    return (_plain(host), port) not in own


def _own_addresses() -> set[tuple[str, int]]:
    """The local ends of our own connections."""
    found: set[tuple[str, int]] = set()
    for number in _sockets(os.getpid()):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as ours:
            if ours.family in (socket.AF_INET, socket.AF_INET6):
                host, port = ours.getsockname()[:2]
                found.add((_plain(host), port))
    return found


def _plain(host: str) -> str:
    """Without the prefix of an IPv4 address in an IPv6 socket, as Java has them."""
    return host.removeprefix("::ffff:")
