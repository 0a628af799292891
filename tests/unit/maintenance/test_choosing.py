"""Nodes by label, and nodes by the ensemble that they carry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.maintenance.fakes import Bench, bench
from zktui.maintenance.refusals import NoNodes


async def nodes_for(table: Bench, selector: str = "", *, ensemble_nodes: bool = False) -> tuple[str, ...]:
    return await table.finish(table.desk.nodes_for(selector, ensemble_nodes=ensemble_nodes))


async def test_nodes_are_found_by_label_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    table = bench(tmp_path, spare=8)
    found = await nodes_for(table, "kubernetes.io/hostname in (node-10,node-2)")
    assert found == ("node-2", "node-10")


async def test_every_node_that_carries_a_member_is_found(tmp_path: Path) -> None:
    assert await nodes_for(bench(tmp_path), ensemble_nodes=True) == ("node-1", "node-2", "node-3")


async def test_both_are_joined(tmp_path: Path) -> None:
    found = await nodes_for(bench(tmp_path), "kubernetes.io/hostname=node-4", ensemble_nodes=True)
    assert found == ("node-1", "node-2", "node-3", "node-4")


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
