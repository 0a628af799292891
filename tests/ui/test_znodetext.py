from __future__ import annotations

import json
import random

import pytest

from zktui.core.zookeeper import Stat, Znode
from zktui.ui import znodetext
from zktui.ui.znodetext import Form, document, moment, owner, pretty, size, stat_rows, summary

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("data", "form", "rows"),
    [
        (b'{"a": [1, {}], "b": null}', Form.JSON, ["{", '  "a": [', "    1,", "    {}", "  ],", '  "b": null', "}"]),
        (b"[]", Form.JSON, ["[]"]),
        (b"{broken", Form.TEXT, ["{broken"]),
        (b"12", Form.TEXT, ["12"]),
        (b"one\r\ntwo\n", Form.TEXT, ["one", "two", ""]),
        ("grüß".encode(), Form.TEXT, ["grüß"]),
        (b"\xac\xed\x00\x05", Form.HEX, ["000000  aced0005" + " " * 28 + " ····"]),
        (b"esc \x1b[31m", Form.HEX, ["000000  65736320 1b5b3331 6d" + " " * 17 + "esc ·[31m"]),
        (b"", Form.AUTO, []),
    ],
)
def test_data_is_shown_in_the_form_that_fits(data: bytes, form: Form, rows: list[str]) -> None:
    shown = document(data)
    assert (shown.form, [row.rstrip() for row in shown.rows]) == (form, rows)


def test_a_form_wished_for_is_used_where_it_can_be() -> None:
    assert document(b"{}", Form.TEXT).rows == ["{}"]
    assert document(b"\xff", Form.TEXT).rows == ["\\xff"]
    assert document(b"12", Form.JSON).form is Form.JSON
    assert document(b"not json", Form.JSON).form is Form.TEXT
    assert document(b"{}", Form.HEX).form is Form.HEX


def test_hex_rows_hold_every_byte() -> None:
    data = bytes(range(256)) + b"tail"
    for columns in (8, 16):
        rows = document(data, Form.HEX, columns).rows
        back = "".join(row[8 : 8 + 2 * columns + columns // 4] for row in rows)
        assert bytes.fromhex(back) == data


def test_json_keeps_its_tokens_as_they_were_written() -> None:
    text = '{"n": 1.10, "big": 12345678901234567890123, "e": 1e400, "n": 2, "esc": "\\u001b[31m \\" {[,:"}'
    assert pretty(text) == [
        "{",
        '  "n": 1.10,',
        '  "big": 12345678901234567890123,',
        '  "e": 1e400,',
        '  "n": 2,',
        '  "esc": "\\u001b[31m \\" {[,:"',
        "}",
    ]


def test_indented_json_says_the_same_as_pythons_own() -> None:
    chance = random.Random(3)

    def value(depth: int) -> object:
        kind = chance.randrange(7 if depth < 4 else 5)
        if kind == 5:
            return [value(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {f'k{n}"{{': value(depth + 1) for n in range(chance.randrange(4))}
        return chance.choice((None, True, -1.5, 7, "", 'a "quoted", [text]: {x}'))

    for _ in range(300):
        made = value(0)
        assert pretty(json.dumps(made)) == json.dumps(made, indent=2).split("\n")


def test_json_that_nests_to_fill_the_memory_is_not_indented() -> None:
    assert pretty("[" * 100_000 + "]" * 100_000) is None
    deep = "[" * 300 + ",".join("1" * 50_000) + "]" * 300
    assert json.loads(deep)
    assert pretty(deep) is None
    assert document(deep.encode()).form is Form.TEXT


def test_long_json_is_indented_only_when_asked_for() -> None:
    data = json.dumps(["x" * 20] * 20_000).encode()
    assert len(data) > znodetext.AUTOMATIC
    assert document(data).form is Form.TEXT
    assert document(data, Form.JSON).form is Form.JSON


def test_long_lines_are_folded() -> None:
    rows = document(b"x" * (2 * znodetext.FOLD + 1)).rows
    assert [len(row) for row in rows] == [znodetext.FOLD, znodetext.FOLD, 1]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, ""),
        (0x1000_0A3B_4C5D_0001, "ephemeral 0x10000a3b4c5d0001"),
        (-(1 << 63), "container"),
        (-0x0100_0000_0000_0000 + 60_000, "TTL 60 s"),
    ],
)
def test_the_ephemeral_owner_field_is_read_for_what_it_is(value: int, words: str) -> None:
    assert owner(Stat(ephemeral_owner=value)) == words


def test_a_stat_names_everything() -> None:
    stat = Stat(
        0xC_0000_0001, 0xC_0000_0002, int((NOW - 7200) * 1000), int(NOW * 1000), 3, 4, 5, 0, 214, 6, 0xC_0000_0003
    )
    rows = stat_rows(Znode("/a", b"x" * 214, stat, ("world:anyone:r", "sasl:ops:cdrwa")), NOW)
    assert rows == [
        ("cZxid", "c:00000001"),
        ("ctime", "2026-09-21 12:13:20Z, 120m ago"),
        ("mZxid", "c:00000002"),
        ("mtime", "2026-09-21 14:13:20Z, 0s ago"),
        ("pZxid", "c:00000003"),
        ("cversion", "4"),
        ("dataVersion", "3"),
        ("aclVersion", "5"),
        ("ephemeralOwner", "0x0, persistent"),
        ("dataLength", "214 B"),
        ("numChildren", "6"),
        ("acl", "world:anyone:r"),
        ("", "sasl:ops:cdrwa"),
    ]
    assert stat_rows(Znode("/a", b"", stat), NOW)[-1] == ("acl", "not readable")
    assert summary(Znode("/a", b"", stat), Form.JSON) == ["json", "v3", "214 B"]


def test_times_that_are_none_are_said_so() -> None:
    assert moment(0, NOW) == "never (since the beginning)"
    assert moment(1 << 62, NOW) == f"{1 << 62} ms"


def test_sizes() -> None:
    assert [size(n) for n in (0, 9_999, 20_480, 3 << 20)] == ["0 B", "9,999 B", "20 KiB", "3.0 MiB"]
