"""A pod's status from its containers' states: the kubelet's arithmetic, without side effects."""

from __future__ import annotations

from zktui.demo.names import now
from zktui.demo.objects import Object, child, children, condition

READY_TYPES = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
"""The conditions that a kubelet keeps; all of them are True of a pod that runs well."""


def pod_status(pod: Object, containers: list[Object], *, host_ip: str, ip: str, started: str) -> Object:
    """The status to store. ``containers`` are the containerStatuses; ``ip`` is empty before there is a sandbox."""
    old = child(pod, "status")
    phase = pod_phase(child(pod, "spec").get("restartPolicy", "Always"), containers)
    not_ready = [entry["name"] for entry in containers if not entry["ready"]]
    finished = phase in ("Succeeded", "Failed")
    ready = not not_ready and not finished
    why: Object = {}
    if finished:
        why = {"reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    elif not_ready:
        words = f"containers with unready status: [{' '.join(not_ready)}]"
        why = {"reason": "ContainersNotReady", "message": words}
    wanted: list[Object] = [
        {"type": "PodReadyToStartContainers", "status": _word(bool(ip))},
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", "status": _word(ready), **why},
        {"type": "ContainersReady", "status": _word(ready), **why},
        {"type": "PodScheduled", "status": "True"},
    ]
    managed = {entry["type"] for entry in wanted}
    others = [entry for entry in children(old, "conditions") if entry["type"] not in managed]
    status: Object = {
        "observedGeneration": pod["metadata"].get("generation", 1),
        "phase": phase,
        "conditions": [*others, *(_with_times(pod, entry) for entry in wanted)],
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "startTime": started,
        "containerStatuses": containers,
        "qosClass": old.get("qosClass", "BestEffort"),
    }
    if ip:
        status.update(podIP=ip, podIPs=[{"ip": ip}])
    return status


def _word(value: bool) -> str:
    return "True" if value else "False"


def _with_times(pod: Object, entry: Object) -> Object:
    """The condition with the time of its last change, which stays while its status does."""
    old = condition(pod, entry["type"])
    same = old is not None and old["status"] == entry["status"]
    changed = old["lastTransitionTime"] if old is not None and same else now()
    generation = pod["metadata"].get("generation", 1)
    return {**entry, "observedGeneration": generation, "lastProbeTime": None, "lastTransitionTime": changed}


def pod_phase(restart: str, containers: list[Object]) -> str:
    """Pending until every container was started once, then Running; Succeeded or Failed at the end."""
    waiting = [entry for entry in containers if "waiting" in entry["state"] and not entry["lastState"]]
    if waiting:
        return "Pending"
    ended = [child(entry, "state", "terminated") for entry in containers]
    if restart == "Always" or not all(ended):
        return "Running"
    failed = any(entry.get("exitCode") for entry in ended)
    if restart == "OnFailure" and failed:
        return "Running"
    return "Failed" if failed else "Succeeded"
