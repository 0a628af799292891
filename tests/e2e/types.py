"""``python -m tests.e2e.types``: zktui/demo/types.txt anew, from what a real API server publishes as OpenAPI v3.

``--check`` compares with the file instead. ``--documents FOLDER`` reads the documents from a folder that names them as
Kubernetes' sources do (``api/openapi-spec/v3``), without a server. zktui.demo.schema tells how the file is written.
Exit codes: 0 done, or no difference; 1 it differs, or failed; 75 skipped, because this machine lacks something.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tests.e2e import needs
from tests.e2e.__main__ import SKIPPED, build, complain, say, tell
from tests.e2e.cluster import KWOK
from tests.e2e.record import api_only
from zktui.demo import schema
from zktui.demo.resources import Resource, groups

Object = dict[str, Any]
Read = Callable[[str], Object]
"""The document of a path such as ``apis/apps/v1``."""

FILE = Path(schema.__file__).with_name("types.txt")
ADDED = {"discovery.v1.EndpointPort": "SliceEndpointPort"}
"""Types of other groups that are called like one of the core group."""

SCALARS = {
    "FieldsV1": "any",
    "IntOrString": "intstr",
    "MicroTime": "time",
    "Quantity": "quantity",
    "RawExtension": "any",
    "Time": "time",
}
WIDTH = 118


class Table:
    """The types that the served kinds are made of, by name."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}

    def add(self, document: Object, served: list[Resource]) -> None:
        schemas = cast("Object", document["components"]["schemas"])
        kinds = {sub.kind for one in served for sub in one.subresources} | {one.kind for one in served}
        reviews = {one.kind for one in served if one.verbs == ("create",)}
        for full, found in schemas.items():
            named = found.get("x-kubernetes-group-version-kind", [])
            # Options of a connection travel in its query.
            if any(one["kind"] in kinds - reviews and not one["kind"].endswith("Options") for one in named):
                self._type(full, schemas)

    def _type(self, full: str, schemas: Object) -> str:
        """The name of an object's type, which is added with all that it is made of."""
        short = full.rpartition(".")[2]
        name = next((other for end, other in ADDED.items() if full.endswith(end)), short)
        if short in SCALARS:
            return SCALARS[short]
        if name not in self.lines:
            self.lines[name] = ""  # it may hold itself
            found = schemas[full]
            required = set(found.get("required", []))
            fields = [
                f"{key}:{self._field(part, schemas)}{'!' if key in required else ''}"
                for key, part in sorted(found.get("properties", {}).items())
            ]
            self.lines[name] = f"{name}{_atomic(found)} = {' '.join(fields)}"
        return name

    def _field(self, part: Object, schemas: Object) -> str:
        if "allOf" in part:
            part = {**part, **part["allOf"][0]}
        if "$ref" in part:
            replaced = "^" if part.get("x-kubernetes-patch-strategy") == "replace" else ""
            return self._type(part["$ref"].rpartition("/")[2], schemas) + replaced
        if part.get("type") == "array":
            return f"[{self._field(part['items'], schemas)}]{_merging(part)}"
        if "additionalProperties" in part:
            return f"{{{self._field(part['additionalProperties'], schemas)}}}{_atomic(part)}"
        return {"integer": part.get("format", "int64")}.get(part.get("type", ""), part.get("type", "any"))


def _atomic(part: Object) -> str:
    return "~" if part.get("x-kubernetes-map-type") == "atomic" else ""


def _merging(part: Object) -> str:
    """How items of a list are told apart. A strategic merge may know of a key where server-side apply does not."""
    how, merged = part.get("x-kubernetes-list-type"), part.get("x-kubernetes-patch-strategy", "")
    keys = part.get("x-kubernetes-list-map-keys") or [*filter(None, [part.get("x-kubernetes-patch-merge-key")])]
    if "merge" in merged:
        return f"/{','.join(keys)}" + ("~" if how == "atomic" else "")
    return f"/{','.join(keys) if how == 'map' else ''}?" if how in ("map", "set") else ""


def written(read: Read) -> str:
    """The whole file."""
    table = Table()
    for (group, version), served in groups().items():
        table.add(read(f"apis/{group}/{version}" if group else f"api/{version}"), served)
    wrap = textwrap.TextWrapper(width=WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "".join(f"{wrap.fill(table.lines[name])}\n" for name in sorted(table.lines))


def from_folder(folder: Path) -> Read:
    return lambda path: json.loads((folder / f"{path.replace('/', '__')}_openapi.json").read_text())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.types", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    parser.add_argument("--documents", type=Path, metavar="FOLDER", help="read the documents there, ask no server")
    options = parser.parse_args(arguments)
    if options.documents:
        text = written(from_folder(options.documents))
    else:
        part = needs.kwok()
        if part.lacks:
            tell(f"SKIPPED: {part.name}: this machine lacks {'; '.join(part.lacks)}")
            return SKIPPED
        build(KWOK)
        with tempfile.TemporaryDirectory(prefix="zktui-types-") as folder, api_only(Path(folder)) as plane:
            text = written(lambda path: json.loads(plane.kubectl("get", "--raw", f"/openapi/v3/{path}")))
    if not options.check:
        FILE.write_text(text, encoding="ascii")
        say(f"{len(text.splitlines())} lines in {FILE.name}")
        return 0
    before, now = (set(one.splitlines()) for one in (FILE.read_text(encoding="ascii"), text))
    other = sorted([f"- {one}" for one in before - now] + [f"+ {one}" for one in now - before])
    complain("\n".join(other) or "no difference")
    return 1 if before != now else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
