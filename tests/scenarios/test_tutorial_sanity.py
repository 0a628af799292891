"""The tutorial's sanity test: written through one member, read through the others, and nothing of it left."""

from __future__ import annotations

from typing import Any

from tests.scenarios.data import Znodes
from tests.scenarios.play import by_name, kubectl, whole
from tests.scenarios.stage import Stage

SANITY = ("sanity.sync", "sanity.write", "sanity.read", "sanity.cleared")


def played(stage: Stage, *arguments: str, code: int = 0) -> tuple[dict[str, Any], list[Any]]:
    ended = stage.zktui("check", *arguments, "-o", "json")
    assert ended.code == code, ended
    (ensemble,) = ended.json()["ensembles"]
    return {check["code"]: check for check in ensemble["checks"]}, ensemble["skipped"]


def test_a_round_through_every_member(stage: Stage, znodes: Znodes) -> None:
    members = by_name(whole(stage))
    before = znodes.children(members["zk-0"], "/")
    checks, skipped = played(stage, "sanity")
    assert tuple(checks) == SANITY
    assert skipped == []
    assert {check["result"] for check in checks.values()} <= {"pass", "warn"}, checks
    for code in ("sanity.sync", "sanity.write", "sanity.read"):
        assert [seen["member"] for seen in checks[code]["evidence"]] == ["zk-0", "zk-1", "zk-2"]
    for seen in checks["sanity.write"]["evidence"]:
        assert f"-{seen['member']} in " in seen["message"]
        assert "zxid" in seen["message"]
    read = checks["sanity.read"]["evidence"][1]["message"]
    assert "zk-0's at zxid" in read
    assert "zk-2's at zxid" in read
    assert "sync" in read
    assert checks["sanity.cleared"]["evidence"][0]["message"] == "3 znodes were made and deleted again"
    for member in members.values():
        assert znodes.children(member, "/") == before


def test_nothing_is_written_unless_it_is_asked_for(stage: Stage, znodes: Znodes) -> None:
    member = by_name(whole(stage))["zk-0"]
    before = znodes.children(member, "/")
    for arguments in ((), ("sanity", "--read-only")):
        checks, skipped = played(stage, *arguments)
        assert checks["sanity.sync"]["result"] == "pass"
        assert "sanity.write" not in checks
        assert [item["code"] for item in skipped] == ["sanity.write", "sanity.read"]
    assert znodes.children(member, "/") == before
    refused = stage.zktui("check", "--writes", "--read-only")
    assert refused.code == 2
    assert "contradict" in refused.err
    checks, skipped = played(stage, "identity", "--writes")
    assert skipped == []
    assert {*SANITY, "identity.myid"} <= checks.keys()
    assert not {code for code in checks if code.startswith("storage")}


def test_what_the_tutorial_types(stage: Stage, znodes: Znodes) -> None:
    """`create /hello world` on one member, `get /hello` on another; then zktui's own round beside it."""
    members = by_name(whole(stage))
    try:
        assert "Created /hello" in kubectl(stage, "exec", "zk-0", "--", "zkCli.sh", "create", "/hello", "world")
        assert "world" in kubectl(stage, "exec", "zk-1", "--", "zkCli.sh", "get", "/hello").splitlines()
        checks, _ = played(stage, "sanity")
        assert checks["sanity.read"]["result"] in ("pass", "warn")
        assert znodes.get(members["zk-2"], "/hello") == b"world"
    finally:
        kubectl(stage, "exec", "zk-0", "--", "zkCli.sh", "delete", "/hello")
