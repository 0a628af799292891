"""Child processes that can't outlive us: the rehearsal cluster's containers.

On Linux the kernel kills a child when its parent dies (``PR_SET_PDEATHSIG``), however that happens. Elsewhere a
guard process reads a pipe from us, and when the pipe ends without our farewell it kills what we had started.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
LINE_LIMIT = 1 << 20
"""Bytes of one line of output; a longer one is cut in pieces, as container runtimes do (at 16 KiB)."""

AGAIN = 0.25
"""Seconds until a container is asked again to end."""

GUARD = """
import os, signal, sys
pids = set()
for line in sys.stdin:
    (pids.add if line[0] == "+" else pids.discard)(int(line[1:]))
for pid in pids:
    try: os.kill(pid, signal.SIGKILL)
    except OSError: pass
"""

LINUX = sys.platform.startswith("linux")
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _die_with(parent: int) -> None:
    """Runs in the child between fork and exec: only system calls, nothing that takes a lock."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before prctl was called
            os._exit(128 + signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """The numbers of its child processes, the oldest first; none where the kernel does not tell them."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class ProcessGuard:
    """Starts children and remembers them. One for each rehearsal cluster; :meth:`close` kills what is left."""

    def __init__(self) -> None:
        self._children: set[Child] = set()
        self._guard: subprocess.Popen[str] | None = None

    async def start(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        stdin: bool = False,
        merge: bool = True,
        deaf: bool = False,
        contained: bool = False,
    ) -> Child:
        """Start ``command`` in a session of its own, so that a terminal's Ctrl-C reaches us and not it.

        ``merge`` sends stderr along stdout. ``deaf`` is for what runs behind a process 1 that passes no SIGTERM on:
        asked to end it does nothing. ``contained`` says that ``command`` only waits for a process 1 of its own
        (:mod:`zktui.demo.namespaces`). Raises OSError when the program can't be started.
        """
        parent = os.getpid()
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE if stdin else DEVNULL,
            stdout=PIPE,
            stderr=STDOUT if merge else PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
            preexec_fn=(lambda: _die_with(parent)) if LINUX else None,
            limit=LINE_LIMIT,
        )
        child = Child(process, self._forget, deaf, contained)
        self._children.add(child)
        self._tell("+", child)
        return child

    def _forget(self, child: Child) -> None:
        self._children.discard(child)
        self._tell("-", child)

    def _tell(self, sign: str, child: Child) -> None:
        if _libc is not None:
            return
        if self._guard is None:
            self._guard = subprocess.Popen(  # noqa: S603 - our own interpreter and text
                [sys.executable, "-c", GUARD], stdin=subprocess.PIPE, text=True, start_new_session=True
            )
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{sign}{child.session}\n")
        self._guard.stdin.flush()

    async def close(self) -> None:
        """Kill every child that still runs, and wait until all are gone."""
        left = list(self._children)
        for child in left:
            child.signal(signal.SIGKILL)
        await asyncio.gather(*(child.wait() for child in left))
        if self._guard is not None:
            self._guard.communicate()


class Child:
    """A running child. It is waited for from the start, so a dead one never stays as a zombie."""

    def __init__(self, process: Process, gone: Callable[[Child], None], deaf: bool, contained: bool) -> None:
        self._process = process
        self._deaf, self._contained = deaf, contained
        self._gone = gone
        self._waiter = asyncio.ensure_future(self._wait())

    async def _wait(self) -> int:
        code = await self._process.wait()
        self._gone(self)
        return code if code >= 0 else 128 - code

    @property
    def session(self) -> int:
        """The number of its session and process group: that of the process we started."""
        return self._process.pid

    @property
    def first(self) -> int | None:
        """The container's process 1, by the number that it has for us; None before it is there and after its end.

        Read anew each time: it may be gone at the next.
        """
        if not self._contained:
            return self.session
        return next(iter(children_of(self.session)), None)

    @property
    def pid(self) -> int:
        """The process that does the work: behind a shell that only waits for it, the one it waits for."""
        found = self.session
        while self._contained and (below := children_of(found)):
            found = below[0]
        return found

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """The exit code as a container runtime tells it: 137 for SIGKILL, 143 for SIGTERM."""
        return await asyncio.shield(self._waiter)

    def signal(self, number: int) -> None:
        """Send a signal to the process that does the work; nothing happens when it has ended."""
        if number != signal.SIGKILL:
            self._send(os.kill, self.pid, number)
        elif self._contained and (first := self.first) is not None:
            self._send(os.kill, first, number)  # the kernel ends all in its namespace, and who waits reaps it
        else:
            self._send(os.killpg, self.session, number)  # and whatever it started: nobody else would end that

    def _send(self, send: Callable[[int, int], None], where: int, number: int) -> None:
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                send(where, number)

    def ask_to_end(self) -> None:
        """SIGTERM to the container's process 1."""
        if not self._deaf and (first := self.first) is not None:
            self._send(os.kill, first, signal.SIGTERM)

    async def stop(self, grace: float) -> int:
        """Ask it to end, and SIGKILL after ``grace`` seconds; returns the exit code."""
        deadline = time.monotonic() + grace
        return await self.end_by(lambda: deadline)

    async def end_by(self, deadline: Callable[[], float]) -> int:
        """The same by a monotonic time that may still change; returns the exit code."""
        while (left := deadline() - time.monotonic()) > 0 and not self._waiter.done():
            # More than once: a process 1 does not hear it before it has set itself up to, and a JVM takes its time.
            self.ask_to_end()
            await asyncio.wait({self._waiter}, timeout=min(left, AGAIN))
        self.signal(signal.SIGKILL)
        return await self.wait()

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines of the output without their ends, until it closes."""
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                line = await stream.readuntil(b"\n")
            except asyncio.IncompleteReadError as end:
                if end.partial:
                    yield end.partial
                return
            except asyncio.LimitOverrunError:
                line = await stream.read(LINE_LIMIT)
            yield line.rstrip(b"\r\n")

    async def chunks(self, *, error: bool = False) -> AsyncIterator[bytes]:
        """Output (or error output, where it is not merged) as it comes."""
        stream = self._process.stderr if error else self._process.stdout
        while stream is not None and (chunk := await stream.read(65536)):
            yield chunk

    async def feed(self, source: AsyncIterator[bytes]) -> None:
        """Write ``source`` to the child's input and close it at the end of ``source``."""
        stream = self._process.stdin
        assert stream is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            async for chunk in source:
                stream.write(chunk)
                await stream.drain()
        stream.close()
