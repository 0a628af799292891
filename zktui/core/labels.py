"""Kubernetes label selectors, evaluated as the API machinery does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Labels = Mapping[str, str]

NO_LABELS: Labels = MappingProxyType({})


def no_labels() -> Labels:
    """The one empty mapping, for fields' defaults: it can't be changed and costs nothing."""
    return NO_LABELS


@dataclass(frozen=True, slots=True)
class Requirement:
    """One entry of `matchExpressions` (or of a node selector term).

    `operator` is Kubernetes' own word: In, NotIn, Exists, DoesNotExist, and for nodes also Gt and Lt.
    An operator this version does not know never matches: unknown is not safe.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                # A missing key satisfies NotIn (apimachinery labels.Requirement.Matches).
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                return _compares(value, self.operator, self.values)
            case _:
                return False


def _compares(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    try:
        left, right = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """A `LabelSelector`. An empty one matches every object; use None for "no selector", which matches nothing."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def of_labels(cls, labels: Labels) -> Selector:
        return cls(tuple(Requirement(key, "In", (value,)) for key, value in sorted(labels.items())))

    def matches(self, labels: Labels) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        """The selector as kubectl's `-l` takes it."""
        parts: list[str] = []
        for item in self.requirements:
            values = ",".join(item.values)
            match item.operator:
                case "In" if len(item.values) == 1:
                    parts.append(f"{item.key}={values}")
                case "In":
                    parts.append(f"{item.key} in ({values})")
                case "NotIn":
                    parts.append(f"{item.key} notin ({values})")
                case "Exists":
                    parts.append(item.key)
                case "DoesNotExist":
                    parts.append(f"!{item.key}")
                case _:
                    parts.append(f"{item.key} {item.operator} {values}")
        return ",".join(parts)
