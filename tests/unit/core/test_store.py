"""The store: batches in, immutable views out, staleness kept visible."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.core.facts import FakeClock, budget, config, pod, report, statefulset
from zktui.core.deltas import Alive, Configured, Kind, Lost, Polled, Remove, Reset, Upsert
from zktui.core.discovery import discover
from zktui.core.kube import Node
from zktui.core.quorum import Health
from zktui.core.store import Store, natural
from zktui.core.view import SourceState
from zktui.core.zookeeper import Mode

KEY = discover([statefulset()])[0].key


def filled(clock: FakeClock) -> Store:
    store = Store(clock)
    pods = tuple(pod(f"zk-{n}", node=f"node-{n + 1}") for n in range(3))
    stranger = pod("web-0", owner="sts-web")
    store.apply(
        (
            Reset(Kind.STATEFULSETS, (statefulset(), statefulset("web", "nginx")), 1.0),
            Reset(Kind.PODS, (*pods, stranger), 1.0),
            Reset(Kind.BUDGETS, (budget(), budget(name="other", uid="o", namespace="other")), 1.0),
            Reset(Kind.NODES, tuple(Node(f"node-{n}", f"n{n}") for n in (10, 2, 1)), 1.0),
        )
    )
    return store


def polled(store: Store, clock: FakeClock, *modes: Mode) -> None:
    reports = tuple(report(pod(f"zk-{n}").key, mode, at=clock.now()) for n, mode in enumerate(modes))
    store.apply((Polled(KEY, reports, clock.now()), Configured(KEY, config(), "", clock.now())))


def test_a_view_joins_pods_answers_configuration_and_budget() -> None:
    clock = FakeClock()
    store = filled(clock)
    polled(store, clock, Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER)
    (ensemble,) = store.view().ensembles
    assert [(m.pod.name, m.role, m.myid) for m in ensemble.members] == [
        ("zk-0", Mode.FOLLOWER, 1),
        ("zk-1", Mode.LEADER, 2),
        ("zk-2", Mode.FOLLOWER, 3),
    ]
    assert (ensemble.quorum.health, ensemble.quorum.leader) == (Health.QUORUM, "zk-1")
    assert [b.name for b in ensemble.budgets] == ["zk-pdb"]
    assert [n.name for n in store.view().nodes] == ["node-1", "node-2", "node-10"]


def test_a_view_is_built_once_for_a_revision_and_never_changes() -> None:
    clock = FakeClock()
    store = filled(clock)
    before = store.view()
    assert store.view() is before
    store.apply((Upsert(Kind.NODES, Node("node-3", "n3"), 2.0),))
    after = store.view()
    assert after.revision == before.revision + 1
    assert len(before.nodes) == 3
    assert len(after.nodes) == 4
    store.apply(())
    assert store.revision == after.revision


def test_a_pod_reborn_under_its_name_is_another_pod_without_the_old_ones_answer() -> None:
    clock = FakeClock()
    store = filled(clock)
    polled(store, clock, Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER)
    store.apply((Remove(Kind.PODS, "uid-zk-0", 2.0), Upsert(Kind.PODS, pod("zk-0", "reborn"), 2.0)))
    (ensemble,) = store.view().ensembles
    assert ensemble.members[0].pod.uid == "reborn"
    assert ensemble.members[0].role is Mode.UNKNOWN


def test_what_is_lost_is_kept_and_marked() -> None:
    clock = FakeClock()
    store = filled(clock)
    store.apply((Lost(Kind.PODS, "connection refused", 5.0),))
    store.apply((Lost(Kind.PODS, "still refused", 9.0),))
    view = store.view()
    freshness = view.sources[Kind.PODS]
    assert (freshness.state, freshness.since, freshness.heard_at, freshness.why) == (
        SourceState.STALE,
        5.0,
        1.0,
        "still refused",
    )
    assert len(view.pods) == 3
    assert view.stale() == (Kind.PODS,)
    store.apply((Alive(Kind.PODS, 12.0),))
    assert store.view().stale() == ()


def test_a_refusal_is_told_from_a_cut() -> None:
    store = filled(FakeClock())
    store.apply((Lost(Kind.NODES, "nodes is forbidden", 5.0, permanent=True),))
    assert store.view().sources[Kind.NODES].state is SourceState.DENIED


def test_quorum_is_not_believed_for_longer_than_its_evidence() -> None:
    clock = FakeClock()
    store = filled(clock)
    polled(store, clock, Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER)
    assert store.view().ensembles[0].quorum.health is Health.QUORUM
    clock.time += 3
    assert store.refreshed().ensembles[0].quorum.health is Health.UNKNOWN


def test_a_configuration_that_can_not_be_read_again_is_kept_with_the_reason() -> None:
    clock = FakeClock()
    store = filled(clock)
    polled(store, clock, Mode.FOLLOWER, Mode.LEADER, Mode.FOLLOWER)
    store.apply((Configured(KEY, None, "no session", clock.now()),))
    (ensemble,) = store.view().ensembles
    assert ensemble.config is not None
    assert ensemble.config_why == "no session"


def test_only_the_wanted_ensembles_are_shown() -> None:
    clock = FakeClock()
    store = Store(clock, only=lambda e: e.name == "other")
    store.apply((Reset(Kind.STATEFULSETS, (statefulset(), statefulset("other")), 1.0),))
    assert [e.ensemble.name for e in store.view().ensembles] == ["other"]


async def test_until_returns_the_first_view_that_holds() -> None:
    store = filled(FakeClock())
    waiting = asyncio.create_task(store.until(lambda view: len(view.nodes) == 4, timeout=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    store.apply((Upsert(Kind.NODES, Node("node-3", "n3"), 2.0),))
    assert len((await waiting).nodes) == 4


async def test_until_gives_up() -> None:
    store = filled(FakeClock())
    with pytest.raises(TimeoutError):
        await store.until(lambda view: not view.nodes, timeout=0.01)


@pytest.mark.parametrize("names", [["node-1", "node-2", "node-10"], ["a", "a1b2", "a1b10", "b"], ["1", "2", "10", "x"]])
def test_natural_order(names: list[str]) -> None:
    shuffled = names[1::2] + names[::2]
    assert sorted(shuffled, key=natural) == names
