"""What a pod's status comes down to in one word, as `kubectl get pods` puts it in STATUS.

The rules are those of kubectl's pod printer as users know them: the first init container that is not through, else the
last container that waits or has ended, speaks for the pod. Added: a pod that no node can take says Unschedulable.
"""

from __future__ import annotations

from collections.abc import Sequence

from zktui.cluster import wire


def reason_and_message(pod: wire.Pod) -> tuple[str, str]:
    """The word (empty when it says no more than the phase), and the sentence that goes with it (or empty)."""
    status = pod.status
    word, message = status.reason, status.message
    scheduled = condition(status.conditions, "PodScheduled")
    if scheduled is not None and scheduled.status == "False" and scheduled.reason:
        word, message = scheduled.reason, scheduled.message or ""
    through = condition(status.conditions, "Initialized")
    init = None if through is not None and through.status == "True" else _initialising(pod)
    if init is not None:
        return init
    found = _containers(status.container_statuses or ())
    if found is not None:
        word, message = found
        if word == "Completed" and _any_running(status.container_statuses or ()):
            ready = condition(status.conditions, "Ready")
            word = "" if ready is not None and ready.status == "True" else "NotReady"
    return ("" if word == status.phase else word), message


def condition(items: Sequence[wire.Condition] | None, kind: str) -> wire.Condition | None:
    for item in items or ():
        if item.type == kind:
            return item
    return None


def _initialising(pod: wire.Pod) -> tuple[str, str] | None:
    statuses = pod.status.init_container_statuses or ()
    sidecars = {c.name for c in pod.spec.init_containers or () if c.restart_policy == "Always"}
    for number, item in enumerate(statuses):
        state = item.state or wire.ContainerState()
        if item.name in sidecars and item.started:
            continue
        if (ended := state.terminated) is not None:
            if ended.exit_code == 0:
                continue
            return f"Init:{ended.reason or _exit(ended)}", ended.message
        if (waiting := state.waiting) is not None and waiting.reason not in ("", "PodInitializing"):
            return f"Init:{waiting.reason}", waiting.message
        return f"Init:{number}/{len(pod.spec.init_containers or statuses)}", ""
    return None


def _containers(statuses: Sequence[wire.ContainerStatus]) -> tuple[str, str] | None:
    """The first container in the pod's order that waits or has ended."""
    for item in statuses:
        state = item.state or wire.ContainerState()
        if (waiting := state.waiting) is not None and waiting.reason:
            return waiting.reason, waiting.message
        if (ended := state.terminated) is not None:
            return ended.reason or _exit(ended), ended.message
    return None


def _exit(ended: wire.Terminated) -> str:
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def _any_running(statuses: Sequence[wire.ContainerStatus]) -> bool:
    return any(item.ready and item.state is not None and item.state.running is not None for item in statuses)
