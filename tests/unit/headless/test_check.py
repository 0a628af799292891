from __future__ import annotations

import pytest

from zktui.checks.model import Chapter, Check, Evidence, Report, Result, Skipped
from zktui.errors import UsageError
from zktui.headless.check import chapters_of, document, exit_code, text

FAILED = Check(
    "identity.myid",
    Chapter.IDENTITY,
    "myid is what the ensemble expects",
    (Evidence("zk-0", Result.PASS, "myid 1"), Evidence("zk-1", Result.FAIL, "myid \x1b[31m7")),
    advice="It never joins.",
    patch=("kubectl delete pod zk-1",),
    by_hand="kubectl exec zk-1 -- cat myid",
)


def report(*results: Result) -> Report:
    found = (Check("a.b", Chapter.SANITY, "a", (Evidence("", result, "seen"),)) for result in results)
    return Report("default", "zk", tuple(found))


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([Result.PASS, Result.PASS], 0),
        ([Result.PASS, Result.WARN], 0),
        ([Result.WARN, Result.UNKNOWN], 3),
        ([Result.UNKNOWN, Result.FAIL], 1),
        ([], 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst(results: list[Result], code: int) -> None:
    assert exit_code([report(*results)]) == code
    assert exit_code([report(Result.PASS), report(*results)]) == code


def test_chapters_by_number_by_name_and_by_its_beginning() -> None:
    assert chapters_of([]) == ()
    assert chapters_of(["3", "ident", "IDENTITY", "node failure"]) == (
        Chapter.DISCOVERY,
        Chapter.IDENTITY,
        Chapter.NODE_FAILURE,
    )
    # The whole name of one, though another begins with it.
    assert chapters_of(["process"]) == (Chapter.PROCESS,)
    assert chapters_of(["process-"]) == (Chapter.PROCESS_FAILURE,)


@pytest.mark.parametrize("name", ["12", "0", "d", "zk", ""])
def test_what_is_no_chapter_is_said_with_those_that_are(name: str) -> None:
    with pytest.raises(UsageError, match="There is no chapter") as refused:
        chapters_of([name])
    assert "10 node-failure" in str(refused.value.hint)


def test_for_people() -> None:
    assert text(Report("default", "zk", (FAILED,))).splitlines() == [
        "default/zk   1 fail",
        "",
        "2. Identity",
        "  ✗ myid is what the ensemble expects",
        "      zk-0: myid 1",
        "      ✗ zk-1: myid ␛[31m7",
        "      It never joins.",
        "      $ kubectl delete pod zk-1",
    ]


def test_what_passes_is_not_advised() -> None:
    passing = Check("a.b", Chapter.IDENTITY, "a", (Evidence("", Result.PASS, "seen"),), "advice", ("patch",))
    assert text(Report("default", "zk", (passing,))).splitlines()[-1] == "      seen"


def test_for_programs() -> None:
    found = document(Report("default", "zk", (FAILED,)))
    assert found["result"] == "fail"
    assert found["checks"] == [
        {
            "code": "identity.myid",
            "chapter": 2,
            "title": "myid is what the ensemble expects",
            "result": "fail",
            "evidence": [
                {"member": "zk-0", "result": "pass", "message": "myid 1"},
                {"member": "zk-1", "result": "fail", "message": "myid \x1b[31m7"},
            ],
            "advice": "It never joins.",
            "patch": ["kubectl delete pod zk-1"],
            "byHand": "kubectl exec zk-1 -- cat myid",
        }
    ]
    assert found["skipped"] == []


def test_what_was_skipped_is_named_and_counts_for_nothing() -> None:
    left = Skipped("sanity.write", Chapter.SANITY, "A write is acknowledged", "it writes")
    passing = Check("identity.a", Chapter.IDENTITY, "a", (Evidence("", Result.PASS, "seen"),))
    found = Report("default", "zk", (passing,), (left,))
    assert exit_code([found]) == 0
    assert text(found).splitlines() == [
        "default/zk   1 pass, 1 skipped",
        "",
        "2. Identity",
        "  ✓ a",
        "      seen",
        "",
        "4. Sanity",
        "  - A write is acknowledged",
        "      skipped: it writes",
    ]
    assert document(found)["skipped"] == [
        {"code": "sanity.write", "chapter": 4, "title": "A write is acknowledged", "message": "it writes"}
    ]
    # Nothing but what was skipped has shown nothing.
    assert exit_code([Report("default", "zk", (), (left,))]) == 3
