"""Holding an update by its partition: patches of a StatefulSet, and what its document tells."""

from __future__ import annotations

from zktui.core.documents import Document, mapping, number, text

HELD_ANNOTATION = "zktui/partition"
"""On a StatefulSet whose update is held: the partition that it had before."""


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
    return int(kept) if kept.isdecimal() else partition_of(document)


def held_at(partition: int, original: int | None) -> Document:
    """A patch that keeps members below this place as they are; `original` is noted down, None leaves the note."""
    note = {} if original is None else {"metadata": {"annotations": {HELD_ANNOTATION: str(original)}}}
    return {**note, "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}}}


def released(original: int) -> Document:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": original}}
    return {"metadata": {"annotations": {HELD_ANNOTATION: None}}, "spec": {"updateStrategy": strategy}}


def merged(one: Document, other: Document) -> Document:
    """Both in one patch; `other` wins."""
    found: dict[str, object] = {**one}
    for key, value in other.items():
        mine, theirs = mapping(one, key), mapping(other, key)
        found[key] = merged(mine, theirs) if mine and theirs else value
    return found
