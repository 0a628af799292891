"""The STATUS and RESTARTS columns of a pod, by the rules of Kubernetes' own pod printer."""

from __future__ import annotations

from zktui.demo.objects import Object, child, children, is_ready, meta
from zktui.demo.quantities import age


def container_statuses(pod: Object) -> list[Object]:
    return children(pod, "status", "containerStatuses")


def pod_status(pod: Object) -> str:
    """Running, Pending, Terminating, CrashLoopBackOff, Error, Completed, Init:0/1 …"""
    status = child(pod, "status")
    words = str(status.get("reason") or status.get("phase") or "")
    words = _init_status(pod) or _container_words(pod, words)
    if meta(pod).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Succeeded", "Failed"):
            return "Terminating"
    return words


def _container_words(pod: Object, words: str) -> str:
    running = False
    for entry in reversed(container_statuses(pod)):
        waiting, terminated = child(entry, "state", "waiting"), child(entry, "state", "terminated")
        if waiting.get("reason"):
            words = waiting["reason"]
        elif terminated:
            words = _terminated_words(terminated)
        elif entry.get("ready") and "running" in child(entry, "state"):
            running = True
    if words == "Completed" and running:
        return "Running" if is_ready(pod) else "NotReady"
    return words


def _terminated_words(terminated: Object) -> str:
    if terminated.get("reason"):
        return terminated["reason"]
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _init_status(pod: Object) -> str:
    statuses = children(pod, "status", "initContainerStatuses")
    for place, entry in enumerate(statuses):
        waiting, terminated = child(entry, "state", "waiting"), child(entry, "state", "terminated")
        if terminated and not terminated.get("exitCode"):
            continue
        if terminated:
            return f"Init:{_terminated_words(terminated)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{place}/{len(children(pod, 'spec', 'initContainers'))}"
    return ""


def pod_restarts(pod: Object) -> str:
    """The number of restarts, and how long ago the last one was."""
    statuses = container_statuses(pod)
    count = sum(int(entry.get("restartCount") or 0) for entry in statuses)
    ends = [child(entry, "lastState", "terminated").get("finishedAt") for entry in statuses]
    last = max(filter(None, ends), default=None)
    return f"{count} ({age(last)} ago)" if count and last else str(count)


def readiness_gates(pod: Object) -> str:
    gates = [gate["conditionType"] for gate in children(pod, "spec", "readinessGates")]
    met = {entry["type"] for entry in children(pod, "status", "conditions") if entry.get("status") == "True"}
    return f"{sum(gate in met for gate in gates)}/{len(gates)}" if gates else "<none>"
