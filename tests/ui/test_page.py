from __future__ import annotations

from textual.app import App, ComposeResult

from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.page import Page, row, wrapped


class PageApp(App[None]):
    def __init__(self, *, follow: bool = False) -> None:
        super().__init__()
        self.page = Page(follow=follow)

    def compose(self) -> ComposeResult:
        yield self.page


def lines(page: Page) -> list[str]:
    return [page.render_line(y).text.rstrip() for y in range(page.size.height)]


def test_body_wraps_beside_its_head() -> None:
    shown = [line.plain for line in wrapped(row(" ok  ", "one two three four"), 14)]
    assert shown == [" ok  one two", "     three", "     four"]


def test_a_head_wider_than_the_page_wraps_as_a_whole() -> None:
    shown = [line.plain for line in wrapped(row("a head of many words", "body"), 9)]
    assert "".join(shown).replace(" ", "") == "aheadofmanywordsbody"
    assert max(len(line) for line in shown) <= 9


def test_nothing_from_outside_is_markup_or_a_control_character() -> None:
    shown = wrapped(row([Piece("[bold]", Tone.KEY)], "\x1b[31m[/x]\u202e"), 60)
    assert [line.plain for line in shown] == ["[bold]␛[31m[/x]\\u202e"]


async def test_follows_the_end_until_the_reader_leaves_it() -> None:
    app = PageApp(follow=True)
    async with app.run_test(size=(20, 5)) as pilot:
        app.page.extend(row(f"line {n}") for n in range(30))
        await pilot.pause()
        assert lines(app.page)[-1] == "line 29"
        app.page.focus()
        await pilot.press("home")
        await pilot.pause()
        app.page.extend([row("line 30")])
        await pilot.pause()
        assert lines(app.page)[0] == "line 0"
        await pilot.press("end")
        await pilot.pause()
        app.page.extend([row("line 31")])
        await pilot.pause()
        assert lines(app.page)[-1] == "line 31"


async def test_stays_at_the_end_when_it_becomes_smaller() -> None:
    app = PageApp(follow=True)
    async with app.run_test(size=(20, 30)) as pilot:
        app.page.extend(row(f"line {n}") for n in range(20))
        await pilot.resize_terminal(20, 6)
        await pilot.pause()
        assert lines(app.page)[-1] == "line 19"


async def test_shows_only_what_changed_and_wraps_again_on_resize() -> None:
    app = PageApp()
    async with app.run_test(size=(30, 6)) as pilot:
        app.page.show([row("a ", "one two three four"), row("b ", "x")])
        await pilot.pause()
        assert lines(app.page)[:2] == ["a one two three four", "b x"]
        app.page.show([row("a ", "one two three four"), row("b ", "y"), row("c")])
        assert lines(app.page)[:3] == ["a one two three four", "b y", "c"]
        app.page.show([row("c")])
        assert lines(app.page)[:2] == ["c", ""]
        app.page.show([row("a ", "one two three four")])
        await pilot.resize_terminal(12, 6)
        await pilot.pause()
        assert lines(app.page)[:3] == ["a one two", "  three", "  four"]


async def test_a_style_alone_is_a_change() -> None:
    app = PageApp()
    async with app.run_test(size=(30, 6)):
        app.page.show([row([Piece("same", Tone.PLAIN)])])
        plain = app.page.render_line(0)
        app.page.show([row([Piece("same", Tone.STRONG)])])
        assert app.page.render_line(0) != plain


async def test_a_focused_row_is_kept_in_view() -> None:
    app = PageApp()
    async with app.run_test(size=(20, 6)) as pilot:
        app.page.show([row(f"line {n}", focus=n == 40) for n in range(60)])
        await pilot.pause()
        assert "line 40" in lines(app.page)
