"""Holding an update by its partition: patches of a StatefulSet, and what its document tells."""

from __future__ import annotations

from zktui.core.documents import Document, child, mapping, number, text

HELD_ANNOTATION = "zktui/partition"
"""On a StatefulSet whose update is held: the partition that it had before, or `NONE`."""

NONE = "none"
"""It had no `rollingUpdate` at all: the server fills a partition in only where there is one, or no strategy's type.

`kubectl rollout status` speaks of a partitioned roll out wherever it finds one, be it 0.
"""

FILLED_IN: Document = {"maxUnavailable": 1}
"""What Kubernetes 1.37 fills into a `rollingUpdate` beside the partition, and means where there is none."""


def replicas_of(document: Document) -> int:
    found = number(document, "spec", "replicas")
    return 1 if found is None else found


def partition_of(document: Document) -> int:
    return number(document, "spec", "updateStrategy", "rollingUpdate", "partition") or 0


def is_held(document: Document) -> bool:
    """zktui holds its update by the partition."""
    return HELD_ANNOTATION in mapping(document, "metadata", "annotations")


def original_partition(document: Document) -> int:
    """The partition that is its own: what it was before zktui held the update."""
    kept = text(document, "metadata", "annotations", HELD_ANNOTATION)
    return 0 if kept == NONE else int(kept) if kept.isdecimal() else partition_of(document)


def partitioned(partition: int) -> Document:
    """A patch that keeps members below this place as they are."""
    return {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}}}


def holding(document: Document) -> Document:
    """A patch that keeps every member as it is, and notes down what was there before, if that is not noted already."""
    if is_held(document):
        note = text(document, "metadata", "annotations", HELD_ANNOTATION)
    else:
        bare = not mapping(document, "spec", "updateStrategy", "rollingUpdate")
        note = NONE if bare else str(partition_of(document))
    return {"metadata": {"annotations": {HELD_ANNOTATION: note}}, **partitioned(replicas_of(document))}


def released(document: Document) -> Document:
    """A patch that puts back what was there before it was held; what others set beside the partition stays."""
    rolling: Document | None = {"partition": original_partition(document)}
    if text(document, "metadata", "annotations", HELD_ANNOTATION) == NONE:
        beside = {**mapping(document, "spec", "updateStrategy", "rollingUpdate")}
        beside.pop("partition", None)
        rolling = {"partition": None} if beside.items() - FILLED_IN.items() else None
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {"metadata": {"annotations": {HELD_ANNOTATION: None}}, "spec": {"updateStrategy": strategy}}


def carried_out(patch: Document, before: Document, now: Document) -> bool:
    """Whether `now` shows that this patch of the partition was carried out on `before`.

    A template that it changes shows by the generation, which the server counts up with each change of the spec.
    """
    if not mapping(patch, "spec", "updateStrategy") or partition_of(now) != partition_of(patch):
        return False
    notes = mapping(patch, "metadata", "annotations")
    noted = all(child(now, "metadata", "annotations", key) == value for key, value in notes.items())
    changed = (number(now, "metadata", "generation") or 0) > (number(before, "metadata", "generation") or 0)
    return noted and (changed or not mapping(patch, "spec", "template"))


def merged(one: Document, other: Document) -> Document:
    """Both in one patch; `other` wins."""
    found: dict[str, object] = {**one}
    for key, value in other.items():
        mine, theirs = mapping(one, key), mapping(other, key)
        found[key] = merged(mine, theirs) if mine and theirs else value
    return found
