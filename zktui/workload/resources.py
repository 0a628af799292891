"""CPU and memory of the members: what is asked for, as a patch, and whether the JVM's heap fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zktui.core.documents import Document, mapping, objects, text, texts
from zktui.core.heap import heap_of
from zktui.core.quantities import amount, canonical

NAMES = ("cpu", "memory")


class BadQuantity(ValueError):
    """What was given is no `cpu=…,memory=…` of quantities; the message is for people."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be set, by `cpu` and `memory`; what is not named stays as it is."""

    requests: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: Mapping[str, str] = field(default_factory=dict[str, str])

    def __bool__(self) -> bool:
        return bool(self.requests or self.limits)


def parse(given: str) -> dict[str, str]:
    """`cpu=300m,memory=1Gi`, as kubectl set resources takes it, in canonical quantities. Raises BadQuantity."""
    found: dict[str, str] = {}
    for part in filter(None, given.split(",")):
        name, equals, value = part.partition("=")
        parsed = amount(value)
        if not equals or name not in NAMES:
            raise BadQuantity(f"{part!r} is not cpu=AMOUNT or memory=AMOUNT")
        if parsed is None or parsed <= 0:
            raise BadQuantity(f"{value!r} is not an amount such as 300m, 0.5 or 1Gi")
        found[name] = canonical(value)
    return found


def patch(container: str, wish: Wish) -> Document:
    """A strategic merge patch of the StatefulSet."""
    resources = {key: dict(part) for key, part in (("requests", wish.requests), ("limits", wish.limits)) if part}
    return {"spec": {"template": {"spec": {"containers": [{"name": container, "resources": resources}]}}}}


def container_of(statefulset: Document, name: str) -> Document | None:
    found = objects(statefulset, "spec", "template", "spec", "containers")
    return next((c for c in found if text(c, "name") == name), None)


def wishes_of(container: Document, wish: Wish) -> tuple[dict[str, str], dict[str, str]]:
    """(requests, limits) as they would be. A limit without a request is its request too, as the server fills it in."""
    requests = {**_strings(mapping(container, "resources", "requests")), **wish.requests}
    limits = {**_strings(mapping(container, "resources", "limits")), **wish.limits}
    return {**limits, **requests}, limits


def _strings(found: Document) -> dict[str, str]:
    return {key: str(value) for key, value in found.items()}


def objection(container: Document, wish: Wish) -> str:
    """Why members could not run, or would be killed, with this; empty when nothing speaks against it."""
    requests, limits = wishes_of(container, wish)
    for name in NAMES:
        asked, limit = amount(requests.get(name, "")), amount(limits.get(name, ""))
        if asked is not None and limit is not None and asked > limit:
            return f"{name}: {requests[name]} are requested, which is more than the limit of {limits[name]}"
    words = [*texts(container, "command"), *texts(container, "args")]
    heap, limit = heap_of(words, environment(container)), amount(limits.get("memory", ""))
    if heap is not None and limit is not None and heap >= limit:
        return f"the heap of {heap >> 20} MiB does not fit the limit of {limits['memory']}: members would be killed"
    return ""


def environment(container: Document) -> dict[str, str]:
    return {text(e, "name"): text(e, "value") for e in objects(container, "env")}
