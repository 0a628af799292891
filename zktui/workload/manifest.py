"""The manifests that zktui deploys: an ensemble of ZooKeeper 3.9, and the tutorial's own for ZooKeeper 3.4."""

from __future__ import annotations

import copy
import importlib.resources
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from zktui.core.documents import Document, objects, text, texts
from zktui.core.heap import heap_of
from zktui.core.quantities import amount, canonical

MODERN, TUTORIAL = "zookeeper.yaml", "tutorial-3.4.yaml"
NAME = "zk"
"""The name that the manifests have, and that the names of all their objects begin with."""

LONGEST = 52
"""Letters of a StatefulSet's name: with a revision's eleven after it, it is a label's value, which has 63."""
LEAST = 64 * 2**20
"""Bytes: ZooKeeper makes its log 64 MiB long in advance (preAllocSize)."""

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_CLASS = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_IMAGE = re.compile(r"[A-Za-z0-9][\w.:/@-]*")
_FLAG = {"servers": r"--servers=\d+", "heap": r"--heap=\S+"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deployment is to be; empty or None leaves it as the manifest has it."""

    namespace: str
    name: str = NAME
    members: int | None = None
    storage_class: str = ""
    size: str = ""
    """Of each member's volume."""
    image: str = ""
    cpu: str = ""
    memory: str = ""
    """Requests of each member."""
    heap: str = ""
    """Of the JVM: `512M`, `2G`."""
    tutorial: bool = False


def source(file: str) -> str:
    """A manifest's text: a part of the installed package, else of the checkout."""
    packaged = importlib.resources.files("zktui") / "manifests" / file
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return Path(__file__).parents[2].joinpath("manifests", file).read_text(encoding="utf-8")


def manifest(wanted: Wanted) -> tuple[Document, ...]:
    """The objects to apply, in the order in which they are to be: what a pod needs comes before the StatefulSet.

    Quantities are spelt as the server stores them, or applying them again would look like a change.
    """
    objects = [entry for entry in yaml.safe_load_all(source(TUTORIAL if wanted.tutorial else MODERN)) if entry]
    objects.sort(key=lambda entry: entry["kind"] == "StatefulSet")
    names = {entry["metadata"]["name"] for entry in objects}
    renamed = [_renamed(entry, names, wanted.name) for entry in objects]
    for entry in renamed:
        entry["metadata"]["namespace"] = wanted.namespace
        if entry["kind"] == "StatefulSet":
            _fill(entry["spec"], wanted)
    return tuple(renamed)


def objection_to(wanted: Wanted) -> str:
    """Why this can't be, or could not run, in words for people; empty when nothing speaks against it."""
    if not _NAME.fullmatch(wanted.name):
        return f"{wanted.name!r} is no name: small letters, digits and hyphens, beginning with a letter"
    if len(wanted.name) > LONGEST:
        return f"{wanted.name!r} is longer than {LONGEST} letters: its pods could not be labelled with it"
    if wanted.image and not _IMAGE.fullmatch(wanted.image):
        return f"{wanted.image!r} is no image: REGISTRY/NAME:TAG, without spaces"
    if wanted.storage_class and not _CLASS.fullmatch(wanted.storage_class):
        return f"{wanted.storage_class!r} is no name of a storage class: see kubectl get storageclass"
    size = amount(wanted.size or "1Gi")
    if size is None or size < LEAST:
        return f"{wanted.size!r} is too small for a volume: one transaction log alone takes 64 MiB"
    return _heap_in(manifest(wanted)[-1])


def _heap_in(statefulset: Document) -> str:
    for container in objects(statefulset, "spec", "template", "spec", "containers"):
        heap, asked = heap_of(texts(container, "command"), {}), text(container, "resources", "requests", "memory")
        memory = amount(asked)
        if heap is not None and memory is not None and heap >= memory:
            return f"the heap of {heap >> 20} MiB does not fit the {asked} of memory that each member asks for"
    return ""


def _renamed(value: Any, names: set[str], name: str) -> Any:
    """Every name of an object, and the label that all of them have, with another beginning."""
    if isinstance(value, dict):
        return {key: _renamed(part, names, name) for key, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_renamed(part, names, name) for part in cast("list[Any]", value)]
    if isinstance(value, str) and (value in names or value == NAME):
        return name + value[len(NAME) :]
    return value


def _fill(spec: dict[str, Any], wanted: Wanted) -> None:
    if wanted.members is not None:
        spec["replicas"] = wanted.members
    for container in spec["template"]["spec"]["containers"]:
        if wanted.image:
            container["image"] = wanted.image
        requests = container["resources"]["requests"]
        given = {"cpu": wanted.cpu, "memory": wanted.memory}
        requests.update({key: value for key, value in given.items() if value})
        container["resources"]["requests"] = {key: canonical(str(value)) for key, value in requests.items()}
        flags = {"servers": str(wanted.members or ""), "heap": wanted.heap}
        container["command"] = [_with_flags(word, flags) for word in container["command"]]
    for claim in spec["volumeClaimTemplates"]:
        if wanted.storage_class:
            claim["spec"]["storageClassName"] = wanted.storage_class
        if wanted.size:
            claim["spec"]["resources"]["requests"]["storage"] = canonical(wanted.size)


def _with_flags(command: str, flags: dict[str, str]) -> str:
    for name, value in flags.items():
        if value:
            command = re.sub(_FLAG[name], f"--{name}={value}", command)
    return command


def as_yaml(document: Document) -> str:
    """As `kubectl get -o yaml` would print it, without what only the server sets."""
    plain = {key: value for key, value in copy.deepcopy(dict(document)).items() if key != "status"}
    metadata = plain.get("metadata")
    if isinstance(metadata, dict):
        kept = cast("dict[str, Any]", metadata)
        plain["metadata"] = {key: value for key, value in kept.items() if key not in SERVER_S}
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=False, width=10_000)


SERVER_S = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, as people write them."""


def _string(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)
