"""Chapter 9: what becomes of a server that ends, and who notices one that does not answer?

Sources: Kubernetes' tutorial "Handling process failure", "Testing for liveness", "Testing for readiness"; core/v1
ContainerStatus; the signals of process 1 of a PID namespace (pid_namespaces(7)); docs/maintenance.md for what a
readiness that means serving asks of its StatefulSet.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from zktui.checks.discovery import headless, publish
from zktui.checks.inventory import Inventory, Known
from zktui.checks.model import Chapter, Check, Evidence, Result
from zktui.checks.probes import SERVING, Asks, Probe, probe_of, script_of, takes_serving
from zktui.checks.processes import INITS, line_of, processes_in, servers_of
from zktui.core.documents import Document, child, flag, mapping, number, objects, text, texts
from zktui.core.kube import Pod
from zktui.core.ports import Executed
from zktui.core.text import count, span

RECENT = 3600.0
"""Seconds for which an exit is news."""
DAY = 86400.0
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
SERVES = "'^Mode: (leader|follower|observer|standalone)'"
_NOT_RUN = (126, 127)
"""A shell's exit codes for a program that it may not run, or does not find."""
_NO_PROGRAM = ("executable file not found", "no such file or directory", "permission denied: unknown")
"""In the runtime's words, where no shell is between."""
_SIGNALS = {130: "SIGINT", 134: "SIGABRT", 137: "SIGKILL", 139: "SIGSEGV", 143: "SIGTERM"}


def process_failure(inventory: Inventory) -> Iterable[Check]:
    yield _restarts(inventory)
    yield _liveness(inventory)
    yield _readiness(inventory)
    yield _startup(inventory)
    yield _question(inventory)
    yield _exits(inventory)
    yield _tree(inventory)


def container_in(inventory: Inventory, pod: Pod) -> Document:
    """The server's container in the pod's specification; empty where the pod is not known."""
    found = objects(inventory.pod_documents.get(pod.name, {}), "spec", "containers")
    nothing: Document = {}
    return next((c for c in found if text(c, "name") == inventory.ensemble.container), nothing)


def _each(inventory: Inventory, judge: Callable[[Pod, Document], Evidence]) -> tuple[Evidence, ...]:
    """`judge` is given the pod's document."""

    def seen() -> Iterator[Evidence]:
        for pod in inventory.pods:
            document = inventory.pod_documents.get(pod.name)
            if document is None:
                yield Evidence(pod.name, Result.UNKNOWN, "its pod could not be read")
            else:
                yield judge(pod, document)

    return tuple(seen())


def _restarts(inventory: Inventory) -> Check:
    def judge(pod: Pod, document: Document) -> Evidence:
        policy = text(document, "spec", "restartPolicy") or "Always"
        return Evidence(pod.name, Result.PASS if policy == "Always" else Result.FAIL, f"restartPolicy {policy}")

    return Check(
        "process-failure.restart-policy",
        Chapter.PROCESS_FAILURE,
        "A server that ends is started again",
        _each(inventory, judge),
        "Under another policy than Always a server that ends stays away until somebody makes its pod anew.",
        by_hand="kubectl get pod zk-0 -o yaml",
    )


def _probe(inventory: Inventory, pod: Pod, which: str) -> Probe:
    container = container_in(inventory, pod)
    path = script_of(container, which)
    script = inventory.in_pod(pod.name).output(f"probe {path}").value if path else None
    return probe_of(container, which, {path: script} if script else {})


def _words(probe: Probe) -> str:
    if probe.asks is Asks.NOTHING:
        return probe.asks
    rhythm = f"every {probe.period} s, {count(probe.failures, 'failure')} to act on"
    return f"{probe.command} ({rhythm}): {'it tests ' * (probe.asks is not Asks.UNKNOWN)}{probe.asks}"


def _tried(inventory: Inventory, pod: Pod, probe: Probe) -> tuple[bool, str]:
    """Whether its command can't even be run there, and what it says now; nothing of one that can't be tried."""
    ran = inventory.in_pod(pod.name).commands.get(f"try {probe.command}", Known[Executed]())
    if ran.value is None:
        absent = any(words in ran.why for words in _NO_PROGRAM)
        return absent, f"; it can't be run: {ran.why.rpartition('exec: ')[2]}" if absent else ""
    if ran.value.code == 0:
        return False, ""
    said = (ran.value.err or ran.value.out).strip().splitlines()
    why = said[-1] if said else f"exit code {ran.value.code}"
    if ran.value.code in _NOT_RUN:
        return True, f"; it can't be run: {why}"
    return False, f"; it fails now: {why}"


def _liveness(inventory: Inventory) -> Check:
    results = {Asks.NOTHING: Result.WARN, Asks.SERVING: Result.FAIL, Asks.UNKNOWN: Result.UNKNOWN}

    def judge(pod: Pod, _: Document) -> Evidence:
        probe = _probe(inventory, pod, "livenessProbe")
        broken, now = _tried(inventory, pod, probe)
        result = Result.FAIL if broken else results.get(probe.asks, Result.PASS)
        return Evidence(pod.name, result, _words(probe) + now)

    return Check(
        "process-failure.liveness",
        Chapter.PROCESS_FAILURE,
        "A server that hangs is noticed",
        _each(inventory, judge),
        "Without a liveness probe a server that hangs stays as it is. One that tests for serving restarts every member "
        "that waits for a quorum, and so keeps it from coming back: let it ask ruok, or for any answer to srvr. One "
        "whose program is missing restarts a server that is well: delete the pod, and it has its image's files again.",
        by_hand=_breaking(inventory),
    )


def _asked(inventory: Inventory, which: str) -> str:
    """The probe's own command, to be typed; the tutorial's where it has none."""
    found = (texts(container_in(inventory, pod), which, "exec", "command") for pod in inventory.pods)
    return next((shlex.join(command) for command in found if command), "zookeeper-ready 2181")


def _breaking(inventory: Inventory) -> str:
    """The tutorial takes the script of its image away, and watches the restart; one from a ConfigMap is only run."""
    paths = {script_of(container_in(inventory, pod), "livenessProbe") for pod in inventory.pods}
    doing = _asked(inventory, "livenessProbe") if any(paths) else "rm /usr/bin/zookeeper-ready"
    return f"kubectl exec zk-0 -- {doing}; kubectl get pod -w -l app=zk"


def _readiness(inventory: Inventory) -> Check:
    statefulset = inventory.statefulset.value
    policy = text(statefulset, "spec", "podManagementPolicy") or "OrderedReady"
    service = headless(inventory)
    hidden = service is not None and not flag(service, "spec", "publishNotReadyAddresses")

    def judge(pod: Pod, _: Document) -> Evidence:
        probe = _probe(inventory, pod, "readinessProbe")
        broken, now = _tried(inventory, pod, probe)
        words = _words(probe) + now
        if broken:
            return Evidence(pod.name, Result.FAIL, words)
        if probe.asks is Asks.UNKNOWN:
            return Evidence(pod.name, Result.UNKNOWN, words)
        if probe.asks is not Asks.SERVING:
            return Evidence(pod.name, Result.WARN, words)
        if statefulset is not None and policy != "Parallel":
            why = "under OrderedReady the first member waits for a quorum that is never started"
            return Evidence(pod.name, Result.FAIL, f"{words}; {why}")
        if hidden:
            why = f"service {inventory.ensemble.statefulset.service} hides it from its peers until it serves"
            return Evidence(pod.name, Result.FAIL, f"{words}; {why}")
        return Evidence(pod.name, Result.PASS, words)

    found = _each(inventory, judge)
    weak = any(e.result is Result.WARN for e in found)
    ready = policy == "Parallel" and not hidden
    shut = hidden and policy == "Parallel" and any(e.result is Result.FAIL for e in found)
    return Check(
        "process-failure.readiness",
        Chapter.PROCESS_FAILURE,
        "Ready means that it serves",
        found,
        "A pod that is Ready before it serves (up to 40 s, where others hold its old address) is counted as healthy by "
        "the budget, which then lets the next one go. Ask srvr for a Mode; that takes podManagementPolicy Parallel, "
        "which only a new StatefulSet can have (delete it with --cascade=orphan and apply it again), and "
        "publishNotReadyAddresses.",
        patch=_patches(inventory) if weak and ready else (publish(inventory),) if shut else (),
        by_hand=f"kubectl get sts zk -o yaml; kubectl exec zk-0 -- {_asked(inventory, 'readinessProbe')}",
    )


def _patches(inventory: Inventory) -> tuple[str, ...]:
    """A readiness that asks for serving, in place of whatever handler there is; it rolls the members."""
    probe: Document = {"exec": {"command": _serving_command(inventory)}, "tcpSocket": None, "httpGet": None}
    return (_patch_of(inventory, {"readinessProbe": probe}),)


def _patch_of(inventory: Inventory, change: Document) -> str:
    """Of the server's container."""
    ensemble = inventory.ensemble
    container = {"name": ensemble.container, **change}
    patch = json.dumps({"spec": {"template": {"spec": {"containers": [container]}}}}, separators=(",", ":"))
    quoted = patch.replace("'", "'\\''")
    return f"kubectl -n {ensemble.namespace} patch statefulset {ensemble.name} -p '{quoted}'"


def _serving_command(inventory: Inventory) -> list[str]:
    """By the script that the members have already, where that knows the question; else by nc."""
    for pod in inventory.pods:
        container = container_in(inventory, pod)
        for which in ("livenessProbe", "startupProbe", "readinessProbe"):
            path, command = script_of(container, which), texts(container, which, "exec", "command")
            script = inventory.in_pod(pod.name).output(f"probe {path}").value or ""
            if command[:1] == (path,) and takes_serving(script):
                return [*(word for word in command if word != SERVING), SERVING]
    return _by_nc(inventory.ensemble.client_port)


def _by_nc(port: int) -> list[str]:
    return ["sh", "-c", f"printf srvr | nc -w 2 127.0.0.1 {port} | grep -qE {SERVES}"]


def _startup(inventory: Inventory) -> Check:
    def judge(pod: Pod, _: Document) -> Evidence:
        startup, liveness = (_probe(inventory, pod, which) for which in ("startupProbe", "livenessProbe"))
        if startup.asks is not Asks.NOTHING:
            return Evidence(pod.name, Result.PASS, f"{startup.command}: {startup.patience} s to start in")
        if liveness.asks is Asks.NOTHING:
            return Evidence(pod.name, Result.PASS, "no probe ends it while it starts")
        return Evidence(pod.name, Result.WARN, f"none: liveness leaves it {liveness.patience} s to start in")

    return Check(
        "process-failure.startup",
        Chapter.PROCESS_FAILURE,
        "A slow start is given its time",
        _each(inventory, judge),
        "A server reads its whole snapshot before it answers anybody. Where that takes longer than liveness waits, it "
        "is ended in the middle, each time anew; a startupProbe with a large failureThreshold gives it the time.",
    )


def _question(inventory: Inventory) -> Check:
    """See `probes._ECHOED`."""

    def judge(pod: Pod, _: Document) -> Evidence:
        probes = {which: _probe(inventory, pod, which) for which in PROBES}
        echoed = [which for which, probe in probes.items() if probe.echoed]
        if echoed:
            return Evidence(pod.name, Result.WARN, f"{', '.join(echoed)}: by echo and nc, which can lose the answer")
        unread = [which for which, probe in probes.items() if probe.asks is Asks.UNKNOWN and probe.command]
        if unread:
            return Evidence(pod.name, Result.UNKNOWN, f"{', '.join(unread)}: {Asks.UNKNOWN}")
        return Evidence(pod.name, Result.PASS, "no probe asks by echo and nc")

    return Check(
        "process-failure.question",
        Chapter.PROCESS_FAILURE,
        "A probe hears what it is told",
        _each(inventory, judge),
        "ZooKeeper reads the four letters and leaves the newline that echo sends; when it closes, that resets the "
        "connection, and nc drops an answer that it has not read by then: 27 of 400 on a loaded cluster, and none of "
        "400 with printf. So many in a row as failureThreshold says, and a server that is well is restarted, or counts "
        "as not Ready. The patch replaces every member: give it between zktui rollout pause and zktui rollout resume.",
        patch=_asking_anew(inventory),
        by_hand=f"kubectl exec zk-0 -- {_shown(inventory)}",
    )


def _shown(inventory: Inventory) -> str:
    """The script that asks, the tutorial's among them; a question that needs none is asked."""
    asked = _asked(inventory, PROBES[0])
    path = next((p for pod in inventory.pods if (p := script_of(container_in(inventory, pod), PROBES[0]))), "")
    return f"cat {path or '/usr/bin/zookeeper-ready'}" if path or "zookeeper-ready" in asked else asked


def _asking_anew(inventory: Inventory) -> tuple[str, ...]:
    """Each probe that echoes, with printf: its own command where that asks itself, in place of a script otherwise."""
    for pod in inventory.pods:
        probes = {which: _probe(inventory, pod, which) for which in PROBES}
        changed = {which: _printed(inventory, pod, which) for which, probe in probes.items() if probe.echoed}
        if changed:
            return (_patch_of(inventory, {w: {"exec": {"command": command}} for w, command in changed.items()}),)
    return ()


def _printed(inventory: Inventory, pod: Pod, which: str) -> list[str]:
    own = texts(container_in(inventory, pod), which, "exec", "command")
    said = [re.sub(r"\becho(?=\s)", "printf", word) for word in own]
    if said != [*own]:
        return said
    port = inventory.ensemble.client_port
    if _probe(inventory, pod, which).asks is Asks.SERVING:
        return _by_nc(port)
    return ["sh", "-c", f"printf ruok | nc -w 2 127.0.0.1 {port} | grep -q imok"]


def _exits(inventory: Inventory) -> Check:
    def judge(pod: Pod, document: Document) -> Evidence:
        statuses = objects(document, "status", "containerStatuses")
        status = next((s for s in statuses if text(s, "name") == inventory.ensemble.container), None)
        if status is None:
            return Evidence(pod.name, Result.UNKNOWN, "its container has no status yet")
        return _exit(pod.name, status, inventory.wall)

    return Check(
        "process-failure.exits",
        Chapter.PROCESS_FAILURE,
        "No server has ended of late",
        _each(inventory, judge),
        "What it said last stands in kubectl logs POD --previous. OOMKilled: heap and what the JVM takes beside it are "
        "more than the limit. Exit code 143 and 137 come from outside: a probe, an operator, or the kubelet.",
        by_hand="kubectl get pod -w -l app=zk",
    )


def _exit(member: str, status: Document, wall: float) -> Evidence:
    restarts = number(status, "restartCount") or 0
    now_ended = mapping(status, "state", "terminated")
    last = now_ended or mapping(status, "lastState", "terminated")
    waiting = text(status, "state", "waiting", "reason")
    if not last:
        if waiting not in ("", "ContainerCreating", "PodInitializing"):
            return Evidence(member, Result.FAIL, waiting)
        if restarts:
            return Evidence(member, Result.PASS, f"{count(restarts, 'restart')}, the last too long ago to be told of")
        return Evidence(member, Result.PASS, "it has never ended")
    ended = _seconds(text(last, "finishedAt"))
    age = wall - ended if ended is not None else 0.0
    times = f"{count(restarts, 'restart')}, the last end" if restarts else "it has ended"
    when = f" {span(age)} ago" if ended is not None else ""
    words = f"{times}{when}: {exit_words(last)}"
    if now_ended or waiting == "CrashLoopBackOff":
        return Evidence(member, Result.FAIL, f"{waiting or 'it does not run'}; {words}")
    if text(last, "reason") == "OOMKilled" and age < DAY:
        return Evidence(member, Result.FAIL, words)
    return Evidence(member, Result.WARN if age < RECENT else Result.PASS, words)


def exit_words(ended: Document) -> str:
    """A ContainerStateTerminated in a few words: `Error, exit code 143 (SIGTERM)`."""
    code = number(ended, "exitCode")
    named = f" ({_SIGNALS[code]})" if code in _SIGNALS else ""
    said = text(ended, "message").strip().splitlines()
    return f"{text(ended, 'reason') or 'ended'}, exit code {code}{named}{': ' + said[-1] if said else ''}"


def _seconds(stamp: str) -> float | None:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None


def _tree(inventory: Inventory) -> Check:
    def judge(pod: Pod, document: Document) -> Evidence:
        told = inventory.in_pod(pod.name).output("processes")
        if told.value is None:
            return Evidence(pod.name, Result.UNKNOWN, told.why)
        grace = child(document, "spec", "terminationGracePeriodSeconds")
        return _line(pod.name, told.value, grace)

    return Check(
        "process-failure.tree",
        Chapter.PROCESS_FAILURE,
        "The server hears when it is to end",
        _each(inventory, judge),
        "Process 1 gets the SIGTERM of a pod that is to end, and a shell there keeps it to itself: the server is "
        "killed once its grace is over, and each drain and restart takes as long. Begin the command with exec.",
        by_hand="kubectl exec zk-0 -- ps -ef",
    )


def _line(member: str, listing: str, grace: object) -> Evidence:
    processes = processes_in(listing)
    servers = servers_of(processes)
    if not processes:
        return Evidence(member, Result.UNKNOWN, "what ps prints there is not understood")
    if len(servers) != 1:
        return Evidence(member, Result.FAIL, f"{len(servers)} ZooKeeper servers among {len(processes)} processes")
    line = line_of(processes, servers[0])
    shown = " > ".join(f"{p.pid} {p.program}" for p in line)
    first = line[0]
    # What exec and probes start there hangs on nobody of the container.
    beside = [p.program for p in processes if p not in line and line_of(processes, p)[0] is line[0]]
    words = f"{shown}, user {servers[0].user}" + (f", beside {', '.join(beside)}" if beside else "")
    if first.is_server or first.program in INITS:
        return Evidence(member, Result.PASS, words)
    after = f": SIGTERM ends at {first.program}, and the kubelet kills after {grace or 30} s"
    return Evidence(member, Result.WARN, words + after)
