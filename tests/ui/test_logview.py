from __future__ import annotations

import asyncio
from typing import cast

import pytest
from textual.pilot import Pilot
from textual.signal import Signal

from tests.ui.streams import PaneApp, line, seen, until
from zktui.ui.widgets import logview
from zktui.ui.widgets.logview import Filter, LogView, Stamps

WIDTH, HEIGHT = 80, 12


class Shown:
    """A LogView on a small screen; one line of it is the footer."""

    def __init__(self, capacity: int = 1000) -> None:
        self.view = LogView(capacity)
        self.app = PaneApp(self.view)

    def messages(self) -> list[str]:
        """What the lines in view say, without time and pod."""
        return [row.split(None, 2)[2] for row in seen(self.view) if len(row.split(None, 2)) == 3]


async def started(shown: Shown, pilot: Pilot[None]) -> None:
    shown.view.focus()
    await pilot.pause()


async def test_it_follows_the_end_until_the_reader_scrolls_up_and_again_at_the_end() -> None:
    shown = Shown()
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n) for n in range(100)])
        await pilot.pause()
        assert shown.messages()[-1] == "line 99"
        await pilot.press("up", "up")
        assert not shown.view.follow
        shown.view.extend([line(n) for n in range(100, 105)])
        await pilot.pause()
        assert shown.messages()[-1] == "line 97", "what is read stays where it is"
        assert shown.view.unseen == 5
        await pilot.press("end")
        await pilot.pause()
        assert shown.view.follow
        assert shown.view.unseen == 0
        assert shown.messages()[-1] == "line 104"


async def test_what_is_read_stays_in_place_while_the_ring_drops_lines_above_it() -> None:
    shown = Shown(capacity=50)
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n) for n in range(50)])
        await pilot.pause()
        shown.view.set_follow(False)
        shown.view.scroll_to(y=20, animate=False)
        await pilot.pause()
        before = shown.messages()
        assert before[0] == "line 20"
        shown.view.extend([line(n) for n in range(50, 60)])
        await pilot.pause()
        assert shown.view.ring.dropped == 10
        assert shown.messages() == before
        shown.view.extend([line(n) for n in range(60, 90)])
        await pilot.pause()
        assert shown.messages()[0] == "line 40", "its lines are gone: the oldest ones kept are shown"


async def test_a_batch_larger_than_the_ring_is_counted_as_dropped() -> None:
    shown = Shown(capacity=10)
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n) for n in range(35)])
        await pilot.pause()
        assert (len(shown.view), shown.view.ring.dropped, shown.view.ring.total) == (10, 25, 35)
        assert shown.messages()[0] == "line 25"


async def test_a_filter_shows_only_lines_that_pass_also_of_those_to_come() -> None:
    shown = Shown()
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n, text=f"{'Session' if n % 10 == 0 else 'other'} {n}") for n in range(50)])
        shown.view.set_filter("session")
        await pilot.pause()
        assert shown.messages() == [f"Session {n}" for n in (0, 10, 20, 30, 40)]
        shown.view.extend([line(50, text="SESSION 50"), line(51, text="other 51"), line(52, text="cut", marker=True)])
        await pilot.pause()
        assert [shown.view.line_at(row).text for row in range(len(shown.view))][-2:] == ["SESSION 50", "cut"]
        shown.view.set_filter("nowhere to be found")
        await pilot.pause()
        assert [shown.view.line_at(row).text for row in range(len(shown.view))] == ["cut"], "markers always show"
        shown.view.set_filter("")
        await pilot.pause()
        assert len(shown.view) == 53


async def test_a_filter_over_many_lines_leaves_the_event_loop_its_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logview, "SLICE", 100)
    shown = Shown(capacity=5000)
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n, text=f"number {n}") for n in range(5000)])
        shown.view.set_filter("7")
        assert shown.view.searching
        assert 0 < len(shown.view) <= 100, "the newest slice is there at once"
        newest = shown.view.line_at(len(shown.view) - 1).text
        shown.view.extend([line(5000, text="number 7000")])
        turns = 0
        while shown.view.searching:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 40, "others have had a turn between any two of the 50 slices"
        rows = [shown.view.line_at(row).text for row in range(len(shown.view))]
        assert rows == [f"number {n}" for n in range(5000) if "7" in str(n)] + ["number 7000"]
        assert newest == rows[-2]


async def test_filtered_lines_are_let_go_when_the_ring_drops_them() -> None:
    shown = Shown(capacity=20)
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.set_filter("even")
        for number in range(100):
            shown.view.extend([line(number, text=f"{'even' if number % 2 == 0 else 'odd'} {number}")])
        await pilot.pause()
        assert [shown.view.line_at(row).text for row in range(len(shown.view))] == [
            f"even {n}" for n in range(80, 100, 2)
        ]


async def test_a_hidden_pod_is_kept_and_shown_again() -> None:
    shown = Shown()
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n, pod=f"zk-{n % 2}") for n in range(10)])
        shown.view.set_hidden(frozenset({"zk-1"}))
        await pilot.pause()
        assert {shown.view.line_at(row).pod for row in range(len(shown.view))} == {"zk-0"}
        shown.view.set_hidden(frozenset())
        assert len(shown.view) == 10


async def test_a_line_from_outside_is_neither_markup_nor_an_escape_sequence() -> None:
    shown = Shown()
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(0, text="[bold]x[/y] \x1b[31mred\x1b[0m \u202egnp.exe\rover\x07")])
        await pilot.pause()
        row = shown.view.render_line(0).text
        assert "[bold]x[/y] ␛[31mred␛[0m \\u202egnp.exe␍over␇" in row
        assert not any(ord(char) < 32 for char in row)


async def test_lines_longer_than_the_screen_are_scrolled_sideways() -> None:
    shown = Shown()
    async with shown.app.run_test(size=(40, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(0, text="begin " + "·" * 60 + " 終わり")])
        await pilot.pause()
        assert "begin" in seen(shown.view)[0]
        await pilot.press(*["right"] * 8)
        await pilot.pause()
        assert "終わり" in seen(shown.view)[0], "the last wide character can be reached"
        assert "begin" not in seen(shown.view)[0]
        await pilot.press(*["left"] * 8)
        await pilot.pause()
        assert "begin" in seen(shown.view)[0]


async def test_zookeepers_own_prefix_becomes_columns_and_raw_shows_the_line_as_written() -> None:
    shown = Shown()
    text = "2026-09-21 14:00:00,123 [myid:1] - WARN  [SyncThread:1:o.a.z.s.p.FileTxnLog@1] - fsync took 1210ms"
    async with shown.app.run_test(size=(150, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(0, text=text)])
        await pilot.pause()
        assert seen(shown.view)[0].split("  ") == [
            "14:00:00.000 zk-0 WARN",
            "fsync took 1210ms",
            "SyncThread:1:o.a.z.s.p.FileTxnLog@1",
        ]
        shown.view.toggle_raw()
        assert seen(shown.view)[0] == f"14:00:00.000 zk-0 {text}"
        shown.view.toggle_stamps()
        assert seen(shown.view)[0].startswith("2026-09-21T14:00:00.000000000Z zk-0 2026")
        shown.view.toggle_stamps()
        assert seen(shown.view)[0] == f"zk-0 {text}"


async def test_one_appended_batch_lays_out_nothing_while_the_scroll_bar_stays() -> None:
    shown = Shown()
    layouts = 0
    async with shown.app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await started(shown, pilot)
        shown.view.extend([line(n) for n in range(100)])
        await until(lambda: shown.view.show_vertical_scrollbar)
        await pilot.pause()

        def counted(_: object) -> None:
            nonlocal layouts
            layouts += 1

        signal = cast("Signal[object]", shown.app.screen.screen_layout_refresh_signal)  # pyright: ignore[reportUnknownMemberType]
        signal.subscribe(shown.view, counted)
        for start in range(100, 200, 10):
            shown.view.extend([line(n) for n in range(start, start + 10)])
            await pilot.pause()
        assert shown.messages()[-1] == "line 199"
        assert layouts <= 1, "one may still be due from the bar's coming; ten batches are ten"


@pytest.mark.parametrize(
    ("words", "text", "passes"),
    [
        ("", "anything", True),
        ("WARN fsync", "warn: FSYNC took long", True),
        ("warn fsync", "warn only", False),
        ("!session", "Session closed", False),
        ("!session", "nothing", True),
        ("zk-1", "the pod's name counts", True),
        ("!", "a lone ! asks nothing", True),
    ],
)
def test_filter_words(words: str, text: str, passes: bool) -> None:
    assert Filter(words)(line(0, pod="zk-1", text=text)) is passes


@pytest.mark.parametrize(
    ("stamp", "short"),
    [
        ("2026-09-21T14:13:20.123456789Z", "14:13:20.123 "),
        ("2026-09-21T14:13:20Z", "14:13:20     "),
        ("2026-09-21T14:13:20.5Z", "14:13:20.5   "),
        ("", "             "),
        ("not a time", "             "),
    ],
)
def test_stamps_take_a_fixed_number_of_cells(stamp: str, short: str) -> None:
    assert Stamps.TIME.of(stamp) == short
    assert len(Stamps.FULL.of(stamp)) == 31
    assert Stamps.NONE.of(stamp) == ""
