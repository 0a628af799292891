"""Nodes by label, and nodes by the ensemble that they carry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import Bench, bench
from zktui.core.kube import Taint
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.refusals import NoNodes


async def nodes_for(table: Bench, selector: str = "", *, ensemble_nodes: bool = False) -> tuple[str, ...]:
    return await table.finish(table.desk.nodes_for(selector, ensemble_nodes=ensemble_nodes))


async def test_nodes_are_found_by_label_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    table = bench(tmp_path, spare=8)
    found = await nodes_for(table, "kubernetes.io/hostname in (node-10,node-2)")
    assert found == ("node-2", "node-10")


@pytest.mark.parametrize("spare", [0, 2, 8])
async def test_every_node_that_carries_a_member_is_found_and_none_that_only_could(tmp_path: Path, spare: int) -> None:
    assert await nodes_for(bench(tmp_path, spare=spare), ensemble_nodes=True) == ("node-1", "node-2", "node-3")


async def test_an_empty_node_that_has_to_take_a_member_is_among_them(tmp_path: Path) -> None:
    """Else a member would be left on the one node that was not maintained."""
    assert await nodes_for(bench(tmp_path), ensemble_nodes=True) == ("node-1", "node-2", "node-3", "node-4")


@pytest.mark.parametrize("which", ["cordoned", "not ready", "of another pool"])
async def test_an_empty_node_that_can_take_no_member_is_not_among_them(tmp_path: Path, which: str) -> None:
    table = bench(tmp_path)
    node = table.world.nodes["node-4"]
    match which:
        case "cordoned":
            node.unschedulable = True
        case "not ready":
            node.ready = False
        case _:
            node.taints = (Taint("example.com/pool", "NoSchedule"),)
    assert await nodes_for(table, ensemble_nodes=True) == ("node-1", "node-2", "node-3")


async def test_both_are_joined(tmp_path: Path) -> None:
    found = await nodes_for(bench(tmp_path, spare=2), "kubernetes.io/hostname=node-5", ensemble_nodes=True)
    assert found == ("node-1", "node-2", "node-3", "node-5")


@pytest.mark.parametrize(
    ("selector", "why"), [("a=b=c", "not a label selector"), ("zone=moon", "No node has the labels zone=moon")]
)
async def test_none_is_an_error_that_says_why(tmp_path: Path, selector: str, why: str) -> None:
    with pytest.raises(NoNodes, match=why):
        await nodes_for(bench(tmp_path), selector)


async def test_an_ensemble_without_pods_carries_no_node(tmp_path: Path) -> None:
    table = bench(tmp_path)
    for pod in list(table.world.members()):
        table.world.forget(pod)
    with pytest.raises(NoNodes, match="No node carries a member"):
        await nodes_for(table, ensemble_nodes=True)


async def test_the_nodes_of_one_ensemble_are_found_where_it_is_named(tmp_path: Path) -> None:
    table = bench(tmp_path)
    named = await table.finish(table.desk.nodes_for(ensemble_nodes=True, ensemble=table.world.ensemble().key))
    assert named == ("node-1", "node-2", "node-3", "node-4")
    with pytest.raises(NoNodes, match="No node carries a member"):
        await table.finish(table.desk.nodes_for(ensemble_nodes=True, ensemble=EnsembleKey("other", "zk", "")))
