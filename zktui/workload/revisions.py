"""A StatefulSet's history: its ControllerRevisions, and what changed from each to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zktui.core.documents import Document, mapping, number, objects, text
from zktui.core.kube import StatefulSet
from zktui.core.ports import Answer, Objects, Refused, Reply, Where
from zktui.workload.differences import Difference, differences

REVISIONS = Where("/apis/apps/v1", "controllerrevisions")
CAUSE = "kubernetes.io/change-cause"


@dataclass(frozen=True, slots=True)
class Revision:
    number: int
    name: str
    created: str
    """As the server writes it: RFC 3339, UTC."""
    template: Document
    data: Document
    """The strategic merge patch that brings the template back."""
    cause: str = ""
    """What was noted down for people."""
    changes: tuple[Difference, ...] = ()
    """From the revision with the number before; empty for the first."""


async def history(port: Objects, sts: StatefulSet) -> Reply[tuple[Revision, ...]]:
    """Oldest first. A template that came back (rollout undo) has got its old revision with a new number."""
    listed = await port.list(REVISIONS, sts.namespace)
    if not isinstance(listed, Answer):
        return listed
    return Answer(revisions_of(listed.value, sts.uid), listed.at)


def revisions_of(documents: Sequence[Document], uid: str) -> tuple[Revision, ...]:
    """Those that the StatefulSet with this UID owns."""
    mine = [d for d in documents if any(text(o, "uid") == uid for o in objects(d, "metadata", "ownerReferences"))]
    found: list[Revision] = []
    for document in sorted(mine, key=lambda d: number(d, "revision") or 0):
        template = {k: v for k, v in mapping(document, "data", "spec", "template").items() if k != "$patch"}
        found.append(
            Revision(
                number(document, "revision") or 0,
                text(document, "metadata", "name"),
                text(document, "metadata", "creationTimestamp"),
                template,
                mapping(document, "data"),
                text(document, "metadata", "annotations", CAUSE),
                differences(found[-1].template, template) if found else (),
            )
        )
    return tuple(found)


def chosen(revisions: Sequence[Revision], wanted: int | None) -> Revision | Refused:
    """The one to go back to: of this number, else the one before the newest, as kubectl rollout undo takes it."""
    if wanted is not None:
        found = next((r for r in revisions if r.number == wanted), None)
        known = ", ".join(str(r.number) for r in revisions)
        return found or Refused(404, "NotFound", f"there is no revision {wanted}; there are {known or 'none'}", 0.0)
    if len(revisions) < 2:
        return Refused(404, "NotFound", "there is no revision before this one", 0.0)
    return revisions[-2]
