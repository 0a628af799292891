from __future__ import annotations

import pytest
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode

from zktui.ui.text import Piece
from zktui.ui.theme import Tone
from zktui.ui.widgets.keybar import gathered, keys_of, shortened, shown_key
from zktui.ui.widgets.oneline import Line, Part, laid_out


def part(text: str, priority: int = 0) -> Part:
    return Part((Piece(text, Tone.SAFE),), priority)


LINE = Line((part("here"), part("demo", 6)), (part("quorum"), part("leader", 1), part("epoch", 4)))


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (40, "here  demo" + " " * 9 + "quorum  leader  epoch"),
        (31, "here" + " " * 6 + "quorum  leader  epoch"),
        (20, "here  quorum  leader"),
        (19, "here" + " " * 9 + "quorum"),
        (12, "here  quorum"),
    ],
)
def test_parts_give_way_by_priority_and_the_right_ones_end_at_the_edge(room: int, shown: str) -> None:
    assert laid_out(LINE, room).plain == shown
    assert len(laid_out(LINE, room).plain) == room


def test_what_may_not_be_dropped_stays_even_when_it_does_not_fit() -> None:
    assert laid_out(LINE, 3).plain == "here  quorum"


def test_text_from_outside_is_no_markup() -> None:
    assert laid_out(Line((part("[/x]\x1b"),)), 40).plain == "[/x]␛"


def active(
    key: str, action: str, words: str, *, show: bool = True, group: Binding.Group | None = None
) -> ActiveBinding:
    return ActiveBinding(DOMNode(), Binding(key, action, words, show=show, group=group), True)


def test_keys_of_one_action_are_one_entry_under_the_key_that_is_shown() -> None:
    keys = keys_of([active("ctrl+q", "quit", "Quit", show=False), active("q", "quit", "Quit")])
    assert [(key.keys, key.words, key.show) for key in keys] == [("q", "Quit", True)]


def test_groups_become_one_entry_where_room_is_short() -> None:
    panes = Binding.Group("Panes")
    keys = keys_of(
        [active("m", "maintain", "Maintain")]
        + [active(key, f"focus_pane({key})", words, group=panes) for key, words in (("1", "Ensemble"), ("2", "Logs"))]
    )
    assert [(key.keys, key.words) for key in gathered(keys)] == [("m", "Maintain"), ("1 2", "Panes")]


@pytest.mark.parametrize(
    ("key", "shown"), [("slash", "/"), ("ctrl+p", "^p"), ("question_mark", "?"), ("shift+tab", "shift+tab"), ("a", "a")]
)
def test_keys_are_shown_as_they_are_typed(key: str, shown: str) -> None:
    assert shown_key(key) == shown


@pytest.mark.parametrize(
    ("keys", "short"),
    [("1 2 3 4 n", "1-4 n"), ("1 2 n", "1 2 n"), ("n 1 2 3", "n 1-3"), ("1 2 4 5 6", "1 2 4-6"), ("x", "x")],
)
def test_digits_that_follow_each_other_are_told_by_their_ends(keys: str, short: str) -> None:
    assert shortened(keys) == short
