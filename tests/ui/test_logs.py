from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from textual.pilot import Pilot

from tests.ui.fakes import World
from tests.ui.streams import PaneApp, seen, title, type_in, until
from zktui.core.deltas import Kind
from zktui.core.view import EnsembleView
from zktui.session import Session
from zktui.ui.logfeed import SETTLE
from zktui.ui.panes.logs import LogPane
from zktui.ui.widgets.keybar import KeyBar


class Desk:
    """The pane on a screen, the world behind it, and the keys in front."""

    def __init__(self, world: World, session: Session) -> None:
        self.world = world
        self.pane = LogPane(session)
        self.app = PaneApp(self.pane)

    @property
    def view(self) -> EnsembleView:
        return self.world.store.view().ensembles[0]

    def keys(self) -> list[str]:
        """What the footer offers, in lower case."""
        return [key.words.lower() for key in self.app.query_one(KeyBar).keys]

    @property
    def title(self) -> str:
        return title(self.pane)

    @property
    def texts(self) -> list[str]:
        return [self.pane.lines.line_at(row).text for row in range(len(self.pane.lines))]

    def show(self) -> None:
        self.pane.show(self.view)

    def write(self, member: int, *texts: str, second: int = 0) -> None:
        pod = self.view.members[member].pod.key
        self.world.logs.write(pod, *texts, stamp=f"2026-09-21T14:00:{second:02d}.000000000Z")


@asynccontextmanager
async def desk(
    world: World, session: Session, size: tuple[int, int] = (100, 20)
) -> AsyncGenerator[tuple[Desk, Pilot[None]]]:
    made = Desk(world, session)
    async with made.app.run_test(size=size) as pilot:
        made.show()
        made.pane.focus()
        for member in range(3):
            made.write(member, f"from zk-{member}", f"again zk-{member}", second=member)
        await until(lambda: len(made.texts) == 6, "six lines")
        await pilot.pause()
        yield made, pilot


async def test_the_members_are_merged_and_the_title_says_what_is_shown(world: World, session: Session) -> None:
    async with desk(world, session) as (at, _):
        assert at.texts == [f"{word} zk-{n}" for n in range(3) for word in ("from", "again")]
        assert at.title == "Logs  zk-0 zk-1 zk-2 · follow · 6 lines, no polls"
        assert at.app.focused is at.pane.lines


async def test_space_pauses_and_follows_and_new_lines_are_counted(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        await pilot.press("space")
        at.write(0, "one more", "and one", second=9)
        await until(lambda: len(at.texts) == 8)
        await pilot.pause()
        assert at.title == "Logs  zk-0 zk-1 zk-2 · paused, 2 new below · 8 lines, no polls"
        await pilot.press("f")
        await pilot.pause()
        assert at.title == "Logs  zk-0 zk-1 zk-2 · follow · 8 lines, no polls"


async def test_a_filter_is_typed_kept_and_taken_away(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        await pilot.press("slash")
        await type_in(pilot, "again !zk-1")
        await pilot.pause()
        assert at.texts == ["again zk-0", "again zk-2"]
        await pilot.press("enter")
        assert at.app.focused is at.pane.lines
        await pilot.pause()
        assert at.title == "Logs  zk-0 zk-1 zk-2 · follow · /again !zk-1 · 2 of 6 lines, no polls"
        await pilot.press("escape")
        assert len(at.texts) == 6


async def test_escape_while_typing_takes_the_filter_away(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        await pilot.press("slash", "x", "y", "escape")
        await pilot.pause()
        assert len(at.texts) == 6
        assert at.app.focused is at.pane.lines


async def test_letters_typed_into_a_filter_start_nothing(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        await pilot.press("slash", "f", "x", "t", "s", "space")
        await pilot.pause()
        assert at.pane.lines.filter.text == "fxts "
        assert not at.pane.lines.raw


async def test_the_footer_names_the_keys_that_work_here(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        assert at.keys() == ["pause", "filter", "members", "one member", "polls", "time", "raw"]
        await pilot.press("space", "slash")
        await pilot.pause()
        assert at.keys() == ["done", "cancel"]
        await pilot.press("x", "enter")
        await pilot.pause()
        assert at.keys() == ["pause", "filter", "no filter", "members", "one member", "polls", "time", "raw"]
        await pilot.press("s")
        await pilot.pause()
        assert at.keys() == ["choose", "show or hide", "all", "done"]


async def test_members_are_hidden_and_shown_by_keys(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        await pilot.press("s", "right", "space")
        await pilot.pause()
        assert {line.split()[1] for line in at.texts} == {"zk-0", "zk-2"}
        assert at.title.endswith("· 4 of 6 lines, no polls")
        await pilot.press("a", "escape")
        await pilot.pause()
        assert len(at.texts) == 6
        assert at.app.focused is at.pane.lines


async def test_brackets_show_one_member_after_the_other_and_then_all(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        shown: list[set[str]] = []
        for _ in range(4):
            await pilot.press("right_square_bracket")
            await pilot.pause()
            shown.append({line.split()[1] for line in at.texts})
        assert shown == [{"zk-0"}, {"zk-1"}, {"zk-2"}, {"zk-0", "zk-1", "zk-2"}]
        await pilot.press("left_square_bracket")
        assert {line.split()[1] for line in at.texts} == {"zk-2"}


async def test_polls_are_left_out_until_asked_for(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        poll = "2026-09-21 14:00:09,001 [myid:1] - INFO  [N:NIO@532] - Processing srvr command from /1.2.3.4:5"
        at.write(0, poll, "told", second=9)
        await until(lambda: at.texts[-1] == "told")
        assert poll not in at.texts
        await pilot.pause()
        assert at.title == "Logs  zk-0 zk-1 zk-2 · follow · 7 of 8 lines, no polls"
        await pilot.press("p")
        await pilot.pause()
        assert at.texts[-2:] == [poll, "told"]
        assert at.title == "Logs  zk-0 zk-1 zk-2 · follow · 8 lines"


async def test_a_reborn_member_is_followed_by_itself(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        old = at.view.members[1].pod
        world.logs.end(old.key, "the pod is gone")
        world.remove(Kind.PODS, old.uid)
        at.show()
        world.upsert(Kind.PODS, replace(old, uid="uid-second", node="node-4"))
        at.show()
        world.logs.write(at.view.members[1].pod.key, "hello again", stamp="2026-09-21T14:00:30Z")
        await until(lambda: at.texts[-1] == "hello again")
        assert "zk-1 was born again on node-4 (uid uid-seco)" in at.texts
        await pilot.pause()
        hues = {at.pane.lines.hue("zk-1"), at.pane.lines.hue("zk-0"), at.pane.lines.hue("zk-2")}
        assert len(hues) == 3, "each member has a colour of its own"


async def test_a_cut_is_marked_in_the_stream(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        world.logs.end(at.view.members[0].pod.key, "gave up after 120 s: connection refused")
        await pilot.pause()
        world.clock.advance(SETTLE)
        await until(lambda: len(at.texts) == 7)
        await pilot.pause()
        assert any(
            "── the stream was cut: gave up after 120 s: connection refused ──" in row for row in seen(at.pane.lines)
        )


async def test_another_ensemble_begins_with_an_empty_page(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        await pilot.press("slash", "x", "enter")
        at.pane.show(None)
        await pilot.pause()
        assert at.texts == []
        assert at.title == "Logs "
        assert "no ensemble" in seen(at.pane.lines)[0]
        at.show()
        at.write(2, "x back", second=40)
        await until(lambda: at.texts == ["x back"])


async def test_an_empty_page_says_what_it_waits_for(world: World, session: Session) -> None:
    pane = LogPane(session)
    app = PaneApp(pane)
    async with app.run_test(size=(80, 12)) as pilot:
        pane.show(world.store.view().ensembles[0])
        await pilot.pause()
        assert "Waiting for the first line of zk-0, zk-1, zk-2." in seen(pane.lines)[0]


async def test_names_from_outside_are_not_markup_in_the_title(world: World, session: Session) -> None:
    async with desk(world, session) as (at, pilot):
        pod = replace(at.view.members[0].pod, name="zk-[bold]\x1b", uid="odd")
        world.upsert(Kind.PODS, pod)
        at.show()
        await pilot.pause()
        assert "zk-[bold]␛" in at.title
