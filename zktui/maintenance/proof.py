"""What a run leaves to be read by others: what clients felt, Events on what it touched, and the report at its end.

Nothing of it may hold the run up or stop it: what goes wrong here is a line of the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import cast

from zktui.core.ports import Announcer, Answer, Clock, Notice, Probe, ProbeSummary, Refused
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.facts import Facts
from zktui.maintenance.model import Event, JsonValue
from zktui.maintenance.notices import notices
from zktui.maintenance.state import State

PATIENCE = 3.0
"""Seconds that the end of a run waits for Events that are still on their way, and for the probe to end."""


class Proof:
    """Of one run; the Engine calls it. `append` takes a line of the journal."""

    def __init__(
        self,
        clock: Clock,
        append: Callable[[Event], object],
        witness: Probe | None = None,
        announcer: Announcer | None = None,
    ) -> None:
        self._clock = clock
        self._append = append
        self._witness = witness
        self._announcer = announcer
        self._writing: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()
        """Reasons for which an Event could not be written: each is told once."""
        self._readings = 0
        self._read_at: float | None = None
        self._widest = 0.0
        self._over = False

    @property
    def felt(self) -> ProbeSummary | None:
        return self._witness.summary() if self._witness is not None else None

    def read(self, facts: Facts, ensembles: Iterable[Ensemble]) -> None:
        """A reading has come: tell the probe the pods as they are now; a list that could not be read stays."""
        self._readings += 1
        if self._read_at is not None:
            self._widest = max(self._widest, facts.at - self._read_at)
        self._read_at = facts.at
        if self._witness is None or self._over:
            return
        for ensemble in ensembles:
            listed = facts.pods.get(ensemble.key)
            if listed is not None and listed.value is not None:
                self._witness.start(ensemble, facts.members_pods(ensemble))

    def follow(self, before: State, after: State) -> None:
        """The run has made a step: write what that means on the objects concerned, in the background."""
        if self._announcer is None:
            return
        for notice in notices(before, after):
            task = asyncio.get_running_loop().create_task(self._announce(self._announcer, notice))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _announce(self, announcer: Announcer, notice: Notice) -> None:
        try:
            reply = await announcer.announce(notice)
        except Exception as error:  # noqa: BLE001 - nothing of this may stop a run, or fall silent
            self._tell(f"{type(error).__name__}: {error}", notice)
            return
        if not isinstance(reply, Answer):
            self._tell(reply.message if isinstance(reply, Refused) else reply.why, notice)

    def _tell(self, why: str, notice: Notice) -> None:
        if why not in self._told:
            self._told.add(why)
            where = f"{notice.kind} {notice.name}"
            self._append(Event(0, 0.0, "note", f"the Event {notice.reason} could not be written on {where}: {why}"))

    async def conclude(self) -> None:
        """The run has ended, or is left: end the probe, and put into the journal what it felt. Raises nothing."""
        self._over = True
        felt = None
        if self._witness is not None:
            with contextlib.suppress(TimeoutError):
                felt = await asyncio.wait_for(self._witness.stop(), PATIENCE)
        if self._writing:
            await asyncio.wait(self._writing, timeout=PATIENCE)
        data: dict[str, JsonValue] = {"readings": self._readings, "widest": round(self._widest, 3)}
        if felt is not None:
            data["probe"] = cast(JsonValue, json.loads(json.dumps(asdict(felt))))
        self._append(Event(0, 0.0, "proof", words(felt), data=data))


def words(felt: ProbeSummary | None) -> str:
    """What the probe felt, in one line."""
    if felt is None or not felt.sessions:
        return "what clients felt was not probed"
    failed = f"{felt.failures} of {felt.operations} operations failed"
    return f"probe: {len(felt.sessions)} sessions, {failed}, longest gap {felt.longest_gap:.1f} s"
