"""An ensemble of one member, as `zktui deploy --members 1` makes it: what it lacks is told, and nothing is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.inventories import check_of, ensemble, healthy
from tests.unit.core.facts import report
from zktui.checks.deployed import deployed
from zktui.checks.gather import configured
from zktui.checks.identity import identity
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Result
from zktui.checks.nodes import nodes
from zktui.checks.process import process
from zktui.core.quorum import members_of
from zktui.core.zookeeper import EnsembleConfig, Mode

UNTOLD = Known[EnsembleConfig](None, "a standalone server has no membership")


def alone(mode: Mode = Mode.STANDALONE) -> Inventory:
    pods = healthy().pods[:1]
    reports = {pods[0].uid: report(pods[0].key, mode)}
    config = configured(ensemble(replicas=1), pods, reports, UNTOLD)
    members = members_of(pods, reports, config.value)
    return replace(healthy(), ensemble=ensemble(replicas=1), pods=pods, reports=reports, members=members, config=config)


@pytest.mark.parametrize("mode", [Mode.LOOKING, Mode.SILENT, Mode.UNKNOWN])
def test_only_a_server_that_says_so_stands_alone(mode: Mode) -> None:
    assert alone(mode).config is UNTOLD
    three = {pod.uid: report(pod.key, Mode.STANDALONE) for pod in healthy().pods}
    assert configured(ensemble(), healthy().pods, three, UNTOLD) is UNTOLD


def test_it_is_its_ensemble_s_one_voter() -> None:
    found = check_of(deployed, alone(), "deploy.members")
    assert (found.result, found.evidence[1].text) == (Result.PASS, "1 voter, 1 is a quorum")
    found = check_of(nodes, alone(), "nodes.single-node")
    assert found.result is Result.FAIL
    assert found.evidence[0].text.startswith("without node node-1 (zk-0) 0 of 1 ")
    found = check_of(process, alone(), "process.strategy")
    assert (found.result, found.evidence[-1].text) == (
        Result.WARN,
        "it stands alone: an update is an outage until it is back",
    )


def test_no_configuration_says_its_number() -> None:
    assert check_of(identity, alone(), "identity.myid").evidence[0].text == "myid 1, its ordinal and one"
    assert check_of(identity, alone(), "identity.distinct").evidence[0].text == "1 member, 1 number"
