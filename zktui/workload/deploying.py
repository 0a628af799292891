"""Applying a manifest: what it would change, asked of the server by a dry run, and then the change itself.

Server-side apply as field manager `zktui`: the server merges, and names whoever else owns a field that would change.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from zktui.core.documents import Document, mapping, text
from zktui.core.documents import objects as objects_in
from zktui.core.ports import Answer, Objects, Refused, Reply, Where
from zktui.maintenance.model import JsonValue
from zktui.workload.differences import Difference, differences

KINDS = {
    "Service": Where("/api/v1", "services"),
    "ConfigMap": Where("/api/v1", "configmaps"),
    "PodDisruptionBudget": Where("/apis/policy/v1", "poddisruptionbudgets"),
    "StatefulSet": Where("/apis/apps/v1", "statefulsets"),
}
"""What the manifests are made of."""

OWN_UPDATE = '"zktui" using'
"""How the server names our own earlier change of another kind (a patch), which an apply conflicts with as well."""


class Verdict(enum.StrEnum):
    CREATE = "created"
    CONFIGURE = "configured"
    UNCHANGED = "unchanged"
    CONFLICT = "conflict"
    """Another manager owns a field that would change."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Nobody knows: no answer."""

    @property
    def goes(self) -> bool:
        return self in (Verdict.CREATE, Verdict.CONFIGURE, Verdict.UNCHANGED)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that another manager owns, and has set to another value than ours."""

    manager: str
    """As the server names it: `"kubectl-edit" using apps/v1`."""
    field: str
    """`.spec.replicas`; empty where the server does not tell."""

    @property
    def ours(self) -> bool:
        """It was zktui itself, by a patch: set-resources for one."""
        return self.manager.startswith(OWN_UPDATE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What applying one object does (in a dry run: would do)."""

    title: str
    """As kubectl names it: `statefulset.apps/zk`."""
    document: Document
    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    """From what is there to what would be there after it."""
    conflicts: tuple[Conflict, ...] = ()
    why: str = ""
    """In the server's words, when it does not go."""
    forbidden: bool = False
    before: Document | None = None
    after: Document | None = None
    rolls: bool = field(default=False)
    """The template of a StatefulSet that has pods changes: its members are replaced."""


def where_of(document: Document) -> Where:
    """Raises KeyError for a kind that is not one of the manifests'."""
    return KINDS[text(document, "kind")]


def title(document: Document) -> str:
    """`service/zk-hs`, `statefulset.apps/zk`: kind, group and name as kubectl prints them."""
    group = text(document, "apiVersion").rpartition("/")[0]
    kind = text(document, "kind").lower()
    return f"{kind}{f'.{group}' if group else ''}/{text(document, 'metadata', 'name')}"


async def preview(objects: Objects, documents: Sequence[Document], *, force: bool = False) -> tuple[Outcome, ...]:
    """What applying each would do, by a dry run. Changes nothing."""
    return tuple(await asyncio.gather(*(_one(objects, document, force=force, dry=True) for document in documents)))


async def apply(objects: Objects, document: Document, *, force: bool = False) -> Outcome:
    """Apply one object, once. Where the outcome is unknown, applying it again is safe and tells."""
    return await _one(objects, document, force=force, dry=False)


async def _one(objects: Objects, document: Document, *, force: bool, dry: bool) -> Outcome:
    where = where_of(document)
    space, name = text(document, "metadata", "namespace"), text(document, "metadata", "name")
    read = await objects.read(where, space, name)
    if not isinstance(read, Answer) and not (isinstance(read, Refused) and read.not_found):
        return _failed(document, read)
    before = read.value if isinstance(read, Answer) else None
    sent = document if before is None else keeping_claims(document, before)
    reply = await objects.apply(where, sent, force=force, dry=dry)
    if not isinstance(reply, Answer):
        return _failed(document, reply)
    changes = differences(before, reply.value)
    verdict = Verdict.CREATE if before is None else Verdict.CONFIGURE if changes else Verdict.UNCHANGED
    rolls = before is not None and any(d.path.startswith(".spec.template") for d in changes)
    return Outcome(title(document), document, verdict, changes, before=before, after=reply.value, rolls=rolls)


def keeping_claims(document: Document, live: Document) -> Document:
    """The document with the claim templates that are there, where they are what it asks for and the server's defaults.

    The list is owned as a whole, and can't be changed: without its defaults it would look like another one.
    """
    path = ("spec", "volumeClaimTemplates")
    asked, there = objects_in(document, *path), objects_in(live, *path)
    if not asked or len(asked) != len(there) or not all(map(_within, asked, there)):
        return document
    return {**document, "spec": {**mapping(document, "spec"), "volumeClaimTemplates": [*there]}}


def _within(part: object, whole: object) -> bool:
    """Whether everything in `part` is in `whole` as well."""
    if isinstance(part, dict) and isinstance(whole, dict):
        mine, theirs = cast("Document", part), cast("Document", whole)
        return all(key in theirs and _within(value, theirs[key]) for key, value in mine.items())
    return part == whole


def _failed(document: Document, reply: Reply[Document]) -> Outcome:
    match reply:
        case Refused(code=409) if found := conflicts_in(reply):
            return Outcome(title(document), document, Verdict.CONFLICT, conflicts=found, why=reply.message)
        case Refused():
            return Outcome(title(document), document, Verdict.REFUSED, why=reply.message, forbidden=reply.forbidden)
        case Answer():
            raise AssertionError("an answer is no failure")
        case _:
            return Outcome(title(document), document, Verdict.UNKNOWN, why=reply.why)


def conflicts_in(refused: Refused) -> tuple[Conflict, ...]:
    """Who owns what, of a 409 that an apply got; none for a 409 for another reason."""
    causes = [cause for cause in refused.causes if cause.reason == "FieldManagerConflict"]
    return tuple(Conflict(cause.message.removeprefix("conflict with "), cause.field) for cause in causes)


def as_json(outcome: Outcome) -> dict[str, JsonValue]:
    """For programs; keys are stable."""
    return {
        "object": outcome.title,
        "outcome": outcome.verdict.value,
        "changes": [{"path": d.path, "before": d.before, "after": d.after} for d in outcome.differences],
        "conflicts": [{"manager": c.manager, "field": c.field} for c in outcome.conflicts],
        "message": outcome.why or None,
        "replacesMembers": outcome.rolls,
    }
