"""The plan: its order, what it simulates, and every reason to refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.maintenance.plans import ALL, DRAIN, Edit, budgets, codes, planned, pods, same, world
from tests.unit.maintenance.world import APART, EPOCH, NAMESPACE, SPEC, World
from zktui.core.kube import AffinityTerm, Container, Lease, Owner, PodSpec
from zktui.core.labels import Requirement, Selector
from zktui.core.zookeeper import EnsembleConfig, MemberDetail, Mode
from zktui.maintenance.facts import Facts, OwnerKey, Reading
from zktui.maintenance.model import Hold, HoldKind, Level, Options, Verdict


def test_empty_nodes_first_the_leaders_last_and_members_move_once() -> None:
    found = planned(world(), ALL)
    assert [n.name for n in found.nodes] == ["node-4", "node-2", "node-3", "node-1"]
    assert (found.go, found.evictions, found.elections) == (True, 3, 1)
    landings = [m.landing.nodes for n in found.nodes for m in n.members]
    assert landings == [("node-4",), ("node-2",), ("node-3",)]
    assert [m.allowed_before for n in found.nodes for m in n.members] == [1, 1, 1]
    assert any("node-4 first" in reason for reason in found.reasons)


def test_members_that_may_land_where_they_must_go_again_are_told() -> None:
    loose = PodSpec(containers=SPEC.containers)
    table = world(spare=0)
    careless = replace(DRAIN, cordon_ahead=False)
    found = planned(table, ("node-1", "node-2"), careless, pods(table, lambda p: replace(p, spec=loose)))
    assert "may-move-twice" in codes(found, Level.WARN), "node-3 is free too, but the scheduler may choose node-1"
    found = planned(table, ("node-1", "node-2", "node-3"), edit=pods(table, lambda p: replace(p, spec=loose)))
    assert "moves-twice" in codes(found, Level.WARN) and found.evictions > 3


def test_nowhere_to_land_is_a_warning_that_names_the_way_back() -> None:
    found = planned(world(spare=0), ("node-1",))
    member = found.nodes[0].members[0]
    assert found.go and member.landing.waits
    assert any(f.code == "no-landing" and "until node-1 is uncordoned" in f.text for f in member.findings)


def test_two_on_one_node_with_nowhere_to_go_can_not_be_drained() -> None:
    table = world(spare=0)
    both = {"zk-1": "node-1"}
    moved = pods(table, lambda p: replace(p, node=both.get(p.name, p.node)))

    def edit(facts: Facts) -> Facts:
        facts = moved(facts)
        everyone = [p for listed in facts.on_node.values() for p in listed.value or ()]
        by_node = {n: Reading(0, tuple(p for p in everyone if p.node == n), "") for n in facts.on_node}
        nodes = tuple(replace(n, unschedulable=n.name == "node-2") for n in facts.nodes.value or ())
        return replace(facts, on_node=by_node, nodes=Reading(0, nodes, ""))

    found = planned(table, ("node-1",), edit=edit)
    (stop,) = (f for f in found.stops if f.code == "two-waiting")
    assert stop.text == "zk-1 and zk-0 are both on node-1 and have nowhere to go: it cannot be drained"


@pytest.mark.parametrize(
    ("code", "names", "options"),
    [
        ("node-not-found", ("node-9",), DRAIN),
        ("no-node", (), DRAIN),
        ("not-ready", ("node-4",), DRAIN),
        ("daemonset", ("node-1",), Options()),
        ("selector", ("node-1",), replace(DRAIN, pod_selector="a=b=c")),
    ],
)
def test_refusals_of_the_node(code: str, names: tuple[str, ...], options: Options) -> None:
    table = world()
    table.nodes["node-4"].ready = False
    assert code in {f.code for f in planned(table, names, options).stops}


def _mode(name: str, mode: Mode) -> Callable[[World], Edit]:
    def build(table: World) -> Edit:
        uid = next(p.uid for p in table.members() if p.name == name)

        def edit(facts: Facts) -> Facts:
            return replace(facts, reports={**facts.reports, uid: replace(facts.reports[uid], mode=mode)})

        return edit

    return build


def _config(change: Callable[[EnsembleConfig], EnsembleConfig | None]) -> Callable[[World], Edit]:
    def build(table: World) -> Edit:
        key = table.ensemble().key
        return lambda facts: replace(facts, configs={key: Reading(0, change(table.config()), "no member tells it")})

    return build


def _sets(**fields: Any) -> Callable[[World], Edit]:
    def build(table: World) -> Edit:
        changed = replace(table.statefulset(), **fields)
        return lambda facts: replace(facts, statefulsets={NAMESPACE: Reading(0, (changed,), "")})

    return build


@pytest.mark.parametrize(
    ("code", "level", "build"),
    [
        ("no-quorum", Level.STOP, _mode("zk-0", Mode.LOOKING)),
        ("quorum-unknown", Level.STOP, _mode("zk-1", Mode.LEADER)),
        ("quorum-unknown", Level.STOP, _config(lambda _: None)),
        (
            "hierarchical",
            Level.STOP,
            _config(lambda c: replace(c, servers=tuple(replace(s, group=1) for s in c.servers))),
        ),
        ("outage", Level.STOP, _config(lambda c: replace(c, servers=c.servers[:2]))),
        ("degraded", Level.WARN, _mode("zk-2", Mode.LOOKING)),
        ("updating", Level.STOP, _sets(updated_replicas=1, update_revision="zk-2")),
        ("upgrade", Level.WARN, _sets(update_strategy="OnDelete", update_revision="zk-2")),
        ("two-budgets", Level.STOP, budgets(lambda b: b, lambda b: replace(b, name="other", uid="other"))),
        ("no-budget", Level.WARN, budgets()),
        ("budget-closed", Level.WARN, budgets(lambda b: replace(b, desired=3))),
        ("always-allow", Level.WARN, budgets(lambda b: replace(b, unhealthy_policy="AlwaysAllow"))),
    ],
)
def test_findings_of_the_ensemble(code: str, level: Level, build: Callable[[World], Edit]) -> None:
    table = world()
    found = planned(table, ("node-2",), edit=build(table))
    assert code in codes(found, level)
    assert found.go is (level is not Level.STOP)


def test_an_accepted_outage_is_a_warning() -> None:
    table = world()
    edit = _config(lambda c: replace(c, servers=c.servers[:2]))(table)
    assert planned(table, ("node-2",), replace(DRAIN, accept_outage=True), edit).go


def test_anti_affinity_that_does_not_match_its_own_pods_is_told() -> None:
    """The published manifest labels its pods differently from what its anti-affinity selects."""
    table = world()
    wrong = AffinityTerm(APART.topology_key, Selector.of_labels({"app.kubernetes.io/name": "zk"}))
    found = planned(
        table, ("node-2",), edit=pods(table, lambda p: replace(p, spec=replace(SPEC, anti_affinity=(wrong,))))
    )
    assert "anti-affinity" in codes(found, Level.WARN)


def test_under_ordered_ready_an_unready_lower_ordinal_is_told() -> None:
    table = world()
    found = planned(table, ("node-3",), edit=pods(table, lambda p: replace(p, ready=p.name != "zk-1")))
    assert "ordered" in codes(found, Level.WARN)


@pytest.mark.parametrize(("size", "told"), [(10_000_000, False), (99_000_000, False), (101_000_000, True)])
def test_data_too_large_for_init_limit_is_told(size: int, told: bool) -> None:
    """initLimit 10 x tickTime 0.5 s: five seconds for a whole snapshot."""
    table = world()
    uid = next(p.uid for p in table.members() if p.name == "zk-1")

    def edit(facts: Facts) -> Facts:
        report = replace(facts.reports[uid], detail=MemberDetail(data_bytes=size))
        return replace(facts, reports={**facts.reports, uid: report})

    assert ("init-limit" in codes(planned(table, ("node-2",), edit=edit), Level.WARN)) is told


def test_data_on_an_empty_dir_is_told() -> None:
    table = world()
    spec = replace(SPEC, empty_dirs=("data",), mounts=(("data", "/var/lib/zookeeper"),))
    options = replace(DRAIN, delete_emptydir_data=True)
    found = planned(table, ("node-2",), options, pods(table, lambda p: replace(p, spec=spec)))
    assert found.go and "emptydir-data" in codes(found, Level.WARN)
    assert "emptydir" in {
        f.code for f in planned(table, ("node-2",), DRAIN, pods(table, lambda p: replace(p, spec=spec))).stops
    }


def test_a_held_lease_is_told() -> None:
    table = world()
    table.leases[NAMESPACE] = Lease(NAMESPACE, "zktui-maintenance", holder="bob", duration=30, renewed_at=EPOCH)
    assert "lease" in codes(planned(table, ("node-2",)), Level.WARN)


def test_only_the_last_node_can_be_left_cordoned() -> None:
    found = planned(world(), ("node-1", "node-4"), replace(DRAIN, hold=Hold(HoldKind.LEAVE)))
    assert found.go and "hold-leave" in codes(found, Level.INFO)


def test_a_node_cordoned_by_someone_else_stays_theirs() -> None:
    table = world()
    table.nodes["node-4"].unschedulable = True
    found = planned(table, ("node-4",))
    assert found.nodes[0].was_cordoned and "was-cordoned" in codes(found, Level.WARN)


# -- kubectl drain's filters --


def _verdict(table: World, name: str, options: Options = DRAIN, edit: Edit = same) -> tuple[Verdict, set[str]]:
    found = planned(table, ("node-1",), options, edit)
    verdict = next(o for o in found.nodes[0].others if o.pod.name == name)
    return verdict.verdict, {f.code for f in verdict.findings}


def _web(**fields: Any) -> Edit:
    def edit(facts: Facts) -> Facts:
        listed = facts.on_node["node-1"]
        value = tuple(replace(p, **fields) if p.name == "web-1" else p for p in listed.value or ())
        return replace(facts, on_node={**facts.on_node, "node-1": Reading(listed.at, value, "")})

    return edit


DIRTY = PodSpec(containers=(Container("web"),), empty_dirs=("cache",))
GONE_BAD: dict[str, Any] = {"owner": None, "spec": DIRTY, "deleting_since": EPOCH - 100}


@pytest.mark.parametrize(
    ("fields", "options", "verdict", "code"),
    [
        ({}, DRAIN, Verdict.EVICT, ""),
        ({"mirror": True}, DRAIN, Verdict.STAY, "mirror"),
        ({"owner": None}, DRAIN, Verdict.REFUSE, "unmanaged"),
        ({"owner": None}, replace(DRAIN, force=True), Verdict.EVICT, "unmanaged"),
        ({"owner": None, "phase": "Succeeded"}, DRAIN, Verdict.EVICT, "finished"),
        ({"spec": DIRTY}, DRAIN, Verdict.REFUSE, "emptydir"),
        ({"spec": DIRTY}, replace(DRAIN, delete_emptydir_data=True), Verdict.EVICT, "emptydir"),
        ({"spec": DIRTY, "phase": "Failed"}, DRAIN, Verdict.EVICT, "finished"),
        ({"deleting_since": EPOCH - 100}, replace(DRAIN, skip_wait_for_delete_timeout=60), Verdict.STAY, "terminating"),
        ({"deleting_since": EPOCH - 100}, DRAIN, Verdict.EVICT, "terminating"),
        # In whole seconds: 60.9 s past the deletionTimestamp is not more than 60.
        ({"deleting_since": EPOCH - 60.9}, replace(DRAIN, skip_wait_for_delete_timeout=60), Verdict.EVICT, ""),
        ({"deleting_since": EPOCH - 61}, replace(DRAIN, skip_wait_for_delete_timeout=60), Verdict.STAY, "terminating"),
        # By the phase alone, also while it terminates.
        ({**GONE_BAD, "phase": "Failed"}, DRAIN, Verdict.EVICT, "terminating"),
        ({**GONE_BAD, "phase": "Running"}, DRAIN, Verdict.REFUSE, "unmanaged"),
        ({"owner": Owner("DaemonSet", "d", "u", "apps.kruise.io/v1alpha1")}, DRAIN, Verdict.EVICT, ""),
        ({}, replace(DRAIN, pod_selector="app>1"), Verdict.STAY, "not-selected"),
        ({}, replace(DRAIN, pod_selector="app!=web"), Verdict.STAY, "not-selected"),
        ({}, replace(DRAIN, pod_selector="app in (web, x), !old"), Verdict.EVICT, ""),
    ],
)
def test_kubectls_filters(fields: dict[str, Any], options: Options, verdict: Verdict, code: str) -> None:
    got, found = _verdict(world(), "web-1", options, _web(**fields))
    assert got is verdict
    assert not code or code in found


def test_every_finding_is_kept() -> None:
    _, found = _verdict(world(), "web-1", DRAIN, _web(owner=None, spec=DIRTY))
    assert found == {"unmanaged", "emptydir"}


@pytest.mark.parametrize(("allowed", "told"), [(None, False), (1, False), (0, True)])
def test_another_pod_whose_budget_is_closed_is_told(allowed: int | None, told: bool) -> None:
    """The members of its node would wait for it, and the review was a go."""
    table = world(web_budget=allowed)
    found = planned(table, ("node-1",))
    (web,) = (o for o in found.nodes[0].others if o.pod.name == "web-1")
    assert found.go and web.verdict is Verdict.EVICT
    words = [f.text for f in web.findings if f.code == "budget-waits"]
    why = "web-pdb allows 0: needs 4 healthy, has 4: the members of its node wait until it may go"
    assert words == ([why] if told else [])


@pytest.mark.parametrize(
    ("exists", "force", "verdict"),
    [
        (True, False, Verdict.STAY),
        (False, False, Verdict.REFUSE),
        (False, True, Verdict.EVICT),
        (None, True, Verdict.REFUSE),
    ],
)
def test_a_daemonsets_pod_stays_only_while_its_daemonset_exists(
    exists: bool | None, force: bool, verdict: Verdict
) -> None:
    def edit(facts: Facts) -> Facts:
        return replace(facts, owners={OwnerKey(NAMESPACE, "DaemonSet", "daemon-1"): Reading(0, exists, "timed out")})

    got, _ = _verdict(world(), "daemon-1", replace(DRAIN, force=force), edit)
    assert got is verdict


def test_a_pod_selector_is_understood_as_kubectl_does() -> None:
    from zktui.maintenance.selectors import parse_selector

    found = parse_selector("a=b,c!=d,e in (f,g),h notin (i),j,!k/l,m>3,n < 4")
    assert found.requirements == (
        Requirement("a", "In", ("b",)),
        Requirement("c", "NotIn", ("d",)),
        Requirement("e", "In", ("f", "g")),
        Requirement("h", "NotIn", ("i",)),
        Requirement("j", "Exists"),
        Requirement("k/l", "DoesNotExist"),
        Requirement("m", "Gt", ("3",)),
        Requirement("n", "Lt", ("4",)),
    )
