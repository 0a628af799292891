from __future__ import annotations

import pytest

from tests.ui.fakes import World
from zktui.core.deltas import Kind, Reset
from zktui.core.ports import Place
from zktui.settings import Settings
from zktui.ui.situation import Situation, situation
from zktui.ui.theme import Tone

PLACE = Place("prod", "prod", "https://10.0.0.1:6443", "ann", "data")


def said(world: World, settings: Settings | None = None) -> Situation:
    found = situation(world.store.view(), PLACE, settings or Settings())
    assert found is not None
    return found


@pytest.fixture
def empty() -> World:
    return World()


def test_an_ensemble_needs_no_words() -> None:
    world = World()
    world.ensemble()
    assert situation(world.store.view(), PLACE, Settings()) is None


def test_before_anything_is_known_it_says_what_it_waits_for(empty: World) -> None:
    now = said(empty)
    assert now.headline == "Connecting to prod …"
    assert "statefulsets, pods, nodes, poddisruptionbudgets from https://10.0.0.1:6443" in now.lines[0]
    assert now.tone is Tone.DIM


def test_a_server_out_of_reach_is_named_with_the_reason(empty: World) -> None:
    empty.lost(Kind.STATEFULSETS, "connection refused")
    now = said(empty)
    assert now.headline == "The API server https://10.0.0.1:6443 can't be reached."
    assert now.lines[0] == "connection refused"
    assert "keeps trying" in " ".join(now.lines)


def test_a_missing_permission_names_the_user_and_the_resource(empty: World) -> None:
    empty.lost(Kind.STATEFULSETS, 'statefulsets.apps is forbidden: User "ann"', permanent=True)
    now = said(empty)
    assert now.headline == "ann is not permitted to list statefulsets in namespace data."
    assert "forbidden" in now.lines[0]
    assert now.tone is Tone.BLOCKED


def test_nodes_that_may_not_be_listed_do_not_hide_that_there_is_no_ensemble(empty: World) -> None:
    empty.lost(Kind.NODES, "forbidden", permanent=True)
    empty.store.apply((Reset(Kind.STATEFULSETS, (), 1.0), Reset(Kind.PODS, (), 1.0), Reset(Kind.BUDGETS, (), 1.0)))
    assert said(empty).headline == "There is no ZooKeeper ensemble in namespace data."


@pytest.mark.parametrize(
    ("settings", "headline", "advice"),
    [
        (Settings(), "There is no ZooKeeper ensemble in namespace data.", "--all-namespaces"),
        (Settings(all_namespaces=True), "There is no ZooKeeper ensemble in any namespace.", "--context"),
        (Settings(ensemble="kafka/zk"), "There is no ZooKeeper ensemble kafka/zk in namespace data.", "-n NAMESPACE"),
    ],
)
def test_no_ensemble_says_where_it_looked_and_what_to_try(
    empty: World, settings: Settings, headline: str, advice: str
) -> None:
    empty.store.apply((Reset(Kind.STATEFULSETS, (), 1.0),))
    now = said(empty, settings)
    assert now.headline == headline
    assert advice in " ".join(now.lines)
