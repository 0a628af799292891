"""The verbs that change a workload, as they parse, ask, refuse and tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.core.facts import statefulset
from tests.unit.workload.world import World
from zktui.core.ports import Refused, Unanswered
from zktui.errors import Blocked, ConnectionFailed, NoEnsemble, NotPermitted, UsageError
from zktui.flags import parser
from zktui.headless.deploy import members_for, preview_text
from zktui.headless.rollout import history_text, status_text, waits_for_nobody
from zktui.headless.workload import Changing, confirmed, ended, exit_code, pass_gate, rolled, unread
from zktui.workload.deploying import Conflict, Outcome, Verdict
from zktui.workload.differences import Difference
from zktui.workload.manifest import Wanted
from zktui.workload.reading import Obstacle, read
from zktui.workload.revisions import revisions_of
from zktui.workload.rolling import End, Status
from zktui.workload_flags import deploy_request, rollout_request

NOT_WHOLE = (Obstacle("members", "2 of 3 voters serve"),)


def parse(*words: str) -> Any:
    return parser().parse_args(words)


def test_deploy_s_options() -> None:
    words = (
        "--name",
        "zoo",
        "--members",
        "5",
        "--storage-class",
        "fast",
        "--size",
        "20Gi",
        "--heap",
        "1G",
        "--memory",
        "2Gi",
    )
    request = deploy_request(parse("deploy", *words, "--diff", "-o", "json", "-n", "prod"))
    wanted = request.wanted
    assert (wanted.name, wanted.members, wanted.storage_class, wanted.size) == ("zoo", 5, "fast", "20Gi")
    assert (request.diff, request.force, request.json, request.changing.yes) == (True, False, True, False)
    assert deploy_request(parse("deploy")).wanted.members is None


@pytest.mark.parametrize("words", [("--members", "4"), ("--members", "0"), ("--members", "x")])
def test_an_even_ensemble_is_not_made(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("deploy", *words)
    assert caught.value.code == 2
    assert "is not an odd number" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--size", "big"), ("--cpu", "-1"), ("--memory", "0"), ("--heap", "lots")])
def test_amounts_that_are_none(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        deploy_request(parse("deploy", *(f"{words[0]}={words[1]}",)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--name", "My Zoo"), "'My Zoo' is no name"),
        (("--size", "10"), "too small for a volume"),
        (("--heap", "2G"), "does not fit the 1Gi of memory"),
        (("--image", "a b"), "is no image"),
        (("--storage-class", "x y"), "no name of a storage class"),
    ],
)
def test_what_can_not_be_deployed_is_refused_in_words(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        deploy_request(parse("deploy", *words))
    assert refused.value.hint == "Nothing was changed."


def test_rollout_s_options() -> None:
    undo = rollout_request(parse("rollout", "undo", "zk", "--to-revision", "2", "-y", "--dwell", "3s"))
    assert (undo.verb, undo.name, undo.revision, undo.changing) == ("undo", "zk", 2, Changing(yes=True, dwell=3.0))
    once = rollout_request(parse("rollout", "status", "--watch=false", "--timeout", "1m"))
    assert (once.verb, once.watch, once.changing.timeout) == ("status", False, 60.0)
    wish = rollout_request(parse("set-resources", "zk", "--requests", "cpu=0.3", "--limits", "memory=1Gi")).wish
    assert (wish.requests, wish.limits) == ({"cpu": "300m"}, {"memory": "1Gi"})
    with pytest.raises(UsageError):
        rollout_request(parse("set-resources", "zk", "--requests", "cpu"))


async def test_the_gate() -> None:
    await pass_gate((), "zk", "")
    await pass_gate(NOT_WHOLE, "zk", "zk")
    with pytest.raises(Blocked) as caught:
        await pass_gate(NOT_WHOLE, "zk", "")
    assert "2 of 3 voters serve" in str(caught.value)
    assert "--override zk" in str(caught.value)
    with pytest.raises(UsageError):
        await pass_gate(NOT_WHOLE, "zk", "yes")
    with pytest.raises(UsageError):
        await pass_gate((), "zk", "zk-0")


async def test_nobody_is_asked_without_a_terminal() -> None:
    assert await confirmed("Begin?", Changing(yes=True))
    with pytest.raises(UsageError):
        await confirmed("Begin?", Changing())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Refused(404, "NotFound", "not found", 0.0), NoEnsemble),
        (Refused(403, "Forbidden", "no", 0.0), NotPermitted),
        (Refused(500, "InternalError", "no", 0.0), ConnectionFailed),
        (Unanswered("cut", 0.0), ConnectionFailed),
    ],
)
def test_what_can_t_be_read(reply: Any, error: type[Exception]) -> None:
    assert isinstance(unread(reply, "StatefulSet zk"), error)


def test_how_it_ended() -> None:
    done = End(Status.DONE, "3 members were replaced.", 46.4, ("zk-2", "zk-1", "zk-0"), (), 2, 2)
    assert ended(done, "zk") == "3 members were replaced. 46 s, 2 elections, 2 voters serving at worst."
    assert exit_code(done) == 0
    blocked = End(Status.BLOCKED, "waited 60 s in vain for zk-2 to be back", 61.0, (), ("zk-0", "zk-1"))
    assert "On the old template still: zk-0, zk-1. The update is held" in ended(blocked, "zk")
    assert "zktui rollout resume zk" in ended(blocked, "zk")
    assert exit_code(blocked) == 3
    assert exit_code(End(Status.FAILED, "no", 0.0, forbidden=True)) == 4
    assert exit_code(End(Status.STOPPED, "stopped", 0.0)) == 130
    assert rolled(blocked)["left"] == ["zk-0", "zk-1"]


async def test_status_and_history_for_people() -> None:
    world = World(leader="zk-0", partition=3, newest="zk-new")
    reading = await read(world.ensemble(), world.ports())
    lines = status_text(reading).splitlines()
    assert lines[0] == "default/zk   0 of 3 on zk-new, held below ordinal 3"
    assert lines[1] == "3 of 3 voters serve, leader zk-0"
    assert "zk-2  Running, Ready, follower, old template" in lines[4]
    assert lines[-1].startswith("From the highest ordinal down, which leaves the leader for the last")

    def revision(number: int, name: str, image: str) -> dict[str, Any]:
        template = {"spec": {"containers": [{"name": "zk", "image": image}]}}
        owners = [{"uid": "sts-zk"}]
        metadata = {"name": name, "ownerReferences": owners, "creationTimestamp": "2026-01-01T00:00:00Z"}
        return {"metadata": metadata, "revision": number, "data": {"spec": {"template": template}}}

    revisions = revisions_of([revision(1, "zk-old", "a:1"), revision(2, "zk-new", "a:2\x1b[31m")], "sts-zk")
    told = history_text(revisions, reading)
    assert "1   zk-old   2026-01-01T00:00:00Z   zk-0, zk-1, zk-2   <none>" in told
    assert '.spec.containers[name="zk"].image: a:1 -> a:2␛[31m' in told
    caused = replace(revisions[0], cause="because\nof that")
    lines = history_text((caused, *revisions[1:]), reading).splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["REVISION", "1", "2"], "one table, whatever a cause holds"
    assert lines[3].startswith("    .spec.containers")
    assert history_text((), reading) == "There is no revision."


@pytest.mark.parametrize(
    ("world", "waits"),
    [
        (World(partition=3, newest="zk-new"), True),
        (World("OnDelete", newest="zk-new"), True),
        (World(partition=2, newest="zk-new"), False),
        (World(newest="zk-new"), False),
    ],
)
async def test_a_status_does_not_wait_for_what_nobody_replaces(world: World, waits: bool) -> None:
    reading = await read(world.ensemble(), world.ports())
    assert waits_for_nobody(reading) is waits


def test_what_would_be_done_for_people() -> None:
    service = {"kind": "Service", "metadata": {"name": "zk-hs"}}
    outcomes = (
        Outcome("service/zk-hs", service, Verdict.CREATE, after=service),
        Outcome("configmap/zk-scripts", {}, Verdict.UNCHANGED),
        Outcome("statefulset.apps/zk", {}, Verdict.CONFIGURE, (Difference(".spec.a", "1", "2"),), rolls=True),
        Outcome("service/zk-cs", {}, Verdict.CONFLICT, conflicts=(Conflict('"kubectl"', ".spec.b"),)),
        Outcome("service/zk-x", {}, Verdict.CONFLICT, conflicts=(Conflict('"zktui" using v1', ".spec.c"),)),
        Outcome("poddisruptionbudget.policy/zk-pdb", {}, Verdict.REFUSED, why="no\x1b[31m"),
    )
    assert preview_text(outcomes, full=False).splitlines() == [
        "+ service/zk-hs",
        "= configmap/zk-scripts",
        "~ statefulset.apps/zk   (its members are replaced)",
        "    .spec.a: 1 -> 2",
        "! service/zk-cs",
        '    .spec.b is set otherwise by "kubectl"',
        "! service/zk-x",
        "    .spec.c is set otherwise by an earlier change of zktui's own",
        "! poddisruptionbudget.policy/zk-pdb: no␛[31m",
    ]
    assert "    kind: Service" in preview_text(outcomes, full=True).splitlines()


def test_an_ensemble_that_exists_keeps_its_size() -> None:
    there = statefulset(replicas=5)
    assert members_for(Wanted("default"), None) is None
    assert members_for(Wanted("default", members=3), None) == 3
    assert members_for(Wanted("default"), there) == 5
    assert members_for(Wanted("default", members=5), there) == 5
    with pytest.raises(Blocked):
        members_for(Wanted("default", members=3), there)
