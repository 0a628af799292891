"""Drills from the screen: reviewed first, a typed name, and told to their end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from textual.app import App
from textual.pilot import Pilot

from tests.ui.fakes import WALL
from tests.ui.pilots import app_of, main_screen, painted, screen_text, until
from tests.unit.core.facts import statefulset
from zktui.checks.processes import Process
from zktui.core.zookeeper import Ensemble
from zktui.drills.desk import Drills
from zktui.drills.model import ProcessOutcome, ProcessReview, StorageOutcome, StorageReview, Tell
from zktui.drills.undo import Undo
from zktui.maintenance.model import Event, Gate, GateName, Standing
from zktui.maintenance.refusals import CannotBegin
from zktui.session import Session
from zktui.ui.app import ZktuiApp
from zktui.ui.drillwork import FinishWork, ProcessWork, StorageWork
from zktui.ui.palette import work_commands
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.work import WorkScreen
from zktui.ui.works import Prepared

ENSEMBLE = Ensemble(statefulset(), "zookeeper")
OPEN = Gate(GateName.QUORUM, Standing.OK, "2 of 3 serve without zk-0, majority is 2", 0.0)
SHUT = Gate(GateName.BUDGET, Standing.BLOCKED, "zk-pdb allows 0", 0.0)
SERVER = Process("zookeeper", 7, 1, "java QuorumPeerMain")
OUTCOME = ProcessOutcome("zk-0", True, Path("/state/drills/p.jsonl"))


class FakeDrills:
    read_only = False

    def __init__(self) -> None:
        self.left: tuple[Undo, ...] = ()
        self.gates: tuple[Gate, ...] = (OPEN,)
        self.outcome = replace(OUTCOME, stopped=0.4, elected=1.2, restarted=2.0, ready=9.0, rejoined=6.1, below=0.8)
        self.found = StorageOutcome("zk", Path("/state/drills/s"), 0.5, 0.9, 4.0, ("zk-0", "zk-1", "zk-2"))
        self.refused = False
        self.typed: list[str] = []
        self.modes: list[bool] = []

    async def review_process(self, ensemble: Ensemble, member: str) -> ProcessReview:
        return ProcessReview(ensemble, member, None, True, self.gates, SERVER)

    async def process(self, reviewed: ProcessReview, typed: str, tell: Tell) -> ProcessOutcome:
        self.typed.append(typed)
        if self.refused:
            raise CannotBegin("ann@desk holds the lease.", "zktui where")
        tell(Event(1, WALL, "restarted", "zk-0 was started again", data={"seconds": 2.04}))
        return self.outcome

    async def review_storage(
        self, ensemble: Ensemble, *, orphan: bool = True, accept_outage: bool = False
    ) -> StorageReview:
        self.modes.append(accept_outage)
        return StorageReview(ensemble, orphan, {}, remarks=("its volumes are Retain",))

    async def storage(
        self, reviewed: StorageReview, typed: str, tell: Tell, *, accept_outage: bool = False
    ) -> StorageOutcome:
        self.typed.append(typed)
        self.modes.append(accept_outage)
        return self.found

    def unfinished(self) -> tuple[Undo, ...]:
        return self.left

    async def finish(self, which: Undo, tell: Tell) -> StorageOutcome:
        self.typed.append(which.name)
        if self.refused:
            raise CannotBegin("The drill is under way on this machine.", "Wait for its end.")
        tell(Event(1, WALL, "applied", "zk is there again", data={"seconds": 0.5}))
        return self.found


def process(drills: FakeDrills) -> ProcessWork:
    return ProcessWork(cast(Drills, drills), ENSEMBLE, "zk-0")


def storage(drills: FakeDrills, *, orphan: bool = True) -> StorageWork:
    return StorageWork(cast(Drills, drills), ENSEMBLE, orphan=orphan)


def said(prepared: Prepared) -> str:
    return "\n".join(each.head.plain + each.body.plain for each in prepared.rows)


async def test_a_process_drill_is_reviewed_typed_and_told() -> None:
    drills, lines = FakeDrills(), list[str]()
    work = process(drills)
    prepared = await work.prepare()
    assert (prepared.word, prepared.may_begin, prepared.obstacles) == ("zk-0", True, ())
    assert "It leads: an election follows." in said(prepared)
    assert "✓ quorum  2 of 3 serve without zk-0" in said(prepared)
    assert not work.stoppable
    ending = await work.carry_out("zk-0", lambda wall, text: lines.append(text))
    assert drills.typed == ["zk-0"]
    assert lines == ["zk-0 was started again   +2.0 s"]
    assert ending.done
    assert ending.text == (
        "zk-0: silent after 0.4 s, elected after 1.2 s, restarted after 2.0 s, rejoined after 6.1 s; "
        "below majority 0.8 s."
    )


async def test_a_gate_that_is_closed_forbids_it() -> None:
    drills = FakeDrills()
    drills.gates = (SHUT,)
    prepared = await process(drills).prepare()
    assert (prepared.may_begin, prepared.obstacles) == (False, ("budget: zk-pdb allows 0",))


async def test_what_went_wrong_is_told_with_the_journal_and_a_refusal_with_its_way_out() -> None:
    drills = FakeDrills()
    drills.outcome = replace(OUTCOME, why="zk-0 did not rejoin within 300 s")
    work = process(drills)
    await work.prepare()
    ending = await work.carry_out("zk-0", lambda wall, text: None)
    assert not ending.done
    assert ending.text == "zk-0 did not rejoin within 300 s. Journal: /state/drills/p.jsonl"
    drills.refused = True
    ending = await work.carry_out("zk-0", lambda wall, text: None)
    assert (ending.done, ending.text) == (False, "ann@desk holds the lease. zktui where")


async def test_read_only_forbids_both() -> None:
    drills = FakeDrills()
    drills.read_only = True
    for work in (process(drills), storage(drills)):
        prepared = await work.prepare()
        assert not prepared.may_begin
        assert prepared.obstacles == ("zktui is read-only here",)


@pytest.mark.parametrize("orphan", [True, False])
async def test_a_storage_drill_with_and_without_its_pods(orphan: bool) -> None:
    drills = FakeDrills()
    work = storage(drills, orphan=orphan)
    prepared = await work.prepare()
    assert prepared.word == "zk"
    assert ("without ZooKeeper until they are back" in said(prepared)) is not orphan
    assert "its volumes are Retain" in said(prepared)
    ending = await work.carry_out("zk", lambda wall, text: None)
    assert ending.done
    assert ending.text == "zk-0, zk-1, zk-2 have what was written before; all serve again after 4.0 s."
    assert drills.modes == [not orphan, not orphan]
    drills.found = replace(drills.found, missing=("zk-2: no node /zktui",))
    ending = await work.carry_out("zk", lambda wall, text: None)
    assert not ending.done
    assert "zk-2: no node /zktui The way back: /state/drills/s" in ending.text


async def test_from_the_palette_by_a_typed_name(session: Session) -> None:
    drills = FakeDrills()
    session = replace(session, drills=cast(Drills, drills))

    def screen(pilot: Pilot[None], of: type) -> bool:
        return isinstance(pilot.app.screen, of)

    async with ZktuiApp(session).run_test(size=(120, 36)) as pilot:
        await painted(pilot)
        commands = {c.title: c for c in main_screen(pilot).commands()}
        assert len([title for title in commands if title.startswith("Drill: ")]) == 5
        commands["Drill: end the server of zk-0"].callback()
        await until(pilot, lambda: screen(pilot, WorkScreen) and "Gates" in screen_text(pilot))
        await pilot.press("s")
        await until(pilot, lambda: screen(pilot, Confirm))
        await pilot.press("y", "enter")
        assert drills.typed == []
        await pilot.press("backspace", *"zk-0", "enter")
        await until(pilot, lambda: "✓ zk-0: silent after" in screen_text(pilot))
        assert drills.typed == ["zk-0"]


def cut_off(folder: Path) -> Undo:
    return Undo(
        folder,
        "default",
        "zk",
        "uid-1",
        "/zktui-drill-1",
        "written",
        "zookeeper",
        "https://here",
        ("kubectl",),
        False,
        {},
    )


async def test_one_that_was_cut_off_is_brought_to_its_end(tmp_path: Path) -> None:
    drills, lines = FakeDrills(), list[str]()
    work = FinishWork(cast(Drills, drills), cut_off(tmp_path))
    prepared = await work.prepare()
    assert (prepared.word, prepared.may_begin, prepared.obstacles) == ("", True, ())
    assert "StatefulSet default/zk is not there it is created again" in said(prepared)
    assert f"kubectl create --save-config=false -f {tmp_path}/statefulset.json" in said(prepared)
    ending = await work.carry_out("", lambda wall, text: lines.append(text))
    assert (drills.typed, lines) == (["zk"], ["zk is there again   +0.5 s"])
    assert ending.text == "zk-0, zk-1, zk-2 have what was written before; all serve again after 4.0 s."
    drills.found = replace(drills.found, looked=False)
    ending = await work.carry_out("", lambda wall, text: None)
    assert ending.done
    assert ending.text.startswith("Nothing was left to find")
    drills.refused = True
    ending = await work.carry_out("", lambda wall, text: None)
    assert (ending.done, ending.text) == (False, "The drill is under way on this machine. Wait for its end.")
    drills.read_only = True
    assert not (await work.prepare()).may_begin


def program_notes(pilot: Pilot[None]) -> list[str]:
    return [note.message for note in pilot.app._notifications]  # pyright: ignore[reportPrivateUsage]  # no public way


async def test_the_palette_offers_the_end_also_where_no_ensemble_is_left(session: Session, tmp_path: Path) -> None:
    drills = FakeDrills()
    drills.left = (cut_off(tmp_path),)
    session = replace(session, drills=cast(Drills, drills))
    title = "Drill: finish the one of default/zk that was cut off"
    async with ZktuiApp(session).run_test(size=(120, 36)) as pilot:
        await painted(pilot)
        notes = program_notes(pilot)
        assert notes == ["A storage drill of default/zk was cut off. : offers its end."]
        assert title in [command.title for command in main_screen(pilot).commands()]
        program = app_of(pilot)
        nobody = work_commands(cast("App[object]", program), session, program.painter, program.works, None)
        commands = {command.title: command for command in nobody}
        commands[title].callback()
        await until(pilot, lambda: "is read through every member" in screen_text(pilot))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "✓ zk-0, zk-1, zk-2 have what was written before" in screen_text(pilot))
