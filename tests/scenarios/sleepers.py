"""A StatefulSet of pods that only sleep, in a namespace of its own: budgets can be tried on it within seconds.

A sleeper is Ready while its file /flags/ready is there, so that a scenario decides who is healthy.
"""

from __future__ import annotations

import uuid
from typing import Any

from tests.scenarios.api import Api, Reply
from tests.scenarios.stage import eventually

BUDGETS = "/apis/policy/v1/namespaces/{}/poddisruptionbudgets"
LABELS = {"app": "sleep"}


class Sleepers:
    """Three sleepers, all Ready. Ends by `end`.

    With ``simulated`` no kubelet looks at their files: they are Ready from the start, and as `flag` says.
    """

    def __init__(self, api: Api, count: int = 3, *, simulated: bool = False) -> None:
        self.api = api
        self.simulated = simulated
        self.namespace = f"sleepers-{uuid.uuid4().hex[:8]}"
        self.names = [f"sleep-{number}" for number in range(count)]
        api.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        account = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/default"
        eventually("the namespace's ServiceAccount", lambda: api.send("GET", account).code == 200)
        api.create(f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets", self._stateful_set(count))
        for name in self.names:
            eventually(f"{name} to run", lambda pod=name: self.phase(pod) == "Running", 60.0)
        self.all_ready()

    def _stateful_set(self, count: int) -> Any:
        template = {"metadata": {"labels": LABELS}, "spec": sleeping("cat", "/flags/ready")}
        spec = {
            "serviceName": "sleep",
            "replicas": count,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": LABELS},
            "template": template,
        }
        return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "sleep"}, "spec": spec}

    def end(self) -> None:
        """Delete the namespace and wait until it is gone."""
        path = f"/api/v1/namespaces/{self.namespace}"
        self.api.delete(path)
        self.api.gone(path)

    # -- pods ------------------------------------------------------------------------------------------------------

    def path(self, pod: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{pod}"

    def pod(self, name: str) -> Any:
        """The pod; an empty object while it is absent."""
        reply = self.api.send("GET", self.path(name))
        return reply.body if reply.code == 200 else {"metadata": {}, "status": {}}

    def phase(self, name: str) -> str:
        return self.pod(name)["status"].get("phase", "")

    def uid(self, name: str) -> str:
        return self.pod(name)["metadata"]["uid"]

    def is_ready(self, name: str) -> bool:
        pod = self.pod(name)
        conditions = pod["status"].get("conditions", ())
        up = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return up and "deletionTimestamp" not in pod["metadata"]

    def flag(self, name: str, ready: bool) -> None:
        """Make a sleeper Ready or not, and wait until it is."""
        if self.simulated:
            condition = {"type": "Ready", "status": "True" if ready else "False"}
            self.api.patch(f"{self.path(name)}/status", {"status": {"conditions": [condition]}}, "strategic")
            return
        command = ["touch", "/flags/ready"] if ready else ["rm", "-f", "/flags/ready"]

        def said() -> bool:
            return self.api.exec(self.namespace, name, *command).code == 0

        eventually(f"{' '.join(command)} in {name}", said)
        eventually(f"{name} to be {'Ready' if ready else 'unready'}", lambda: self.is_ready(name) is ready)

    def all_ready(self) -> None:
        """Every sleeper there and Ready, those that were reborn too."""
        for name in self.names:

            def runs(pod: str = name) -> bool:
                found = self.pod(pod)
                return found["status"].get("phase") == "Running" and "deletionTimestamp" not in found["metadata"]

            eventually(f"{name} to run", runs)
            if self.simulated:
                eventually(f"kwok to have judged {name}", lambda pod=name: self._judged(pod))
            if not self.is_ready(name):
                self.flag(name, True)

    def _judged(self, name: str) -> bool:
        return any(condition["type"] == "Ready" for condition in self.pod(name)["status"].get("conditions", ()))

    def reborn(self, name: str, uid: str) -> None:
        """Wait until another pod of that name is there."""
        eventually(f"{name} to be made anew", lambda: self.pod(name)["metadata"].get("uid", uid) != uid)

    def evict(self, name: str, uid: str | None = None, *, dry_run: bool = False) -> Reply:
        return self.api.evict(self.namespace, name, uid, dry_run=dry_run)

    # -- budgets -----------------------------------------------------------------------------------------------------

    def budget(self, name: str) -> Any:
        return self.api.get(f"{BUDGETS.format(self.namespace)}/{name}")

    def make_budget(self, name: str, labels: dict[str, str] | None = None, **spec: Any) -> Reply:
        """POST a budget for all sleepers, or for the pods with these labels."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": labels or LABELS}, **spec},
        }
        return self.api.send("POST", BUDGETS.format(self.namespace), body)

    def change_budget(self, name: str, **spec: Any) -> None:
        self.api.patch(f"{BUDGETS.format(self.namespace)}/{name}", {"spec": spec})

    def settled(self, name: str, **status: int) -> Any:
        """The budget once its controller has seen its last change and its status is the one expected."""

        def look() -> Any | None:
            budget = self.budget(name)
            found = budget["status"]
            seen = found.get("observedGeneration") == budget["metadata"]["generation"]
            return budget if seen and all(found.get(key) == value for key, value in status.items()) else None

        try:
            return eventually(f"budget {name} with {status}", look, 15.0)
        except AssertionError as why:
            raise AssertionError(f"{why}\n{self.budget(name)['status']}") from why

    def drop_budgets(self) -> None:
        for budget in self.api.get(BUDGETS.format(self.namespace))["items"]:
            self.api.delete(f"{BUDGETS.format(self.namespace)}/{budget['metadata']['name']}")


def sleeping(*ready: str, grace: int = 1) -> Any:
    """A pod's spec: one container that sleeps and, like most programs that are process 1, ignores SIGTERM."""
    container: dict[str, Any] = {
        "name": "sleep",
        "image": "zookeeper:3.9",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "86400"],
        "volumeMounts": [{"name": "flags", "mountPath": "/flags"}],
    }
    if ready:
        container["readinessProbe"] = {"exec": {"command": list(ready)}, "periodSeconds": 1, "failureThreshold": 1}
    volumes: list[dict[str, Any]] = [{"name": "flags", "emptyDir": {}}]
    return {"terminationGracePeriodSeconds": grace, "containers": [container], "volumes": volumes}
