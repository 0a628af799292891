from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.widgets._toast import Toast  # Textual offers notices no other way

from tests.ui.fakes import FakeTree, World
from tests.ui.streams import PaneApp, seen, title, type_in, until
from zktui.core.deltas import Kind
from zktui.core.kube import Pod
from zktui.core.ports import TreeError
from zktui.core.zookeeper import Ensemble, Mode, Stat
from zktui.session import Session
from zktui.ui import znodebrowser
from zktui.ui.branches import State
from zktui.ui.panes.znodes import ZnodePane
from zktui.ui.widgets.keybar import KeyBar
from zktui.ui.widgets.znodetree import ZnodeTree


class Desk:
    """The pane on a screen, and the znodes behind it."""

    def __init__(self, world: World, session: Session) -> None:
        self.world = world
        self.pane = ZnodePane(session)
        self.app = PaneApp(self.pane)

    @property
    def tree(self) -> ZnodeTree:
        return self.pane.tree_view

    def show(self) -> None:
        self.pane.show(self.world.store.view().ensembles[0])

    def rows(self) -> list[str]:
        """The tree as painted, indents kept."""
        return [row[1:] for row in seen(self.tree) if row]

    def keys(self) -> list[str]:
        """What the footer offers, in lower case."""
        return [key.words.lower() for key in self.app.query_one(KeyBar).keys]

    def title(self, side: str) -> str:
        return title(self.pane.query_one(f"#znode-{side}"))

    async def settle(self, pilot: Pilot[None]) -> None:
        """Wait until nothing is being read any more, nor about to be."""
        for _ in range(2):
            await pilot.pause()
            await until(lambda: not self.pane.busy, "the end of all reading")

    async def press(self, pilot: Pilot[None], *keys: str) -> None:
        for key in keys:
            await pilot.press(key)
            await self.settle(pilot)


@asynccontextmanager
async def desk(
    world: World, session: Session, *paths: str, size: tuple[int, int] = (120, 20)
) -> AsyncGenerator[tuple[Desk, Pilot[None]]]:
    for path in paths:
        name, _, data = path.partition("=")
        world.trees.put(name, data.encode())
    made = Desk(world, session)
    async with made.app.run_test(size=size, notifications=True) as pilot:
        made.show()
        made.pane.focus()
        await made.settle(pilot)
        yield made, pilot


async def told(pilot: Pilot[None]) -> list[str]:
    """The notices on screen, as soon as there is one."""
    await until(lambda: pilot.app.screen.query(Toast), "a notice")
    return [str(toast.render()) for toast in pilot.app.screen.query(Toast)]


KAFKA = ("/brokers/ids/0={}", "/brokers/ids/1", "/brokers/topics/a", "/zookeeper")


async def test_the_first_level_is_read_by_itself_and_says_what_is_below(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, _):
        assert at.rows() == ["▾ / (2)", "  ▸ brokers (2)", "    zookeeper"]
        assert world.trees.listed == ["/"], "nothing deeper is listed before it is opened"
        assert at.title("tree") == "Znodes  / · by zk-0"


async def test_right_opens_and_goes_in_and_left_closes_and_goes_out(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, pilot):
        await at.press(pilot, "right", "right", "right", "right")
        assert at.tree.cursor == "/brokers/ids"
        assert at.rows() == [
            "▾ / (2)",
            "  ▾ brokers (2)",
            "    ▾ ids (2)",
            "        0  2 B",
            "        1",
            "    ▸ topics (1)",
            "    zookeeper",
        ]
        await at.press(pilot, "left", "left", "left")
        assert at.tree.cursor == "/brokers"
        assert len(at.rows()) == 3


async def test_data_is_shown_as_json_text_or_hex_and_v_chooses(world: World, session: Session) -> None:
    body = json.dumps({"host": "10.2.4.7", "port": 9092})
    async with desk(world, session, f"/a={body}") as (at, pilot):
        await at.press(pilot, "down")
        assert at.title("data") == "/a · json · v0 · 34 B"
        assert seen(at.pane.data_view)[:4] == [" {", '   "host": "10.2.4.7",', '   "port": 9092', " }"]
        await at.press(pilot, "v", "v")
        assert at.title("data") == "/a · text · v0 · 34 B"
        assert seen(at.pane.data_view)[0] == f" {body}"
        await at.press(pilot, "v")
        assert seen(at.pane.data_view)[0].startswith(" 000000  7b22686f")


async def test_s_shows_the_stat_and_back(world: World, session: Session) -> None:
    async with desk(world, session, "/a=data") as (at, pilot):
        await at.press(pilot, "down", "s")
        rows = seen(at.pane.data_view)
        assert any(row.split() == ["dataLength", "4", "B"] for row in rows)
        assert any(row.split() == ["acl", "world:anyone:cdrwa"] for row in rows)
        assert at.title("data") == "/a · stat"
        await at.press(pilot, "s")
        assert seen(at.pane.data_view)[0] == " data"


async def test_a_long_list_is_counted_and_only_listed_when_asked(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(znodebrowser, "MANY", 5)
    async with desk(world, session, *(f"/queue/item-{n}" for n in range(6))) as (at, pilot):
        await at.press(pilot, "down", "right")
        assert at.rows()[2] == "    6 children: ⏎ lists all, g goes to one"
        assert world.trees.listed == ["/"]
        await at.press(pilot, "down", "enter")
        assert world.trees.listed == ["/", "/queue"]
        assert at.rows()[2:4] == ["      item-0", "      item-1"]
        assert at.tree.cursor == "/queue/item-0"


async def test_going_to_a_znode_under_a_long_list_lists_nothing(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(znodebrowser, "MANY", 5)
    paths = [f"/queue/item-{n}" for n in range(6)]
    async with desk(world, session, *paths, "/queue/item-3/below=x") as (at, pilot):
        await pilot.press("g")
        await type_in(pilot, "queue/item-3/below")
        await at.press(pilot, "enter")
        assert at.tree.cursor == "/queue/item-3/below"
        assert world.trees.listed == ["/", "/queue/item-3"]
        assert at.rows()[1:5] == [
            "  ▾ queue (6)",
            "    ▾ item-3 (1)",
            "        below  1 B",
            "    6 children: ⏎ lists all, g goes to one",
        ]
        assert at.title("data") == "/queue/item-3/below · text · v0 · 1 B"


async def test_going_to_what_is_not_there_says_so_and_moves_nothing(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, pilot):
        await pilot.press("g")
        await type_in(pilot, "brokers/nowhere/at/all")
        await at.press(pilot, "enter")
        assert at.tree.cursor == "/"
        assert await told(pilot) == ["/brokers/nowhere does not exist"]


async def test_siblings_are_filtered_while_typing(world: World, session: Session) -> None:
    async with desk(world, session, "/alpha", "/beta", "/gamma-a", "/gamma-b") as (at, pilot):
        await at.press(pilot, "down", "slash")
        await type_in(pilot, "gam")
        await at.settle(pilot)
        assert at.rows() == ["▾ / (4)", "    gamma-a", "    gamma-b", "  2 of 4 match “gam”"]
        await at.press(pilot, "enter")
        assert at.app.focused is at.tree
        await at.press(pilot, "escape")
        assert len(at.rows()) == 5


async def test_an_error_stands_in_the_tree_and_r_reads_again(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, pilot):
        world.trees.errors["/brokers"] = TreeError("not permitted: /brokers")
        await at.press(pilot, "down", "right")
        assert at.rows()[2] == "    ⚠ not permitted: /brokers (r reads again)"
        assert at.pane.data_view.notice == "⚠ not permitted: /brokers"
        world.trees.errors.clear()
        await at.press(pilot, "r")
        assert at.rows()[2] == "    ▸ ids (2)"
        assert at.pane.data_view.notice == "No data: 0 bytes."


async def test_what_changed_is_read_anew_and_the_cursor_stays_on_its_znode(world: World, session: Session) -> None:
    async with desk(world, session, "/b", "/c=old") as (at, pilot):
        await at.press(pilot, "down", "down")
        assert at.tree.cursor == "/c"
        world.trees.put("/a")
        world.trees.put("/c", b"newer")
        await at.press(pilot, "r")
        assert at.tree.cursor == "/c"
        assert at.rows() == ["▾ / (3)", "    a", "    b", "    c  5 B"]
        assert seen(at.pane.data_view)[0] == " newer"


async def test_a_znode_that_is_gone_leaves_the_tree(world: World, session: Session) -> None:
    async with desk(world, session, "/a", "/b") as (at, pilot):
        await at.press(pilot, "down")
        del world.trees.data["/a"]
        at.pane.recheck()
        await at.settle(pilot)
        assert at.rows()[1:] == ["    b"]
        assert at.tree.cursor == "/b"


async def test_children_that_came_show_up_by_themselves(world: World, session: Session) -> None:
    async with desk(world, session, "/a") as (at, pilot):
        world.trees.put("/new=1".partition("=")[0])
        at.pane.recheck()
        await at.settle(pilot)
        assert at.rows() == ["▾ / (2)", "    a", "    new"]


async def test_data_that_changed_is_shown_by_itself(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.trees.stat_of

    def stat_of(path: str) -> Stat:
        return replace(real(path), mzxid=len(world.trees.data[path]))

    monkeypatch.setattr(world.trees, "stat_of", stat_of)
    async with desk(world, session, "/a=old") as (at, pilot):
        await at.press(pilot, "down")
        world.trees.put("/a", b"newer")
        at.pane.recheck()
        await at.settle(pilot)
        assert seen(at.pane.data_view)[0] == " newer"


async def test_the_footer_names_the_keys_that_work_here(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, pilot):
        assert at.keys() == ["open", "filter siblings", "go to", "view as", "stat", "refresh", "copy path"]
        await at.press(pilot, "s", "slash")
        assert at.keys() == ["done", "cancel"]
        await at.press(pilot, "b", "enter")
        assert at.keys() == ["open", "filter siblings", "no filter", "go to", "data", "refresh", "copy path"]


async def test_a_session_is_opened_anew_when_its_pods_are_others(
    world: World, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[set[str]] = []
    real = world.trees.open

    def recorded(ensemble: Ensemble, pods: Sequence[Pod]) -> FakeTree:
        opened.append({pod.uid for pod in pods})
        return real(ensemble, pods)

    monkeypatch.setattr(world.trees, "open", recorded)
    async with desk(world, session, "/a=1") as (at, pilot):
        assert opened == [{"uid-zk-0", "uid-zk-1", "uid-zk-2"}]
        old = world.store.view().ensembles[0].members[0].pod
        world.remove(Kind.PODS, old.uid)
        world.upsert(Kind.PODS, replace(old, uid="uid-second"))
        at.show()
        await at.press(pilot, "down")
        assert len(opened) == 1, "a session that works is kept"
        world.trees.errors["/a"] = TreeError("no member serves")
        await at.press(pilot, "r")
        assert opened[1:] == [{"uid-second", "uid-zk-1", "uid-zk-2"}]
        assert at.pane.data_view.notice == "⚠ no member serves"


async def test_nothing_is_read_until_a_member_serves(world: World, session: Session) -> None:
    world.poll(Mode.LOOKING, Mode.LOOKING, Mode.SILENT)
    async with desk(world, session, "/a") as (at, pilot):
        assert world.trees.listed == []
        assert at.pane.data_view.notice == "Waiting for a member that serves."
        world.poll(Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER)
        at.show()
        await at.settle(pilot)
        assert world.trees.listed == ["/"]
        assert at.tree.shape.root.state is State.LISTED


async def test_names_and_data_from_outside_are_neither_markup_nor_escape_sequences(
    world: World, session: Session
) -> None:
    world.trees.put("/[red]\x1b[31m\u202eexe", b"[bold]x[/] \x1b]0;title\x07")
    async with desk(world, session) as (at, pilot):
        await at.press(pilot, "down", "v", "v")
        assert at.rows()[1].strip().startswith("[red]␛[31m\\u202eexe")
        assert "[red]␛[31m\\u202eexe" in at.title("tree")
        assert seen(at.pane.data_view)[0] == " [bold]x[/] ␛]0;title␇"


async def test_y_copies_the_path(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, pilot):
        await at.press(pilot, "down", "y")
        assert at.app.copied == ["/brokers"]


async def test_another_ensemble_begins_with_a_tree_of_its_own(world: World, session: Session) -> None:
    async with desk(world, session, *KAFKA) as (at, pilot):
        await at.press(pilot, "down", "right")
        at.pane.show(None)
        await at.settle(pilot)
        assert at.pane.data_view.notice == "There is no ensemble to browse."
        assert at.tree.cursor == "/"
        assert at.rows() == ["▾ /"]
        at.show()
        await at.settle(pilot)
        assert at.rows() == ["▾ / (2)", "  ▸ brokers (2)", "    zookeeper"]


async def test_a_leaf_is_not_opened_but_looked_at_again(world: World, session: Session) -> None:
    async with desk(world, session, "/a") as (at, pilot):
        await at.press(pilot, "down", "enter")
        assert at.rows() == ["▾ / (1)", "    a"]
        world.trees.put("/a/b")
        await at.press(pilot, "enter")
        assert at.rows() == ["▾ / (1)", "  ▸ a (1)"]
        await at.press(pilot, "enter")
        assert at.rows() == ["▾ / (1)", "  ▾ a (1)", "      b"]


async def test_what_is_typed_at_once_after_a_key_that_asks_goes_into_the_question(
    world: World, session: Session
) -> None:
    async with desk(world, session, "/a") as (at, pilot):
        at.pane.action_go()
        assert isinstance(at.app.focused, Input)
        await pilot.press("a", "enter")
        await at.settle(pilot)
        assert at.tree.cursor == "/a"


async def test_a_hex_dump_takes_the_width_there_is(world: World, session: Session) -> None:
    world.trees.put("/blob", bytes(range(32)))
    async with desk(world, session, size=(130, 20)) as (at, pilot):
        await at.press(pilot, "down")
        assert len(at.pane.data_view.rows) == 2
        await pilot.resize_terminal(80, 20)
        await until(lambda: len(at.pane.data_view.rows) == 4, "a narrower dump")
