"""Containers in Linux namespaces, with real processes that are not Java; and what is done where there are none."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from zktui.demo import namespaces, zookeeper
from zktui.demo.cluster import DemoCluster, NotContained
from zktui.demo.container import Container
from zktui.demo.namespaces import Namespaces
from zktui.demo.process import Child, ProcessGuard, children_of
from zktui.demo.runtime import CannotStart
from zktui.demo.zookeeper import Distribution

DEADLINE = 20.0
HEARS = """
import signal, sys, time
def end(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1)  # whoever sent this ends before us: with process 1 all go
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
async def guard() -> AsyncIterator[ProcessGuard]:
    made = ProcessGuard()
    yield made
    await made.close()


@pytest.fixture
async def spaces(guard: ProcessGuard, tmp_path: Path) -> Namespaces:
    found = await namespaces.find(guard, tmp_path, [Path(sys.executable)])
    if isinstance(found, str):
        pytest.skip(f"no namespaces here: {found}")
    return found


async def contained(guard: ProcessGuard, spaces: Namespaces, *command: str) -> Child:
    return await guard.start(spaces.contain(command, 1000, 1000), contained=True)


async def inside(guard: ProcessGuard, spaces: Namespaces, child: Child, *command: str) -> tuple[str, int]:
    assert child.first is not None
    ran = await guard.start(spaces.enter(child.first, command), env=namespaces.ENVIRONMENT)
    out = b"\n".join([line async for line in ran.lines()]).decode()
    return out, await ran.wait()


def state(pid: int) -> str:
    """The process's state letter; empty when it is gone or only waits to be reaped."""
    try:
        found = re.search(r"^State:\s+(\S)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return ""
    return "" if found is None or found[1] in "ZX" else found[1]


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not met():  # noqa: ASYNC110 - processes of the system tell nobody
            await asyncio.sleep(0.02)


async def until_gone(*pids: int) -> None:
    await until(lambda: not any(map(state, pids)))


async def test_a_container_shows_its_own_processes_under_their_users_name(guard: ProcessGuard, spaces: Namespaces):
    child = await contained(guard, spaces, "sh", "-c", "echo ready; sleep 600 & wait")
    assert await anext(child.lines()) == b"ready"
    out, code = await inside(guard, spaces, child, "ps", "-ef")
    rows = [line.split(maxsplit=7) for line in out.splitlines()[1:]]
    assert code == 0
    assert [(row[0], row[1], row[2]) for row in rows[:2]] == [("zookeep+", "1", "0"), ("zookeep+", "2", "1")]
    assert [row[7] for row in rows] == ["sh -c echo ready; sleep 600 & wait", "sleep 600", "ps -ef"]


async def test_signals_reach_the_container_and_nothing_else(guard: ProcessGuard, spaces: Namespaces):
    beside = await guard.start(["sleep", "600"])
    children = [await contained(guard, spaces, "sh", "-c", "echo ready; sleep 600; sleep 1; exit 7") for _ in range(2)]
    for child in children:
        assert await anext(child.lines()) == b"ready"
    assert (await inside(guard, spaces, children[0], "kill", str(beside.pid)))[1] == 1, "it is not to be seen there"
    assert (await inside(guard, spaces, children[0], "pkill", "sleep"))[1] == 0
    assert await children[0].wait() == 7
    assert children[1].running and beside.running


async def test_process_1_hears_only_what_it_listens_to(guard: ProcessGuard, spaces: Namespaces):
    deaf = await contained(guard, spaces, "sleep", "600")
    assert await deaf.stop(0.6) == 137
    hears = await contained(guard, spaces, sys.executable, "-c", HEARS)
    assert await anext(hears.lines()) == b"ready"
    assert (await inside(guard, spaces, hears, "kill", "-9", "1"))[1] == 0
    assert hears.running, "the kernel keeps a process 1 from its own SIGKILL"
    assert (await inside(guard, spaces, hears, "kill", "1"))[1] == 0
    assert await hears.wait() == 143


async def test_asked_to_end_before_it_listens_it_ends_when_it_does(guard: ProcessGuard, spaces: Namespaces):
    child = await contained(guard, spaces, sys.executable, "-c", HEARS)
    assert await child.stop(DEADLINE) == 143


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_process_1_that_ends_while_it_is_signalled_is_no_fault(
    guard: ProcessGuard, spaces: Namespaces, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    """It was there when it was looked at, and is gone at the next look."""
    child = await contained(guard, spaces, "sh", "-c", "echo ready; sleep 600")
    assert await anext(child.lines()) == b"ready"
    looks = iter([child.first])
    monkeypatch.setattr(Child, "first", property(lambda _: next(looks, None)))
    if number is signal.SIGTERM:
        child.ask_to_end()
    else:
        child.signal(number)
    monkeypatch.undo()
    assert await child.stop(1.0) == 137


async def test_exit_codes_pass_and_what_a_container_left_running_ends_with_it(guard: ProcessGuard, spaces: Namespaces):
    child = await contained(guard, spaces, "sh", "-c", "setsid sleep 600 & sleep 0.2; echo ready; wait; exit 3")
    assert await anext(child.lines()) == b"ready"
    first = cast("int", child.first)
    sleeping = children_of(first)
    assert sleeping
    child.signal(signal.SIGKILL)
    assert await child.wait() == 137
    await until_gone(first, *sleeping)
    assert await (await contained(guard, spaces, "sh", "-c", "exit 3")).wait() == 3


async def test_nothing_is_run_on_the_machine_in_place_of_a_container_that_has_ended(
    guard: ProcessGuard, spaces: Namespaces, tmp_path: Path
):
    child = await contained(guard, spaces, "sh", "-c", "exit 3")
    assert await child.wait() == 3
    nothing: Any = None
    ended = Container(
        pod=nothing,
        spec=nothing,
        files=nothing,
        ip="",
        hosts=tmp_path,
        server=None,
        main=child,
        started=0.0,
        distribution=nothing,
        guard=guard,
        namespaces=spaces,
    )
    with pytest.raises(CannotStart, match="cannot exec in a stopped container"):
        await ended.start(["touch", str(tmp_path / "outside")])
    assert not (tmp_path / "outside").exists()


async def test_a_container_is_frozen_and_goes_on(guard: ProcessGuard, spaces: Namespaces):
    child = await contained(guard, spaces, "sh", "-c", "echo ready; sleep 600; exit 7")
    assert await anext(child.lines()) == b"ready"
    await until(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "sleep\n")
    pid = child.pid
    child.signal(signal.SIGSTOP)
    await until(lambda: state(pid) == "T")
    child.signal(signal.SIGCONT)
    await until(lambda: state(pid) == "S")


async def test_a_server_shows_the_command_line_of_its_image(guard: ProcessGuard, spaces: Namespaces, tmp_path: Path):
    java = tmp_path / "java"
    java.write_text('#!/bin/sh\ncat "${1#@}"; sleep 600; exit 143\n')
    java.chmod(0o755)
    title, shell = "java -Xmx512m QuorumPeerMain /conf/zoo.cfg", ["sh", "-c", "start-zookeeper --servers=3"]
    command = [str(java), '-Dword=a "quoted\\one"', "zoo.cfg"]
    made = spaces.contain_server(command, title, shell, tmp_path, 1000, 1000)
    child = await guard.start(made, contained=True)
    lines = child.lines()
    assert [await anext(lines), await anext(lines)] == [b'"-Dword=a \\"quoted\\\\one\\""', b'"zoo.cfg"']
    out, _ = await inside(guard, spaces, child, "ps", "-efww")
    first, server, *_ = [line.split(maxsplit=7)[7] for line in out.splitlines()[1:]]
    assert first == f"sh -c start-zookeeper --servers=3 {tmp_path}/command.sh"
    # A script's own name is the kernel's affair; a JVM's is the title.
    assert server.endswith(f"{java} @{tmp_path}/java.args")
    await inside(guard, spaces, child, "pkill", "sleep")
    assert await child.wait() == 143, "the shell ends as its server did"


PARENT = """
import asyncio, sys
from pathlib import Path
from zktui.demo.container import Container
from zktui.demo.namespaces import Namespaces
from zktui.demo.process import ProcessGuard
async def main():
    spaces, guard = Namespaces(sys.argv[1], sys.argv[2], Path(sys.argv[3])), ProcessGuard()
    child = await guard.start(spaces.contain(["sh", "-c", "echo; sleep 600 & wait"], 1000, 1000), contained=True)
    await anext(child.lines())
    beside = await guard.start(spaces.enter(child.first, ["sleep", "600"]))
    while child.pid == child.first or not beside.running:
        await asyncio.sleep(0.01)
    print(child.session, child.first, child.pid, beside.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_a_killed_parent_takes_its_containers_along(spaces: Namespaces):
    command = [sys.executable, "-c", PARENT, spaces.unshare, spaces.nsenter, str(spaces.passwd)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: ASYNC220 - nothing waits
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 4 and all(map(state, pids))
        parent.kill()
        parent.wait(DEADLINE)
    await until_gone(*pids)


# -- where they are not allowed ----------------------------------------------------------------------------


@pytest.fixture
def forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unshare as in a container without the right to it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "unshare").write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    (tools / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")

    def find(_progress: zookeeper.Progress) -> Distribution:
        return Distribution(Path("/bin/false"), "", "3.9.4")

    monkeypatch.setattr(zookeeper, "find", find)


@pytest.mark.usefixtures("forbidden")
async def test_what_is_not_allowed_is_told_in_the_systems_words(guard: ProcessGuard, tmp_path: Path):
    found = await namespaces.find(guard, tmp_path, [])
    assert found == "unshare: unshare failed: Operation not permitted"


@pytest.mark.usefixtures("forbidden")
async def test_a_cluster_without_them_emulates_and_says_so():
    told: list[str] = []
    async with DemoCluster(nodes=1, members=0, on_progress=told.append):
        words = "unshare: unshare failed: Operation not permitted"
        assert f"pods are contained by emulation of their commands ({words})" in told
    with pytest.raises(NotContained, match="Operation not permitted"):
        async with DemoCluster(nodes=1, members=0, contain="namespaces"):
            pass


@pytest.mark.usefixtures("spaces")
async def test_a_user_who_could_not_read_the_programs_is_noticed(guard: ProcessGuard, tmp_path: Path):
    missing = tmp_path / "missing.jar"
    assert await namespaces.find(guard, tmp_path, [missing]) == f"its user could not read {missing}"
