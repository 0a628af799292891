from __future__ import annotations

import pytest
from rich.style import Style

from zktui.ui.text import Piece, content, fit, printable, segments, width
from zktui.ui.theme import Tone

STYLES = {tone: Style() for tone in Tone}


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("zk-0.zk-hs", "zk-0.zk-hs"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("a\tb\r\n", "a␉b␍␊"),
        ("\x9b31m", "\\x9b31m"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\udc80", "\\udc80"),
        ("heart\u2764\ufe0f", "heart\u2764"),
        ("日本語 é", "日本語 é"),
        ("\x7f\x00", "␡␀"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_shown(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_tabs_are_expanded_only_when_asked() -> None:
    assert printable("a\tbé", tab=4) == "a   bé"


def test_wide_characters_count_two() -> None:
    assert width("日本") == 4
    assert fit("日本語", 5) == "日本…"
    assert fit("日本語", 4) == "日 …"
    assert [width(fit("日本語", n)) for n in range(9)] == list(range(9))


def test_fit_pads_on_the_side_that_aligns() -> None:
    assert fit("7", 3, "right") == "  7"
    assert fit("7", 3) == "7  "


def test_content_reads_no_markup() -> None:
    made = content("[red]zk[/red] ", Piece("[/x]", Tone.SAFE))
    assert made.plain == "[red]zk[/red] [/x]"
    assert [span.style for span in made.spans] == [Tone.SAFE.value]


@pytest.mark.parametrize("cells", range(1, 10))
def test_segments_fill_their_cells_exactly(cells: int) -> None:
    painted = segments([Piece("abc"), Piece("日本", Tone.SAFE)], cells, STYLES)
    assert sum(segment.cell_length for segment in painted) == cells


def test_segments_cut_at_a_border_of_pieces_say_that_more_follows() -> None:
    painted = segments([Piece("abc"), Piece("def", Tone.SAFE)], 3, STYLES)
    assert "".join(segment.text for segment in painted) == "ab…"
