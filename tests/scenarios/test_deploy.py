"""What applying the manifest makes, what applying it again changes, and what deleting the StatefulSet leaves."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.scenarios.api import Api
from tests.scenarios.data import Znodes
from tests.scenarios.play import MANIFEST, PODS, STATEFUL_SET, by_name, events_of, kubectl, needs_kubectl, pod, whole
from tests.scenarios.stage import Stage, eventually

DEFAULT = "/api/v1/namespaces/default"
CLAIMS = f"{DEFAULT}/persistentvolumeclaims"
BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/zk-pdb"


def test_what_there_is(stage: Stage, api: Api) -> None:
    whole(stage)
    headless, client = (api.get(f"{DEFAULT}/services/{name}")["spec"] for name in ("zk-hs", "zk-cs"))
    assert headless["clusterIP"] == "None"
    assert headless["publishNotReadyAddresses"] is True
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", client["clusterIP"])
    status = api.get(STATEFUL_SET)["status"]
    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (3, 3, 3)
    assert status["currentRevision"] == status["updateRevision"]
    assert api.get(BUDGET)["status"]["disruptionsAllowed"] == 1
    claims = {claim["metadata"]["name"]: claim for claim in api.get(CLAIMS)["items"]}
    for number in range(3):
        claim = claims[f"datadir-zk-{number}"]
        assert (claim["status"]["phase"], claim["spec"]["accessModes"]) == ("Bound", ["ReadWriteOnce"])
    members = [pod(api, f"zk-{number}") for number in range(3)]
    assert len({member["spec"]["nodeName"] for member in members}) == 3, "anti-affinity keeps them apart"
    for number, member in enumerate(members):
        assert (member["spec"]["hostname"], member["spec"]["subdomain"]) == (f"zk-{number}", "zk-hs")
        assert member["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == str(number)
        assert member["metadata"]["labels"]["controller-revision-hash"] == status["currentRevision"]
        (owner,) = member["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("StatefulSet", "zk", True)


def test_every_member_has_an_address_under_its_name(stage: Stage, api: Api) -> None:
    whole(stage)
    query = "?labelSelector=kubernetes.io/service-name%3Dzk-hs"
    slices = api.get(f"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices{query}")["items"]
    found = {end["hostname"]: end for part in slices for end in part["endpoints"]}
    assert sorted(found) == ["zk-0", "zk-1", "zk-2"]
    for name, end in found.items():
        member = pod(api, name)
        assert end["addresses"] == [member["status"]["podIP"]]
        assert end["nodeName"] == member["spec"]["nodeName"]
        assert end["conditions"]["ready"] is True


def test_applying_it_again_moves_nobody(stage: Stage, api: Api) -> None:
    before = whole(stage)
    generation = api.get(STATEFUL_SET)["metadata"]["generation"]
    kubectl(stage, "apply", "-f", str(MANIFEST))
    said = kubectl(stage, "apply", "-f", str(MANIFEST)).splitlines()
    # kubectl replaces a budget's selector and the claims' templates as a whole, and calls that configured.
    assert said == [
        "service/zk-hs unchanged",
        "service/zk-cs unchanged",
        "poddisruptionbudget.policy/zk-pdb configured",
        "configmap/zk-scripts unchanged",
        "statefulset.apps/zk configured",
    ]
    assert api.get(STATEFUL_SET)["metadata"]["generation"] == generation
    after = by_name(whole(stage))
    assert {name: m["uid"] for name, m in by_name(before).items()} == {name: m["uid"] for name, m in after.items()}


def test_what_the_events_tell(stage: Stage, api: Api) -> None:
    """The story of a pod, as kubectl describe prints it."""
    member = by_name(whole(stage))["zk-0"]
    told = events_of(api, member["uid"])
    assert ("Scheduled", f"Successfully assigned default/zk-0 to {member['node']}") in told
    assert ("Created", "Container created") in told
    assert ("Started", "Container started") in told
    pulled = [words for reason, words in told if reason == "Pulled"]
    assert pulled[0].startswith('Container image "zookeeper:3.9" already present on machine')
    made = events_of(api, api.get(STATEFUL_SET)["metadata"]["uid"])
    assert ("SuccessfulCreate", "Create Pod zk-0 in StatefulSet zk successful") in made


@pytest.mark.timeout(240)
def test_deleted_and_applied_again(stage: Stage, api: Api, znodes: Znodes) -> None:
    """The pods go with their StatefulSet; the claims stay, and so does what was written."""
    needs_kubectl()
    before = whole(stage)
    path = f"/kept-{uuid.uuid4().hex[:8]}"
    znodes.create(before["members"][0], path, b"world")
    claims = {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in api.get(CLAIMS)["items"]}

    said = kubectl(stage, "delete", "statefulset", "zk")
    assert said.splitlines()[0].startswith('statefulset.apps "zk" deleted')
    for number in range(3):
        api.gone(f"{PODS}/zk-{number}")
    assert {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in api.get(CLAIMS)["items"]} == claims
    ended = stage.zktui("status")
    assert ended.code == 3, ended
    assert eventually("the budget to count nobody", lambda: api.get(BUDGET)["status"]["expectedPods"] == 0)

    assert "statefulset.apps/zk created" in kubectl(stage, "apply", "-f", str(MANIFEST))
    after = whole(stage)
    old, new = by_name(before), by_name(after)
    for name, member in new.items():
        assert member["uid"] != old[name]["uid"]
        assert member["myid"] == old[name]["myid"]
        assert znodes.get(member, path) == b"world"
