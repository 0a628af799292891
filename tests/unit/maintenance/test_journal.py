"""The journal: durable before it returns, readable after a crash, and closed to everything once it is broken."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from zktui.maintenance.journal import FileJournal, JournalError, read
from zktui.maintenance.model import Event


def test_lines_are_synced_to_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileJournal(tmp_path / "runs" / "a.jsonl")
    synced: list[bytes] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        real(fd)
        synced.append(journal.path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    journal.append(Event(0, 1.5, "evict", "evict zk-0", "node-1", "zk-0", "u1", {"grace": 30}))
    journal.append(Event(0, 2.5, "note", "gone \x1b[31m"))
    assert [content.count(b"\n") for content in synced] == [1, 2]
    assert read(journal.path) == journal.events
    assert [e.seq for e in journal.tail(1)] == [2]
    assert b"\x1b" not in journal.path.read_bytes(), "no escape sequence in a file that people print"


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "a.jsonl")
    journal.append(Event(0, 1, "plan", "one"))
    with journal.path.open("ab") as file:
        file.write(b'{"seq": 2, "time": 2, "ki')
    assert [e.text for e in read(journal.path)] == ["one"]


@pytest.mark.parametrize("line", [b"not json\n", b"[]\n", b'{"seq": 7, "time": 1, "kind": "a", "text": "b"}\n'])
def test_a_corrupted_journal_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(line)
    with pytest.raises(JournalError, match="corrupted"):
        read(path)
    with pytest.raises(JournalError, match="another run"):
        FileJournal(path)


def test_once_a_line_failed_no_other_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = FileJournal(tmp_path / "a.jsonl")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalError, match="No space left"):
        journal.append(Event(0, 1, "evict", "x"))
    monkeypatch.undo()
    with pytest.raises(JournalError, match="No change is made"):
        journal.append(Event(0, 1, "evict", "x"))
    assert journal.events == ()


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(JournalError, match="Nothing was changed"):
        FileJournal(tmp_path / "runs" / "a.jsonl")
