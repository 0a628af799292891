from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.inventories import NAMES, check_of, healthy, results
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Chapter, Check, Result
from zktui.checks.rules import judge
from zktui.checks.sanity import sanity
from zktui.core.rounds import Read, Round, Trouble, Write
from zktui.core.zookeeper import Zxid

ZXIDS = {name: Zxid(0x500000010 + n) for n, name in enumerate(NAMES)}
ONE_FAILS = {"zk-0": Result.PASS, "zk-1": Result.FAIL, "zk-2": Result.PASS}
ONE_UNKNOWN = {**ONE_FAILS, "zk-1": Result.UNKNOWN}
ONE_WARNS = {**ONE_FAILS, "zk-1": Result.WARN}
CUT = Trouble("the connection was lost")
SHUT = Trouble("not permitted by its ACL", told=False)


def whole() -> Round:
    writes = tuple(Write(name, f"/zktui-sanity-1-{name}", 0.004, ZXIDS[name]) for name in NAMES)
    reads = tuple(Read(r, w, 0.003, 0.002, ZXIDS[w], same=True) for r in NAMES for w in NAMES if r != w)
    return Round(writes, reads, (), 15.0)


def played(round_: Round) -> Inventory:
    return replace(healthy(), sanity=Known(round_, ""))


def with_write(member: str, **changes: object) -> Round:
    round_ = whole()
    writes = tuple(replace(w, **changes) if w.member == member else w for w in round_.writes)  # pyright: ignore[reportArgumentType]  # fields by name
    return replace(round_, writes=writes)


def with_reads(member: str, **changes: object) -> Round:
    """What this member has read from zk-0."""
    round_ = whole()
    reads = tuple(
        replace(r, **changes) if (r.member, r.writer) == (member, "zk-0") else r  # pyright: ignore[reportArgumentType]  # fields by name
        for r in round_.reads
    )
    return replace(round_, reads=reads)


def of(inventory: Inventory, name: str) -> Check:
    return check_of(sanity, inventory, f"sanity.{name}")


def test_a_round_that_went_well() -> None:
    checks = list(sanity(played(whole())))
    assert [c.code for c in checks] == ["sanity.sync", "sanity.write", "sanity.read", "sanity.cleared"]
    assert {c.result for c in checks} == {Result.PASS}
    assert checks[1].evidence[0].text == "created /zktui-sanity-1-zk-0 in 4.0 ms, zxid 5:00000010"
    assert checks[2].evidence[1].text == (
        "has zk-0's at zxid 5:00000010, zk-2's at zxid 5:00000012; at most sync 3.0 ms, read 2.0 ms"
    )
    assert checks[3].evidence[0].text == "3 znodes were made and deleted again"


def test_without_a_round_its_checks_are_skipped_by_name() -> None:
    found = judge(healthy(), (Chapter.SANITY,))
    assert [c.code for c in found.checks] == ["sanity.sync"]
    assert [(s.code, s.chapter) for s in found.skipped] == [
        ("sanity.write", Chapter.SANITY),
        ("sanity.read", Chapter.SANITY),
    ]
    assert found.result is Result.PASS
    assert judge(healthy(), (Chapter.IDENTITY,)).skipped == ()
    assert judge(played(whole())).skipped == ()


def test_a_member_that_does_not_sync() -> None:
    silent = {**healthy().synced, "zk-1": Known[bool](None, "a synced read: no answer in 5 s")}
    found = of(replace(healthy(), synced=silent), "sync")
    assert results(found) == ONE_UNKNOWN
    assert found.evidence[1].text == "a synced read: no answer in 5 s"


def test_a_member_that_does_not_run_is_a_failure() -> None:
    inventory = healthy()
    pods = tuple(replace(p, phase="Pending") if p.name == "zk-1" else p for p in inventory.pods)
    found = whole()
    two = Round(
        tuple(w for w in found.writes if w.member != "zk-1"),
        tuple(r for r in found.reads if "zk-1" not in (r.member, r.writer)),
    )
    inventory = replace(inventory, pods=pods, synced={}, sanity=Known(two, ""))
    assert results(of(inventory, "write")) == results(of(inventory, "read")) == ONE_FAILS
    assert results(of(inventory, "sync"))["zk-1"] is Result.FAIL
    assert of(inventory, "write").evidence[1].text == "it does not run (Pending)"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trouble": CUT}, ONE_FAILS),
        ({"trouble": SHUT}, ONE_UNKNOWN),
        ({"seconds": 1.0}, ONE_WARNS),
    ],
)
def test_a_write_that_fails_is_not_permitted_or_is_slow(
    changes: dict[str, object], expected: dict[str, Result]
) -> None:
    assert results(of(played(with_write("zk-1", **changes)), "write")) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trouble": Trouble("it is not there after a sync")}, ONE_FAILS),
        ({"trouble": SHUT}, ONE_UNKNOWN),
        ({"same": False}, ONE_FAILS),
        ({"synced": 0.9, "seconds": 0.1}, ONE_WARNS),
    ],
)
def test_a_read_that_finds_nothing_or_something_else_or_is_slow(
    changes: dict[str, object], expected: dict[str, Result]
) -> None:
    assert results(of(played(with_reads("zk-1", **changes)), "read")) == expected


def test_a_failure_is_told_before_what_could_not_be_asked() -> None:
    round_ = with_reads("zk-1", trouble=SHUT)
    reads = tuple(replace(r, trouble=CUT) if (r.member, r.writer) == ("zk-1", "zk-2") else r for r in round_.reads)
    found = of(played(replace(round_, reads=reads)), "read")
    assert (found.evidence[1].result, found.evidence[1].text) == (
        Result.FAIL,
        "written through zk-2: the connection was lost",
    )


def test_one_member_alone_has_nobody_to_read_from() -> None:
    inventory = healthy()
    one = Round((whole().writes[0],))
    inventory = replace(inventory, pods=inventory.pods[:1], sanity=Known(one, ""))
    assert results(of(inventory, "read")) == {"zk-0": Result.UNKNOWN}


def test_what_is_left_behind_is_named() -> None:
    found = of(played(replace(whole(), left=("/zktui-sanity-1-zk-2",))), "cleared")
    assert found.result is Result.WARN
    assert "/zktui-sanity-1-zk-2" in found.evidence[0].text
    assert "within 15 s" in found.evidence[0].text
