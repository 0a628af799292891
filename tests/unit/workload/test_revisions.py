"""A StatefulSet's history: what changed from each revision to the next, and which one an undo goes back to."""

from __future__ import annotations

from typing import Any

from zktui.core.ports import Refused
from zktui.workload.revisions import CAUSE, chosen, revisions_of


def revision(number: int, cpu: str, owner: str = "sts-zk", cause: str = "") -> dict[str, Any]:
    requests = {"requests": {"cpu": cpu}}
    template = {"$patch": "replace", "spec": {"containers": [{"name": "zk", "resources": requests}]}}
    metadata: dict[str, Any] = {"name": f"zk-{number}", "ownerReferences": [{"uid": owner}]}
    if cause:
        metadata["annotations"] = {CAUSE: cause}
    return {"metadata": metadata, "revision": number, "data": {"spec": {"template": template}}}


def test_oldest_first_with_what_changed() -> None:
    documents = [revision(2, "300m", cause="less"), revision(1, "500m"), revision(7, "1", owner="another")]
    first, second = revisions_of(documents, "sts-zk")
    assert (first.number, first.changes, first.cause) == (1, (), "")
    (change,) = second.changes
    assert (second.number, second.cause) == (2, "less")
    assert (change.before, change.after) == ("500m", "300m")
    assert "$patch" not in second.template, "that is not of the template"
    assert second.data == documents[0]["data"], "what an undo sends"


def test_an_undo_goes_to_the_one_before_or_to_the_one_named() -> None:
    revisions = revisions_of([revision(n, f"{n}") for n in (1, 2, 3)], "sts-zk")
    assert chosen(revisions, None) is revisions[1]
    assert chosen(revisions, 1) is revisions[0]
    missing, alone = chosen(revisions, 9), chosen(revisions[:1], None)
    assert isinstance(missing, Refused)
    assert "there are 1, 2, 3" in missing.message
    assert isinstance(alone, Refused)
