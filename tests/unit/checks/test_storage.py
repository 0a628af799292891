from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.inventories import (
    DENIED,
    DF,
    NAMES,
    ZOO_CFG,
    check_of,
    claim,
    healthy,
    ran,
    results,
    volume,
    with_command,
)
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Check, Result
from zktui.checks.storage import claim_under, storage

UNREAD = Known[Any](None, "not permitted")
ONE_FAILS = {"zk-0": Result.PASS, "zk-1": Result.FAIL, "zk-2": Result.PASS}


def one(result: Result) -> dict[str, Result]:
    return {**ONE_FAILS, "zk-1": result}


def of(inventory: Inventory, name: str) -> Check:
    return check_of(storage, inventory, f"storage.{name}")


def with_spec(**spec: Any) -> Inventory:
    inventory = healthy()
    pods = (replace(p, spec=replace(p.spec, **spec)) if p.name == "zk-1" else p for p in inventory.pods)
    return replace(inventory, pods=tuple(pods))


def test_a_healthy_ensemble_passes() -> None:
    checks = list(storage(healthy()))
    assert [c.code.partition(".")[2] for c in checks] == ["claims", "kept", "movable", "room", "autopurge", "files"]
    assert {c.result for c in checks} == {Result.PASS}
    assert checks[0].evidence[0].text == "datadir-zk-0: Bound 10Gi ReadWriteOnce standard pv-zk-0"


def test_nothing_was_read() -> None:
    blind = replace(healthy(), inside={}, statefulset=UNREAD, claims=UNREAD, volumes=UNREAD)
    assert {c.result for c in storage(blind)} == {Result.UNKNOWN}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/lib/zookeeper", "datadir-zk-1"),
        ("/var/lib/zookeeper/data/log", "datadir-zk-1"),
        ("/var/lib/zookeeper-old", ""),
        ("/var/lib", ""),
        ("/opt/scripts/x", ""),
    ],
)
def test_which_claim_a_folder_is_on(path: str, name: str) -> None:
    assert claim_under(healthy().pods[1], path) == name


def test_the_deepest_mount_counts() -> None:
    mounts = (("datadir", "/var/lib/zookeeper"), ("scratch", "/var/lib/zookeeper/data/log"))
    inventory = with_spec(mounts=mounts)
    assert claim_under(inventory.pods[1], "/var/lib/zookeeper/data/log") == ""
    found = of(inventory, "claims")
    assert results(found) == ONE_FAILS
    assert found.evidence[1].text == "/var/lib/zookeeper/data/log on no claim: gone with the pod"


def test_a_mount_at_the_root() -> None:
    inventory = with_spec(mounts=(("datadir", "/"),))
    assert claim_under(inventory.pods[1], "/data") == "datadir-zk-1"


@pytest.mark.parametrize(
    ("claims", "result"),
    [
        ((claim("zk-0"), claim("zk-1", "Pending"), claim("zk-2")), Result.FAIL),
        ((claim("zk-0"), claim("zk-1", "Lost"), claim("zk-2")), Result.FAIL),
        ((claim("zk-0"), claim("zk-2")), Result.FAIL),
    ],
)
def test_a_claim_that_is_not_there(claims: Any, result: Result) -> None:
    assert results(of(replace(healthy(), claims=Known(claims, "")), "claims")) == one(result)


@pytest.mark.parametrize("when", ["whenDeleted", "whenScaled"])
def test_claims_that_go_with_the_statefulset(when: str) -> None:
    document = {"spec": {"persistentVolumeClaimRetentionPolicy": {when: "Delete"}}}
    found = of(replace(healthy(), statefulset=Known(document, "")), "kept")
    assert found.result is Result.WARN
    assert found.patch[0].startswith("kubectl -n default patch statefulset zk -p '{")


def test_what_becomes_of_a_volume() -> None:
    volumes = (volume("zk-0"), volume("zk-1", reclaim="Retain"))
    found = of(replace(healthy(), volumes=Known(volumes, "")), "kept")
    assert [e.text for e in found.evidence[1:3]] == [
        "pv-zk-0 is deleted with its claim",
        "pv-zk-1 outlives its claim (Retain)",
    ]
    assert found.evidence[3].result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("volumes", "result"),
    [
        ((volume("zk-0"), volume("zk-1", "node-2"), volume("zk-2")), Result.WARN),
        ((volume("zk-0"), volume("zk-1", "node-2", "node-3"), volume("zk-2")), Result.PASS),
        ((volume("zk-0"), volume("zk-2")), Result.UNKNOWN),
    ],
)
def test_a_local_volume_stays_where_it_is(volumes: Any, result: Result) -> None:
    assert results(of(replace(healthy(), volumes=Known(volumes, "")), "movable")) == one(result)


def test_what_a_volume_is_tied_to() -> None:
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}
    tied = {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}
    one_ = {**volume("zk-1"), "spec": {**volume("zk-1")["spec"], "nodeAffinity": tied}}
    found = of(replace(healthy(), volumes=Known((volume("zk-0"), one_, volume("zk-2")), "")), "movable")
    assert [e.text for e in found.evidence] == [
        "its volume is tied to no node",
        "its volume is for nodes with topology.kubernetes.io/zone in a",
        "its volume is tied to no node",
    ]


@pytest.mark.parametrize("name", ["kept", "movable"])
def test_data_on_no_claim_is_not_kept(name: str) -> None:
    """An emptyDir: the StatefulSet's policy for claims is of no use to it."""
    found = of(with_spec(mounts=()), name)
    assert results(found)["zk-1"] is Result.FAIL
    assert next(e for e in found.evidence if e.member == "zk-1").text == (
        "/var/lib/zookeeper/data is on no claim: gone with the pod"
    )
    unread = of(replace(healthy(), claims=UNREAD), name)
    assert {e.result for e in unread.evidence if e.member} == {Result.UNKNOWN}


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (ran(DF.replace("46%", "79%")), Result.PASS),
        (ran(DF.replace("46%", "80%")), Result.WARN),
        (ran(DF.replace("46%", "90%")), Result.FAIL),
        (ran(DF.replace("46%", "100%")), Result.FAIL),
        (ran("nonsense\n"), Result.UNKNOWN),
        (ran(""), Result.UNKNOWN),
        (DENIED, Result.UNKNOWN),
    ],
)
def test_room(said: Any, result: Result) -> None:
    found = of(with_command(healthy(), "log-room", said, ("zk-1",)), "room")
    assert results(found) == one(result)


def test_the_tutorials_own_spelling_purges_nothing() -> None:
    spoiled = ZOO_CFG.replace("autopurge.purgeInterval", "autopurge.purgeInteval")
    found = of(with_command(healthy(), "config", ran(spoiled), ("zk-1",)), "autopurge")
    assert results(found) == ONE_FAILS
    assert found.evidence[0].text == "every 12 h, all but 3 snapshots"
    assert "autopurge.purgeInteval=12 is misspelt for autopurge.purgeInterval" in found.evidence[1].text


@pytest.mark.parametrize("line", ["", "autopurge.purgeInterval=0\n", "autopurge.purgeInterval=often\n"])
def test_nothing_purges(line: str) -> None:
    spoiled = ZOO_CFG.replace("autopurge.purgeInterval=12\n", line)
    found = of(with_command(healthy(), "config", ran(spoiled), ("zk-1",)), "autopurge")
    assert results(found) == one(Result.WARN)


def test_files() -> None:
    found = of(healthy(), "files")
    assert found.evidence[0].text == "1 snapshot (1 KiB), 1 log (64 MiB)"
    nothing = with_command(healthy(), "transactions", ran("total 0\n"), ("zk-1",))
    assert results(of(nothing, "files")) == one(Result.WARN)
    unread = with_command(healthy(), "snapshots", DENIED, ("zk-1",))
    assert results(of(unread, "files")) == one(Result.UNKNOWN)


def test_every_member_is_looked_at() -> None:
    assert all(set(results(c)) - {""} == set(NAMES) for c in storage(healthy()))
