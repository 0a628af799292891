"""The written way back of a storage drill: on disk before anything is deleted, in words that a person can type.

A folder for each drill, `drills/ID-storage` under the state folder: statefulset.json (as it was, ready for kubectl),
BY-HAND.txt, drill.json (for the program), the journal, and once the drill is over, `over`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from zktui.core.documents import Document, child, flag, mapping, text
from zktui.maintenance.journal import JournalError, is_written, read
from zktui.maintenance.refusals import CannotBegin

MANIFEST, BY_HAND, RECORD, JOURNAL, OVER = "statefulset.json", "BY-HAND.txt", "drill.json", "journal.jsonl", "over"
CLEARED = "cleared"
"""Kind of the event by which a drill says that nothing of it is left."""
OF_THE_SERVER = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
)


@dataclass(frozen=True, slots=True)
class Undo:
    """What it takes to bring a storage drill to its end."""

    folder: Path
    namespace: str
    name: str
    uid: str
    """Of the StatefulSet that was deleted."""
    path: str
    """The znode that was written."""
    data: str
    container: str
    server: str
    """The API server, so that another cluster's drill is not taken for one of this."""
    kubectl: tuple[str, ...]
    """How a kubectl line for this cluster begins."""
    applied: bool
    """Its fields were zktui's own by server-side apply, and are to be so again."""
    manifest: Document

    @property
    def journal(self) -> Path:
        return self.folder / JOURNAL

    @property
    def under_way(self) -> bool:
        """A program on this machine is at it."""
        return self.journal.exists() and is_written(self.journal)

    def lines(self) -> tuple[str, ...]:
        """What a person types to end it by hand, in this order."""
        kubectl = shlex.join(self.kubectl)
        member = f"{self.name}-0 -c {self.container} --"
        again = "apply --server-side --field-manager=zktui" if self.applied else "create --save-config=false"
        return (
            f"{kubectl} get statefulset {self.name}",
            f"{kubectl} {again} -f {shlex.quote(str(self.folder / MANIFEST))}",
            f"{kubectl} rollout status statefulset/{self.name}",
            f"{kubectl} exec {member} zkCli.sh get {self.path}",
            f"{kubectl} exec {member} zkCli.sh delete {self.path}",
            f"touch {shlex.quote(str(self.folder / OVER))}",
        )


def manifest_of(document: Document) -> Document:
    """The object as it would be created: without what the server adds."""
    metadata = {k: v for k, v in mapping(document, "metadata").items() if k not in OF_THE_SERVER}
    kept = {k: v for k, v in document.items() if k != "status"}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", **kept, "metadata": metadata}


def write(undo: Undo) -> None:
    """Durably, and for the user alone. Raises CannotBegin; then nothing may be deleted."""
    get, create, status, found, delete, over = undo.lines()
    by_hand = (
        f"zktui deleted the StatefulSet {undo.namespace}/{undo.name} for a drill, to create it again at once.\n"
        "If you read this because that drill was cut off, zktui drill storage --finish ends it; or by hand:\n\n"
        f"Is it there?\n  {get}\n\nIf it is not, create it again as it was:\n  {create}\n  {status}\n\n"
        f"What was written before ({undo.data!r}), and away with it:\n  {found}\n  {delete}\n\n"
        f"So that zktui does not remind you of it any more:\n  {over}\n"
    )
    record = {
        "namespace": undo.namespace,
        "name": undo.name,
        "uid": undo.uid,
        "path": undo.path,
        "data": undo.data,
        "container": undo.container,
        "server": undo.server,
        "kubectl": list(undo.kubectl),
        "applied": undo.applied,
    }
    try:
        undo.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        _durably(undo.folder / MANIFEST, json.dumps(undo.manifest, indent=2, ensure_ascii=False) + "\n")
        _durably(undo.folder / BY_HAND, by_hand)
        _durably(undo.folder / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
        for folder in (undo.folder, undo.folder.parent):
            _sync_folder(folder)
    except OSError as error:
        why = f"The way back can't be written to {undo.folder}: {error.strerror}."
        raise CannotBegin(why, "Nothing was deleted.") from error


def _durably(path: Path, words: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(words)
        file.flush()
        os.fsync(handle)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def over(undo: Undo) -> None:
    """It needs no end any more. Where that can't be written down, it will be asked for once more."""
    with contextlib.suppress(OSError):
        (undo.folder / OVER).touch(mode=0o600)


def cleared(undo: Undo) -> bool:
    """Its journals say that the data was found, and that nothing of the drill is left."""
    for path in undo.folder.glob("*.jsonl"):
        with contextlib.suppress(JournalError):
            if any(event.kind == CLEARED for event in read(path)):
                return True
    return False


def unfinished(state: Path, server: str) -> tuple[Undo, ...]:
    """Drills of this API server that did not come to their end, oldest first. Raises nothing; what can't be read is
    left out."""
    found = (_read(record.parent) for record in sorted((state / "drills").glob(f"*-storage/{RECORD}")))
    return tuple(u for u in found if u is not None and u.server == server)


def _read(folder: Path) -> Undo | None:
    if (folder / OVER).exists():
        return None
    try:
        record = _object(folder / RECORD)
        manifest = _object(folder / MANIFEST)
    except (OSError, ValueError):
        return None
    words = {key: text(record, key) for key in ("namespace", "name", "uid", "path", "data", "container", "server")}
    kubectl = child(record, "kubectl")
    begin = (
        tuple(str(word) for word in cast("Sequence[object]", kubectl)) if isinstance(kubectl, list) else ("kubectl",)
    )
    return Undo(folder, **words, kubectl=begin, applied=flag(record, "applied"), manifest=manifest)


def _object(path: Path) -> Document:
    found: object = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, Mapping):
        raise ValueError("not an object")
    return cast("Document", found)
