"""The six gates, one rule at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.maintenance.schedules import HOLDER, read
from tests.unit.maintenance.world import EPOCH, NAMESPACE, World
from zktui.core.kube import Container, Lease, PodSpec, StatefulSet, Taint
from zktui.core.zookeeper import EnsembleConfig, MemberDetail, Mode, Server, ServerRole, Zxid
from zktui.maintenance.facts import Facts, Reading
from zktui.maintenance.gates import Asked, Moved, judge
from zktui.maintenance.model import ActionKind, Gate, GateName, Options, PodStep, Standing
from zktui.maintenance.survey import Scope

LEASE = Lease(NAMESPACE, "zktui-maintenance", "u", "7", HOLDER, 40, EPOCH, EPOCH)
OK, WAITING, BLOCKED = Standing.OK, Standing.WAITING, Standing.BLOCKED


class Case:
    """A healthy ensemble seen as of now, with our lease held; tests change one thing."""

    def __init__(self, *, replicas: int = 3, ordered: bool = True, spare: int = 1) -> None:
        self.world = World(random.Random(1), replicas, ordered=ordered, spare=spare)
        self.world.leader = next(p.uid for p in self.world.members() if p.name == "zk-1")
        self.world.leases[NAMESPACE] = LEASE
        self.options = Options(dwell=10)
        self.fields: dict[str, Any] = {}
        self.edit: Callable[[Facts], Facts] = lambda facts: facts
        self.later = 0.0
        """Seconds between the reading and the judgement."""

    def facts(self) -> Facts:
        ensemble = self.world.ensemble()
        return self.edit(read(self.world, Scope((ensemble,), ("node-1",), decide=True)))

    def gate(self, name: GateName, pod: str = "zk-0") -> Gate:
        facts = self.facts()
        ensemble = self.world.ensemble()
        mine = next(p for p in facts.pods[ensemble.key].value or () if p.name == pod)
        fields: dict[str, Any] = {"leases": {NAMESPACE: LEASE}, **self.fields}
        asked = Asked(ensemble, mine.key, mine.node, self.options, HOLDER, **fields)
        return next(g for g in judge(facts, asked, self.world.now + self.later) if g.name is name)

    def named(self, name: str) -> Any:
        pod = self.world.named(name)
        assert pod is not None
        return pod

    def report(self, name: str, mode: Mode, zxid: int | None = None) -> None:
        uid = self.named(name).uid

        def edit(facts: Facts) -> Facts:
            old = facts.reports[uid]
            new = replace(old, mode=mode, zxid=None if zxid is None else Zxid(zxid))
            return replace(facts, reports={**facts.reports, uid: new})

        self.edit = edit

    def owner(self, **fields: Any) -> None:
        def edit(facts: Facts) -> Facts:
            changed: StatefulSet = replace(self.world.statefulset(), **fields)
            return replace(facts, statefulsets={NAMESPACE: Reading(facts.at, (changed,), "")})

        self.edit = edit

    def config(self, config: EnsembleConfig | None, why: str = "") -> None:
        def edit(facts: Facts) -> Facts:
            return replace(facts, configs={self.world.ensemble().key: Reading(facts.at, config, why)})

        self.edit = edit

    def specs(self, spec: PodSpec) -> None:
        def edit(facts: Facts) -> Facts:
            key = self.world.ensemble().key
            pods = tuple(replace(p, spec=spec) for p in facts.pods[key].value or ())
            return replace(facts, pods={key: Reading(facts.at, pods, "")})

        self.edit = edit


@pytest.mark.parametrize("name", list(GateName))
def test_all_gates_are_open_on_a_healthy_ensemble(name: GateName) -> None:
    gate = Case().gate(name)
    assert gate.standing is OK and gate.evidence


@pytest.mark.parametrize("name", list(GateName))
def test_evidence_older_than_two_seconds_is_unknown_and_unknown_is_no(name: GateName) -> None:
    case = Case()
    case.later = 2.5
    assert case.gate(name).standing is WAITING


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (GateName.BUDGET, "budgets"),
        (GateName.QUORUM, "configs"),
        (GateName.RETURN, "statefulsets"),
        (GateName.ALONE, "leases"),
    ],
)
def test_what_could_not_be_read_is_no(name: GateName, field: str) -> None:
    case = Case()

    def edit(facts: Facts) -> Facts:
        keys = getattr(facts, field)
        return replace(facts, **{field: {key: Reading(facts.at, None, "timed out") for key in keys}})

    case.edit = edit
    gate = case.gate(name)
    assert gate.standing is WAITING and "timed out" in gate.evidence


def test_budget_closed_waits_with_its_figures() -> None:
    case = Case()
    case.world.allowed, case.world.current = 0, 2
    gate = case.gate(GateName.BUDGET)
    assert gate.standing is WAITING and "allows 0: needs 2 healthy, has 2" in gate.evidence


def test_budget_of_an_unready_pod_opens_when_the_others_are_healthy() -> None:
    case = Case()
    case.named("zk-0").run_at = case.world.now
    case.world.allowed, case.world.current = 0, 2
    assert case.gate(GateName.BUDGET).standing is OK


def test_budget_says_how_long_our_refused_eviction_holds_it() -> None:
    """An eviction refused by its UID has spent the budget for two minutes (seen on Kubernetes 1.37)."""
    case = Case()
    case.world.allowed = 0
    case.world.disrupted["zk-0"] = case.world.wall - 4
    gate = case.gate(GateName.BUDGET)
    assert gate.standing is WAITING and "held by our refused eviction for up to 116 s" in gate.evidence


def test_budget_that_never_allows_is_blocked() -> None:
    case = Case()
    case.world.max_unavailable = 0
    case.world.allowed = 0
    assert case.gate(GateName.BUDGET).standing is BLOCKED


def test_quorum_counts_the_others() -> None:
    case = Case()
    gate = case.gate(GateName.QUORUM)
    assert "2 of 3 serve without zk-0, majority is 2" in gate.evidence
    case.report("zk-2", Mode.LOOKING)
    gate = case.gate(GateName.QUORUM)
    assert gate.standing is WAITING and "zk-2 looking" in gate.evidence


def test_a_broken_members_node_can_be_drained() -> None:
    case = Case()
    case.report("zk-0", Mode.SILENT)
    assert case.gate(GateName.QUORUM).standing is OK


def test_read_only_is_not_serving() -> None:
    case = Case()
    case.report("zk-2", Mode.READ_ONLY)
    assert case.gate(GateName.QUORUM).standing is WAITING


def test_two_leaders_are_no_quorum() -> None:
    case = Case()
    case.report("zk-2", Mode.LEADER, 5)
    assert case.gate(GateName.QUORUM).standing is WAITING


def test_a_terminating_voter_does_not_count() -> None:
    case = Case()
    case.named("zk-2").deleting = case.world.wall
    assert case.gate(GateName.QUORUM).standing is WAITING


def test_a_voter_whose_eviction_was_granted_does_not_count() -> None:
    case = Case()
    case.world.disrupted["zk-2"] = case.world.wall
    assert case.gate(GateName.QUORUM).standing is WAITING


def test_a_member_that_only_we_can_not_hear_is_not_broken() -> None:
    """One lost answer of its own must not give up the voter to spare: its pod is Ready."""
    case = Case(replicas=5)
    case.world.freeze(case.named("zk-4"), 99)
    case.report("zk-0", Mode.SILENT)
    assert case.gate(GateName.QUORUM).standing is not OK
    case.named("zk-0").unready_until = case.world.now + 9
    assert case.gate(GateName.QUORUM).standing is OK, "it is broken, and costs nothing"
    case.named("zk-0").unready_until = 0
    case.report("zk-0", Mode.LOOKING)
    assert case.gate(GateName.QUORUM).standing is OK, "it says itself that it does not serve"


def test_five_voters_keep_one_to_spare() -> None:
    case = Case(replicas=5)
    assert case.gate(GateName.QUORUM).standing is OK
    case.report("zk-4", Mode.SILENT)
    gate = case.gate(GateName.QUORUM)
    assert gate.standing is WAITING and "3 of 5 serve without zk-0, majority is 3 and 1 to spare" in gate.evidence
    assert case.gate(GateName.QUORUM, "zk-4").standing is OK, "four others serve"
    case.options = replace(case.options, spare=0)
    assert case.gate(GateName.QUORUM).standing is OK


def test_voters_outside_the_cluster_count_as_not_serving() -> None:
    case = Case()
    servers = case.world.config().servers
    case.config(EnsembleConfig((*servers, Server(9, "elsewhere.example"), Server(10, "far.example")), at=0))
    gate = case.gate(GateName.QUORUM)
    assert gate.standing is not OK
    assert gate.evidence.endswith(": elsewhere.example has no pod here, far.example has no pod here")


@pytest.mark.parametrize(("synced", "standing"), [(None, OK), (1, WAITING), (2, OK), (9, OK), (-1, OK)])
def test_synced_followers_are_only_a_veto(synced: int | None, standing: Standing) -> None:
    case = Case()
    uid = case.named("zk-1").uid

    def edit(facts: Facts) -> Facts:
        told = replace(facts.reports[uid], detail=MemberDetail(synced_followers=synced))
        return replace(facts, reports={**facts.reports, uid: told})

    case.edit = edit
    gate = case.gate(GateName.QUORUM)
    assert gate.standing is standing
    assert ("zk-1 counts 1 of 2 followers as synced" in gate.evidence) is (standing is WAITING)


def test_a_dead_kubelet_closes_the_way_and_offers_the_way_out() -> None:
    case = Case()
    case.world.nodes["node-1"].ready = False
    gate = case.gate(GateName.RETURN)
    assert gate.standing is BLOCKED and "node-1 is not Ready" in gate.evidence
    assert gate.action is not None and gate.action.kind is ActionKind.OUT_OF_SERVICE


def test_observers_never_count() -> None:
    case = Case()
    first, second, third = case.world.config().servers
    observer = replace(third, role=ServerRole.OBSERVER)
    fourth = Server(4, "gone.example")
    case.config(EnsembleConfig((first, second, observer, fourth), at=0))
    assert "1 of 3 serve without zk-0" in case.gate(GateName.QUORUM).evidence


def test_groups_are_refused() -> None:
    case = Case()
    servers = tuple(replace(s, group=1) for s in case.world.config().servers)
    case.config(EnsembleConfig(servers, at=0))
    gate = case.gate(GateName.QUORUM)
    assert gate.standing is BLOCKED and gate.final


def test_two_voters_need_an_accepted_outage() -> None:
    case = Case(replicas=2)
    assert case.gate(GateName.QUORUM).standing is BLOCKED
    case.options = replace(case.options, accept_outage=True)
    assert case.gate(GateName.QUORUM).standing is OK


def test_a_rolling_update_closes_the_way_back() -> None:
    case = Case()
    case.owner(updated_replicas=1, update_revision="zk-2")
    assert case.gate(GateName.RETURN).standing is WAITING


def test_a_drain_that_also_upgrades_wants_a_typed_word() -> None:
    case = Case()
    case.owner(update_strategy="OnDelete", update_revision="zk-2")
    gate = case.gate(GateName.RETURN)
    assert gate.standing is BLOCKED and gate.action is not None
    assert gate.action.kind is ActionKind.OVERRIDE and gate.action.target == "zk-0"


def test_below_a_partition_the_member_comes_back_as_it_was() -> None:
    case = Case()
    case.owner(partition=3, update_revision="zk-2")
    assert case.gate(GateName.RETURN).standing is OK


@pytest.mark.parametrize(("ordered", "standing"), [(True, BLOCKED), (False, OK)])
def test_under_ordered_ready_an_unready_lower_ordinal_keeps_the_higher_ones(ordered: bool, standing: Standing) -> None:
    case = Case(ordered=ordered)
    case.named("zk-0").run_at = case.world.now
    assert case.gate(GateName.RETURN, "zk-2").standing is standing
    assert case.gate(GateName.RETURN, "zk-0").standing is OK


def test_landing_names_the_node() -> None:
    gate = Case().gate(GateName.LANDING)
    assert gate.evidence == "node-4 can take it"


def test_landing_lost_since_the_review_offers_the_uncordon() -> None:
    case = Case()
    case.world.nodes["node-4"].unschedulable = True
    gate = case.gate(GateName.LANDING)
    assert gate.standing is BLOCKED and gate.action is not None
    assert (gate.action.kind, gate.action.target) == (ActionKind.UNCORDON, "node-4")


def test_data_on_an_empty_dir_wants_a_typed_word_and_only_while_all_others_serve() -> None:
    case = Case()
    container = Container("zk", command=("start-zookeeper --data_dir=/var/lib/zookeeper/data",))
    spec = PodSpec(containers=(container,), empty_dirs=("datadir",), mounts=(("datadir", "/var/lib/zookeeper"),))
    case.specs(spec)
    gate = case.gate(GateName.LANDING)
    assert gate.standing is BLOCKED and not gate.final and gate.action is not None
    case.named("zk-2").frozen_until = 99
    gate = case.gate(GateName.LANDING)
    assert gate.final and "zk-2 serve: only while all others do" in gate.unblock


def test_settled_waits_for_the_member_moved_last() -> None:
    case = Case()
    uid = case.named("zk-2").uid
    moved = Moved("zk-2", "sts-zk", PodStep.PLACED, uid)
    case.fields = {"moved": (moved,), "good_since": {uid: case.world.now - 4}}
    gate = case.gate(GateName.SETTLED)
    assert gate.standing is WAITING and gate.progress == (4, 10)
    case.fields = {"moved": (moved,)}
    case.report("zk-2", Mode.FOLLOWER, 1)
    gate = case.gate(GateName.SETTLED)
    assert gate.standing is WAITING and "not caught up" in gate.evidence
    case.fields = {"moved": (replace(moved, step=PodStep.REJOINED),)}
    assert case.gate(GateName.SETTLED).standing is OK


def test_settled_waits_for_one_that_started_by_itself_lately() -> None:
    case = Case()
    case.world.advance(20)
    pod = case.named("zk-2")
    pod.run_at = pod.up_at = 5.0
    case.fields = {"good_since": {pod.uid: case.world.now - 3}}
    assert case.gate(GateName.SETTLED).standing is WAITING


@pytest.mark.parametrize(
    ("lease", "standing"),
    [
        (replace(LEASE, holder="bob"), BLOCKED),
        (replace(LEASE, holder="bob", renewed_at=EPOCH - 100), WAITING),
        (replace(LEASE, holder=""), WAITING),
        (None, WAITING),
    ],
)
def test_alone_is_our_own_lease_and_nothing_less(lease: Lease | None, standing: Standing) -> None:
    case = Case()
    case.world.leases = {NAMESPACE: lease} if lease else {}
    gate = case.gate(GateName.ALONE)
    assert gate.standing is standing and gate.final


def test_alone_sees_what_others_disrupt() -> None:
    case = Case()
    case.world.deleted_by_us.add(case.named("zk-2").uid)
    gate = case.gate(GateName.ALONE)
    assert gate.standing is BLOCKED and "zk-2 is being disrupted by someone else" in gate.evidence
    case.fields = {"evicted": frozenset({case.named("zk-2").uid})}
    assert case.gate(GateName.ALONE).standing is OK

    def taint(facts: Facts) -> Facts:
        node = facts.node["node-1"].value
        assert node is not None
        tainted = replace(node, taints=(Taint("ToBeDeletedByClusterAutoscaler", "NoSchedule"),))
        return replace(facts, node={"node-1": Reading(facts.at, tainted, "")})

    case.edit = taint
    assert "ToBeDeletedByClusterAutoscaler" in case.gate(GateName.ALONE).evidence


def test_the_leader_may_go_when_the_others_serve() -> None:
    """Leader last is a preference of the plan, not a gate."""
    assert Case().gate(GateName.QUORUM, "zk-1").standing is OK
