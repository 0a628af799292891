"""Random schedules through the whole program: real adapters, the real engine, real ZooKeeper servers, real time.

Each is judged from outside (audit.py). `SCHEDULES=100 pytest …` plays so many; `ZKTUI_SEED=17 pytest …` plays that one:
the same faults in the same order, though not at the very same instants.
"""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.embedded.audit import EVICTIONS
from tests.embedded.place import Place, clocks_that_can_be_set, opened
from tests.embedded.schedule import HAPPENINGS, ROUND, Schedule
from tests.embedded.weather import OF_EVICTIONS
from zktui.maintenance.model import RunStatus

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEED = os.environ.get("ZKTUI_SEED", "")
COUNT = int(os.environ.get("SCHEDULES", "24"))
LANES = 3
"""Clusters side by side: most of the time a schedule waits for its members."""


@dataclass
class Played:
    """How one of them went."""

    seed: int
    wrong: str
    """With the log and the command that plays it again; empty when nothing was."""
    seen: Counter[str]
    ends: list[RunStatus]
    seconds: float


async def _played(place: Place, seed: int) -> Played:
    schedule, wrong = Schedule(place, seed), ""
    try:
        await schedule.play()
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told with its seed
        where = "".join(traceback.format_tb(error.__traceback__)[-2:])
        again = f"ZKTUI_SEED={seed} .venv/bin/pytest tests/embedded/test_schedules.py"
        told = "\n".join(schedule.log)
        wrong = f"{type(error).__name__}: {error}\n{where}{told}\n{schedule.audit.broken}\nAgain: {again}"
    return Played(seed, wrong, schedule.weather.seen, schedule.ends, time.monotonic() - schedule.began)


async def _lane(folder: Path, seeds: asyncio.Queue[int], futures: dict[int, asyncio.Future[Played]]) -> None:
    """One cluster, and one schedule after another on it."""
    try:
        async with opened(folder) as place:
            while not seeds.empty():
                seed = seeds.get_nowait()
                futures[seed].set_result(await _played(place, seed))
    except Exception as error:  # noqa: BLE001  # told by the tests that wait for it
        for future in futures.values():
            if not future.done():
                future.set_exception(error)


Schedules = dict[int, asyncio.Future[Played]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def schedules(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Schedules]:
    """All that the tests of this module ask for, under way."""
    wanted = _seeds()
    seeds: asyncio.Queue[int] = asyncio.Queue()
    for seed in wanted:
        seeds.put_nowait(seed)
    loop = asyncio.get_running_loop()
    futures = {seed: loop.create_future() for seed in wanted}
    folders = [tmp_path_factory.mktemp("lane") for _ in range(min(LANES, len(wanted)))]
    with clocks_that_can_be_set():
        lanes = [asyncio.create_task(_lane(folder, seeds, futures)) for folder in folders]
        yield futures
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
    for future in futures.values():
        future.cancel()


def _seeds() -> list[int]:
    return [int(SEED)] if SEED else list(range(COUNT))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", _seeds())
async def test_promises_hold_whatever_happens(schedules: Schedules, seed: int) -> None:
    played = await asyncio.shield(schedules[seed])
    assert not played.wrong, f"seed {seed}: {played.wrong}"


@pytest.mark.skipif(bool(SEED) or COUNT < ROUND, reason="it is about all of them")
@pytest.mark.timeout(400)
async def test_all_of_it_has_happened(schedules: Schedules) -> None:
    """A schedule in which nothing goes wrong proves nothing."""
    seen: Counter[str] = Counter()
    for future in schedules.values():
        seen.update((await asyncio.shield(future)).seen)
    wanted = {*HAPPENINGS, *(f"{EVICTIONS}: {fate}" for fate in OF_EVICTIONS), "killed", "taken up"}
    missing = wanted - set(seen)
    # A machine so busy that nothing can be read within 2 s keeps runs from coming far.
    assert len(missing) <= len(wanted) // 2, f"never happened: {missing}"
