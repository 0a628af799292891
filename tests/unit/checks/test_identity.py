from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.inventories import DENIED, check_of, ensemble, healthy, ran, results, with_command
from tests.unit.core.facts import config
from zktui.checks.identity import identity
from zktui.checks.inventory import Known
from zktui.checks.model import Result
from zktui.core.zookeeper import EnsembleConfig

CODES = ["identity.hostname", "identity.fqdn", "identity.myid", "identity.distinct"]


def test_a_healthy_ensemble_passes() -> None:
    checks = list(identity(healthy()))
    assert [c.code for c in checks] == CODES
    assert {c.result for c in checks} == {Result.PASS}
    assert all(c.by_hand for c in checks[:3])


@pytest.mark.parametrize("code", CODES)
def test_what_cannot_be_read_is_unknown_with_its_reason(code: str) -> None:
    inventory = healthy()
    for name in ("hostname", "fqdn", "myid"):
        inventory = with_command(inventory, name, DENIED, ("zk-1",))
    found = check_of(identity, inventory, code)
    assert found.result is Result.UNKNOWN
    if code != "identity.distinct":
        assert [e.text for e in found.evidence if e.result is Result.UNKNOWN] == [DENIED.why]


def test_nothing_was_asked() -> None:
    assert {c.result for c in identity(replace(healthy(), inside={}))} == {Result.UNKNOWN}
    assert {c.result for c in identity(replace(healthy(), pods=(), inside={}))} == {Result.UNKNOWN}


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("hostname", "identity.hostname", "zk-2\n"),
        ("fqdn", "identity.fqdn", "zk-1\n"),
        ("fqdn", "identity.fqdn", "zk-1.other.default.svc.cluster.local\n"),
        ("fqdn", "identity.fqdn", "zk-1.zk-hs.prod.svc.cluster.local\n"),
        ("myid", "identity.myid", "7\n"),
        ("myid", "identity.myid", "\n"),
        ("myid", "identity.myid", "two\n"),
    ],
)
def test_another_name_or_number_fails_for_that_member_alone(name: str, code: str, said: str) -> None:
    found = check_of(identity, with_command(healthy(), name, ran(said), ("zk-1",)), code)
    assert results(found) == {"zk-0": Result.PASS, "zk-1": Result.FAIL, "zk-2": Result.PASS}
    assert found.advice


def test_a_missing_myid_fails_where_zoo_cfg_names_its_folder() -> None:
    missing = ran(code=1, err="cat: /var/lib/zookeeper/data/myid: No such file or directory\n")
    inventory = with_command(healthy(), "myid", missing, ("zk-1",))
    assert check_of(identity, inventory, "identity.myid").result is Result.FAIL
    guessed = with_command(inventory, "config", DENIED, ("zk-1",))
    assert check_of(identity, guessed, "identity.myid").result is Result.UNKNOWN


def test_another_cluster_domain_is_fine() -> None:
    inventory = with_command(healthy(), "fqdn", ran("zk-1.zk-hs.default.svc.corp.example\n"), ("zk-1",))
    assert check_of(identity, inventory, "identity.fqdn").result is Result.PASS


def test_no_service_no_name() -> None:
    inventory = replace(healthy(), ensemble=ensemble(service=""))
    assert check_of(identity, inventory, "identity.fqdn").result is Result.FAIL


def test_the_configuration_says_which_myid_is_right() -> None:
    shifted = tuple(replace(s, myid=s.myid + 10) for s in config().servers)
    inventory = replace(healthy(), config=Known(EnsembleConfig(shifted), ""))
    assert check_of(identity, inventory, "identity.myid").result is Result.FAIL
    for n in range(3):
        inventory = with_command(inventory, "myid", ran(f"{n + 11}\n"), (f"zk-{n}",))
    assert check_of(identity, inventory, "identity.myid").result is Result.PASS


def test_without_a_configuration_it_is_the_ordinal_and_one() -> None:
    inventory = replace(healthy(), config=Known(None, "not permitted"))
    found = check_of(identity, inventory, "identity.myid")
    assert found.result is Result.PASS
    assert found.evidence[0].text == "myid 1, its ordinal and one"


def test_two_of_one_number() -> None:
    found = check_of(identity, with_command(healthy(), "myid", ran("1\n"), ("zk-2",)), "identity.distinct")
    assert found.result is Result.FAIL
    assert found.evidence[0].text == "the same myid twice (1: zk-0, zk-2)"
