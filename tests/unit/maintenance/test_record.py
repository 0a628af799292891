"""What a Lease keeps of a run: the same when it is read back, refused in words when it can't be, and bounded."""

from __future__ import annotations

import json
import random
from dataclasses import fields, replace
from typing import Any

import pytest

from tests.unit.maintenance.relay import QUICK, Relay, played
from zktui.core.kube import PodKey, StatefulSet
from zktui.core.labels import Selector
from zktui.core.zookeeper import Ensemble
from zktui.maintenance.model import (
    GateName,
    Hold,
    HoldKind,
    NodePlan,
    NodeRun,
    NodeStep,
    Options,
    Plan,
    PodRun,
    PodStep,
    PodVerdict,
    Run,
    RunStatus,
    Verdict,
)
from zktui.maintenance.record import LIMIT, RecordError, from_record, to_record, too_large
from zktui.maintenance.state import State

ENSEMBLE = Ensemble(StatefulSet("default", "zk", "sts", selector=Selector.of_labels({"app": "zk"})), "zk")
ODD = Options(
    grace_period=0,
    timeout=1.5,
    delete_emptydir_data=True,
    ignore_daemonsets=True,
    force=True,
    pod_selector="app!=web,tier in (a,b)",
    skip_wait_for_delete_timeout=7,
    accept_outage=True,
    spare=0,
    dwell=0.0,
    hold=Hold(HoldKind.SECONDS, 2.5),
    acknowledged=frozenset({"no-budget", "emptydir"}),
)


def state(options: Options = ODD) -> State:
    zk = PodKey("default", "zk-0", "u0")
    pods = (
        PodRun(PodKey("web", "web-1", "w1"), False, PodStep.GONE),
        PodRun(PodKey("kube", "daemon-1", "d1"), False, PodStep.STAYS),
        PodRun(zk, True, PodStep.PLACED, ENSEMBLE.key, successor=PodKey(*zk[:2], "u9"), successor_node="node-4"),
        PodRun(PodKey("default", "zk-1", "u1"), True, PodStep.GATE, ENSEMBLE.key),
    )
    nodes = (
        NodeRun("node-1", "n1", NodeStep.DRAIN, pods, cordoned_by_us=True, note="naïve ☃ \u202e"),
        NodeRun("node-2", "n2"),
    )
    run = Run("run-1", Plan((ENSEMBLE.key,), (), options, (), 0.0, 0, 0), RunStatus.RUNNING, nodes, note="neuer Kernel")
    return State(
        run,
        (ENSEMBLE,),
        "ann@laptop/1 (run-1)",
        evicted=frozenset({"u0", "u1", "of-a-node-long-over"}),
        overrides=frozenset({("u1", GateName.BUDGET)}),
        intent=("evict", "u1"),
        skipping="node-1",
        started_wall=1_800_000_000.0,
        part=3,
    )


def test_read_back_it_is_the_same() -> None:
    found = from_record(to_record(state()))
    assert (found.run_id, found.who, found.status) == ("run-1", "ann@laptop/1 (run-1)", RunStatus.RUNNING)
    assert found.options == ODD
    assert found.ensembles == (ENSEMBLE.key,)
    assert [(n.name, n.uid, n.step, n.cordoned_by_us) for n in found.nodes] == [
        ("node-1", "n1", NodeStep.DRAIN, True),
        ("node-2", "n2", NodeStep.PENDING, False),
    ]
    web, zk0, zk1 = found.nodes[0].pods
    assert (web.pod, web.member, web.step) == (PodKey("web", "web-1", "w1"), False, PodStep.GONE)
    assert (zk0.member, zk0.ensemble, zk0.step) == (True, ENSEMBLE.key, PodStep.PLACED)
    assert (zk0.successor, zk0.successor_node) == (PodKey("default", "zk-0", "u9"), "node-4")
    assert zk1.step is PodStep.PENDING, "gates are judged anew"
    assert found.sent == {"u0", "u1"}, "of pods that nothing rests on any more no UID is kept"
    assert found.overrides == {("u1", GateName.BUDGET)}
    assert (found.intent, found.skipping, found.note, found.part) == (("evict", "u1"), "node-1", "neuer Kernel", 3)
    assert found.started == 1_800_000_000.0


def test_every_option_survives() -> None:
    """Also those that are added to Options one day: a run must not go on with others than it was begun with."""
    for field in fields(Options):
        default: object = getattr(Options(), field.name)
        others: tuple[Any, ...] = (not default, "x", 2, 2.5, Hold(HoldKind.LEAVE), frozenset({"a", "b"}))
        kind = int if default is None else type(default)
        other = next(value for value in others if type(value) is kind and value != default)
        changed = replace(Options(), **{field.name: other})
        assert from_record(to_record(state(changed))).options == changed, field.name


def test_a_newer_version_is_refused_in_words() -> None:
    kept = json.loads(to_record(state()))
    with pytest.raises(RecordError, match="written by a newer zktui"):
        from_record(json.dumps({**kept, "v": 2, "nodes": "another shape"}))


def test_an_option_that_is_not_known_is_no_detail() -> None:
    kept = json.loads(to_record(state()))
    kept["options"]["faster"] = True
    with pytest.raises(RecordError, match="'faster', which this zktui does not know"):
        from_record(json.dumps(kept))


def test_whatever_is_corrupted_is_told_and_never_believed() -> None:
    """Cut anywhere, with any byte changed, or with any value in the place of another: an error of its own, or sound."""
    text, rng = to_record(state()), random.Random(5)
    broken = [text[:at] for at in range(len(text))]
    for _ in range(600):
        at = rng.randrange(len(text))
        broken.append(text[:at] + rng.choice('"{}[]:,0a\\☃') + text[at + 1 :])
    junk: list[Any] = [None, True, -1, 10**9, "x", "", [], {}, [[]], {"v": 1}]
    for _ in range(600):
        kept = json.loads(text)
        spoil(kept, rng, junk)
        broken.append(json.dumps(kept))
    broken += ["", "null", "[]", "1", '{"v":1}', "[" * 5000]
    told = 0
    for each in broken:
        try:
            found = from_record(each)
        except RecordError as error:
            told += 1
            assert str(error).startswith("The state of the run "), error
            assert "\n" not in str(error) and len(str(error)) < 250
        else:
            assert 0 <= found.current <= len(found.nodes)
            assert all(isinstance(n.name, str) and isinstance(n.step, NodeStep) for n in found.nodes)
            assert all(pod.ensemble in found.ensembles for n in found.nodes for pod in n.pods if pod.member)
    assert told > 1500


def spoil(kept: Any, rng: random.Random, junk: list[Any]) -> None:
    """Put something else in the place of one value, anywhere in it."""
    at = kept
    while True:
        keys: list[Any] = [*at] if hasattr(at, "keys") else [*range(len(at))]
        key = rng.choice(keys)
        deeper: Any = at[key]
        if type(deeper) in (dict, list) and deeper and rng.random() < 0.8:
            at = deeper
            continue
        at[key] = rng.choice(junk)
        return


def nodes(count: int, pods: int) -> Plan:
    """A plan of nodes with UIDs as long as real ones, and so many pods on each."""
    uid = "01234567-89ab-cdef-0123-456789abcdef"
    planned = tuple(
        NodePlan(
            f"ip-10-0-{n // 250}-{n % 250}.eu-central-1.compute.internal",
            uid,
            False,
            (),
            tuple(
                PodVerdict(PodKey("namespace", f"a-pod-of-some-length-{p}", uid), Verdict.EVICT) for p in range(pods)
            ),
        )
        for n in range(count)
    )
    return Plan((ENSEMBLE.key,), planned, Options(), (), 0.0, 0, 0)


def test_a_plan_that_can_not_be_kept_is_refused_before_it_begins() -> None:
    """Kubernetes takes 256 KiB of annotations; of one node at a time all pods are kept, of any number of nodes."""

    def planned(count: int, pods: int) -> State:
        made = nodes(count, pods)
        return State(Run("r", made, nodes=tuple(NodeRun(n.name, n.uid) for n in made.nodes)), (ENSEMBLE,), "ann")

    assert too_large(planned(4, 110)) == ""
    assert too_large(planned(300, 250)) == ""
    assert "has room for 200 kB" in too_large(planned(2000, 10))


def test_it_stays_small_through_a_whole_run() -> None:
    sizes: list[int] = []

    class Weighing(Relay):
        def deliver(self, operator: Any, event: Any) -> None:
            super().deliver(operator, event)
            sizes.append(len(to_record(operator.state).encode()))

    played(Weighing(11, options=QUICK, horizon=500)).all_is_well()
    assert max(sizes) < 2000 < LIMIT


def test_two_records_are_compared_without_what_changes_by_itself() -> None:
    one = state()
    two = replace(
        one, run=replace(one.run, message="something else", nodes=tuple(replace(n, since=3.0) for n in one.run.nodes))
    )
    assert (
        to_record(one, lasting=True)
        == to_record(two, lasting=True)
        != to_record(replace(one, intent=None), lasting=True)
    )


def test_a_run_that_is_over_says_so() -> None:
    """The record that is written with the release of the lease has the end that the run is coming to."""
    assert from_record(to_record(replace(state(), closing=RunStatus.FAILED))).status is RunStatus.FAILED
