"""Works from the screen: what would happen, the question, how it goes, and leaving in the midst of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from tests.ui.fakes import WALL, World
from tests.ui.pilots import app_of, main_screen, painted, screen_text, until
from tests.unit.workload import world as workload
from zktui.core.documents import Document
from zktui.core.ports import Answer, Refused, Reply, Where
from zktui.session import Session
from zktui.ui.app import ZktuiApp
from zktui.ui.rolloutwork import Rollout, Verb
from zktui.ui.screens.main import MainScreen
from zktui.ui.screens.wish import WishScreen
from zktui.ui.screens.wizard.confirm import Confirm
from zktui.ui.screens.work import WorkScreen
from zktui.ui.widgets.page import row
from zktui.ui.works import Ending, Prepared, Tell
from zktui.workload.resources import Wish

WIDE, NARROW = (120, 36), (80, 24)


class Toil:
    """A work that waits until the test lets it end, or until it is stopped."""

    title = "Restart of [/red]zk\x1b[2J"
    verb = "restart"
    stoppable = True

    def __init__(self, *obstacles: str, may_begin: bool = True) -> None:
        self.prepared = Prepared((row(" ", "zk-2 goes first"),), obstacles, "zk" if obstacles else "", may_begin)
        self.reads = 0
        self.typed: list[str] = []
        self.gate = asyncio.Event()
        self.stopped = False
        self.tell: Tell = lambda wall, text: None

    async def prepare(self) -> Prepared:
        self.reads += 1
        return self.prepared

    async def carry_out(self, typed: str, tell: Tell) -> Ending:
        self.typed.append(typed)
        self.tell = tell
        tell(WALL, "zk-2 goes.")
        await self.gate.wait()
        return Ending(not self.stopped, "stopped on request." if self.stopped else "3 members were replaced.")

    def stop(self) -> None:
        self.stopped = True
        self.gate.set()


async def opened(pilot: Pilot[None], toil: Toil) -> WorkScreen:
    await painted(pilot)
    app = app_of(pilot)
    screen = WorkScreen(app.session, app.painter, app.works, toil)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen and "zk-2" in screen_text(pilot))
    return screen


async def asked(pilot: Pilot[None]) -> None:
    await pilot.press("s")
    await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_it_tells_what_would_happen_asks_and_tells_how_it_goes(session: Session, size: tuple[int, int]) -> None:
    toil = Toil()
    async with ZktuiApp(session).run_test(size=size) as pilot:
        screen = await opened(pilot, toil)
        assert "nothing stands in its way now" in screen_text(pilot)
        assert "✓ s starts it" in screen_text(pilot)
        assert "● quorum 3/3" in screen_text(pilot).splitlines()[0]
        assert toil.typed == []
        await asked(pilot)
        await pilot.press("n")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert toil.typed == []
        await asked(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "zk-2 goes." in screen_text(pilot))
        assert "▸ under way" in screen_text(pilot)
        assert "␛[2J" in screen_text(pilot)
        toil.tell(WALL + 1, "zk-2  Running, [b]Ready")
        await until(pilot, lambda: "zk-2  Running, [b]Ready" in screen_text(pilot))
        toil.gate.set()
        await until(pilot, lambda: "✓ 3 members were replaced." in screen_text(pilot))
        await pilot.press("r")
        await until(pilot, lambda: toil.reads == 2)


async def test_an_obstacle_takes_the_typed_name(session: Session) -> None:
    toil = Toil("2 of 3 voters serve")
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await opened(pilot, toil)
        assert "! 2 of 3 voters serve" in screen_text(pilot)
        await asked(pilot)
        await pilot.press("y", "enter")
        assert isinstance(pilot.app.screen, Confirm), "a key is not enough"
        await pilot.press("backspace", *"zk", "enter")
        await until(pilot, lambda: toil.typed == ["zk"])
        toil.gate.set()


async def test_what_may_not_begin_has_no_start(session: Session) -> None:
    toil = Toil("no update is open", may_begin=False)
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = await opened(pilot, toil)
        await pilot.press("s")
        assert pilot.app.screen is screen
        assert "✗ nothing to start" in screen_text(pilot)


async def test_it_goes_on_while_its_screen_is_closed_and_is_found_again(session: Session) -> None:
    toil, other = Toil(), Toil()
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await opened(pilot, toil)
        await asked(pilot)
        await pilot.press("y")
        await until(pilot, lambda: toil.typed == [""])
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen))
        assert any(c.title.startswith("Under way: ") for c in main_screen(pilot).commands())
        await opened(pilot, other)
        assert "▸ under way" in screen_text(pilot), "the one that goes on is shown, not another"
        await pilot.press("s")
        assert other.typed == []
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "✗ stopped on request." in screen_text(pilot))
        assert toil.stopped


async def test_leaving_in_the_midst_of_it_awaits_what_is_in_flight(session: Session) -> None:
    toil = Toil()
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await opened(pilot, toil)
        await asked(pilot)
        await pilot.press("y")
        await until(pilot, lambda: toil.typed == [""])
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("n")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Confirm))
        assert not toil.stopped
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.return_code == 0)
    assert toil.stopped


# -- rolling updates


class Objects:
    """The workload's world, with a history."""

    def __init__(self, world: workload.World) -> None:
        self._world = world
        self._objects: Any = world.ports().objects

    async def read(self, where: Where, namespace: str, name: str) -> Reply[Document]:
        return await self._objects.read(where, namespace, name)

    async def patch(self, where: Where, namespace: str, name: str, patch: Document) -> Reply[Document]:
        return await self._objects.patch(where, namespace, name, patch)

    async def list(self, where: Where, namespace: str = "", selector: str = "") -> Reply[tuple[Document, ...]]:
        owner = [{"uid": "sts-zk"}]
        spec = {"containers": [{"name": "zookeeper", "image": "zookeeper:3.8"}]}
        first = {"metadata": {"name": workload.NEW, "ownerReferences": owner}, "revision": 1}
        newer = {"metadata": {"name": workload.OLD, "ownerReferences": owner}, "revision": 2}
        later = {"containers": [{"name": "zookeeper", "image": "zookeeper:3.9"}]}
        return Answer(
            (
                {**first, "data": {"spec": {"template": {"spec": spec}}}},
                {**newer, "data": {"spec": {"template": {"spec": later}}}},
            ),
            0.0,
        )


def rollout(session: Session, world: workload.World, verb: Verb, wish: Wish | None = None) -> Rollout:
    ports = world.ports()
    of = replace(
        session, cluster=ports.cluster, members=ports.members, clock=ports.clock, objects=cast(Any, Objects(world))
    )
    return Rollout(of, world.ensemble(), verb, wish)


def said(prepared: Prepared) -> str:
    return "\n".join(each.head.plain + each.body.plain for each in prepared.rows)


async def carried_out(work: Rollout) -> tuple[Ending, list[str]]:
    lines: list[str] = []
    return await work.carry_out("", lambda wall, text: lines.append(text)), lines


async def test_a_restart_from_question_to_end(session: Session) -> None:
    world = workload.World()
    work = rollout(session, world, Verb.RESTART)
    prepared = await work.prepare()
    assert (prepared.obstacles, prepared.word, prepared.may_begin) == ((), "", True)
    assert world.patches == [], "nothing is changed before the question"
    text = said(prepared)
    for words in (
        "3 of 3 on zk-old",
        "zk-2  Running, Ready, leader",
        "From the highest ordinal down: zk-2, zk-1, zk-0",
    ):
        assert words in text
    assert "zookeeper:3.8 -> zookeeper:3.9" in text
    ending, lines = await carried_out(work)
    assert ending.done
    assert ending.text.startswith("3 members were replaced.")
    assert world.born == ["zk-2", "zk-1", "zk-0"]
    assert "zk-2 goes." in lines


async def test_a_member_that_is_away_stands_in_the_way(session: Session) -> None:
    world = workload.World()
    world.servers["zk-0"].broken = True
    prepared = await rollout(session, world, Verb.RESTART).prepare()
    assert prepared.word == "zk"
    assert any("2 of 3 voters serve" in each for each in prepared.obstacles)


async def test_updates_and_their_history_are_only_told(session: Session) -> None:
    world = workload.World()
    prepared = await rollout(session, world, Verb.SHOW).prepare()
    assert (prepared.only_told, prepared.may_begin, prepared.obstacles) == (True, False, ())
    assert "3 of 3 on zk-old" in said(prepared)
    assert "zookeeper:3.8 -> zookeeper:3.9" in said(prepared)
    told = Toil(may_begin=False)
    told.prepared = replace(told.prepared, only_told=True)
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        screen = await opened(pilot, told)
        assert "· only told" in screen_text(pilot)
        assert "stands in its way" not in screen_text(pilot)
        await pilot.press("s")
        assert pilot.app.screen is screen


async def test_undo_tells_what_would_be_as_before(session: Session) -> None:
    world = workload.World()
    work = rollout(session, world, Verb.UNDO)
    text = said(await work.prepare())
    assert "Back to revision 1" in text
    assert "zookeeper:3.9 -> zookeeper:3.8" in text
    ending, _ = await carried_out(work)
    assert ending.done


async def test_nothing_to_go_on_with_and_then_a_hold(session: Session) -> None:
    world = workload.World()
    prepared = await rollout(session, world, Verb.RESUME).prepare()
    assert (prepared.may_begin, prepared.obstacles) == (False, ("no update is open",))
    hold = rollout(session, world, Verb.HOLD)
    assert (await hold.prepare()).may_begin
    ending, _ = await carried_out(hold)
    assert ending.done
    assert world.partition == 3
    prepared = await rollout(session, world, Verb.HOLD).prepare()
    assert prepared.obstacles == ("it is held already",)


async def test_a_hold_that_is_refused(session: Session) -> None:
    world = workload.World()
    hold = rollout(session, world, Verb.HOLD)
    await hold.prepare()
    world.on_patch.append(Refused(403, "Forbidden", "statefulsets is forbidden", 0.0))
    ending, _ = await carried_out(hold)
    assert not ending.done
    assert "statefulsets is forbidden" in ending.text


async def test_resources_that_no_container_can_have(session: Session) -> None:
    wish = Wish({"cpu": "300m"})
    prepared = await rollout(session, workload.World(), Verb.RESOURCES, wish).prepare()
    assert not prepared.may_begin  # this world's document names no container
    assert prepared.obstacles == ("there is no container zookeeper",)


async def test_read_only_tells_and_does_nothing(world: World, tmp_path: Path) -> None:
    closed = world.session(tmp_path, read_only=True)
    prepared = await rollout(closed, workload.World(), Verb.RESTART).prepare()
    assert (prepared.may_begin, prepared.obstacles) == (False, ("zktui is read-only here",))


async def test_the_palette_opens_them_and_asks_for_amounts(session: Session) -> None:
    table = workload.World()
    session = replace(session, objects=cast(Any, Objects(table)))
    async with ZktuiApp(session).run_test(size=WIDE) as pilot:
        await painted(pilot)
        commands = {c.title: c for c in main_screen(pilot).commands()}
        assert {
            "Updates and their history",
            "Restart every member",
            "Undo the last update",
            "Pause an update",
        } <= commands.keys()
        commands["Change CPU or memory"].callback()
        await until(pilot, lambda: isinstance(pilot.app.screen, WishScreen))
        await pilot.press("enter")
        await until(pilot, lambda: "✗ nothing was asked for" in screen_text(pilot))
        await pilot.press(*"cpu=many", "enter")
        await until(pilot, lambda: "is not an amount" in screen_text(pilot))
        await pilot.press(*(["backspace"] * 4), *"300m", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkScreen))
        await until(pilot, lambda: "Change CPU or memory of zk" in screen_text(pilot))
