"""Label selectors as people type them, in the grammar of kubectl's -l and --pod-selector."""

from __future__ import annotations

import re

from zktui.core.labels import Requirement, Selector

_KEY = r"(?:[A-Za-z0-9.-]+/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9._-]*"
_SET = re.compile(rf"^(?P<key>{_KEY})\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUALS = re.compile(rf"^(?P<key>{_KEY})\s*(?P<sign>==|=|!=)\s*(?P<value>{_VALUE})$")
_COMPARES = re.compile(rf"^(?P<key>{_KEY})\s*(?P<sign>[<>])\s*(?P<value>-?\d+)$")
_EXISTS = re.compile(rf"^(?P<no>!?)\s*(?P<key>{_KEY})$")


def parse_selector(text: str) -> Selector:
    """A selector from its text; an empty text selects everything. Raises ValueError naming the part not understood."""
    parts = [part.strip() for part in re.split(r",(?![^()]*\))", text)]
    if parts == [""]:
        return Selector()
    return Selector(tuple(_requirement(part) for part in parts))


def _requirement(part: str) -> Requirement:
    if found := _SET.match(part):
        values = tuple(value.strip() for value in found["values"].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(found["key"], "In" if found["word"] == "in" else "NotIn", values)
    elif found := _EQUALS.match(part):
        return Requirement(found["key"], "NotIn" if found["sign"] == "!=" else "In", (found["value"],))
    elif found := _COMPARES.match(part):
        return Requirement(found["key"], "Gt" if found["sign"] == ">" else "Lt", (found["value"],))
    elif found := _EXISTS.match(part):
        return Requirement(found["key"], "DoesNotExist" if found["no"] else "Exists")
    raise ValueError(f"not a label selector: {part!r}")
