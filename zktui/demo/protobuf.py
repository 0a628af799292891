"""Bodies in Kubernetes' protobuf, for the few kinds that kubectl's typed clients send in it.

The envelope is the magic number and a ``runtime.Unknown``; fields have the numbers of the ``generated.proto``
files of Kubernetes' API. Replies are always JSON, which every client accepts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zktui.demo.errors import bad_request, unsupported_media_type
from zktui.demo.objects import Object

MAGIC = b"k8s\x00"
Field = tuple[str, str]
"""(JSON name, type): str, int, bool, IntOrString, a message's name, or any of these after ``list `` or ``map ``."""

MESSAGES: dict[str, dict[int, Field]] = {
    "TypeMeta": {1: ("apiVersion", "str"), 2: ("kind", "str")},
    "ObjectMeta": {
        1: ("name", "str"),
        2: ("generateName", "str"),
        3: ("namespace", "str"),
        5: ("uid", "str"),
        6: ("resourceVersion", "str"),
        11: ("labels", "map str"),
        12: ("annotations", "map str"),
    },
    "DeleteOptions": {
        1: ("gracePeriodSeconds", "int"),
        2: ("preconditions", "Preconditions"),
        3: ("orphanDependents", "bool"),
        4: ("propagationPolicy", "str"),
        5: ("dryRun", "list str"),
    },
    "Preconditions": {1: ("uid", "str"), 2: ("resourceVersion", "str")},
    "Eviction": {1: ("metadata", "ObjectMeta"), 2: ("deleteOptions", "DeleteOptions")},
    "Namespace": {1: ("metadata", "ObjectMeta")},
    "ConfigMap": {1: ("metadata", "ObjectMeta"), 2: ("data", "map str"), 4: ("immutable", "bool")},
    "PodDisruptionBudget": {1: ("metadata", "ObjectMeta"), 2: ("spec", "BudgetSpec")},
    "BudgetSpec": {
        1: ("minAvailable", "IntOrString"),
        2: ("selector", "LabelSelector"),
        3: ("maxUnavailable", "IntOrString"),
        4: ("unhealthyPodEvictionPolicy", "str"),
    },
    "LabelSelector": {1: ("matchLabels", "map str"), 2: ("matchExpressions", "list LabelSelectorRequirement")},
    "LabelSelectorRequirement": {1: ("key", "str"), 2: ("operator", "str"), 3: ("values", "list str")},
    "SelfSubjectReview": {1: ("metadata", "ObjectMeta")},
    "SelfSubjectRulesReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "RulesSpec")},
    "RulesSpec": {1: ("namespace", "str")},
    "SelfSubjectAccessReview": {1: ("metadata", "ObjectMeta"), 2: ("spec", "AccessSpec")},
    "AccessSpec": {
        1: ("resourceAttributes", "ResourceAttributes"),
        2: ("nonResourceAttributes", "NonResourceAttributes"),
    },
    "ResourceAttributes": {
        1: ("namespace", "str"),
        2: ("verb", "str"),
        3: ("group", "str"),
        4: ("version", "str"),
        5: ("resource", "str"),
        6: ("subresource", "str"),
        7: ("name", "str"),
    },
    "NonResourceAttributes": {1: ("path", "str"), 2: ("verb", "str")},
}
KINDS = frozenset(
    {
        "ConfigMap",
        "DeleteOptions",
        "Eviction",
        "Namespace",
        "PodDisruptionBudget",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "SelfSubjectAccessReview",
    }
)


def decode(raw: bytes) -> Object:
    """The object in a protobuf body; 415 for a kind that isn't known here, 400 for a broken body."""
    if not raw.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = dict(_fields(raw[len(MAGIC) :]))
        head = _message("TypeMeta", envelope[1])
        if head.get("kind") not in KINDS:
            raise unsupported_media_type(["application/json", "application/yaml"])
        return {**head, **_message(head["kind"], envelope.get(2, b""))}
    except (IndexError, KeyError, UnicodeDecodeError, TypeError) as why:
        raise bad_request(f"the protobuf body can't be decoded: {why!r}") from why


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field: an int, or the bytes of a string or a message."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, place = _varint(raw, place)
            yield number, value
        elif wire == 2:
            size, place = _varint(raw, place)
            if place + size > len(raw):
                raise IndexError("a field is longer than its message")
            yield number, raw[place : place + size]
            place += size
        else:
            raise TypeError(f"wire type {wire}")


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def _message(name: str, raw: bytes) -> Object:
    found: Object = {}
    for number, value in _fields(raw):
        field = MESSAGES[name].get(number)
        if field is None:
            continue
        key, kind = field
        if kind.startswith("list "):
            found.setdefault(key, []).append(_value(kind[5:], value))
        elif kind.startswith("map "):
            entry = dict(_fields(value))
            found.setdefault(key, {})[_value("str", entry.get(1, b""))] = _value(kind[4:], entry.get(2, b""))
        else:
            found[key] = _value(kind, value)
    return found


def _value(kind: str, value: Any) -> Any:
    if kind == "str":
        return value.decode()
    if kind == "int":
        # An int64 below zero is sent as its two's complement.
        return value - (1 << 64) if value >> 63 else value
    if kind == "IntOrString":
        return _int_or_string(value)
    return bool(value) if kind == "bool" else _message(kind, value)


def _int_or_string(raw: bytes) -> int | str:
    """``util/intstr``: a type (0 a number, 1 a string), and both."""
    fields = dict(_fields(raw))
    return _value("str", fields.get(3, b"")) if fields.get(1) == 1 else _value("int", fields.get(2, 0))
