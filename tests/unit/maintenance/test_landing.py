"""Which nodes can take a pod: each rule of the scheduler, and that what is unknown is no."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zktui.core.kube import (
    HOSTNAME_TOPOLOGY,
    AffinityTerm,
    Claim,
    Node,
    Owner,
    Pod,
    PodSpec,
    SpreadConstraint,
    Taint,
    Toleration,
    Volume,
)
from zktui.core.labels import Requirement, Selector
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.landing import landing, openings, terrain_of

ZK = {"app": "zk"}
SELECTOR = Selector.of_labels(ZK)
ZONE = "topology.kubernetes.io/zone"
HOST = AffinityTerm(HOSTNAME_TOPOLOGY, SELECTOR)


def node(name: str, zone: str = "a", **fields: object) -> Node:
    labels = {HOSTNAME_TOPOLOGY: name, ZONE: zone, "disk": "ssd" if name != "b" else "hdd"}
    base = Node(name, f"uid-{name}", ready=True, labels=labels, cpu=1000, memory=1000, pod_limit=3)
    return replace(base, **fields)  # pyright: ignore[reportArgumentType] - fields of a Node, checked by replace


def pod(name: str, on: str, spec: PodSpec | None = None, labels: dict[str, str] | None = None) -> Pod:
    owner = Owner("StatefulSet", "zk", "sts")
    return Pod(
        "default",
        name,
        f"uid-{name}",
        node=on,
        phase="Running",
        labels=labels or ZK,
        owner=owner,
        spec=spec or PodSpec(),
    )


def facts(nodes: list[Node], pods: list[Pod]) -> Facts:
    return Facts(
        0,
        0,
        nodes=Reading(0, tuple(nodes), ""),
        on_node={n.name: Reading(0, tuple(p for p in pods if p.node == n.name), "") for n in nodes},
        claims={"default": Reading(0, (Claim("default", "data-zk-0", "c", volume="pv-0"),), "")},
        volumes=Reading(0, (Volume("pv-0", "v", ((Requirement(HOSTNAME_TOPOLOGY, "In", ("a",)),),)),), ""),
    )


def fits(spec: PodSpec, nodes: list[Node], *others: Pod) -> tuple[str, ...]:
    me = pod("zk-0", "a", spec)
    return landing(me, terrain_of(facts(nodes, [me, *others]), drained="a")).nodes


@pytest.mark.parametrize(
    ("other", "spec", "ok"),
    [
        (node("b"), PodSpec(), True),
        (node("b", ready=False), PodSpec(), False),
        (node("b", ready=None), PodSpec(), False),
        (node("b", unschedulable=True), PodSpec(), False),
        (node("b", taints=(Taint("x", "NoSchedule"),)), PodSpec(), False),
        (node("b", taints=(Taint("x", "PreferNoSchedule"),)), PodSpec(), True),
        (node("b", taints=(Taint("x", "NoExecute"),)), PodSpec(tolerations=(Toleration("x", "Exists"),)), True),
        (node("b"), PodSpec(node_selector={"disk": "ssd"}), False),
        (node("b"), PodSpec(node_affinity=((Requirement("disk", "In", ("hdd",)),),)), True),
        (node("b"), PodSpec(node_affinity=((Requirement("disk", "NotIn", ("hdd",)),),)), False),
        (node("b"), PodSpec(node_affinity=((),)), False),
        (node("b"), PodSpec(cpu=1000, memory=1000), True),
        (node("b"), PodSpec(cpu=1001), False),
        (node("b"), PodSpec(memory=1001), False),
        (node("b", pod_limit=0), PodSpec(), True),
        (node("b"), PodSpec(claims=("data-zk-0",)), False),
        (node("b"), PodSpec(claims=("never-seen",)), False),
    ],
)
def test_one_rule_at_a_time(other: Node, spec: PodSpec, ok: bool) -> None:
    assert (fits(spec, [node("a"), other]) == ("b",)) is ok


def test_anti_affinity_counts_both_ways_and_by_any_topology() -> None:
    nodes = [node("a"), node("b"), node("c", zone="c")]
    lonely = PodSpec(anti_affinity=(HOST,))
    assert fits(lonely, nodes, pod("zk-1", "b")) == ("c",)
    assert fits(PodSpec(), nodes, pod("zk-1", "b", lonely)) == ("c",), "the other's rule keeps it away"
    by_zone = PodSpec(anti_affinity=(AffinityTerm(ZONE, SELECTOR),))
    assert fits(by_zone, [*nodes, node("d")], pod("zk-1", "d")) == ("c",), "b shares d's zone"
    elsewhere = replace(HOST, namespaces=("other",))
    assert fits(PodSpec(anti_affinity=(elsewhere,)), nodes, pod("zk-1", "b")) == ("b", "c")
    assert fits(PodSpec(anti_affinity=(replace(HOST, selector=None),)), nodes, pod("zk-1", "b")) == ("b", "c")


def test_required_affinity() -> None:
    nodes = [node("a"), node("b"), node("c")]
    beside = PodSpec(affinity=(AffinityTerm(HOSTNAME_TOPOLOGY, Selector.of_labels({"app": "web"})),))
    assert fits(beside, nodes, pod("web", "c", labels={"app": "web"})) == ("c",)
    itself = PodSpec(affinity=(HOST,))
    assert fits(itself, nodes) == ("b", "c"), "the first of its group may go anywhere"


def test_a_cordoned_node_is_still_a_domain_to_spread_over() -> None:
    spread = PodSpec(spread=(SpreadConstraint(1, HOSTNAME_TOPOLOGY, SELECTOR),))
    nodes = [node("a", unschedulable=True), node("b"), node("c")]
    assert fits(spread, nodes, pod("zk-1", "b"), pod("zk-2", "c")) == (), "two on one while the drained one is empty"
    assert fits(spread, nodes) == ("b", "c")


def test_room_that_was_not_looked_at_is_no_room() -> None:
    me = pod("zk-0", "a")
    seen = facts([node("a"), node("b")], [me])
    seen = replace(seen, on_node={"a": seen.on_node["a"]})
    found = landing(me, terrain_of(seen, drained="a"))
    assert found.waits and ("b", "its pods were not looked at") in found.why


def test_a_full_node_is_named_with_its_figures() -> None:
    me = pod("zk-0", "a", PodSpec(cpu=600))
    found = landing(me, terrain_of(facts([node("a"), node("b")], [me, pod("w", "b", PodSpec(cpu=500))]), drained="a"))
    assert ("b", "CPU: 600m asked, 500m free") in found.why
    crowd = [pod(f"w{n}", "b") for n in range(3)]
    found = landing(pod("zk-0", "a"), terrain_of(facts([node("a"), node("b")], crowd), drained="a"))
    assert ("b", "it has its 3 pods") in found.why


def test_a_volume_tied_to_the_drained_node_is_told_as_such() -> None:
    me = pod("zk-0", "a", PodSpec(claims=("data-zk-0",)))
    found = landing(me, terrain_of(facts([node("a"), node("b")], [me]), drained="a"))
    assert found.tied and found.waits


def test_openings_are_the_cordons_whose_end_would_help() -> None:
    waiting = replace(pod("zk-0", "", PodSpec(anti_affinity=(HOST,))), phase="Pending")
    taken = pod("zk-1", "c")
    nodes = [node("a", unschedulable=True), node("b", ready=False, unschedulable=True), node("c", unschedulable=True)]
    assert openings(waiting, facts(nodes, [taken])) == ("a",)
