"""Evictions over HTTP: each reply of the real handler, and what it does to the budget and the pod."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from zktui.demo.server import ApiServer
from zktui.demo.store import Store

Object = dict[str, Any]
PDB = "poddisruptionbudgets.policy"
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
Evict = Callable[..., Awaitable[tuple[int, Object, str | None]]]


@pytest.fixture
def evict(http: aiohttp.ClientSession) -> Evict:
    """``await evict(pod, query="", **deleteOptions)`` -> (code, body, Retry-After)."""

    async def evict(name: str, query: str = "", **options: Any) -> tuple[int, Object, str | None]:
        body: Object = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        if options:
            body["deleteOptions"] = options
        path = f"/api/v1/namespaces/default/pods/{name}/eviction{query}"
        async with http.post(path, json=body) as reply:
            return reply.status, await reply.json(), reply.headers.get("Retry-After")

    return evict


def status_of(store: Store, name: str = "zk-pdb") -> Object:
    return store.get(PDB, "default", name)["status"]


async def test_an_allowed_eviction_spends_the_budget(evict: Evict, store: Store) -> None:
    code, body, _ = await evict("zk-0")
    assert code == 201
    assert body == {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    pod = store.get("pods", "default", "zk-0")
    assert "deletionTimestamp" in pod["metadata"]
    target = next(entry for entry in pod["status"]["conditions"] if entry["type"] == "DisruptionTarget")
    assert (target["status"], target["reason"]) == ("True", "EvictionByEvictionAPI")
    budget = status_of(store)
    assert budget["disruptionsAllowed"] == 0
    assert list(budget["disruptedPods"]) == ["zk-0"]
    allowed = next(entry for entry in budget["conditions"] if entry["type"] == "DisruptionAllowed")
    assert (allowed["status"], allowed["reason"]) == ("False", "InsufficientPods")


async def test_a_closed_budget_refuses(evict: Evict, store: Store, budget_status: Callable[..., None]) -> None:
    budget_status(store, disruptionsAllowed=0, currentHealthy=2)
    code, body, retry = await evict("zk-0")
    assert code == 429
    assert retry is None
    assert body["reason"] == "TooManyRequests"
    assert body["message"] == REFUSED
    cause = "The disruption budget zk-pdb needs 2 healthy pods and has 2 currently"
    assert body["details"] == {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    assert "deletionTimestamp" not in store.get("pods", "default", "zk-0")["metadata"]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (
            {"reason": "SyncFailed", "message": "no controller found"},
            "The disruption budget zk-pdb does not allow evicting pods currently because it failed sync: "
            "no controller found",
        ),
        (
            {"reason": "InsufficientPods", "message": "too few"},
            "The disruption budget zk-pdb does not allow evicting pods currently (InsufficientPods): too few",
        ),
        (None, "The disruption budget zk-pdb does not allow evicting pods currently"),
    ],
)
async def test_the_words_of_a_closed_budget(
    evict: Evict, store: Store, budget_status: Callable[..., None], condition: Object | None, words: str
) -> None:
    conditions = [{"type": "DisruptionAllowed", "status": "False", **condition}] if condition else []
    budget_status(store, disruptionsAllowed=0, conditions=conditions)
    _, body, _ = await evict("zk-0")
    assert body["details"]["causes"][0]["message"] == words


async def test_a_budget_whose_status_is_behind(evict: Evict, store: Store, budget_status: Callable[..., None]) -> None:
    budget_status(store, observedGeneration=0)
    code, body, retry = await evict("zk-0")
    assert (code, retry) == (429, "10")
    assert body["details"]["retryAfterSeconds"] == 10
    cause = "The disruption budget zk-pdb is still being processed by the server."
    assert body["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]


async def test_numbers_that_make_no_sense(evict: Evict, store: Store, budget_status: Callable[..., None]) -> None:
    budget_status(store, disruptionsAllowed=-1)
    code, body, _ = await evict("zk-0")
    assert (code, body["reason"]) == (403, "Forbidden")
    assert body["message"] == 'poddisruptionbudget.policy "zk-pdb" is forbidden: pdb disruptions allowed is negative'


async def test_too_many_disrupted_pods(evict: Evict, store: Store, budget_status: Callable[..., None]) -> None:
    budget_status(store, disruptedPods={f"pod-{number}": "2026-01-01T00:00:00Z" for number in range(2001)})
    code, body, _ = await evict("zk-0")
    assert code == 403
    assert "DisruptedPods map too big" in body["message"]


async def test_two_budgets(evict: Evict, store: Store) -> None:
    selector = {"matchLabels": {"app": "zk"}}
    store.create(PDB, {"metadata": {"name": "second"}, "spec": {"minAvailable": 1, "selector": selector}})
    code, body, _ = await evict("zk-0")
    assert code == 500
    assert body["message"] == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    )
    assert "reason" not in body


async def test_an_empty_selector_selects_every_pod_and_none_selects_nothing(evict: Evict, store: Store) -> None:
    store.create(PDB, {"metadata": {"name": "second"}, "spec": {"minAvailable": 1}})
    assert (await evict("zk-1"))[0] == 201
    store.create(PDB, {"metadata": {"name": "third"}, "spec": {"minAvailable": 1, "selector": {}}})
    assert (await evict("zk-0"))[0] == 500


async def test_no_budget_always_says_yes(evict: Evict, store: Store) -> None:
    store.delete(PDB, "default", "zk-pdb")
    assert (await evict("zk-0"))[0] == 201


@pytest.mark.parametrize(
    ("policy", "healthy", "desired", "code"),
    [
        (None, 2, 2, 201),  # the others are enough, so the unready one may go
        (None, 1, 2, 429),
        (None, 0, 0, 429),  # nothing is wanted: the rule asks for more than none
        ("IfHealthyBudget", 1, 2, 429),
        ("AlwaysAllow", 0, 2, 201),
    ],
)
async def test_an_unready_pod(
    evict: Evict,
    store: Store,
    budget_status: Callable[..., None],
    make_member: Callable[..., Object],
    policy: str | None,
    healthy: int,
    desired: int,
    code: int,
) -> None:
    store.create("pods", make_member("zk-9", "node-4", ready=False))
    if policy:
        store.change(PDB, "default", "zk-pdb", lambda pdb: pdb["spec"].update(unhealthyPodEvictionPolicy=policy))
    budget_status(store, disruptionsAllowed=0, currentHealthy=healthy, desiredHealthy=desired, observedGeneration=2)
    assert (await evict("zk-9"))[0] == code
    assert status_of(store)["disruptionsAllowed"] == 0
    assert not status_of(store).get("disruptedPods")


@pytest.mark.parametrize("phase", ["Pending", "Failed", "Succeeded"])
async def test_pods_that_need_no_budget(
    evict: Evict,
    store: Store,
    budget_status: Callable[..., None],
    make_member: Callable[..., Object],
    phase: str,
) -> None:
    store.create("pods", make_member("zk-9", "node-4", phase=phase))
    budget_status(store, disruptionsAllowed=0)
    assert (await evict("zk-9"))[0] == 201
    assert not status_of(store).get("disruptedPods")


async def test_a_terminating_pod_says_yes_again(evict: Evict, store: Store) -> None:
    assert (await evict("zk-0"))[0] == 201
    ends = store.get("pods", "default", "zk-0")["metadata"]["deletionTimestamp"]
    assert (await evict("zk-0"))[0] == 201
    assert store.get("pods", "default", "zk-0")["metadata"]["deletionTimestamp"] == ends


async def test_a_wrong_uid_conflicts_and_still_spends_the_budget(evict: Evict, store: Store) -> None:
    uid = store.get("pods", "default", "zk-0")["metadata"]["uid"]
    code, body, _ = await evict("zk-0", preconditions={"uid": "other"})
    assert (code, body["reason"]) == (409, "Conflict")
    assert body["message"] == (
        'Operation cannot be fulfilled on Pod "zk-0": the UID in the precondition (other) does not match the UID '
        f"in record ({uid}). The object might have been deleted and then recreated"
    )
    assert "deletionTimestamp" not in store.get("pods", "default", "zk-0")["metadata"]
    assert list(status_of(store)["disruptedPods"]) == ["zk-0"]
    # With the budget closed by that, the wrong UID is no longer what the server talks about.
    assert (await evict("zk-0", preconditions={"uid": "other"}))[0] == 429


async def test_the_right_uid_goes(evict: Evict, store: Store) -> None:
    uid = store.get("pods", "default", "zk-0")["metadata"]["uid"]
    assert (await evict("zk-0", preconditions={"uid": uid}))[0] == 201


async def test_a_pod_that_is_not_there(evict: Evict) -> None:
    code, body, _ = await evict("zk-9")
    assert (code, body["message"]) == (404, 'pods "zk-9" not found')


async def test_a_dry_run_changes_nothing(evict: Evict, store: Store, budget_status: Callable[..., None]) -> None:
    before = store.version
    assert (await evict("zk-0", dryRun=["All"]))[0] == 201
    assert (await evict("zk-0", "?dryRun=All"))[0] == 201
    assert store.version == before
    budget_status(store, disruptionsAllowed=0, currentHealthy=2)
    assert (await evict("zk-0", dryRun=["All"]))[0] == 429


async def test_the_grace_of_an_eviction(evict: Evict, store: Store) -> None:
    assert (await evict("zk-0", gracePeriodSeconds=7))[0] == 201
    assert store.get("pods", "default", "zk-0")["metadata"]["deletionGracePeriodSeconds"] == 7


async def test_the_name_must_be_the_url_s(http: aiohttp.ClientSession) -> None:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "zk-1"}}
    async with http.post("/api/v1/namespaces/default/pods/zk-0/eviction", json=body) as reply:
        assert reply.status == 400
        assert (await reply.json())["message"] == "name in URL does not match name in Eviction object"


async def test_no_permission(evict: Evict, server: ApiServer, store: Store) -> None:
    server.deny("create", "pods/eviction")
    code, body, _ = await evict("zk-0")
    assert (code, body["reason"]) == (403, "Forbidden")
    assert body["message"] == (
        'pods "zk-0" is forbidden: User "zktui-demo" cannot create resource "pods/eviction" in API group "" in '
        'the namespace "default"'
    )
    assert "causes" not in body["details"]
    assert "deletionTimestamp" not in store.get("pods", "default", "zk-0")["metadata"]
    server.allow("create", "pods/eviction")
    assert (await evict("zk-0"))[0] == 201
