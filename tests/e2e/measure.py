"""``python -m tests.e2e.measure``: rolling maintenance of all four nodes of the real cluster, judged from outside.

Each run begins alike: node-4 is empty, every member serves; before zktui's, it has been Ready for over a minute. The
judge is a process of its own (judge.py). Figures of all runs go to measured.jsonl beside this file, and
docs/measured.md is made from those.

Exit codes: 0 measured; 1 a run did not end as it should, which is told; 75 this machine lacks something.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.e2e import measured, needs
from tests.e2e.__main__ import SKIPPED, complain, say
from tests.e2e.judge import END_SECONDS, READY
from tests.e2e.measured import Run
from tests.e2e.shapes import SHAPES, ShapedStage
from tests.e2e.verdict import Verdict
from tests.e2e.ways import WAYS, Bench, Took

SETTLE = 65.0
"""zktui gives a member that has been Ready for less than a minute its dwell before it lets another go; the other ways
wait for nothing."""
QUIET = 0.4
"""Of the processors; more in use than an idle cluster needs disturbs the figures."""
JUDGED = END_SECONDS + 120.0
ROOT = Path(__file__).parents[2]


@dataclass
class Judgement:
    """`verdict` is there once the block has ended."""

    verdict: Verdict | None = None


@contextmanager
def judging(bench: Bench, log: Path) -> Generator[Judgement]:
    """Have the ensemble judged, by another process, while the block runs and until all members serve again."""
    command = [sys.executable, "-m", "tests.e2e.judge", "--kubectl", bench.program, "--log", str(log)]
    judge = subprocess.Popen(
        [*command, "--kubeconfig", str(bench.stage.kubeconfig)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    found = Judgement()
    try:
        assert judge.stdout is not None
        word = judge.stdout.readline().strip()
        assert word == READY, f"the judge ended with {judge.wait(JUDGED)} instead of judging"
        yield found
        # The end of its input tells it that what it judges is over.
        said, _ = judge.communicate(timeout=JUDGED)
        assert judge.returncode == 0, f"the judge ended with {judge.returncode}"
        found.verdict = msgspec.json.decode(said, type=Verdict)
    finally:
        if judge.poll() is None:
            judge.kill()
            judge.communicate()


def once(bench: Bench, shape: str, way: str, folder: Path, settle: float = SETTLE) -> Run:
    """One maintenance of all nodes. Raises AssertionError when it does not end as it should."""
    folder.mkdir(parents=True)
    bench.arrange(settle if way in measured.ZKTUI else 0.0)
    busy = in_use()
    if busy > QUIET:
        complain(f"{busy:.0%} of the processors are in use already: what follows says little")
    with judging(bench, folder / "client.log") as judgement:
        took = WAYS[way](bench, folder)
    assert judgement.verdict is not None
    (folder / "verdict.json").write_text(json.dumps(judgement.verdict.document(), indent=1))
    return _run(shape, way, took, judgement.verdict, busy)


def in_use(seconds: float = 3.0) -> float:
    """How much of the machine's processors is in use, over so many seconds: 0 to 1."""
    idle_before, all_before = _ticks()
    time.sleep(seconds)
    idle, every = _ticks()
    return 1 - (idle - idle_before) / (every - all_before)


def _ticks() -> tuple[int, int]:
    """Idle ones, and all of them, of all processors since boot (the first line of /proc/stat)."""
    first = Path("/proc/stat").read_text().splitlines()[0]
    ticks = [int(word) for word in first.split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def _run(shape: str, way: str, took: Took, verdict: Verdict, busy: float) -> Run:
    assert verdict.whole_since is not None, "not all members serve in the end"
    # A way may be over before the last member that it moved serves again; its time is not.
    ended = max(took.ended, verdict.began + verdict.whole_since)
    return Run(
        shape=shape,
        way=way,
        evictions=len(verdict.evictions),
        elections=verdict.elections,
        below_majority=round(verdict.below_majority, 2),
        without_leader=round(verdict.without_leader, 2),
        trouble=[[each.serving_before, each.epochs, round(each.seconds, 2)] for each in verdict.episodes],
        acknowledged=verdict.writes.acknowledged,
        lost=sum(len(names) for names in verdict.writes.lost.values()),
        unchecked=len(verdict.writes.unchecked),
        longest_gap=round(verdict.writes.longest_gap, 2),
        seconds=round(ended - took.began, 1),
        dwell=took.dwell,
        blind=round(verdict.most_late, 2),
        busy=round(busy, 2),
    )


def several(bench: Bench, shape: str, ways: Iterable[str], runs: int, folder: Path) -> Iterator[Run]:
    """The ways in turn, so that what disturbs the machine for a while disturbs all of them."""
    for number in range(1, runs + 1):
        for way in ways:
            say(f"{shape}, {way}, run {number} of {runs}")
            try:
                run = once(bench, shape, way, folder / f"{shape}-{way}-{number}")
            except (AssertionError, subprocess.SubprocessError) as why:
                complain(f"{shape}, {way}, run {number} failed: {why}")
                run = measured.failure(shape, way, str(why).partition("\n")[0])
            say(json.dumps(dataclasses.asdict(run)))
            yield run


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    part = needs.real(say)
    if part.lacks:
        complain(f"SKIPPED: {part.name}: this machine lacks {'; '.join(part.lacks)}")
        return SKIPPED
    folder: Path = options.folder or Path(tempfile.mkdtemp(prefix="zktui-measure-"))
    say(f"logs and verdicts: {folder}")
    shapes = [*SHAPES] if options.shape == "all" else [options.shape]
    ways = [*WAYS] if options.way == "all" else [options.way]
    fresh: list[Run] = []
    for shape in shapes:
        place = folder / f"{shape}-{time.strftime('%H%M%S')}"
        place.mkdir(parents=True)
        stage = ShapedStage(place, shape)
        try:
            stage.ready()
            for run in several(Bench(stage), shape, ways, options.runs, place):
                fresh.append(run)
                if options.keep:
                    measured.keep(fresh)
        finally:
            stage.strike()
    sys.stdout.write(measured.tables(fresh))
    return 1 if any(run.failed for run in fresh) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.measure", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--shape", choices=[*SHAPES, "all"], default="all")
    parser.add_argument("--way", choices=[*WAYS, "all"], default="all")
    parser.add_argument("--runs", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--folder", type=Path, help="for the cluster, logs and verdicts (default: a new one)")
    parser.add_argument(
        "--print", dest="keep", action="store_false", help="only print: leave measured.jsonl and docs/measured.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
