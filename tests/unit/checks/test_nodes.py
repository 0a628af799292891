from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.inventories import check_of, ensemble, healthy, node, results
from tests.unit.core.facts import config, statefulset
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Check, Result
from zktui.checks.nodes import nodes
from zktui.core.kube import AffinityTerm, PodSpec, SpreadConstraint, Toleration
from zktui.core.labels import Selector
from zktui.core.zookeeper import EnsembleConfig, Member, MemberReport, Mode, Server

HOST = "kubernetes.io/hostname"
OWN = Selector.of_labels({"app": "zk"})
OTHER = Selector.of_labels({"app.kubernetes.io/name": "zk"})


def of(inventory: Inventory, name: str) -> Check:
    return check_of(nodes, inventory, f"nodes.{name}")


def placed(*places: str) -> Inventory:
    inventory = healthy()
    return replace(inventory, pods=tuple(replace(p, node=n) for p, n in zip(inventory.pods, places, strict=True)))


def with_nodes(*found: Any) -> Inventory:
    return replace(healthy(), nodes=Known(found, ""))


def template(document: object = None, **spec: Any) -> Inventory:
    """The healthy ensemble under another template; the StatefulSet's document is not known unless it is given."""
    known = Known[Any](None, "not permitted") if document is None else Known[Any](document, "")
    return replace(healthy(), ensemble=ensemble(template=PodSpec(**spec)), statefulset=known)


def test_a_healthy_ensemble_passes() -> None:
    checks = list(nodes(healthy()))
    assert [c.code.partition(".")[2] for c in checks] == [
        "placement",
        "single-node",
        "single-zone",
        "anti-affinity",
        "spare",
    ]
    assert {c.result for c in checks} == {Result.PASS}
    assert checks[0].evidence[0].text == "node-1, zone zone-1"
    assert checks[1].evidence[0].text == "without node node-1 (zk-0) 2 of 3 voters are left, 2 are enough"
    assert not any(c.patch for c in checks)


def test_what_is_not_known() -> None:
    unread = Known[Any](None, "not permitted: nodes is forbidden")
    blind = replace(placed("", "", ""), nodes=unread, config=Known(None, "nobody told it"))
    found = {c.code: c.result for c in nodes(blind) if c.code != "nodes.anti-affinity"}
    assert set(found.values()) == {Result.UNKNOWN}
    assert template(containers=()).ensemble.statefulset.template.anti_affinity == ()
    assert of(template(containers=()), "anti-affinity").result is Result.UNKNOWN


def test_two_of_three_on_one_node() -> None:
    inventory = placed("node-1", "node-1", "node-2")
    assert results(of(inventory, "placement")) == {"zk-0": Result.WARN, "zk-1": Result.WARN, "zk-2": Result.PASS}
    found = of(inventory, "single-node")
    assert [e.result for e in found.evidence] == [Result.FAIL, Result.PASS]
    assert found.evidence[0].text == ("without node node-1 (zk-0, zk-1) 1 of 3 voters are left; 2 are needed")


@pytest.mark.parametrize(
    ("mode", "result", "words"),
    [
        (Mode.LOOKING, Result.FAIL, "1 of 3 voters are left, since zk-2 does not serve now; 2 are needed"),
        (Mode.SILENT, Result.UNKNOWN, "since zk-2 does not serve now, as far as they can be heard; 2 are needed"),
        (Mode.UNKNOWN, Result.UNKNOWN, "since zk-2 does not serve now, as far as they can be heard; 2 are needed"),
        (Mode.FOLLOWER, Result.PASS, "2 of 3 voters are left, 2 are enough"),
    ],
)
def test_a_voter_that_does_not_serve_is_no_one_to_count_on(mode: Mode, result: Result, words: str) -> None:
    base = healthy()
    modes = (Mode.LEADER, Mode.FOLLOWER, mode)
    members = tuple(Member(p, MemberReport(p.key, 0.0, m)) for p, m in zip(base.pods, modes, strict=True))
    found = of(replace(base, members=members), "single-node")
    assert [e.result for e in found.evidence] == [result, result, Result.PASS]
    assert words in found.evidence[0].text
    assert "(zk-2) 2 of 3 voters are left, 2 are enough" in found.evidence[2].text


def test_two_of_five_on_one_node_are_no_fault() -> None:
    base = healthy()
    more = [replace(base.pods[0], name=f"zk-{n}", uid=f"uid-zk-{n}", node=f"node-{n}") for n in (3, 4)]
    pods = (*placed("node-1", "node-1", "node-2").pods, *more)
    inventory = replace(base, pods=pods, config=Known(config(5), ""))
    assert of(inventory, "single-node").result is Result.PASS
    assert of(inventory, "placement").result is Result.WARN


def test_an_observer_is_no_voter() -> None:
    base = placed("node-1", "node-2", "node-3")
    observer = replace(base.pods[0], name="zk-3", uid="uid-zk-3", node="node-1")
    inventory = replace(base, pods=(*base.pods, observer), config=Known(config(3, observers=1), ""))
    assert of(inventory, "single-node").result is Result.PASS


def test_a_voter_on_no_node_and_one_that_is_no_pod() -> None:
    assert of(placed("node-1", "node-2", ""), "single-node").result is Result.UNKNOWN
    # Of another name than the StatefulSet gives: a server elsewhere, of which nobody tells.
    other = EnsembleConfig((*config(3).servers, Server(4, "zk.elsewhere"), Server(5, "10.9.9.9")))
    found = of(replace(healthy(), config=Known(other, "")), "single-node")
    assert [(e.result, e.text) for e in found.evidence][:2] == [
        (Result.UNKNOWN, "no pods of this set: zk.elsewhere, 10.9.9.9"),
        (
            Result.UNKNOWN,
            "without node node-1 (zk-0) 2 of 5 voters are left, since zk.elsewhere, 10.9.9.9 do not serve now, as far "
            "as they can be heard; 3 are needed",
        ),
    ]


def test_a_voter_that_was_scaled_away_is_not_counted_on() -> None:
    inventory = replace(healthy(), config=Known(config(5), ""))
    found = of(inventory, "single-node")
    assert {e.result for e in found.evidence} == {Result.FAIL}
    assert found.evidence[0].text == (
        "without node node-1 (zk-0) 2 of 5 voters are left, since zk-3, zk-4 do not serve now; 3 are needed"
    )


def test_weights_are_not_judged() -> None:
    weighted = EnsembleConfig(tuple(replace(s, weight=s.myid) for s in config().servers))
    assert of(replace(healthy(), config=Known(weighted, "")), "single-node").result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("places", "result"),
    [
        (("a", "b", "c"), Result.PASS),
        (("a", "a", "b"), Result.WARN),
        (("a", "a", "a"), Result.WARN),
        (("", "", ""), Result.WARN),
        (("a", "b", ""), Result.UNKNOWN),
    ],
)
def test_zones(places: tuple[str, ...], result: Result) -> None:
    found = with_nodes(*(node(f"node-{n + 1}", zone=zone) for n, zone in enumerate(places)))
    assert of(found, "single-zone").result is result


def test_zones_by_their_old_label() -> None:
    label = "failure-domain.beta.kubernetes.io/zone"
    found = [{**node(f"node-{n}"), "metadata": {"name": f"node-{n}", "labels": {label: str(n)}}} for n in (1, 2, 3)]
    assert of(with_nodes(*found), "single-zone").result is Result.PASS


@pytest.mark.parametrize(
    ("terms", "result", "words"),
    [
        ([AffinityTerm(HOST, OWN)], Result.PASS, "no two members on one node"),
        ([AffinityTerm("topology.kubernetes.io/zone", OWN)], Result.PASS, "no two members of one topology"),
        # The published copy of the tutorial: labelled app.kubernetes.io/name, selected by app.
        (
            [AffinityTerm(HOST, OTHER)],
            Result.FAIL,
            "it selects app.kubernetes.io/name=zk, and the members' labels are app=zk",
        ),
        ([AffinityTerm(HOST, None)], Result.FAIL, "it selects nothing"),
        ([AffinityTerm(HOST, OTHER), AffinityTerm(HOST, OWN)], Result.PASS, "no two members on one node"),
        ([AffinityTerm(HOST, OWN, namespaces=("web",))], Result.WARN, "no rule"),
        ([AffinityTerm(HOST, OWN, every_namespace=True)], Result.PASS, "no two members on one node"),
    ],
)
def test_what_a_required_rule_guarantees(terms: list[AffinityTerm], result: Result, words: str) -> None:
    found = of(template(document={}, anti_affinity=tuple(terms)), "anti-affinity")
    assert found.result is result
    assert words in found.evidence[0].text
    assert bool(found.patch) is (result is not Result.PASS)


def test_a_rule_by_a_label_that_nodes_lack_keeps_nothing_apart_there() -> None:
    zone = "topology.kubernetes.io/zone"
    inventory = template(document={}, anti_affinity=(AffinityTerm(zone, OWN),))
    found = of(replace(inventory, nodes=Known((node("node-1", zone="a"), node("node-2")), "")), "anti-affinity")
    assert found.result is Result.WARN
    assert found.evidence[0].text.endswith("on nodes without that label: node-2")
    blind = replace(inventory, nodes=Known[Any](None, "not permitted"))
    assert of(blind, "anti-affinity").result is Result.UNKNOWN


def test_the_patch_selects_the_pods_own_labels() -> None:
    (line,) = of(template(document={}), "anti-affinity").patch
    command, _, patch = line.partition(" -p ")
    assert command == "kubectl -n default patch statefulset zk"
    affinity = json.loads(patch.strip("'"))["spec"]["template"]["spec"]["affinity"]
    (term,) = affinity["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert Selector.of_labels(term["labelSelector"]["matchLabels"]).matches(statefulset().template_labels)
    assert term["topologyKey"] == HOST


def test_a_preferred_rule_guarantees_nothing() -> None:
    rules = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}
    document = {"spec": {"template": {"spec": {"affinity": rules}}}}
    found = of(template(document=document), "anti-affinity")
    assert found.result is Result.WARN
    assert "only preferred" in found.evidence[0].text


@pytest.mark.parametrize(("skew", "result"), [(1, Result.PASS), (2, Result.WARN)])
def test_a_spread_constraint(skew: int, result: Result) -> None:
    found = of(template(document={}, spread=(SpreadConstraint(skew, HOST, OWN),)), "anti-affinity")
    assert found.result is result
    assert of(template(document={}, spread=(SpreadConstraint(1, HOST, OTHER),)), "anti-affinity").result is Result.WARN


@pytest.mark.parametrize(
    ("fourth", "result"),
    [
        (node("node-4"), Result.PASS),
        (node("node-4", ready=False), Result.WARN),
        (node("node-4", unschedulable=True), Result.WARN),
        (node("node-4", taints=[{"key": "control-plane", "effect": "NoSchedule"}]), Result.WARN),
        (node("node-4", taints=[{"key": "slow", "effect": "PreferNoSchedule"}]), Result.PASS),
        (node("node-3"), Result.WARN),
    ],
)
def test_a_node_to_go_to(fourth: Any, result: Result) -> None:
    three = [node(f"node-{n + 1}") for n in range(3)]
    assert of(with_nodes(*three, fourth), "spare").result is result


def test_a_taint_that_the_members_tolerate() -> None:
    tainted = node("node-4", taints=[{"key": "zk", "value": "only", "effect": "NoSchedule"}])
    inventory = template(document={}, tolerations=(Toleration("zk", "Equal", "only", "NoSchedule"),))
    assert of(replace(inventory, nodes=Known((tainted,), "")), "spare").result is Result.PASS
