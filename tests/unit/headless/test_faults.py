"""What nobody expected is told in one line, kept in a file, and never taken for something else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zktui import wiring
from zktui.cli import main
from zktui.core.tasks import begin
from zktui.faults import Faults, tell


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "zktui"


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(*_: object) -> int:
        raise error

    monkeypatch.setattr(wiring, "run_status", run)


def kept(state: Path) -> list[Path]:
    return list(state.glob("fault-*.txt"))


def only(state: Path) -> Path:
    (file,) = kept(state)
    return file


def test_an_unexpected_error_is_one_line_and_a_file(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, ZeroDivisionError("from\x1b[2J outside"))
    assert main(["status"]) == 1
    file = only(state)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (f"zktui: a fault of zktui's own: ZeroDivisionError: from␛[2J outside. Its details: {file}\n")
    details = file.read_text()
    assert "Traceback" in details
    assert "raise error\nZeroDivisionError: from\x1b[2J outside" in details
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_fault_that_can_not_be_kept_is_told_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    tell(ValueError("x" * 500), tmp_path / "file" / "zktui")
    said = capsys.readouterr().err
    assert said.startswith(f"zktui: a fault of zktui's own: ValueError: {'x' * 188}…. Its details could not be kept")
    assert said.endswith(": Not a directory.\n")


def test_a_broken_pipe_of_something_else_is_not_silent(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, BrokenPipeError(32, "Broken pipe"))
    assert main(["status"]) == 1
    assert "BrokenPipeError" in capsys.readouterr().err
    assert only(state)


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_when_the_reader_has_gone_there_is_nothing_to_say(state: Path, size: int) -> None:
    program = (
        "import sys; from zktui import cli, wiring; from zktui.headless.output import say\n"
        f"wiring.run_status = lambda *_: say('x' * {size})\n"
        "sys.exit(cli.main(['status']))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")
    assert not state.exists()


async def test_a_task_that_nobody_awaits_is_heard_at_once_even_while_it_is_held(tmp_path: Path) -> None:
    async def fail() -> None:
        raise LookupError("gone")

    faults, ended = Faults(tmp_path), asyncio.Event()
    faults.listen(ended.set)
    held = begin(fail(), "a stream")
    async with asyncio.timeout(5):
        await ended.wait()
    assert held.done()
    assert faults.any


async def test_a_task_that_is_cancelled_or_done_is_no_fault(tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    faults.listen()
    done, cancelled = begin(asyncio.sleep(0), "done"), begin(asyncio.sleep(60), "cancelled")
    await done
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    await asyncio.sleep(0)
    assert not faults.any


async def test_each_fault_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faults = Faults(tmp_path)
    faults.listen()
    asyncio.get_running_loop().call_soon(lambda: 1 // 0)
    await asyncio.sleep(0)
    faults.add(KeyError("second"))
    faults.tell()
    faults.tell()
    first, second = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError" in first
    assert "KeyError: 'second'" in second
    assert len(kept(tmp_path)) == 2


async def test_what_asyncio_says_of_a_transport_is_no_fault(tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    faults.listen()
    loop = asyncio.get_running_loop()
    loop.call_exception_handler({"message": "peer", "exception": ConnectionResetError(), "transport": object()})
    assert not faults.any
