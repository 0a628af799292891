"""A pod's files: where the paths that a container sees are on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from zktui.demo.objects import Object, child, children, meta, name_of, namespace_of
from zktui.demo.store import Store


class MountFailure(Exception):
    """A volume can't be mounted (yet); the message is the kubelet's."""


def claim_folder(root: Path, namespace: str, claim: str) -> Path:
    """The disk behind a claim. Named by the claim, so that a kept state folder serves the next cluster too."""
    return root / "volumes" / namespace / claim


class PodFiles:
    """The file systems of one pod's containers: mounted volumes, and a scratch folder for all other paths."""

    def __init__(self, root: Path, pod: Object) -> None:
        self._root, self._pod = root, pod
        self.folder = root / "pods" / meta(pod)["uid"]
        self._volumes: dict[str, Path] = {}

    def mount(self, store: Store) -> None:
        """Make every volume's folder; raises :class:`MountFailure` while one is not there, OSError for a full disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for volume in children(self._pod, "spec", "volumes"):
            self._volumes[volume["name"]] = self._mount(store, volume)

    def _mount(self, store: Store, volume: Object) -> Path:
        namespace, folder = namespace_of(self._pod), self.folder / "volumes" / volume["name"]
        if reference := volume.get("persistentVolumeClaim"):
            claim = store.find("persistentvolumeclaims", namespace, reference["claimName"])
            if claim is None or child(claim, "status").get("phase") != "Bound":
                raise MountFailure(f'persistentvolumeclaim "{reference["claimName"]}" is not bound')
            folder = claim_folder(self._root, namespace, name_of(claim))
        elif reference := volume.get("configMap"):
            config = store.find("configmaps", namespace, reference["name"])
            if config is None and not reference.get("optional"):
                words = f'configmap "{reference["name"]}" not found'
                raise MountFailure(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {words}')
            _write_files(folder, child(config or {}, "data"))
        elif not ({"emptyDir", "projected", "downwardAPI", "secret"} & volume.keys()):
            kind = next((key for key in volume if key != "name"), "unknown")
            raise MountFailure(f'the rehearsal cluster has no volumes of type {kind} (volume "{volume["name"]}")')
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def path(self, container: Object, inside: str) -> Path:
        """Where the container's absolute path ``inside`` is here. Never outside of the pod's own folders."""
        wanted = _normal(inside)
        entry = _mount_of(container, wanted)
        if entry is None:
            return self.scratch(container).joinpath(*wanted.parts[1:])
        base = self._volumes[entry["name"]].joinpath(*_normal(entry.get("subPath") or "/").parts[1:])
        return base.joinpath(*wanted.relative_to(_normal(entry["mountPath"])).parts)

    def mounted_on(self, container: Object, inside: str) -> str:
        """The mount that holds an absolute path; "/" for the container's own layer."""
        entry = _mount_of(container, _normal(inside))
        return str(_normal(entry["mountPath"])) if entry else "/"

    def read_only(self, container: Object, inside: str) -> bool:
        """Is the path on a mount that can't be written to, as a ConfigMap's never can?"""
        entry = _mount_of(container, _normal(inside))
        if entry is None:
            return False
        volumes = {volume["name"]: volume for volume in children(self._pod, "spec", "volumes")}
        kinds = {"configMap", "secret", "projected", "downwardAPI"}
        return bool(entry.get("readOnly")) or bool(kinds & volumes[entry["name"]].keys())

    def scratch(self, container: Object) -> Path:
        """The container's own writable layer."""
        return self.folder / "rootfs" / container["name"]

    def private(self, container: Object) -> Path:
        """For what no container sees: what its server really reads."""
        return self.folder / "server" / container["name"]

    def renew(self, container: Object) -> None:
        """A started container gets a fresh writable layer."""
        shutil.rmtree(self.scratch(container), ignore_errors=True)
        self.scratch(container).mkdir(parents=True)

    def delete(self) -> None:
        """Remove everything but the claims' disks."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _mount_of(container: Object, wanted: PurePosixPath) -> Object | None:
    """The volumeMount that an absolute path is on: the deepest of those that hold it."""
    held = [(_normal(entry["mountPath"]), entry) for entry in children(container, "volumeMounts")]
    found = [(len(place.parts), entry) for place, entry in held if place == wanted or place in wanted.parents]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _normal(inside: str) -> PurePosixPath:
    """An absolute path without ``..``, which would otherwise lead out of the container."""
    parts: list[str] = []
    for part in inside.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return PurePosixPath("/", *parts)


def _write_files(folder: Path, data: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in data.items():
        (folder / PurePosixPath(name).name).write_text(text)
