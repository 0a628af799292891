"""Objects and options that make no sense: refused with a Status, and what is stored can end no controller."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from zktui.demo.controllers.base import Controller
from zktui.demo.controllers.claims import ClaimController
from zktui.demo.controllers.nodes import NodeController, create_node
from zktui.demo.events import EventRecorder
from zktui.demo.network import Network
from zktui.demo.store import Store, thaw

Object = dict[str, Any]
Call = Callable[..., Awaitable[tuple[int, Object]]]
PODS = "/api/v1/namespaces/default/pods"
SETS = "/apis/apps/v1/namespaces/default/statefulsets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
VOLUMES = "persistentvolumes"


def pod(**spec: Any) -> Object:
    return {"metadata": {"name": "odd"}, "spec": {"containers": [{"name": "c", "image": "pause"}], **spec}}


def stateful_set(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "odd"}}, "spec": pod()["spec"]}
    fixed = {"serviceName": "odd", "selector": {"matchLabels": {"app": "odd"}}, "template": template}
    return {"metadata": {"name": "odd"}, "spec": {**fixed, **spec}}


def mounting(volume: str) -> list[Object]:
    return [{"name": "c", "volumeMounts": [{"name": volume, "mountPath": "/v"}]}]


@pytest.mark.parametrize(
    ("path", "obj", "field", "words"),
    [
        (PODS, pod(containers=[{"image": "pause"}]), "spec.containers[0].name", "Required value"),
        (PODS, pod(containers=[None]), "spec.containers[0].name", "Required value"),
        (PODS, pod(containers=[{"name": "../../home"}]), "spec.containers[0].name", "a lowercase RFC 1123 label"),
        (PODS, pod(containers=[{"name": "c\n"}]), "spec.containers[0].name", "a lowercase RFC 1123 label"),
        (PODS, pod(containers=[{"name": "c"}, {"name": "c"}]), "spec.containers[1].name", 'Duplicate value: "c"'),
        (PODS, pod(containers=mounting("gone")), "spec.containers[0].volumeMounts[0].name", 'Not found: "gone"'),
        (PODS, pod(volumes=[{"name": "..", "emptyDir": {}}]), "spec.volumes[0].name", "a lowercase RFC 1123 label"),
        (PODS, pod(volumes=[{"name": "v", "configMap": {}}]), "spec.volumes[0].configMap.name", "Required value"),
        (PODS, pod(tolerations=[]) | {"metadata": {"name": "odd\n"}}, "metadata.name", "RFC 1123 subdomain"),
        (SETS, stateful_set(replicas=-1), "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
    ],
)
async def test_what_does_not_go_together(call: Call, path: str, obj: Object, field: str, words: str) -> None:
    code, status = await call("POST", path, obj)
    assert (code, status["reason"]) == (422, "Invalid")
    told = {cause["field"]: cause["message"] for cause in status["details"]["causes"]}
    assert words in told[field]


async def test_a_claim_s_template_is_a_volume_too(call: Call) -> None:
    obj = stateful_set(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}])
    obj["spec"]["template"]["spec"]["containers"] = mounting("data")
    assert (await call("POST", SETS, obj))[0] == 201


@pytest.mark.parametrize(
    ("path", "obj", "words"),
    [
        (LEASES, {"metadata": {"name": "odd"}, "spec": {"renewTime": "soon"}}, 'parsing time "soon"'),
        (LEASES, {"metadata": {"name": "odd"}, "spec": {"renewTime": "2026-01-01T00:00:00"}}, "parsing time"),
        (PODS, pod(containers=[{"name": "c", "resources": {"limits": {"cpu": "much"}}}]), "quantities must match"),
        (SETS, stateful_set(replicas=2**40), "cannot unmarshal number into Go struct field StatefulSetSpec"),
    ],
)
async def test_what_is_no_value_of_its_type(call: Call, path: str, obj: Object, words: str) -> None:
    code, status = await call("POST", path, obj)
    assert (code, status["reason"]) == (400, "BadRequest")
    assert words in status["message"]


@pytest.mark.parametrize("body", [{"preconditions": "x"}, {"gracePeriodSeconds": "now"}, [], {"dryRun": 1}])
async def test_options_of_a_deletion_that_are_none(call: Call, store: Store, body: Any) -> None:
    code, status = await call("DELETE", f"{PODS}/zk-0", body or ["x"])
    assert (code, status["reason"]) == (400, "BadRequest")
    assert "deletionTimestamp" not in store.get("pods", "default", "zk-0")["metadata"]


@pytest.mark.parametrize(("body", "code"), [({"target": "node-1"}, 400), ({"target": {}}, 422), ({}, 422)])
async def test_a_binding_to_nothing(call: Call, body: Object, code: int) -> None:
    await call("POST", PODS, pod())
    answered, status = await call("POST", f"{PODS}/odd/binding", {"metadata": {"name": "odd"}, **body})
    assert (answered, status["kind"]) == (code, "Status")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("json-patch", [{"op": "replace", "path": "", "value": "nothing"}]),
        ("strategic-merge-patch", {"spec": {"containers": ["c"]}}),
    ],
)
async def test_patches_that_make_no_object(http: aiohttp.ClientSession, kind: str, body: Any) -> None:
    headers = {"Content-Type": f"application/{kind}+json"}
    async with http.patch(f"{PODS}/zk-0", json=body, headers=headers) as reply:
        assert (reply.status, (await reply.json())["reason"]) == (400, "BadRequest")


async def test_a_limit_below_nothing_is_none(call: Call) -> None:
    code, found = await call("GET", f"{PODS}?limit=-1")
    assert (code, len(found["items"])) == (200, 3)


async def test_a_status_has_what_its_type_always_has(http: aiohttp.ClientSession, store: Store) -> None:
    patch = {"status": {"conditions": [{"type": "Ready"}, None], "addresses": [{"type": "InternalIP"}]}}
    headers = {"Content-Type": "application/merge-patch+json"}
    async with http.patch("/api/v1/nodes/node-1/status", json=patch, headers=headers) as reply:
        assert reply.status == 200
    status = store.get("nodes", "", "node-1")["status"]
    assert status["conditions"] == [{"type": "Ready", "status": ""}, {"type": "", "status": ""}]
    assert status["addresses"] == [{"type": "InternalIP", "address": ""}]
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with http.get("/api/v1/nodes", headers=table) as reply:
        assert reply.status == 200


async def test_nobody_is_somebody_else(call: Call) -> None:
    code, status = await call("GET", PODS, **{"Impersonate-User": "bob", "Impersonate-Group": "a"})
    assert code == 403
    assert status["message"] == (
        'users "bob" is forbidden: User "zktui-demo" cannot impersonate resource "users" in API group "" at the '
        "cluster scope"
    )


async def test_what_no_controller_would_carry_out_can_not_be_asked_for(call: Call, http: aiohttp.ClientSession) -> None:
    for kind in ("Deployment", "ReplicaSet"):
        path = f"/apis/apps/v1/namespaces/default/{kind.lower()}s"
        code, status = await call("POST", path, {**stateful_set(), "kind": kind, "apiVersion": "apps/v1"})
        assert (code, status["reason"]) == (405, "MethodNotAllowed")
        assert (await call("GET", path))[0] == 200
    body = {key: stateful_set()["spec"][key] for key in ("selector", "template")}
    made = {"metadata": {"name": "odd"}, "spec": body}
    async with http.post("/apis/apps/v1/namespaces/default/daemonsets", json=made) as reply:
        assert reply.status == 201
        assert "their pods are not made" in reply.headers["Warning"]


class Stumbling(Controller):
    """Meets an object that it was not made for, once."""

    watches = frozenset({"pods"})
    again: asyncio.Event | None = None

    def reconcile(self) -> float | None:
        if self.again is None:
            self.again = asyncio.Event()
            raise KeyError("name")
        self.again.set()
        return None


async def test_a_controller_goes_on_after_a_defect(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("zktui.demo.controllers.base.RETRY", 0.01)
    controller = Stumbling(store, EventRecorder(store))
    running = asyncio.create_task(controller.run())
    await asyncio.sleep(0)
    assert controller.again is not None
    await asyncio.wait_for(controller.again.wait(), 10)
    running.cancel()
    assert "Stumbling" in caplog.text


def test_a_node_without_a_kubelet_takes_no_heartbeat_from_the_others(store: Store, tmp_path: Path) -> None:
    store.create("namespaces", {"metadata": {"name": "kube-node-lease"}})
    store.create("nodes", {"metadata": {"name": "a-node-that-never-was"}})
    network = Network(tmp_path)
    create_node(store, network, 5, "v1.37.2")
    network.close()
    NodeController(store, EventRecorder(store)).reconcile()
    assert store.find("leases.coordination.k8s.io", "kube-node-lease", "node-5") is not None


@pytest.mark.parametrize("namespace", ["..", "../..", ""])
def test_a_volume_of_the_user_s_takes_no_folder_along(store: Store, tmp_path: Path, namespace: str) -> None:
    root = tmp_path / "state"
    controller = ClaimController(store, EventRecorder(store), root)
    kept = [root / "kept", tmp_path / "kept", root / "volumes" / "default" / "kept"]
    for folder in kept:
        folder.mkdir(parents=True)
    claim = {"namespace": namespace, "name": "kept" if namespace else ""}
    spec = {"capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Delete"}
    for name, reference in (("bound", {**claim, "uid": "gone"}), ("waiting", claim)):
        store.create(VOLUMES, {"metadata": {"name": name}, "spec": {**copy.deepcopy(spec), "claimRef": reference}})
    controller.reconcile()
    assert all(folder.is_dir() for folder in kept)
    assert store.find(VOLUMES, "", "waiting") is not None, "it was never bound"


def test_a_claim_on_a_volume_by_name_waits_for_it(store: Store, tmp_path: Path) -> None:
    store.create("persistentvolumeclaims", {"metadata": {"name": "odd"}, "spec": {"volumeName": "elsewhere"}})
    ClaimController(store, EventRecorder(store), tmp_path).reconcile()
    assert thaw(store.get("persistentvolumeclaims", "default", "odd"))["status"]["phase"] == "Pending"
