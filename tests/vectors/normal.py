"""What differs from run to run, replaced by something of the same form, so that clients can still read it."""

from __future__ import annotations

import re
from typing import Any, cast

TIME, MICRO_TIME = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000Z"
VERSION, TOKEN, AGE, SERVICE = "1000", "token", "1s", "10.96.0.10"

_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z")
_AGE = re.compile(r"(?:\d+[smhdy])+")
_WORDS = (
    (re.compile(r"too old resource version: \d+ \(\d+\)"), f"too old resource version: {VERSION} ({VERSION})"),
    (re.compile(r"(Too large resource version: )\d+(, current: )\d+"), rf"\g<1>{VERSION}\g<2>{VERSION}"),
    (re.compile(r"(ResourceVersion in (?:the precondition|record) \()\d+\)"), rf"\g<1>{VERSION})"),
    (re.compile(r"([?&]resourceVersion=)\d{2,}"), rf"\g<1>{VERSION}"),
    (re.compile(r'(\\*"resourceVersion\\*":\\*")\d+'), rf"\g<1>{VERSION}"),
    # A kubelet's names for a pod's sandbox and its network.
    (re.compile(r"\b[0-9a-f]{64}\b"), "0" * 64),
    (re.compile(r"/netns/cni-[0-9a-f-]+"), "/netns/cni-0"),
)


class Normal:
    """Of one case: equal uids stay equal, and different ones different."""

    def __init__(self) -> None:
        self._uids: dict[str, str] = {}
        self._tokens: set[str] = set()

    def learn(self, reply: Any) -> None:
        """Take note of the continue tokens in a reply: later requests name them."""
        for key, value in _pairs(reply):
            if key == "continue" and isinstance(value, str) and value:
                self._tokens.add(value)

    def of(self, value: Any, key: str = "") -> Any:
        """A copy without what differs from run to run."""
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            # Who set which field when: nobody here reads it, and it is longer than everything else together.
            kept = {name: self.of(part, name) for name, part in found.items() if name != "managedFields"}
            return _ageless(kept) if kept.get("kind") == "Table" else kept
        if isinstance(value, list):
            return [self.of(part, key) for part in cast("list[Any]", value)]
        return self._text(value, key) if isinstance(value, str) else value

    def _text(self, text: str, key: str) -> str:
        if key in ("clusterIP", "clusterIPs") and text != "None":
            return SERVICE
        if key == "resourceVersion" and text not in ("", "0"):
            return VERSION
        if text in self._tokens:
            return TOKEN
        if _MICRO_TIME.fullmatch(text):
            return MICRO_TIME
        text = _TIME.sub(TIME, text)
        for token in self._tokens:
            text = text.replace(token, TOKEN)
        for pattern, replacement in _WORDS:
            text = pattern.sub(replacement, text)
        return _UID.sub(lambda found: self._uid(found[0]), text)

    def _uid(self, uid: str) -> str:
        return self._uids.setdefault(uid, f"00000000-0000-4000-8000-{len(self._uids) + 1:012}")


def _ageless(table: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, list[Any]]] = table.get("rows") or []
    for row in rows:
        row["cells"] = [AGE if isinstance(cell, str) and _AGE.fullmatch(cell) else cell for cell in row["cells"]]
    return table


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return [*found.items(), *(pair for part in found.values() for pair in _pairs(part))]
    if isinstance(value, list):
        return [pair for part in cast("list[Any]", value) for pair in _pairs(part)]
    return []
