"""Lays a case's contents on a node, drains it with one of the two programs, and looks at what became of the pods."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.e2e import images
from tests.e2e.parity import Case, Content, End, Fate, Owner
from tests.e2e.stage import RealStage
from tests.scenarios.api import PATCH_TYPES, Api
from tests.scenarios.stage import Ended, Stage, eventually

SPACE = "parity"
"""Another namespace than the ensemble's: a drain takes the pods of all."""
PLACES = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": f"/api/v1/namespaces/{SPACE}/configmaps",
    "ServiceAccount": f"/api/v1/namespaces/{SPACE}/serviceaccounts",
    "Pod": f"/api/v1/namespaces/{SPACE}/pods",
    "DaemonSet": f"/apis/apps/v1/namespaces/{SPACE}/daemonsets",
    "PodDisruptionBudget": f"/apis/policy/v1/namespaces/{SPACE}/poddisruptionbudgets",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
NODES = "/api/v1/nodes"
FINALIZER = "zktui.test/held"
HOSTNAME = "kubernetes.io/hostname"
AGED = 2.2
"""Seconds past its deletionTimestamp for a pod that terminates for long: kubectl counts whole ones."""
PATIENCE = 120.0


@dataclass(frozen=True)
class Seen:
    """What one program did with the contents."""

    end: End
    fates: dict[str, Fate]
    graces: dict[str, int]
    """deletionGracePeriodSeconds of the pods that went."""
    said: str


class Rig:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.api = Api(stage.kubeconfig)
        self.real = isinstance(stage, RealStage)
        self._static: Path | None = None
        self.laid: Case | None = None
        """Whose contents are on the node, as they were laid."""
        self._identities: dict[str, Any] = {}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        self.apply(_named("v1", "ConfigMap", "controller"))

    # -- the cluster: asked without a program for each question, which would cost more than the drains

    def kubectl(self, *words: str, timeout: float = 60.0) -> Ended:
        return self.stage.kubectl(*words, timeout=timeout)

    def must(self, *words: str) -> str:
        ended = self.kubectl(*words)
        assert ended.code == 0, ended
        return ended.out

    def apply(self, *objects: dict[str, Any]) -> None:
        for each in objects:
            self.api.apply(f"{PLACES[each['kind']]}/{each['metadata']['name']}", each, "parity")

    def pods(self) -> dict[str, Any]:
        """The contents by key."""
        return _by_key(self.api.get(PLACES["Pod"]))

    def cordoned(self, node: str) -> bool:
        return bool(self.api.get(f"{NODES}/{node}")["spec"].get("unschedulable"))

    def cordon(self, node: str, on: bool) -> None:
        self.api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": on or None}})

    def members(self) -> dict[str, Any]:
        """The ensemble's pods by the node they are on."""
        pods = self.api.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dzk")["items"]
        return {pod["spec"]["nodeName"]: pod["metadata"] for pod in pods}

    def spare(self) -> str:
        """The node without a member."""
        used = self.members()
        names = [node["metadata"]["name"] for node in self.api.get(NODES)["items"]]
        return next(name for name in names if name not in used)

    # -- contents

    def lay(self, case: Case, node: str) -> None:
        """Create the case's pods on the node, and wait until each is as the case wants it."""
        wanted = {content.key: content for content in case.contents}
        owner = self.api.get(f"{PLACES['ConfigMap']}/controller")["metadata"]["uid"]
        objects: list[dict[str, Any]] = []
        for content in wanted.values():
            objects += [_budget(content, number) for number in range(1, content.budgets + 1)]
            if content.owner is Owner.DAEMONSET:
                self._daemonset(content, node)
            elif content.static and self.real:
                self._static_pod(content, node)
            else:
                objects.append(self._pod(content, node, owner))
        if objects:
            self.apply(*objects)
        if wanted:
            eventually(f"the pods of {sorted(wanted)}", lambda: self._as_wanted(wanted), PATIENCE, 0.3)
        if ending := [c for c in wanted.values() if c.deleted]:
            names = [c.key for c in ending]
            for name in names:
                self.api.delete(f"{PLACES['Pod']}/{name}", grace=1)
            eventually(f"{names} to be terminating for long", lambda: self._aged(names), PATIENCE, 0.3)
        if any(content.budgets for content in wanted.values()):
            eventually("the budgets to be judged", self._budgets_judged, PATIENCE, 0.2)
        self.laid, self._identities = case, _identities(self.pods())

    def _pod(self, content: Content, node: str, owner: str) -> dict[str, Any]:
        pod = _pod(content, node)
        metadata = pod["metadata"]
        if content.owner is Owner.OTHER and not content.static:
            metadata["ownerReferences"] = [_owner("v1", "ConfigMap", "controller", owner)]
        elif content.owner is Owner.ABSENT_DAEMONSET:
            metadata["ownerReferences"] = [_owner("apps/v1", "DaemonSet", "absent", _unknown_uid())]
        elif content.owner is Owner.FOREIGN_DAEMONSET:
            reference = _owner("apps.example.test/v1", "DaemonSet", "elsewhere", _unknown_uid())
            metadata["ownerReferences"] = [reference]
        if content.static:  # on the embedded cluster: what its mirror looks like
            uid = self.api.get(f"{NODES}/{node}")["metadata"]["uid"]
            metadata["annotations"] = {"kubernetes.io/config.mirror": "1"}
            metadata["ownerReferences"] = [_owner("v1", "Node", node, uid)]
        return pod

    def _daemonset(self, content: Content, node: str) -> None:
        """A real one where a controller makes its pod; else the pod is made here, with the DaemonSet as its owner."""
        labels = {"parity": content.key}
        template = _pod(content, "")
        del template["apiVersion"], template["kind"], template["metadata"]["name"], template["metadata"]["namespace"]
        template["spec"]["nodeSelector"] = {HOSTNAME: node}
        template["spec"]["restartPolicy"] = "Always"
        made = _named("apps/v1", "DaemonSet", content.key)
        self.apply({**made, "spec": {"selector": {"matchLabels": labels}, "template": template}})
        if not self.real:
            found = self.api.get(f"{PLACES['DaemonSet']}/{content.key}")
            pod = _pod(content, node)
            reference = _owner("apps/v1", "DaemonSet", content.key, found["metadata"]["uid"])
            pod["metadata"]["ownerReferences"] = [reference]
            self.apply(pod)

    def _static_pod(self, content: Content, node: str) -> None:
        assert isinstance(self.stage, RealStage)
        folder = self.stage.cluster.folder / node / "manifests"
        self._static = folder / f"{content.key}.json"
        pod = _pod(content, "")
        # Its UID is a hash of this text, and a kubelet does not soon run again one that has just ended.
        pod["metadata"]["annotations"] = {"laid": str(time.time_ns())}
        self._static.write_text(json.dumps(pod))

    def _as_wanted(self, wanted: dict[str, Content]) -> bool:
        pods = self.pods()
        return pods.keys() == wanted.keys() and all(
            pods[key]["status"].get("phase") == content.phase for key, content in wanted.items()
        )

    def _aged(self, names: list[str]) -> bool:
        pods = self.pods()
        return all(
            time.time() - _when(pods[n]["metadata"]["deletionTimestamp"]) > AGED and _ended(pods[n]) for n in names
        )

    def _budgets_judged(self) -> bool:
        """Of several that cover one pod the controller follows one only."""
        statuses = [budget.get("status", {}) for budget in self.api.get(PLACES["PodDisruptionBudget"])["items"]]
        healthy = any(status.get("currentHealthy") == 1 for status in statuses)
        return healthy and all(status.get("observedGeneration") == 1 for status in statuses)

    def tidy(self, node: str, *, last: bool) -> None:
        """Undo what a drain did. What it has left as it was stays for the next one, unless this was the last."""
        self.cordon(node, False)
        if last or self.laid is None or _identities(self.pods()) != self._identities:
            self.laid = None
            self._clear()

    def _clear(self) -> None:
        """Take the contents away, whatever state they are in."""
        if self._static is not None:
            self._static.unlink()
            self._static = None
        for kind in ("DaemonSet", "PodDisruptionBudget"):
            self.api.delete(PLACES[kind])
        for name, pod in _by_name(self.api.get(PLACES["Pod"])).items():
            if pod["metadata"].get("finalizers"):
                self.api.send(
                    "PATCH", f"{PLACES['Pod']}/{name}", {"metadata": {"finalizers": None}}, PATCH_TYPES["merge"]
                )
        self.api.delete(PLACES["Pod"], grace=0)
        eventually(f"no pod in {SPACE}", lambda: not self.pods(), PATIENCE, 0.3)

    # -- draining

    def drain(self, program: str, case: Case, node: str) -> Seen:
        """Run one of the programs on what lies on the node."""
        if case.cordoned_before:
            self.cordon(node, True)
        listed = self.api.get(PLACES["Pod"])
        before, member = _by_key(listed), self.members().get(node)
        run = self._kubectl_drain if program == "kubectl" else self._zktui_maintain
        end, named, said = run(case, node)
        after = self.pods()
        graces = self._graces(listed["metadata"]["resourceVersion"], before, after)
        fates = {
            key: _fate(pod, after.get(key), announced=key in named if case.dry else None) for key, pod in before.items()
        }
        if end is End.REFUSED:
            fates |= dict.fromkeys(named, Fate.REFUSED)
        elif not case.dry:
            went = {key for key, fate in fates.items() if fate is Fate.GONE}
            assert went <= named, f"{program} did not say that {went - named} went: {said}"
        if member is not None:
            now = self.api.send("GET", f"/api/v1/namespaces/default/pods/{member['name']}")
            assert now.code == 404 or now.body["metadata"]["uid"] != member["uid"], (
                f"{program} did not move {member['name']}: {said}"
            )
        return Seen(end, fates, graces, said)

    def _kubectl_drain(self, case: Case, node: str) -> tuple[End, set[str], str]:
        where = f"--selector={HOSTNAME}={node}" if case.by_label else node
        dry = ["--dry-run=server"] if case.dry else []
        ended = self.kubectl("drain", where, *case.options, *dry, timeout=PATIENCE)
        said = ended.out + ended.err
        began = self._named(re.findall(rf"evicting pod {SPACE}/(\S+)", said))
        if ended.code == 0:
            return End.DONE, began, said
        assert ended.code == 1, ended
        if began:
            return End.GAVE_UP, began, said
        return End.REFUSED, self._named(re.findall(rf"{SPACE}/([\w-]+)", said)), said

    def _zktui_maintain(self, case: Case, node: str) -> tuple[End, set[str], str]:
        where = f"--selector={HOSTNAME}={node}" if case.by_label else node
        how = ["--plan", "-o", "json"] if case.dry else ["--yes", "--hold", "leave", "-o", "jsonl"]
        ended = self.stage.zktui("maintain", where, *case.options, *how, timeout=PATIENCE)
        said = ended.out + ended.err
        lines = [ended.json()] if case.dry else ended.documents()
        plan, journal = lines[0], lines[1:]
        verdicts = {other["pod"]: other["verdict"] for other in plan["nodes"][0]["others"]}
        if not plan["go"]:
            assert ended.code == 3, ended
            return End.REFUSED, self._named(n for n, v in verdicts.items() if v == "refuse"), said
        if case.dry:
            assert ended.code == 0, ended
            return End.DONE, self._named(n for n, v in verdicts.items() if v == "evict"), said
        sent = self._named(event["pod"].rpartition("/")[2] for event in journal if event["kind"] == "evict")
        status = journal[-1]["status"]
        assert (ended.code == 0) == (status == "done"), ended
        return (End.DONE if ended.code == 0 else End.GAVE_UP), sent, said

    def _named(self, names: Iterable[str]) -> set[str]:
        """Keys of pods named by a program; a DaemonSet's and a static pod have the key as the first part."""
        return {re.sub(r"^(daemon|mirror)-.*", r"\1", name) for name in names}

    def _graces(self, since: str, before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
        """Each ended or ending pod's grace, from the first of its deletions that a watch since then tells."""
        gone = {pod["metadata"]["uid"] for pod in before.values()} - {p["metadata"]["uid"] for p in after.values()}
        graces: dict[str, int] = {}

        def learn(metadata: dict[str, Any], deleted: bool) -> None:
            if "deletionTimestamp" in metadata:
                graces.setdefault(metadata["labels"]["parity"], metadata["deletionGracePeriodSeconds"])
            elif deleted:  # without any grace: it was never seen terminating
                graces.setdefault(metadata["labels"]["parity"], 0)

        for pod in before.values():
            learn(pod["metadata"], False)
        if gone:
            for event in self.api.watch(PLACES["Pod"], since, 20):
                metadata = event["object"]["metadata"]
                learn(metadata, event["type"] == "DELETED")
                if event["type"] == "DELETED":
                    gone.discard(metadata["uid"])
                if not gone:
                    break
        assert not gone, f"the watch did not tell of the end of {gone}"
        for pod in after.values():
            learn(pod["metadata"], False)
        return graces

    def user_without_cordon(self) -> Path:
        """A kubeconfig of somebody who may do all that a drain needs but change nodes. Real cluster only."""
        rules = [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["pods/eviction", "pods/portforward"], "verbs": ["create"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "update"]},
        ]
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "evicts"}}
        who = {"kind": "ServiceAccount", "name": "evicts", "namespace": SPACE}
        grants = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "evicts"}}
        binding = {**role, "kind": "ClusterRoleBinding", **grants, "subjects": [who]}
        self.apply(_named("v1", "ServiceAccount", "evicts"), {**role, "rules": rules}, binding)
        token = self.must("create", "token", "evicts", "-n", SPACE).strip()
        config = json.loads(self.must("config", "view", "--raw", "-o", "json"))
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        path = self.stage.folder / "evicts.kubeconfig"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    @contextmanager
    def without_garbage_collector(self) -> Generator[None]:
        """A real one deletes at once a pod whose owner does not exist; kubectl drain's rule is for when it is late."""
        if not isinstance(self.stage, RealStage):
            yield
            return
        (manager,) = (p for p in self.stage.cluster.ledger.processes if p.name == "kube-controller-manager")
        os.kill(manager.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(manager.pid, signal.SIGCONT)


def _named(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": SPACE}}


def _unknown_uid() -> str:
    return "00000000-0000-4000-8000-000000000000"


def _owner(version: str, kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}


def _pod(content: Content, node: str) -> dict[str, Any]:
    """`node` empty: left to whoever makes it."""
    image = images.ZOOKEEPER if content.command else images.PAUSE
    container: dict[str, Any] = {"name": "main", "image": image, "imagePullPolicy": "Never"}
    if content.command:
        container["command"] = list(content.command)
    pod = _named("v1", "Pod", content.key)
    pod["metadata"]["labels"] = {"parity": content.key, "tier": content.tier}
    if content.held:
        pod["metadata"]["finalizers"] = [FINALIZER]
    spec: dict[str, Any] = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": content.grace,
        "automountServiceAccountToken": False,
    }
    if node:
        spec["nodeName"] = node
    if content.empty_dir:
        spec["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    return {**pod, "spec": spec}


def _budget(content: Content, number: int) -> dict[str, Any]:
    made = _named("policy/v1", "PodDisruptionBudget", f"{content.key}-{number}")
    return {**made, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"parity": content.key}}}}


def _identities(pods: dict[str, Any]) -> dict[str, Any]:
    """Which pods these are, and when they were deleted."""
    return {key: (pod["metadata"]["uid"], pod["metadata"].get("deletionTimestamp")) for key, pod in pods.items()}


def _ended(pod: Any) -> bool:
    states = pod["status"].get("containerStatuses", [])
    return bool(states) and all("terminated" in state["state"] for state in states)


def _by_key(pods: Any) -> dict[str, Any]:
    return {pod["metadata"]["labels"]["parity"]: pod for pod in pods["items"]}


def _by_name(pods: Any) -> dict[str, Any]:
    return {pod["metadata"]["name"]: pod for pod in pods["items"]}


def _when(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _fate(before: Any, after: Any | None, *, announced: bool | None) -> Fate:
    """`announced`: for a dry run, whether it was said to be evicted; then nothing may have changed."""
    now: dict[str, Any] | None = after and after["metadata"]
    if now is not None and now["uid"] != before["metadata"]["uid"]:
        now = None
    if announced is not None:
        assert now is not None, "a dry run took a pod away"
        assert ("deletionTimestamp" in before["metadata"]) == ("deletionTimestamp" in now), "a dry run deleted a pod"
    if now is None or announced:
        return Fate.GONE
    return Fate.ENDING if "deletionTimestamp" in now else Fate.STAYS
