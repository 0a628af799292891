"""Where the embedded server may differ from a real one, each with its reason. Nothing else may."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.vectors.compare import Difference


class Allowed(NamedTuple):
    """Patterns of fnmatch for the case, the exchange and the path of a difference."""

    case: str
    exchange: str
    path: str
    reason: str

    def covers(self, found: Difference) -> bool:
        pairs = zip(self[:3], found[:3], strict=True)
        return all(fnmatchcase(text, pattern.replace("[", "[[]")) for pattern, text in pairs)


WORDS = "a parser's own words for what it could not read; the beginning is the same"
ALLOWED = (
    Allowed("*", "*", "*columnDefinitions[*].description", "documentation that kubectl shows nowhere"),
    Allowed("*", "no JSON", "body.message", WORDS),
    Allowed("malformed", "a list for a merge", "body.message", WORDS),
    Allowed("malformed", "an object for a JSON patch", "body.message", WORDS),
    Allowed("malformed", "another version", "body.message", f"{WORDS}: then comes a line of its own source"),
    Allowed("reading-pages", "no token", "body.message", WORDS),
    Allowed("reading-selectors", "a label selector that is none", "body.message", WORDS),
    Allowed("reading-objects", "not as XML", "body.message", "only JSON is written here, and only that is offered"),
    Allowed(
        "watch-bookmarked-kinds",
        "of daemonsets",
        "events[0].object.metadata.annotations.deprecated.daemonset.template.generation",
        "what is left of a field that no client reads any more",
    ),
    Allowed("kubelet-started", "a closed port", "messages[2][1]", "a pod has no network namespace of its own here"),
    Allowed("cordons", "not a truth value", "body.*message", "a dump of the node, its fields in another order"),
    Allowed("invalid", "a pod to be moved", "body.*message", "then comes a dump of both pods, in Go's form"),
)


def left(found: list[Difference]) -> list[Difference]:
    """Those that nothing allows."""
    return [difference for difference in found if not any(one.covers(difference) for one in ALLOWED)]


def used(found: list[Difference]) -> set[Allowed]:
    """What these differences make use of."""
    return {one for one in ALLOWED for difference in found if one.covers(difference)}
