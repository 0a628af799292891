from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.columns import Column, place
from zktui.ui.widgets.grid import Cell, Grid, Row, cell

NAMES = Column("NAME", 4, 10)
COUNT = Column("COUNT", 5, align="right", priority=2)
STATE = Column("STATE", 8, priority=1)


def rows(*names: str) -> list[Row]:
    return [Row(f"uid-{n}", (cell(n), cell(str(len(n)), rank=len(n)), cell("ok", Tone.SAFE))) for n in names]


class GridApp(App[None]):
    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.moved: list[str] = []
        self.marked: list[frozenset[str]] = []

    def compose(self) -> ComposeResult:
        yield self.grid

    def on_mount(self) -> None:
        self.grid.focus()

    def on_grid_moved(self, event: Grid.Moved) -> None:
        self.moved.append(event.uid)

    def on_grid_marked(self, event: Grid.Marked) -> None:
        self.marked.append(event.uids)


def lines(pilot: Pilot[None], grid: Grid) -> list[str]:
    return [grid.render_line(y).text.rstrip() for y in range(grid.size.height)]


# -- columns


@pytest.mark.parametrize(
    ("room", "kept", "gap"),
    [(21, [0, 1, 2], 2), (20, [0, 1, 2], 1), (19, [0, 1, 2], 1), (18, [0, 2], 2), (13, [0, 2], 1), (12, [0], 2)],
)
def test_columns_that_do_not_fit_go_by_priority(room: int, kept: list[int], gap: int) -> None:
    placed, between = place((NAMES, COUNT, STATE), (4, 5, 5), room)
    assert [p.index for p in placed] == kept
    assert between == gap
    assert sum(p.width for p in placed) + between * (len(placed) - 1) <= room


def test_a_column_grows_with_what_it_shows_up_to_its_most() -> None:
    placed, _ = place((NAMES, COUNT, STATE), (7, 9, 9), 80)
    assert [p.width for p in placed] == [7, 5, 8]
    placed, _ = place((NAMES, COUNT, STATE), (70, 9, 9), 80)
    assert placed[0].width == 10


def test_what_must_stay_is_cut_when_even_it_does_not_fit() -> None:
    placed, _ = place((NAMES,), (10,), 6)
    assert [p.width for p in placed] == [6]


# -- the widget


async def test_draws_heading_and_rows_with_figures_on_the_right() -> None:
    grid = Grid((NAMES, COUNT))
    async with GridApp(grid).run_test(size=(30, 6)) as pilot:
        grid.set_rows([Row("a", (cell("zk-0"), cell("7"))), Row("b", (cell("zk-1"), cell("12345")))])
        await pilot.pause()
        assert lines(pilot, grid)[:3] == ["  NAME  COUNT", "▸ zk-0      7", "  zk-1  12345"]


async def test_cells_from_outside_are_neither_markup_nor_escapes() -> None:
    grid = Grid((Column("NAME", 4, 40),))
    async with GridApp(grid).run_test(size=(60, 4)) as pilot:
        grid.set_rows([Row("a", (Cell((Piece("[red]x[/nope]\x1b[2J", Tone.SAFE),)),))])
        await pilot.pause()
        assert lines(pilot, grid)[1] == "▸ [red]x[/nope]␛[2J"


async def test_the_cursor_stays_on_its_uid_when_rows_come_and_go() -> None:
    grid = Grid((NAMES, COUNT, STATE))
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        grid.set_rows(rows("a", "b", "c"))
        await pilot.press("down")
        assert grid.cursor_uid == "uid-b"
        grid.set_rows(rows("x", "a", "b", "c"))
        assert grid.cursor_uid == "uid-b"
        grid.set_rows(rows("x", "a", "c"))
        assert grid.cursor_uid == "uid-c"
        grid.set_rows([])
        assert grid.cursor_uid == ""
        await pilot.pause()
        assert pilot.app.moved == ["uid-a", "uid-b", "uid-c", ""]  # type: ignore[attr-defined]


async def test_only_lines_that_changed_are_painted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid((NAMES, COUNT, STATE))
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        first = rows("a", "b", "c", "d")
        grid.set_rows(first)
        await pilot.pause()
        lines(pilot, grid)
        drawn: list[str] = []
        paint = grid._paint  # pyright: ignore[reportPrivateUsage]  # counts what is drawn

        def counted(row: Row, cursor: bool = False) -> object:
            drawn.append(row.uid)
            return paint(row, cursor)

        monkeypatch.setattr(grid, "_paint", counted)
        changed = [*first[:2], Row("uid-c", (cell("c"), cell("9", rank=9), cell("ok"))), first[3]]
        grid.set_rows(changed)
        await pilot.pause()
        lines(pilot, grid)
        assert set(drawn) == {"uid-a", "uid-c"}  # the cursor's line, and the one that differs


async def test_of_many_rows_only_those_in_view_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid((NAMES, COUNT, STATE))
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        drawn: set[str] = set()
        paint = grid._paint  # pyright: ignore[reportPrivateUsage]  # counts what is drawn

        def counted(row: Row, cursor: bool = False) -> object:
            drawn.add(row.uid)
            return paint(row, cursor)

        monkeypatch.setattr(grid, "_paint", counted)
        grid.set_rows(rows(*(f"n{n}" for n in range(5000))))
        await pilot.press("end")
        await pilot.pause()
        assert grid.cursor_uid == "uid-n4999"
        assert lines(pilot, grid)[-1].startswith("▸ n4999")
        assert len(drawn) < 30


async def test_sorts_numbers_as_numbers_and_back_to_the_order_given() -> None:
    grid = Grid((NAMES, COUNT, STATE))
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        grid.set_rows(rows("ccc", "a" * 10, "bb"))
        grid.sort(1)
        assert [row.uid for row in grid.rows] == ["uid-bb", "uid-ccc", "uid-" + "a" * 10]
        await pilot.press("S")
        assert [row.uid for row in grid.rows] == ["uid-" + "a" * 10, "uid-ccc", "uid-bb"]
        assert "COUN↓" in lines(pilot, grid)[0]
        grid.sort(None)
        assert [row.uid for row in grid.rows] == ["uid-ccc", "uid-" + "a" * 10, "uid-bb"]


async def test_filter_shows_rows_that_hold_every_word_and_says_when_none_does() -> None:
    grid = Grid((NAMES, COUNT, STATE), empty="No row yet.")
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        assert "No row yet." in "\n".join(lines(pilot, grid))
        grid.set_rows(rows("alpha", "beta", "alpine"))
        grid.filter("AL ok")
        assert [row.uid for row in grid.rows] == ["uid-alpha", "uid-alpine"]
        grid.filter("nothing")
        await pilot.pause()
        assert "Nothing matches “nothing”." in "\n".join(lines(pilot, grid))


async def test_marks_are_kept_by_uid_and_leave_with_their_row() -> None:
    grid = Grid((NAMES, COUNT, STATE), marking=True)
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        grid.set_rows(rows("a", "b"))
        await pilot.press("space", "down", "space")
        assert grid.marks == {"uid-a", "uid-b"}
        grid.set_rows(rows("b", "c"))
        assert grid.marks == {"uid-b"}
        await pilot.pause()
        assert [line[:3] for line in lines(pilot, grid)[1:3]] == ["▸✓b", "  c"]


async def test_a_click_moves_the_cursor_and_a_click_on_a_heading_sorts() -> None:
    grid = Grid((NAMES, COUNT, STATE))
    async with GridApp(grid).run_test(size=(40, 8)) as pilot:
        grid.set_rows(rows("b", "a"))
        await pilot.pause()
        await pilot.click(Grid, offset=(3, 2))
        assert grid.cursor_uid == "uid-a"
        await pilot.click(Grid, offset=(3, 0))
        assert [row.uid for row in grid.rows] == ["uid-a", "uid-b"]
