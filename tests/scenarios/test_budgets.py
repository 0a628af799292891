"""What a budget says yes and no to, pod by pod, at its edges: each case by single evictions of sleeping pods."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

import pytest

from tests.scenarios.api import Api, Reply
from tests.scenarios.sleepers import LABELS, Sleepers, sleeping
from tests.scenarios.stage import CLUSTER, Stage, eventually
from zktui.cluster.connect import Connection, connect
from zktui.core.kube import Budget, PodKey
from zktui.core.ports import Answer, Evicted, Refused

T = TypeVar("T")
NOBODY = "00000000-0000-4000-8000-000000000000"
"""A UID that no pod has."""
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


@pytest.fixture(scope="module")
def shared(stage: Stage) -> Generator[Sleepers]:
    api = Api(stage.kubeconfig)
    sleepers = Sleepers(api, simulated=CLUSTER == "kwok")
    try:
        yield sleepers
    finally:
        sleepers.end()
        api.close()


@pytest.fixture
def sleepers(shared: Sleepers) -> Generator[Sleepers]:
    """Three sleepers, all Ready, and no budget, before and after."""
    yield shared
    shared.drop_budgets()
    shared.all_ready()


def ask(stage: Stage, question: Callable[[Connection], Awaitable[T]]) -> T:
    """Ask by zktui's own adapter, which must understand what the server says."""
    connection = connect(str(stage.kubeconfig))

    async def asked() -> T:
        return await question(connection)

    try:
        return asyncio.run(asked())
    finally:
        connection.close()


def assert_blocked(reply: Reply, cause: str) -> None:
    assert reply.code == 429, reply
    assert (reply.body["reason"], reply.body["message"]) == ("TooManyRequests", REFUSED)
    assert reply.causes == [("DisruptionBudget", cause)]


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 2, 1),
        ({"minAvailable": 3}, 3, 0),
        ({"minAvailable": 5}, 5, 0),
        ({"minAvailable": "50%"}, 2, 1),  # 1.5, rounded up
        ({"minAvailable": "67%"}, 3, 0),  # 2.01, rounded up
        ({"maxUnavailable": 0}, 3, 0),
        ({"maxUnavailable": 5}, 0, 3),
        ({"maxUnavailable": "1%"}, 2, 1),  # rounded up as well, so never zero
        ({"maxUnavailable": "34%"}, 1, 2),
        ({"maxUnavailable": "100%"}, 0, 3),
    ],
    ids=str,
)
def test_numbers_and_percentages(sleepers: Sleepers, spec: dict[str, Any], desired: int, allowed: int) -> None:
    assert sleepers.make_budget("edge", **spec).code == 201
    sleepers.settled("edge", expectedPods=3, currentHealthy=3, desiredHealthy=desired, disruptionsAllowed=allowed)
    reply = sleepers.evict("sleep-0", dry_run=True)
    if allowed:
        assert reply.code == 201, reply
        assert reply.body["status"] == "Success"
    else:
        assert_blocked(reply, f"The disruption budget edge needs {desired} healthy pods and has 3 currently")
    assert sleepers.budget("edge")["status"]["disruptionsAllowed"] == allowed, "a dry run spends nothing"


def test_one_eviction_at_a_time(sleepers: Sleepers, stage: Stage) -> None:
    """The first goes and closes the budget until another pod is Ready; the refusal is what zktui reads it to be."""
    assert sleepers.make_budget("edge", maxUnavailable=1).code == 201
    sleepers.settled("edge", disruptionsAllowed=1)
    uid = sleepers.uid("sleep-0")
    assert sleepers.evict("sleep-0", uid).code == 201
    pod = PodKey(sleepers.namespace, "sleep-1", sleepers.uid("sleep-1"))
    reply = ask(stage, lambda connection: connection.cluster.evict(pod))
    assert isinstance(reply, Refused)
    assert (reply.code, reply.reason, reply.message) == (429, "TooManyRequests", REFUSED)
    assert reply.caused_by("DisruptionBudget")
    sleepers.reborn("sleep-0", uid)
    sleepers.settled("edge", disruptionsAllowed=0, currentHealthy=2)
    sleepers.all_ready()
    sleepers.settled("edge", disruptionsAllowed=1, currentHealthy=3)
    granted = ask(stage, lambda connection: connection.cluster.evict(pod))
    assert isinstance(granted, Answer)
    assert isinstance(granted.value, Evicted)
    sleepers.reborn("sleep-1", pod.uid)


@pytest.mark.parametrize("policy", [None, "IfHealthyBudget", "AlwaysAllow"])
def test_an_unready_pod(sleepers: Sleepers, policy: str | None) -> None:
    """With enough others it goes though nothing is allowed; with too few only under AlwaysAllow."""
    chosen: dict[str, Any] = {} if policy is None else {"unhealthyPodEvictionPolicy": policy}
    assert sleepers.make_budget("edge", maxUnavailable=1, **chosen).code == 201
    sleepers.flag("sleep-0", False)
    sleepers.settled("edge", disruptionsAllowed=0, currentHealthy=2, desiredHealthy=2)
    assert_blocked(
        sleepers.evict("sleep-1", dry_run=True), "The disruption budget edge needs 2 healthy pods and has 2 currently"
    )
    assert sleepers.evict("sleep-0", dry_run=True).code == 201

    sleepers.flag("sleep-1", False)
    sleepers.settled("edge", disruptionsAllowed=0, currentHealthy=1, desiredHealthy=2)
    reply = sleepers.evict("sleep-0")
    if policy == "AlwaysAllow":
        assert reply.code == 201, reply
        assert "disruptedPods" not in sleepers.budget("edge")["status"], "an unready pod spends nothing"
    else:
        assert_blocked(reply, "The disruption budget edge needs 2 healthy pods and has 1 currently")
    assert_blocked(
        sleepers.evict("sleep-2", dry_run=True), "The disruption budget edge needs 2 healthy pods and has 1 currently"
    )


def test_two_budgets_on_one_pod(sleepers: Sleepers) -> None:
    assert sleepers.make_budget("edge", maxUnavailable=1).code == 201
    assert sleepers.make_budget("other", maxUnavailable=3).code == 201
    for name in ("edge", "other"):
        sleepers.settled(name, currentHealthy=3)
    reply = sleepers.evict("sleep-0", sleepers.uid("sleep-0"))
    assert reply.code == 500, reply
    words = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    assert reply.body["message"] == words
    assert sleepers.is_ready("sleep-0")


def test_no_budget_says_yes(sleepers: Sleepers) -> None:
    assert sleepers.make_budget("stranger", {"app": "another"}, maxUnavailable=0).code == 201
    for name in sleepers.names:
        assert sleepers.evict(name, dry_run=True).code == 201


def test_a_budget_has_one_number(sleepers: Sleepers) -> None:
    reply = sleepers.make_budget("edge", minAvailable=1, maxUnavailable=1)
    assert (reply.code, reply.body["reason"]) == (422, "Invalid"), reply
    assert "minAvailable and maxUnavailable cannot be both set" in reply.body["message"]


def test_a_budget_whose_change_was_not_seen_yet(sleepers: Sleepers, stage: Stage) -> None:
    """The controller is behind for as long as it can't count: a pod of its has an owner that can't be scaled."""
    api, space = sleepers.api, f"/api/v1/namespaces/{sleepers.namespace}"
    owner = api.create(f"{space}/configmaps", {"metadata": {"name": "owner"}})["metadata"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["uid"], "controller": True}
    metadata = {"name": "odd", "labels": {"app": "odd"}, "ownerReferences": [reference]}
    api.create(f"{space}/pods", {"metadata": metadata, "spec": sleeping()})
    try:
        eventually("the odd pod to be Ready", lambda: sleepers.is_ready("odd"))
        assert sleepers.make_budget("edge", {"app": "odd"}, minAvailable=0).code == 201
        sleepers.settled("edge", disruptionsAllowed=1, currentHealthy=1)
        assert sleepers.evict("odd", dry_run=True).code == 201
        sleepers.change_budget("edge", minAvailable=None, maxUnavailable="50%")
        assert_blocked(
            sleepers.evict("odd", dry_run=True), "The disruption budget edge is still being processed by the server."
        )

        def failed() -> Any | None:
            budget = sleepers.budget("edge")
            (said,) = budget["status"]["conditions"]
            return budget if said["reason"] == "SyncFailed" else None

        budget = eventually("the controller to say that it failed", failed)
        assert budget["status"]["disruptionsAllowed"] == 0
        assert (budget["status"]["observedGeneration"], budget["metadata"]["generation"]) == (1, 2)
        assert budget["status"]["conditions"][0]["message"] == "configmaps does not implement the scale subresource"
        reply = sleepers.evict("odd", dry_run=True)
        assert_blocked(reply, "The disruption budget edge is still being processed by the server.")
        assert reply.headers["retry-after"] == "10"
        (seen,) = ask(stage, lambda connection: budgets_of(connection, sleepers.namespace))
        assert (seen.observed_generation, seen.generation, seen.allowed) == (1, 2, 0)
    finally:
        api.delete(f"{space}/pods/odd", 0)
        api.delete(f"{space}/configmaps/owner")
        api.gone(f"{space}/pods/odd")


async def budgets_of(connection: Connection, namespace: str) -> tuple[Budget, ...]:
    reply = await connection.cluster.budgets(namespace)
    assert isinstance(reply, Answer)
    return reply.value


def test_a_refused_uid_has_spent_the_budget(sleepers: Sleepers) -> None:
    """409, the pod stays, and yet the budget is held for its two minutes."""
    assert sleepers.make_budget("edge", maxUnavailable=1).code == 201
    sleepers.settled("edge", disruptionsAllowed=1)
    uid = sleepers.uid("sleep-0")
    reply = sleepers.evict("sleep-0", NOBODY)
    assert (reply.code, reply.body["reason"]) == (409, "Conflict"), reply
    assert NOBODY in reply.body["message"]
    assert uid in reply.body["message"]
    budget = sleepers.settled("edge", disruptionsAllowed=0, currentHealthy=2)
    assert list(budget["status"]["disruptedPods"]) == ["sleep-0"]
    assert_blocked(
        sleepers.evict("sleep-1", dry_run=True), "The disruption budget edge needs 2 healthy pods and has 2 currently"
    )
    # While it is closed, a wrong UID is not found out.
    assert sleepers.evict("sleep-0", NOBODY).code == 429
    assert sleepers.uid("sleep-0") == uid
    assert sleepers.is_ready("sleep-0")


def test_a_terminating_pod_is_evicted_again(sleepers: Sleepers) -> None:
    """It takes its time to end; each further eviction is granted, says nothing, and spends nothing."""
    api, name = sleepers.api, f"slow-{uuid.uuid4().hex[:4]}"
    metadata = {"name": name, "labels": {"app": "slow"}}
    api.create(f"/api/v1/namespaces/{sleepers.namespace}/pods", {"metadata": metadata, "spec": sleeping(grace=20)})
    try:
        eventually(f"{name} to be Ready", lambda: sleepers.is_ready(name))
        assert sleepers.make_budget("edge", {"app": "slow"}, minAvailable=0).code == 201
        sleepers.settled("edge", disruptionsAllowed=1)
        uid = sleepers.uid(name)
        assert sleepers.evict(name, uid).code == 201
        pod = sleepers.pod(name)
        assert pod["metadata"]["deletionGracePeriodSeconds"] == 20
        assert any(c["type"] == "DisruptionTarget" and c["status"] == "True" for c in pod["status"]["conditions"])
        sleepers.settled("edge", currentHealthy=0, disruptionsAllowed=0)
        for _ in range(2):
            assert sleepers.evict(name, uid).code == 201
        assert sleepers.evict(name).code == 201
        assert sleepers.evict(name, NOBODY).code == 409
        again = sleepers.pod(name)["metadata"]
        assert again["deletionTimestamp"] == pod["metadata"]["deletionTimestamp"]
        assert "disruptedPods" not in sleepers.budget("edge")["status"]
    finally:
        api.delete(sleepers.path(name), 0)
        api.gone(sleepers.path(name))
    reply = sleepers.evict(name)
    assert (reply.code, reply.body["reason"]) == (404, "NotFound"), reply


def test_a_pod_that_waits_for_a_node_needs_no_budget(sleepers: Sleepers) -> None:
    api = sleepers.api
    spec = {**sleeping(), "nodeSelector": {"kubernetes.io/hostname": "nowhere"}}
    metadata = {"name": "waits", "labels": LABELS}
    api.create(f"/api/v1/namespaces/{sleepers.namespace}/pods", {"metadata": metadata, "spec": spec})
    assert sleepers.make_budget("edge", maxUnavailable=0).code == 201
    # A fourth pod without an owner: it is no part of the scale, and not healthy.
    sleepers.settled("edge", expectedPods=3, currentHealthy=3, disruptionsAllowed=0)
    assert sleepers.phase("waits") == "Pending"
    assert sleepers.evict("waits").code == 201
    api.gone(sleepers.path("waits"))
