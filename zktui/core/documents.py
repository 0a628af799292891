"""Kubernetes objects as the server tells them: read-only access by path, never an error for what is missing.

For what is only looked at and shown (checks, differences, revisions). What decisions rest on is typed in `core.kube`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

Document = Mapping[str, object]
"""A JSON object."""


def child(document: object, *path: str | int) -> object | None:
    """What stands at the path; None when anything on the way is missing or of another shape."""
    found: object | None = document
    for step in path:
        if isinstance(step, int):
            items = cast("Sequence[object]", found) if isinstance(found, list | tuple) else ()
            found = items[step] if -len(items) <= step < len(items) else None
        else:
            found = cast("Mapping[str, object]", found).get(step) if isinstance(found, Mapping) else None
    return found


def text(document: object, *path: str | int) -> str:
    """The string there; numbers are written out; empty for anything else."""
    found = child(document, *path)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found)


def number(document: object, *path: str | int) -> int | None:
    """The whole number there; None for anything else."""
    found = child(document, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def flag(document: object, *path: str | int) -> bool:
    """True only where `true` stands there."""
    return child(document, *path) is True


def objects(document: object, *path: str | int) -> tuple[Document, ...]:
    """The JSON objects of the list there, in their order; whatever else it holds is left out."""
    found = child(document, *path)
    items = cast("Sequence[object]", found) if isinstance(found, list | tuple) else ()
    return tuple(cast("Document", item) for item in items if isinstance(item, Mapping))


def texts(document: object, *path: str | int) -> tuple[str, ...]:
    """The strings of the list there."""
    found = child(document, *path)
    items = cast("Sequence[object]", found) if isinstance(found, list | tuple) else ()
    return tuple(item for item in items if isinstance(item, str))


def mapping(document: object, *path: str | int) -> Document:
    """The object there; empty for anything else."""
    found = child(document, *path)
    return cast("Document", found) if isinstance(found, Mapping) else {}
