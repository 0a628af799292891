"""What a cordon of ours carries on the node.

The PATCH that cordons also writes the run's id, and the one that uncordons takes it off again: so a cordon whose answer
was lost is told from a stranger's by reading the node, by this program or by another that finds it later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from zktui.core.kube import Node
from zktui.maintenance.model import KEPT_ANNOTATION, RUN_ANNOTATION

KEEP = {
    "cluster-autoscaler.kubernetes.io/scale-down-disabled": "true",
    "karpenter.sh/do-not-disrupt": "true",
}
"""What asks the cluster autoscaler and Karpenter to leave a node alone."""

Annotations = Mapping[str, str | None]
"""As a merge patch takes them: None removes."""


def run_of(node: Node) -> str:
    """Id of the run that cordoned this node; empty when no run of zktui says so."""
    return node.annotations.get(RUN_ANNOTATION, "") if node.unschedulable else ""


def on_cordon(node: Node, run_id: str, *, keep: bool) -> Annotations:
    """The run's id and, to keep autoscalers off, their annotations with what was there before."""
    if not keep:
        return {RUN_ANNOTATION: run_id}
    before = {key: node.annotations.get(key) for key in KEEP}
    return {RUN_ANNOTATION: run_id, KEPT_ANNOTATION: json.dumps(before, sort_keys=True), **KEEP}


def on_uncordon(node: Node) -> Annotations:
    """Takes off what `on_cordon` has put there; an annotation that somebody has changed since stays theirs."""
    undone: dict[str, str | None] = {}
    if RUN_ANNOTATION in node.annotations:
        undone[RUN_ANNOTATION] = None
    if KEPT_ANNOTATION in node.annotations:
        undone[KEPT_ANNOTATION] = None
        before = _before(node.annotations[KEPT_ANNOTATION])
        undone |= {key: before[key] for key in KEEP if key in before and node.annotations.get(key) == KEEP[key]}
    return undone


def _before(text: str) -> dict[str, str | None]:
    """Only of the keys that are ours to put back, whatever else the annotation says."""
    try:
        told: object = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(told, dict):
        return {}
    values = cast(dict[object, object], told)
    found = ((key, values.get(key, False)) for key in KEEP)
    return {key: value for key, value in found if value is None or isinstance(value, str)}


def undo_by_hand(names: Iterable[str], *, keep: bool) -> tuple[str, ...]:
    """The kubectl lines that undo our cordons, for a person."""
    nodes = " ".join(names)
    if not nodes:
        return ()
    off = " ".join(f"{key}-" for key in ((RUN_ANNOTATION, KEPT_ANNOTATION, *KEEP) if keep else (RUN_ANNOTATION,)))
    return (f"kubectl uncordon {nodes}", f"kubectl annotate nodes {nodes} {off}")
