"""The types of the served kinds: which fields they have, of what type, and how their lists are merged.

``types.txt`` holds them as Kubernetes publishes them in its OpenAPI documents, without the prose, and is made by
``python -m tests.e2e.types``: a line ``Type = field:type …`` for each, continued by indented lines. After a type,
``!`` marks a field that is required, ``~`` what is owned as a whole (atomic) and ``^`` an object that a strategic
merge replaces. ``[T]`` is a list, ``[T]/a,b`` one of items that are told apart by these fields, ``[T]/`` a set, each
with a ``?`` when a strategic merge replaces it all the same; ``{T}`` maps strings to T.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from zktui.demo.names import is_time
from zktui.demo.objects import Object
from zktui.demo.quantities import is_quantity
from zktui.demo.resources import Resource

SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "time": (str,),
    "boolean": (bool,),
    "int32": (int,),
    "int64": (int,),
    "quantity": (str, int, float),
    "intstr": (str, int),
    "any": (object,),
}
RANGES = {"int32": 2**31 - 1, "int64": 2**63 - 1, "intstr": 2**31 - 1}
QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
NOT_NEGATIVE = frozenset(
    {
        *("replicas", "minReadySeconds", "revisionHistoryLimit", "partition"),
        *("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"),
    }
)
"""Fields that count something, or last."""
KEY_DEFAULTS = {"protocol": "TCP"}
"""What an absent key of a list's item counts as."""

GO_NAMES = {"boolean": "bool", "time": "v1.Time", "quantity": "resource.Quantity", "intstr": "intstr.IntOrString"}
JSON_NAMES: dict[type, str] = {bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


@dataclass(frozen=True)
class Type:
    """``kind`` is list, map, object (``name`` is then its type's) or scalar (``name`` is one of SCALARS)."""

    kind: str
    name: str = ""
    item: Type | None = None
    keys: tuple[str, ...] = ()
    is_set: bool = False
    merged: bool = True
    atomic: bool = False
    required: bool = False
    replaced: bool = False

    @property
    def fields(self) -> dict[str, Type]:
        """Of an object."""
        return _types()[self.name].fields

    def key_of(self, item: Object) -> dict[str, Any]:
        """What tells an item of a list from the others."""
        return {key: item.get(key, KEY_DEFAULTS.get(key)) for key in self.keys}


@dataclass(frozen=True)
class _Object:
    atomic: bool
    fields: dict[str, Type] = field(default_factory=dict[str, Type])


@cache
def _types() -> dict[str, _Object]:
    text = (importlib.resources.files("zktui.demo") / "types.txt").read_text(encoding="ascii")
    raw = [line.split(" = ") for line in text.replace("\n  ", " ").splitlines()]
    found = {name.removesuffix("~"): _Object(name.endswith("~")) for name, _ in raw}
    for name, fields in raw:
        for one in fields.split():
            key, _, written = one.partition(":")
            found[name.removesuffix("~")].fields[key] = _parse(written, found)
    return found


def _parse(text: str, known: dict[str, _Object]) -> Type:
    required, text = text.endswith("!"), text.removesuffix("!")
    atomic, text = text.endswith("~"), text.removesuffix("~")
    replaced, text = text.endswith("^"), text.removesuffix("^")
    if text.startswith("{"):
        return Type("map", item=_parse(text[1:-1], known), atomic=atomic, required=required)
    if not text.startswith("["):
        if text in SCALARS:
            return Type("scalar", text, required=required)
        return Type("object", text, atomic=atomic or known[text].atomic, required=required, replaced=replaced)
    inner, _, mark = text[1:].rpartition("]")
    keys = tuple(filter(None, mark.removesuffix("?").removeprefix("/").split(",")))
    return Type(
        "list",
        item=_parse(inner, known),
        keys=keys,
        is_set=mark.startswith("/") and not keys,
        merged=mark.startswith("/") and not mark.endswith("?"),
        atomic=atomic or not mark,
        required=required,
    )


def of(resource: Resource) -> Type:
    """The type of a resource's objects; a review's is any object."""
    return named(resource.kind)


def named(kind: str) -> Type:
    """The type of that name; anything at all for one that is not in the table."""
    return Type("object", kind) if kind in _types() else Type("scalar", "any")


def part_of(kind: Type | None, key: str) -> Type | None:
    """The type of a field, or of a map's value; None where there is no telling."""
    if kind is None or kind.kind not in ("map", "object"):
        return None
    return kind.item if kind.kind == "map" else kind.fields.get(key)


# -- decoding ------------------------------------------------------------------------------------------


class WrongType(Exception):
    """A value of another type than its field's; the message is the decoder's."""


def decode(value: Any, kind: Type) -> tuple[Any, list[str]]:
    """A copy with only the fields that the type has, and the paths of the others. Raises :class:`WrongType`."""
    unknown: list[str] = []
    return _decode(value, kind, "", "", unknown), unknown


def _decode(value: Any, kind: Type, holder: str, path: str, unknown: list[str]) -> Any:
    if value is None:
        return None
    if kind.kind == "scalar":
        allowed = SCALARS[kind.name]
        wrong = not isinstance(value, allowed) or (isinstance(value, bool) and kind.name not in ("boolean", "any"))
        if wrong or (isinstance(value, int) and kind.name in RANGES and abs(value) > RANGES[kind.name]):
            raise _wrong(value, GO_NAMES.get(kind.name, kind.name), holder, path)
        if kind.name == "time" and not is_time(str(value)):
            cannot = f'cannot parse "{value}" as "2006"'
            raise WrongType(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": {cannot}')
        if kind.name == "quantity" and not is_quantity(value):
            raise WrongType(f"quantities must match the regular expression '{QUANTITY}'")
        return value
    if kind.kind == "list":
        if not isinstance(value, list):
            raise _wrong(value, "[]", holder, path)
        assert kind.item is not None
        items = enumerate(_zero(kind.item) if one is None else one for one in cast("list[Any]", value))
        # The decoder says which item a field is unknown in, but not which one holds a value of a wrong type.
        return [_decode(one, kind.item, holder, f"{path}[{place}]", unknown) for place, one in items]
    if not isinstance(value, dict):
        raise _wrong(value, "map[string]" if kind.kind == "map" else kind.name, holder, path)
    held = cast("Object", value)
    if kind.kind == "map":
        assert kind.item is not None
        return {key: _decode(one, kind.item, holder, f"{path}.{key}", unknown) for key, one in held.items()}
    kept: Object = {}
    for key, one in held.items():
        inside = f"{path}.{key}" if path else key
        if key in kind.fields:
            kept[key] = _decode(one, kind.fields[key], kind.name, inside, unknown)
        else:
            unknown.append(inside)
    return kept


def _zero(kind: Type) -> Any:
    """The type's zero value: what a null is among a list's items."""
    if kind.kind == "scalar":
        return None if kind.name in ("any", "time") else SCALARS[kind.name][0]()
    return [] if kind.kind == "list" else {}


def complete(value: Any, kind: Type) -> None:
    """Give objects their required fields in place, as Go's own types always have them: for what nobody validates."""
    if kind.kind == "list" and kind.item is not None:
        for one in value or ():
            complete(one, kind.item)
    elif kind.kind == "object" and value is not None:
        for key, part in kind.fields.items():
            if part.required and value.get(key) is None:
                value[key] = _zero(part)
            complete(value.get(key), part)


def faults(value: Any, kind: Type, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Required fields that are not there, or empty, and counts below 0, but for what an object's status says.

    Each with its path, the reason and the words of Kubernetes' validation.
    """
    if kind.kind == "list" and kind.item is not None:
        for place, one in enumerate(cast("list[Any]", value)):
            yield from faults(one, kind.item, f"{path}[{place}]")
    elif kind.kind == "object":
        for key, part in kind.fields.items():
            inside, held = f"{path}.{key}" if path else key, value.get(key)
            if part.required and (held is None or (held == "" and key != "value")):
                yield inside, "FieldValueRequired", "Required value"
            elif key in NOT_NEGATIVE and isinstance(held, int) and held < 0 and path != "status":
                words = f"Invalid value: {held}: must be greater than or equal to 0"
                yield inside, "FieldValueInvalid", words
            elif held is not None and inside != "status":
                yield from faults(held, part, inside)


def _wrong(value: Any, wanted: str, holder: str, path: str) -> WrongType:
    places = "".join(part.partition("]")[2] if at else part for at, part in enumerate(path.split("[")))
    given = next((name for kind, name in JSON_NAMES.items() if isinstance(value, kind)), "string")
    where = f"struct field {holder}.{places}" if holder else "value"
    return WrongType(f"json: cannot unmarshal {given} into Go {where} of type {wanted}")
