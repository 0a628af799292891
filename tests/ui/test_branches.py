from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from zktui.core.zookeeper import Stat
from zktui.ui.branches import Branch, Shape, Spot, State, join, name_of, parent_of


def listed(branch: Branch, *names: str) -> Branch:
    branch.settle(State.LISTED, names=tuple(sorted(names)), stat=Stat(children=len(names)))
    return branch


def rows(branch: Branch, depth: int = 1) -> Iterator[Spot]:
    """What a branch shows, found the slow way."""
    for position in range(len(branch)):
        name = branch.name(position)
        child = branch.child(name)
        yield Spot(join(branch.path, name), depth, child)
        if child is not None:
            yield from rows(child, depth + 1)
    if branch.note:
        yield Spot(branch.path, depth, branch, note=True)


def consistent(shape: Shape) -> None:
    expected = [Spot("/", 0, shape.root), *rows(shape.root)]
    assert len(shape) == len(expected)
    for row, spot in enumerate(expected):
        assert shape.spot(row) == spot
        assert shape.row(spot.path, note=spot.note) == row


def test_paths() -> None:
    assert [join("/", "a"), join("/a", "b")] == ["/a", "/a/b"]
    assert [parent_of("/a/b"), parent_of("/a"), parent_of("/")] == ["/a", "/", "/"]
    assert [name_of("/a/b"), name_of("/")] == ["b", "/"]


def test_rows_of_a_small_tree() -> None:
    shape = Shape()
    listed(shape.root, "a", "b", "c")
    listed(shape.root.unfold("b"), "x", "y")
    listed(shape.root.unfold("b").unfold("x"))
    assert [(s.path, s.depth, s.note) for s in map(shape.spot, range(len(shape)))] == [
        ("/", 0, False),
        ("/a", 1, False),
        ("/b", 1, False),
        ("/b/x", 2, False),
        ("/b/x", 3, True),
        ("/b/y", 2, False),
        ("/c", 1, False),
    ]
    consistent(shape)
    with pytest.raises(IndexError):
        shape.spot(7)
    assert shape.row("/b/z") is None
    assert shape.row("/a/deeper") is None


def test_children_that_are_gone_are_closed_and_others_stay_open() -> None:
    shape = Shape()
    listed(shape.root, "a", "b")
    listed(shape.root.unfold("a"), "kept")
    listed(shape.root.unfold("b"), "lost")
    listed(shape.root, "a", "c")
    assert shape.row("/a/kept") == 2
    assert shape.branch("/b") is None
    consistent(shape)
    with pytest.raises(KeyError):
        shape.root.unfold("b")


def test_a_filter_hides_rows_with_what_is_open_below_them_and_brings_them_back() -> None:
    shape = Shape()
    listed(shape.root, "Kafka", "kafka-2", "zoo")
    listed(shape.root.unfold("zoo"), "inner")
    shape.root.set_filter("kafka")
    assert [s.path for s in map(shape.spot, range(len(shape)))] == ["/", "/Kafka", "/kafka-2", "/"]
    assert shape.row("/zoo/inner") is None
    consistent(shape)
    shape.root.set_filter("K")
    assert len(shape.root) == 1, "a capital counts"
    listed(shape.root, "Kafka", "zoo", "Kimono")
    assert [shape.root.name(n) for n in range(len(shape.root))] == ["Kafka", "Kimono"], "also for those that came later"
    shape.root.set_filter("")
    assert shape.row("/zoo/inner") is not None
    consistent(shape)


def test_any_history_of_opening_closing_listing_and_filtering_keeps_rows_and_paths_in_step() -> None:
    for seed in range(60):
        chance = random.Random(seed)
        shape = Shape()
        listed(shape.root, *"abcdef")
        for _ in range(60):
            branch = chance.choice(list(shape.all_open()))
            match chance.randrange(6):
                case 0 | 1 if branch.names and branch.path.count("/") < 5:
                    branch.unfold(chance.choice(branch.names))
                case 2 if branch.names:
                    branch.fold(chance.choice(branch.names))
                case 3:
                    branch.set_filter(chance.choice(("", "", "a", "c")))
                case 4:
                    branch.settle(chance.choice((State.FAILED, State.READING, State.TOO_MANY)), why="no")
                case _:
                    listed(branch, *chance.sample("abcdef", chance.randrange(7)))
        consistent(shape)


def test_a_million_children_cost_nothing_but_their_names() -> None:
    shape = Shape()
    names = tuple(f"{n:07d}" for n in range(1_000_000))
    shape.root.settle(State.LISTED, names=names, stat=Stat(children=len(names)))
    assert shape.root.names is names
    listed(shape.root.unfold("0500000"), "x")
    assert shape.spot(500_002).path == "/0500000/x"
    assert shape.row("/0999999") == 1_000_001
