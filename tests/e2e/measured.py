"""The figures of measured runs, as a file and as the page docs/measured.md that is made from it.

``python -m tests.e2e.measured`` makes the page anew from the file.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e import shapes, ways

DATA = Path(__file__).parent / "measured.jsonl"
PAGE = Path(__file__).parents[2] / "docs" / "measured.md"
ZKTUI, BY_HAND = ("keys", "headless"), "by-hand"


@dataclass(frozen=True, slots=True)
class Run:
    """One maintenance of all nodes. Times in seconds."""

    shape: str
    way: str
    evictions: int
    elections: int
    below_majority: float
    without_leader: float
    acknowledged: int
    lost: int
    """Acknowledged writes that a member did not have in the end, summed over the members."""
    unchecked: int
    """Members that could not be asked for them."""
    longest_gap: float
    seconds: float
    """Until the last node was done, and every member served."""
    dwell: float
    """How much of that was zktui letting a member serve before it took the next."""
    blind: float
    """The longest time between two looks of the judge."""
    busy: float
    """How much of the machine's processors was in use right before, the idle cluster included: 0 to 1."""
    trouble: list[list[float]] = field(default_factory=list[list[float]])
    """Of each stretch below majority or without a leader: how many members served right before it, by how much the
    epoch grew in it (none: they were silent, and held no election), and its seconds."""
    failed: str = ""
    """Why it did not end as it should; its figures then mean nothing."""

    @property
    def without_dwell(self) -> float:
        return self.seconds - self.dwell


def failure(shape: str, way: str, why: str) -> Run:
    """A run of which nothing else is known."""
    return Run(shape, way, 0, 0, 0.0, 0.0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, failed=why)


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: Callable[[Run], float]
    digits: int = 0


FIGURES = (
    Figure("evictions", lambda run: run.evictions),
    Figure("elections", lambda run: run.elections),
    Figure("below majority", lambda run: run.below_majority, 1),
    Figure("without a leader", lambda run: run.without_leader, 1),
    Figure("longest gap in writes", lambda run: run.longest_gap, 1),
    Figure("acknowledged writes lost", lambda run: run.lost + run.unchecked),
    Figure("total", lambda run: run.seconds, 0),
    Figure("total without dwell", lambda run: run.without_dwell, 0),
)
SECONDS = ("below majority", "without a leader", "longest gap in writes", "total", "total without dwell")


def keep(fresh: Sequence[Run]) -> None:
    """Put these runs in place of all that were measured of the same shape and way, and make the page."""
    new = {(run.shape, run.way) for run in fresh}
    kept = [run for run in load() if (run.shape, run.way) not in new] + list(fresh)
    DATA.write_text("".join(json.dumps(dataclasses.asdict(run)) + "\n" for run in kept))
    PAGE.write_text(page(kept))


def load() -> list[Run]:
    return [Run(**json.loads(line)) for line in DATA.read_text().splitlines()] if DATA.exists() else []


def tables(runs: Sequence[Run]) -> str:
    """For each shape a line for each way: median of its runs, and the worst where that differs."""
    lines: list[str] = []
    for shape in shapes.SHAPES:
        mine = [run for run in runs if run.shape == shape]
        if not mine:
            continue
        lines += ["", f"## {shapes.SAID[shape]}", "", shapes.WORDS[shape], ""]
        lines += ["| rolling maintenance of four nodes | runs | " + " | ".join(f.name for f in FIGURES) + " |"]
        lines += ["| --- " * (len(FIGURES) + 2) + "|"]
        for way in ways.WAYS:
            every = [run for run in mine if run.way == way]
            if every:
                of = [run for run in every if not run.failed]
                count = (
                    f"{len(every)}, of which {len(every) - len(of)} failed" if len(of) < len(every) else str(len(of))
                )
                cells = [_cell(figure, of) for figure in FIGURES]
                lines.append(f"| {ways.SAID[way]} | {count} | " + " | ".join(cells) + " |")
        whole = [run for run in mine if not run.failed]
        lines += [*_ratio(whole), *_quiet(whole)]
    return "\n".join(lines) + "\n"


def _cell(figure: Figure, runs: Sequence[Run]) -> str:
    values = [figure.value(run) for run in runs]
    if not values:
        return "–"
    unit = " s" if figure.name in SECONDS else ""
    middle, worst = (f"{value:.{figure.digits}f}" for value in (statistics.median(values), max(values)))
    return f"{middle}{unit}" if middle == worst else f"{middle}{unit} ({worst})"


def _ratio(runs: Sequence[Run]) -> list[str]:
    """How much longer zktui takes than the careful order, the dwell set aside."""
    hand = [run.seconds for run in runs if run.way == BY_HAND]
    told = [
        f"{ways.SAID[way]} {statistics.median(own) / statistics.median(hand):.2f} times"
        for way in ZKTUI
        if hand and (own := [run.without_dwell for run in runs if run.way == way])
    ]
    return ["", f"Without the dwell, beside the careful order by hand: {'; '.join(told)}."] if told else []


HEAD = """\
# What a rolling maintenance costs, measured

Four real nodes, three members of ZooKeeper 3.9 on Kubernetes 1.37, a budget of `maxUnavailable: 1`; each node is
drained and given back once. Figures are the median of the runs, and in brackets the worst. Made by

```sh
python -m tests.e2e.measure --shape all --way all --runs 5
```

on one machine with two cores, so compare the lines of one table, not machines: how busy it was with other work, which
makes every time longer, is told below each table.

A program that knows nothing of zktui judges each run from outside: ten times a second it asks every member for its
`srvr`, and all the while an ordinary client (kazoo, its settings untouched) makes twenty znodes a second.

- **evictions**: pods that came back with another UID. **Elections**: by how much the epoch grew.
- **below majority**: fewer than two of the three members said that they serve. In an election nobody does, so one
  election is the least that a run can cost in which the leader has to move.
- **without a leader**: no member said that it leads.
- **longest gap in writes**: from one acknowledged write to the next, as that client felt it: the election, and its
  own search for a member that serves.
- **acknowledged writes lost**: looked for in the end through each member, after a `sync`.
- **total**: until the last node is given back and every member serves. **Without dwell**: less the 10 s (syncLimit x
  tickTime) for which zktui lets each member that it moved serve before it takes the next; the others do not wait so.
"""


def page(runs: Sequence[Run]) -> str:
    return HEAD + tables(runs)


def _quiet(runs: Sequence[Run]) -> list[str]:
    """How far the figures can be trusted."""
    if not runs:
        return []
    busy, blind = [run.busy for run in runs], max(run.blind for run in runs)
    return [
        "",
        f"Before a run {statistics.median(busy):.0%} of the processors were in use, the idle cluster included, and "
        f"{max(busy):.0%} at most; the judge never looked away for longer than {blind:.2f} s.",
    ]


if __name__ == "__main__":
    PAGE.write_text(page(load()))
