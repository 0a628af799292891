"""Label and field selectors, as query strings and as ``LabelSelector`` objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from zktui.demo.errors import bad_request
from zktui.demo.objects import Object, child, children

Predicate = Callable[[Mapping[str, str]], bool]

_SET = re.compile(r"^(?P<key>[^\s!=(),]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_EQUAL = re.compile(r"^(?P<key>[^\s!=(),]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=(),]*)$")
_COMPARE = re.compile(r"^(?P<key>[^\s!=(),<>]+)\s*(?P<op>[<>])\s*(?P<value>-?\d+)$")
_EXISTS = re.compile(r"^(?P<no>!?)\s*(?P<key>[^\s!=(),<>]+)$")


def _split(text: str) -> list[str]:
    """Parts between commas that are not within parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text)]


def _label_term(term: str) -> Predicate:
    if match := _SET.match(term):
        key, wanted = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in wanted
        return lambda labels: labels.get(key) not in wanted
    if match := _EQUAL.match(term):
        key, value = match["key"], match["value"]
        if match["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _COMPARE.match(term):
        return _compare(match["key"], match["op"], int(match["value"]))
    if match := _EXISTS.match(term):
        key, absent = match["key"], bool(match["no"])
        return lambda labels: (key in labels) != absent
    raise bad_request(f"unable to parse requirement: found {term!r}, expected an operator or a key")


def _compare(key: str, op: str, bound: int) -> Predicate:
    """A label that is no whole number compares as neither."""

    def holds(labels: Mapping[str, str]) -> bool:
        try:
            value = int(labels.get(key, ""))
        except ValueError:
            return False
        return value > bound if op == ">" else value < bound

    return holds


def label_selector(text: str) -> Predicate:
    """A predicate over labels for ``app=zk,tier in (a, b),!legacy``; empty matches everything.

    Raises a 400 for text that is no selector.
    """
    terms = [_label_term(term) for term in _split(text)] if text.strip() else []
    return lambda labels: all(term(labels) for term in terms)


def matches_selector(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Does a ``LabelSelector`` object (matchLabels, matchExpressions) select these labels?

    None selects nothing, ``{}`` everything: the rule of every API but NetworkPolicy's.
    """
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in child(selector, "matchLabels").items()):
        return False
    for rule in children(selector, "matchExpressions"):
        key, values = rule["key"], children(rule, "values")
        held = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
            "Gt": _number(labels.get(key)) > _number(*values[:1]),
            "Lt": _number(labels.get(key)) < _number(*values[:1]),
        }.get(rule["operator"], False)
        if not held:
            return False
    return True


def _number(text: str | None = None) -> float:
    """A label's whole number for a node selector's Gt and Lt; what is none is neither more nor less than any."""
    try:
        return float(int(text or ""))
    except ValueError:
        return float("nan")


_FIELD = re.compile(r"^(?P<key>[\w.\-/]+)\s*(?P<op>==|=|!=)\s*(?P<value>.*)$")
EVERYWHERE = frozenset({"metadata.name", "metadata.namespace"})
FIELDS: dict[str, frozenset[str]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
    "secrets": frozenset({"type"}),
}


def _field_value(obj: Object, path: str) -> str:
    *way, last = ("source.component" if path == "source" else path).split(".")
    found = child(obj, *way).get(last)
    if isinstance(found, bool):
        return "true" if found else "false"
    if found is None:
        return "false" if path in ("spec.unschedulable", "spec.hostNetwork") else ""
    return str(found)


def field_selector(resource: str, text: str) -> Callable[[Object], bool]:
    """A predicate over objects for ``spec.nodeName=node-1,status.phase!=Failed``; empty matches everything.

    Raises a 400 for a field that the resource can't be selected by, as a real server does.
    """
    known = EVERYWHERE | FIELDS.get(resource, frozenset())
    terms: list[tuple[str, bool, str]] = []
    for part in _split(text) if text.strip() else []:
        match = _FIELD.match(part)
        if match is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        if match["key"] not in known:
            raise bad_request(f"field label not supported: {match['key']}")
        terms.append((match["key"], match["op"] == "!=", match["value"].strip()))
    return lambda obj: all((_field_value(obj, path) == value) != negate for path, negate, value in terms)
