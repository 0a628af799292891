"""The rules of a deletion that need no store: preconditions, grace, and the metadata that marks it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from zktui.demo import errors
from zktui.demo.names import parse_time
from zktui.demo.objects import Object, child
from zktui.demo.resources import Resource


def check_preconditions(info: Resource, current: Object, wanted: Mapping[str, str]) -> None:
    """The order and the words of a real server's check before a deletion."""
    metadata = current["metadata"]
    subject = info.kind_key
    if wanted.get("uid") and wanted["uid"] != metadata["uid"]:
        why = (
            f"the UID in the precondition ({wanted['uid']}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated"
        )
        raise errors.conflict(subject, metadata["name"], why)
    version = wanted.get("resourceVersion")
    if version and version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in "
            f"record ({metadata['resourceVersion']}). The object might have been modified"
        )
        raise errors.conflict(subject, metadata["name"], why)


def wrong_uid(info: Resource, given: Object, current: Object) -> str:
    """The storage's words for an update of an object that has another uid."""
    path = "/".join(filter(None, ["/registry", info.plural, given.get("namespace", ""), given["name"]]))
    return (
        f"StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: Precondition "
        f"failed: UID in precondition: {given['uid']}, UID in object meta: {current['metadata']['uid']}"
    )


def grace_of(info: Resource, current: Object, asked: int | None) -> int:
    """Seconds of grace: only pods have any, and only once they are on a node and not finished."""
    if info.key != "pods":
        return 0
    spec, phase = child(current, "spec"), child(current, "status").get("phase")
    if current["metadata"].get("deletionTimestamp"):
        held = int(current["metadata"].get("deletionGracePeriodSeconds") or 0)
        return held if asked is None else min(held, max(asked, 1) if asked < 0 else asked)
    if not spec.get("nodeName") or phase in ("Succeeded", "Failed"):
        return 0
    if asked is None:
        asked = int(spec.get("terminationGracePeriodSeconds", 30))
    return 1 if asked < 0 else asked


def mark_deleted(metadata: Object, grace: int) -> bool:
    """Set the deletion fields; False if they were set already and the grace doesn't get shorter."""
    if "deletionTimestamp" in metadata:
        held = int(metadata.get("deletionGracePeriodSeconds") or 0)
        if grace >= held:
            return False
        begun = parse_time(metadata["deletionTimestamp"]) - timedelta(seconds=held)
    else:
        begun = datetime.now(UTC)
        if "generation" in metadata:
            metadata["generation"] += 1
    metadata["deletionTimestamp"] = (begun + timedelta(seconds=grace)).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata["deletionGracePeriodSeconds"] = grace
    return True
