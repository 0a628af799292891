"""`zktui probe`: what clients feel right now, by one session at each member, for as long as it is asked to look."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from zktui.core.ports import Probe, ProbeGap, ProbeSummary
from zktui.core.text import count, printable, span
from zktui.errors import EXIT_BLOCKED, EXIT_DONE, UsageError, ZktuiError
from zktui.headless.console import interrupts
from zktui.headless.output import say, say_json, table, warn
from zktui.headless.status import SETTLE, nothing_found
from zktui.maintenance.model import JsonValue
from zktui.session import Session

STEP = 0.5
"""Seconds between two looks at what was felt, and at the pods as they are now."""
QUIET = 10.0
"""Seconds without news after which it says that there is none."""

Output = Literal["text", "jsonl"]
Document = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What the command line asked for. `seconds` None: until it is interrupted."""

    seconds: float | None = None
    writes: bool = False
    output: Output = "text"


async def probe(session: Session, request: ProbeRequest) -> int:
    """Look until the time is over or Ctrl-C. 0 when no operation failed, else 3. Raises ZktuiError for no ensemble."""
    if request.writes and session.settings.read_only:
        raise UsageError("--writes and --read-only contradict each other.", "Give one of them.")
    if session.probe is None:
        raise ZktuiError("There is no way to probe here.")
    try:
        await session.store.until(lambda view: view.loaded, SETTLE)
    except TimeoutError:
        warn("Not everything answered in time; what is there is probed.")
    if not session.store.view().ensembles:
        raise nothing_found(session)
    felt = await _Watch(session, session.probe(request.writes), request).watch()
    _conclude(felt, request)
    return EXIT_BLOCKED if felt.failures or not felt.operations else EXIT_DONE


class _Watch:
    """One probe, and what of it has been printed."""

    def __init__(self, session: Session, probe: Probe, request: ProbeRequest) -> None:
        self._session = session
        self._probe = probe
        self._request = request
        self._over = asyncio.Event()
        self._printed: set[tuple[str, float]] = set()
        self._known: tuple[str, ...] = ()

    async def watch(self) -> ProbeSummary:
        clock = self._session.clock
        began = told = clock.now()
        with interrupts(lambda _: self._over.set()):
            try:
                while not self._over.is_set():
                    self._tell_pods()
                    if self._print():
                        told = clock.now()
                    elif clock.now() - told >= QUIET:
                        told = clock.now()
                        self._say_quiet(clock.now() - began)
                    left = STEP if self._request.seconds is None else began + self._request.seconds - clock.now()
                    if left <= 0:
                        break
                    await self._wait(min(STEP, left))
            finally:
                felt = await self._probe.stop()
        return felt

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._over.wait()
        except TimeoutError:
            pass

    def _tell_pods(self) -> None:
        for shown in self._session.store.view().ensembles:
            self._probe.start(shown.ensemble, tuple(member.pod for member in shown.members))

    def _print(self) -> bool:
        """Sessions that began, and gaps that are over since the last look; whether there was anything."""
        felt = self._probe.summary()
        known = tuple(printable(session.home) for session in felt.sessions)
        new = [gap for gap in felt.gaps if gap.found and (gap.session, gap.wall) not in self._printed]
        self._printed.update((gap.session, gap.wall) for gap in new)
        began = known != self._known
        self._known = known
        if self._request.output == "jsonl":
            for gap in new:
                say_json(gap_document(gap))
            return bool(new)
        if began:
            say(f"{_clock(self._session.clock.wall())}  {count(len(known), 'session')}: {', '.join(known)}")
        for gap in new:
            say(gap_line(gap))
        return bool(new) or began

    def _say_quiet(self, seconds: float) -> None:
        felt = self._probe.summary()
        now = self._session.clock.wall()
        if self._request.output == "jsonl":
            say_json({"kind": "felt", "time": now, **_figures(felt)})
            return
        lasting = ", ".join(printable(gap.session) for gap in felt.gaps if not gap.found)
        failed = f"{felt.failures} failed" if felt.failures else "none failed"
        words = f"{felt.operations} operations in {span(seconds)}, {failed}, longest gap {felt.longest_gap:.1f} s"
        say(f"{_clock(now)}  {words}{f'; no answer in the session of {lasting}' if lasting else ''}")


def gap_line(gap: ProbeGap) -> str:
    """One line for people, in local time."""
    then = f", then {printable(gap.found)} answered" if gap.found else ", and it lasts"
    return (
        f"{_clock(gap.wall)}  session of {printable(gap.session)}: {gap.seconds:.1f} s without an answer from "
        f"{printable(gap.lost) or 'any member'} ({printable(gap.why)}){then}"
    )


def gap_document(gap: ProbeGap) -> Document:
    found: Document = {"kind": "gap", "time": gap.wall, "seconds": round(gap.seconds, 3), "session": gap.session}
    return {**found, "lost": gap.lost, "found": gap.found, "message": gap.why}


def _figures(felt: ProbeSummary) -> Document:
    return {"operations": felt.operations, "failures": felt.failures, "longestGap": round(felt.longest_gap, 3)}


def _conclude(felt: ProbeSummary, request: ProbeRequest) -> None:
    sessions = felt.sessions
    if request.output == "jsonl":
        rows: list[JsonValue] = [
            {
                "namespace": s.namespace,
                "session": s.home,
                "through": s.through,
                "operations": s.operations,
                "failures": s.failures,
                "longestGap": round(s.longest_gap, 3),
                "expired": s.expired,
                "writes": s.writes if request.writes else None,
                "lostWrites": s.lost_writes if request.writes else None,
                "refused": s.refused,
            }
            for s in sessions
        ]
        say_json({"kind": "result", **_figures(felt), "sessions": rows})
        return
    header = ["SESSION", "THROUGH", "OPERATIONS", "FAILED", "LONGEST GAP", "EXPIRED"]
    cells = [
        [s.home, s.through or "none", str(s.operations), str(s.failures), f"{s.longest_gap:.1f} s", str(s.expired)]
        for s in sessions
    ]
    if request.writes:
        header += ["WRITES", "LOST"]
        cells = [[*row, s.refused or str(s.writes), str(s.lost_writes)] for row, s in zip(cells, sessions, strict=True)]
    say("")
    say(table(header, cells, right=frozenset({2, 3, 4, 5})))


def _clock(wall: float) -> str:
    return datetime.fromtimestamp(wall).astimezone().strftime("%H:%M:%S")
