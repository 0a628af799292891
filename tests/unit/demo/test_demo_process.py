"""Children that can't outlive us, the logs they write, and the folder they work in. Real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zktui.demo import process
from zktui.demo.container_log import ContainerLog, rfc3339_nano
from zktui.demo.process import GUARD, ProcessGuard
from zktui.demo.runtime import LogOptions
from zktui.demo.state_folder import FolderInUse, StateFolder

DEADLINE = 10.0


def alive(pid: int) -> bool:
    """Does the process run? One that only waits to be reaped by its new parent doesn't."""
    asked = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return asked.stdout.strip() not in ("",) and not asked.stdout.startswith("Z")


def wait_gone(pid: int) -> None:
    until = time.monotonic() + DEADLINE
    while alive(pid):
        assert time.monotonic() < until, f"{pid} still runs"
        time.sleep(0.02)


PARENT = """
import asyncio, sys
from zktui.demo.process import ProcessGuard
async def main():
    child = await ProcessGuard().start(["sleep", "600"])
    print(child.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.skipif(not process.LINUX, reason="the kernel's own way is Linux's")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_takes_its_children_along(number: signal.Signals):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.send_signal(number)
        parent.wait(DEADLINE)
    wait_gone(child)


def test_the_guard_for_other_systems_kills_what_is_left_when_its_pipe_ends():
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
    guard = subprocess.Popen([sys.executable, "-c", GUARD], stdin=subprocess.PIPE, text=True)
    told = f"+{children[0].pid}\n+{children[1].pid}\n-{children[1].pid}\n"
    guard.communicate(told, timeout=DEADLINE)
    assert children[0].wait(DEADLINE) == -signal.SIGKILL
    assert children[1].poll() is None, "one that was taken off the list is left alone"
    children[1].kill()
    children[1].wait()


async def test_exit_codes_are_those_of_a_container_runtime():
    guard = ProcessGuard()
    assert await (await guard.start(["sh", "-c", "exit 3"])).wait() == 3
    child = await guard.start(["sleep", "600"])
    assert await child.stop(DEADLINE) == 143
    ready = textwrap.dedent("""
        trap '' TERM
        echo ready
        while :; do sleep 0.05; done
    """)
    stubborn = await guard.start(["sh", "-c", ready])
    assert await anext(stubborn.lines()) == b"ready"
    assert await stubborn.stop(0.2) == 137
    with pytest.raises(FileNotFoundError):
        await guard.start(["/no/such/program"])
    await guard.close()


async def test_a_deaf_child_ends_only_by_force_and_hears_other_signals():
    guard = ProcessGuard()
    child = await guard.start(["sleep", "600"], deaf=True)
    assert await child.stop(0.2) == 137
    child = await guard.start(["sleep", "600"], deaf=True)
    child.signal(signal.SIGTERM)  # as pkill within the container sends it
    assert await child.wait() == 143


async def test_a_child_has_a_session_of_its_own_which_is_killed_as_a_whole():
    guard = ProcessGuard()
    child = await guard.start(["sh", "-c", "sleep 600 & echo $!; wait"])
    grandchild = int(await anext(child.lines()))
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    await guard.close()
    await asyncio.to_thread(wait_gone, grandchild)


async def test_closing_kills_every_child():
    guard = ProcessGuard()
    children = [await guard.start(["sleep", "600"]) for _ in range(3)]
    await guard.close()
    assert [await child.wait() for child in children] == [137, 137, 137]
    assert not any(child.running for child in children)


async def test_lines_come_whole_and_a_very_long_one_in_pieces():
    guard = ProcessGuard()
    script = "import sys; sys.stdout.write('a\\nb\\rc\\n' + 'x' * 3_000_000 + '\\nlast')"
    child = await guard.start([sys.executable, "-c", script])
    lines = [line async for line in child.lines()]
    assert lines[:2] == [b"a", b"b\rc"]
    assert lines[-1] == b"last"
    assert sum(len(line) for line in lines[2:-1]) == 3_000_000
    await guard.close()


# -- logs --------------------------------------------------------------------------------------------------


async def read(log: ContainerLog, **options: object) -> list[bytes]:
    return [chunk async for chunk in log.read(LogOptions(**options))]  # type: ignore[arg-type] # as given


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ContainerLog]:
    made = ContainerLog(tmp_path / "c" / "0.log")
    for number in range(5):
        made.append(f"line {number}".encode())
    yield made
    made.close()


async def test_a_log_is_read_whole_from_its_end_and_up_to_a_size(log: ContainerLog):
    assert await read(log) == [f"line {number}\n".encode() for number in range(5)]
    assert await read(log, tail=2) == [b"line 3\n", b"line 4\n"]
    assert await read(log, tail=0) == []
    assert b"".join(await read(log, limit_bytes=10)) == b"line 0\nlin"


async def test_times_are_nanoseconds_that_only_grow_and_since_chooses_by_them(log: ContainerLog):
    stamps = [entry.split(b" ")[0] for entry in await read(log, timestamps=True)]
    assert stamps == sorted(set(stamps)) and len(stamps[0]) == len(b"2026-01-01T00:00:00.000000000Z")
    assert await read(log, since=time.time() + 60) == []
    assert len(await read(log, since=time.time() - 60)) == 5
    assert rfc3339_nano(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


async def test_a_follower_gets_what_comes_and_ends_with_the_container(log: ContainerLog):
    seen: list[bytes] = []
    first = asyncio.Event()

    async def follow() -> None:
        async for chunk in log.read(LogOptions(follow=True, tail=1)):
            seen.append(chunk)
            first.set()

    task = asyncio.ensure_future(follow())
    async with asyncio.timeout(DEADLINE):
        await first.wait()
        log.append(b"more\rof it")
        log.append(b"")
        log.close()
        await task
    assert seen == [b"line 4\n", b"more\rof it\n", b"\n"]


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.iterdir()]


async def test_a_log_is_bounded_and_a_follower_loses_nothing_at_the_turn(tmp_path: Path):
    log = ContainerLog(tmp_path / "0.log", limit=2000)
    seen: list[bytes] = []
    task: asyncio.Task[None] | None = None

    async def follow() -> None:
        async for chunk in log.read(LogOptions(follow=True)):
            seen.append(chunk)

    task = asyncio.ensure_future(follow())
    for number in range(400):
        log.append(f"{number:04}".encode())
        if number % 30 == 0:  # many lines at once, but less than a whole file
            await asyncio.sleep(0)
    log.close()
    async with asyncio.timeout(DEADLINE):
        await task
    assert seen == [f"{number:04}\n".encode() for number in range(400)]
    assert sum(_sizes(tmp_path)) < 2 * 2000 + 200
    log.delete()
    assert _sizes(tmp_path) == []


# -- the state folder --------------------------------------------------------------------------------------


def test_a_kept_folder_serves_one_cluster_at_a_time_and_keeps_the_disks(tmp_path: Path):
    first = StateFolder(tmp_path)
    (tmp_path / "volumes").mkdir()
    (tmp_path / "pods").mkdir()
    with pytest.raises(FolderInUse, match="another rehearsal cluster runs on"):
        StateFolder(tmp_path)
    first.close()
    StateFolder(tmp_path).close()
    assert (tmp_path / "volumes").is_dir()
    assert not (tmp_path / "pods").exists()


def test_what_a_killed_cluster_left_is_swept_and_what_runs_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    running = StateFolder(None)
    dead = tmp_path / "zktui-demo-dead"
    dead.mkdir()
    (dead / "lock").touch()
    other = StateFolder(None)
    assert sorted(tmp_path.iterdir()) == sorted([running.path, other.path])
    running.close()
    other.close()
    assert list(tmp_path.iterdir()) == []
