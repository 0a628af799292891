from __future__ import annotations

import asyncio
import json
import math
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.unit.drills.fakes import FIRST, DrillBench
from zktui.core.kube import Lease
from zktui.core.ports import Refused, Unanswered
from zktui.drills.undo import BY_HAND, MANIFEST, OVER, Undo, manifest_of
from zktui.maintenance.model import LEASE_NAME
from zktui.maintenance.refusals import CannotBegin, ReadOnlyError, WordMissing


async def reviewed(bench: DrillBench, **how: bool) -> Any:
    return await bench.finish(bench.drills.review_storage(bench.world.ensemble(), **how))


async def drilled(bench: DrillBench, **how: bool) -> Any:
    found = await reviewed(bench, **how)
    accept = how.get("accept_outage", False)
    return await bench.finish(bench.drills.storage(found, "zk", bench.events.append, accept_outage=accept))


def folder_of(bench: DrillBench) -> Path:
    (folder,) = (bench.folder / "drills").glob("*-storage")
    return folder


async def test_deleted_and_applied_again_with_its_pods_where_they_are(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    pods = {p.uid for p in bench.world.members()}
    outcome = await drilled(bench)
    assert outcome.well
    assert (outcome.found, outcome.missing) == (("zk-0", "zk-1", "zk-2"), ())
    assert outcome.gone <= outcome.applied <= outcome.whole
    assert bench.objects.changes == ["delete orphan", "create"]
    assert {p.uid for p in bench.world.members()} == pods
    assert bench.kinds == [
        "mark",
        "mark",
        "delete",
        "gone",
        "create",
        "applied",
        "whole",
        "data",
        "data",
        "data",
        "cleared",
        "result",
    ]
    assert bench.rounds.znodes == {}
    assert bench.drills.unfinished() == ()
    assert bench.world.leases["default"].holder == ""
    kept = [json.loads(line) for line in (folder_of(bench) / "journal.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in kept] == bench.kinds


async def test_with_its_pods(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    pods = {p.uid for p in bench.world.members()}
    refused = await reviewed(bench, orphan=False)
    assert refused.refusals == ("every member goes at once: that takes --accept-outage, or --cascade orphan",)
    outcome = await drilled(bench, orphan=False, accept_outage=True)
    assert outcome.well
    assert bench.objects.changes == ["delete", "create"]
    assert not {p.uid for p in bench.world.members()} & pods


async def test_the_way_back_is_on_disk_before_anything_is_deleted(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.objects.metadata = {
        "labels": {"app": "zk"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update"}],
    }
    seen: list[str] = []

    def deleting() -> None:
        folder = folder_of(bench)
        seen.append((folder / BY_HAND).read_text())
        manifest = json.loads((folder / MANIFEST).read_text())
        assert manifest == {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {
                "name": "zk",
                "namespace": "default",
                "labels": {"app": "zk"},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            },
            "spec": {"replicas": 3},
        }
        assert not (folder / OVER).exists()
        assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}

    bench.objects.on_delete = deleting
    await drilled(bench)
    lines = [line.strip() for line in seen[0].splitlines() if line.startswith("  ")]
    kubectl = "kubectl --context prod -n default"
    assert lines[0] == f"{kubectl} get statefulset zk"
    assert shlex.split(lines[1]) == [
        *kubectl.split(),
        "create",
        "--save-config=false",
        "-f",
        str(folder_of(bench) / MANIFEST),
    ]
    assert "zkCli.sh get /zktui-drill-" in lines[3]
    # What was created is what stands there.
    assert bench.objects.bodies == [json.loads((folder_of(bench) / MANIFEST).read_text())]


async def test_fields_that_zktui_has_applied_are_its_own_again(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.objects.metadata = {"managedFields": [{"manager": "zktui", "operation": "Apply"}]}
    await drilled(bench)
    assert bench.objects.changes == ["delete orphan", "apply"]
    assert "apply --server-side --field-manager=zktui -f" in (folder_of(bench) / BY_HAND).read_text()


@pytest.mark.parametrize(
    ("spec", "metadata", "why"),
    [
        ({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}, {}, "its claims are deleted with it"),
        ({}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "it is being deleted already"),
        (
            {},
            {"ownerReferences": [{"kind": "ZookeeperCluster", "name": "zk", "controller": True}]},
            "ZookeeperCluster zk owns it",
        ),
        ({}, {"uid": "sts-other"}, "it is another StatefulSet by now"),
    ],
)
async def test_what_forbids_it(tmp_path: Path, spec: Any, metadata: Any, why: str) -> None:
    bench = DrillBench(tmp_path)
    bench.objects.spec |= spec
    bench.objects.metadata |= metadata
    found = await reviewed(bench)
    assert not found.go
    assert why in found.refusals[0]
    with pytest.raises(CannotBegin):
        await bench.finish(bench.drills.storage(found, "zk", bench.events.append))
    assert bench.objects.changes == []


async def test_an_ensemble_that_is_not_whole(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    found = await reviewed(bench)
    bench.world.crash(bench.world.members()[1], math.inf)
    bench.world.advance(bench.clock.now())
    assert "it is not whole: zk-1" in (await reviewed(bench)).refusals
    # It fell silent after the review.
    with pytest.raises(CannotBegin, match="not whole"):
        await bench.finish(bench.drills.storage(found, "zk", bench.events.append))
    assert bench.objects.changes == []
    assert bench.drills.unfinished() == ()
    assert bench.world.leases["default"].holder == ""


async def test_data_on_no_claim_goes_with_its_pods(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.cluster.claims_of_pods = ()
    found = await reviewed(bench, orphan=False, accept_outage=True)
    assert found.refusals == ("the data of zk-0, zk-1, zk-2 is on no claim: it would be lost",)
    assert (await reviewed(bench)).go


async def test_the_lease_is_somebody_elses(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.world.leases["default"] = Lease("default", LEASE_NAME, "l", "v", "bob@desk/7 (run)", 40, 0.0, 0.0)
    assert "bob@desk/7 (run) holds the lease" in (await reviewed(bench)).refusals[0]


async def test_nothing_is_deleted_that_could_not_be_found_again(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.rounds.refuse = "not permitted by its ACL"
    with pytest.raises(CannotBegin, match="Nothing can be written to be found again: not permitted by its ACL"):
        await drilled(bench)
    assert bench.objects.changes == []
    assert bench.drills.unfinished() == ()


async def test_a_deletion_that_is_refused(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.objects.on_delete = lambda: Refused(403, "Forbidden", "statefulsets is forbidden", 0.0)
    with pytest.raises(CannotBegin, match="It was not deleted: statefulsets is forbidden"):
        await drilled(bench)
    assert bench.cluster.owner == FIRST
    assert bench.rounds.znodes == {}
    assert bench.drills.unfinished() == ()


async def test_a_creation_whose_answer_is_lost_is_looked_at_before_it_is_sent_again(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)

    def lost() -> Any:
        bench.cluster.owner = "sts-new"  # it had arrived
        return Unanswered("the connection was cut", 0.0)

    bench.objects.on_create = lost
    outcome = await drilled(bench)
    assert outcome.well
    assert bench.objects.changes == ["delete orphan", "create"]


async def test_a_creation_that_fails_for_good_names_the_way_back(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.objects.on_create = lambda: Refused(403, "Forbidden", "statefulsets is forbidden", 0.0)
    outcome = await drilled(bench)
    assert not outcome.well
    assert str(folder_of(bench)) in outcome.why
    (left,) = bench.drills.unfinished()
    bench.objects.on_create = lambda: None
    assert (await bench.finish(bench.drills.finish(left, bench.events.append))).well
    assert bench.drills.unfinished() == ()


async def test_data_that_is_not_there_is_told_and_the_drill_is_not_over(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    bench.rounds.lost = frozenset({"zk-1"})
    outcome = await drilled(bench)
    assert not outcome.well
    assert (outcome.found, outcome.missing) == (("zk-0", "zk-2"), ("zk-1: it is gone",))
    assert len(bench.drills.unfinished()) == 1


async def test_a_cancellation_waits_until_it_is_there_again(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    found = await reviewed(bench)
    task = asyncio.ensure_future(bench.drills.storage(found, "zk", bench.events.append))
    await bench.clock.until(lambda: "delete" in bench.kinds)
    task.cancel()
    await bench.clock.until(task.done)
    assert task.cancelled()
    assert bench.cluster.owner not in ("", FIRST)
    assert bench.drills.unfinished() == ()


@pytest.mark.parametrize("at", ["before", "deleted", "created"])
async def test_a_program_that_died_in_the_middle(tmp_path: Path, at: str) -> None:
    """What is on disk then is enough to bring it to its end, wherever it was."""
    bench = DrillBench(tmp_path)
    left = await _left_behind(bench, at)
    assert (left.namespace, left.name, left.uid) == ("default", "zk", FIRST)
    # Another one is not begun before.
    if bench.cluster.owner == FIRST:
        with pytest.raises(CannotBegin, match="did not come to its end"):
            await bench.finish(bench.drills.storage(await reviewed(bench), "zk", bench.events.append))
    outcome = await bench.finish(bench.drills.finish(left, bench.events.append))
    assert outcome.well
    assert bench.cluster.owner
    assert bench.rounds.znodes == {}
    assert bench.drills.unfinished() == ()


async def _left_behind(bench: DrillBench, at: str) -> Undo:
    """The files of a drill as they are at that moment, in a state folder in which no program is alive."""
    copy = bench.folder / "copy"

    def snapshot() -> None:
        shutil.copytree(bench.folder / "drills", copy / "drills")

    if at == "before":
        bench.objects.on_delete = lambda: snapshot() or Refused(500, "", "died", 0.0)
    else:

        def creating() -> Any:
            snapshot()
            if at == "created":
                bench.cluster.owner = "sts-again"
            return Refused(500, "", "died", 0.0)

        bench.objects.on_create = creating
    found = await reviewed(bench)
    task = asyncio.ensure_future(bench.drills.storage(found, "zk", bench.events.append))
    await bench.clock.until(copy.exists)
    data = dict(bench.rounds.znodes)
    task.add_done_callback(lambda t: t.cancelled() or t.exception())
    await bench.clock.until(task.done)
    bench.rounds.znodes.update(data)
    if at == "deleted":
        bench.cluster.owner = ""
    bench.objects.on_create = bench.objects.on_delete = lambda: None
    shutil.rmtree(bench.folder / "drills")
    shutil.copytree(copy / "drills", bench.folder / "drills")
    bench.events.clear()
    (left,) = bench.drills.unfinished()
    assert not left.under_way
    return left


async def test_another_clusters_drill_is_none_of_ours(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    left = await _left_behind(bench, "deleted")
    record = left.folder / "drill.json"
    record.write_text(record.read_text().replace("https://prod:6443", "https://other:6443"))
    assert bench.drills.unfinished() == ()
    record.write_text("{")
    assert bench.drills.unfinished() == ()


async def test_the_word_and_read_only(tmp_path: Path) -> None:
    bench = DrillBench(tmp_path)
    found = await reviewed(bench)
    with pytest.raises(WordMissing):
        await bench.drills.storage(found, "yes", bench.events.append)
    with pytest.raises(ReadOnlyError):
        await DrillBench(tmp_path, read_only=True).drills.storage(found, "zk", bench.events.append)
    assert not (tmp_path / "drills").exists()


def test_a_manifest_has_nothing_of_the_servers() -> None:
    kept = manifest_of(
        {
            "kind": "StatefulSet",
            "metadata": {"name": "zk", "uid": "u", "resourceVersion": "1", "generation": 4, "creationTimestamp": "t"},
            "spec": {"replicas": 3},
            "status": {},
        }
    )
    assert kept == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "zk"},
        "spec": {"replicas": 3},
    }
