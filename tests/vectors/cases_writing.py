"""Changes and their refusals: who may, what is valid, who was first, and what the server warns of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.vectors.cases_reading import stateful_set, with_node
from tests.vectors.wire import MERGE, Case, Object, Wire, pod_body

MANIFEST = Path(__file__).parent / "manifest.yaml"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
OTHER = "11111111-2222-4333-8444-555555555555"


async def permissions(wire: Wire) -> None:
    await wire.make_pod("zk-0")
    pod, node = wire.core("pods", "zk-0"), "/api/v1/nodes/node-7"
    await wire.ask("get a pod", "GET", pod, denied=("get", "pods"))
    await wire.ask("list pods of a namespace", "GET", wire.core("pods"), denied=("list", "pods"))
    await wire.ask("list pods of all", "GET", "/api/v1/pods", denied=("list", "pods"))
    await wire.ask("list nodes", "GET", "/api/v1/nodes", denied=("list", "nodes"))
    cordon = {"spec": {"unschedulable": True}}
    await wire.ask("cordon", "PATCH", node, cordon, headers={"Content-Type": MERGE}, denied=("patch", "nodes"))
    lease = wire.group("coordination.k8s.io", "leases")
    await wire.ask("create a lease", "POST", lease, lease_body(), denied=("create", "leases"))
    await wire.ask("read a log", "GET", f"{pod}/log", denied=("get", "pods/log"))
    await wire.ask("forward a port", "GET", f"{pod}/portforward?ports=2181", denied=("get", "pods/portforward"))
    await wire.ask("delete many", "DELETE", wire.core("pods"), denied=("deletecollection", "pods"))
    wrong = {"Authorization": "Bearer nonsense"}
    await wire.ask("a wrong token", "GET", wire.core("pods"), headers=wrong, nobody=True)
    await wire.ask("a wrong token for what is public", "GET", "/version", headers=wrong, nobody=True)
    await wire.ask("no token", "GET", wire.core("pods"), nobody=True)
    await wire.ask("no token for a node", "GET", "/api/v1/nodes/node-7", nobody=True)


async def access_reviews(wire: Wire) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    def body(**attributes: str) -> Object:
        spec = {"resourceAttributes": attributes}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}

    wanted = {"verb": "create", "resource": "pods", "subresource": "eviction", "namespace": wire.namespace}
    await wire.ask("may", "POST", path, body(**wanted))
    await wire.ask("may not", "POST", path, body(**wanted), denied=("create", "pods/eviction"))
    empty: Object = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {}}
    await wire.ask("asks nothing", "POST", path, empty)


def lease_body(**metadata: Any) -> Object:
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 30, "renewTime": "2026-01-01T00:00:00.000000Z"}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "zktui", **metadata},
        "spec": spec,
    }


async def leases(wire: Wire) -> None:
    path = wire.group("coordination.k8s.io", "leases")
    await wire.ask("not there", "GET", f"{path}/zktui")
    made = await wire.ask("created", "POST", path, lease_body())
    await wire.ask("created again", "POST", path, lease_body())
    version, uid = made["metadata"]["resourceVersion"], made["metadata"]["uid"]
    renewed = await wire.ask("renewed", "PUT", f"{path}/zktui", lease_body(resourceVersion=version, uid=uid))
    newer = lease_body(resourceVersion=version)
    newer["spec"]["holderIdentity"] = "b"
    again = await wire.do("PUT", f"{path}/zktui", {**newer, "metadata": renewed["metadata"]})
    await wire.ask("renewed with an old version", "PUT", f"{path}/zktui", newer)
    await wire.ask("renewed without a version", "PUT", f"{path}/zktui", lease_body())
    other = lease_body(resourceVersion=again["metadata"]["resourceVersion"], uid=OTHER)
    await wire.ask("renewed with another uid", "PUT", f"{path}/zktui", other)
    await wire.ask("renewed, though not there", "PUT", f"{path}/other", {**newer, "metadata": {"name": "other"}})
    await wire.ask("under another name", "PUT", f"{path}/other", newer)
    bad = lease_body(name="bad")
    bad["spec"]["leaseDurationSeconds"] = 0
    await wire.ask("for no time", "POST", path, bad)
    gone = {"preconditions": {"uid": OTHER}}
    await wire.ask("deleted with another uid", "DELETE", f"{path}/zktui", gone)
    old = {"preconditions": {"resourceVersion": version}}
    await wire.ask("deleted with an old version", "DELETE", f"{path}/zktui", old)
    await wire.ask("deleted", "DELETE", f"{path}/zktui")
    await wire.ask("deleted again", "DELETE", f"{path}/zktui")


async def cordons(wire: Wire) -> None:
    await with_node(wire, "cordon-node", lambda: _cordons(wire))


async def _cordons(wire: Wire) -> None:
    path = "/api/v1/nodes/cordon-node"
    node = await wire.do("GET", path)
    uid, version = node["metadata"]["uid"], node["metadata"]["resourceVersion"]

    async def patch(said: str, spec: Any, kind: str = MERGE, **metadata: Any) -> Any:
        body = {"metadata": metadata, "spec": spec} if metadata else {"spec": spec}
        return await wire.ask(said, "PATCH", path, body, headers={"Content-Type": kind})

    await patch("another uid", {"unschedulable": True}, uid=OTHER)
    await patch("another uid and an old version", {"unschedulable": True}, uid=OTHER, resourceVersion="1")
    await patch("cordoned", {"unschedulable": True}, uid=uid, resourceVersion=version)
    await patch("an old version", {"unschedulable": None}, uid=uid, resourceVersion=version)
    await patch("cordoned again", {"unschedulable": True})
    await patch("uncordoned", {"unschedulable": None}, uid=uid)
    await patch("as kubectl does", {"unschedulable": True}, STRATEGIC)
    await patch("annotated", {}, uid=uid, annotations={"zktui.io/run": "r1"})
    await patch("not a truth value", {"unschedulable": "yes"})
    await wire.ask("of a node that is not there", "PATCH", "/api/v1/nodes/nowhere", {}, headers={"Content-Type": MERGE})


async def conflicts(wire: Wire) -> None:
    sets = wire.group("apps", "statefulsets")
    made = await wire.do("POST", sets, stateful_set())
    await wire.do("PATCH", f"{sets}/zk", {"spec": {"replicas": 5}}, MERGE)
    await wire.ask("created again", "POST", sets, stateful_set())
    await wire.ask("an old version", "PUT", f"{sets}/zk", made)
    metadata = {"uid": OTHER}
    await wire.ask("another uid", "PATCH", f"{sets}/zk", {"metadata": metadata}, headers={"Content-Type": MERGE})
    test = [{"op": "test", "path": "/spec/replicas", "value": 3}]
    await wire.ask("a test that fails", "PATCH", f"{sets}/zk", test, headers={"Content-Type": JSON_PATCH})
    missing = [{"op": "replace", "path": "/spec/nothing/at/all", "value": 3}]
    await wire.ask("a path that is none", "PATCH", f"{sets}/zk", missing, headers={"Content-Type": JSON_PATCH})
    await wire.ask("a version to be created", "POST", sets, {**made, "metadata": {"name": "b", "resourceVersion": "1"}})
    await wire.ask("deleted", "DELETE", f"{sets}/zk")
    await wire.make_pod("zk-0")
    wrong = {"preconditions": {"uid": OTHER}}
    await wire.ask("a pod deleted with another uid", "DELETE", wire.core("pods", "zk-0"), wrong)
    await wire.ask("a pod deleted", "DELETE", wire.core("pods", "zk-0"))
    await wire.ask("a pod deleted for good", "DELETE", wire.core("pods", "zk-0"), {"gracePeriodSeconds": 0})


async def invalid(wire: Wire) -> None:
    budgets = wire.group("policy", "poddisruptionbudgets")
    select: Object = {"selector": {"matchLabels": {"app": "zk"}}}
    both = {"metadata": {"name": "both"}, "spec": {"minAvailable": 1, "maxUnavailable": 1, **select}}
    await wire.ask("a budget with both bounds", "POST", budgets, both)
    policy = {"metadata": {"name": "policy"}, "spec": {"unhealthyPodEvictionPolicy": "Never", **select}}
    await wire.ask("a policy that is none", "POST", budgets, policy)
    share = {"metadata": {"name": "share"}, "spec": {"minAvailable": "half", **select}}
    await wire.ask("a share that is none", "POST", budgets, share)
    await wire.ask("a name that is none", "POST", wire.core("pods"), pod_body("Zk_0", None))
    await wire.ask("no name", "POST", wire.core("pods"), {"spec": pod_body("x", None)["spec"]})
    await wire.ask(
        "no containers", "POST", wire.core("pods"), {"metadata": {"name": "zk-0"}, "spec": {"containers": []}}
    )
    sets = wire.group("apps", "statefulsets")
    unlike = stateful_set(selector={"matchLabels": {"app": "other"}})
    await wire.ask("a selector unlike its template", "POST", sets, unlike)
    await wire.do("POST", sets, stateful_set())
    change = {"spec": {"serviceName": "other"}}
    await wire.ask("a field for good", "PATCH", f"{sets}/zk", change, headers={"Content-Type": MERGE})
    await wire.make_pod("zk-0")
    moved = {"spec": {"nodeName": "elsewhere"}}
    await wire.ask("a pod to be moved", "PATCH", wire.core("pods", "zk-0"), moved, headers={"Content-Type": MERGE})


async def malformed(wire: Wire) -> None:
    pods, json_type = wire.core("pods"), {"Content-Type": "application/json"}
    await wire.make_pod("zk-0")
    await wire.ask("no JSON", "POST", pods, "{", headers=json_type)
    await wire.ask("another kind", "POST", pods, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}})
    await wire.ask("another version", "POST", pods, {"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "a"}})
    other = {"metadata": {"name": "a", "namespace": "other"}}
    await wire.ask("another namespace", "POST", pods, other)
    await wire.ask("another name", "PUT", f"{pods}/zk-0", {"metadata": {"name": "zk-1"}})
    await wire.ask("as text", "POST", pods, "hello", headers={"Content-Type": "text/plain"})
    await wire.ask("a patch as JSON", "PATCH", f"{pods}/zk-0", {}, headers=json_type)
    await wire.ask("a list for a merge", "PATCH", f"{pods}/zk-0", [], headers={"Content-Type": MERGE})
    await wire.ask("an object for a JSON patch", "PATCH", f"{pods}/zk-0", {}, headers={"Content-Type": JSON_PATCH})
    await wire.ask("put on all", "PUT", pods, pod_body("a", None))
    await wire.ask("post on one", "POST", f"{pods}/zk-0", pod_body("zk-0", None))
    await wire.ask("delete a status", "DELETE", f"{pods}/zk-0/status")
    await wire.ask("post on all namespaces", "POST", "/api/v1/pods", pod_body("a", None))
    await wire.ask("post a node's path", "POST", "/api/v1/nodes/a", {})
    await wire.ask("a namespace that is none", "POST", "/api/v1/namespaces/nowhere/pods", pod_body("a", None))


async def terminating_namespace(wire: Wire) -> None:
    """Without controllers it stays so."""
    space = {"metadata": {"name": "ending"}}
    await wire.do("POST", "/api/v1/namespaces", space)
    await wire.do("POST", "/api/v1/namespaces/ending/serviceaccounts", {"metadata": {"name": "default"}})
    await wire.ask("deleted", "DELETE", "/api/v1/namespaces/ending")
    await wire.ask("a pod in it", "POST", "/api/v1/namespaces/ending/pods", pod_body("a", None))
    await wire.ask("default, deleted", "DELETE", "/api/v1/namespaces/default")


async def warned(wire: Wire) -> None:
    """Things that are done, and could go wrong."""
    await wire.ask("endpoints", "GET", wire.core("endpoints"))
    await wire.ask("a pod whose name is no label", "POST", wire.core("pods"), pod_body("zk.0", None))
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    pod = pod_body("zk-1", None, containers=[{"name": "c", "image": "i:1", "env": twice}])
    await wire.ask("a pod with a variable twice", "POST", wire.core("pods"), pod)
    old = pod_body("zk-2", None, nodeSelector={"beta.kubernetes.io/os": "linux"})
    await wire.ask("a pod with an old label", "POST", wire.core("pods"), old)
    field = pod_body("zk-3", None, nonsense=1)
    await wire.ask("an unknown field", "POST", wire.core("pods") + "?fieldValidation=Warn", field)
    await wire.ask("an unknown field, strictly", "POST", wire.core("pods") + "?fieldValidation=Strict", field)
    await wire.ask("an unknown field, by default", "POST", wire.core("pods"), pod_body("zk-4", None, nonsense=1))


async def deployed(wire: Wire) -> None:
    """An ensemble as the project's manifest has it, as it is stored: with what the server fills in."""
    for obj in yaml.safe_load_all(MANIFEST.read_text()):
        group, _, _ = obj["apiVersion"].rpartition("/")
        plural = obj["kind"].lower() + "s"
        path = wire.group(group, plural) if group else wire.core(plural)
        await wire.ask(f"{plural} {obj['metadata']['name']}", "POST", path, obj)


async def strategies(wire: Wire) -> None:
    """What the server fills into a StatefulSet's update strategy, and what is left when a part is taken away."""
    sets = wire.group("apps", "statefulsets")
    await wire.ask("none", "POST", sets, stateful_set())
    await wire.do("DELETE", f"{sets}/zk")
    await wire.ask("a type alone", "POST", sets, stateful_set(updateStrategy={"type": "RollingUpdate"}))

    async def patch(said: str, rolling: Object | None) -> None:
        body = {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}}
        await wire.ask(said, "PATCH", f"{sets}/zk", body, headers={"Content-Type": STRATEGIC})

    await patch("a partition", {"partition": 3})
    await patch("no partition", {"partition": None})
    await patch("nothing beside the type", None)
    await patch("two unavailable", {"maxUnavailable": 2})
    by_hand = {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
    await wire.ask("by hand", "PATCH", f"{sets}/zk", by_hand, headers={"Content-Type": STRATEGIC})


async def public(wire: Wire) -> None:
    """What a client asks before it knows anything."""
    await wire.ask("ready", "GET", "/readyz")
    await wire.ask("alive, without a token", "GET", "/livez", nobody=True)
    await wire.ask("nowhere", "GET", "/nowhere")
    await wire.ask("nowhere, without a token", "GET", "/nowhere", nobody=True)


CASES: dict[str, Case] = {
    "deployed": deployed,
    "permissions": permissions,
    "access-reviews": access_reviews,
    "leases": leases,
    "cordons": cordons,
    "conflicts": conflicts,
    "invalid": invalid,
    "malformed": malformed,
    "terminating-namespace": terminating_namespace,
    "warned": warned,
    "strategies": strategies,
    "public": public,
}
