"""A run as its Lease keeps it: what a reading can't tell again, as one line of JSON.

It is written before each change with what is about to be done, so that whoever takes the run up, here or on another
machine, knows what may have happened. An annotation is all there is room for: Kubernetes takes 256 KiB of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from zktui.core.kube import Lease, PodKey
from zktui.core.zookeeper import EnsembleKey
from zktui.maintenance.model import (
    HOME_ANNOTATION,
    RUN_ANNOTATION,
    STATE_ANNOTATION,
    GateName,
    Hold,
    HoldKind,
    JsonValue,
    NodeRun,
    NodeStep,
    Options,
    PodRun,
    PodStep,
    RunStatus,
    Verdict,
)
from zktui.maintenance.state import Intent, State

VERSION = 1
LIMIT = 200_000
"""Bytes that a record may take."""
OVER = frozenset({NodeStep.VERIFIED, NodeStep.SKIPPED, NodeStep.LEFT_CORDONED})
"""Steps of a node that the run will not come back to."""
ASSUMED_UID = "00000000-0000-0000-0000-000000000000"


class RecordError(Exception):
    """The annotation is no record, or one of a newer zktui; the message says so in one sentence."""


@dataclass(frozen=True, slots=True)
class Record:
    """What `from_record` found. Times are seconds since the epoch."""

    run_id: str
    who: str
    """The holder that wrote it."""
    started: float
    status: RunStatus
    options: Options
    ensembles: tuple[EnsembleKey, ...]
    nodes: tuple[NodeRun, ...]
    """In their order; `since` is wall time here. The pods of a node that is over are its members only."""
    current: int
    stopped_at: NodeStep | None = None
    """The step at which the node at work was stopped, when the run has failed or was aborted."""
    sent: frozenset[str] = frozenset()
    """UIDs of pods whose eviction was sent, or was about to be."""
    overrides: frozenset[tuple[str, GateName]] = frozenset()
    intent: Intent | None = None
    """The change that was about to be sent."""
    skipping: str = ""
    """The node that the operator skipped and that is not given back yet."""
    note: str = ""
    message: str = ""
    part: int = 1
    """How many times the run was taken up, the first time included."""


def to_record(state: State, *, lasting: bool = False) -> str:
    """The state as one line. `lasting` leaves out messages and times, so that two of them can be compared."""
    run = state.run
    document: dict[str, JsonValue] = {
        "v": VERSION,
        "run": run.id,
        "who": state.holder,
        "started": round(state.started_wall, 1) if not lasting else 0,
        "status": (state.closing or run.status).value,
        "at": run.current,
        "ensembles": [list(e.key) for e in state.ensembles],
        "nodes": [_node(state, node, lasting=lasting) for node in run.nodes],
        "options": _options(run.plan.options),
    }
    kept = {pod.pod.uid for node in run.nodes for pod in _worth(node)}
    optional: dict[str, JsonValue] = {
        "sent": [*sorted(state.evicted & kept)],
        "overrides": [[uid, gate.value] for uid, gate in sorted(state.overrides)],
        "doing": list(state.intent) if state.intent is not None else None,
        "skipping": state.skipping,
        "note": run.note,
        "part": state.part if state.part > 1 else None,
        "message": run.message if not lasting else "",
    }
    document.update((key, value) for key, value in optional.items() if value)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _worth(node: NodeRun) -> tuple[PodRun, ...]:
    """Pods that stay are sorted anew; what became of others on a node that is over matters to nobody."""
    return tuple(p for p in node.pods if p.step is not PodStep.STAYS and (p.member or node.step not in OVER))


def _node(state: State, node: NodeRun, *, lasting: bool) -> JsonValue:
    found: dict[str, JsonValue] = {"node": node.name, "uid": node.uid, "step": node.step.value}
    if node.cordoned_by_us:
        found["cordoned"] = True
    if node.since is not None and node.step is not NodeStep.PENDING and not lasting:
        found["since"] = round(state.wall_of(node.since), 1)
    if node.step is NodeStep.STOPPED and node.took:
        found["stopped"] = node.took[-1][0].value
    if node.note and not lasting:
        found["note"] = node.note
    pods: list[JsonValue] = [_pod(state, pod) for pod in _worth(node)]
    if pods:
        found["pods"] = pods
    return found


def _pod(state: State, pod: PodRun) -> JsonValue:
    found: dict[str, JsonValue] = {"ns": pod.pod.namespace, "pod": pod.pod.name, "uid": pod.pod.uid}
    # A gate is judged by what is read, every time anew.
    found["step"] = (PodStep.PENDING if pod.step is PodStep.GATE else pod.step).value
    if pod.member:
        found["ensemble"] = next((i for i, e in enumerate(state.ensembles) if e.key == pod.ensemble), -1)
    if pod.successor is not None:
        found["successor"] = pod.successor.uid
        found["on"] = pod.successor_node
    return found


def _options(options: Options) -> JsonValue:
    """Only what is not the default."""
    found: dict[str, JsonValue] = {}
    for each in fields(Options):
        value: JsonValue | Hold | frozenset[str] = getattr(options, each.name)
        if value == getattr(Options(), each.name):
            continue
        if isinstance(value, Hold):
            found[each.name] = [value.kind.value, value.seconds]
        elif isinstance(value, frozenset):
            found[each.name] = [*sorted(value)]
        else:
            found[each.name] = value
    return found


def annotate(state: State, lease: Lease) -> dict[str, str]:
    """The annotations that this run's Lease is to have: the state in its home, and elsewhere the way there."""
    kept = {k: v for k, v in lease.annotations.items() if k not in (HOME_ANNOTATION, STATE_ANNOTATION)}
    mine = (STATE_ANNOTATION, to_record(state)) if lease.namespace == state.home else (HOME_ANNOTATION, state.home)
    return {**kept, RUN_ANNOTATION: state.run.id, mine[0]: mine[1]}


def too_large(state: State) -> str:
    """Why the plan can't be kept in a Lease, in words; empty when it fits whatever happens to it."""
    worst: list[NodeRun] = []
    others = max(((n.name, len(n.others)) for n in state.run.plan.nodes), key=lambda item: item[1], default=("", 0))
    for node in state.run.plan.nodes:
        pods = [
            PodRun(m.pod, True, PodStep.REJOINED, m.ensemble, successor=PodKey(*m.pod[:2], ASSUMED_UID), note="")
            for m in node.members
        ]
        going = (o for o in node.others if o.verdict is Verdict.EVICT and node.name == others[0])
        pods += [PodRun(o.pod, False, PodStep.PENDING) for o in going]
        worst.append(NodeRun(node.name, node.uid, NodeStep.DRAIN, tuple(pods), cordoned_by_us=True, since=0.0))
    sent = frozenset(pod.pod.uid for node in worst for pod in node.pods)
    return words_if_too_large(to_record(replace(state.with_nodes(tuple(worst)), evicted=sent)), len(worst))


def words_if_too_large(text: str, nodes: int) -> str:
    size = len(text.encode())
    if size <= LIMIT:
        return ""
    return f"{nodes} nodes make a state of {size // 1000} kB, and a Lease has room for {LIMIT // 1000} kB"


# --- reading ----------------------------------------------------------------------------------------------------------


def from_record(text: str) -> Record:
    """What the annotation says. Raises RecordError, whatever is in it."""
    try:
        found: Any = json.loads(text)
        version = found["v"]
        if isinstance(version, int) and version > VERSION:
            raise RecordError(f"it was written by a newer zktui (state version {version}; this one knows {VERSION})")
        if version != VERSION:
            raise RecordError(f"its version is {version!r}")
        return _record(found)
    except RecordError as error:
        raise RecordError(f"The state of the run can't be used: {error}.") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise RecordError(f"The state of the run is corrupted ({why[:80]}).") from error


def _record(found: Mapping[str, Any]) -> Record:
    ensembles = tuple(EnsembleKey(*_texts(key, 3)) for key in found["ensembles"])
    nodes = tuple(_read_node(node, ensembles) for node in found["nodes"])
    current = _whole(found["at"])
    if not 0 <= current <= len(nodes):
        raise RecordError(f"it is at node {current} of {len(nodes)}")
    stopped = found["nodes"][current].get("stopped") if current < len(nodes) else None
    doing = _texts(found["doing"], 2) if "doing" in found else None
    return Record(
        _text(found["run"]),
        _text(found["who"]),
        _number(found["started"]),
        RunStatus(found["status"]),
        _read_options(found["options"]),
        ensembles,
        nodes,
        current,
        NodeStep(stopped) if stopped is not None else None,
        frozenset(_texts(found.get("sent", []))),
        frozenset((_text(uid), GateName(gate)) for uid, gate in found.get("overrides", [])),
        (doing[0], doing[1]) if doing is not None else None,
        _text(found.get("skipping", "")),
        _text(found.get("note", "")),
        _text(found.get("message", "")),
        _whole(found.get("part", 1)),
    )


def _read_node(found: Mapping[str, Any], ensembles: Sequence[EnsembleKey]) -> NodeRun:
    since = found.get("since")
    return NodeRun(
        _text(found["node"]),
        _text(found["uid"]),
        NodeStep(found["step"]),
        tuple(_read_pod(pod, ensembles) for pod in found.get("pods", [])),
        cordoned_by_us=found.get("cordoned", False) is True,
        since=_number(since) if since is not None else None,
        note=_text(found.get("note", "")),
    )


def _read_pod(found: Mapping[str, Any], ensembles: Sequence[EnsembleKey]) -> PodRun:
    namespace, name = _text(found["ns"]), _text(found["pod"])
    successor = found.get("successor")
    ensemble = found.get("ensemble")
    return PodRun(
        PodKey(namespace, name, _text(found["uid"])),
        ensemble is not None,
        PodStep(found["step"]),
        ensembles[_index(ensemble, len(ensembles))] if ensemble is not None else None,
        successor=PodKey(namespace, name, _text(successor)) if successor is not None else None,
        successor_node=_text(found.get("on", "")),
    )


def _read_options(found: Mapping[str, Any]) -> Options:
    """An option that this version does not know would change what may be done: it is no detail to be left out."""
    kinds = get_type_hints(Options)
    given: dict[str, Any] = {}
    for name, value in found.items():
        kind = kinds.get(name)
        if kind is None:
            raise RecordError(f"it has the option {name!r}, which this zktui does not know")
        if kind is Hold:
            given[name] = Hold(HoldKind(value[0]), _number(value[1]))
        elif isinstance(value, list):
            given[name] = frozenset(_texts(value))
        elif kind is not bool and isinstance(value, bool):
            raise RecordError(f"the option {name} is {value}")
        elif kind in (bool, str, int, int | None) and not isinstance(value, kind):
            raise RecordError(f"the option {name} is {value!r}")
        elif kind in (float, float | None):
            given[name] = _number(value) if value is not None else None
        else:
            given[name] = value
    return Options(**given)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise RecordError(f"{str(value)[:40]!r} stands where a text should be")
    return value


def _texts(value: Any, length: int | None = None) -> list[str]:
    found = [_text(each) for each in value]
    if isinstance(value, str) or (length is not None and len(found) != length):
        raise RecordError(f"{str(value)[:40]!r} stands where a list should be")
    return found


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecordError(f"{str(value)[:40]!r} stands where a number should be")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RecordError(f"{str(value)[:40]!r} stands where a whole number should be")
    return value


def _index(value: Any, length: int) -> int:
    found = _whole(value)
    if not 0 <= found < length:
        raise RecordError(f"it has no ensemble {found}")
    return found
