from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.inventories import check_of, ensemble, healthy, results
from tests.unit.core.facts import config, report
from zktui.checks.deployed import deployed
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Check, Result
from zktui.core.zookeeper import EnsembleConfig, Member, Mode, Server

APP = {"app": "zk"}


def service(name: str, cluster_ip: str, port: int, selector: Mapping[str, str] = APP) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"clusterIP": cluster_ip, "selector": selector, "ports": [{"port": port}]},
    }


def budget(name: str = "zk-pdb", selector: Any = None, **spec: Any) -> dict[str, Any]:
    fields = spec or {"maxUnavailable": 1}
    selector = {"matchLabels": APP} if selector is None else selector
    return {"apiVersion": "policy/v1", "metadata": {"name": name}, "spec": {"selector": selector, **fields}}


HEADLESS, CLIENT = service("zk-hs", "None", 2888), service("zk-cs", "10.96.0.10", 2181)


def well(**changes: Any) -> Inventory:
    inventory = healthy()
    modes = (Mode.LEADER, Mode.FOLLOWER, Mode.FOLLOWER)
    fields: dict[str, Any] = {
        "members": tuple(Member(p, report(p.key, m)) for p, m in zip(inventory.pods, modes, strict=True)),
        "services": Known((HEADLESS, CLIENT), ""),
        "budgets": Known((budget(),), ""),
        "statefulset": Known({"spec": {"podManagementPolicy": "Parallel"}}, ""),
        **changes,
    }
    return replace(inventory, **fields)


def of(inventory: Inventory, name: str) -> Check:
    return check_of(deployed, inventory, f"deploy.{name}")


def test_a_healthy_ensemble_passes() -> None:
    assert {c.code: c.result for c in deployed(well())} == {
        f"deploy.{name}": Result.PASS for name in ("members", "services", "budget", "management")
    }


def test_nothing_is_known_of_what_was_not_read() -> None:
    nothing = Known[Any](None, "not permitted")
    found = list(deployed(well(services=nothing, budgets=nothing, statefulset=nothing, config=nothing)))
    assert {c.result for c in found} == {Result.UNKNOWN}


def test_a_missing_member_fails() -> None:
    inventory = well()
    found = of(replace(inventory, pods=inventory.pods[:2], members=inventory.members[:2]), "members")
    assert found.evidence[0].text == "2 of 3 pods exist"
    assert found.evidence[0].result is Result.FAIL


def test_a_member_that_does_not_serve_fails() -> None:
    inventory = well()
    silent = Member(inventory.pods[1], replace(report(inventory.pods[1].key, Mode.SILENT), error="refused"))
    found = of(replace(inventory, members=(inventory.members[0], silent, inventory.members[2])), "members")
    assert results(found)["zk-1"] is Result.FAIL
    assert "silent: refused" in found.evidence[3].text


def test_a_member_that_there_is_no_way_to_is_not_known() -> None:
    """Whoever may not forward a port is told of nothing; a member's own silence is a failure."""
    inventory = well()
    shut = Member(inventory.pods[1], replace(report(inventory.pods[1].key, Mode.UNKNOWN), error="not permitted"))
    found = of(replace(inventory, members=(inventory.members[0], shut, inventory.members[2])), "members")
    assert results(found)["zk-1"] is Result.UNKNOWN
    assert found.evidence[3].text == "Running, Ready, unknown: not permitted"


def test_a_voter_without_a_pod_is_told() -> None:
    """Scaled down by its replicas alone: two of two pods are there, and one more would be the end of quorum."""
    inventory = well()
    two = replace(
        inventory,
        pods=inventory.pods[:2],
        members=inventory.members[:2],
        ensemble=ensemble(replicas=2),
        config=inventory.config,
    )
    found = of(two, "members")
    assert [(e.result, e.text) for e in found.evidence[:3]] == [
        (Result.PASS, "2 of 2 pods exist"),
        (Result.PASS, "3 voters, 2 are a quorum"),
        (Result.FAIL, "voter 3 (zk-2) has no pod: the quorum is counted with it all the same"),
    ]
    assert of(two, "budget").evidence[0].text.endswith("1 of 2 may be away, and the rest is no quorum")
    elsewhere = EnsembleConfig((*config(3).servers, Server(4, "zk.elsewhere")))
    assert of(well(config=Known(elsewhere, "")), "members").result is Result.UNKNOWN


def test_a_budget_is_held_against_the_voters() -> None:
    """Scaled up by its replicas alone: two more pods, and no more votes."""
    inventory = well(budgets=Known((budget(maxUnavailable=2),), ""))
    found = of(replace(inventory, ensemble=ensemble(replicas=5)), "budget")
    assert found.result is Result.FAIL
    assert found.evidence[0].text.endswith("2 of 3 may be away, and the rest is no quorum")


def test_an_even_number_of_voters_is_warned_of() -> None:
    found = of(well(config=Known(config(4), "")), "members")
    assert found.evidence[1].text == "4 voters, 3 are a quorum, as with one fewer"
    assert found.evidence[1].result is Result.WARN


@pytest.mark.parametrize(
    ("services", "result"),
    [
        ((HEADLESS, CLIENT), Result.PASS),
        ((HEADLESS,), Result.WARN),
        ((CLIENT,), Result.FAIL),
        ((service("zk-hs", "10.96.0.11", 2888), CLIENT), Result.FAIL),
        ((service("zk-hs", "None", 2888, {"app": "other"}), CLIENT), Result.FAIL),
    ],
)
def test_services(services: tuple[Any, ...], result: Result) -> None:
    assert of(well(services=Known(services, "")), "services").result is result


@pytest.mark.parametrize(
    ("budgets", "result", "words"),
    [
        ((budget(),), Result.PASS, "maxUnavailable 1"),
        ((budget(minAvailable=2),), Result.PASS, "minAvailable 2"),
        ((budget(minAvailable="60%"),), Result.PASS, "minAvailable 60%"),
        ((budget(maxUnavailable=2),), Result.FAIL, "no quorum"),
        ((budget(minAvailable=1),), Result.FAIL, "no quorum"),
        ((budget(maxUnavailable=0),), Result.WARN, "no member may ever go"),
        ((budget(minAvailable=3),), Result.WARN, "no member may ever go"),
        ((), Result.FAIL, "no budget covers them"),
        ((budget("a"), budget("b")), Result.FAIL, "the server refuses every eviction"),
        ((budget(selector={"matchLabels": {"app": "other"}}),), Result.FAIL, "no budget"),
        (
            (budget(selector={"matchExpressions": [{"key": "app", "operator": "In", "values": ["zk"]}]}),),
            Result.PASS,
            "zk-pdb",
        ),
    ],
)
def test_budgets(budgets: tuple[Any, ...], result: Result, words: str) -> None:
    found = of(well(budgets=Known(budgets, "")), "budget")
    assert found.result is result
    assert words in found.evidence[0].text


def test_a_missing_budget_is_made_by_this_line() -> None:
    found = of(well(budgets=Known((), "")), "budget")
    assert found.patch == ("kubectl -n default create pdb zk-pdb --max-unavailable=1 --selector='app=zk'",)


def test_ordered_start_is_warned_of() -> None:
    assert of(well(statefulset=Known({"spec": {}}, "")), "management").result is Result.WARN
